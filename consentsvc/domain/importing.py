"""What happened elsewhere, and how much of it still has a say where something stands already.

Nothing that is older takes the place of what stands. Where only a part of it is in the way, a no is
recorded for the rest: too much may be refused, and never too little.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from consentsvc.domain.catalogue import Purpose
from consentsvc.domain.changes import signal_changes
from consentsvc.domain.consent import Consent, Standing
from consentsvc.domain.events import CHOICES, DENIALS, EventKind, NewEvent
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.choices import Mark, Said, Sayings, denial_changes, running
from consentsvc.domain.scope import ContactField, Reach, Scope, overlap


class Known(NamedTuple):
    """What stands for the subject and purpose of an event.

    `tolerated_at` is when the person took an objection back, if that is the latest of it.
    """

    purpose: Purpose | None
    consent: Consent
    sayings: Mapping[Reach, Sayings]
    tolerated_at: Instant | None = None


def left(event: NewEvent, since: Instant, known: Known) -> NewEvent | None:
    """What is to be recorded of an event that happened at `since`; None if nothing is."""
    match event.kind:
        case EventKind.OBJECTION_RAISED:
            return event if _objects(event, since, known) else None
        case EventKind.OBJECTION_WITHDRAWN:
            objection = known.consent.objection
            stands = objection is not None and since >= objection.recorded_at
            return event if stands else None
    if event.kind is EventKind.CONSENT_GIVEN and _signalled_since(since, known.consent):
        return None
    scope = None if event.personal is None else event.personal.scope
    if scope is None or event.personal is None:
        return event if _changes(event, since, known.consent) else None
    fields = _fields_left(event, scope, since, known)
    if not fields:
        return None
    return replace(event, personal=replace(event.personal, scope=Scope(scope.reach, fields)))


def stands_otherwise(
    kind: EventKind, since: Instant, standing: Standing, restricted_at: Instant | None
) -> bool:
    """Whether a restriction, its end or a death changes what stands above all choices.

    `restricted_at` is when the restriction was made that stands, None if none does.
    """
    match kind:
        case EventKind.PROCESSING_RESTRICTED:
            return restricted_at is None
        case EventKind.RESTRICTION_LIFTED:
            return restricted_at is not None and since >= restricted_at
        case _:
            return standing.death is None


def _objects(event: NewEvent, since: Instant, known: Known) -> bool:
    purpose, consent, _, tolerated_at = known
    if event.signal is not None:
        return purpose is None or signal_changes(purpose, consent)
    if tolerated_at is not None and since < tolerated_at:
        return False
    objection = consent.objection
    if objection is None or objection.by_signal:
        return True
    return since >= objection.recorded_at and consent.position != objection.position


def _signalled_since(since: Instant, consent: Consent) -> bool:
    """Whether a signal has objected later: no earlier consent ends that."""
    objection = consent.objection
    return objection is not None and objection.by_signal and since < objection.recorded_at


def _changes(event: NewEvent, since: Instant, consent: Consent) -> bool:
    choice, request = consent.choice, consent.request
    if event.kind is EventKind.CONSENT_EXPIRED:
        what = event.refers_to
        return what is not None and any(
            one is not None and one.position == what and not one.expired
            for one in (choice, request)
        )
    if choice is not None and since < choice.recorded_at:
        return False
    if event.kind is EventKind.CONSENT_REQUESTED:
        asked_since = request is not None and since < request.recorded_at
        return not asked_since and not _objected_since(since, consent)
    if event.kind in DENIALS and choice is not None and request is None:
        return choice.kind is not event.kind or event.notice not in {None, choice.notice}
    return event.kind in CHOICES


def _objected_since(since: Instant, consent: Consent) -> bool:
    objection = consent.objection
    return objection is not None and not objection.by_signal and since < objection.recorded_at


def _fields_left(
    event: NewEvent, scope: Scope, since: Instant, known: Known
) -> frozenset[ContactField]:
    kind, sayings = event.kind, known.sayings
    if kind is EventKind.CONSENT_EXPIRED:
        here = running(sayings, scope.reach) if scope.reach in sayings else ()
        runs = {
            field
            for field, *marks in here
            if any(mark is not None and mark.position == event.refers_to for mark in marks)
        }
        return scope.fields & runs
    if kind is EventKind.CONSENT_REQUESTED and _objected_since(since, known.consent):
        return frozenset()
    fields = frozenset(
        field
        for field in scope.fields
        if all(since >= mark.recorded_at for mark in _in_the_way(kind, scope.reach, field, sayings))
    )
    if kind in DENIALS and fields:
        # A refusal is of a text; another no is the same whatever was shown.
        of_text = event.notice if kind is EventKind.CONSENT_REFUSED else None
        if not denial_changes(kind, Scope(scope.reach, fields), of_text, sayings):
            return frozenset()
    return fields


def _in_the_way(
    kind: EventKind, reach: Reach, field: ContactField, sayings: Mapping[Reach, Sayings]
) -> Iterator[Mark]:
    """What an event about a field at a reach would take the place of.

    That a consent ran out is not among it: it has done so at its own time, whenever that was
    recorded, and what was said in between would have come before.
    """
    for other, fields in sayings.items():
        if not other.covers(reach):
            continue
        for name, said in fields.items():
            marks: tuple[Mark | None, ...] = ()
            if kind in DENIALS:
                # What was said of some fields since leaves a no to all of them as it is.
                if other == reach and name in {field, ContactField.ALL}:
                    marks = (said.given, said.denied)
            elif overlap({name}, {field}):
                marks = _before_a_yes(kind, said, same_reach=other == reach)
            yield from (mark for mark in marks if mark is not None)


def _before_a_yes(kind: EventKind, said: Said, *, same_reach: bool) -> tuple[Mark | None, ...]:
    """What a consent or a request has to be later than."""
    if kind is EventKind.CONSENT_GIVEN:
        return (said.given, said.denied) if same_reach else (said.denied,)
    return said.given, said.denied, said.request if same_reach else None
