"""What a change asks for, and which event it becomes."""

import enum

from consentsvc.domain.catalogue import Purpose
from consentsvc.domain.consent import Consent
from consentsvc.domain.events import Actor, ActorKind, EventKind


class Action(enum.Enum):
    """What a caller may ask for on a subject's behalf."""

    GIVE = "give"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    OBJECT = "object"
    WITHDRAW_OBJECTION = "withdraw_objection"
    REQUEST = "request"


NEEDS_NOTICE = frozenset({Action.GIVE, Action.REFUSE, Action.REQUEST})
"""What cannot be judged later without the text that was on the screen."""

ABOUT_OBJECTION = frozenset({Action.OBJECT, Action.WITHDRAW_OBJECTION})
"""What stands beside the choices and does not take their place."""

_EVENT = {
    Action.GIVE: EventKind.CONSENT_GIVEN,
    Action.REFUSE: EventKind.CONSENT_REFUSED,
    Action.WITHDRAW: EventKind.CONSENT_WITHDRAWN,
    Action.OBJECT: EventKind.OBJECTION_RAISED,
    Action.WITHDRAW_OBJECTION: EventKind.OBJECTION_WITHDRAWN,
    Action.REQUEST: EventKind.CONSENT_REQUESTED,
}


def event_for(action: Action, actor: Actor, purpose: Purpose, consent: Consent) -> EventKind | None:
    """Says which event records the change, or None if the change changes nothing.

    Only the subject gives consent, and where the purpose asks for confirmation not even they do so
    at once: what is then recorded is a request. Giving and asking always count anew. A no is
    repeated only to settle a request that has come since.
    """
    if action is Action.GIVE and (
        actor.kind is not ActorKind.SUBJECT or purpose.needs_confirmation
    ):
        return EventKind.CONSENT_REQUESTED
    kind = _EVENT[action]
    return kind if changes(kind, consent) else None


def changes(kind: EventKind, consent: Consent) -> bool:
    """Whether an event of that kind would change anything, now or for a request that is open."""
    said = consent.choice is not None and consent.choice.kind is kind
    asked = consent.request is not None
    match kind:
        case EventKind.CONSENT_REFUSED | EventKind.CONSENT_WITHDRAWN:
            return not said or asked
        case EventKind.CONSENT_REVOKED:
            given = consent.choice is not None and consent.choice.kind is EventKind.CONSENT_GIVEN
            return given or asked
        case EventKind.OBJECTION_RAISED:
            return consent.objection is None or asked
        case EventKind.OBJECTION_WITHDRAWN:
            return consent.objection is not None
        case _:
            return True
