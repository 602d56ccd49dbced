"""`consentsvc demo`."""

import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from consentsvc.cli import _sample, main
from consentsvc.cli._background import ServerFailed, server
from tests.cli.program import SECONDS, environment, start


def test_the_story_holds(tmp_path: Path) -> None:
    """From an empty directory to a verified log: every step holds, and nothing is left."""
    running = start("demo", "--customers", 300, env=environment(TMPDIR=str(tmp_path)))
    out, err = running.communicate(timeout=2 * SECONDS)
    told = out.decode()

    assert (running.returncode, err) == (0, b"")
    for command in ("serve", "consents give", "filter", "consents withdraw", "consents redeem"):
        assert f"$ consentsvc {command}" in told
    for command in ("check", "events watch", "verify"):
        assert f"$ consentsvc {command}" in told
    assert "$ consentsvc panel" in told
    assert "the mailer’s very next check is refused" in told
    assert "$ registry-sync run" in told
    assert told.count("<contact:update ") == 2
    assert told.count("<contact:email/>") == 1
    assert "no byte of their name is in any file" in told
    assert "All of it held" in told
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_does_not_hold_is_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that answers otherwise than it should is told, with the step."""
    monkeypatch.setattr(_sample.Customer, "permits", lambda self, purpose: True)
    ran = CliRunner().invoke(main, ["demo", "--customers", "200"])

    assert ran.exit_code == 1
    assert ran.stderr.startswith("consentsvc: this does not hold: ")
    assert "All of it held" not in ran.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """A signal in the midst stops the server too, and removes what was written."""
    with start(
        "demo", "--customers", 5_000, env=environment(TMPDIR=str(tmp_path), PYTHONUNBUFFERED="1")
    ) as running:
        assert running.stdout is not None
        while b"2. 5,000 customers" not in running.stdout.readline():
            assert running.poll() is None
        running.send_signal(number)
        _, err = running.communicate(timeout=SECONDS)

    assert running.returncode == 130
    assert b"Traceback" not in err
    assert list(tmp_path.iterdir()) == []


async def test_a_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    """A server that ends at once is told with its log, and nobody waits for it."""
    with pytest.raises(ServerFailed, match="a store is sqlite:///PATH"):
        async with server(tmp_path, "mysql://db"):
            pass


async def test_settings_of_others_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the user has set for a server of their own does not reach this one."""
    monkeypatch.setitem(os.environ, "CONSENTSVC_CATALOGUE", "missing.toml")
    async with server(tmp_path, "memory:") as target:
        assert target.startswith("127.0.0.1:")


def test_the_sample_is_the_same_each_time() -> None:
    """The seed is fixed, so that a story can be told again."""
    assert _sample.customers(500) == _sample.customers(500)
    assert _sample.customers(500)[:200] == _sample.customers(200)


def test_the_smallest_sample_has_everybody_that_the_story_needs() -> None:
    """No step lacks its person, however few customers there are."""
    sample = _sample.customers(200)
    asked = [one for one in sample if one.first.get(_sample.RESELLER)]

    assert any(one.restricted for one in sample)
    assert sum(one.permits(_sample.NEWSLETTER) for one in sample) > 2
    assert {one.permits(_sample.RESELLER) for one in asked} == {True, False}
