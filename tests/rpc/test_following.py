"""Followers of the log."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.service import following
from consentsvc.service.expiry import Sweeper
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_pb2 as shared
from tests.support import acts
from tests.support.chance import PURPOSES, SUBJECTS, do_something
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.wire import Wire, change, serving


@pytest.fixture
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Responses of three events or states, so that a short log has many."""
    monkeypatch.setattr(following, "STRETCH", 3)


@asynccontextmanager
async def watching(wire: Wire, **options: Any) -> AsyncIterator[Any]:
    call = wire.events.WatchEvents(events.WatchEventsRequest(**options))
    try:
        yield call
    finally:
        call.cancel()


async def until(call: Any, position: int) -> list[shared.ConsentEvent]:
    """Reads a watch up to a position, and checks what each response says of itself."""
    found: list[shared.ConsentEvent] = []
    while True:
        response = await call.read()
        assert response is not grpc.aio.EOF
        assert len(response.events) <= 500
        if response.events:
            assert response.through_position == response.events[-1].position
        found += response.events
        if response.through_position >= position:
            return found


class TestWatching:
    async def test_from_the_beginning(self, wire: Wire) -> None:
        """From position 1 a watch sends the whole log, as the pages have it."""
        for subject in SUBJECTS[:5]:
            await wire.update(subject, change("give", "newsletter"), change("refuse", "profiling"))
        whole = await acts.log(wire)
        async with watching(wire, start_position=1) as call:
            found = await until(call, whole[-1].position)

        assert found == whole
        assert [one.position for one in found] == list(range(1, len(found) + 1))

    async def test_from_the_middle(self, wire: Wire) -> None:
        """From any other position it sends the rest."""
        await wire.update("anna", *(change("refuse", purpose) for purpose in PURPOSES))
        whole = await acts.log(wire)
        async with watching(wire, start_position=6) as call:
            found = await until(call, whole[-1].position)

        assert found == whole[5:]

    async def test_from_the_head(self, wire: Wire) -> None:
        """One past the head waits for what comes; a first response says so at once."""
        head = await acts.head(wire)
        async with watching(wire, start_position=head + 1) as call:
            first = await call.read()
            await wire.update("anna", change("give", "newsletter"))
            following_one = await call.read()

        assert (list(first.events), first.through_position) == ([], head)
        assert [one.position for one in following_one.events] == [head + 1]

    @pytest.mark.parametrize("beyond", [2, 3, 1_000_000, (1 << 63) - 100])
    async def test_beyond(self, wire: Wire, beyond: int) -> None:
        """Any further is refused: nobody knows what will be there."""
        call = wire.events.WatchEvents(
            events.WatchEventsRequest(start_position=await acts.head(wire) + beyond)
        )
        refusal = await refused(call.read())

        assert (refusal.code.name, refusal.reason) == ("OUT_OF_RANGE", "POSITION_UNKNOWN")

    async def test_large_log(self, wire: Wire) -> None:
        """A response holds no more than 500 events."""
        for subject in ("anna", "ben", "carl", "dora"):
            for _ in range(2):
                await wire.update(
                    subject,
                    *(change("request", purpose) for purpose in PURPOSES),
                )
        for _ in range(500):
            await wire.update("eve", change("give", "newsletter"))
        head = await acts.head(wire)
        async with watching(wire, start_position=1) as call:
            found = await until(call, head)

        assert len(found) == head > 500

    @pytest.mark.usefixtures("short_stretches")
    async def test_cut_and_resumed(self, wire: Wire, pick: random.Random) -> None:
        """A follower that is cut anywhere and resumes from its cursor misses nothing."""
        found: list[int] = []
        start: dict[str, Any] = {"start_position": 1}
        for _ in range(40):
            for _ in range(pick.randrange(4)):
                await do_something(pick, wire)
            async with watching(wire, **start) as call:
                for _ in range(pick.randrange(1, 4)):
                    if found and found[-1] == await acts.head(wire):
                        break
                    response = await call.read()
                    found += [one.position for one in response.events]
                    start = {"cursor": response.cursor}
        head = await acts.head(wire)
        async with watching(wire, **start) as call:
            found += [one.position for one in await until(call, head)]

        assert found == list(range(1, head + 1))

    async def test_several_followers(self, wire: Wire) -> None:
        """Each follower has its own place."""
        async with (
            watching(wire, start_position=1) as one,
            watching(wire, start_position=1) as other,
        ):
            for _ in range(3):
                await wire.update("anna", change("give", "newsletter"))
                head = await acts.head(wire)
                seen = await until(one, head)
            all_at_once = await until(other, head)

        assert [event.position for event in seen] == [head]
        assert len(all_at_once) == head

    async def test_quiet(self, wire: Wire) -> None:
        """On a quiet log a response without events comes each time the quiet has lasted."""
        head = await acts.head(wire)
        async with watching(wire, start_position=head + 1, progress_seconds=1) as call:
            marks = [await call.read() for _ in range(3)]

        assert [(list(one.events), one.through_position) for one in marks] == [([], head)] * 3

    async def test_cursor_of_a_mark(self, wire: Wire) -> None:
        """A mark's cursor resumes after everything at or below it."""
        head = await acts.head(wire)
        async with watching(wire, start_position=head + 1) as call:
            mark = await call.read()
        await wire.update("anna", change("give", "newsletter"))
        async with watching(wire, cursor=mark.cursor) as call:
            found = await until(call, head + 1)

        assert [one.position for one in found] == [head + 1]


class TestPages:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
    async def test_pages(self, wire: Wire, size: int) -> None:
        """Pages of any size are the log, in order."""
        for subject in SUBJECTS[:3]:
            await wire.update(subject, *(change("refuse", purpose) for purpose in PURPOSES))
        whole = await acts.log(wire)
        found: list[shared.ConsentEvent] = []
        token = ""
        at_head = False
        while not at_head:
            page = await wire.events.ListEvents(
                events.ListEventsRequest(page_size=size, page_token=token)
            )
            assert 0 < len(page.events) <= size
            assert page.next_page_token
            found += page.events
            token, at_head = page.next_page_token, page.at_head

        assert found == whole

    async def test_at_the_head(self, wire: Wire) -> None:
        """At the head the token waits for what is still to come."""
        first = await wire.events.ListEvents(events.ListEventsRequest())
        nothing = await wire.events.ListEvents(
            events.ListEventsRequest(page_token=first.next_page_token)
        )
        await wire.update("anna", change("give", "newsletter"))
        more = await wire.events.ListEvents(
            events.ListEventsRequest(page_token=nothing.next_page_token)
        )

        assert (first.at_head, nothing.at_head, more.at_head) == (True, True, True)
        assert (len(nothing.events), len(more.events)) == (0, 1)

    async def test_pages_and_watches(self, wire: Wire) -> None:
        """A page's token is a cursor for a watch, and the other way round."""
        page = await wire.events.ListEvents(events.ListEventsRequest(page_size=3))
        async with watching(wire, cursor=page.next_page_token) as call:
            response = await call.read()
        rest = await wire.events.ListEvents(events.ListEventsRequest(page_token=response.cursor))

        assert response.events[0].position == 4
        assert (list(rest.events), rest.at_head) == ([], True)


class TestWhatIsSent:
    EVIDENCE = shared.Evidence(
        session_reference="session-xyz",
        form_version="form-xyz",
        action="action-xyz",
        ip_address="192.0.2.99",
        user_agent="agent-xyz",
    )

    async def test_no_evidence(self, wire: Wire) -> None:
        """Followers never get the evidence; the panel does."""
        await wire.update(
            "anna",
            change("give", "newsletter"),
            change("give", "profiling"),
            change("give", "reseller42.newsletter"),
            evidence=self.EVIDENCE,
        )
        listed = await wire.events.ListEvents(events.ListEventsRequest())
        async with watching(wire, start_position=1) as call:
            watched = await call.read()
        sync = wire.events.SyncConsents(events.SyncConsentsRequest(purpose_ids=PURPOSES))
        synced = await sync.read()
        sync.cancel()

        messages: tuple[Any, ...] = (listed, watched, synced)
        for message in messages:
            raw = message.SerializeToString()
            assert b"anna" in raw
            assert b"xyz" not in raw
            assert b"192.0.2" not in raw
        assert (await acts.history(wire, "anna"))[0].evidence.action == "action-xyz"

    async def test_fields(self, wire: Wire, clock: FakeClock) -> None:
        """An event tells what happened to whom, when, by whom, through what and on which text."""
        await acts.revoke(wire, "ben", "newsletter")
        await wire.update(
            "anna",
            change("give", "newsletter", locale="fr"),
            actor=acts.OPERATOR,
            claimed_time=acts.stamp(5_000_000),
        )
        asked = (await acts.log(wire))[-1]
        await wire.update("anna", change("give", "newsletter"))
        await acts.revoke(wire, "anna", "newsletter")
        revoked = (await acts.log(wire))[-1]

        assert acts.kinds([asked, revoked]) == ["CONSENT_REQUESTED", "CONSENT_REVOKED"]
        assert (asked.subject_id, asked.purpose_id, asked.channel) == (
            "anna",
            "newsletter",
            "panel",
        )
        assert asked.recorded_time.ToMicroseconds() == clock.now
        assert asked.claimed_time.seconds == 5
        assert (asked.notice.version, asked.notice.locale) == ("1", "fr")
        assert asked.actor == acts.OPERATOR
        assert len(asked.pseudonym) == 16
        assert asked.pseudonym == revoked.pseudonym
        assert revoked.revocation_reason == shared.REVOCATION_REASON_SUBJECT_CHANGED

    async def test_notices(self, wire: Wire) -> None:
        """The log begins with the notices, which belong to nobody."""
        published = await acts.log(wire)

        assert set(acts.kinds(published)) == {"NOTICE_PUBLISHED"}
        assert {(one.purpose_id, one.notice.locale) for one in published} == {
            (purpose, locale) for purpose in PURPOSES for locale in ("en", "fr")
        }
        assert not any(one.subject_id or one.pseudonym or one.actor.kind for one in published)


class TestExpiry:
    async def test_swept(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """The server's own sweeper tells followers what ran out, and which event that was."""
        async with serving(sqlite_store, catalogue, clock, sweep_seconds=1) as wire:
            given = await wire.update("anna", change("give", "profiling"))
            asked = await wire.update("ben", change("request", "newsletter"))
            head = await acts.head(wire)
            async with watching(wire, start_position=head + 1) as call:
                clock.advance(timedelta(days=31))
                expired = await until(call, head + 2)

        assert acts.kinds(expired) == ["CONSENT_EXPIRED"] * 2
        assert {(one.subject_id, one.purpose_id, one.refers_to) for one in expired} == {
            ("anna", "profiling", given.outcomes[0].position),
            ("ben", "newsletter", asked.outcomes[0].position),
        }
        assert {one.actor.kind for one in expired} == {acts.SYSTEM.kind}

    async def test_in_the_state(
        self, wire: Wire, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """The state says so as well, and the answer is what it was before the sweep."""
        await wire.update("anna", change("give", "profiling"))
        await wire.update("anna", change("request", "newsletter"))
        clock.advance(timedelta(days=31))
        before = await wire.check("anna", "profiling")
        swept = await Sweeper(sqlite_store, catalogue, clock).sweep()
        after = await wire.check("anna", "profiling")

        assert swept == 2
        assert after.decision == before.decision
        assert (await acts.state(wire, "anna", "profiling")).choice.expired
        assert (await acts.state(wire, "anna", "newsletter")).request.expired
