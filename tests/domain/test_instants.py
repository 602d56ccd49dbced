from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consentsvc.domain.instants import Instant, add, add_months, instant, moment

moments = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9000, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
months = st.integers(-240, 240)


def months_after(year: int, month: int, day: int, count: int) -> str:
    """The date so many months later, at the same time of day."""
    start = datetime(year, month, day, 14, 30, 15, 123456, UTC)
    end = moment(add_months(instant(start), count))
    assert end.time() == start.time()
    return end.date().isoformat()


class TestMonths:
    @pytest.mark.parametrize(
        ("start", "count", "end"),
        [
            ((2026, 1, 31), 1, "2026-02-28"),
            ((2028, 1, 31), 1, "2028-02-29"),
            ((2000, 1, 30), 1, "2000-02-29"),
            ((2100, 1, 30), 1, "2100-02-28"),  # no leap year
            ((2026, 2, 28), 1, "2026-03-28"),
            ((2026, 3, 31), 1, "2026-04-30"),
            ((2026, 3, 31), 2, "2026-05-31"),
            ((2028, 2, 29), 12, "2029-02-28"),
            ((2028, 2, 29), 48, "2032-02-29"),
            ((2026, 12, 31), 1, "2027-01-31"),
            ((2026, 12, 31), 2, "2027-02-28"),
            ((2026, 5, 15), 13, "2027-06-15"),
            ((2026, 5, 15), 0, "2026-05-15"),
            ((2026, 3, 31), -1, "2026-02-28"),
            ((2028, 3, 31), -1, "2028-02-29"),
            ((2026, 1, 31), -2, "2025-11-30"),
            ((2026, 1, 1), -1, "2025-12-01"),
            ((2026, 1, 15), -13, "2024-12-15"),
            ((1970, 1, 31), -11, "1969-02-28"),
        ],
    )
    def test_calendar(self, start: tuple[int, int, int], count: int, end: str) -> None:
        """A month leads to the same day, or to the last one where there is no such day."""
        assert months_after(*start, count) == end

    @given(moments, months)
    def test_never_far_off(self, start: datetime, count: int) -> None:
        """The result lies in exactly the month asked for, on that day or on the month's last."""
        end = moment(add_months(instant(start), count))
        elapsed = (end.year - start.year) * 12 + end.month - start.month

        assert elapsed == count
        assert end.day == start.day or (
            end.day < start.day and (end + timedelta(days=1)).month != end.month
        )

    @given(moments, months)
    def test_time_of_day(self, start: datetime, count: int) -> None:
        """The time of day stays, to the microsecond."""
        assert moment(add_months(instant(start), count)).timetz() == start.timetz()

    @given(moments, st.integers(0, 240))
    @example(datetime(2026, 1, 31, tzinfo=UTC), 1)
    def test_there_and_back(self, start: datetime, count: int) -> None:
        """Going back as many months ends at most three days before the start, never after."""
        there = add_months(instant(start), count)
        back = moment(add_months(there, -count))

        assert timedelta(0) <= start - back <= timedelta(days=3)

    @given(moments, moments, st.integers(0, 240))
    def test_in_order_by_day(self, one: datetime, other: datetime, count: int) -> None:
        """Of two days the earlier one never leads to the later day."""
        first, second = sorted((one, other))
        ends = [moment(add_months(instant(start), count)).date() for start in (first, second)]

        assert ends == sorted(ends)


class TestMoments:
    @given(moments)
    def test_back_and_forth(self, start: datetime) -> None:
        """An instant is its moment, to the microsecond."""
        assert moment(instant(start)) == start

    def test_epoch(self) -> None:
        """Instants count microseconds from 1970."""
        assert instant(datetime(1970, 1, 1, 0, 0, 1, 5, UTC)) == 1_000_005

    def test_other_zone(self) -> None:
        """The same moment in another zone is the same instant, and comes back in UTC."""
        zone = timezone(timedelta(hours=2))
        there = datetime(2026, 7, 1, 2, 0, tzinfo=zone)

        assert instant(there) == instant(datetime(2026, 7, 1, tzinfo=UTC))
        assert moment(instant(there)).tzinfo is UTC

    def test_naive(self) -> None:
        """A moment without a zone is none."""
        with pytest.raises(ValueError, match="time zone"):
            instant(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point

    @given(moments, st.timedeltas(timedelta(days=-30), timedelta(days=30)))
    def test_spans(self, start: datetime, span: timedelta) -> None:
        """A span is so many microseconds, whatever the calendar says."""
        assert add(instant(start), span) - instant(start) == span // timedelta(microseconds=1)

    def test_days(self) -> None:
        """A day is 24 hours."""
        assert add(Instant(0), timedelta(days=30)) == 30 * 24 * 3_600 * 1_000_000
