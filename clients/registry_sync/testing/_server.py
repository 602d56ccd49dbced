"""The registry for tests on a socket, faults included."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol, Self

from lxml.etree import _Element as Element

from registry_sync import _frames as frames
from registry_sync.testing._commands import Responder, Session, named
from registry_sync.testing._faults import Fault, Faults, Kind
from registry_sync.testing._registry import Registry

_GARBAGE = b"<epp><response>what was that?"
_NOISE = b"HTTP/1.1 400 Bad Request\r\n\r\n"


class Watcher(Protocol):
    """Whoever wants to see what goes on."""

    def received(self, name: str, root: Element, fault: Fault | None) -> None:
        """A message has arrived, and this will go wrong with it."""

    def answered(self, xml: bytes) -> None:
        """It has been carried out or refused, and this is the answer, whether or not it is sent."""


class RegistryServer:
    """A registry that listens for as long as a block runs, on a free port unless one is given.

    `received` names every command that arrived, whatever came of it. `watch` is told of each.
    """

    def __init__(
        self,
        registry: Registry | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        faults: Faults | None = None,
        watch: Watcher | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.registry = registry or Registry()
        self.faults = faults or Faults()
        self.host = host
        self.port = port
        self.received: list[str] = []
        self._tls = tls
        self._watch = watch
        self._sleep = sleep
        self._responder = Responder(self.registry)
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._arrived = asyncio.Condition()

    async def until_received(self, count: int) -> None:
        """Waits until so many commands have arrived."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= count)

    async def disconnect(self) -> None:
        """Cuts every connection, as a server does with sessions that are idle for long."""
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, self.host, self.port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            await self.disconnect()
            await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection without a task")
        self._connections[task] = writer
        try:
            await self._serve(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            # Whichever side has gone: there is nobody left to tell.
            pass
        finally:
            del self._connections[task]
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session()
        await _send(writer, self._responder.greeting())
        while not session.ended:
            try:
                root = frames.parsed(await frames.read(reader))
            except frames.FrameError:
                # Where the next frame would begin is not known any more.
                await _send(writer, self._responder.response(2500, None))
                await _hang_up(writer)
                return
            name = named(root)
            fault = self.faults.next(name) if name != "hello" else None
            if self._watch is not None:
                self._watch.received(name, root, fault)
            async with self._arrived:
                self.received.append(name)
                self._arrived.notify_all()
            if not await self._answered(writer, root, session, fault):
                return
        await _hang_up(writer)

    async def _answered(
        self, writer: asyncio.StreamWriter, root: Element, session: Session, fault: Fault | None
    ) -> bool:
        # False where the connection is to be cut.
        kind = None if fault is None else fault.kind
        if kind is Kind.DROP_BEFORE:
            return False
        if fault is not None and kind in {Kind.REFUSE, Kind.CLOSE}:
            answer = self._responder.response(int(fault.value), root)
        else:
            answer = self._responder.answer(root, session)
        if self._watch is not None:
            self._watch.answered(answer)
        match kind:
            case Kind.DROP_AFTER:
                return False
            case Kind.SLOW if fault is not None:
                await self._sleep(fault.value)
            case Kind.TWICE:
                await _send(writer, answer)
            case Kind.STRAY:
                answer = answer.replace(b"<clTRID>", b"<clTRID>not-")
            case Kind.GARBAGE:
                answer = _GARBAGE
            case Kind.NOISE:
                writer.write(_NOISE)
                await writer.drain()
                return True
        await _send(writer, answer)
        if kind is Kind.CLOSE:
            await _hang_up(writer)
        return kind is not Kind.CLOSE


async def _send(writer: asyncio.StreamWriter, xml: bytes) -> None:
    writer.write(frames.framed(xml))
    await writer.drain()


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    # What was written last is to arrive: no abort yet.
    writer.close()
    await writer.wait_closed()
