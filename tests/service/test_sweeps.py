"""The sweeper at work: many at once, again and again, and after a failure."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.errors import StoreUnavailable
from consentsvc.domain.events import EventKind
from consentsvc.domain.identifiers import Position, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication import choices
from consentsvc.domain.publication.choices import Mark, Said, Sayings
from consentsvc.domain.scope import ContactField, ContactId, DomainName, Reach, Scope
from consentsvc.service import expiry
from consentsvc.service.expiry import Sweeper
from consentsvc.service.ports import Due, EventStore
from tests.storage.making import (
    ANNA,
    BEN,
    CARL,
    EMAIL,
    NAME,
    OF_CONTACT,
    OF_DOMAIN,
    PUBLICATION,
    everything,
    given,
    record,
    scoped,
)
from tests.support.catalogues import PROFILING, STATISTICS, catalogue, purpose
from tests.support.clock import FakeClock
from tests.support.stores import meddled

MONTH = timedelta(days=31)
"""From the clock's first of March, and longer than a request is open."""


@pytest.fixture
def sweeper(store: EventStore, catalogue: Catalogue, clock: FakeClock) -> Sweeper:
    return Sweeper(store, catalogue, clock)


async def what_ran_out(store: EventStore) -> list[int]:
    events = await everything(store)
    return [one.refers_to or 0 for one in events if one.kind is EventKind.CONSENT_EXPIRED]


def on(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(hour=9, tzinfo=UTC)


class TestMany:
    async def test_more_than_fit_in_one_write(
        self, store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """One sweep records all that has run out, in writes that let others in between."""
        number = 2 * expiry._AT_ONCE + 1
        subjects = [SubjectId(f"customer:{one}") for one in range(number)]
        for subject in subjects:
            await record(store, given(subject, PROFILING))
        clock.advance(MONTH)
        heads: list[int] = []

        async def write(*args: Any, **options: Any) -> Any:
            heads.append(await store.head())
            return await store.write(*args, **options)

        sweeper = Sweeper(meddled(store, write=write), catalogue, clock)
        total = await sweeper.sweep()
        ran_out = await what_ran_out(store)

        assert total == number
        assert sorted(ran_out) == list(range(1, number + 1))
        assert heads[:3] == [number, number + expiry._AT_ONCE, number + 2 * expiry._AT_ONCE]

    async def test_one_bad_kind_holds_up_nobody(
        self, store: EventStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Consents that are looked at early and still run do not stand before those that ended."""
        monkeypatch.setattr(expiry, "_AT_ONCE", 2)
        purposes = catalogue(purpose(STATISTICS, months=1))
        clock.set(on("2026-01-29"))
        await record(store, *(given(who, STATISTICS) for who in (ANNA, BEN, CARL)))
        clock.set(on("2026-01-31"))
        await record(store, *(given(who, PROFILING) for who in (ANNA, BEN, CARL)))
        clock.set(on("2026-02-28"))

        assert await Sweeper(store, purposes, clock).sweep() == 6


class TestScopes:
    @pytest.fixture(params=["memory", "sqlite"])
    def both(
        self, request: pytest.FixtureRequest, store: EventStore, sqlite_store: EventStore
    ) -> EventStore:
        return store if request.param == "memory" else sqlite_store

    @pytest.mark.parametrize("kind", [EventKind.CONSENT_REQUESTED, EventKind.CONSENT_EXPIRED])
    async def test_a_yes_from_before_there_were_scopes(
        self, both: EventStore, clock: FakeClock, kind: EventKind
    ) -> None:
        """A consent without a scope runs out too, whatever was said with one since.

        Only what has a scope was looked at where there was any: that consent was found due by
        every sweep, and nothing ever came of it.
        """
        monthly = purpose(PUBLICATION, months=1, takes_scope=True)
        refers_to = 1 if kind is EventKind.CONSENT_EXPIRED else None
        asked = scoped(EventKind.CONSENT_REQUESTED, OF_CONTACT, NAME)
        await record(both, asked, given(ANNA, PUBLICATION))
        await record(both, scoped(kind, OF_CONTACT, NAME, refers_to=refers_to))
        clock.advance(MONTH)
        sweeper = Sweeper(both, catalogue(monthly), clock)
        counts = [await sweeper.sweep() for _ in range(3)]
        swept = [one for one in await everything(both) if one.recorded_at == clock.now]

        assert counts[1:] == [0, 0]
        assert [one.personal.scope for one in swept if one.personal and one.refers_to == 2] == [
            None
        ]
        assert await both.due({PUBLICATION: clock.now}, clock.now, 10) == []

    async def test_what_has_a_scope_runs_out_once(self, both: EventStore, clock: FakeClock) -> None:
        """A consent and a request with a scope each have one event, with that scope."""
        monthly = purpose(PUBLICATION, months=1, takes_scope=True)
        consent = scoped(EventKind.CONSENT_GIVEN, OF_CONTACT, NAME)
        await record(both, consent, scoped(EventKind.CONSENT_REQUESTED, OF_DOMAIN, EMAIL))
        clock.advance(MONTH)
        counts = [await Sweeper(both, catalogue(monthly), clock).sweep() for _ in range(2)]
        swept = (await everything(both))[2:]

        assert counts == [2, 0]
        assert [(one.refers_to, one.personal and one.personal.scope) for one in swept] == [
            (1, Scope(OF_CONTACT, NAME)),
            (2, Scope(OF_DOMAIN, EMAIL)),
        ]

    def test_an_account_with_many_reaches(self) -> None:
        """Of each reach only those that cover it are looked at, however many there are.

        All were compared with all: a registrar's account of thousands of domains took minutes, in
        the append lock.
        """
        looks = 0

        class Counted(dict[Reach, Sayings]):
            def __getitem__(self, reach: Reach) -> Sayings:
                nonlocal looks
                looks += 1
                return super().__getitem__(reach)

            def items(self) -> Any:
                nonlocal looks
                looks += len(self)
                return super().items()

        number = 500
        mark = Mark(EventKind.CONSENT_GIVEN, Position(1), Instant(0))
        sayings = Counted(
            {
                Reach(ContactId("c"), DomainName(f"{one}.example")): {ContactField.ALL: Said(mark)}
                for one in range(number)
            }
        )
        found = choices.ran_out(purpose(PUBLICATION, months=1), sayings, Instant(2**60))

        assert len(found) == number
        assert looks <= 5 * number


class TestRun:
    async def test_goes_on_after_a_failure(
        self, store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """A sweep that fails is told in the log, by its error's name only, and tried again."""
        await record(store, given(ANNA, PROFILING))
        clock.advance(MONTH)
        failures = [StoreUnavailable("customer:8213"), RuntimeError("customer:8213")]

        async def due(*args: Any) -> list[Due]:
            if failures:
                raise failures.pop(0)
            return await store.due(*args)

        sweeper = Sweeper(meddled(store, due=due), catalogue, clock)
        with capture_logs() as logged:
            running = asyncio.create_task(sweeper.run(timedelta(0)))
            async with asyncio.timeout(10):
                await store.past(Position(1))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        assert await what_ran_out(store) == [1]
        assert running.cancelled()
        assert [(one["event"], one["error"]) for one in logged] == [
            ("sweep_failed", "StoreUnavailable"),
            ("sweep_failed", "RuntimeError"),
        ]
        assert "8213" not in str(logged)

    async def test_again_and_again(
        self, store: EventStore, sweeper: Sweeper, clock: FakeClock
    ) -> None:
        """It notices what runs out while it is running."""
        running = asyncio.create_task(sweeper.run(timedelta(0)))
        async with asyncio.timeout(10):
            for round_ in range(3):
                await record(store, given(ANNA, PROFILING))
                clock.advance(timedelta(days=32))
                await store.past(Position(2 * round_ + 1))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

        assert await what_ran_out(store) == [1, 3, 5]

    async def test_cancelled(
        self, store: EventStore, catalogue: Catalogue, clock: FakeClock
    ) -> None:
        """It ends when it is cancelled in the middle of its pause, however long that is."""
        swept = asyncio.Event()

        async def due(*args: Any) -> Any:
            swept.set()
            return await store.due(*args)

        sweeper = Sweeper(meddled(store, due=due), catalogue, clock)
        running = asyncio.create_task(sweeper.run(timedelta(days=1)))
        async with asyncio.timeout(10):
            await swept.wait()
        running.cancel()
        done, _ = await asyncio.wait({running}, timeout=10)

        assert done == {running}
        assert running.cancelled()
