"""What the scopes of events add up to, whatever keeps it."""

from collections.abc import Mapping
from typing import NamedTuple

from consentsvc.domain.errors import PastNotKept
from consentsvc.domain.events import CHOICES, Event, EventKind
from consentsvc.domain.identifiers import START, Position
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication import choices
from consentsvc.domain.publication.choices import Mark, Said, Sayings, fold
from consentsvc.domain.scope import Reach, Scope

_SPEAKING = CHOICES | {EventKind.CONSENT_REQUESTED, EventKind.CONSENT_EXPIRED}

STATELESS = frozenset(
    {
        EventKind.PUBLICATION_REPORTED,
        EventKind.RECORD_EXPORTED,
        EventKind.SUBJECT_ERASED,
        EventKind.DIRECTIONS_RECORDED,
        EventKind.RECORD_READ,
    }
)
"""The kinds of a subject's events that leave every state as it is."""


class Running(NamedTuple):
    """Since when the oldest consent and the oldest request at a reach wait to run out."""

    given_at: Instant | None
    requested_at: Instant | None


def scope_of(event: Event) -> Scope | None:
    """The scope for which an event says something; None if it says nothing of any."""
    if event.personal is None or event.purpose is None or event.kind not in _SPEAKING:
        return None
    return event.personal.scope


def refuse_not_kept(event: Event) -> None:
    """Raises `PastNotKept` for an event whose scope may have decided then, and is gone."""
    if event.withheld is not None and event.kind in _SPEAKING:
        raise PastNotKept("what was said by then is not kept any more")


def take(sayings: dict[Reach, Sayings], event: Event) -> None:
    """Takes one more event of the same subject and purpose into account."""
    scope = scope_of(event)
    if scope is None:
        return
    folded = fold(sayings.get(scope.reach, {}), event, scope.fields)
    if folded:
        sayings[scope.reach] = folded


def running(sayings: Mapping[Reach, Sayings], reach: Reach) -> Running:
    """Looks at one reach, given what was said there and at those that cover it.

    Nothing but the clock stands between what is found due here and `choices.ran_out`: what did not
    run out there would be found again and again, and nothing would ever come of it.
    """
    given, requested = [], []
    for _, consent, request in choices.running(sayings, reach):
        if consent is not None:
            given.append(consent.recorded_at)
        if request is not None:
            requested.append(request.recorded_at)
    return Running(min(given, default=None), min(requested, default=None))


def last_position(sayings: Sayings) -> Position:
    """The latest event that is kept of what was said at a reach."""
    positions = (mark.position for said in sayings.values() for mark in marks_of(said))
    return max(positions, default=START)


def marks_of(said: Said) -> list[Mark]:
    """The events that are kept of what was said of a field."""
    there = (said.given, said.denied, said.expired, said.request)
    return [mark for mark in there if mark is not None]
