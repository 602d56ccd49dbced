"""A server in a process of its own."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class ServerProcess:
    """A running server. Everything it logged is in `log` once it has ended."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port
        self.log: list[dict[str, Any]] = []

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def tell(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Waits for its end and tells the exit code."""
        _, errors = await self.process.communicate()
        try:
            self.log = [json.loads(line) for line in errors.decode().splitlines()]
        except json.JSONDecodeError as error:
            raise AssertionError(f"the server's log:\n{errors.decode()}") from error
        return self.process.returncode or 0

    def memory(self) -> int:
        """The bytes of memory that it holds now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(one for one in status.splitlines() if one.startswith("VmRSS"))
        return int(line.split()[1]) * 1024


@asynccontextmanager
async def server_process(**settings: Any) -> AsyncIterator[ServerProcess]:
    """Starts a server and waits until it listens; ends it with the block."""
    given = {"listen": "127.0.0.1:0", **{name: str(value) for name, value in settings.items()}}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.process",
        json.dumps(given),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout
        line = await process.stdout.readline()
        if not line:
            _, errors = await process.communicate()
            raise RuntimeError(errors.decode())
        yield ServerProcess(process, int(line))
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
