"""What every store promises of the people that it forgets."""

from datetime import timedelta

import pytest

from consentsvc.domain.consent import NOTHING_KNOWN, NOTHING_STANDS, Objection, Standing
from consentsvc.domain.encoding import read_header
from consentsvc.domain.errors import StoreUnavailable, SubjectUnknown
from consentsvc.domain.events import Event, EventKind, Withheld
from consentsvc.domain.identifiers import START, Position, Pseudonym, SubjectId
from consentsvc.domain.instants import Instant, add
from consentsvc.domain.remains import NOTHING_REMAINS, Remains
from consentsvc.service.ports import (
    EventStore,
    Inquiry,
    KeptProof,
    PendingErasure,
    Question,
    Stretch,
    Transaction,
)
from tests.storage.making import (
    ANNA,
    BEN,
    EMAIL,
    OF_CONTACT,
    PUBLICATION,
    event,
    everything,
    given,
    record,
    request,
    restricted,
    scoped,
    withdrawn,
)
from tests.support.catalogues import NEWSLETTER, PROFILING, STATISTICS
from tests.support.clock import FakeClock

FAR = Instant(2**60)
OBJECTED = event(EventKind.OBJECTION_RAISED, ANNA, STATISTICS)
DEATH = event(EventKind.DEATH_REPORTED, ANNA, None)


async def erase(
    store: EventStore, subject: SubjectId = ANNA, until: Instant | None = None
) -> Position:
    """Forgets a subject, all the way; keeps until then what was about the newsletter."""
    kept = {} if until is None else {NEWSLETTER: until}
    position = await store.write(lambda transaction: transaction.erase(subject, kept), {subject})
    await store.finish_erasures()
    return position


def pseudonym(one: Event) -> Pseudonym:
    assert one.pseudonym is not None
    return one.pseudonym


async def state(store: EventStore, subject: SubjectId = ANNA) -> tuple[object, ...]:
    """All that is answered of somebody, but for their pseudonym."""
    questions = [Question(one, [subject]) for one in (NEWSLETTER, PROFILING, STATISTICS)]
    records = await store.records(questions)
    inquiry = [Inquiry(subject, frozenset({OF_CONTACT}))]
    choices = await store.choices(PUBLICATION, inquiry)
    return (
        [one.consent for (one,) in records.answers],
        [one.standing for (one,) in records.answers],
        choices.answers[0],
    )


class ErasureContract:
    """See `EventStoreContract`, of which it is a part."""

    async def test_events_stay_and_say_nothing(self, store: EventStore) -> None:
        """Positions, kinds and times stay; whose they were is gone, of theirs and no others."""
        await record(store, given(ANNA), given(BEN), withdrawn(ANNA))
        before = await everything(store)
        headers = [await store.header(one.position) for one in before]
        position = await erase(store)
        after = await everything(store)

        assert position == 4
        assert [one.withheld for one in after] == [
            Withheld.ERASED, None, Withheld.ERASED, Withheld.ERASED,
        ]  # fmt: skip
        assert [one.personal is None for one in after] == [True, False, True, True]
        assert after[1] == before[1]
        assert [read_header(one).event for one in headers] == [
            read_header(await store.header(one.position)).event for one in before
        ]
        assert (after[3].kind, after[3].purpose) == (EventKind.SUBJECT_ERASED, None)
        assert after[3].pseudonym == after[0].pseudonym
        assert await store.erased_at(pseudonym(after[0])) == position
        assert await store.erased_at(pseudonym(after[1])) is None

    async def test_nothing_is_known_afterwards(self, store: EventStore) -> None:
        """An erased subject is nobody: no state, no history, no receipt, no answered request."""
        await record(store, given(ANNA), scoped(EventKind.CONSENT_GIVEN, OF_CONTACT, EMAIL))
        theirs = pseudonym((await everything(store))[0])
        await store.write(lambda one: one.remember(request(), ANNA, b"answer"), {ANNA})
        await erase(store)
        _, found = await store.subject_record(ANNA)
        _, listed = await store.subject_records(None, 10)
        history = await store.subject_events(ANNA, Stretch(10))

        assert await state(store) == await state(store, SubjectId("nobody"))
        assert found is None
        assert listed == []
        assert (history.events, history.total) == ([], 0)
        assert (await store.subjects_of([theirs]))[1] == []
        assert await store.leaf(ANNA, Position(1)) is None
        assert await store.write(lambda one: one.recall(request())) is None
        assert await store.remains(ANNA) == Remains(erased=True)

    async def test_a_no_outlives_it(self, store: EventStore) -> None:
        """An objection, a restriction and a death go on being answered; a choice does not."""
        await record(store, withdrawn(ANNA), OBJECTED, restricted(ANNA), DEATH, given(BEN))
        await erase(store)
        consents, standings, choices = await state(store)

        assert consents == [
            NOTHING_KNOWN, NOTHING_KNOWN,
            NOTHING_KNOWN._replace(objection=Objection(START, Instant(0))),
        ]  # fmt: skip
        assert standings == [Standing(START, START)] * 3
        assert choices.standing == Standing(START, START)  # type: ignore[attr-defined]  # Choices
        assert await store.remains(ANNA) == Remains(
            frozenset({STATISTICS}), True, True, erased=True
        )
        assert await store.remains(BEN) == NOTHING_REMAINS

    async def test_what_was_taken_back_does_not(self, store: EventStore) -> None:
        """Neither a lifted restriction nor an objection that was withdrawn stands again."""
        await record(
            store,
            OBJECTED,
            event(EventKind.OBJECTION_WITHDRAWN, ANNA, STATISTICS),
            restricted(ANNA),
            event(EventKind.RESTRICTION_LIFTED, ANNA, None),
        )
        await erase(store)

        assert await store.remains(ANNA) == Remains(erased=True)

    async def test_somebody_who_comes_back(self, store: EventStore) -> None:
        """With their first event the no is theirs again, on record, and can be taken back."""
        await record(store, OBJECTED, restricted(ANNA))
        await erase(store)
        await record(store, given(ANNA))
        events = [one for one in await everything(store) if one.personal is not None]
        before = await state(store)
        await record(store, event(EventKind.OBJECTION_WITHDRAWN, ANNA, STATISTICS))
        await record(store, event(EventKind.RESTRICTION_LIFTED, ANNA, None))
        consents, standings, _ = await state(store)

        assert [one.kind for one in events] == [
            EventKind.PROCESSING_RESTRICTED, EventKind.OBJECTION_RAISED, EventKind.CONSENT_GIVEN,
        ]  # fmt: skip
        assert before[1] == [Standing(events[0].position)] * 3
        assert len({one.pseudonym for one in await everything(store)}) == 2
        assert consents[2].objection is None  # type: ignore[index]  # a list
        assert standings == [NOTHING_STANDS] * 3
        assert await store.remains(ANNA) == NOTHING_REMAINS

    async def test_what_records_nothing_brings_nobody_back(self, store: EventStore) -> None:
        """A request that fails, or only looks, is told of the no and leaves no trace."""
        await record(store, OBJECTED, restricted(ANNA))
        await erase(store)
        head = await store.head()

        def look(transaction: Transaction) -> tuple[object, ...]:
            consent = transaction.consent(ANNA, STATISTICS)
            standing = transaction.standing(ANNA)
            transaction.remember(request(), ANNA, b"answer")
            return consent.objection, standing, transaction.is_erased(ANNA)

        with pytest.raises(ZeroDivisionError):
            await store.write(lambda _: 1 // 0, {ANNA})
        seen = await store.write(look, {ANNA})
        answered = await store.write(lambda one: one.recall(request()))
        _, listed = await store.subject_records(None, 10)

        assert seen == (Objection(START, Instant(0)), Standing(START), True)
        assert answered is None
        assert listed == []
        assert await store.head() == head

    async def test_forgotten_twice(self, store: EventStore) -> None:
        """The second time counts what stood then."""
        await record(store, OBJECTED, restricted(ANNA))
        await erase(store)
        await record(store, event(EventKind.RESTRICTION_LIFTED, ANNA, None))
        await erase(store)

        assert await store.remains(ANNA) == Remains(frozenset({STATISTICS}), erased=True)

    async def test_no_more_events(self, store: EventStore) -> None:
        """What is recorded before the key is gone is refused as one to be sent again."""
        await record(store, given(ANNA))
        await store.write(lambda transaction: transaction.erase(ANNA, {}), {ANNA})
        head = await store.head()
        with pytest.raises(StoreUnavailable):
            await record(store, given(ANNA))
        await store.finish_erasures()
        after = await store.head()
        await record(store, given(ANNA))

        assert (head, after) == (2, 2)
        assert await store.head() == 3

    async def test_only_who_is_known(self, store: EventStore) -> None:
        """Nobody is made by a write that is for those who are there."""
        await record(store, given(ANNA))
        known = await store.write(lambda one: one.append(withdrawn(ANNA)), {ANNA}, only_known=True)
        await erase(store)
        for subjects in ({ANNA}, {BEN}, {ANNA, BEN}):
            with pytest.raises(SubjectUnknown):
                await store.write(lambda one: one.head, subjects, only_known=True)
        _, listed = await store.subject_records(None, 10)

        assert known == 2
        assert listed == []

    async def test_the_past_of_somebody_who_came_back(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """What remained counts for the time between the erasure and their return too."""
        await record(store, OBJECTED, restricted(ANNA))
        await erase(store)
        between = clock()
        clock.advance(timedelta(days=1))
        await record(store, given(ANNA), event(EventKind.OBJECTION_WITHDRAWN, ANNA, STATISTICS))
        ((then,),) = (await store.records([Question(STATISTICS, [ANNA])], between)).answers
        inquiry = [Inquiry(ANNA, frozenset({OF_CONTACT}))]
        choices = (await store.choices(PUBLICATION, inquiry, between)).answers[0]
        ((now,),) = (await store.records([Question(STATISTICS, [ANNA])])).answers

        assert then.consent.objection is not None
        assert then.standing.restriction is not None
        assert choices.standing.restriction is not None
        assert now.consent.objection is None

    async def test_in_the_past_too(self, store: EventStore, clock: FakeClock) -> None:
        """A question about the past is answered from what remains: nobody knows any better."""
        await record(store, given(ANNA), OBJECTED)
        moment = clock()
        clock.advance(timedelta(days=1))
        await erase(store)
        questions = [Question(NEWSLETTER, [ANNA]), Question(STATISTICS, [ANNA, BEN])]
        records = await store.records(questions, moment)
        choices = await store.choices(PUBLICATION, [Inquiry(ANNA, frozenset({OF_CONTACT}))], moment)

        assert [one.consent for one in records.answers[0]] == [NOTHING_KNOWN]
        assert records.answers[1][0].consent.objection is not None
        assert records.answers[1][1].consent == NOTHING_KNOWN
        assert choices.answers[0].standing == NOTHING_STANDS

    async def test_a_proof_that_is_kept(self, store: EventStore) -> None:
        """Which events were theirs is told for the purposes asked for, and proven by a header."""
        await record(
            store, given(ANNA), given(BEN), withdrawn(ANNA), given(ANNA, PROFILING), given(BEN)
        )
        header = await store.header(Position(3))
        await erase(store, until=FAR)
        leaf = await store.leaf(ANNA, Position(3))

        assert await store.kept_proofs(ANNA) == [
            KeptProof(NEWSLETTER, (Position(1), Position(3)), FAR)
        ]
        assert await store.kept_proofs(BEN) == []
        assert leaf is not None
        assert (leaf.header, leaf.opened) == (header, None)
        assert await store.leaf(ANNA, Position(4)) is None
        assert await store.leaf(ANNA, Position(2)) is None
        assert await store.leaf(BEN, Position(3)) is None

    async def test_erasures_to_come(self, store: EventStore, clock: FakeClock) -> None:
        """What is planned is found when it is due, replaced, taken back, and gone when done."""
        await record(store, given(ANNA), given(BEN))
        now = clock()
        soon, late = PendingErasure(now), PendingErasure(add(now, timedelta(days=1)))
        begun = PendingErasure(now, Position(2), now)

        async def plan(subject: SubjectId, pending: PendingErasure | None) -> None:
            await store.write(lambda one: one.plan_erasure(subject, pending), {subject})

        await plan(BEN, late)
        await plan(ANNA, soon)
        due = await store.pending_erasures(now, 10)
        await plan(ANNA, begun)
        all_due = await store.pending_erasures(late.due, 10)
        first = await store.pending_erasures(late.due, 1)
        await plan(BEN, None)
        seen = await store.write(
            lambda one: (one.pending_erasure(ANNA), one.pending_erasure(BEN)), {ANNA, BEN}
        )
        await erase(store)

        assert due == [(ANNA, soon)]
        assert all_due == [(ANNA, begun), (BEN, late)]
        assert first == [(ANNA, begun)]
        assert seen == (begun, None)
        assert await store.pending_erasures(late.due, 10) == []
        assert await store.pending_erasure(ANNA) is None
        assert await store.pending_erasure(SubjectId("nobody")) is None

    async def test_undone_with_its_request(self, store: EventStore) -> None:
        """An erasure in a request that fails has not happened."""
        await record(store, given(ANNA))
        before = await everything(store), await state(store)

        def fail(transaction: object) -> None:
            transaction.erase(ANNA, {})  # type: ignore[attr-defined]  # a transaction
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await store.write(fail, {ANNA})
        await store.finish_erasures()

        assert (await everything(store), await state(store)) == before

    async def test_how_far_followers_are(self, store: EventStore) -> None:
        """Each goes forward on its own, and never back."""
        told = [
            await store.acknowledge(follower, Position(position))
            for follower, position in (("sync", 3), ("mailer", 1), ("sync", 2), ("sync", 5))
        ]

        assert told == [3, 1, 3, 5]
        assert await store.acknowledged() == {"sync": 5, "mailer": 1}

    async def test_the_tree_is_as_it_was(self, store: EventStore) -> None:
        """Proofs from before an erasure hold after it."""
        await record(store, *(given(one) for one in (ANNA, BEN) * 4))
        root = await store.tree_root(Position(8))
        proof = await store.inclusion_proof(Position(3), Position(8))
        await erase(store)

        assert await store.tree_root(Position(8)) == root
        assert await store.inclusion_proof(Position(3), Position(8)) == proof
        assert await store.tree_root(Position(9)) != root
