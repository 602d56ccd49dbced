"""Time that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

from consentsvc.domain.instants import Instant, add, instant

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class FakeClock:
    """A clock that a test sets and advances."""

    def __init__(self, start: datetime = START) -> None:
        self.now = instant(start)

    def __call__(self) -> Instant:
        return self.now

    def advance(self, span: timedelta) -> None:
        """Moves forward; a negative span moves back, as real clocks sometimes do."""
        self.now = add(self.now, span)

    def set(self, moment: datetime) -> None:
        """Jumps to a moment."""
        self.now = instant(moment)
