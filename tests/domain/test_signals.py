"""Global Privacy Control objects, and gives way to whatever the person says."""

import pytest

from consentsvc.domain.catalogue import LegalBasis, Purpose
from consentsvc.domain.changes import Action, event_for
from consentsvc.domain.consent import (
    NOTHING_KNOWN,
    NOTHING_STANDS,
    Consent,
    Objection,
    fold,
)
from consentsvc.domain.decision import Reason, decide
from consentsvc.domain.events import THE_SUBJECT, EventKind, Signal
from consentsvc.domain.identifiers import Position
from tests.domain.making import NOW
from tests.support.catalogues import NEWSLETTER, PROFILING, STATISTICS, purpose
from tests.support.events import event

OPT_OUT = purpose(STATISTICS, basis=LegalBasis.LEGITIMATE_INTEREST)
MARKED = purpose(PROFILING, marked_for_signal=True)
PLAIN = purpose(NEWSLETTER)
GIVE, SIGNAL = Action.GIVE, Action.SIGNAL
OBJECT, TAKE_BACK = Action.OBJECT, Action.WITHDRAW_OBJECTION


def _after(about: Purpose, *actions: Action) -> tuple[Consent, list[bool]]:
    """The state after these, and which of them were recorded."""
    consent, recorded = NOTHING_KNOWN, []
    for position, action in enumerate(actions, start=1):
        kind = event_for(action, THE_SUBJECT, about, consent, None)
        recorded.append(kind is not None)
        if kind is not None:
            signal = Signal.GLOBAL_PRIVACY_CONTROL if action is SIGNAL else None
            happened = event(kind, position, at=NOW, signal=signal)
            consent = fold(consent, happened)
    return consent, recorded


def _reason(about: Purpose, *actions: Action) -> Reason:
    return decide(about, _after(about, *actions)[0], NOTHING_STANDS, NOW).reason


@pytest.mark.parametrize("about", [OPT_OUT, MARKED])
def test_a_signal_objects(about: Purpose) -> None:
    """A signal objects to a purpose that heeds it, once, for somebody who has never chosen."""
    consent, recorded = _after(about, SIGNAL, SIGNAL)

    assert recorded == [True, False]
    assert consent.objection == Objection(Position(1), NOW, by_signal=True)
    assert _reason(about, SIGNAL) is Reason.OBJECTED


def test_a_purpose_that_does_not_heed_it() -> None:
    """To any other purpose it says nothing, neither yes nor no."""
    assert _after(PLAIN, SIGNAL) == (NOTHING_KNOWN, [False])
    assert _reason(PLAIN, SIGNAL) is Reason.NEVER_ASKED


@pytest.mark.parametrize("about", [OPT_OUT, MARKED])
def test_a_consent_outranks_it(about: Purpose) -> None:
    """A later consent ends the objection, and the signals that follow change nothing."""
    consent, recorded = _after(about, SIGNAL, GIVE, SIGNAL)

    assert recorded == [True, True, False]
    assert consent.objection is None
    assert _reason(about, SIGNAL, GIVE, SIGNAL) is Reason.CONSENT_GIVEN


def test_an_objection_that_was_taken_back() -> None:
    """So does an objection that was taken back; after another one, nothing is tolerated."""
    consent, recorded = _after(OPT_OUT, SIGNAL, TAKE_BACK, SIGNAL)

    assert recorded == [True, True, False]
    assert (consent.objection, consent.tolerated) == (None, 2)
    assert _reason(OPT_OUT, SIGNAL, TAKE_BACK, SIGNAL) is Reason.NOT_OBJECTED
    assert _reason(OPT_OUT, SIGNAL, TAKE_BACK, OBJECT) is Reason.OBJECTED
    assert _after(OPT_OUT, TAKE_BACK)[0].tolerated is None


def test_an_objection_of_the_persons_own() -> None:
    """The person's own objection is no signal's: it stays after a consent, and takes its place."""
    assert _after(OPT_OUT, OBJECT, SIGNAL)[1] == [True, False]
    assert _reason(OPT_OUT, OBJECT, SIGNAL, GIVE) is Reason.OBJECTED
    consent, recorded = _after(OPT_OUT, SIGNAL, OBJECT, GIVE)

    assert recorded == [True, True, True]
    assert consent.objection == Objection(Position(2), NOW)


def test_a_signal_settles_no_request() -> None:
    """A link that waits goes on waiting: the person has not said anything since."""
    consent, _ = _after(MARKED, Action.REQUEST, SIGNAL)

    assert consent.request is not None
    assert _reason(MARKED, Action.REQUEST, SIGNAL) is Reason.OBJECTED


@pytest.mark.parametrize("kind", [EventKind.CONSENT_REFUSED, EventKind.CONSENT_WITHDRAWN])
def test_a_no_beside_it(kind: EventKind) -> None:
    """A no leaves the objection as it is, and a signal after it is recorded beside it."""
    action = Action.REFUSE if kind is EventKind.CONSENT_REFUSED else Action.WITHDRAW
    consent, recorded = _after(MARKED, action, SIGNAL, GIVE)

    assert recorded == [True, True, True]
    assert consent.objection is None
