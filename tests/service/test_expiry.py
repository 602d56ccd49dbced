"""The sweeper: what has run out becomes an event, each exactly once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as any_of
from hypothesis import settings
from hypothesis import strategies as st

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.events import THE_SYSTEM, Event, EventKind
from consentsvc.domain.identifiers import PurposeId, SubjectId
from consentsvc.domain.instants import Instant, add, add_months
from consentsvc.service import expiry
from consentsvc.service.expiry import Sweeper
from consentsvc.service.links import Links
from consentsvc.service.ports import Due, EventStore, Question
from consentsvc.service.queries import Queries
from consentsvc.storage.memory import MemoryEventStore
from tests.storage.making import ANNA, BEN, CARL, event, everything, given, record, requested
from tests.storage.making import withdrawn as taken_back
from tests.support.catalogues import NEWSLETTER, PROFILING, STATISTICS, catalogue, purpose
from tests.support.clock import FakeClock
from tests.support.stores import meddled

MONTH = timedelta(days=31)
"""From the clock's first of March, and longer than a request is open."""


@pytest.fixture
def sweeper(store: EventStore, catalogue: Catalogue, clock: FakeClock) -> Sweeper:
    return Sweeper(store, catalogue, clock)


async def swept(store: EventStore) -> list[Event]:
    return [one for one in await everything(store) if one.kind is EventKind.CONSENT_EXPIRED]


async def what_ran_out(store: EventStore) -> list[int]:
    return [one.refers_to or 0 for one in await swept(store)]


def on(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(hour=9, tzinfo=UTC)


class TestOnce:
    async def test_consents_and_requests(
        self, store: EventStore, sweeper: Sweeper, clock: FakeClock
    ) -> None:
        """Each consent and each request that ran out has one event, however often it is swept."""
        await record(store, given(ANNA, PROFILING), requested(ANNA, PROFILING), requested(BEN))
        clock.advance(MONTH)
        counts = [await sweeper.sweep() for _ in range(3)]

        assert counts == [3, 0, 0]
        assert await store.head() == 6
        assert sorted(await what_ran_out(store)) == [1, 2, 3]

    async def test_event(self, store: EventStore, sweeper: Sweeper, clock: FakeClock) -> None:
        """The event is the system's, about that subject and purpose, and names what ran out."""
        await record(store, given(BEN, STATISTICS), given(ANNA, PROFILING))
        clock.advance(MONTH)
        await sweeper.sweep()
        (found,) = await swept(store)

        assert (found.purpose, found.refers_to, found.recorded_at) == (PROFILING, 2, clock.now)
        assert found.personal is not None
        assert (found.personal.subject, found.personal.actor) == (ANNA, THE_SYSTEM)
        assert found.personal.channel == "expiry"

    async def test_what_does_not_run_out(
        self, store: EventStore, sweeper: Sweeper, clock: FakeClock
    ) -> None:
        """What has no validity, was taken back, or was renewed since is left alone."""
        await record(store, given(ANNA), given(BEN, PROFILING), given(CARL, PROFILING))
        await record(store, taken_back(BEN, PROFILING), requested(BEN))
        await record(store, event(EventKind.OBJECTION_RAISED, BEN))
        clock.advance(timedelta(days=20))
        await record(store, given(CARL, PROFILING))
        clock.advance(timedelta(days=15))

        assert await sweeper.sweep() == 0
        assert await swept(store) == []

    async def test_renewed(self, store: EventStore, sweeper: Sweeper, clock: FakeClock) -> None:
        """What is given and asked for anew runs out anew."""
        for _ in range(3):
            await record(store, given(ANNA, PROFILING), requested(BEN))
            clock.advance(timedelta(days=40))
            await sweeper.sweep()

        assert await what_ran_out(store) == [1, 2, 5, 6, 9, 10]

    async def test_under_whatever_stands(
        self, store: EventStore, sweeper: Sweeper, clock: FakeClock
    ) -> None:
        """What stands above a consent does not keep it from running out."""
        await record(store, given(ANNA, PROFILING), given(BEN, PROFILING))
        await record(store, event(EventKind.OBJECTION_RAISED, ANNA, PROFILING))
        await record(store, event(EventKind.DEATH_REPORTED, BEN, None))
        clock.advance(MONTH)
        await sweeper.sweep()

        assert await what_ran_out(store) == [1, 2]

    async def test_purpose_gone(
        self, store: EventStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Requests for what has left the catalogue run out too, and hold nobody else's up."""
        monkeypatch.setattr(expiry, "_AT_ONCE", 2)
        gone = PurposeId("gone")
        await record(store, *(requested(who, gone) for who in (ANNA, BEN, CARL)))
        clock.advance(timedelta(seconds=1))
        await record(store, requested(ANNA), given(SubjectId("dora"), gone))
        clock.advance(MONTH)
        number = await Sweeper(store, catalogue(), clock).sweep()

        assert number == 4
        assert sorted(await what_ran_out(store)) == [1, 2, 3, 4]

    async def test_changed_meanwhile(
        self, store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """A consent renewed between the look at the log and the write has not run out."""
        await record(store, given(ANNA, PROFILING), given(BEN, PROFILING))
        clock.advance(MONTH)

        async def due_and_then_renewed(*args: Any) -> list[Due]:
            found = await store.due(*args)
            if await store.head() == 2:
                await record(store, given(ANNA, PROFILING))
            return found

        number = await Sweeper(meddled(store, due=due_and_then_renewed), catalogue, clock).sweep()

        assert number == 1
        assert await what_ran_out(store) == [2]


class TestWhen:
    @pytest.mark.parametrize(
        ("months", "given_on", "ends_on"),
        [
            (1, "2026-01-31", "2026-02-28"),
            (1, "2026-01-28", "2026-02-28"),
            (1, "2024-01-31", "2024-02-29"),
            (1, "2026-02-28", "2026-03-28"),
            (1, "2026-03-31", "2026-04-30"),
            (1, "2025-12-31", "2026-01-31"),
            (13, "2025-01-31", "2026-02-28"),
            (12, "2024-02-29", "2025-02-28"),
        ],
    )
    async def test_month_ends(self, months: int, given_on: str, ends_on: str) -> None:
        """A consent runs out on its calendar day, to the microsecond, neither sooner nor later."""
        clock = FakeClock(on(given_on))
        store = MemoryEventStore(clock)
        purposes = catalogue(purpose(PROFILING, months=months))
        await record(store, given(ANNA, PROFILING))
        clock.set(on(ends_on) - timedelta(microseconds=1))
        before = await Sweeper(store, purposes, clock).sweep()
        clock.set(on(ends_on))

        assert (before, await Sweeper(store, purposes, clock).sweep()) == (0, 1)

    @settings(max_examples=200)
    @any_of(
        st.integers(0, 366 * 8 * 24).map(lambda hours: timedelta(hours=hours)),
        st.integers(1, 25),
    )
    async def test_any(self, start: timedelta, months: int) -> None:
        """Whenever it was given: it is found at its end, and not a microsecond before."""
        clock = FakeClock(on("2023-01-01") + start)
        store = MemoryEventStore(clock)
        purposes = catalogue(purpose(PROFILING, months=months))
        await record(store, given(ANNA, PROFILING))
        ends = add_months(clock.now, months)
        clock.now = Instant(ends - 1)
        before = await Sweeper(store, purposes, clock).sweep()
        clock.now = ends

        assert (before, await Sweeper(store, purposes, clock).sweep()) == (0, 1)

    async def test_requests(self, store: EventStore, sweeper: Sweeper, clock: FakeClock) -> None:
        """A request runs out after 30 × 24 hours, to the microsecond."""
        await record(store, requested())
        start = clock.now
        clock.now = Instant(add(start, timedelta(days=30)) - 1)
        before = await sweeper.sweep()
        clock.now = add(start, timedelta(days=30))

        assert (before, await sweeper.sweep()) == (0, 1)

    async def test_answers_do_not_wait(
        self, store: EventStore, sweeper: Sweeper, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """The answer is the same before and after the sweep: nobody relies on it having run."""
        queries = Queries(store, catalogue, Links(bytes(32)), clock)
        await record(store, given(ANNA, PROFILING), requested(ANNA), given(BEN, PROFILING))
        questions = [Question(PROFILING, [ANNA, BEN]), Question(NEWSLETTER, [ANNA])]
        clock.advance(MONTH)
        before = (await queries.check(questions)).decisions
        number = await sweeper.sweep()

        assert number == 3
        assert (await queries.check(questions)).decisions == before
        assert {one.permitted for answers in before for one in answers} == {False}
