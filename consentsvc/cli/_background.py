"""A real server, in a process of its own, for as long as a block runs."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from consentsvc.config import PREFIX

# What a start and a stop take at most on a busy machine; far longer means that it hangs.
_SECONDS = 60


class ServerFailed(Exception):
    """The server did not come up, or did not end in order. Prints as its log."""


@asynccontextmanager
async def server(folder: Path, store: str) -> AsyncIterator[str]:
    """Serves a store, and yields where. The folder gets the server's log."""
    # A named pipe: reading from it waits until the server has something to tell.
    pipe, log = folder / "port", folder / "server.log"
    os.mkfifo(pipe)
    options = ("--listen", "127.0.0.1:0", "--store", store, "--port-file", str(pipe))
    with log.open("wb") as lines:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "consentsvc", "serve", *options),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=lines,
            env={one: value for one, value in os.environ.items() if not one.startswith(PREFIX)},
        )
    try:
        port = await _first(pipe, process)
        if port is None:
            raise ServerFailed(log.read_text() or "the server does not start")
        yield f"127.0.0.1:{port}"
    finally:
        code = await _stopped(process)
    if code != 0:
        raise ServerFailed(log.read_text())


async def _first(pipe: Path, process: asyncio.subprocess.Process) -> str | None:
    """What the process writes into the pipe; None if it ends instead, or does nothing."""
    reading = asyncio.create_task(asyncio.to_thread(pipe.read_text))
    ending = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({reading, ending}, timeout=_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return reading.result().strip() if reading.done() else None
    finally:
        ending.cancel()
        if not reading.done():
            # The reader cannot be cancelled; a writer that goes away lets it go.
            os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))


async def _stopped(process: asyncio.subprocess.Process) -> int:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_SECONDS):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()
