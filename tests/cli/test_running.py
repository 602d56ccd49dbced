"""`consentsvc run` and `consentsvc panel`: the panel beside the server, and by itself."""

import re
import signal
import socket
from pathlib import Path
from typing import IO

import pytest
from click.testing import CliRunner

from consentsvc.cli import main
from consentsvc.cli._visiting import Visit
from tests.cli.program import SECONDS, environment, run, start

FREE = "127.0.0.1:0"


def _until(lines: IO[bytes], word: str) -> str:
    """The first line with a word in it; waits until it comes."""
    for line in iter(lines.readline, b""):
        if word in line.decode():
            return line.decode().strip()
    raise AssertionError(f"nothing was told of {word!r}")


def _port_of(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition("/")[2].rpartition(":")
    return host, int(port)


def _closed(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(_port_of(address)) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_signal_ends_both(tmp_path: Path, number: signal.Signals) -> None:
    """The page and the program see the same choice; then both drain, and nothing is left."""
    running = start(
        *("run", "--listen", FREE, "--panel", FREE, "--store", f"sqlite:///{tmp_path}/log.db"),
        env=environment(TMPDIR=str(tmp_path)),
    )
    assert running.stdout is not None
    assert running.stderr is not None
    ready = re.search(r'"address": "([^"]+)"', _until(running.stderr, '"ready"'))
    assert ready is not None
    warning = _until(running.stdout, "LOCAL SIGN-IN IS ON")
    url = _until(running.stdout, "is found at").split()[-1]
    visit = Visit(url)
    entrance = visit.get("/sign-in").one("/sign-in")
    assert entrance is not None
    choices = visit.send(entrance, customer="customer:1")
    switch = choices.one("/choices/turn", purpose="newsletter", turn="on")
    assert switch is not None
    visit.send(switch)
    checked = run("check", "customer:1", "newsletter", CONSENT_TARGET=ready[1])
    running.send_signal(number)
    _, err = running.communicate(timeout=SECONDS)

    assert "on this machine" in warning
    assert checked.code == 0
    assert running.returncode == 0, err
    assert _closed(ready[1])
    assert _closed(url)
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "log.db",
        "log.db.keys",
        "log.db.master-key",
    ]


def test_neither_stays_without_the_other(tmp_path: Path) -> None:
    """A panel that cannot start is told in its own words, and the server is stopped."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run(
            *("run", "--listen", FREE, "--panel", address, "--store", "memory:"),
            TMPDIR=str(tmp_path),
        )

    assert ended.code == 78
    assert f"consent-panel: cannot listen on {address}" in ended.err
    assert '"stopping"' in ended.err
    assert ended.err.splitlines()[-1] == "consentsvc: the panel does not start"
    assert list(tmp_path.iterdir()) == []


def test_settings_that_cannot_be_used_start_nothing(tmp_path: Path) -> None:
    """They are told as `serve` tells them."""
    ended = run("run", "--listen", "nowhere", CONSENTSVC_RATE="fast", TMPDIR=str(tmp_path))

    assert ended.code == 78
    assert ended.err.splitlines() == [
        "consentsvc: CONSENTSVC_LISTEN: must be HOST:PORT",
        "consentsvc: CONSENTSVC_RATE: must be a whole number",
    ]


def test_the_panel_by_itself_is_the_panels_own_program(tmp_path: Path) -> None:
    """Its options, its words, its exit codes, and one process: a signal reaches it."""
    # Somewhere with a program of that name, which is not the panel.
    (tmp_path / "panel.py").write_text("raise SystemExit(77)\n")
    running = start(
        *("panel", "--listen", FREE, "--local-sign-in", "--target", "127.0.0.1:1"), cwd=tmp_path
    )
    assert running.stdout is not None
    _until(running.stdout, "is found at")
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=SECONDS)
    refused = run("panel", "--listen", "nowhere")

    assert running.returncode == 0
    assert refused.code == 64
    assert refused.err.startswith("consent-panel: CONSENT_PANEL_LISTEN: must be HOST:PORT")


def test_without_the_panel_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server can be installed without it."""
    monkeypatch.setattr("consentsvc.cli.showing.find_spec", lambda name: None)
    ran = CliRunner().invoke(main, ["panel"])

    assert ran.exit_code == 64
    assert ran.stderr == "consentsvc: the panel is not installed: install consentsvc[panel]\n"
