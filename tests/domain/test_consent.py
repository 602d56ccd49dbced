from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentsvc.domain.consent import (
    NOTHING_KNOWN,
    NOTHING_STANDS,
    Choice,
    Consent,
    Objection,
    Request,
    Standing,
    fold,
    fold_standing,
)
from consentsvc.domain.events import CHOICES, STANDINGS, EventKind, NoticeRef
from consentsvc.domain.identifiers import Position
from consentsvc.domain.instants import Instant
from tests.support.events import NOTICE, after, event

GIVEN, REFUSED = EventKind.CONSENT_GIVEN, EventKind.CONSENT_REFUSED
WITHDRAWN, REVOKED = EventKind.CONSENT_WITHDRAWN, EventKind.CONSENT_REVOKED
REQUESTED, EXPIRED = EventKind.CONSENT_REQUESTED, EventKind.CONSENT_EXPIRED
OBJECTED, TAKEN_BACK = EventKind.OBJECTION_RAISED, EventKind.OBJECTION_WITHDRAWN

choices = pytest.mark.parametrize("kind", [one for one in EventKind if one in CHOICES])


@choices
def test_choice(kind: EventKind) -> None:
    """A choice is kept with its place, its time and the notice that was shown."""
    consent = fold(NOTHING_KNOWN, event(kind, 7, at=42, notice=NoticeRef("2", "fr", b"x")))

    assert consent == Consent(
        choice=Choice(kind, Position(7), Instant(42), NoticeRef("2", "fr", b"x")),
        position=Position(7),
    )


@choices
def test_latest_choice(kind: EventKind) -> None:
    """Of several choices the latest is the state."""
    consent = after(GIVEN, REFUSED, kind)

    assert consent.choice
    assert (consent.choice.kind, consent.choice.position) == (kind, 3)


@choices
def test_choice_settles_requests(kind: EventKind) -> None:
    """A choice settles every request before it."""
    assert after(REQUESTED, kind).request is None


def test_request() -> None:
    """A request stands beside the choice and changes nothing of it."""
    consent = after(GIVEN, REQUESTED)

    assert consent.choice == after(GIVEN).choice
    assert consent.request == Request(Position(2), Instant(2_000_000), NOTICE)
    assert consent.position == 2


def test_latest_request() -> None:
    """Of several requests the latest is kept."""
    request = after(REQUESTED, REQUESTED).request

    assert request
    assert request.position == 2


def test_objection_settles_requests() -> None:
    """An objection settles every request, also one that repeats a standing objection."""
    consent = after(OBJECTED, REQUESTED, OBJECTED)

    assert consent.request is None
    assert consent.objection == Objection(Position(3), Instant(3_000_000))


def test_objection_keeps_the_choice() -> None:
    """An objection stands above the choice, which counts again once it is taken back."""
    assert after(GIVEN, OBJECTED).choice == after(GIVEN).choice
    assert after(GIVEN, OBJECTED, TAKEN_BACK) == Consent(
        after(GIVEN).choice, position=Position(3), tolerated=Position(3)
    )


@choices
def test_choice_keeps_the_objection(kind: EventKind) -> None:
    """No choice lifts an objection."""
    assert after(OBJECTED, kind).objection_position == 1


def test_taking_back_keeps_a_request() -> None:
    """A request made under an objection outlives its end."""
    assert after(OBJECTED, REQUESTED, TAKEN_BACK).request


@pytest.mark.parametrize("first", [GIVEN, REQUESTED])
def test_expiry(first: EventKind) -> None:
    """An expiry marks what it refers to, and nothing else."""
    consent = fold(after(first), event(EXPIRED, 2, refers_to=1))
    marked = consent.choice or consent.request

    assert marked
    assert marked.expired
    assert consent.position == 2


def test_expiry_of_one_of_two() -> None:
    """With a consent and a request beside each other, each is marked by its own."""
    both = after(GIVEN, REQUESTED)
    by_choice = fold(both, event(EXPIRED, 3, refers_to=1))
    by_request = fold(both, event(EXPIRED, 3, refers_to=2))

    for consent, expected in ((by_choice, (True, False)), (by_request, (False, True))):
        assert consent.choice
        assert consent.request
        assert (consent.choice.expired, consent.request.expired) == expected


def test_late_expiry() -> None:
    """An expiry of something that a later choice has replaced marks nothing."""
    consent = fold(after(GIVEN, GIVEN), event(EXPIRED, 3, refers_to=1))

    assert consent.choice
    assert not consent.choice.expired


def test_giving_again_starts_afresh() -> None:
    """A consent given after an expiry is not expired."""
    expired = fold(after(GIVEN), event(EXPIRED, 2, refers_to=1))
    consent = fold(expired, event(GIVEN, 3))

    assert consent.choice
    assert not consent.choice.expired


class TestStanding:
    RESTRICTED, LIFTED = EventKind.PROCESSING_RESTRICTED, EventKind.RESTRICTION_LIFTED
    DEATH = EventKind.DEATH_REPORTED

    def after(self, *kinds: EventKind) -> Standing:
        events = [event(kind, number) for number, kind in enumerate(kinds, start=1)]
        return reduce(fold_standing, events, NOTHING_STANDS)

    def test_restriction(self) -> None:
        """A restriction stands from its first event until it is lifted."""
        assert self.after(self.RESTRICTED) == Standing(restriction=Position(1))
        assert self.after(self.RESTRICTED, self.RESTRICTED) == Standing(restriction=Position(1))
        assert self.after(self.RESTRICTED, self.LIFTED) == NOTHING_STANDS
        assert self.after(self.RESTRICTED, self.LIFTED, self.RESTRICTED) == Standing(
            restriction=Position(3)
        )

    def test_death(self) -> None:
        """A death stands for good, from its first report."""
        assert self.after(self.DEATH, self.DEATH) == Standing(death=Position(1))
        assert self.after(self.RESTRICTED, self.DEATH, self.LIFTED) == Standing(death=Position(2))


@given(st.lists(st.sampled_from([one for one in EventKind if one not in STANDINGS]), max_size=8))
def test_choices_leave_the_standing_alone(kinds: list[EventKind]) -> None:
    """What concerns one purpose does not touch what stands above all of them."""
    events = [event(kind, number) for number, kind in enumerate(kinds, start=1)]

    assert reduce(fold_standing, events, NOTHING_STANDS) == NOTHING_STANDS


@given(st.sampled_from([one for one in EventKind if one in STANDINGS]))
def test_standing_leaves_the_choices_alone(kind: EventKind) -> None:
    """And the other way round."""
    consent = after(GIVEN, REQUESTED)

    assert fold(consent, event(kind, 3)) == consent


@given(
    st.lists(
        st.sampled_from([GIVEN, REFUSED, WITHDRAWN, REVOKED, REQUESTED, OBJECTED, TAKEN_BACK]),
        max_size=12,
    ),
    st.integers(0, 12),
)
def test_fold_in_two_steps(kinds: list[EventKind], cut: int) -> None:
    """The state is all that counts: folding on from a state is folding from the beginning."""
    events = [event(kind, number) for number, kind in enumerate(kinds, start=1)]
    halfway = reduce(fold, events[:cut], NOTHING_KNOWN)

    assert reduce(fold, events[cut:], halfway) == reduce(fold, events, NOTHING_KNOWN)
