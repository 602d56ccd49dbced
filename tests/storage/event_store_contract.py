"""What every store promises; each is tested by a subclass that brings it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from consentsvc.domain.consent import NOTHING_STANDS, Choice, Consent, Standing
from consentsvc.domain.events import Event, EventKind, NoticeRef
from consentsvc.domain.identifiers import START, Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant, add
from consentsvc.service.notices import publish
from consentsvc.service.ports import (
    Due,
    EventStore,
    Question,
    Record,
    Records,
    Remembered,
    Request,
    Stretch,
    SubjectRecord,
    Transaction,
)
from tests.storage.checkpoint_contract import CheckpointContract
from tests.storage.erasure_contract import ErasureContract
from tests.storage.making import (
    ANNA,
    BEN,
    CARL,
    EVERYTHING,
    a_life,
    event,
    everything,
    given,
    record,
    replayed,
    request,
    requested,
    restricted,
    withdrawn,
)
from tests.storage.retention_contract import RetentionContract
from tests.storage.scoped_contract import ScopedContract
from tests.storage.tree_contract import TreeContract
from tests.support.catalogues import NEWSLETTER, PROFILING, STATISTICS, catalogue
from tests.support.clock import FakeClock

PURPOSES = (NEWSLETTER, PROFILING, STATISTICS)

# Each of these has run into another one somewhere: by case, by a separator, by a pattern.
LOOKALIKES = [
    SubjectId(text)
    for text in (
        "anna", "Anna", "ANNA", "anna/1", "anna:1", "anna|1", "a/b:c", "a:b/c", "a|b", "a||b",
        "%", "_", "*", "'", '"', "\\", "a'--", "null", "0", "00", "1", "1.0", "[1]", "{}",
    )
]  # fmt: skip


class WorkFailed(Exception):
    """What a request's work raises in these tests."""


def fail(transaction: Transaction) -> NoReturn:
    raise WorkFailed


async def remember(store: EventStore, asked: Request, answer: bytes) -> None:
    def work(transaction: Transaction) -> None:
        transaction.remember(asked, ANNA, answer)

    await store.write(work, {ANNA})


async def recall(store: EventStore, asked: Request) -> Remembered | None:
    return await store.write(lambda transaction: transaction.recall(asked))


class EventStoreContract(
    ScopedContract, TreeContract, CheckpointContract, ErasureContract, RetentionContract
):
    """The promises of `EventStore` and `Transaction`. `store` and `other` are new and empty."""

    # --- appending ---------------------------------------------------------------------------

    async def test_a_new_store_is_empty(self, store: EventStore) -> None:
        """A new log has its head before the first position and knows nobody."""
        page = await store.events(START, EVERYTHING)

        assert (page.events, page.head) == ([], START)
        assert await store.head() == START
        assert await store.published() == []
        assert await store.records([Question(NEWSLETTER, [ANNA])]) == Records(START, [[Record()]])
        assert await store.subject_records(None, EVERYTHING) == (START, [])

    async def test_positions_have_no_gaps(self, store: EventStore) -> None:
        """Positions are 1, 2, 3 and so on, over several requests and several events of one."""
        first = await record(store, given())
        second = await record(store, given(BEN), given(CARL), withdrawn(BEN))
        third = await record(store, withdrawn())

        assert (first, second, third) == ([1], [2, 3, 4], [5])
        assert [one.position for one in await everything(store)] == [1, 2, 3, 4, 5]
        assert await store.head() == 5

    async def test_an_event_is_read_as_it_was_appended(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """Nothing of an event is lost or changed by being stored."""
        await publish(store, catalogue())
        notice = (await store.published())[0].notice
        new = event(EventKind.CONSENT_GIVEN, notice=notice, refers_to=Position(3))
        (position,) = await record(store, new)
        stored = (await everything(store))[-1]

        assert stored.position == position
        assert stored.recorded_at == clock.now
        assert stored.pseudonym == (await store.pseudonyms([ANNA]))[ANNA]
        assert (
            stored.kind,
            stored.purpose,
            stored.personal,
            stored.notice,
            stored.refers_to,
        ) == (new.kind, new.purpose, new.personal, new.notice, new.refers_to)

    async def test_work_that_raises_leaves_nothing(self, store: EventStore) -> None:
        """If a request's work raises midway, none of what it did exists, and there is no gap."""
        await record(store, given())

        def work(transaction: Transaction) -> None:
            transaction.append(withdrawn())
            transaction.append(restricted())
            transaction.publish(NEWSLETTER, NoticeRef("9", "en", b"\1" * 32), "Title", "Text.")
            transaction.remember(request(), ANNA, b"answer")
            fail(transaction)

        with pytest.raises(WorkFailed):
            await store.write(work, {ANNA})

        assert [one.kind for one in await everything(store)] == [EventKind.CONSENT_GIVEN]
        assert await store.published() == []
        _, known = await store.subject_record(ANNA)
        assert known is not None
        assert known.standing == NOTHING_STANDS
        assert known.consents[NEWSLETTER].position == 1
        assert await recall(store, request()) is None
        assert await record(store, withdrawn()) == [2]

    async def test_a_notice_that_came_to_nothing_is_not_taken_for_the_next_one(
        self, store: EventStore
    ) -> None:
        """A text that was published and used by a request that failed leaves no trace."""
        lost, kept = NoticeRef("1", "en", b"\1" * 32), NoticeRef("2", "en", b"\2" * 32)

        def work(transaction: Transaction) -> None:
            transaction.publish(NEWSLETTER, lost, "Lost", "Lost.")
            transaction.append(event(EventKind.CONSENT_GIVEN, notice=lost))
            assert transaction.consent(ANNA, NEWSLETTER).position == 2
            fail(transaction)

        with pytest.raises(WorkFailed):
            await store.write(work, {ANNA})
        await store.write(lambda transaction: transaction.publish(NEWSLETTER, kept, "Kept", "K."))
        await record(store, event(EventKind.CONSENT_GIVEN, notice=kept))
        _, known = await store.subject_record(ANNA)

        assert known is not None
        assert known.consents[NEWSLETTER].choice == Choice(
            EventKind.CONSENT_GIVEN, Position(2), (await everything(store))[1].recorded_at, kept
        )

    async def test_a_write_returns_what_its_work_returns(self, store: EventStore) -> None:
        """Whatever the work returns comes back, an exception that it did not raise included."""
        error = WorkFailed()

        assert await store.write(lambda transaction: error) is error
        assert await store.write(lambda transaction: 0) == 0

    @pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration, KeyError, WorkFailed])
    async def test_a_store_outlives_whatever_work_raises(
        self, store: EventStore, error: type[Exception]
    ) -> None:
        """An exception of any kind is its own request's, and the next write succeeds."""

        def work(transaction: Transaction) -> None:
            transaction.append(given())
            raise error

        with pytest.raises((error, RuntimeError)):  # Python itself wraps a StopIteration
            await store.write(work, {ANNA})

        assert await record(store, given()) == [1]

    async def test_a_subject_is_announced_before_it_is_written_about(
        self, store: EventStore
    ) -> None:
        """An event of somebody who was not announced is refused, and nothing is appended."""
        with pytest.raises(KeyError):
            await store.write(lambda transaction: transaction.append(given(BEN)), {ANNA})

        assert await store.head() == START

    # --- inside a request --------------------------------------------------------------------

    async def test_a_request_sees_its_own_events(self, store: EventStore) -> None:
        """Head, consent, standing and history include what the request itself has appended."""
        await record(store, given())
        seen: list[object] = []

        def work(transaction: Transaction) -> None:
            seen.append((transaction.head, transaction.consent(ANNA, NEWSLETTER).position))
            transaction.append(withdrawn())
            transaction.append(restricted())
            seen.append((transaction.head, transaction.consent(ANNA, NEWSLETTER).position))
            seen.append(transaction.standing(ANNA))
            seen.append([one.position for one in transaction.history(ANNA, NEWSLETTER, START)])

        await store.write(work, {ANNA})

        assert seen == [(1, 1), (3, 2), Standing(restriction=Position(3)), [1, 2]]

    async def test_history_is_of_one_consent_past_a_position(self, store: EventStore) -> None:
        """History leaves out other purposes, other subjects and what is not past the position."""
        await record(store, given(), given(BEN), given(purpose=PROFILING), withdrawn(), given())

        def positions(after: int) -> Callable[[Transaction], list[int]]:
            return lambda transaction: [
                one.position for one in transaction.history(ANNA, NEWSLETTER, Position(after))
            ]

        assert await store.write(positions(0), {ANNA}) == [1, 4, 5]
        assert await store.write(positions(1), {ANNA}) == [4, 5]
        assert await store.write(positions(5), {ANNA}) == []
        assert await store.write(positions(99), {ANNA}) == []

    async def test_history_is_of_whole_events(self, store: EventStore) -> None:
        """What a request reads of the past has its personal parts, its own events included."""
        await record(store, given())

        def work(transaction: Transaction) -> list[Event]:
            transaction.append(withdrawn())
            return transaction.history(ANNA, NEWSLETTER, START)

        assert await store.write(work, {ANNA}) == await everything(store)

    async def test_events_carry_the_time_that_the_request_was_told(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """All events of a request are recorded at the one moment that it saw as now."""
        told: list[Instant] = []

        def work(transaction: Transaction) -> None:
            told.append(transaction.now)
            transaction.append(given())
            clock.advance(timedelta(seconds=1))
            told.append(transaction.now)
            transaction.append(withdrawn())

        before = clock.now
        await store.write(work, {ANNA})

        assert told == [before, before]
        assert [one.recorded_at for one in await everything(store)] == [before, before]

    async def test_recorded_time_never_goes_back(self, store: EventStore, clock: FakeClock) -> None:
        """When the clock is set back, events carry the last one's time until it has caught up."""
        await record(store, given())
        first = clock.now
        clock.advance(timedelta(minutes=-5))
        await record(store, withdrawn())
        now = await store.write(lambda transaction: transaction.now)
        clock.advance(timedelta(minutes=6))
        await record(store, given())

        assert now == first
        assert [one.recorded_at for one in await everything(store)] == [
            first,
            first,
            add(first, timedelta(minutes=1)),
        ]

    async def test_what_is_imported_runs_from_when_it_happened(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """States have the time at which it happened elsewhere, but for one that is yet to come."""
        now, earlier = clock.now, add(clock.now, timedelta(days=-400))
        later = add(clock.now, timedelta(days=1))

        await record(
            store,
            *(
                replace(given(ANNA, purpose), since=since)
                for since, purpose in (
                    (earlier, NEWSLETTER),
                    (later, PROFILING),
                    (None, STATISTICS),
                )
            ),
        )
        _, found = await store.subject_record(ANNA)
        assert found
        chosen = [one.choice and one.choice.recorded_at for one in found.consents.values()]

        assert dict(zip(found.consents, chosen, strict=True)) == {
            NEWSLETTER: earlier,
            PROFILING: now,
            STATISTICS: now,
        }
        assert [one.since for one in await everything(store)] == [earlier, now, None]
        assert {one.recorded_at for one in await everything(store)} == {now}
        assert await store.due({NEWSLETTER: earlier, PROFILING: earlier}, earlier, 100) == [
            Due(ANNA, NEWSLETTER)
        ]
        past = (await store.records([Question(NEWSLETTER, [ANNA])], earlier)).answers
        assert past[0][0].consent.choice is None

    # --- repeated requests -------------------------------------------------------------------

    async def test_a_repeated_request_is_recognised(self, store: EventStore) -> None:
        """A request is recalled by caller and id, with the first answer and whether it is equal."""
        await remember(store, request(), b"answer")
        recalled = [
            await recall(store, again)
            for again in (
                request(),
                request(content=b"other"),
                request(caller="mailer"),
                request(id="request-2"),
                request(id="Request-1"),
            )
        ]

        assert recalled == [
            Remembered(True, b"answer"),
            Remembered(False, b"answer"),
            None,
            None,
            None,
        ]

    async def test_caller_and_request_id_never_run_into_each_other(self, store: EventStore) -> None:
        """No two pairs of caller and id are one request, wherever the seam between them lies."""
        pairs = [("", "abc"), ("a", "bc"), ("ab", "c"), ("abc", "")]
        pairs += [
            ("a/b", "c"),
            ("a", "b/c"),
            ("a:b", "c"),
            ("a", "b:c"),
            ("a|b", "c"),
            ("a", "b|c"),
        ]
        requests = [request(caller, id) for caller, id in pairs]
        for number, asked in enumerate(requests):
            await remember(store, asked, str(number).encode())
        recalled = [await recall(store, asked) for asked in requests]

        assert recalled == [
            Remembered(True, str(number).encode()) for number, _ in enumerate(requests)
        ]

    # --- states ------------------------------------------------------------------------------

    async def test_records_answer_in_the_order_of_the_question(self, store: EventStore) -> None:
        """One record for each subject asked about, strangers and repetitions included."""
        await record(store, given(), given(BEN, PROFILING), restricted(BEN))
        asked = [CARL, ANNA, BEN, ANNA]
        read_at, answers = await store.records(
            [
                Question(NEWSLETTER, asked),
                Question(PROFILING, tuple(asked)),
                Question(STATISTICS, []),
            ]
        )
        names = await store.pseudonyms([ANNA, BEN])
        frozen = Standing(restriction=Position(3))

        assert read_at == 3
        assert [[one.consent.position for one in answer] for answer in answers] == [
            [0, 1, 0, 1],
            [0, 0, 2, 0],
            [],
        ]
        assert [one.pseudonym for one in answers[0]] == [None, names[ANNA], names[BEN], names[ANNA]]
        assert [one.standing for one in answers[0]] == [
            NOTHING_STANDS,
            NOTHING_STANDS,
            frozen,
            NOTHING_STANDS,
        ]

    async def test_states_are_what_follows_from_the_events(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """After any history, every state is the fold of its events."""
        await a_life(store, clock, seed=1)
        events = await everything(store)
        subjects = sorted({one.personal.subject for one in events if one.personal})
        questions = [Question(purpose, [*subjects, CARL]) for purpose in PURPOSES]
        read_at, answers = await store.records(questions)

        assert read_at == len(events)
        assert answers == [replayed(events, question) for question in questions]

    async def test_states_of_the_past_are_those_of_a_prefix(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """Asked about a moment, the log answers as it did after the last event recorded by then."""
        await a_life(store, clock, seed=2, requests=30)
        events = await everything(store)
        subjects = sorted({one.personal.subject for one in events if one.personal})
        questions = [Question(purpose, subjects) for purpose in PURPOSES]

        for moment in sorted({one.recorded_at for one in events}):
            for as_of in (Instant(moment - 1), moment):
                prefix = [one for one in events if one.recorded_at <= as_of]
                read_at, answers = await store.records(questions, as_of)

                assert [one.position for one in prefix] == list(range(1, read_at + 1))
                assert _without_strangers(answers) == _without_strangers(
                    [replayed(prefix, question) for question in questions]
                )

    async def test_a_subjects_record_holds_all_its_consents(self, store: EventStore) -> None:
        """One subject's record has every purpose that has had an event, and what stands above."""
        await record(store, given(), given(purpose=PROFILING), restricted(), given(BEN))
        head, known = await store.subject_record(ANNA)

        assert head == 4
        assert known is not None
        assert (known.subject, known.standing) == (ANNA, Standing(restriction=Position(3)))
        assert {purpose: one.position for purpose, one in known.consents.items()} == {
            NEWSLETTER: 1,
            PROFILING: 2,
        }
        assert await store.subject_record(CARL) == (4, None)

    async def test_subjects_are_paged_by_pseudonym(self, store: EventStore) -> None:
        """Pages, each from the last one's pseudonym on, hold everybody once, in order."""
        subjects = [SubjectId(f"customer:{number}") for number in range(7)]
        await record(store, *(given(subject) for subject in subjects))
        pages: list[list[SubjectRecord]] = []
        last: Pseudonym | None = None
        while not pages or pages[-1]:
            head, page = await store.subject_records(last, 3)
            pages.append(page)
            last = page[-1].pseudonym if page else None
            assert head == 7
        found = [one for page in pages for one in page]

        assert [len(page) for page in pages] == [3, 3, 1, 0]
        assert sorted(one.subject for one in found) == subjects
        assert [one.pseudonym for one in found] == sorted(one.pseudonym for one in found)
        assert all(one.consents[NEWSLETTER].choice is not None for one in found)

    async def test_subjects_behind_pseudonyms(self, store: EventStore) -> None:
        """Records are found by pseudonym, and pseudonyms of nobody are left out."""
        await record(store, given(), given(BEN), given(CARL))
        names = await store.pseudonyms([ANNA, CARL])
        nobody = Pseudonym(b"\0" * 16)
        head, found = await store.subjects_of([names[CARL], nobody, names[ANNA]])

        assert head == 3
        assert sorted(one.subject for one in found) == [ANNA, CARL]
        assert {one.subject: one.consents[NEWSLETTER].position for one in found} == {
            ANNA: 1,
            CARL: 3,
        }

    # --- the log -----------------------------------------------------------------------------

    async def test_events_are_read_in_pages(self, store: EventStore) -> None:
        """A page holds the events past a position, in order, and the head."""
        await record(store, *(given(SubjectId(f"customer:{number}")) for number in range(5)))
        pages = [await store.events(Position(after), 2) for after in (0, 2, 4, 5)]

        assert [[one.position for one in page.events] for page in pages] == [
            [1, 2],
            [3, 4],
            [5],
            [],
        ]
        assert {page.head for page in pages} == {5}

    @pytest.mark.parametrize("after", [4, 1_000, 2**63, 2**64 - 1])
    async def test_past_the_head_there_is_nothing(self, store: EventStore, after: int) -> None:
        """A position past the head, however far, gives an empty page and tells the head."""
        await record(store, given(), given(BEN), withdrawn())

        assert await store.events(Position(after), 10) == ([], 3)
        assert await store.subject_events(ANNA, Stretch(10, Position(after))) == ([], 2, 3)

    async def test_a_subjects_events_are_its_own(self, store: EventStore) -> None:
        """One subject's pages hold that subject's events only, whole and in order."""
        await record(store, given(), given(BEN), given(purpose=PROFILING), restricted(), given(BEN))
        everyone = await everything(store)
        pages = [await store.subject_events(ANNA, Stretch(2, Position(after))) for after in (0, 3)]

        assert [page.events for page in pages] == [[everyone[0], everyone[2]], [everyone[3]]]
        assert {page.head for page in pages} == {5}
        assert await store.subject_events(CARL, Stretch(10)) == ([], 0, 5)

    async def test_a_history_is_read_from_either_end(self, store: EventStore) -> None:
        """Any stretch of it, in either order, with the number of all."""
        await record(store, *(given(one) for one in [ANNA, BEN, ANNA, ANNA, BEN, ANNA]))

        async def positions(*stretch: Any) -> list[int]:
            history = await store.subject_events(ANNA, Stretch(*stretch))
            assert (history.total, history.head) == (4, 6)
            return [one.position for one in history.events]

        assert await positions(9) == [1, 3, 4, 6]
        assert await positions(9, None, 0, True) == [6, 4, 3, 1]
        assert await positions(2, None, 1) == [3, 4]
        assert await positions(2, None, 1, True) == [4, 3]
        assert await positions(2, Position(3)) == [4, 6]
        assert await positions(2, Position(4), 0, True) == [3, 1]
        assert await positions(2, Position(4), 1, True) == [1]
        assert await positions(2, None, 4, True) == []

    async def test_published_notices_are_kept_with_their_text(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """Every notice ever published is there, in order, with its text, place and time."""
        first, second = NoticeRef("1", "en", b"\1" * 32), NoticeRef("1", "fr", b"\2" * 32)
        start = clock.now
        await store.write(lambda one: one.publish(NEWSLETTER, first, "Title", "Text."))
        await record(store, given())
        clock.advance(timedelta(days=1))
        await store.write(lambda one: one.publish(PROFILING, second, "Titre", "Été, forêt, œuvre."))

        assert await store.published() == [
            (1, start, NEWSLETTER, first, "Title", "Text."),
            (3, clock.now, PROFILING, second, "Titre", "Été, forêt, œuvre."),
        ]
        assert [one.kind for one in await everything(store)] == [
            EventKind.NOTICE_PUBLISHED,
            EventKind.CONSENT_GIVEN,
            EventKind.NOTICE_PUBLISHED,
        ]

    async def test_a_request_sees_what_has_been_published(self, store: EventStore) -> None:
        """Inside a request every notice is there, in order, its own included."""
        first, second = NoticeRef("1", "en", b"\1" * 32), NoticeRef("1", "fr", b"\2" * 32)
        await store.write(lambda one: one.publish(NEWSLETTER, first, "Title", "Text."))

        def work(transaction: Transaction) -> tuple[list[NoticeRef], list[NoticeRef]]:
            before = [one.notice for one in transaction.published()]
            transaction.publish(NEWSLETTER, second, "Titre", "Texte.")
            return before, [one.notice for one in transaction.published()]

        assert await store.write(work) == ([first], [first, second])

    # --- what has run out --------------------------------------------------------------------

    async def test_due_finds_exactly_what_may_have_run_out(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """Due are consents and requests up to their moment that no event has ended or marked."""
        dora, emil, finn = SubjectId("dora"), SubjectId("emil"), SubjectId("finn")
        start = clock.now
        await record(store, given(ANNA), given(BEN), given(CARL), given(ANNA, STATISTICS))
        await record(store, requested(dora), requested(emil), given(finn, PROFILING))
        await record(
            store,
            withdrawn(BEN),
            event(EventKind.CONSENT_EXPIRED, CARL, refers_to=Position(3)),
            event(EventKind.OBJECTION_RAISED, emil),
        )
        clock.advance(timedelta(microseconds=1))
        await record(store, given(finn, NEWSLETTER), requested(finn, STATISTICS))
        before = Instant(start - 1)

        assert set(await store.due({NEWSLETTER: start, PROFILING: before}, start, 100)) == {
            Due(ANNA, NEWSLETTER),
            Due(dora, NEWSLETTER),
        }
        assert await store.due({NEWSLETTER: before}, before, 100) == []
        assert await store.due({}, before, 100) == []
        assert set(await store.due({NEWSLETTER: clock.now}, before, 100)) == {
            Due(ANNA, NEWSLETTER),
            Due(finn, NEWSLETTER),
        }
        assert set(await store.due({}, clock.now, 100)) == {
            Due(dora, NEWSLETTER),
            Due(finn, STATISTICS),
        }

    async def test_due_takes_the_oldest_first(self, store: EventStore, clock: FakeClock) -> None:
        """Of each purpose, and of requests, at most the limit is found, and nobody waits for ever.

        One purpose's consents, looked at and found to be still running, must not stand in front of
        another's that are over.
        """
        subjects = [SubjectId(f"customer:{number}") for number in range(4)]
        for purpose in (NEWSLETTER, PROFILING):
            for subject in reversed(subjects):
                await record(store, given(subject, purpose))
                clock.advance(timedelta(seconds=1))
        for subject in subjects:
            await record(store, requested(subject, STATISTICS))
            clock.advance(timedelta(seconds=1))
        due = await store.due({NEWSLETTER: clock.now, PROFILING: clock.now}, clock.now, 2)

        def of(purpose: PurposeId) -> list[SubjectId]:
            return [one.subject for one in due if one.purpose == purpose]

        assert of(NEWSLETTER) == [subjects[3], subjects[2]]
        assert of(PROFILING) == [subjects[3], subjects[2]]
        assert of(STATISTICS) == [subjects[0], subjects[1]]

    async def test_due_names_a_pair_once(self, store: EventStore, clock: FakeClock) -> None:
        """Who has both a consent and a request that may be over is named once."""
        await record(store, given(), requested())

        assert await store.due({NEWSLETTER: clock.now}, clock.now, 10) == [Due(ANNA, NEWSLETTER)]

    # --- who it is about ---------------------------------------------------------------------

    async def test_pseudonyms_are_stable(self, store: EventStore) -> None:
        """A subject has one pseudonym, before and after its first event."""
        first = await store.pseudonyms([ANNA, BEN])
        await record(store, given())
        inside = await store.write(lambda transaction: transaction.pseudonym(ANNA), {ANNA})

        assert await store.pseudonyms([BEN, ANNA]) == first
        assert inside == first[ANNA]
        assert (await everything(store))[0].pseudonym == first[ANNA]
        assert await store.pseudonyms([]) == {}

    async def test_pseudonyms_are_random(self, store: EventStore, other: EventStore) -> None:
        """A pseudonym is 16 bytes that cannot be worked out from the id: each log has its own."""
        subjects = [SubjectId(f"customer:{number}") for number in range(50)]
        here, there = await store.pseudonyms(subjects), await other.pseudonyms(subjects)

        assert {len(one) for one in here.values()} == {16}
        assert len({*here.values(), *there.values()}) == 100

    async def test_ids_never_meet(self, store: EventStore) -> None:
        """Ids that differ in case, separators or quotes are different subjects everywhere."""
        await record(store, *(given(subject) for subject in LOOKALIKES))
        _, (answers,) = await store.records([Question(NEWSLETTER, LOOKALIKES)])
        _, (past,) = await store.records(
            [Question(NEWSLETTER, LOOKALIKES)], (await everything(store))[-1].recorded_at
        )
        names = await store.pseudonyms(LOOKALIKES)

        assert len(set(names.values())) == len(LOOKALIKES)
        for position, subject in enumerate(LOOKALIKES, 1):
            _, known = await store.subject_record(subject)
            page = await store.subject_events(subject, Stretch(EVERYTHING))
            assert known is not None
            assert known.consents[NEWSLETTER].position == position
            assert [one.position for one in page.events] == [position]
            assert answers[position - 1].consent.position == position
            assert past[position - 1].consent.position == position

    # --- many at once ------------------------------------------------------------------------

    async def test_concurrent_writes_have_one_order(self, store: EventStore) -> None:
        """Fifty writes at once each see all before them, and the log has them in that order."""
        subjects = [SubjectId(f"customer:{number}") for number in range(50)]

        async def write(subject: SubjectId) -> tuple[int, int, int]:
            def work(transaction: Transaction) -> tuple[int, int, int]:
                before = transaction.head
                return (
                    before,
                    transaction.append(given(subject)),
                    transaction.append(given(subject)),
                )

            return await store.write(work, {subject})

        seen = await asyncio.gather(*map(write, subjects))
        events = await everything(store)

        assert sorted(seen) == [(at, at + 1, at + 2) for at in range(0, 100, 2)]
        assert [one.position for one in events] == list(range(1, 101))
        for subject, (_, first, second) in zip(subjects, seen, strict=True):
            theirs = [
                one.position for one in events if one.personal and one.personal.subject == subject
            ]
            assert theirs == [first, second]

    async def test_one_bad_request_spoils_nobodys(self, store: EventStore) -> None:
        """Of requests at once, those that fail are told so, and all others are recorded."""
        subjects = [SubjectId(f"customer:{number}") for number in range(30)]

        async def write(number: int, subject: SubjectId) -> None:
            def work(transaction: Transaction) -> None:
                transaction.append(given(subject))
                if number % 3 == 0:
                    fail(transaction)
                transaction.append(withdrawn(subject))

            await store.write(work, {subject})

        outcomes = await asyncio.gather(
            *(write(*one) for one in enumerate(subjects)), return_exceptions=True
        )
        events = await everything(store)

        assert [type(one) for one in outcomes] == [WorkFailed, type(None), type(None)] * 10
        assert [one.position for one in events] == list(range(1, 41))
        assert sorted(one.personal.subject for one in events if one.personal) == sorted(
            2 * [subject for number, subject in enumerate(subjects) if number % 3]
        )

    async def test_a_cancelled_write_is_all_or_nothing(self, store: EventStore) -> None:
        """A caller that is cancelled leaves both of its events or none, and harms no other."""
        tasks = [asyncio.ensure_future(record(store, given(), withdrawn())) for _ in range(10)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.wait(tasks)
        await record(store, given())
        kinds = [one.kind for one in await everything(store)]

        assert all(not task.cancelled() for task in tasks[1::2])
        assert len(kinds) >= 11
        assert kinds == [EventKind.CONSENT_GIVEN, EventKind.CONSENT_WITHDRAWN] * (
            len(kinds) // 2
        ) + [EventKind.CONSENT_GIVEN]

    # --- waiting -----------------------------------------------------------------------------

    async def test_waiting_ends_when_the_log_grows(self, store: EventStore) -> None:
        """All who wait for the log to go past a position are woken by the append."""
        await record(store, given())
        await store.past(START)
        waiting = [asyncio.ensure_future(store.past(Position(1))) for _ in range(3)]
        later = asyncio.ensure_future(store.past(Position(2)))
        await asyncio.sleep(0)
        assert not any(one.done() for one in waiting)
        await record(store, withdrawn())
        await asyncio.wait_for(asyncio.gather(*waiting), 5)

        assert not later.done()
        await record(store, given())
        await asyncio.wait_for(later, 5)

    async def test_waiting_can_be_given_up(self, store: EventStore) -> None:
        """A wait that is cancelled ends at once and leaves the others waiting."""
        given_up, other = (asyncio.ensure_future(store.past(START)) for _ in range(2))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])
        assert given_up.cancelled()
        assert not other.done()
        await record(store, given())

        await asyncio.wait_for(other, 5)

    async def test_nothing_appended_wakes_nobody(self, store: EventStore) -> None:
        """A write that fails, or appends nothing, does not end a wait."""
        waiting = asyncio.ensure_future(store.past(START))
        with pytest.raises(WorkFailed):
            await store.write(fail)
        await store.write(lambda transaction: transaction.head)
        await store.head()

        assert not waiting.done()
        waiting.cancel()

    # --- the store itself --------------------------------------------------------------------

    async def test_a_store_has_a_name_and_secrets_of_its_own(
        self, store: EventStore, other: EventStore
    ) -> None:
        """Store id and secrets are random, of fixed length, and always the same."""
        assert len(store.store_id) == 16
        assert len(store.secret("links")) == 32
        assert store.store_id == store.store_id
        assert store.secret("links") == store.secret("links")
        assert store.store_id != other.store_id
        assert store.secret("links") != other.secret("links")


def _without_strangers(answers: list[list[Record]]) -> list[list[tuple[Consent, Standing]]]:
    # A subject whose first event is still to come may have its pseudonym already.
    return [[(one.consent, one.standing) for one in answer] for answer in answers]
