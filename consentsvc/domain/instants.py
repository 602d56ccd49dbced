"""Moments in time: whole microseconds since 1970-01-01T00:00:00Z, never a local time."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NewType

Instant = NewType("Instant", int)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400_000_000


def instant(moment: datetime) -> Instant:
    """Accepts an aware datetime; a naive one has no place on the time line."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return Instant((moment - _EPOCH) // timedelta(microseconds=1))


def moment(at: Instant) -> datetime:
    """The same moment as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=at)


def add(at: Instant, span: timedelta) -> Instant:
    """Moves a moment by a fixed span; a day is 24 hours."""
    return Instant(at + span // timedelta(microseconds=1))


def add_months(at: Instant, months: int) -> Instant:
    """Moves a moment by calendar months in UTC, keeping the time of day.

    A day that the target month does not have becomes its last one: 31 January and one month is
    28 or 29 February.
    """
    day, rest = divmod(at, _DAY)
    return Instant(_shifted(day, months) * _DAY + rest)


# Consents come in crowds: those of one day share one answer, and a batch asks for it many
# thousand times. Forty years of days fit.
@lru_cache(maxsize=16_384)
def _shifted(day: int, months: int) -> int:
    start = _EPOCH + timedelta(days=day)
    years, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    first = datetime(years, month + 1, 1, tzinfo=UTC)
    following = first + timedelta(days=32)
    last = (following.replace(day=1) - timedelta(days=1)).day
    return (first.replace(day=min(start.day, last)) - _EPOCH).days
