"""An event loop in a thread of its own, for programs that do not run on asyncio."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent import futures
from typing import Any, NamedTuple, TypeVar

from consentclient._channel import Connection
from consentclient._errors import ConsentUnavailable

T = TypeVar("T")

_END = object()


class _Running(NamedTuple):
    thread: threading.Thread
    loop: asyncio.AbstractEventLoop
    stopping: asyncio.Event


class Background:
    """Keeps a connection open on a loop of its own, and runs there what any thread asks for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Nothing is handed over once the loop was told to stop: nobody would answer it. A forgotten
        # iterator may be collected, and hand over its end, in the midst of this.
        self._handing_over = threading.RLock()
        self._running: _Running | None = None

    def start(self) -> None:
        """Starts the thread and opens the connection."""
        if self._running is not None:
            raise RuntimeError("the client is open already")
        opened: futures.Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = futures.Future()
        thread = threading.Thread(
            target=lambda: asyncio.run(self._live(opened)), name="consentclient", daemon=True
        )
        thread.start()
        self._running = _Running(thread, *opened.result())

    def stop(self) -> None:
        """Ends every call at once, the connection, and the thread."""
        with self._handing_over:
            running, self._running = self._running, None
            if running is not None:
                running.loop.call_soon_threadsafe(running.stopping.set)
        if running is not None:
            running.thread.join()

    def submit(self, work: Coroutine[Any, Any, T]) -> "futures.Future[T]":
        """Hands work over to the loop."""
        with self._handing_over:
            if self._running is None:
                work.close()
                raise RuntimeError("the client is not open: use it in a `with` block")
            return asyncio.run_coroutine_threadsafe(work, self._running.loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Hands work over to the loop and waits for what becomes of it."""
        return result(self.submit(work))

    def soon(self, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Has something done on the loop without waiting for it; nothing if there is no loop."""
        with self._handing_over:
            if self._running is not None:
                asyncio.run_coroutine_threadsafe(act(), self._running.loop)

    def iterate(self, items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """Yields what an asynchronous generator yields, each item when it is asked for."""

        async def step() -> T | object:
            return await anext(items, _END)

        async def close() -> None:
            await items.aclose()

        try:
            while (item := self.run(step())) is not _END:
                yield item  # type: ignore[misc]  # it is not _END
        finally:
            # Not waited for: a generator that is forgotten may be closed on any thread.
            self.soon(close)

    async def _live(
        self, opened: "futures.Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]"
    ) -> None:
        stopping = asyncio.Event()
        try:
            await self._connection.open()
        except Exception as error:  # noqa: BLE001 - it is told to the thread that waits
            opened.set_exception(error)
            return
        opened.set_result((asyncio.get_running_loop(), stopping))
        await stopping.wait()
        await self._connection.close()


def result(future: "futures.Future[T]") -> T:
    """What became of work that was handed over; gives it up if the wait is interrupted."""
    try:
        return future.result()
    except futures.CancelledError:
        raise ConsentUnavailable("the client was closed") from None
    except BaseException:
        future.cancel()
        raise
