"""What decides no more, and since when: so long after that it need not be kept (GDPR art. 5(1)(e)).

A consent that stands is kept however old it is, and so is every no: whoever acts on it must be able
to show it (art. 7(1)).
"""

from collections.abc import Iterable, Sequence

from consentsvc.domain.consent import NOTHING_KNOWN, Consent, fold
from consentsvc.domain.events import Event
from consentsvc.domain.identifiers import Position
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.choices import Sayings
from consentsvc.domain.scope import Reach
from consentsvc.storage.scopes import marks_of, take


def ended(events: Sequence[Event]) -> dict[Position, Instant]:
    """Says of one subject's events on one purpose, in order, which have ended, and when.

    An event that nothing ever followed from, such as a report, ends when it is recorded.
    """
    found: dict[Position, Instant] = {}
    consent = NOTHING_KNOWN
    sayings: dict[Reach, Sayings] = {}
    refers = {event.position: event.refers_to for event in events}
    stood: frozenset[Position] = frozenset()
    for event in events:
        consent = fold(consent, event)
        take(sayings, event)
        stands = _with_referred({*_standing(consent), *_speaking(sayings)}, refers)
        for position in (stood | {event.position}) - stands:
            found[position] = event.recorded_at
        stood = stands
    # What a later event refers to once more has not ended after all.
    return {position: at for position, at in found.items() if position not in stood}


def _standing(consent: Consent) -> Iterable[Position]:
    if consent.choice is not None and not consent.choice.expired:
        yield consent.choice.position
    if consent.request is not None and not consent.request.expired:
        yield consent.request.position
    if consent.objection is not None:
        yield consent.objection.position
    if consent.tolerated is not None:
        yield consent.tolerated


def _speaking(sayings: dict[Reach, Sayings]) -> Iterable[Position]:
    for fields in sayings.values():
        for said in fields.values():
            yield from (mark.position for mark in marks_of(said))


def _with_referred(
    stands: set[Position], refers: dict[Position, Position | None]
) -> frozenset[Position]:
    """What stands, and what that was an answer to: without it nobody could tell what it ended."""
    referred = (refers.get(one) for one in stands)
    return frozenset(stands | {one for one in referred if one is not None})
