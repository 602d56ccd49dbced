"""The README's tour runs as it stands, and prints what the README says."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

README = Path(__file__).parent.parent / "README.md"
USUAL = "127.0.0.1:50051"


class Step(NamedTuple):
    """A command and what it prints, or a program."""

    language: str
    source: str
    prints: str


def tour() -> list[Step]:
    text = README.read_text(encoding="utf-8").partition("## A tour of five minutes")[2]
    text = text.partition("\n## ")[0]
    steps: list[Step] = []
    for language, block in re.findall(r"^```(console|python)\n(.*?)^```$", text, re.M | re.S):
        if language == "python":
            steps.append(Step(language, block, ""))
            continue
        for command in re.split(r"^\$ ", block, flags=re.M)[1:]:
            line, _, prints = command.partition("\n")
            steps.append(Step(language, line, prints))
    return steps


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A server on a free port, in a folder of its own, and what leads the commands to it."""
    variables = {key: value for key, value in os.environ.items() if "CONSENT" not in key}
    variables["PATH"] = f"{Path(sys.executable).parent}:{variables['PATH']}"
    variables["COLUMNS"] = "100"
    port_file = tmp_path / "port"
    os.mkfifo(port_file)
    command = ["consentsvc", "serve", "--listen", "127.0.0.1:0", "--port-file", str(port_file)]
    with subprocess.Popen(command, cwd=tmp_path, env=variables) as server:
        try:
            # Reading waits until the server has written it, which it does once it serves.
            variables["CONSENT_TARGET"] = f"127.0.0.1:{port_file.read_text().strip()}"
            yield variables
        finally:
            server.send_signal(signal.SIGTERM)


def test_tour(tmp_path: Path, environment: dict[str, str]) -> None:
    """Every block of the tour runs, and every command prints what is shown below it."""
    steps = tour()
    assert {one.language for one in steps} == {"console", "python"}
    for language, source, prints in steps:
        if language == "python":
            source = source.replace(USUAL, environment["CONSENT_TARGET"])  # noqa: PLW2901
            command = [sys.executable, "-c", source]
        else:
            command = ["bash", "-c", source]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode == 0, f"{source}\n{done.stdout}"
        if language == "console":
            assert re.fullmatch(pattern(prints), done.stdout), f"{source}\n{done.stdout}"


def pattern(prints: str) -> str:
    """What is shown, with … for anything, and blanks of any number at the end of a line."""
    lines = [re.escape(line.rstrip()).replace("…", ".*") + r"[ ]*" for line in prints.splitlines()]
    return "\n".join(lines) + (r"\n" if lines else "")
