"""Other programs beside this one, each in a process of its own, for as long as a block runs."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from consentsvc.config import PREFIX

PANEL_PREFIX = "CONSENT_PANEL_"

T = TypeVar("T")

# What a start and a stop take at most on a busy machine; far longer means that it hangs.
_SECONDS = 60
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class ServerFailed(Exception):
    """A program did not come up, or did not end in order. Prints as its log."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A program that runs: where it is, and what it said when it was there."""

    address: str
    said: tuple[str, ...]
    process: asyncio.subprocess.Process


@asynccontextmanager
async def server(folder: Path, store: str) -> AsyncIterator[str]:
    """Serves a store on a free port, and yields where. The folder gets the server's log."""
    options = ("--listen", "127.0.0.1:0", "--store", store)
    with (folder / "server.log").open("w+b") as log:
        async with serving(folder, options, _without(PREFIX), log) as running:
            yield f"127.0.0.1:{running.address}"


@asynccontextmanager
async def panel(folder: Path, target: str) -> AsyncIterator[str]:
    """Serves the panel on a free port, anybody as anybody, and yields its URL; see `server`."""
    options = ("--listen", "127.0.0.1:0", "--target", target, "--local-sign-in")
    with (folder / "panel.log").open("w+b") as log:
        async with showing(options, _without(PANEL_PREFIX), log) as running:
            yield running.address


@asynccontextmanager
async def serving(
    folder: Path, options: tuple[str, ...], environment: dict[str, str], log: BinaryIO | None
) -> AsyncIterator[Beside]:
    """`consentsvc serve`; its address is the port. Its log is ours unless it has one."""
    # A named pipe: reading from it waits until the server has something to tell.
    pipe = folder / "port"
    os.mkfifo(pipe)
    command = ("consentsvc", "serve", *options, "--port-file", str(pipe))
    async with _started(command, environment, log, None) as process:
        port = await _first(pipe, process)
        if port is None:
            raise ServerFailed(_told(log) or "the server does not start")
        yield Beside(port, (), process)


@asynccontextmanager
async def showing(
    options: tuple[str, ...], environment: dict[str, str], log: BinaryIO | None
) -> AsyncIterator[Beside]:
    """The panel; its address is the URL under which it is found."""
    out = asyncio.subprocess.PIPE
    async with _started(("panel", *options), environment, log, out) as process:
        said: list[str] = []
        try:
            async with asyncio.timeout(_SECONDS):
                while process.stdout and not (said and " is found at " in said[-1]):
                    line = await process.stdout.readline()
                    if not line:
                        raise ServerFailed(_told(log) or "the panel does not start")
                    said.append(line.decode().strip())
        except TimeoutError:
            raise ServerFailed(_told(log) or "the panel does not start") from None
        yield Beside(said[-1].split()[-1], tuple(said), process)


async def until_told(work: Awaitable[T]) -> T:
    """Does work that a signal ends: it is cancelled, so that whatever it started is stopped.

    Raises `asyncio.CancelledError` then.
    """
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    for number in _ENDING:
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    finally:
        for number in _ENDING:
            loop.remove_signal_handler(number)


@contextmanager
def quietly() -> Iterator[None]:
    """Keeps a signal, such as one from a terminal, from being told as an error."""
    try:
        yield
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@asynccontextmanager
async def _started(
    command: tuple[str, ...],
    environment: dict[str, str],
    log: BinaryIO | None,
    out: int | None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=out,
        stderr=log,
        env=environment,
        # Ctrl-C reaches everybody in the foreground. To them it would be the first of two signals,
        # ours the second, and the second one means: at once.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        code = await _stopped(process)
    if code != 0:
        raise ServerFailed(_told(log) or f"{command[0]} ended with {code}")


def _without(prefix: str) -> dict[str, str]:
    """The environment without what the user has set for a program of their own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(prefix)}


def _told(log: BinaryIO | None) -> str:
    if log is None:
        return ""  # it has told everything itself
    log.seek(0)
    return log.read().decode(errors="replace")


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
    except asyncio.CancelledError:
        # Told to end a second time.
        process.kill()
        await process.wait()
        raise
