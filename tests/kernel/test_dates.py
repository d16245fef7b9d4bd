"""Local time over clock changes, workweeks and pay periods."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.kernel import dates
from backoffice.kernel.dates import Frequency, PaySchedule, Period

NEW_YORK = "America/New_York"
ZONES = st.sampled_from(
    [NEW_YORK, "America/Los_Angeles", "America/Phoenix", "Pacific/Honolulu", "America/Puerto_Rico", "Europe/Lisbon"]
)
DAYS = st.dates(date(2000, 1, 1), date(2037, 12, 31))
FREQUENCIES: st.SearchStrategy[Frequency] = st.sampled_from(dates.FREQUENCIES)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_ordinary_days_in_both_halves_of_the_year() -> None:
    assert dates.instant(NEW_YORK, date(2026, 11, 16), time(9)) == utc(2026, 11, 16, 14)
    assert dates.instant(NEW_YORK, date(2026, 7, 16), time(9)) == utc(2026, 7, 16, 13)
    assert dates.instant("America/Phoenix", date(2026, 7, 16), time(9)) == utc(2026, 7, 16, 16)


def test_a_skipped_time_comes_one_gap_later() -> None:
    """8 March 2026: New York goes from 02:00 to 03:00."""
    day = date(2026, 3, 8)
    assert dates.is_skipped(NEW_YORK, day, time(2, 30))
    assert not dates.is_skipped(NEW_YORK, day, time(1, 59))
    assert not dates.is_skipped(NEW_YORK, day, time(3))
    missing = dates.instant(NEW_YORK, day, time(2, 30))
    assert missing == utc(2026, 3, 8, 7, 30)
    assert dates.local(NEW_YORK, missing).time() == time(3, 30)
    assert dates.instant(NEW_YORK, day, time(2, 30), second=True) == missing


def test_a_double_time_is_the_first_unless_asked() -> None:
    """1 November 2026: New York goes from 02:00 back to 01:00."""
    day = date(2026, 11, 1)
    assert dates.is_double(NEW_YORK, day, time(1, 30))
    assert not dates.is_double(NEW_YORK, day, time(2))
    assert not dates.is_double(NEW_YORK, day, time(0, 59))
    assert dates.instant(NEW_YORK, day, time(1, 30)) == utc(2026, 11, 1, 5, 30)
    assert dates.instant(NEW_YORK, day, time(1, 30), second=True) == utc(2026, 11, 1, 6, 30)
    assert dates.instant(NEW_YORK, day, time(2), second=True) == utc(2026, 11, 1, 7)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (NEW_YORK, date(2026, 11, 16), 24),
        (NEW_YORK, date(2026, 3, 8), 23),
        (NEW_YORK, date(2026, 11, 1), 25),
        ("Pacific/Honolulu", date(2026, 3, 8), 24),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # midnight itself was skipped
        ("America/Havana", date(2026, 11, 1), 25),  # midnight comes twice
    ],
)
def test_days_have_the_hours_that_the_clock_gives_them(zone: str, day: date, hours: int) -> None:
    begin, end = dates.day_bounds(zone, day)
    assert end - begin == timedelta(hours=hours)
    assert dates.local_date(zone, begin) == day
    assert dates.local_date(zone, begin - timedelta(seconds=1)) == day - timedelta(days=1)
    assert dates.local_date(zone, end) == day + timedelta(days=1)


def test_bad_zones_and_times_are_told() -> None:
    for name in ("Mars/Olympus", "", "../etc/passwd", "EST5\x00"):
        with pytest.raises(ValueError, match="time zone"):
            dates.zone_named(name)
    with pytest.raises(ValueError, match="without a zone"):
        dates.instant(NEW_YORK, date(2026, 1, 1), time(9, tzinfo=UTC))
    with pytest.raises(ValueError, match="carries its zone"):
        dates.local(NEW_YORK, datetime(2026, 1, 1))  # noqa: DTZ001


@given(ZONES, DAYS, st.times())
def test_instants_read_back_unless_the_clock_skipped_them(zone: str, day: date, at: time) -> None:
    moment = dates.instant(zone, day, at)
    assert moment.utcoffset() == timedelta(0)
    shown = dates.local(zone, moment)
    if dates.is_skipped(zone, day, at):
        assert shown.replace(tzinfo=None) > datetime.combine(day, at)
    else:
        assert (shown.date(), shown.time()) == (day, at)
    later = dates.instant(zone, day, at, second=True)
    assert (later > moment) == dates.is_double(zone, day, at)


@given(ZONES, DAYS, st.times())
def test_a_daily_time_comes_once_a_day_in_order(zone: str, day: date, at: time) -> None:
    today, tomorrow = dates.instant(zone, day, at), dates.instant(zone, day + timedelta(days=1), at)
    assert timedelta(hours=22) <= tomorrow - today <= timedelta(hours=26)


@given(ZONES, DAYS)
def test_days_follow_each_other_without_a_gap(zone: str, day: date) -> None:
    assert dates.day_bounds(zone, day)[1] == dates.day_bounds(zone, day + timedelta(days=1))[0]


def test_the_workweek_of_the_demo() -> None:
    """Sunday 15 November 2026 belongs to the week of 9 to 15 for a Monday employer, to the next for a Sunday one."""
    day = date(2026, 11, 15)
    assert dates.workweek(day, 0) == Period(date(2026, 11, 9), day)
    assert dates.workweek(day, 6) == Period(day, date(2026, 11, 21))
    for wrong in (-1, 7):
        with pytest.raises(ValueError, match="weekday"):
            dates.workweek(day, wrong)


@given(DAYS, st.integers(0, 6))
def test_workweeks_are_seven_days_from_their_weekday(day: date, starts_on: int) -> None:
    week = dates.workweek(day, starts_on)
    assert day in week
    assert len(week) == 7
    assert week.begin.weekday() == starts_on
    assert {dates.workweek(each, starts_on) for each in week.days()} == {week}


@pytest.mark.parametrize(
    ("frequency", "anchor", "day", "begin", "end"),
    [
        ("weekly", "2026-11-09", "2026-11-15", "2026-11-09", "2026-11-15"),
        ("weekly", "2026-11-09", "2020-02-29", "2020-02-24", "2020-03-01"),
        ("biweekly", "2026-11-09", "2026-11-08", "2026-10-26", "2026-11-08"),
        ("biweekly", "2026-11-09", "2026-11-22", "2026-11-09", "2026-11-22"),
        ("semimonthly", "2026-01-01", "2024-02-29", "2024-02-16", "2024-02-29"),
        ("semimonthly", "2026-01-16", "2026-02-15", "2026-02-01", "2026-02-15"),
        ("semimonthly", "2026-01-11", "2026-03-10", "2026-02-26", "2026-03-10"),
        ("semimonthly", "2026-01-26", "2026-12-31", "2026-12-26", "2027-01-10"),
        ("semimonthly", "2026-01-13", "2026-02-28", "2026-02-28", "2026-03-12"),
        ("monthly", "2026-01-01", "2026-02-28", "2026-02-01", "2026-02-28"),
        ("monthly", "2026-01-28", "2026-03-01", "2026-02-28", "2026-03-27"),
        ("monthly", "2026-01-21", "2027-01-20", "2026-12-21", "2027-01-20"),
    ],
)
def test_periods(frequency: Frequency, anchor: str, day: str, begin: str, end: str) -> None:
    schedule = PaySchedule(frequency, date.fromisoformat(anchor))
    assert schedule.period(date.fromisoformat(day)) == Period(date.fromisoformat(begin), date.fromisoformat(end))


@given(FREQUENCIES, DAYS, DAYS)
def test_periods_tile_the_calendar(frequency: Frequency, anchor: date, day: date) -> None:
    try:
        schedule = PaySchedule(frequency, anchor)
    except ValueError:
        assert anchor.day in (14, 15, 29, 30, 31)
        return
    period = schedule.period(day)
    assert day in period
    assert {schedule.period(each) for each in period.days()} == {period}
    assert schedule.next(period).begin == period.end + timedelta(days=1)
    assert schedule.previous(schedule.next(period)) == period
    assert schedule.period(anchor).begin == anchor
    shortest, longest = {"weekly": (7, 7), "biweekly": (14, 14), "semimonthly": (13, 16), "monthly": (28, 31)}[
        frequency
    ]
    assert shortest <= len(period) <= longest


@pytest.mark.parametrize(("frequency", "count"), [("semimonthly", 24), ("monthly", 12)])
def test_a_year_has_its_number_of_periods(frequency: Frequency, count: int) -> None:
    schedule = PaySchedule(frequency, date(2026, 1, 1))
    periods = list(schedule.periods(date(2026, 1, 1), date(2026, 12, 31)))
    assert len(periods) == count
    assert periods[0].begin == date(2026, 1, 1)
    assert periods[-1].end == date(2026, 12, 31)


def test_periods_that_only_touch_are_included() -> None:
    schedule = PaySchedule("weekly", date(2026, 11, 9))
    found = list(schedule.periods(date(2026, 11, 15), date(2026, 11, 16)))
    assert [period.begin for period in found] == [date(2026, 11, 9), date(2026, 11, 16)]


def test_bad_schedules_and_periods_are_told() -> None:
    for frequency, day, reason in (
        ("monthly", 29, "1 to 28"),
        ("semimonthly", 15, "1 to 13"),
        ("semimonthly", 31, "1 to 13"),
        ("hourly", 1, "weekly, biweekly"),
    ):
        with pytest.raises(ValueError, match=re.escape(reason)):
            PaySchedule(frequency, date(2026, 1, day))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="before it begins"):
        Period(date(2026, 1, 2), date(2026, 1, 1))
