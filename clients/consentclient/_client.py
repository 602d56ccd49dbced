"""The client for programs that run on asyncio."""

from types import TracebackType
from typing import Self

import grpc

from consentclient._channel import Connection
from consentclient._consents import ConsentCalls
from consentclient._events import EventCalls
from consentclient._proofs import ProofCalls
from consentclient._publications import PublicationCalls
from consentclient._queries import QueryCalls
from consentclient._retry import USUAL, Retry
from consentclient._rights import RightsCalls


class EveryCall(QueryCalls, ConsentCalls, PublicationCalls, EventCalls, RightsCalls, ProofCalls):
    """The calls of all services."""


class AsyncConsentClient(EveryCall):
    """A connection to the consent service, for as long as an `async with` block runs.

    Every call ends within `timeout` seconds, or at its own deadline, in an answer or in a
    `ConsentError`; UNAVAILABLE is tried again as `retry` says. Without credentials the connection
    is not encrypted.
    """

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout: float = 5.0,
        retry: Retry = USUAL,
    ) -> None:
        super().__init__(Connection(target, credentials, timeout, retry))

    async def __aenter__(self) -> Self:
        await self._connection.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._connection.close()
