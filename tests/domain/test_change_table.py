"""Which event a change becomes: the whole table of action, actor, purpose and state."""

import itertools
from typing import NamedTuple

import pytest

from consentsvc.domain.catalogue import LegalBasis
from consentsvc.domain.changes import (
    NEEDS_NOTICE,
    Action,
    event_for,
    revocation_changes,
    withdrawal_changes,
)
from consentsvc.domain.consent import Choice, Consent, Objection, Request
from consentsvc.domain.events import CHOICES, Actor, ActorKind, EventKind
from consentsvc.domain.identifiers import ActorId, Position
from tests.domain.making import NOW, ref
from tests.support.catalogues import NEWSLETTER, RESELLER_NEWSLETTER, STATISTICS, purpose

K = EventKind
PURPOSES = {
    "plain": purpose(NEWSLETTER),
    "confirmed": purpose(RESELLER_NEWSLETTER, confirmed=True),
    "opt-out": purpose(STATISTICS, basis=LegalBasis.LEGITIMATE_INTEREST),
}


class State(NamedTuple):
    """The latest choice, what stands beside it, and whether it and a request have run out."""

    choice: EventKind | None
    asked: bool
    objected: bool
    expired: bool

    @property
    def consent(self) -> Consent:
        choice = None
        if self.choice is not None:
            choice = Choice(self.choice, Position(1), NOW, ref("1"), self.expired)
        request = Request(Position(3), NOW, ref("1"), self.expired) if self.asked else None
        happened = {4: self.expired, 3: self.asked, 2: self.objected, 1: self.choice is not None}
        last = next((position for position, did in happened.items() if did), 0)
        objection = Objection(Position(2), NOW) if self.objected else None
        return Consent(choice, request, objection, Position(last))


STATES = [
    State(choice, asked, objected, expired)
    for choice in (None, *(kind for kind in EventKind if kind in CHOICES))
    for asked, objected, expired in itertools.product((False, True), repeat=3)
]

NOTHING_NEW: dict[Action, list[State]] = {
    Action.GIVE: [],
    Action.REQUEST: [],
    Action.REFUSE: [one for one in STATES if one.choice is K.CONSENT_REFUSED and not one.asked],
    Action.WITHDRAW: [one for one in STATES if one.choice is K.CONSENT_WITHDRAWN and not one.asked],
    # Anything since the objection may have left a link open, which only a new one voids.
    Action.OBJECT: [one for one in STATES if one.objected and not one.asked and not one.expired],
    Action.WITHDRAW_OBJECTION: [one for one in STATES if not one.objected],
    Action.SIGNAL: [one for one in STATES if one.objected or one.choice is K.CONSENT_GIVEN],
}
"""The states in which an action on the same notice changes nothing, and so is not recorded."""

RECORDED_AS = {
    Action.REFUSE: K.CONSENT_REFUSED,
    Action.WITHDRAW: K.CONSENT_WITHDRAWN,
    Action.OBJECT: K.OBJECTION_RAISED,
    Action.WITHDRAW_OBJECTION: K.OBJECTION_WITHDRAWN,
    Action.REQUEST: K.CONSENT_REQUESTED,
    Action.SIGNAL: K.OBJECTION_RAISED,
}
"""All but giving, which depends on who gives and for what."""


def recorded_as(action: Action, kind: ActorKind, purpose_: str) -> EventKind:
    if action is not Action.GIVE:
        return RECORDED_AS[action]
    gives = kind is ActorKind.SUBJECT and purpose_ != "confirmed"
    return K.CONSENT_GIVEN if gives else K.CONSENT_REQUESTED


@pytest.mark.parametrize("purpose_", PURPOSES)
@pytest.mark.parametrize("kind", ActorKind, ids=lambda kind: kind.value)
@pytest.mark.parametrize("action", Action, ids=lambda action: action.value)
def test_table(action: Action, kind: ActorKind, purpose_: str) -> None:
    """In every state an action is recorded as its event, or not at all if it changes nothing."""
    actor = Actor(kind, None if kind is ActorKind.SUBJECT else ActorId("op7"))
    notice = ref("1") if action in NEEDS_NOTICE else None
    found = {
        state: event_for(action, actor, PURPOSES[purpose_], state.consent, notice)
        for state in STATES
    }
    recorded = recorded_as(action, kind, purpose_)
    if action is Action.SIGNAL and purpose_ != "opt-out":
        assert set(found.values()) == {None}
        return

    assert found == {state: None if state in NOTHING_NEW[action] else recorded for state in STATES}


@pytest.mark.parametrize("purpose_", PURPOSES)
def test_revoking(purpose_: str) -> None:
    """Revoking ends what was given or asked for, and what an opt-out purpose allows unasked."""
    ended = {one for one in STATES if revocation_changes(PURPOSES[purpose_], one.consent)}
    unasked = None if purpose_ == "opt-out" else K.CONSENT_GIVEN

    assert ended == {one for one in STATES if one.asked or one.choice in {K.CONSENT_GIVEN, unasked}}


def test_link_withdrawal() -> None:
    """A link withdraws in exactly the states in which the panel's withdrawal changes something."""
    changed = [one for one in STATES if withdrawal_changes(one.consent)]

    assert changed == [one for one in STATES if one not in NOTHING_NEW[Action.WITHDRAW]]
