"""Two subjects who turn out to be one person: what one of them has said holds for both."""

from typing import NamedTuple

from consentsvc.domain.catalogue import Purpose
from consentsvc.domain.changes import signal_changes
from consentsvc.domain.consent import Consent
from consentsvc.domain.events import EventKind, NoticeRef, Signal
from consentsvc.domain.instants import Instant

# A revocation is somebody else's word, and has a reason that may not be true of both.
_THEIR_OWN_NO = frozenset({EventKind.CONSENT_REFUSED, EventKind.CONSENT_WITHDRAWN})


class Joined(NamedTuple):
    """What is to be recorded of one subject because another has said it, and when they did."""

    kind: EventKind
    said_at: Instant
    notice: NoticeRef | None = None
    signal: Signal | None = None


def joined(purpose: Purpose, consent: Consent, other: Consent) -> list[Joined]:
    """Says what the other's word adds to a consent: the stricter of two choices wins.

    A no and an objection join, whichever came first. A yes does not: it was given by whoever held
    the device, and would begin anew on the day of the joining.
    """
    return [*_objection(purpose, consent, other), *_denial(consent, other)]


def _objection(purpose: Purpose, consent: Consent, other: Consent) -> list[Joined]:
    theirs, ours = other.objection, consent.objection
    if theirs is None:
        return []
    if theirs.by_signal:
        if not signal_changes(purpose, consent):
            return []
        signal = Signal.GLOBAL_PRIVACY_CONTROL
        return [Joined(EventKind.OBJECTION_RAISED, theirs.recorded_at, signal=signal)]
    if ours is not None and not ours.by_signal:
        return []
    return [Joined(EventKind.OBJECTION_RAISED, theirs.recorded_at)]


def _denial(consent: Consent, other: Consent) -> list[Joined]:
    theirs, ours = other.choice, consent.choice
    if theirs is None or theirs.kind not in _THEIR_OWN_NO:
        return []
    if ours is None:
        # So that they are not asked again what they have answered.
        return [Joined(theirs.kind, theirs.recorded_at, theirs.notice)]
    if ours.kind is EventKind.CONSENT_GIVEN or consent.request is not None:
        return [Joined(EventKind.CONSENT_WITHDRAWN, theirs.recorded_at)]
    return []
