"""The real program as a process of its own, and a server that such processes can ask."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from consentsvc.cli import main

SECONDS = 60.0
"""How long anything here may take before the test fails; the machine may be busy."""

_COMMAND = (sys.executable, "-m", "consentsvc")


class Ran(NamedTuple):
    """How a run of the program ended."""

    code: int
    out: str
    err: str

    def words(self) -> list[list[str]]:
        """The words of each line that was printed."""
        return [line.split() for line in self.out.splitlines()]

    def json(self) -> Any:
        """The one object that was printed."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    def json_lines(self) -> list[Any]:
        """The objects that were printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**more: str) -> dict[str, str]:
    """The environment without what the test's own caller may have set for the program."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT")}
    return {**kept, "COLUMNS": "200", **more}


def run(*arguments: object, stdin: str | bytes = "", **env: str) -> Ran:
    """Runs the program to its end."""
    ended = subprocess.run(
        [*_COMMAND, *map(str, arguments)],
        input=stdin if isinstance(stdin, bytes) else stdin.encode(),
        capture_output=True,
        env=environment(**env),
        timeout=SECONDS,
        check=False,
    )
    return Ran(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def start(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """Starts the program and lets it run."""
    usual: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": environment(),
    }
    return subprocess.Popen([*_COMMAND, *map(str, arguments)], **usual | options)


class Served(NamedTuple):
    """A server that answers."""

    target: str
    store: str
    process: subprocess.Popen[bytes]

    def run(self, *arguments: object, stdin: str | bytes = "") -> Ran:
        """Runs the program to its end, with this server to ask."""
        return run(*arguments, stdin=stdin, CONSENT_TARGET=self.target)

    def ask(self, *arguments: object, stdin: str = "") -> Ran:
        """Runs the program in the test's own process, where another one would add nothing."""
        ran = CliRunner().invoke(
            main, [*map(str, arguments)], input=stdin, env={"CONSENT_TARGET": self.target}
        )
        return Ran(ran.exit_code, ran.stdout, ran.stderr)

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
        """Starts the program and lets it run, with this server to ask."""
        return start(*arguments, env=environment(CONSENT_TARGET=self.target), **options)


@contextmanager
def serving(folder: Path, *options: object) -> Iterator[Served]:
    """Serves a store in a folder for as long as the block runs."""
    store, port_file = f"sqlite:///{folder}/log.db", folder / "port"
    listen = ("--listen", "127.0.0.1:0", "--store", store, "--port-file", port_file)
    with (folder / "server.log").open("ab") as log:
        process = start("serve", *listen, *options, stdout=log, stderr=log)
    try:
        port = _written(port_file, process)
        yield Served(f"127.0.0.1:{port}", store, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)


def _written(file: Path, process: subprocess.Popen[bytes]) -> int:
    until = time.monotonic() + SECONDS
    while not file.exists():
        assert process.poll() is None, f"the server ended with {process.returncode}"
        assert time.monotonic() < until, "the server did not come up"
        time.sleep(0.01)
    return int(file.read_text())
