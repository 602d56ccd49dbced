"""What a change asks for, and which event it becomes."""

from consentsvc.domain.catalogue import LegalBasis, Purpose
from consentsvc.domain.consent import Consent
from consentsvc.domain.events import Actor, ActorKind, EventKind, NoticeRef
from consentsvc.domain.words import Word


class Action(Word):
    """What a caller may ask for on a subject's behalf."""

    GIVE = "give"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    OBJECT = "object"
    WITHDRAW_OBJECTION = "withdraw_objection"
    REQUEST = "request"
    SIGNAL = "signal"


NEEDS_NOTICE = frozenset({Action.GIVE, Action.REFUSE, Action.REQUEST})
"""What cannot be judged later without the text that was on the screen."""

ABOUT_OBJECTION = frozenset({Action.OBJECT, Action.WITHDRAW_OBJECTION, Action.SIGNAL})
"""What stands beside the choices and does not take their place."""

_EVENT = {
    Action.GIVE: EventKind.CONSENT_GIVEN,
    Action.REFUSE: EventKind.CONSENT_REFUSED,
    Action.WITHDRAW: EventKind.CONSENT_WITHDRAWN,
    Action.OBJECT: EventKind.OBJECTION_RAISED,
    Action.WITHDRAW_OBJECTION: EventKind.OBJECTION_WITHDRAWN,
    Action.REQUEST: EventKind.CONSENT_REQUESTED,
    Action.SIGNAL: EventKind.OBJECTION_RAISED,
}


def kind_for(action: Action, actor: Actor, purpose: Purpose) -> EventKind:
    """Says which kind of event records a change that changes something.

    Only the subject gives consent, and where the purpose asks for confirmation not even they do so
    at once: what is then recorded is a request.
    """
    if action is Action.GIVE and (
        actor.kind is not ActorKind.SUBJECT or purpose.needs_confirmation
    ):
        return EventKind.CONSENT_REQUESTED
    return _EVENT[action]


def event_for(
    action: Action, actor: Actor, purpose: Purpose, consent: Consent, notice: NoticeRef | None
) -> EventKind | None:
    """Says which event records the change, or None if the change changes nothing.

    Giving and asking always count anew.
    """
    kind = kind_for(action, actor, purpose)
    if action is Action.SIGNAL:
        return kind if signal_changes(purpose, consent) else None
    match kind:
        case EventKind.CONSENT_REFUSED:
            changes = not _said(kind, consent, notice) or consent.request is not None
        case EventKind.CONSENT_WITHDRAWN:
            changes = withdrawal_changes(consent)
        case EventKind.OBJECTION_RAISED:
            # An objection voids every link sent before it, also one that a later choice left open.
            objection = consent.objection
            changes = (
                objection is None or objection.by_signal or consent.position != objection.position
            )
        case EventKind.OBJECTION_WITHDRAWN:
            changes = consent.objection is not None
        case _:
            changes = True
    return kind if changes else None


def signal_changes(purpose: Purpose, consent: Consent) -> bool:
    """Whether a signal raises an objection: it gives way to what the person has said.

    A browser sends it with every request, so that it says nothing new after a consent or after an
    objection was taken back, and nothing at all where it has objected already.
    """
    given = consent.choice is not None and consent.choice.kind is EventKind.CONSENT_GIVEN
    said = given or consent.tolerated is not None or consent.objection is not None
    return purpose.heeds_signal and not said


def withdrawal_changes(consent: Consent) -> bool:
    """Whether a withdrawal would change anything, now or for a request that is open."""
    return not _said(EventKind.CONSENT_WITHDRAWN, consent) or consent.request is not None


def revocation_changes(purpose: Purpose, consent: Consent) -> bool:
    """Whether there is anything to end: a consent, a request, or an opt-out purpose's own yes."""
    if consent.choice is None and purpose.basis is LegalBasis.LEGITIMATE_INTEREST:
        return True
    return _said(EventKind.CONSENT_GIVEN, consent) or consent.request is not None


def erasure_ends(purpose: Purpose, consent: Consent) -> EventKind | None:
    """Says which event ends a yes before its subject is forgotten, or None if there is none.

    A purpose that needs no consent is objected to: that outlives the erasure, where nothing else
    would keep it from beginning anew with somebody of whom nothing is known.
    """
    if purpose.basis is LegalBasis.LEGITIMATE_INTEREST:
        return EventKind.OBJECTION_RAISED if consent.objection is None else None
    ends = _said(EventKind.CONSENT_GIVEN, consent) or consent.request is not None
    return EventKind.CONSENT_REVOKED if ends else None


def _said(kind: EventKind, consent: Consent, notice: NoticeRef | None = None) -> bool:
    """Whether that was the latest choice; with a notice, on that one."""
    choice = consent.choice
    return choice is not None and choice.kind is kind and notice in {None, choice.notice}
