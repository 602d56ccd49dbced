"""Imports: lists of any length, sent in order, and what became of them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consentclient import (
    Actor,
    ActorKind,
    AsyncConsentClient,
    ConsentUnavailable,
    EventKind,
    ImportedEvent,
    NoticeRef,
    Reason,
    RequestIdReused,
    Retry,
    RevocationReason,
    StatedEvent,
    UnknownPurpose,
)
from consentclient import _outgoing as outgoing
from tests.consentclient.both import opened
from tests.consentclient.servers import Service, Sleeps
from tests.support.catalogues import NEWSLETTER

OFFICER = Actor(ActorKind.OPERATOR, "dpo")
HEADER: dict[str, Any] = {"source": "crm.example", "actor": OFFICER, "channel": "migration"}
AT = datetime(2026, 2, 1, tzinfo=UTC)


def refused(number: int, purpose: str = NEWSLETTER) -> ImportedEvent:
    """A refusal of somebody's."""
    told = StatedEvent(f"customer:{number}", EventKind.CONSENT_REFUSED, AT, "web", purpose)
    return ImportedEvent(f"row-{number}", told)


async def test_what_became_of_it(client: AsyncConsentClient) -> None:
    """Each event is counted for what became of it, and the history says where it comes from."""
    yes = StatedEvent("ann", EventKind.CONSENT_GIVEN, AT, "web", NEWSLETTER, NoticeRef("1", "en"))
    no = StatedEvent(
        "ben",
        EventKind.CONSENT_REVOKED,
        AT,
        "letter",
        NEWSLETTER,
        actor=OFFICER,
        revocation_reason=RevocationReason.SUBJECT_CHANGED,
    )
    older = replace(no, claimed_time=AT - timedelta(1))
    events = [ImportedEvent(str(number), one) for number, one in enumerate((yes, no, older))]
    first = await client.import_events(events, **HEADER)
    again = await client.import_events(events, **HEADER)
    decision = await client.check("ben", NEWSLETTER, at_least_as_fresh=first.written_at)
    (event,) = (await client.history_page("ben")).events
    assert event.provenance

    assert (first.recorded, first.requested, first.repeated, first.skipped) == (1, 1, 0, 1)
    assert (again.recorded, again.requested, again.repeated, again.skipped) == (0, 0, 3, 0)
    assert decision.reason is Reason.REVOKED
    assert (event.since_time, event.claimed_time) == (AT, AT)
    assert (event.provenance.source, event.provenance.actor) == ("crm.example", OFFICER)
    assert (event.provenance.log_origin, event.provenance.log_position) == (None, None)


async def test_nothing_to_import(client: AsyncConsentClient) -> None:
    """An import of nothing succeeds, and tells where the log stands."""
    counts = await client.import_events([], **HEADER)

    assert (counts.recorded, bool(counts.written_at)) == (0, True)


async def test_any_length(client: AsyncConsentClient) -> None:
    """More than a stream holds; an error counts all those that came before."""
    events = [refused(number) for number in range(2_050)]
    counts = await client.import_events(iter(events), **HEADER)
    events[1_234] = refused(1_234, "nothing")
    with pytest.raises(UnknownPurpose) as caught:
        await client.import_events(events, **{**HEADER, "source": "other"})

    assert counts.recorded == 2_050
    assert caught.value.metadata == {"accepted_events": "1200"}
    assert [one.field for one in caught.value.violations] == ["events[34].stated.purpose_id"]


async def test_another_event_under_the_same_id(client: AsyncConsentClient) -> None:
    """It is refused, by its place."""
    other = ImportedEvent("row-1", refused(2).told)
    await client.import_events([refused(1)], **HEADER)
    with pytest.raises(RequestIdReused) as caught:
        await client.import_events([refused(0), other], **HEADER)

    assert caught.value.metadata == {"accepted_events": "0", "field": "events[1].import_id"}


async def test_what_comes_in_time(service: Service) -> None:
    """A list may come bit by bit; an error of its own is raised, and what came before is kept."""

    async def coming() -> AsyncIterator[ImportedEvent]:
        for number in range(1_500):
            yield refused(number)
        raise OSError("unreadable")

    async with AsyncConsentClient(service.target) as client:
        with pytest.raises(OSError, match="unreadable"):
            await client.import_events(coming(), **HEADER)
        counts = await client.import_events(map(refused, range(1_500)), **HEADER)

    assert (counts.repeated, counts.recorded) == (1_000, 500)


def test_what_cannot_be_sent() -> None:
    """A moment without a zone is none."""
    told = StatedEvent("ann", EventKind.CONSENT_REFUSED, datetime(2026, 1, 1), "web", NEWSLETTER)  # noqa: DTZ001 - the mistake
    with pytest.raises(ValueError, match="time zone"):
        outgoing.imported(ImportedEvent("1", told))


async def test_a_server_that_comes_back(service: Service, kind: str) -> None:
    """A stream that found nobody is sent again, and ends as any other call if nobody comes."""
    tried = Sleeps()
    async with opened(kind, service.target, retry=Retry(2, sleep=tried)) as client:
        await client.import_events([refused(1)], **HEADER)
        await service.stop()
        with pytest.raises(ConsentUnavailable):
            await client.import_events([refused(2)], **HEADER)
        await service.start()
        again: Iterator[ImportedEvent] = map(refused, (1, 2))
        async with opened(kind, service.target, retry=Retry(20)) as other:
            counts = await other.import_events(again, **HEADER)

    assert len(tried.delays) == 1
    assert (counts.recorded, counts.repeated) == (1, 1)
