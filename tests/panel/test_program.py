"""`consent-panel` as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

SECONDS = 30.0


def start(folder: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CONSENT")}
    return subprocess.Popen(
        [sys.executable, "-m", "panel", *arguments],
        env={**kept, "TMPDIR": str(folder), **settings},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    """Without a service it says so; its end is clean, and nothing that it wrote stays."""
    directory, folder = tmp_path / "directory.jsonl", tmp_path / "tmp"
    directory.write_text('{"contact": "C-1", "account": "customer:ann"}\n')
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    running = start(
        folder,
        *("--listen", listen, "--directory", str(directory), "--local-sign-in"),
        CONSENT_PANEL_TARGET="127.0.0.1:1",
    )
    until = time.monotonic() + SECONDS
    while True:
        try:
            page = httpx.get(f"http://{listen}/sign-in")
            break
        except httpx.TransportError:
            assert running.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
    link = httpx.post(
        f"http://{listen}/unsubscribe/secret-token", data={"List-Unsubscribe": "One-Click"}
    )
    running.send_signal(number)
    _, err = running.communicate(timeout=SECONDS)

    assert (page.status_code, link.status_code) == (200, 503)
    assert running.returncode == 0
    assert "secret-token" not in err
    assert "the consent service did not answer" in err
    assert list(folder.iterdir()) == []


def test_a_directory_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With its line, and without what stands there."""
    directory = tmp_path / "directory.jsonl"
    directory.write_text("secret\n")
    running = start(tmp_path, "--directory", str(directory), "--local-sign-in")
    _, err = running.communicate(timeout=SECONDS)

    assert running.returncode == 64
    assert err.splitlines() == ["consent-panel: directory.jsonl:1: cannot be read"]
