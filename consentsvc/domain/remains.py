"""What outlives a person's erasure: each no that stood, and nothing that tells of them.

Whoever still has the person's id, and asks, has to get the same no as before (GDPR art. 17(3), 21):
a person who objected, and was forgotten for it, must not hear from us again.
"""

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

from consentsvc.domain.consent import (
    NOTHING_KNOWN,
    NOTHING_STANDS,
    Consent,
    Objection,
    Standing,
    fold,
    fold_standing,
)
from consentsvc.domain.events import (
    THE_SYSTEM,
    Event,
    EventKind,
    NewEvent,
    Personal,
)
from consentsvc.domain.identifiers import START, PurposeId, SubjectId
from consentsvc.domain.instants import Instant

_CHANNEL = "erasure"


class Remains(NamedTuple):
    """The purposes that were objected to, and whether a restriction or a death stood.

    `erased`: somebody of this id was erased, whatever else remains of them.
    """

    objected: frozenset[PurposeId] = frozenset()
    restricted: bool = False
    deceased: bool = False
    erased: bool = False

    def consent(self, purpose: PurposeId) -> Consent:
        """The consent that follows. Which event it was is not known any more: position 0."""
        if purpose not in self.objected:
            return NOTHING_KNOWN
        return Consent(objection=Objection(START, Instant(0)))

    @property
    def standing(self) -> Standing:
        """What stands above every choice, at position 0 likewise."""
        return Standing(START if self.restricted else None, START if self.deceased else None)


NOTHING_REMAINS = Remains()


def remains(events: Iterable[Event]) -> Remains:
    """Says what outlives an erased subject whose events these were. Headers are enough for it."""
    history = list(events)
    standing = reduce(fold_standing, history, NOTHING_STANDS)
    consents: dict[PurposeId, Consent] = {}
    for event in history:
        if event.purpose is not None:
            consents[event.purpose] = fold(consents.get(event.purpose, NOTHING_KNOWN), event)
    return Remains(
        frozenset(purpose for purpose, one in consents.items() if one.objection is not None),
        standing.restriction is not None,
        standing.death is not None,
        erased=True,
    )


def carried_over(subject: SubjectId, left: Remains) -> list[NewEvent]:
    """The events by which what remains of an erased subject becomes their own again.

    They come before anything else that is recorded of somebody with the same id: the no stands
    until it is taken back, and shows in their history.
    """
    personal = Personal(subject, THE_SYSTEM, _CHANNEL)
    standing = [
        NewEvent(kind, personal=personal)
        for kind, stands in (
            (EventKind.DEATH_REPORTED, left.deceased),
            (EventKind.PROCESSING_RESTRICTED, left.restricted),
        )
        if stands
    ]
    objections = [
        NewEvent(EventKind.OBJECTION_RAISED, purpose, personal) for purpose in sorted(left.objected)
    ]
    return [*standing, *objections]


def erased(subject: SubjectId) -> NewEvent:
    """The event that a subject was erased. Its personal part is destroyed with the others."""
    personal = Personal(subject, THE_SYSTEM, _CHANNEL)
    return NewEvent(EventKind.SUBJECT_ERASED, personal=personal)
