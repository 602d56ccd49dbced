"""A stream that is written to while its answers are read."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

import grpc

from consentclient._channel import read
from consentclient._errors import ConsentUnavailable

Q = TypeVar("Q")
A = TypeVar("A")
T = TypeVar("T")


class Duplex(Generic[Q, A]):
    """Sends what it is given, as fast as the other side takes it. Made on the running loop."""

    def __init__(self, call: "grpc.aio.StreamStreamCall[Q, A]") -> None:
        self._call = call
        self._to_send: asyncio.Queue[Q | None] = asyncio.Queue()
        self._write_failed = False
        self._writing = asyncio.create_task(self._write())

    def send(self, request: Q) -> None:
        """Sends a request after those before it."""
        self._to_send.put_nowait(request)

    async def receive(self, understand: Callable[[A], T], seconds: float) -> T:
        """The next answer, or the error with which the stream ended."""
        try:
            return await read(self._call, understand, seconds)
        except grpc.aio.AioRpcError as error:
            # A write that meets the end of a stream puts INTERNAL in place of the status that the
            # server sent (grpc/grpc#36066). What that was can only be found out by asking again.
            if self._write_failed and error.code() is grpc.StatusCode.INTERNAL:
                raise _cut() from None
            raise

    async def finish(self, seconds: float) -> None:
        """Closes this side of the stream, and waits for the other side to do so."""
        self._to_send.put_nowait(None)
        with suppress(ConsentUnavailable, grpc.aio.AioRpcError):
            await read(self._call, lambda _: None, seconds)
        await asyncio.gather(self._writing, return_exceptions=True)

    async def end(self) -> None:
        """Ends the stream at once."""
        self._call.cancel()
        self._writing.cancel()
        await asyncio.gather(self._writing, return_exceptions=True)

    async def _write(self) -> None:
        try:
            while (request := await self._to_send.get()) is not None:
                await self._call.write(request)
            await self._call.done_writing()
        except grpc.aio.AioRpcError:
            self._write_failed = True
        except asyncio.InvalidStateError:
            pass  # the stream has ended, and its status is whole


def _cut() -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(),
        "the stream was cut, and with it the reason",
    )
