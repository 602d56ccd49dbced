"""Events and states for tests that need no store."""

from consentsvc.domain.consent import NOTHING_KNOWN, Consent, fold
from consentsvc.domain.events import (
    THE_SUBJECT,
    Event,
    EventKind,
    NoticeRef,
    Personal,
    Signal,
)
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant

PSEUDONYM = Pseudonym(b"p" * 16)
PERSONAL = Personal(SubjectId("anna"), THE_SUBJECT, "panel")
NOTICE = NoticeRef("1", "en", b"h" * 32)


def event(
    kind: EventKind,
    position: int,
    *,
    at: int = 0,
    notice: NoticeRef | None = NOTICE,
    refers_to: int | None = None,
    signal: Signal | None = None,
) -> Event:
    """An event in its place."""
    return Event(
        Position(position),
        Instant(at),
        kind,
        PurposeId("newsletter"),
        PSEUDONYM,
        notice,
        None if refers_to is None else Position(refers_to),
        PERSONAL,
        signal,
    )


def after(*kinds: EventKind) -> Consent:
    """The consent after events of these kinds, one a second, from position 1 on."""
    consent = NOTHING_KNOWN
    for position, kind in enumerate(kinds, start=1):
        consent = fold(consent, event(kind, position, at=position * 1_000_000))
    return consent
