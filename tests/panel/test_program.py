"""`consent-panel` as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

SECONDS = 30.0


def start(folder: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CONSENT")}
    return subprocess.Popen(
        [sys.executable, "-m", "panel", *arguments],
        env={**kept, "TMPDIR": str(folder), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(running: subprocess.Popen[str]) -> list[str]:
    """What it says once it answers; the last word is where it is found."""
    assert running.stdout is not None
    lines = []
    while "is found at" not in (line := running.stdout.readline()):
        assert line, "it does not start"
        lines.append(line.strip())
    return [*lines, line.split()[-1]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    """Without a service it says so; its end is clean, and nothing that it wrote stays."""
    directory, folder = tmp_path / "directory.jsonl", tmp_path / "tmp"
    directory.write_text('{"contact": "C-1", "account": "customer:ann"}\n')
    folder.mkdir()
    running = start(
        folder,
        *("--listen", "127.0.0.1:0", "--directory", str(directory), "--local-sign-in"),
        CONSENT_PANEL_TARGET="127.0.0.1:1",
    )
    warning, url = told(running)
    page = httpx.get(f"{url}/sign-in")
    link = httpx.post(f"{url}/unsubscribe/secret-token", data={"List-Unsubscribe": "One-Click"})
    running.send_signal(number)
    _, err = running.communicate(timeout=SECONDS)

    assert (page.status_code, link.status_code) == (200, 503)
    assert running.returncode == 0
    assert warning.startswith("LOCAL SIGN-IN IS ON")
    assert "secret-token" not in err
    assert "the consent service did not answer" in err
    assert list(folder.iterdir()) == []


def test_where_it_is_found_may_be_somewhere_else(tmp_path: Path) -> None:
    """Behind a proxy links lead to the proxy, whatever the port is here."""
    arguments = ("--listen", "127.0.0.1:0", "--url", "https://localhost", "--local-sign-in")
    running = start(tmp_path, *arguments)
    *_, url = told(running)
    running.terminate()
    running.communicate(timeout=SECONDS)

    assert url == "https://localhost"


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """In one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        running = start(tmp_path, "--listen", listen, "--local-sign-in")
        _, err = running.communicate(timeout=SECONDS)

    assert running.returncode == 64
    assert err.splitlines() == [f"consent-panel: cannot listen on {listen}: Address already in use"]


def test_a_directory_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With its line, and without what stands there."""
    directory = tmp_path / "directory.jsonl"
    directory.write_text("secret\n")
    running = start(tmp_path, "--directory", str(directory), "--local-sign-in")
    _, err = running.communicate(timeout=SECONDS)

    assert running.returncode == 64
    assert err.splitlines() == ["consent-panel: directory.jsonl:1: cannot be read"]
