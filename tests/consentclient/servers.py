"""Servers that a test can stop, hold, or make fail."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Self

import grpc

from consentclient import AsyncConsentClient, ConsentClient
from consentsvc import profiles
from consentsvc.config import Settings
from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.instants import Instant
from consentsvc.server import started
from consentsvc.service.ports import Clock, EventStore, Question, Records
from consentsvc.storage.memory import MemoryEventStore
from consentsvc.v1.consent_query_service_pb2_grpc import (
    ConsentQueryServiceServicer,
    add_ConsentQueryServiceServicer_to_server,
)
from tests.support import catalogues

PROFILES = profiles.load()
Client = AsyncConsentClient | ConsentClient


class Service:
    """A real server that can be stopped and started again on its port, with the log it had."""

    def __init__(self, store: EventStore, catalogue: Catalogue, clock: Clock, rate: int) -> None:
        self._store, self._catalogue, self._clock, self._rate = store, catalogue, clock, rate
        self._loop = asyncio.get_running_loop()
        self._running = AsyncExitStack()
        self.port = 0

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        settings = Settings(listen=self.target, sweep_seconds=3600, rate=self._rate)
        server = await self._running.enter_async_context(
            started(self._store, self._catalogue, PROFILES, self._clock, settings)
        )
        self.port = server.port

    async def stop(self) -> None:
        await self._running.aclose()

    async def start_for(self, client: Client) -> None:
        """Starts again and waits until the client, which may live on another loop, has noticed."""
        starting = asyncio.run_coroutine_threadsafe(self.start(), self._loop)
        await asyncio.wrap_future(starting)
        await channel_of(client).channel_ready()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def channel_of(client: Client) -> grpc.aio.Channel:
    opened = client._connection._opened
    assert opened is not None
    return opened[0]


async def token_of_another_log(clock: Clock) -> str:
    """A token that is sound, but not of the log that it will be presented to."""
    other = Service(MemoryEventStore(clock), catalogues.catalogue(), clock, rate=0)
    async with other, AsyncConsentClient(other.target) as client:
        return (await client.check("ann", catalogues.NEWSLETTER)).read_at


def going_on() -> list[asyncio.Task[Any]]:
    """The tasks of clients on this loop that have not ended."""
    return [task for task in asyncio.all_tasks() if "/consentclient/_" in repr(task)]


class HeldStore(MemoryEventStore):
    """Answers no check while it is held, and tells when one has come; keeps who began each."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.held = False
        self.reached = asyncio.Event()
        self.asked: list[str] = []

    async def records(self, questions: Sequence[Question], as_of: Instant | None = None) -> Records:
        if self.held:
            self.reached.set()
            await asyncio.Event().wait()
        self.asked += [question.subjects[0] for question in questions]
        return await super().records(questions, as_of)


class Sleeps:
    """Takes the place of sleeping: keeps what was asked for, and does something else instead."""

    def __init__(self, instead: Callable[[], Awaitable[None]] | None = None) -> None:
        self.delays: list[float] = []
        self.instead = instead

    async def __call__(self, delay: float) -> None:
        self.delays.append(delay)
        if self.instead is not None:
            await self.instead()


class Relay(grpc.GenericRpcHandler):
    """Hands unary calls on to a real server, except as told: before, or after it has answered."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self.unavailable_before: deque[bool] = deque()
        self.unavailable_after: deque[bool] = deque()
        self.requests: list[bytes] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        hand_on: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(
            handler_call_details.method
        )

        async def answer(request: bytes, context: Any) -> bytes:
            self.requests.append(request)
            if self.unavailable_before and self.unavailable_before.popleft():
                await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
            try:
                response = await hand_on(request)
            except grpc.aio.AioRpcError as error:
                trailers = tuple(error.trailing_metadata())
                await context.abort(error.code(), error.details() or "", trailers)
            if self.unavailable_after and self.unavailable_after.popleft():
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the answer is lost")
            return response

        return grpc.unary_unary_rpc_method_handler(answer)


@asynccontextmanager
async def relayed(target: str) -> AsyncIterator[tuple[Relay, str]]:
    """A relay to a server, and its own address."""
    async with grpc.aio.insecure_channel(target) as channel:
        relay = Relay(channel)
        async with made_up(lambda server: server.add_generic_rpc_handlers([relay])) as address:
            yield relay, address


@asynccontextmanager
async def made_up(add: Callable[[grpc.aio.Server], None]) -> AsyncIterator[str]:
    """The address of a server of whatever a test adds to it."""
    server = grpc.aio.server()
    add(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def answering(servicer: ConsentQueryServiceServicer) -> AbstractAsyncContextManager[str]:
    """The address of a server that answers checks with whatever a test makes up."""
    return made_up(partial(add_ConsentQueryServiceServicer_to_server, servicer))
