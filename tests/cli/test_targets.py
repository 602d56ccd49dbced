"""Where the service is, and whom to ask about, are said or the command does nothing."""

import pytest

from tests.cli.program import run


@pytest.mark.parametrize("port", ["65536", "99999"])
def test_no_such_port(port: str) -> None:
    """A port that there is not is a usage error: another server must not answer instead."""
    ran = run("check", "customer:1", "newsletter", "--target", f"127.0.0.1:{port}")

    assert ran.code == 64
    assert port in ran.err


def test_nobody_to_ask_about() -> None:
    """An empty list of subjects is no yes: what was to name them may have failed."""
    ran = run("check", "-", "newsletter", "--target", "127.0.0.1:9", stdin="")

    assert ran.code == 64
    assert "no subject" in ran.err
