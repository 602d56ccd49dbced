"""Questions about lists of any length."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import grpc
import pytest

from consentclient import (
    AccessDenied,
    AsyncConsentClient,
    CheckFailed,
    ConsentUnavailable,
    DeadlineExceeded,
    Decision,
    NoticeRef,
    PositionUnknown,
    RateExceeded,
    Reason,
    Retry,
    UnknownPurpose,
)
from consentsvc.domain.catalogue import Catalogue
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_query_service_pb2 as messages
from consentsvc.v1.consent_query_service_pb2_grpc import ConsentQueryServiceServicer
from tests.consentclient.both import opened
from tests.consentclient.servers import (
    HeldStore,
    Service,
    Sleeps,
    answering,
    going_on,
    token_of_another_log,
)
from tests.support.catalogues import NEWSLETTER, STATISTICS
from tests.support.clock import FakeClock


class Subjects:
    """A list that counts how far it was read."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.read = 0

    def __iter__(self) -> Iterator[str]:
        for number in range(self.size):
            self.read += 1
            yield f"s{number}"

    async def later(self) -> AsyncIterator[str]:
        for subject in self:
            yield subject


def _names(size: int) -> list[str]:
    return list(Subjects(size))


async def test_long_list_in_order_within_bounds(
    client: AsyncConsentClient, notice: NoticeRef
) -> None:
    """A list of 50,000 is answered whole and in order, read no further ahead than allowed."""
    await client.give("s49999", NEWSLETTER, notice, channel="panel")
    subjects = Subjects(50_000)
    answered: list[tuple[str, Any]] = []
    ahead = 0
    async for chunk in client.check_chunks(subjects, NEWSLETTER, chunk=1_000, in_flight=3):
        ahead = max(ahead, subjects.read - len(answered))
        answered += chunk

    assert [subject for subject, _ in answered] == _names(50_000)
    assert [subject for subject, decision in answered if decision.permitted] == ["s49999"]
    assert 1_000 < ahead <= 3_000


async def test_one_by_one_within_bounds(client: AsyncConsentClient) -> None:
    """Subjects that are handed out one by one are read no further ahead either."""
    subjects = Subjects(205)
    ahead = 0
    answered: list[str] = []
    async for subject, _ in client.check_stream(subjects, NEWSLETTER, chunk=10, in_flight=3):
        ahead = max(ahead, subjects.read - len(answered))
        answered.append(subject)

    assert answered == _names(205)
    assert 10 < ahead <= 30


async def test_list_that_comes_later(service: Service) -> None:
    """A list may be an asynchronous one; the same bounds hold."""
    subjects = Subjects(5_600)
    ahead, answered = 0, 0
    async with AsyncConsentClient(service.target) as client:
        async for _ in client.check_stream(subjects.later(), NEWSLETTER, chunk=500, in_flight=2):
            ahead = max(ahead, subjects.read - answered)
            answered += 1

    assert answered == 5_600
    assert ahead <= 1_000


async def test_whole_chunks(client: AsyncConsentClient) -> None:
    """A caller that works by the chunk gets chunks; the last one is what is left."""
    chunks = [one async for one in client.check_chunks(_names(25), NEWSLETTER, chunk=10)]

    assert [len(one) for one in chunks] == [10, 10, 5]
    assert [subject for one in chunks for subject, _ in one] == _names(25)


async def test_empty_list(client: AsyncConsentClient) -> None:
    """Nobody is answered about nobody."""
    assert [one async for one in client.check_stream([], NEWSLETTER)] == []


async def test_stream_answers_as_single_checks_do(
    client: AsyncConsentClient, notice: NoticeRef
) -> None:
    """A stream and a single check give equal decisions, to the last detail."""
    await client.give("ann", NEWSLETTER, notice, channel="panel")
    stream = client.check_stream(["ann", "bob"], NEWSLETTER, with_withdrawal_tokens=True)

    assert [one async for one in stream] == [
        (subject, await client.check(subject, NEWSLETTER, with_withdrawal_token=True))
        for subject in ("ann", "bob")
    ]


async def test_subject_that_cannot_be_answered(client: AsyncConsentClient) -> None:
    """A subject that is no subject spoils no other."""
    stream = client.check_stream(["ann", "with space", "bob"], NEWSLETTER)
    answers = {subject: answer async for subject, answer in stream}

    assert list(answers) == ["ann", "with space", "bob"]
    assert isinstance(answers["with space"], CheckFailed)
    assert isinstance(answers["bob"], Decision)


async def test_unknown_purpose_fails_each(client: AsyncConsentClient) -> None:
    """An unknown purpose is an error for everybody, never a no."""
    answers = [one async for _, one in client.check_stream(["ann", "bob"], "nothing")]

    assert all(isinstance(one, CheckFailed) for one in answers)
    assert {type(one.error) for one in answers if isinstance(one, CheckFailed)} == {UnknownPurpose}


async def test_list_is_not_a_name(client: AsyncConsentClient) -> None:
    """A single name is not taken for a list of letters."""
    with pytest.raises(TypeError, match="not one"):
        [one async for one in client.check_stream("ann", NEWSLETTER)]


async def test_list_of_something_else(client: AsyncConsentClient) -> None:
    """A list of what cannot be names is the caller's mistake, told as such."""
    numbers: Any = [1, 2, 3]
    with pytest.raises(TypeError):
        [one async for one in client.check_stream(numbers, NEWSLETTER)]


@pytest.mark.parametrize("wrong", [{"chunk": 0}, {"chunk": 10_001}, {"in_flight": 0}], ids=str)
async def test_bounds_that_make_no_sense(kind: str, service: Service, wrong: Any) -> None:
    """Bounds that cannot be kept are refused."""
    async with opened(kind, service.target) as client:
        with pytest.raises(ValueError, match="must be"):
            client.check_stream(["ann"], NEWSLETTER, **wrong)


async def test_questions_go_ahead_of_answers(kind: str) -> None:
    """A server that waits for four chunks before it answers the second has them all."""

    class Patient(ConsentQueryServiceServicer):
        async def CheckConsent(self, request: Any, context: Any) -> Any:
            raise NotImplementedError

        async def BatchCheckConsents(self, request: Any, context: Any) -> Any:
            raise NotImplementedError

        async def StreamCheckConsents(self, request_iterator: Any, context: Any) -> Any:
            requests = aiter(request_iterator)
            yield _no(await anext(requests))
            waiting = [await anext(requests) for _ in range(4)]
            for request in waiting:
                yield _no(request)
            async for request in requests:
                yield _no(request)

    async with answering(Patient()) as target, opened(kind, target) as client:
        stream = client.check_stream(_names(9), NEWSLETTER, chunk=2, in_flight=4)
        answered = [subject async for subject, _ in stream]

    assert answered == _names(9)


async def test_answers_do_not_wait_for_a_slow_list(service: Service) -> None:
    """What was answered is handed out while the list has nothing more to say yet."""
    first_answered = asyncio.Event()

    async def slow() -> AsyncIterator[str]:
        yield "ann"
        await first_answered.wait()
        yield "bob"

    answered = []
    async with AsyncConsentClient(service.target) as client:
        async for subject, _ in client.check_stream(slow(), NEWSLETTER, chunk=1):
            first_answered.set()
            answered.append(subject)

    assert answered == ["ann", "bob"]


async def test_large_chunks_both_ways(kind: str, service: Service) -> None:
    """Chunks beyond what the connection buffers, both ways, do not block each other."""
    names = (f"{number:0256}" for number in range(30_000))
    answered = 0
    async with opened(kind, service.target) as client:
        async for chunk in client.check_chunks(
            names, STATISTICS, chunk=10_000, with_withdrawal_tokens=True
        ):
            answered += len(chunk)

    assert answered == 30_000


async def test_list_that_breaks(client: AsyncConsentClient) -> None:
    """The error of a list is raised after the answers to the chunks before it."""

    def breaking() -> Iterator[str]:
        yield from _names(35)
        raise RuntimeError("the list is broken")

    answered: list[str] = []
    with pytest.raises(RuntimeError, match="the list is broken"):
        await _collect(client.check_stream(breaking(), NEWSLETTER, chunk=10), answered)

    assert answered == _names(30)


async def test_asynchronous_list_that_breaks(service: Service) -> None:
    """The same for an asynchronous list; nothing of it goes on."""

    async def breaking() -> AsyncIterator[str]:
        for name in _names(25):
            yield name
        raise RuntimeError("the list is broken")

    answered: list[str] = []
    async with AsyncConsentClient(service.target) as client:
        with pytest.raises(RuntimeError, match="the list is broken"):
            await _collect(client.check_stream(breaking(), NEWSLETTER, chunk=10), answered)

    assert answered == _names(20)
    assert not going_on()


async def test_stopping_early(service: Service, kind: str) -> None:
    """A caller that has seen enough leaves nothing behind."""
    subjects = Subjects(1_000_000)
    async with opened(kind, service.target) as client:
        async with aclosing(
            client.check_stream(subjects, NEWSLETTER, chunk=10, in_flight=2)
        ) as stream:
            async for subject, _ in stream:
                if subject == "s100":
                    break
        decision = await client.check("ann", NEWSLETTER)

    assert decision.reason is Reason.NEVER_ASKED
    assert subjects.read <= 120
    assert not going_on()


async def test_server_dies_and_comes_back(service: Service, store: HeldStore, kind: str) -> None:
    """A stream that was cut goes on; of what was asked, only the unanswered is asked again."""
    sleeps = Sleeps()
    answered: list[str] = []
    answered_before: set[str] = set()
    async with opened(kind, service.target, retry=Retry(sleep=sleeps)) as client:
        sleeps.instead = lambda: service.start_for(client)
        async for chunk in client.check_chunks(
            Subjects(50_000), NEWSLETTER, chunk=1_000, in_flight=4
        ):
            answered += [subject for subject, _ in chunk]
            if len(answered) == 20_000:
                answered_before = set(answered)
                await service.stop()

    assert answered == _names(50_000)
    assert len(sleeps.delays) == 1
    times_asked = Counter(store.asked)
    assert len(times_asked) == 50
    assert {times_asked[name] for name in answered_before & set(times_asked)} == {1}
    assert sum(times_asked.values()) <= 54


async def test_attempts_count_anew_with_each_answer(service: Service, kind: str) -> None:
    """A server that comes and goes more often than there are attempts still answers a list."""
    sleeps = Sleeps()
    answered: list[str] = []
    async with opened(kind, service.target, retry=Retry(attempts=2, sleep=sleeps)) as client:
        sleeps.instead = lambda: service.start_for(client)
        async for subject, _ in client.check_stream(
            Subjects(60), NEWSLETTER, chunk=10, in_flight=1
        ):
            answered.append(subject)
            if len(answered) % 10 == 0 and len(answered) < 60:
                await service.stop()

    assert answered == _names(60)
    assert len(sleeps.delays) == 5


async def test_server_dies_for_good(service: Service, kind: str) -> None:
    """What was answered is handed out, and then it is told that the rest is unknown."""
    answered: list[str] = []
    retry = Retry(sleep=Sleeps())
    async with opened(kind, service.target, retry=retry) as client:
        stream = client.check_stream(Subjects(5_000), NEWSLETTER, chunk=100)
        with pytest.raises(ConsentUnavailable):
            await _collect(stream, answered, at=(500, service.stop))

    assert not going_on()
    assert 500 <= len(answered) < 5_000
    assert answered == _names(len(answered))


async def test_error_after_answers(
    store: HeldStore, catalogue: Catalogue, clock: FakeClock, kind: str
) -> None:
    """Any other error ends the stream at once, after everything answered before it."""
    answered: list[str] = []
    async with (
        Service(store, catalogue, clock, rate=3) as service,
        opened(kind, service.target, retry=Retry(sleep=Sleeps())) as client,
    ):
        stream = client.check_stream(Subjects(1_000), NEWSLETTER, chunk=10)
        with pytest.raises(RateExceeded):
            await _collect(stream, answered)

    assert len(answered) >= 30
    assert answered == _names(len(answered))


async def test_reason_is_not_lost(kind: str) -> None:
    """A refusal that meets questions under way is told as what it is.

    gRPC put INTERNAL in its place, more often than not (grpc/grpc#36066), and an outage that was
    taken for something else would not have been tried again.
    """

    class Closing(ConsentQueryServiceServicer):
        closed = False

        async def CheckConsent(self, request: Any, context: Any) -> Any:
            raise NotImplementedError

        async def BatchCheckConsents(self, request: Any, context: Any) -> Any:
            raise NotImplementedError

        async def StreamCheckConsents(self, request_iterator: Any, context: Any) -> Any:
            async for request in request_iterator:
                if self.closed:
                    await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not any more")
                self.closed = True
                yield _no(request)

    for _ in range(20):
        answered: list[str] = []
        async with (
            answering(Closing()) as target,
            opened(kind, target, retry=Retry(sleep=Sleeps())) as client,
        ):
            with pytest.raises(AccessDenied):
                await _collect(client.check_stream(_names(100), NEWSLETTER, chunk=10), answered)
        assert answered == _names(10)


async def test_token_of_another_log(client: AsyncConsentClient, clock: FakeClock) -> None:
    """A chunk that is refused as a whole is an error, and nobody was answered."""
    token = await token_of_another_log(clock)
    answered: list[str] = []
    stream = client.check_stream(_names(100), NEWSLETTER, chunk=10, at_least_as_fresh=token)
    with pytest.raises(PositionUnknown):
        await _collect(stream, answered)

    assert answered == []


async def test_deadline_of_a_chunk(service: Service, store: HeldStore, kind: str) -> None:
    """A chunk that is not answered in its time ends the stream."""
    store.held = True
    async with opened(kind, service.target, retry=Retry(sleep=_never)) as client:
        with pytest.raises(DeadlineExceeded):
            await _collect(client.check_stream(_names(100), NEWSLETTER, timeout=0.05), [])


async def test_stream_that_ends_too_soon(kind: str) -> None:
    """A server that ends a stream without answering has not said no."""

    class Curt(ConsentQueryServiceServicer):
        ended = False

        async def CheckConsent(self, request: Any, context: Any) -> Any:
            raise NotImplementedError

        async def BatchCheckConsents(self, request: Any, context: Any) -> Any:
            raise NotImplementedError

        async def StreamCheckConsents(self, request_iterator: Any, context: Any) -> Any:
            if not self.ended:
                self.ended = True
                yield _no(await anext(aiter(request_iterator)))

    answered: list[str] = []
    async with (
        answering(Curt()) as target,
        opened(kind, target, retry=Retry(sleep=Sleeps())) as client,
    ):
        with pytest.raises(ConsentUnavailable):
            await _collect(client.check_stream(_names(30), NEWSLETTER, chunk=10), answered)

    assert answered == _names(10)


def _no(request: messages.StreamCheckConsentsRequest) -> messages.StreamCheckConsentsResponse:
    size = len(request.batch.subject_ids)
    return messages.StreamCheckConsentsResponse(
        decisions=messages.DecisionBatch(
            answers=[shared.ANSWER_NOT_PERMITTED] * size,
            reasons=[shared.DECISION_REASON_NEVER_ASKED] * size,
            positions=[0] * size,
            notice_indexes=[0] * size,
            valid_until_times_us=[0] * size,
        ),
        read_at="here",
    )


async def _collect(
    stream: AsyncIterator[tuple[str, Any]], answered: list[str], at: Any = (0, None)
) -> None:
    async for subject, _ in stream:
        answered.append(subject)
        if len(answered) == at[0]:
            await at[1]()


async def _never(delay: float) -> None:
    raise AssertionError(f"waited for {delay} seconds")
