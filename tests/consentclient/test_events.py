"""The log, for followers."""

import asyncio
from contextlib import AbstractAsyncContextManager, aclosing
from functools import partial
from typing import Any

import pytest

from consentclient import (
    AnswerNotUnderstood,
    AsyncConsentClient,
    ConsentUnavailable,
    DeadlineExceeded,
    EventKind,
    NoticeRef,
    PositionUnknown,
    Retry,
)
from consentclient._incoming import events as understood
from consentsvc.v1 import consent_event_service_pb2 as messages
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1.consent_event_service_pb2_grpc import (
    ConsentEventServiceServicer,
    add_ConsentEventServiceServicer_to_server,
)
from tests.consentclient.both import opened
from tests.consentclient.servers import Service, Sleeps, made_up
from tests.support.catalogues import NEWSLETTER, STATISTICS

NOTICES = 8  # what the catalogue of tests publishes before anything else happens


async def test_pages(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """The log is read page by page; the last cursor waits for what is still to come."""
    first = await client.list_events(page_size=5)
    second = await client.list_events(first.cursor, page_size=5)
    at_head = await client.list_events(second.cursor)
    await client.give("ann", NEWSLETTER, notice, channel="panel")
    later = await client.list_events(at_head.cursor)

    assert [one.position for one in first.events + second.events] == list(range(1, NOTICES + 1))
    assert (first.at_head, second.at_head) == (False, True)
    assert (at_head.events, at_head.at_head) == ((), True)
    assert [one.kind for one in later.events] == [EventKind.CONSENT_GIVEN]
    assert first.events[0].kind is EventKind.NOTICE_PUBLISHED
    assert (first.events[0].subject_id, first.events[0].actor) == (None, None)


async def test_followers_see_no_evidence(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """An event in the log names its subject; how the choice was made is for the panel."""
    await client.give("ann", NEWSLETTER, notice, channel="panel")

    *_, event = (await client.list_events()).events

    assert (event.subject_id, event.evidence) == ("ann", None)


async def test_watch_from_a_position(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """A watch sends what is there, and what comes."""
    async with aclosing(client.watch(start_position=1)) as batches:
        there = await anext(batches)
        await client.give("ann", NEWSLETTER, notice, channel="panel")
        new = await anext(batches)

    assert len(there.events) == there.through_position == NOTICES
    assert [one.subject_id for one in new.events] == ["ann"]
    assert new.through_position == NOTICES + 1


async def test_watch_from_a_cursor(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """A watch resumes after its cursor; on a quiet log it says that nothing was missed."""
    at_head = await client.list_events()
    async with aclosing(client.watch(cursor=at_head.cursor)) as batches:
        quiet = await anext(batches)
    given = await client.give("ann", NEWSLETTER, notice, channel="panel")
    async with aclosing(client.watch(cursor=quiet.cursor)) as batches:
        new = await anext(batches)

    assert (quiet.events, quiet.through_position) == ((), NOTICES)
    assert [one.position for one in new.events] == [given.outcomes[0].position]


@pytest.mark.parametrize("start", [{}, {"start_position": 1, "cursor": "x"}], ids=["none", "both"])
async def test_watch_needs_one_start(client: AsyncConsentClient, start: Any) -> None:
    """Where to begin is said, and said once; nothing stands for "everything"."""
    with pytest.raises(ValueError, match="give one of"):
        await anext(client.watch(**start))


async def test_watch_past_the_head(client: AsyncConsentClient) -> None:
    """A position past the head is refused, not waited for."""
    with pytest.raises(PositionUnknown):
        await anext(client.watch(start_position=NOTICES + 2))


async def test_watch_goes_on_after_a_restart(service: Service, kind: str) -> None:
    """A watch that was cut goes on after the last event it handed out, however often."""
    sleeps = Sleeps()
    positions: list[int] = []
    async with opened(kind, service.target, retry=Retry(attempts=2, sleep=sleeps)) as client:
        sleeps.instead = lambda: service.start_for(client)
        async with aclosing(client.watch(start_position=1)) as batches:
            while len(positions) < NOTICES + 5:
                batch = await anext(batches)
                positions += [one.position for one in batch.events]
                if batch.events:
                    change = client.raise_objection, client.withdraw_objection
                    await change[len(positions) % 2]("ann", STATISTICS, channel="panel")
                    await service.stop()

    assert positions == list(range(1, NOTICES + 6))
    assert len(sleeps.delays) >= 4


async def test_watch_gives_up(service: Service, kind: str) -> None:
    """When the server is gone for good the follower is told, with its cursor in its hands."""
    retry = Retry(sleep=Sleeps())
    async with opened(kind, service.target, retry=retry) as client:
        batches = client.watch(start_position=1)
        batch = await anext(batches)
        await service.stop()
        with pytest.raises(ConsentUnavailable):
            await anext(batches)

    assert batch.cursor


async def test_watch_that_goes_silent(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not even say that nothing happens is not trusted to be there."""
    monkeypatch.setattr("consentclient._events._PROGRESS_SECONDS", 0)

    class Silent(_Events):
        async def WatchEvents(self, request: Any, context: Any) -> Any:
            await asyncio.Event().wait()
            yield

    async with _serving(Silent()) as target, opened(kind, target, timeout=0.05) as client:
        with pytest.raises(DeadlineExceeded):
            await anext(client.watch(start_position=1))


async def test_watch_that_ends(kind: str) -> None:
    """A watch that ends as if all were said is not taken for the end of the log."""

    class Short(_Events):
        async def WatchEvents(self, request: Any, context: Any) -> Any:
            yield messages.WatchEventsResponse(cursor="here", through_position=1)

    async with _serving(Short()) as target, opened(kind, target) as client:
        batches = client.watch(start_position=1)
        await anext(batches)
        with pytest.raises(AnswerNotUnderstood):
            await anext(batches)


async def test_watch_says_how_often(kind: str) -> None:
    """The service is told how long a silence may last, also when the caller leaves it open."""
    asked = []

    class Asked(_Events):
        async def WatchEvents(self, request: Any, context: Any) -> Any:
            asked.append(request.progress_seconds)
            yield messages.WatchEventsResponse(cursor="here", through_position=1)

    async with _serving(Asked()) as target, opened(kind, target) as client:
        await anext(client.watch(start_position=1))
        await anext(client.watch(start_position=1, progress_seconds=30))

    assert asked == [10, 30]


def test_words_of_the_future() -> None:
    """An event of an unheard-of kind is OTHER, and keeps its place."""
    new: Any = 99
    message = shared.ConsentEvent(
        position=7, kind=new, actor=shared.Actor(kind=new), revocation_reason=new
    )

    [event] = understood([message])

    assert (event.position, event.kind) == (7, EventKind.OTHER)
    assert event.actor is not None
    assert event.actor.kind.name == "OTHER"
    assert event.revocation_reason is not None
    assert event.revocation_reason.name == "OTHER"


def test_scope_of_the_future() -> None:
    """An event that reaches less far than the client understands is ignored."""
    whole, unset = shared.ConsentEvent(position=1, scope=shared.Scope()), shared.ConsentEvent()
    narrow = shared.ConsentEvent(position=2, scope=shared.Scope(domain="a.example"))
    new = shared.ConsentEvent(position=3, scope=shared.Scope.FromString(b"\x3a\x01x"))

    assert [one.position for one in understood([whole, narrow, new, unset])] == [1, 0]


class _Events(ConsentEventServiceServicer):
    async def ListEvents(self, request: Any, context: Any) -> Any:
        raise NotImplementedError

    def SyncConsents(self, request: Any, context: Any) -> Any:
        raise NotImplementedError

    async def AcknowledgeEvents(self, request: Any, context: Any) -> Any:
        raise NotImplementedError


def _serving(servicer: ConsentEventServiceServicer) -> AbstractAsyncContextManager[str]:
    return made_up(partial(add_ConsentEventServiceServicer_to_server, servicer))
