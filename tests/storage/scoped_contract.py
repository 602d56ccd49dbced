"""What every store promises about purposes that take a scope."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import NoReturn

import pytest

from consentsvc.domain.consent import Standing
from consentsvc.domain.events import EventKind, NoticeRef
from consentsvc.domain.identifiers import START, Position, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.choices import SILENT, Choices, Mark, Said, Sayings, ran_out
from consentsvc.domain.scope import ACCOUNT, ContactField, ContactId, DomainName, Reach
from consentsvc.service.ports import ChoiceRecords, Due, EventStore, Inquiry, Stretch, Transaction
from tests.storage.making import (
    ANNA,
    BEN,
    CARL,
    CONTACT,
    ELSEWHERE,
    EMAIL,
    EVERYTHING,
    IN_ROLE,
    NAME,
    NESTED,
    OF_CONTACT,
    OF_DOMAIN,
    PUBLICATION,
    a_life,
    choices_in,
    event,
    everything,
    given,
    record,
    reported,
    requested,
    restricted,
    sayings_in,
    scoped,
    withdrawn,
)
from tests.support.catalogues import NEWSLETTER, purpose
from tests.support.clock import FakeClock

GIVEN, WITHDRAWN = EventKind.CONSENT_GIVEN, EventKind.CONSENT_WITHDRAWN
REQUESTED, EXPIRED = EventKind.CONSENT_REQUESTED, EventKind.CONSENT_EXPIRED
REFUSED, REVOKED = EventKind.CONSENT_REFUSED, EventKind.CONSENT_REVOKED

EVERYWHERE = frozenset([*NESTED, *ELSEWHERE])
OTHER_PURPOSE = PurposeId("reseller42.publication")
START_OF_TIME, LONG_AFTER = Instant(0), Instant(2**62)
MONTHLY = purpose(PUBLICATION, months=1)


async def choices_of(
    store: EventStore,
    subject: SubjectId = ANNA,
    reaches: frozenset[Reach] = EVERYWHERE,
    purpose: PurposeId = PUBLICATION,
    as_of: Instant | None = None,
) -> Choices:
    _, (found,) = await store.choices(purpose, [Inquiry(subject, reaches)], as_of)
    return asked_of(found, reaches)


def asked_of(choices: Choices, reaches: frozenset[Reach]) -> Choices:
    """Without what a store may tell besides."""
    asked = {reach: said for reach, said in choices.sayings.items() if reach in reaches}
    return choices._replace(sayings=asked)


def sayings_of(
    subject: SubjectId = ANNA, purpose: PurposeId = PUBLICATION
) -> Callable[[Transaction], dict[Reach, Sayings]]:
    return lambda transaction: transaction.sayings(subject, purpose)


def positions(sayings: Mapping[Reach, Sayings]) -> dict[Reach, dict[ContactField, Position]]:
    """The consents of each reach and field."""
    return {
        reach: {field: said.given.position for field, said in fields.items() if said.given}
        for reach, fields in sayings.items()
    }


def fail(transaction: Transaction) -> NoReturn:
    raise KeyError


class ScopedContract:
    """The promises about scopes. `store` is new and empty."""

    # --- events ------------------------------------------------------------------------------

    async def test_a_scope_and_a_report_are_read_as_they_were_appended(
        self, store: EventStore
    ) -> None:
        """Events come back with scope and report, by position, by subject and from inside."""
        new = [*(scoped(GIVEN, reach, NAME | EMAIL) for reach in NESTED), reported()]
        await record(store, *new, given(BEN))
        theirs = (await store.subject_events(ANNA, Stretch(EVERYTHING))).events
        inside = await store.write(
            lambda transaction: transaction.history(ANNA, PUBLICATION, START), {ANNA}
        )

        assert [one.personal for one in theirs] == [one.personal for one in new]
        assert theirs == (await everything(store))[:-1]
        assert inside == theirs

    async def test_a_report_changes_no_state(self, store: EventStore) -> None:
        """A report is an event of its subject and nothing else: no consent, no saying, no state."""
        await record(store, reported(), scoped(GIVEN, OF_CONTACT), reported(), reported(BEN))
        _, anna = await store.subject_record(ANNA)
        _, ben = await store.subject_record(BEN)

        assert anna is not None
        assert ben is not None
        assert anna.consents[PUBLICATION].position == 2
        assert positions(anna.sayings[PUBLICATION]) == {OF_CONTACT: {ContactField.ALL: 2}}
        assert (ben.consents, ben.sayings) == ({}, {})
        assert await choices_of(store, BEN) == SILENT
        theirs = (await store.subject_events(BEN, Stretch(EVERYTHING))).events
        assert [one.kind for one in theirs] == [EventKind.PUBLICATION_REPORTED]

    # --- choices -----------------------------------------------------------------------------

    async def test_nothing_was_said_yet(self, store: EventStore) -> None:
        """Of strangers, of reaches that nobody spoke of, and of other purposes there is silence."""
        assert await store.choices(PUBLICATION, []) == ChoiceRecords(START, [])
        assert await choices_of(store) == SILENT
        await record(store, scoped(GIVEN, OF_CONTACT), given(BEN))

        assert await choices_of(store, reaches=frozenset({ACCOUNT, IN_ROLE})) == SILENT
        assert await choices_of(store, reaches=frozenset()) == SILENT
        assert await choices_of(store, purpose=OTHER_PURPOSE) == SILENT
        assert await choices_of(store, BEN) == SILENT
        assert await choices_of(store, CARL) == SILENT

    async def test_each_reach_and_field_has_its_own_sayings(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """What is said of one field at one reach leaves every other one as it was."""
        notice = NoticeRef("1", "en", b"\1" * 32)
        await store.write(lambda one: one.publish(PUBLICATION, notice, "Title", "Text."))
        first = clock.now
        await record(
            store,
            scoped(GIVEN, OF_CONTACT, NAME | EMAIL, notice=notice),
            scoped(REQUESTED, IN_ROLE, EMAIL, notice=notice),
        )
        clock.advance(timedelta(days=1))
        await record(store, scoped(WITHDRAWN, OF_CONTACT, EMAIL))
        yes = Mark(GIVEN, Position(2), first, notice)
        no = Mark(WITHDRAWN, Position(4), clock.now)

        assert await choices_of(store) == Choices(
            {
                OF_CONTACT: {ContactField.NAME: Said(yes), ContactField.EMAIL: Said(yes, no)},
                IN_ROLE: {
                    ContactField.EMAIL: Said(request=Mark(REQUESTED, Position(3), first, notice))
                },
            }
        )

    async def test_choices_answer_in_the_order_of_the_inquiries(self, store: EventStore) -> None:
        """One answer for each inquiry, strangers and repetitions included, at one position."""
        await record(
            store,
            scoped(GIVEN, OF_CONTACT),
            scoped(GIVEN, OF_CONTACT, subject=BEN),
            scoped(GIVEN, ACCOUNT, subject=BEN),
            scoped(GIVEN, OF_CONTACT, purpose=OTHER_PURPOSE),
        )
        only = [frozenset({OF_CONTACT}), frozenset({ACCOUNT})]
        inquiries = [
            Inquiry(BEN, only[0]),
            Inquiry(CARL, only[0]),
            Inquiry(ANNA, only[0]),
            Inquiry(BEN, only[1]),
            Inquiry(BEN, only[0]),
        ]
        read_at, answers = await store.choices(PUBLICATION, inquiries)
        found = [
            positions(asked_of(answer, asked.reaches).sayings)
            for answer, asked in zip(answers, inquiries, strict=True)
        ]

        assert read_at == 4
        assert found == [
            {OF_CONTACT: {ContactField.ALL: 2}},
            {},
            {OF_CONTACT: {ContactField.ALL: 1}},
            {ACCOUNT: {ContactField.ALL: 3}},
            {OF_CONTACT: {ContactField.ALL: 2}},
        ]

    async def test_choices_of_few_words_and_of_many(self, store: EventStore) -> None:
        """Who spoke at one reach and who spoke at many are answered together, each with their own.

        SQLite reads all rows of the one, and of the other those that are asked for.
        """
        many = [Reach(ContactId("C-1"), DomainName(f"d{number}.example")) for number in range(6)]
        await record(
            store,
            *(scoped(GIVEN, reach) for reach in many),
            scoped(GIVEN, many[0], subject=BEN),
            *(scoped(GIVEN, reach, subject=CARL) for reach in many[:4]),
        )
        asked = frozenset(many[:2])
        subjects = [ANNA, BEN, CARL]
        _, answers = await store.choices(PUBLICATION, [Inquiry(one, asked) for one in subjects])
        found = [positions(asked_of(answer, asked).sayings) for answer in answers]

        assert found == [
            {many[0]: {ContactField.ALL: 1}, many[1]: {ContactField.ALL: 2}},
            {many[0]: {ContactField.ALL: 7}},
            {many[0]: {ContactField.ALL: 8}, many[1]: {ContactField.ALL: 9}},
        ]

    async def test_choices_tell_what_stands_above_them(self, store: EventStore) -> None:
        """Restriction, death and objection are told, also where nothing was ever said."""
        await record(
            store,
            scoped(GIVEN),
            restricted(),
            event(EventKind.DEATH_REPORTED, BEN, None),
            event(EventKind.OBJECTION_RAISED, BEN, PUBLICATION),
            event(EventKind.OBJECTION_RAISED, CARL, NEWSLETTER),
        )
        anna, ben, carl = [await choices_of(store, one) for one in (ANNA, BEN, CARL)]

        assert (anna.standing, anna.objection) == (Standing(restriction=Position(2)), None)
        assert positions(anna.sayings) == {ACCOUNT: {ContactField.ALL: 1}}
        assert ben == Choices({}, Standing(death=Position(3)), Position(4))
        assert carl == SILENT

    async def test_choices_are_what_follows_from_the_events(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """After any history, choices and records are the fold of their events."""
        await a_life(store, clock, seed=6, requests=120)
        events = await everything(store)
        subjects = sorted({one.personal.subject for one in events if one.personal})
        inquiries = [Inquiry(one, EVERYWHERE) for one in subjects]
        read_at, answers = await store.choices(PUBLICATION, inquiries)
        _, records = await store.subject_records(None, EVERYTHING)
        _, known = await store.subjects_of([one.pseudonym for one in records])
        inside = [await store.write(sayings_of(one), {one}) for one in subjects]

        assert read_at == len(events)
        assert answers == [choices_in(events, one) for one in subjects]
        assert {one.subject: one.sayings for one in records} == {
            one: {PUBLICATION: sayings_in(events, one)} for one in subjects
        }
        assert sorted(known) == sorted(records)
        assert [(await store.subject_record(one.subject))[1] for one in records] == records
        assert inside == [sayings_in(events, one) for one in subjects]

    async def test_choices_of_the_past_are_those_of_a_prefix(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """Asked about a moment, the log answers as it did after the last event recorded by then."""
        await a_life(store, clock, seed=7, requests=40)
        events = await everything(store)
        subjects = [*sorted({one.personal.subject for one in events if one.personal}), CARL]
        inquiries = [Inquiry(one, EVERYWHERE) for one in subjects]

        for moment in sorted({one.recorded_at for one in events}):
            for as_of in (Instant(moment - 1), moment):
                prefix = [one for one in events if one.recorded_at <= as_of]
                read_at, answers = await store.choices(PUBLICATION, inquiries, as_of)

                assert [one.position for one in prefix] == list(range(1, read_at + 1))
                assert answers == [choices_in(prefix, one) for one in subjects]

    async def test_reaches_never_meet(self, store: EventStore) -> None:
        """Contacts that differ in case, separators or quotes are different ones."""
        contacts = [
            ContactId(text)
            for text in ("a", "A", "a:b", "a/b", "a|b", "a,b", "*", "%", '"', "'", "\\n", "null")
        ]
        reaches = [Reach(contact) for contact in contacts]
        await record(
            store,
            *(scoped(GIVEN, reach) for reach in reaches),
            *(scoped(GIVEN, reach, subject=BEN) for reach in reaches),
        )
        anna, ben = [await choices_of(store, one, frozenset(reaches)) for one in (ANNA, BEN)]

        assert positions(anna.sayings) == {
            reach: {ContactField.ALL: place} for place, reach in enumerate(reaches, 1)
        }
        assert positions(ben.sayings) == {
            reach: {ContactField.ALL: place} for place, reach in enumerate(reaches, 13)
        }

    # --- other states ------------------------------------------------------------------------

    async def test_the_consent_tells_the_latest_event_at_any_reach(self, store: EventStore) -> None:
        """For a purpose that takes a scope the plain state is that of all reaches together."""
        await record(store, scoped(GIVEN, OF_CONTACT), scoped(WITHDRAWN, IN_ROLE, EMAIL))
        _, known = await store.subject_record(ANNA)

        assert known is not None
        consent = known.consents[PUBLICATION]
        assert consent.choice is not None
        assert (consent.choice.kind, consent.position) == (WITHDRAWN, 2)
        assert set(known.sayings[PUBLICATION]) == {OF_CONTACT, IN_ROLE}

    async def test_an_event_without_a_scope_says_nothing_of_any(self, store: EventStore) -> None:
        """What is not about a reach leaves the sayings of all reaches alone."""
        await record(
            store,
            scoped(GIVEN, OF_CONTACT),
            event(EventKind.OBJECTION_RAISED, ANNA, PUBLICATION),
            withdrawn(ANNA, PUBLICATION),
        )
        _, known = await store.subject_record(ANNA)

        assert known is not None
        assert positions(known.sayings[PUBLICATION]) == {OF_CONTACT: {ContactField.ALL: 1}}
        assert known.consents[PUBLICATION].position == 3

    async def test_the_end_of_what_never_was_says_nothing(self, store: EventStore) -> None:
        """An expiry that refers to nothing at its reach leaves no trace but itself."""
        await record(store, scoped(GIVEN, OF_CONTACT), scoped(EXPIRED, ACCOUNT, refers_to=1))
        _, known = await store.subject_record(ANNA)

        assert known is not None
        assert positions(known.sayings[PUBLICATION]) == {OF_CONTACT: {ContactField.ALL: 1}}
        assert known.consents[PUBLICATION].position == 2

    async def test_a_record_has_sayings_where_something_was_said(self, store: EventStore) -> None:
        """Each purpose has its own sayings, and one without a scope has none."""
        await record(
            store,
            given(),
            scoped(GIVEN, OF_CONTACT),
            scoped(GIVEN, OF_CONTACT, purpose=OTHER_PURPOSE),
        )
        _, known = await store.subject_record(ANNA)

        assert known is not None
        assert {one: positions(said) for one, said in known.sayings.items()} == {
            PUBLICATION: {OF_CONTACT: {ContactField.ALL: 2}},
            OTHER_PURPOSE: {OF_CONTACT: {ContactField.ALL: 3}},
        }
        assert await store.write(sayings_of(purpose=NEWSLETTER), {ANNA}) == {}

    # --- inside a request --------------------------------------------------------------------

    async def test_a_request_sees_its_own_sayings(self, store: EventStore) -> None:
        """Sayings include what the request has appended, whether it looked before or not."""
        await record(store, scoped(GIVEN, OF_CONTACT, NAME))
        seen: list[dict[Reach, Sayings]] = []

        def work(transaction: Transaction) -> None:
            transaction.append(scoped(GIVEN, OF_DOMAIN, EMAIL))
            for new in (scoped(GIVEN, OF_CONTACT, EMAIL), scoped(WITHDRAWN), scoped(GIVEN)):
                seen.append(transaction.sayings(ANNA, PUBLICATION))
                transaction.append(new)
            seen.append(transaction.sayings(ANNA, PUBLICATION))

        await store.write(work, {ANNA})
        events = await everything(store)

        assert seen == [sayings_in(events[:number], ANNA) for number in (2, 3, 4, 5)]
        assert await store.write(sayings_of(), {ANNA}) == seen[-1]

    async def test_sayings_of_work_that_raises_do_not_exist(self, store: EventStore) -> None:
        """If a request's work raises, everything that was said is as it was before."""
        await record(store, scoped(GIVEN, OF_CONTACT, NAME))
        before = await choices_of(store)

        def work(transaction: Transaction) -> None:
            transaction.append(scoped(WITHDRAWN))
            transaction.append(scoped(GIVEN, IN_ROLE, NAME))
            transaction.sayings(ANNA, PUBLICATION)
            fail(transaction)

        with pytest.raises(KeyError):
            await store.write(work, {ANNA})

        assert await choices_of(store) == before
        assert await store.due({PUBLICATION: LONG_AFTER}, LONG_AFTER, 10) == [
            Due(ANNA, PUBLICATION)
        ]

    # --- what has run out --------------------------------------------------------------------

    async def test_due_finds_what_may_have_run_out_at_any_reach(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """A consent and a request wait to run out at their own reach, whatever came elsewhere."""
        start = clock.now
        await record(
            store,
            scoped(GIVEN, OF_CONTACT, NAME),
            scoped(REQUESTED, OF_CONTACT, NAME, BEN),
            requested(CARL, PUBLICATION),
        )
        clock.advance(timedelta(days=1))
        await record(
            store,
            scoped(REFUSED, ELSEWHERE[0]),
            scoped(GIVEN, ELSEWHERE[0], subject=BEN),
            withdrawn(CARL, PUBLICATION),
        )
        before = Instant(start - 1)

        assert await store.due({PUBLICATION: start}, before, 10) == [Due(ANNA, PUBLICATION)]
        assert await store.due({NEWSLETTER: start}, start, 10) == [Due(BEN, PUBLICATION)]
        assert await store.due({PUBLICATION: before}, before, 10) == []

    async def test_due_leaves_out_what_an_event_has_marked(self, store: EventStore) -> None:
        """What is marked, confirmed or given anew is not found by its old age."""
        await record(
            store,
            scoped(GIVEN, OF_CONTACT, NAME),
            scoped(EXPIRED, OF_CONTACT, NAME, refers_to=1),
            scoped(REQUESTED, OF_CONTACT, NAME, BEN),
            scoped(EXPIRED, OF_CONTACT, NAME, BEN, refers_to=3),
            scoped(REQUESTED, OF_CONTACT, NAME, CARL),
            scoped(GIVEN, OF_CONTACT, NAME, CARL, refers_to=5),
        )

        assert await store.due({}, LONG_AFTER, 10) == []
        assert await store.due({PUBLICATION: LONG_AFTER}, LONG_AFTER, 10) == [
            Due(CARL, PUBLICATION)
        ]

    @pytest.mark.parametrize("kind", [REFUSED, WITHDRAWN, REVOKED])
    @pytest.mark.parametrize("wider", NESTED)
    async def test_due_leaves_out_what_was_taken_back_at_a_wider_reach(
        self, store: EventStore, kind: EventKind, wider: Reach
    ) -> None:
        """A no ends what was given inside its reach: it is not found, and nothing would come of it.

        Such consents would be the oldest for ever, and stand in front of all that are over.
        """
        await record(store, scoped(GIVEN, IN_ROLE, NAME), scoped(kind, wider, NAME | EMAIL))
        await record(
            store, scoped(GIVEN, ELSEWHERE[0], NAME, BEN), scoped(kind, wider, subject=BEN)
        )
        await record(store, scoped(GIVEN, IN_ROLE, subject=CARL), scoped(kind, wider, NAME, CARL))
        due = await store.due({PUBLICATION: LONG_AFTER}, LONG_AFTER, 10)

        left = {CARL} if wider == ACCOUNT else {BEN, CARL}
        assert {one.subject for one in due} == left

    @pytest.mark.parametrize("seed", [8, 107, 108, 109])
    async def test_due_finds_those_for_whom_something_comes_of_it(
        self, store: EventStore, clock: FakeClock, seed: int
    ) -> None:
        """After any history, exactly those are due for whom an expiry is still to be recorded."""
        await a_life(store, clock, seed, requests=120, people=10)
        events = await everything(store)
        subjects = {one.personal.subject for one in events if one.personal}
        expected = {
            one for one in subjects if ran_out(MONTHLY, sayings_in(events, one), LONG_AFTER)
        }
        due = await store.due({PUBLICATION: LONG_AFTER}, LONG_AFTER, EVERYTHING)

        assert {one.subject for one in due if one.purpose == PUBLICATION} == expected
        assert expected

    async def test_due_counts_an_account_once(self, store: EventStore, clock: FakeClock) -> None:
        """The limit is one of accounts, the oldest first, however many reaches each of them has."""
        for subject in (CARL, ANNA, BEN):
            reaches = [Reach(ContactId(f"{subject}:{number}")) for number in range(5)]
            await record(store, *(scoped(GIVEN, one, subject=subject) for one in reaches))
            await record(store, *(scoped(REQUESTED, one, subject=subject) for one in reaches))
            clock.advance(timedelta(seconds=1))
        await record(store, scoped(GIVEN, Reach(CONTACT), subject=CARL))

        assert await store.due({PUBLICATION: LONG_AFTER}, START_OF_TIME, 2) == [
            Due(CARL, PUBLICATION),
            Due(ANNA, PUBLICATION),
        ]
        assert await store.due({}, LONG_AFTER, 2) == [
            Due(CARL, PUBLICATION),
            Due(ANNA, PUBLICATION),
        ]
        assert len(await store.due({PUBLICATION: LONG_AFTER}, LONG_AFTER, 9)) == 3

    async def test_due_merges_what_has_a_scope_with_what_has_none(
        self, store: EventStore, clock: FakeClock
    ) -> None:
        """Of one purpose the oldest come first, whether they have a scope or not."""
        for new in (
            given(ANNA, PUBLICATION),
            scoped(GIVEN, OF_CONTACT, subject=BEN),
            given(CARL, PUBLICATION),
        ):
            await record(store, new)
            clock.advance(timedelta(seconds=1))

        for limit in (1, 2, 3):
            due = await store.due({PUBLICATION: LONG_AFTER}, LONG_AFTER, limit)
            assert due == [Due(one, PUBLICATION) for one in (ANNA, BEN, CARL)[:limit]]
