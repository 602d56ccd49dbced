"""Events about one subject and one purpose, and lives of them at random."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import reduce

from hypothesis import strategies as st

from consentsvc.domain.consent import NOTHING_KNOWN, Consent, fold
from consentsvc.domain.events import Event, EventKind, NoticeRef, Signal
from consentsvc.domain.identifiers import Position
from consentsvc.domain.instants import Instant, add, instant
from tests.support.catalogues import NEWSLETTER, version
from tests.support.clock import START

NOW = instant(START)


def ref(name: str) -> NoticeRef:
    """A version of the newsletter's notice, as an event names it."""
    notice = version(NEWSLETTER, name).notices["en"]
    return NoticeRef(notice.version, notice.locale, notice.sha256)


def event(
    kind: EventKind,
    position: int,
    *,
    at: Instant = NOW,
    notice: NoticeRef | None = None,
    refers_to: int | None = None,
) -> Event:
    """An event in its place; what the fold does not read is left out."""
    refers = None if refers_to is None else Position(refers_to)
    return Event(Position(position), at, kind, NEWSLETTER, None, notice, refers, None)


def folded(events: Iterable[Event], start: Consent = NOTHING_KNOWN) -> Consent:
    """The state after all of them."""
    return reduce(fold, events, start)


# Around both limits that time sets, a request's 30 days and a month of 28 to 31, and at none.
_DAYS = [timedelta(days=days) for days in (0, 1, 15, 28, 29, 30, 31, 45)]
_JUST_BEFORE = [gap - timedelta(microseconds=1) for gap in _DAYS[1:]]
GAPS = st.sampled_from([*_DAYS, *_JUST_BEFORE])
SHORT_GAPS = st.sampled_from(_DAYS[:4])


# What time ends comes more often than the rest.
_KINDS = [*EventKind, *[EventKind.CONSENT_GIVEN, EventKind.CONSENT_REQUESTED] * 4]
_NOTICES = [None, ref("2"), *[ref("1")] * 4]


@st.composite
def lives(draw: st.DrawFn, most: int = 10) -> list[Event]:
    """Up to so many events of any kind, some of them about a position that never was."""
    at = NOW
    events: list[Event] = []
    for position in range(1, draw(st.integers(0, most)) + 1):
        at = add(at, draw(GAPS))
        kind = draw(st.sampled_from(_KINDS))
        notice = draw(st.sampled_from(_NOTICES))
        refers_to = draw(st.none() | st.integers(1, position))
        signal = None
        if kind is EventKind.OBJECTION_RAISED:
            signal = draw(st.sampled_from([None, Signal.GLOBAL_PRIVACY_CONTROL]))
        happened = event(kind, position, at=at, notice=notice, refers_to=refers_to)
        events.append(replace(happened, signal=signal))
    return events
