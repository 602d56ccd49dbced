"""The registry for tests as a program."""

import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from registry_sync._epp import EppRegistry
from registry_sync._errors import Refused
from registry_sync.testing import Kind
from registry_sync.testing import __main__ as program
from tests.registry_sync.making import show
from tests.registry_sync.meeting import at_once

_COMMAND = (sys.executable, "-m", "registry_sync.testing")
_SECONDS = 60.0


@contextmanager
def _running(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """The program, and the port that it says it listens on."""
    process = subprocess.Popen([*_COMMAND, "--port", "0", *arguments], stdout=-1, text=True)
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        yield process, int(first.split(",")[0].rsplit(":", 1)[1])
    finally:
        process.kill()
        process.communicate()


def _ended(process: "subprocess.Popen[str]") -> str:
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=_SECONDS)
    assert process.returncode == 0
    return out


async def test_watching() -> None:
    """Each frame is printed with its answer and what the public sees, and SIGTERM ends it."""
    with _running("--contact", "ANN-1", "--fault", "refuse:2400@1") as (process, port):
        async with EppRegistry(
            "127.0.0.1",
            port,
            client="registrar",
            password="correct horse",
            plain=True,
            retry=at_once(),
        ) as registry:
            await registry.update_contact("ANN-1", disclose=show("email", "voice"))
        out = _ended(process)

    assert "#2 contact:update, and a fault: refuse" in out
    assert "-> 2400 Command failed" in out
    assert "      <contact:update" in out
    assert "-> 1000 Command completed successfully" in out
    assert "the public sees of ANN-1: email, voice" in out
    assert "horse" not in out
    assert out.endswith("stopped\n")


async def test_options(tmp_path: Path) -> None:
    """Policy, dialect, violations and TLS are what the options say."""
    certificate = tmp_path / "registry.crt"
    options = ["--tls", str(certificate), "--policy", "show", "--violation", "email"]
    with _running(*options, "--password", "other", "--contact", "ANN-1") as (process, port):
        async with EppRegistry(
            "127.0.0.1",
            port,
            client="registrar",
            password="other",
            tls=ssl.create_default_context(cafile=certificate),
        ) as registry:
            greeting = await registry.greeting()
            with pytest.raises(Refused) as refused:
                await registry.update_contact("ANN-1", disclose=show("email"))
        _ended(process)

    assert greeting.hides is False
    assert refused.value.code == 2308


def test_interrupted_while_connected() -> None:
    """It stops at once with connections open, on SIGINT as well."""
    with _running() as (process, port), socket.create_connection(("127.0.0.1", port)) as client:
        greeting = client.recv(4)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=_SECONDS)

    assert len(greeting) == 4
    assert process.returncode == 0
    assert out == "stopped\n"


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The help names every fault and shows a first look."""
    with pytest.raises(SystemExit) as ended:
        program._parser().parse_args(["--help"])
    out = capsys.readouterr().out

    assert ended.value.code == 0
    for kind in Kind:
        assert f"\n  {kind.value}" in out
    assert "A first look:" in out


def test_wrong_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """A fault that there is not is refused with the list of those that there are."""
    with pytest.raises(SystemExit):
        program._parser().parse_args(["--fault", "explode"])

    assert "drop-before" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--chance", "3"),
        ("--chance", "nan"),
        ("--chance", "often"),
        ("--port", "99999"),
        ("--port", "-1"),
        ("--port", "ssh"),
        ("--tls", "/nonexistent/x"),
        ("--host", "203.0.113.1"),
        ("--host", "a..b"),
        ("--fault", "explode"),
        ("--policy", "both"),
        ("--shoe-size", "42"),
    ],
)
def test_options_that_cannot_be_used(option: str, value: str) -> None:
    """It says which option it is and ends with 64. It printed a traceback, or ended with 2."""
    ran = subprocess.run(
        [*_COMMAND, "--port", "0", option, value],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )

    assert (ran.returncode, ran.stdout) == (64, "")
    assert option in ran.stderr.splitlines()[-1]
    assert "Traceback" not in ran.stderr
