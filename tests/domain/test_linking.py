"""Of two subjects who are one person, the stricter choice holds."""

from dataclasses import replace
from itertools import product

import pytest

from consentsvc.domain.catalogue import LegalBasis, Purpose
from consentsvc.domain.consent import NOTHING_STANDS, Consent, fold
from consentsvc.domain.decision import decide
from consentsvc.domain.events import EventKind, Signal
from consentsvc.domain.linking import joined
from tests.domain.making import NOW, event, folded, ref
from tests.support.catalogues import NEWSLETTER, STATISTICS, purpose, version

K = EventKind
LIVES: dict[str, list[tuple[EventKind, Signal | None]]] = {
    "silence": [],
    "yes": [(K.CONSENT_GIVEN, None)],
    "no": [(K.CONSENT_REFUSED, None)],
    "taken back": [(K.CONSENT_GIVEN, None), (K.CONSENT_WITHDRAWN, None)],
    "revoked": [(K.CONSENT_GIVEN, None), (K.CONSENT_REVOKED, None)],
    "asked": [(K.CONSENT_REQUESTED, None)],
    "no, asked again": [(K.CONSENT_REFUSED, None), (K.CONSENT_REQUESTED, None)],
    "objects": [(K.OBJECTION_RAISED, None)],
    "yes, objects": [(K.CONSENT_GIVEN, None), (K.OBJECTION_RAISED, None)],
    "tolerates": [(K.OBJECTION_RAISED, None), (K.OBJECTION_WITHDRAWN, None)],
    "signalled": [(K.OBJECTION_RAISED, Signal.GLOBAL_PRIVACY_CONTROL)],
}

SHOWN = (version(NEWSLETTER, "2"),)
OPT_IN = purpose(NEWSLETTER, versions=SHOWN)
OPT_OUT = purpose(STATISTICS, basis=LegalBasis.LEGITIMATE_INTEREST, versions=SHOWN)


def consent(life: str, start: int = 1) -> Consent:
    events = []
    for number, (kind, signal) in enumerate(LIVES[life]):
        notice = ref("2") if kind in {K.CONSENT_GIVEN, K.CONSENT_REFUSED} else None
        events.append(replace(event(kind, start + number, notice=notice), signal=signal))
    return folded(events)


def after(about: Purpose, ours: Consent, theirs: Consent) -> Consent:
    """The state once everything that joins is recorded."""
    for number, one in enumerate(joined(about, ours, theirs)):
        placed = event(one.kind, 100 + number, notice=one.notice)
        ours = fold(ours, replace(placed, signal=one.signal))
    return ours


def permits(about: Purpose, consent: Consent) -> bool:
    return decide(about, consent, NOTHING_STANDS, NOW).permitted


@pytest.mark.parametrize(("ours", "theirs"), list(product(LIVES, LIVES)))
@pytest.mark.parametrize("about", [OPT_IN, OPT_OUT], ids=["opt-in", "opt-out"])
def test_never_more_than_either_permits(about: Purpose, ours: str, theirs: str) -> None:
    """A no of the other's is a no from here on, and nothing becomes a yes; done twice is once."""
    before, other = consent(ours), consent(theirs, 50)
    now = after(about, before, other)
    their_own_no = theirs in {"no", "taken back", "no, asked again", "objects", "yes, objects"}

    assert permits(about, now) <= permits(about, before)
    if their_own_no:
        assert not permits(about, now)
    assert joined(about, now, other) == []


def test_a_yes_permits_by_itself() -> None:
    """Or nothing above and below would be shown."""
    assert permits(OPT_IN, consent("yes"))
    assert permits(OPT_OUT, consent("silence"))
    assert not permits(OPT_IN, after(OPT_IN, consent("yes"), consent("no", 50)))


@pytest.mark.parametrize("ours", LIVES)
@pytest.mark.parametrize("theirs", ["silence", "yes", "asked", "revoked", "tolerates"])
def test_what_is_no_no_of_theirs_adds_nothing(ours: str, theirs: str) -> None:
    """Nor does a yes: it is asked anew."""
    assert joined(OPT_IN, consent(ours), consent(theirs, 50)) == []


def test_when_it_was_said() -> None:
    """What joins tells when the other said it, and on which text."""
    (one,) = joined(OPT_IN, consent("silence"), consent("no", 50))

    assert (one.kind, one.said_at, one.notice) == (K.CONSENT_REFUSED, NOW, ref("2"))


def test_a_signal_gives_way() -> None:
    """A browser's signal joins where it would have been heeded, and stays a signal."""
    signalled = consent("signalled", 50)

    assert joined(OPT_OUT, consent("yes"), signalled) == []
    assert joined(OPT_OUT, consent("tolerates"), signalled) == []
    (one,) = joined(OPT_OUT, consent("silence"), signalled)
    assert one.signal is Signal.GLOBAL_PRIVACY_CONTROL
