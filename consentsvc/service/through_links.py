"""What a person does through a link: confirms what was asked for, or withdraws."""

from collections.abc import Sequence
from functools import reduce

from consentsvc.domain.catalogue import Purpose
from consentsvc.domain.changes import withdrawal_changes
from consentsvc.domain.consent import NOTHING_KNOWN, NOTHING_STANDS, fold
from consentsvc.domain.decision import REQUEST_OPEN_FOR, decide
from consentsvc.domain.errors import (
    ConfirmationExpired,
    ConfirmationUsed,
    ConfirmationVoid,
    LinkUnknown,
)
from consentsvc.domain.events import (
    DENIALS,
    THE_SUBJECT,
    Event,
    EventKind,
    Evidence,
    NewEvent,
    Personal,
)
from consentsvc.domain.evidence import kept
from consentsvc.domain.identifiers import Position, PurposeId, SubjectId
from consentsvc.domain.instants import Instant, add
from consentsvc.domain.publication.choices import denial_changes
from consentsvc.domain.scope import EVERYTHING, Scope, overlap
from consentsvc.service.links import Confirmation
from consentsvc.service.ports import Transaction
from consentsvc.service.requests import UNCHANGED, Effect, Outcome

_CHANNEL = "link"


def confirm(
    transaction: Transaction,
    subject: SubjectId,
    purpose: Purpose | None,
    link: Confirmation,
    evidence: Evidence,
) -> Outcome:
    """Gives the consent that the link's request asked for.

    Raises LinkUnknown, ConfirmationUsed, ConfirmationVoid or ConfirmationExpired.
    """
    if purpose is None:
        raise LinkUnknown("what the link was made for is not there any more")
    history = transaction.history(subject, purpose.id, Position(link.request - 1))
    if not history or (history[0].position, history[0].kind) != (
        link.request,
        EventKind.CONSENT_REQUESTED,
    ):
        raise LinkUnknown("the link's request is not there")
    asked, since = history[0], history[1:]
    _refuse_spent(asked, since, purpose, transaction.now)
    personal = Personal(
        subject, THE_SUBJECT, _CHANNEL, kept(evidence, purpose), scope=_scope(asked)
    )
    position = transaction.append(
        NewEvent(EventKind.CONSENT_GIVEN, purpose.id, personal, asked.notice, asked.position)
    )
    return Outcome(Effect.RECORDED, purpose.id, position)


def withdraw(
    transaction: Transaction,
    subject: SubjectId,
    purpose_id: PurposeId,
    purpose: Purpose | None,
    evidence: Evidence,
) -> Outcome:
    """Withdraws, from everything if the purpose takes a scope; nothing if nothing would change."""
    sayings = transaction.sayings(subject, purpose_id)
    scope = EVERYTHING if sayings or (purpose is not None and purpose.takes_scope) else None
    changes = (
        withdrawal_changes(transaction.consent(subject, purpose_id))
        if scope is None
        else denial_changes(EventKind.CONSENT_WITHDRAWN, scope, None, sayings)
    )
    if not changes:
        return UNCHANGED._replace(purpose=purpose_id)
    personal = Personal(subject, THE_SUBJECT, _CHANNEL, kept(evidence, purpose), scope=scope)
    position = transaction.append(NewEvent(EventKind.CONSENT_WITHDRAWN, purpose_id, personal))
    return Outcome(Effect.RECORDED, purpose_id, position)


def _refuse_spent(asked: Event, since: Sequence[Event], purpose: Purpose, now: Instant) -> None:
    facts = {"purpose_id": str(asked.purpose)}
    for event in since:
        if event.kind is EventKind.CONSENT_GIVEN and event.refers_to == asked.position:
            raise ConfirmationUsed("the request has been confirmed before", **facts)
        if _voids(event, asked):
            raise ConfirmationVoid("a later choice took the request back", **facts)
    replaced = asked.notice is None or purpose.superseded(asked.notice.version)
    if replaced and any(_counts(one, since, purpose, now) for one in _later(asked, since)):
        # A request never takes anything away: what it asked for counts no more, and a consent that
        # does would give way to it.
        raise ConfirmationVoid("a later consent stands, on a newer notice", **facts)
    if now >= add(asked.holds_from, REQUEST_OPEN_FOR):
        raise ConfirmationExpired("the request has been open for 30 days", **facts)


def _voids(event: Event, asked: Event) -> bool:
    """Whether a later event takes a request back: a no to all of it or to a part, or an objection.

    A no further inside stands beside the consent that the request may become, and goes on standing.
    """
    if event.kind is EventKind.OBJECTION_RAISED:
        return event.signal is None  # the person has not said anything
    if event.kind not in DENIALS:
        return False
    of_event, of_request = _scope(event), _scope(asked)
    if of_event is None or of_request is None:
        return True
    return of_event.reach.covers(of_request.reach) and overlap(of_event.fields, of_request.fields)


def _later(asked: Event, since: Sequence[Event]) -> list[Event]:
    """The consents since a request that would give way to it, be it in a part."""
    given = [one for one in since if one.kind is EventKind.CONSENT_GIVEN]
    of_request = _scope(asked)
    if of_request is None:
        return given[-1:]  # of one consent, the latest choice decides
    return [
        one
        for one in given
        if (scope := _scope(one)) is not None
        and scope.reach.covers(of_request.reach)
        and overlap(scope.fields, of_request.fields)
    ]


def _counts(given: Event, since: Sequence[Event], purpose: Purpose, now: Instant) -> bool:
    """Whether a consent counts by itself, whatever stands above it at the moment."""
    ends = (one for one in since if one.kind is EventKind.CONSENT_EXPIRED)
    consent = reduce(fold, (given, *ends), NOTHING_KNOWN)
    return decide(purpose, consent, NOTHING_STANDS, now).permitted


def _scope(event: Event) -> Scope | None:
    return None if event.personal is None else event.personal.scope
