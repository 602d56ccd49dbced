"""The connection to the service: one channel, and how every call on it is made."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias, TypeVar

import grpc

from consentclient._errors import AnswerNotUnderstood, ConsentUnavailable, DeadlineExceeded
from consentclient._retry import Attempts, Retry
from consentsvc.v1.consent_event_service_pb2_grpc import ConsentEventServiceStub
from consentsvc.v1.consent_query_service_pb2_grpc import ConsentQueryServiceStub
from consentsvc.v1.consent_service_pb2_grpc import ConsentServiceStub
from consentsvc.v1.proof_service_pb2_grpc import ProofServiceStub
from consentsvc.v1.publication_service_pb2_grpc import PublicationServiceStub
from consentsvc.v1.subject_rights_service_pb2_grpc import SubjectRightsServiceStub

Q = TypeVar("Q")
A = TypeVar("A")
T = TypeVar("T")
Reading: TypeAlias = "grpc.aio.StreamStreamCall[Any, A] | grpc.aio.UnaryStreamCall[Any, A]"

_MAX_MESSAGE_BYTES = 8 * 1024 * 1024
# The shortest that gRPC accepts. It fails calls at once while it waits to connect again: by default
# for a second and more, in which every attempt of ours would be spent.
_RECONNECT_MS = 100


class Stubs(NamedTuple):
    """The services, as generated."""

    queries: ConsentQueryServiceStub
    consents: ConsentServiceStub
    events: ConsentEventServiceStub
    rights: SubjectRightsServiceStub
    publications: PublicationServiceStub
    proofs: ProofServiceStub


class Connection:
    """A channel that is open for as long as a block runs."""

    def __init__(
        self,
        target: str,
        credentials: grpc.ChannelCredentials | None,
        timeout: float,
        retry: Retry,
    ) -> None:
        if not timeout > 0:
            raise ValueError("timeout must be more than 0 seconds")
        self.timeout = timeout
        self.retry = retry
        self._target = target
        self._credentials = credentials
        self._opened: tuple[grpc.aio.Channel, Stubs] | None = None

    @property
    def stubs(self) -> Stubs:
        """The services; there are none outside of the block."""
        if self._opened is None:
            raise RuntimeError("the client is not open: use it in a `with` block")
        return self._opened[1]

    async def open(self) -> None:
        """Makes the channel. The first call connects."""
        if self._opened is not None:
            raise RuntimeError("the client is open already")
        options = _options(self.retry)
        if self._credentials is None:
            channel = grpc.aio.insecure_channel(self._target, options)
        else:
            channel = grpc.aio.secure_channel(self._target, self._credentials, options)
        stubs = Stubs(
            ConsentQueryServiceStub(channel),
            ConsentServiceStub(channel),
            ConsentEventServiceStub(channel),
            SubjectRightsServiceStub(channel),
            PublicationServiceStub(channel),
            ProofServiceStub(channel),
        )
        self._opened = (channel, stubs)

    async def close(self) -> None:
        """Ends every call at once, and the channel."""
        if self._opened is not None:
            channel, self._opened = self._opened[0], None
            await channel.close()

    async def call(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[Q, A]",
        request: Q,
        understand: Callable[[A], T],
        seconds: float | None = None,
    ) -> T:
        """Asks until there is an answer, no attempt is left, or the deadline has come."""
        now = asyncio.get_running_loop().time
        deadline = now() + (self.timeout if seconds is None else seconds)
        attempts = Attempts(self.retry)
        while True:
            try:
                with in_our_words():
                    response = await method(request, timeout=deadline - now())
                    return _understood(response, understand)
            except grpc.aio.AioRpcError as error:
                await attempts.pause(error, deadline)


class Calls:
    """Calls over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection


async def read(call: "Reading[A]", understand: Callable[[A], T], seconds: float) -> T:
    """The next response of a stream that is not to end.

    Raises the call's own error if it ends all the same, so that it can be opened again.
    """
    try:
        async with asyncio.timeout(seconds):
            with in_our_words():
                response = await call.read()
                if response is grpc.aio.EOF:
                    raise AnswerNotUnderstood("the stream ended where an answer was to come")
                return _understood(response, understand)  # type: ignore[arg-type]  # it is not EOF
    except TimeoutError:
        raise DeadlineExceeded(f"nothing came for {seconds:g} seconds") from None


@contextmanager
def in_our_words() -> Iterator[None]:
    """Lets nothing of gRPC or protobuf out but a call's own error."""
    try:
        yield
    except (LookupError, ValueError, OverflowError) as error:
        raise AnswerNotUnderstood("the answer cannot be read") from error
    except grpc.aio.BaseError:
        raise ConsentUnavailable("the client was closed") from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ConsentUnavailable("the client was closed") from None


def _understood(response: A | None, understand: Callable[[A], T]) -> T:
    # What gRPC hands out for bytes that are not a message of the expected type.
    if response is None:
        raise AnswerNotUnderstood("the answer is no message of the expected type")
    return understand(response)


def _options(retry: Retry) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        # A connection that died without a word is noticed, and a quiet one is not cut by a proxy.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # Attempts are counted in one place.
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", _RECONNECT_MS),
        (
            "grpc.max_reconnect_backoff_ms",
            max(_RECONNECT_MS, round(retry.largest_delay * 1000)),
        ),
    ]
