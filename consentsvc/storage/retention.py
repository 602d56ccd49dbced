"""What decides no more, and since when: so long after that it need not be kept (GDPR art. 5(1)(e)).

A consent that stands is kept however old it is, and so is every no: whoever acts on it must be able
to show it (art. 7(1)).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from consentsvc.domain.consent import NOTHING_KNOWN, Consent, fold
from consentsvc.domain.events import Event
from consentsvc.domain.identifiers import Position
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.choices import Sayings
from consentsvc.domain.scope import Reach
from consentsvc.storage.scopes import marks_of, scope_of, take


def ended(events: Sequence[Event]) -> dict[Position, Instant]:
    """Says of one subject's events on one purpose, in order, which have ended, and when.

    An event that nothing ever followed from, such as a report, ends when it is recorded.
    """
    found: dict[Position, Instant] = {}
    consent = NOTHING_KNOWN
    sayings: dict[Reach, Sayings] = {}
    refers = {event.position: event.refers_to for event in events}
    stands = Counter[Position]()
    for event in events:
        scope = scope_of(event)
        said = {} if scope is None else sayings.get(scope.reach, {})
        before = [*_standing(consent), *_speaking(said)]
        consent = fold(consent, event)
        take(sayings, event)
        said = {} if scope is None else sayings.get(scope.reach, {})
        after = [*_standing(consent), *_speaking(said)]
        # Only this event's own reach has changed: an account may have thousands of others.
        stands.update(_with_referred(after, refers))
        stands.subtract(_with_referred(before, refers))
        for position in {event.position, *_with_referred(before, refers)}:
            if stands[position] <= 0:
                found[position] = event.recorded_at
    # What a later event refers to once more has not ended after all.
    return {position: at for position, at in found.items() if stands[position] <= 0}


def _standing(consent: Consent) -> Iterator[Position]:
    if consent.choice is not None and not consent.choice.expired:
        yield consent.choice.position
    if consent.request is not None and not consent.request.expired:
        yield consent.request.position
    if consent.objection is not None:
        yield consent.objection.position
    if consent.tolerated is not None:
        yield consent.tolerated


def _speaking(sayings: Sayings) -> Iterator[Position]:
    for said in sayings.values():
        yield from (mark.position for mark in marks_of(said))


def _with_referred(
    stands: Iterable[Position], refers: Mapping[Position, Position | None]
) -> Iterator[Position]:
    """What stands, and what that was an answer to: without it nobody could tell what it ended."""
    for one in stands:
        yield one
        referred = refers.get(one)
        if referred is not None:
            yield referred
