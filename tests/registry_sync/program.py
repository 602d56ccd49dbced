"""The job as a process of its own."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.registry_sync.scene import PURPOSE, Scene

SECONDS = 600.0
"""How long a run may take before the test fails; the machine may be busy."""


class Ran(NamedTuple):
    """How a run ended, the most memory that it held, and how long it took."""

    code: int
    out: str
    err: str
    megabytes: float
    seconds: float

    @property
    def summary(self) -> dict[str, int]:
        """What was counted."""
        words = [line.rsplit(maxsplit=1) for line in self.out.splitlines()[-7:]]
        return {name: int(number) for name, number in words if number != "0"}


def write_settings(scene: Scene, **others: str) -> Path:
    """A settings file that reaches the scene's registries."""
    file = scene.folder / "registries.toml"
    lines = []
    for name, server in scene.registries.items():
        (scene.folder / f"{name}.password").write_text(server.registry.password)
        dialect = "fred" if name == "cz" else "rfc"
        lines += [
            f"[{name}]",
            f'host = "{server.host}"',
            f"port = {server.port}",
            f'client = "{server.registry.client}"',
            f'password_file = "{name}.password"',
            f'dialect = "{dialect}"',
            "plain = true",
            others.get(name, ""),
        ]
    file.write_text("\n".join(lines))
    return file


def arguments(scene: Scene, **options: str) -> list[str]:
    """What every run is given."""
    given = {
        "target": scene.target,
        "directory": str(scene.directory_file),
        "state": str(scene.state_file),
        "registries": str(scene.folder / "registries.toml"),
        "purpose": PURPOSE,
        **options,
    }
    return [word for name, value in given.items() for word in (f"--{name}", value)]


def environment() -> Mapping[str, str]:
    """The test's own, without what was set for the program."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CONSENT")}


async def start(*words: str) -> asyncio.subprocess.Process:
    """Starts the program and lets it run."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "registry_sync", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )


async def run(*words: str, at_most: float = SECONDS) -> Ran:
    """Runs the program to its end; ends one that takes longer, and whatever else goes wrong."""
    started = time.monotonic()
    process = await start(*words)
    memory = _Memory(process.pid)
    watching = asyncio.create_task(memory.watch())
    try:
        out, err = await asyncio.wait_for(process.communicate(), at_most)
    finally:
        watching.cancel()
        if process.returncode is None:
            process.kill()
            await process.communicate()
    code = process.returncode or 0
    seconds = time.monotonic() - started
    return Ran(code, out.decode(), err.decode(), memory.megabytes, seconds)


class _Memory:
    """The most that a process ever held. Read again and again: it is gone when the process is."""

    def __init__(self, pid: int) -> None:
        self.megabytes = 0.0
        self._status = Path(f"/proc/{pid}/status")

    async def watch(self) -> None:
        with suppress(OSError, StopIteration):
            while True:
                lines = self._status.read_text(encoding="ascii").splitlines()
                peak = next(one for one in lines if one.startswith("VmHWM"))
                self.megabytes = int(peak.split()[1]) / 1024
                await asyncio.sleep(0.05)
