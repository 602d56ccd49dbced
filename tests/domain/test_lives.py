"""The fold over whole lives, against a reader of the list who folds nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentsvc.domain.consent import NOTHING_KNOWN, Choice, Consent, Objection, Request, fold
from consentsvc.domain.events import CHOICES, STANDINGS, Event, EventKind, NoticeRef
from consentsvc.domain.identifiers import START, Position
from consentsvc.domain.instants import Instant
from tests.domain.making import NOW, event, folded, lives, ref

K = EventKind
NO_STATE = STANDINGS | {
    K.NOTICE_PUBLISHED,
    K.PUBLICATION_REPORTED,
    K.RECORD_EXPORTED,
    K.SUBJECT_ERASED,
    K.DIRECTIONS_RECORDED,
    K.RECORD_READ,
}
"""What the state of a consent does not hold: it is about all purposes, or about no choice."""
LATER = Instant(NOW + 1_000_000)
AT = Position(9)

CHOICE = Choice(K.CONSENT_GIVEN, Position(1), NOW, ref("1"))
REQUEST = Request(Position(3), NOW, ref("1"))
OBJECTION = Objection(Position(2), NOW)
FULL = Consent(CHOICE, REQUEST, OBJECTION, Position(3))
"""A consent, an objection to it, and a request since: everything that can be there."""
NEW_REQUEST = Request(AT, LATER, ref("2"))

FROM_NOTHING = {
    **{kind: Consent(Choice(kind, AT, LATER, ref("2")), position=AT) for kind in CHOICES},
    K.CONSENT_REQUESTED: Consent(request=NEW_REQUEST, position=AT),
    K.CONSENT_EXPIRED: Consent(position=AT),
    K.OBJECTION_RAISED: Consent(objection=Objection(AT, LATER), position=AT),
    K.OBJECTION_WITHDRAWN: Consent(position=AT, tolerated=AT),
    **dict.fromkeys(NO_STATE, NOTHING_KNOWN),
}
FROM_FULL = {
    **{kind: Consent(Choice(kind, AT, LATER, ref("2")), None, OBJECTION, AT) for kind in CHOICES},
    K.CONSENT_REQUESTED: Consent(CHOICE, NEW_REQUEST, OBJECTION, AT),
    K.CONSENT_EXPIRED: Consent(CHOICE, REQUEST, OBJECTION, AT),
    K.OBJECTION_RAISED: Consent(CHOICE, None, Objection(AT, LATER), AT),
    K.OBJECTION_WITHDRAWN: Consent(CHOICE, REQUEST, None, AT, tolerated=AT),
    **dict.fromkeys(NO_STATE, FULL),
}


@pytest.mark.parametrize("kind", EventKind, ids=lambda kind: kind.value)
def test_every_kind(kind: EventKind) -> None:
    """Each kind of event changes what it is about, and leaves everything else as it was."""
    happened = event(kind, AT, at=LATER, notice=ref("2"))

    assert fold(NOTHING_KNOWN, happened) == FROM_NOTHING[kind]
    assert fold(FULL, happened) == FROM_FULL[kind]


@pytest.mark.parametrize("refers_to", [None, 2, 8, int(AT)])
def test_expiry_of_nothing(refers_to: int | None) -> None:
    """An expiry of what is no choice and no request of this consent marks nothing."""
    consent = fold(FULL, event(K.CONSENT_EXPIRED, AT, refers_to=refers_to))

    assert consent == FULL._replace(position=AT)


def told(events: list[Event]) -> Consent:
    """The state, read off the whole list."""
    marked = {(one.refers_to, one.position) for one in events if one.kind is K.CONSENT_EXPIRED}

    def decisive(one: Event) -> tuple[EventKind, Position, Instant, NoticeRef | None, bool]:
        expired = any(what == one.position and by > one.position for what, by in marked)
        return one.kind, one.position, one.recorded_at, one.notice, expired

    own = [one for one in events if one.signal is None]
    signals = [one for one in events if one.signal is not None]

    def last(*kinds: EventKind) -> Event | None:
        return next((one for one in reversed(own) if one.kind in kinds), None)

    def since(one: Event | None, some: list[Event]) -> list[Event]:
        return [after for after in some if one is None or after.position > one.position]

    objected = last(K.OBJECTION_RAISED, K.OBJECTION_WITHDRAWN)
    raised = objected is not None and objected.kind is K.OBJECTION_RAISED
    taken_back = None if raised else objected
    signalled = since(last(K.CONSENT_GIVEN), since(taken_back, signals))
    choice = last(*CHOICES)
    stands = objected if raised else signalled[-1] if signalled else None
    asked = last(*CHOICES, K.OBJECTION_RAISED, K.CONSENT_REQUESTED)
    touching = [one for one in events if one.kind not in NO_STATE]
    return Consent(
        None if choice is None else Choice(*decisive(choice)),
        Request(*decisive(asked)[1:]) if asked and asked.kind is K.CONSENT_REQUESTED else None,
        None
        if stands is None
        else Objection(stands.position, stands.recorded_at, stands.signal is not None),
        touching[-1].position if touching else START,
        None if taken_back is None else taken_back.position,
    )


@given(lives())
def test_what_is_told(life: list[Event]) -> None:
    """The fold of any life is what a reader of the whole list would say."""
    assert folded(life) == told(life)


@given(lives(), st.data())
def test_left_fold(life: list[Event], data: st.DataObject) -> None:
    """It needs the state and the next events only, and leaves alone the state that it was given."""
    cut = data.draw(st.integers(0, len(life)))
    before = folded(life[:cut])
    kept = tuple(before)

    assert folded(life[cut:], before) == folded(life)
    assert tuple(before) == kept
