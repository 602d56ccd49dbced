"""Events in one line each, and a life's worth of them at random."""

import random
from collections.abc import Iterable
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
    STANDINGS,
    THE_SUBJECT,
    Event,
    EventKind,
    NewEvent,
    NoticeRef,
    Personal,
)
from consentsvc.domain.identifiers import START, CallerId, Position, PurposeId, RequestId, SubjectId
from consentsvc.service.notices import publish
from consentsvc.service.ports import EventStore, Question, Record, Request, Transaction
from tests.support.catalogues import NEWSLETTER, PROFILING, STATISTICS, catalogue
from tests.support.clock import FakeClock

ANNA, BEN, CARL = SubjectId("anna"), SubjectId("ben"), SubjectId("carl")

EVERYTHING = 10_000
"""A limit for what stays small."""

_SUBJECT_KINDS = [kind for kind in EventKind if kind is not EventKind.NOTICE_PUBLISHED]
_WITH_NOTICE = {EventKind.CONSENT_GIVEN, EventKind.CONSENT_REFUSED, EventKind.CONSENT_REQUESTED}


def event(
    kind: EventKind,
    subject: SubjectId = ANNA,
    purpose: PurposeId | None = NEWSLETTER,
    *,
    notice: NoticeRef | None = None,
    refers_to: Position | None = None,
) -> NewEvent:
    """An event about a subject, by the subject, through the panel."""
    personal = Personal(subject, THE_SUBJECT, "panel")
    return NewEvent(kind, purpose, personal, notice, refers_to)


def given(subject: SubjectId = ANNA, purpose: PurposeId = NEWSLETTER) -> NewEvent:
    """A consent."""
    return event(EventKind.CONSENT_GIVEN, subject, purpose)


def withdrawn(subject: SubjectId = ANNA, purpose: PurposeId = NEWSLETTER) -> NewEvent:
    """Its end."""
    return event(EventKind.CONSENT_WITHDRAWN, subject, purpose)


def requested(subject: SubjectId = ANNA, purpose: PurposeId = NEWSLETTER) -> NewEvent:
    """A consent that is still to be confirmed."""
    return event(EventKind.CONSENT_REQUESTED, subject, purpose)


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
    await publish(store, catalogue())
    subjects = [SubjectId(f"customer:{number}") for number in range(people)]
    chance = random.Random(seed)
    notices = {
        purpose: [
            NoticeRef(one.version, one.locale, one.sha256)
            for one in catalogue().purpose(purpose).current.notices.values()
        ]
        for purpose in (NEWSLETTER, PROFILING, STATISTICS)
    }

    def work(transaction: Transaction) -> None:
        for _ in range(chance.randint(1, 3)):
            subject = chance.choice(subjects)
            kind = chance.choice(_SUBJECT_KINDS)
            purpose = chance.choice([NEWSLETTER, PROFILING, STATISTICS])
            choice, asked, _, _ = transaction.consent(subject, purpose)
            refers_to = None
            if kind is EventKind.CONSENT_EXPIRED:
                refers_to = next((one.position for one in (choice, asked) if one), None)
            notice = chance.choice([None, *notices[purpose]]) if kind in _WITH_NOTICE else None
            transaction.append(
                event(
                    kind,
                    subject,
                    None if kind in STANDINGS else purpose,
                    notice=notice,
                    refers_to=refers_to,
                )
            )
            transaction.remember(
                request(id=f"request-{transaction.head}"), subject, b"the first answer"
            )

    for _ in range(requests):
        clock.advance(timedelta(seconds=chance.choice([-30, 0, 1, 60])))
        await store.write(work, subjects)


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
