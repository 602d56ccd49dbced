"""One long conversation about a list of any length, cut into chunks."""

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import grpc

from consentclient import _bulk as bulk
from consentclient import _outgoing as outgoing
from consentclient._bulk import Checked
from consentclient._channel import Connection, in_our_words
from consentclient._duplex import Duplex
from consentclient._errors import ConsentError
from consentclient._retry import Attempts
from consentsvc.v1 import consent_query_service_pb2 as query_messages

T = TypeVar("T")
Request = query_messages.StreamCheckConsentsRequest
Response = query_messages.StreamCheckConsentsResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What is asked of every subject of a list, and how much of the list is under way at once.

    `timeout` is how long the answer to a chunk may take.
    """

    purpose_id: str
    chunk: int
    in_flight: int
    with_withdrawal_tokens: bool
    at_least_as_fresh: str | None
    timeout: float

    def __post_init__(self) -> None:
        if not 1 <= self.chunk <= bulk.MAX_PAIRS:
            raise ValueError(f"chunk must be 1 to {bulk.MAX_PAIRS}")
        if self.in_flight < 1:
            raise ValueError("in_flight must be 1 or more")

    def about(self, subjects: Sequence[str]) -> Request:
        """The request for one chunk."""
        return Request(
            batch=bulk.batch(subjects, [self.purpose_id]),
            consistency=outgoing.consistency(self.at_least_as_fresh),
            with_withdrawal_tokens=self.with_withdrawal_tokens,
        )


class Conversation:
    """Chunks are asked, and answered in the same order, over a stream that is opened when needed.

    A stream that was cut is opened again within the retry policy, and only the chunks that were
    not answered are sent again. Any other error ends the conversation.
    """

    def __init__(self, connection: Connection, questions: Questions) -> None:
        self._method = connection.stubs.queries.StreamCheckConsents
        self._retry = connection.retry
        self._questions = questions
        self._unanswered: deque[Request] = deque()
        self._stream: Duplex[Request, Response] | None = None
        self._flowing = False
        self._turn = asyncio.Lock()
        self._failure: ConsentError | None = None

    async def ask(self, subjects: Sequence[str]) -> list[tuple[str, Checked]]:
        """Sends a chunk ahead and waits for its answer, after all those before it."""
        request = self._questions.about(subjects)
        self._unanswered.append(request)
        if self._stream is not None and self._flowing:
            self._stream.send(request)
        async with self._turn:
            if self._failure is not None:
                raise self._failure
            try:
                return await self._answer(subjects)
            except ConsentError as error:
                self._failure = error
                raise

    async def finish(self) -> None:
        """Tells the service that nothing more comes. How the stream ends changes no answer."""
        if self._stream is not None:
            await self._stream.finish(self._questions.timeout)

    async def hang_up(self) -> None:
        """Ends the stream at once."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.end()

    async def _answer(self, subjects: Sequence[str]) -> list[tuple[str, Checked]]:
        attempts = Attempts(self._retry)

        def understand(response: Response) -> list[tuple[str, Checked]]:
            answers = bulk.checked(
                subjects,
                [self._questions.purpose_id],
                response.decisions,
                response.read_at,
                with_tokens=self._questions.with_withdrawal_tokens,
            )
            return list(zip(subjects, answers, strict=True))

        while True:
            stream = self._stream or self._open()
            try:
                answered = await stream.receive(understand, self._questions.timeout)
            except grpc.aio.AioRpcError as error:
                await self.hang_up()
                await attempts.pause(error)
            else:
                self._unanswered.popleft()
                self._flow(stream)
                return answered

    def _open(self) -> Duplex[Request, Response]:
        with in_our_words():
            self._stream = Duplex(self._method())
        # The oldest chunk goes alone until it is answered: a service that refuses is then not
        # written to while it does, which would hide the reason, and one that recovers is spared.
        self._flowing = False
        self._stream.send(self._unanswered[0])
        return self._stream

    def _flow(self, stream: Duplex[Request, Response]) -> None:
        if not self._flowing:
            self._flowing = True
            for request in self._unanswered:
                stream.send(request)


async def in_step(
    conversation: Conversation,
    questions: Questions,
    subjects: Iterable[str] | AsyncIterable[str],
) -> AsyncGenerator[list[tuple[str, Checked]], None]:
    """Asks ahead while answers are awaited; holds no more chunks than may be in flight."""
    free = asyncio.Semaphore(questions.in_flight)
    asked: asyncio.Queue[asyncio.Task[list[tuple[str, Checked]]] | None] = asyncio.Queue()

    async def feed() -> None:
        try:
            await free.acquire()
            async for chunk in in_chunks(subjects, questions.chunk):
                asked.put_nowait(asyncio.create_task(conversation.ask(chunk)))
                await free.acquire()
        finally:
            asked.put_nowait(None)

    feeding = asyncio.create_task(feed())
    try:
        while (answer := await asked.get()) is not None:
            yield await answer
            free.release()
        await feeding
        await conversation.finish()
    finally:
        left: list[asyncio.Task[Any] | None] = [feeding]
        while not asked.empty():
            left.append(asked.get_nowait())
        under_way = [task for task in left if task is not None]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await conversation.hang_up()


async def one_by_one(
    answered: AsyncGenerator[list[tuple[str, Checked]], None],
) -> AsyncGenerator[tuple[str, Checked], None]:
    """Takes chunks apart again."""
    async with aclosing(answered):
        async for chunk in answered:
            for one in chunk:
                yield one


async def in_chunks(items: Iterable[T] | AsyncIterable[T], size: int) -> AsyncIterator[list[T]]:
    """Cuts a list of any length; reads no further than the chunk that was asked for."""
    if not isinstance(items, AsyncIterable):
        for chunk in chunks(items, size):
            yield chunk
        return
    chunk = []
    async for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cuts a list of any length; reads no further than the chunk that was asked for."""
    if isinstance(items, str):
        raise TypeError("subject_ids must be a list of subjects, not one")
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
