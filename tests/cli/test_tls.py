"""Certificates, on both sides."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.program import Ran, run, serving
from tests.support.certificates import Authority

QUESTION = ("check", "customer:1", "newsletter")


class Ask:
    """Asks a server by the name that its certificate is for."""

    def __init__(self, port: str) -> None:
        self._target = f"localhost:{port}"

    def __call__(self, *options: object, **environment: str) -> Ran:
        return run(*QUESTION, *options, CONSENT_TARGET=self._target, **environment)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextmanager
def serving_tls(folder: Path, authority: Authority, *options: object) -> Iterator[Ask]:
    certificate, key = authority.issue("server", "localhost")
    own = ("--tls-certificate", certificate, "--tls-key", key)
    with serving(folder, *own, *options) as served:
        yield Ask(served.target.rpartition(":")[2])


def test_a_trusted_server_is_asked(authority: Authority, tmp_path: Path) -> None:
    """Over TLS the program asks only a server that its authority vouches for."""
    with serving_tls(tmp_path, authority) as ask:
        trusted = ask("--tls-ca", authority.certificate)
        named = ask(CONSENT_TLS_CA=str(authority.certificate))
        clear = ask()
        stranger = ask("--tls-ca", Authority(tmp_path, "stranger").certificate)

    assert (trusted.code, named.code) == (1, 1)
    assert (clear.code, stranger.code) == (2, 2)
    assert len(stranger.err.splitlines()) == 1


def test_the_server_asks_for_a_certificate(authority: Authority, tmp_path: Path) -> None:
    """A server that wants to know its callers lets in those who show a certificate."""
    certificate, key = authority.issue("mailer")
    trust = ("--tls-ca", authority.certificate)
    with serving_tls(tmp_path, authority, "--tls-client-ca", authority.certificate) as ask:
        unknown = ask(*trust)
        known = ask(*trust, "--tls-certificate", certificate, "--tls-key", key)

    assert (unknown.code, known.code) == (2, 1)


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    """A file that holds no certificate is no reason for an answer."""
    (tmp_path / "nothing.pem").write_text("nothing")
    ran = run(*QUESTION, "--tls-ca", tmp_path / "nothing.pem", "--target", "127.0.0.1:1")

    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
