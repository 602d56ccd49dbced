"""The current state for a subject and a purpose: a fold over its events.

The fold reads only what an event's header holds, so it needs no key and still works for a person
who has been forgotten.
"""

from typing import NamedTuple

from consentsvc.domain.events import CHOICES, Event, EventKind, NoticeRef
from consentsvc.domain.identifiers import START, Position
from consentsvc.domain.instants import Instant


class Choice(NamedTuple):
    """The latest choice. `expired`: an event has recorded that this consent ran out.

    `recorded_at`, here and below, is the event's `holds_from`.
    """

    kind: EventKind
    position: Position
    recorded_at: Instant
    notice: NoticeRef | None
    expired: bool = False


class Request(NamedTuple):
    """The latest request that no later choice or objection has settled."""

    position: Position
    recorded_at: Instant
    notice: NoticeRef | None
    expired: bool = False


class Objection(NamedTuple):
    """The objection that stands. One `by_signal` is not the person's own: a consent ends it."""

    position: Position
    recorded_at: Instant
    by_signal: bool = False


class Consent(NamedTuple):
    """The state of one consent. `position` is that of its latest event.

    `tolerated` is where the person took an objection back: no signal brings it back.
    """

    choice: Choice | None = None
    request: Request | None = None
    objection: Objection | None = None
    position: Position = START
    tolerated: Position | None = None

    @property
    def objection_position(self) -> Position | None:
        """Where the objection that stands was raised."""
        return None if self.objection is None else self.objection.position


class Standing(NamedTuple):
    """What stands above every choice of a subject: positions of what is in force."""

    restriction: Position | None = None
    death: Position | None = None


NOTHING_KNOWN = Consent()
NOTHING_STANDS = Standing()


def fold(consent: Consent, event: Event) -> Consent:
    """Takes one more event of the same subject and purpose into account.

    A choice settles every request before it, and so does an objection: a link sent earlier must
    not bring back what the person has since said no to. A signal is nothing that the person said:
    it settles no request, and a later consent ends the objection that it raised.
    """
    at = event.position
    if event.kind in CHOICES:
        choice = Choice(event.kind, at, event.holds_from, event.notice)
        objection = consent.objection
        if objection and objection.by_signal and event.kind is EventKind.CONSENT_GIVEN:
            objection = None
        return Consent(choice, None, objection, at, consent.tolerated)
    match event.kind:
        case EventKind.CONSENT_REQUESTED:
            request = Request(at, event.holds_from, event.notice)
            return consent._replace(request=request, position=at)
        case EventKind.CONSENT_EXPIRED:
            return _expired(consent, event.refers_to)._replace(position=at)
        case EventKind.OBJECTION_RAISED:
            return _objected(consent, event)
        case EventKind.OBJECTION_WITHDRAWN:
            return consent._replace(objection=None, position=at, tolerated=at)
        case _:
            return consent


def fold_standing(standing: Standing, event: Event) -> Standing:
    """Takes one more event of the same subject into account."""
    match event.kind:
        case EventKind.PROCESSING_RESTRICTED:
            return standing._replace(restriction=standing.restriction or event.position)
        case EventKind.RESTRICTION_LIFTED:
            return standing._replace(restriction=None)
        case EventKind.DEATH_REPORTED:
            return standing._replace(death=standing.death or event.position)
        case _:
            return standing


def _objected(consent: Consent, event: Event) -> Consent:
    at, standing = event.position, consent.objection
    if event.signal is None:
        return Consent(consent.choice, None, Objection(at, event.holds_from), at)
    if standing is not None and not standing.by_signal:
        return consent._replace(position=at)  # what the person has said stands
    return consent._replace(objection=Objection(at, event.holds_from, by_signal=True), position=at)


def _expired(consent: Consent, what: Position | None) -> Consent:
    if consent.choice is not None and consent.choice.position == what:
        return consent._replace(choice=consent.choice._replace(expired=True))
    if consent.request is not None and consent.request.position == what:
        return consent._replace(request=consent.request._replace(expired=True))
    return consent
