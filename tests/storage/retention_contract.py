"""What every store promises of what it keeps, and for how long."""

import random
from datetime import timedelta

import pytest

from consentsvc.domain.errors import PastNotKept
from consentsvc.domain.events import EventKind, Withheld
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId
from consentsvc.domain.instants import Instant, add
from consentsvc.service.ports import EventStore, Inquiry, Question
from tests.storage.making import (
    ANNA,
    BEN,
    EMAIL,
    NAME,
    OF_CONTACT,
    PUBLICATION,
    a_life,
    event,
    everything,
    given,
    record,
    reported,
    requested,
    scoped,
    withdrawn,
)
from tests.support.catalogues import NEWSLETTER, PROFILING, STATISTICS
from tests.support.clock import FakeClock

DAY = timedelta(days=1)
FAR = Instant(2**60)


async def empty(store: EventStore, purpose: PurposeId, before: Instant, limit: int = 2) -> int:
    """Empties what had ended by then, a few subjects at a time."""
    emptied, last = 0, None
    while True:
        last, number = await store.empty_ended(purpose, before, last, limit)
        emptied += number
        if last is None:
            return emptied


async def emptied(store: EventStore) -> list[Position]:
    """The events that have lost their personal part."""
    return [one.position for one in await everything(store) if one.withheld is not None]


class RetentionContract:
    """See `EventStoreContract`, of which it is a part."""

    async def test_what_has_ended_goes(self, store: EventStore, clock: FakeClock) -> None:
        """A consent goes so long after its end, not after its beginning; the end itself stays."""
        await record(store, given(ANNA))
        clock.advance(700 * DAY)
        await record(store, withdrawn(ANNA))
        ended = clock()
        clock.advance(DAY)
        early = await empty(store, NEWSLETTER, add(ended, -timedelta(microseconds=1)))
        late = await empty(store, NEWSLETTER, ended)
        again = await empty(store, NEWSLETTER, ended)
        events = await everything(store)

        assert (early, late, again) == (0, 1, 0)
        assert [one.withheld for one in events] == [Withheld.RETENTION, None]
        assert events[0].personal is None
        assert (events[0].kind, events[0].purpose) == (EventKind.CONSENT_GIVEN, NEWSLETTER)

    async def test_what_stands_stays(self, store: EventStore, clock: FakeClock) -> None:
        """A consent, a request, an objection and a no are kept, however old."""
        await record(
            store,
            given(ANNA),
            requested(BEN),
            event(EventKind.OBJECTION_RAISED, ANNA, STATISTICS),
            event(EventKind.CONSENT_REFUSED, ANNA, PROFILING),
            scoped(EventKind.CONSENT_GIVEN, OF_CONTACT, NAME),
        )
        clock.advance(5000 * DAY)
        purposes = (NEWSLETTER, PROFILING, STATISTICS, PUBLICATION)

        assert [await empty(store, one, FAR) for one in purposes] == [0] * 4
        assert await emptied(store) == []

    async def test_a_consent_that_ran_out_goes(self, store: EventStore) -> None:
        """And so does the event that it did."""
        expired = event(EventKind.CONSENT_EXPIRED, ANNA, NEWSLETTER, refers_to=Position(1))
        await record(store, given(ANNA), expired, given(BEN))

        assert await empty(store, NEWSLETTER, FAR) == 2
        assert await emptied(store) == [1, 2]

    async def test_of_each_field_what_was_said_last(self, store: EventStore) -> None:
        """Of a purpose that takes a scope, what still decides for any field stays."""
        await record(
            store,
            scoped(EventKind.CONSENT_GIVEN, OF_CONTACT, NAME | EMAIL),  # for the e-mail
            scoped(EventKind.CONSENT_GIVEN, OF_CONTACT, NAME),  # replaced
            scoped(EventKind.CONSENT_GIVEN, OF_CONTACT, NAME),
            reported(),
        )

        assert await empty(store, PUBLICATION, FAR) == 2
        assert await emptied(store) == [2, 4]

    async def test_only_that_purpose(self, store: EventStore) -> None:
        """Nothing of another purpose, nor what concerns all of them."""
        await record(
            store,
            given(ANNA),
            given(ANNA),
            given(ANNA, PROFILING),
            given(ANNA, PROFILING),
            event(EventKind.PROCESSING_RESTRICTED, ANNA, None),
            event(EventKind.RESTRICTION_LIFTED, ANNA, None),
        )

        assert await empty(store, PROFILING, FAR) == 1
        assert await emptied(store) == [3]

    async def test_nothing_is_answered_otherwise(
        self, store: EventStore, clock: FakeClock, pick: random.Random
    ) -> None:
        """After any life every answer is as before, and the tree too; what comes later counts."""
        await a_life(store, clock, seed=pick.randrange(1 << 32), requests=80, people=4)
        subjects = sorted({e.personal.subject for e in await everything(store) if e.personal})
        purposes = (NEWSLETTER, PROFILING, STATISTICS, PUBLICATION)

        async def answers() -> list[object]:
            found = [(await store.subject_record(one))[1] for one in subjects]
            root = await store.tree_root(await store.head())
            questions = [Question(one, subjects) for one in purposes]
            return [found, root, await store.records(questions)]

        before = await answers()
        number = sum([await empty(store, one, FAR) for one in purposes])
        after = await answers()
        told = await emptied(store)
        await a_life(store, clock, seed=pick.randrange(1 << 32), requests=20, people=4)

        assert after == before
        assert number == len(told) > 0

    async def test_the_past_of_a_scope_is_not_guessed(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """Where what was said by then is gone, nobody is told that it was a no, or a yes."""
        await record(store, scoped(EventKind.CONSENT_WITHDRAWN, OF_CONTACT, NAME))
        before = clock()
        clock.advance(DAY)
        await record(store, scoped(EventKind.CONSENT_WITHDRAWN, OF_CONTACT, NAME), given(ANNA))
        clock.advance(DAY)
        asked = [Inquiry(ANNA, frozenset({OF_CONTACT}))]
        known = await store.choices(PUBLICATION, asked, before)
        await empty(store, PUBLICATION, FAR)
        with pytest.raises(PastNotKept):
            await store.choices(PUBLICATION, asked, before)
        of_account = await store.records([Question(NEWSLETTER, [ANNA])], before)

        assert known.answers[0].sayings
        assert (await store.choices(PUBLICATION, asked)).answers[0].sayings
        assert of_account.answers[0][0].consent.choice is None

    async def test_a_receipt_of_what_was_emptied(self, store: EventStore) -> None:
        """The event can still be proven, without what was personal in it."""
        await record(store, given(ANNA), given(ANNA))
        header = await store.header(Position(1))
        await empty(store, NEWSLETTER, FAR)
        gone, kept = [await store.leaf(ANNA, Position(one)) for one in (1, 2)]

        assert gone is not None
        assert (gone.header, gone.opened) == (header, None)
        assert kept is not None
        assert kept.opened is not None

    async def test_subjects_in_turn(self, store: EventStore) -> None:
        """So many at a time, each once, until there are none."""
        await record(store, *(given(one) for one in (ANNA, BEN) for _ in range(3)))
        last: Pseudonym | None = None
        seen = []
        for _ in range(4):
            last, number = await store.empty_ended(NEWSLETTER, FAR, last, 1)
            seen.append((last is None, number))

        assert seen[:3] == [(False, 2), (False, 2), (True, 0)]

    async def test_proofs_end(self, store: EventStore, clock: FakeClock) -> None:
        """A proof that is kept is told until its time, and then forgotten."""
        await record(store, given(ANNA), given(BEN))
        soon, later = add(clock(), DAY), add(clock(), 2 * DAY)
        for subject, until in ((ANNA, soon), (BEN, later)):
            kept = {NEWSLETTER: until}
            await store.write(
                lambda one, who=subject, what=kept: one.erase(who, what),  # type: ignore[misc]  # bound now
                {subject},
            )
        await store.finish_erasures()
        before = await store.kept_proofs(ANNA)
        early = await store.drop_proofs(clock())
        clock.advance(DAY)
        over = await store.kept_proofs(ANNA), await store.leaf(ANNA, Position(1))
        dropped = [await store.drop_proofs(clock()) for _ in range(2)]

        assert [one.positions for one in before] == [(Position(1),)]
        assert over == ([], None)
        assert (early, dropped) == (0, [1, 0])
        assert len(await store.kept_proofs(BEN)) == 1
