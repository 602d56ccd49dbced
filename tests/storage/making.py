"""Events in one line each, and a life's worth of them at random."""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from consentsvc.domain.consent import (
    NOTHING_KNOWN,
    NOTHING_STANDS,
    Consent,
    Standing,
    fold,
    fold_standing,
)
from consentsvc.domain.events import (
    CHOICES,
    STANDINGS,
    THE_SUBJECT,
    Event,
    EventKind,
    NewEvent,
    NoticeRef,
    Personal,
    PublicationReport,
    ReportOutcome,
    Signal,
)
from consentsvc.domain.identifiers import START, CallerId, Position, PurposeId, RequestId, SubjectId
from consentsvc.domain.instants import Instant, add
from consentsvc.domain.publication import choices
from consentsvc.domain.publication.choices import Choices, Sayings
from consentsvc.domain.scope import (
    ACCOUNT,
    EVERY_FIELD,
    ContactField,
    ContactId,
    DomainName,
    Reach,
    Role,
    Scope,
    reaches,
)
from consentsvc.service.notices import publish
from consentsvc.service.ports import EventStore, Question, Record, Request, Transaction
from tests.support.catalogues import NEWSLETTER, PROFILING, STATISTICS, catalogue, purpose
from tests.support.clock import FakeClock

ANNA, BEN, CARL = SubjectId("anna"), SubjectId("ben"), SubjectId("carl")

EVERYTHING = 10_000
"""A limit for what stays small."""

PUBLICATION = PurposeId("publication")
"""A purpose that takes a scope."""

CONTACT, DOMAIN = ContactId("contact:K-4711"), DomainName("xn--bcher-kva.example")
IN_ROLE, OF_DOMAIN, OF_CONTACT, _ = NESTED = reaches(CONTACT, DOMAIN, Role.REGISTRANT)
"""Four reaches, each inside the next one."""
ELSEWHERE = (
    Reach(ContactId("contact:K-4712")),
    Reach(CONTACT, DomainName("other.example")),
    Reach(CONTACT, DOMAIN, Role.TECH),
)
"""Reaches beside them."""
NAME, EMAIL = frozenset({ContactField.NAME}), frozenset({ContactField.EMAIL})

_SUBJECT_KINDS = [
    kind for kind in EventKind if kind not in {EventKind.NOTICE_PUBLISHED, EventKind.SUBJECT_ERASED}
]
OF_NO_PURPOSE = STANDINGS | {
    EventKind.RECORD_EXPORTED,
    EventKind.RECORD_READ,
    EventKind.DIRECTIONS_RECORDED,
    EventKind.SUBJECT_ERASED,
}
"""The kinds that concern every purpose, or none."""
_SPEAKING = CHOICES | {EventKind.CONSENT_REQUESTED, EventKind.CONSENT_EXPIRED}
_SCOPED_KINDS = [
    *sorted(_SPEAKING, key=lambda kind: kind.value),
    EventKind.CONSENT_GIVEN,
    EventKind.CONSENT_GIVEN,
    EventKind.OBJECTION_RAISED,
    EventKind.PUBLICATION_REPORTED,
]
_SOME_FIELDS = [ContactField.NAME, ContactField.EMAIL, ContactField.PHONE]
_WITH_NOTICE = {EventKind.CONSENT_GIVEN, EventKind.CONSENT_REFUSED, EventKind.CONSENT_REQUESTED}


def event(
    kind: EventKind,
    subject: SubjectId = ANNA,
    purpose: PurposeId | None = NEWSLETTER,
    *,
    notice: NoticeRef | None = None,
    refers_to: Position | None = None,
    signal: Signal | None = None,
) -> NewEvent:
    """An event about a subject, by the subject, through the panel."""
    personal = Personal(subject, THE_SUBJECT, "panel")
    return NewEvent(kind, purpose, personal, notice, refers_to, signal)


def given(subject: SubjectId = ANNA, purpose: PurposeId = NEWSLETTER) -> NewEvent:
    """A consent."""
    return event(EventKind.CONSENT_GIVEN, subject, purpose)


def withdrawn(subject: SubjectId = ANNA, purpose: PurposeId = NEWSLETTER) -> NewEvent:
    """Its end."""
    return event(EventKind.CONSENT_WITHDRAWN, subject, purpose)


def requested(subject: SubjectId = ANNA, purpose: PurposeId = NEWSLETTER) -> NewEvent:
    """A consent that is still to be confirmed."""
    return event(EventKind.CONSENT_REQUESTED, subject, purpose)


def scoped(
    kind: EventKind,
    reach: Reach = ACCOUNT,
    fields: frozenset[ContactField] = EVERY_FIELD,
    subject: SubjectId = ANNA,
    purpose: PurposeId = PUBLICATION,
    *,
    notice: NoticeRef | None = None,
    refers_to: int | None = None,
) -> NewEvent:
    """An event about the publication of some fields at a reach."""
    personal = Personal(subject, THE_SUBJECT, "panel", scope=Scope(reach, fields))
    about = None if refers_to is None else Position(refers_to)
    return NewEvent(kind, purpose, personal, notice, about)


def reported(subject: SubjectId = ANNA, reach: Reach = OF_CONTACT) -> NewEvent:
    """What a registry made of what it was told."""
    report = PublicationReport(
        ReportOutcome.REFUSED, "cznic", reach, Position(1), EMAIL | NAME, 2308
    )
    personal = Personal(subject, THE_SUBJECT, "sync", report=report)
    return NewEvent(EventKind.PUBLICATION_REPORTED, PUBLICATION, personal)


def restricted(subject: SubjectId = ANNA) -> NewEvent:
    """A freeze of all purposes."""
    return event(EventKind.PROCESSING_RESTRICTED, subject, None)


def request(caller: str = "panel", id: str = "request-1", content: bytes = b"content") -> Request:
    """A caller's request."""
    return Request(CallerId(caller), RequestId(id), content)


def subjects_of(events: Iterable[NewEvent]) -> set[SubjectId]:
    """Who has to be announced."""
    return {one.personal.subject for one in events if one.personal is not None}


async def record(store: EventStore, *events: NewEvent) -> list[Position]:
    """Appends events in one request."""
    return await store.write(
        lambda transaction: [transaction.append(one) for one in events], subjects_of(events)
    )


async def everything(store: EventStore) -> list[Event]:
    """The whole log."""
    found: list[Event] = []
    while page := (await store.events(found[-1].position if found else START, EVERYTHING)).events:
        found += page
    return found


async def a_life(
    store: EventStore, clock: FakeClock, seed: int, requests: int = 60, people: int = 5
) -> None:
    """Fills a log with requests of one to three events of all kinds, while the clock jumps."""
    known = catalogue(purpose(PUBLICATION))
    await publish(store, known)
    subjects = [SubjectId(f"customer:{number}") for number in range(people)]
    chance = random.Random(seed)
    imports = random.Random(f"{seed} imports")
    notices = {
        purpose: [
            NoticeRef(one.version, one.locale, one.sha256)
            for one in known.purpose(purpose).current.notices.values()
        ]
        for purpose in (NEWSLETTER, PROFILING, STATISTICS, PUBLICATION)
    }

    def work(transaction: Transaction) -> None:
        for _ in range(chance.randint(1, 3)):
            subject = chance.choice(subjects)
            if chance.random() < 0.4:
                said = _about_publication(transaction, chance, subject, notices[PUBLICATION])
                transaction.append(_perhaps_imported(imports, said, transaction.now))
                continue
            kind = chance.choice(_SUBJECT_KINDS)
            purpose = chance.choice([NEWSLETTER, PROFILING, STATISTICS])
            consent = transaction.consent(subject, purpose)
            choice, asked = consent.choice, consent.request
            refers_to = None
            if kind is EventKind.CONSENT_EXPIRED:
                refers_to = next((one.position for one in (choice, asked) if one), None)
            notice = chance.choice([None, *notices[purpose]]) if kind in _WITH_NOTICE else None
            happened = event(
                kind,
                subject,
                None if kind in OF_NO_PURPOSE else purpose,
                notice=notice,
                refers_to=refers_to,
                signal=(
                    Signal.GLOBAL_PRIVACY_CONTROL
                    if kind is EventKind.OBJECTION_RAISED and chance.random() < 0.5
                    else None
                ),
            )
            transaction.append(_perhaps_imported(imports, happened, transaction.now))
            transaction.remember(
                request(id=f"request-{transaction.head}"), subject, b"the first answer"
            )

    for _ in range(requests):
        clock.advance(timedelta(seconds=chance.choice([-30, 0, 1, 60])))
        await store.write(work, subjects)


def _perhaps_imported(chance: random.Random, event: NewEvent, now: Instant) -> NewEvent:
    if chance.random() < 0.8:
        return event
    return replace(event, since=add(now, timedelta(days=chance.choice([-400, -20, -1, 1]))))


def _about_publication(
    transaction: Transaction, chance: random.Random, subject: SubjectId, notices: list[NoticeRef]
) -> NewEvent:
    ran_out = choices.ran_out(
        purpose(PUBLICATION, months=1),
        transaction.sayings(subject, PUBLICATION),
        Instant(2**62),
    )
    kind = chance.choice([*_SCOPED_KINDS, EventKind.CONSENT_EXPIRED])
    if kind is EventKind.OBJECTION_RAISED:
        return event(kind, subject, PUBLICATION)
    if kind is EventKind.PUBLICATION_REPORTED:
        return reported(subject, chance.choice(NESTED))
    if kind is EventKind.CONSENT_EXPIRED and ran_out:
        what, (reach, fields) = chance.choice(ran_out)
        return scoped(kind, reach, fields, subject, refers_to=what)
    fields = frozenset(chance.sample(_SOME_FIELDS, chance.randint(1, 3)))
    if chance.random() < 0.3:
        fields = EVERY_FIELD
    requests = [
        said.request.position
        for fields_of in transaction.sayings(subject, PUBLICATION).values()
        for said in fields_of.values()
        if said.request is not None
    ]
    return scoped(
        kind,
        chance.choice([*NESTED, *ELSEWHERE]),
        fields,
        subject,
        notice=chance.choice([None, *notices]),
        refers_to=chance.choice([None, *requests]),
    )


def sayings_in(
    events: Iterable[Event], subject: SubjectId, purpose: PurposeId = PUBLICATION
) -> dict[Reach, Sayings]:
    """What was said at each reach, worked out the simple way."""
    sayings: dict[Reach, Sayings] = {}
    for one in events:
        if (
            one.personal is not None
            and one.personal.scope is not None
            and (one.personal.subject, one.purpose) == (subject, purpose)
            and one.kind in _SPEAKING
        ):
            reach, fields = one.personal.scope
            folded = choices.fold(sayings.get(reach, {}), one, fields)
            sayings |= {reach: folded} if folded else {}
    return sayings


def choices_in(events: list[Event], subject: SubjectId) -> Choices:
    """What an account has said about publication, worked out the simple way."""
    record = _replayed(events, subject, PUBLICATION)
    return Choices(sayings_in(events, subject), record.standing, record.consent.objection_position)


def replayed(events: Iterable[Event], question: Question) -> list[Record]:
    """What is to be answered, worked out the simple way: by reading everything once for each."""
    events = list(events)
    return [_replayed(events, subject, question.purpose) for subject in question.subjects]


def _replayed(events: list[Event], subject: SubjectId, purpose: PurposeId) -> Record:
    pseudonym = None
    consent: Consent = NOTHING_KNOWN
    standing: Standing = NOTHING_STANDS
    for one in events:
        if one.personal is not None and one.personal.subject == subject:
            pseudonym = one.pseudonym
            standing = fold_standing(standing, one)
            if one.purpose == purpose:
                consent = fold(consent, one)
    return Record(pseudonym, consent, standing)
