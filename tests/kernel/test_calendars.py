"""Business calendars against published lists, and as properties."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.kernel.calendars import (
    CALENDARS,
    FEDERAL_LEGAL_DC,
    FEDERAL_RESERVE,
    Calendar,
    add_business_days,
    calendar_named,
    holiday_name,
    is_business_day,
    next_business_day,
    on_or_after,
    on_or_before,
    previous_business_day,
)

DAYS = st.dates(date(2010, 1, 1), date(2060, 12, 31))  # 300 business days back is still a year that is known
BOTH = st.sampled_from(list(CALENDARS.values()))
REFERENCE = Path(__file__).parents[3] / "shared/reference/payroll/us_federal_2026.toml"


def month_days(year: int, text: str) -> list[date]:
    return [date(year, int(part[:2]), int(part[3:])) for part in text.split()]


# Reserve Banks' own lists (richmondfed.org and other Banks' pages), Saturdays listed but not moved.
@pytest.mark.parametrize(
    ("year", "days"),
    [
        (2009, "01-01 01-19 02-16 05-25 07-04 09-07 10-12 11-11 11-26 12-25"),
        (2010, "01-01 01-18 02-15 05-31 07-05 09-06 10-11 11-11 11-25 12-25"),
        (2025, "01-01 01-20 02-17 05-26 06-19 07-04 09-01 10-13 11-11 11-27 12-25"),
        (2026, "01-01 01-19 02-16 05-25 06-19 07-04 09-07 10-12 11-11 11-26 12-25"),
        (2027, "01-01 01-18 02-15 05-31 06-19 07-05 09-06 10-11 11-11 11-25 12-25"),
    ],
)
def test_federal_reserve_lists(year: int, days: str) -> None:
    assert list(FEDERAL_RESERVE.holidays(year)) == month_days(year, days)


@pytest.mark.parametrize(
    ("year", "days"),
    [
        # 2021 began with an inauguration; Juneteenth on a Saturday kept on 18 June, 4 July on Monday, Christmas on
        # Friday 24 December, New Year's Day 2022 on Friday 31 December.
        (2021, "01-01 01-18 01-20 02-15 04-16 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31"),
        # Emancipation Day on a Saturday: returns for 2021 were due on Monday 18 April 2022.
        (2022, "01-17 02-21 04-15 05-30 06-20 07-04 09-05 10-10 11-11 11-24 12-26"),
        # on a Sunday: returns for 2022 were due on Tuesday 18 April 2023.
        (2023, "01-02 01-16 02-20 04-17 05-29 06-19 07-04 09-04 10-09 11-10 11-23 12-25"),
        (2025, "01-01 01-20 02-17 04-16 05-26 06-19 07-04 09-01 10-13 11-11 11-27 12-25"),
        (2026, "01-01 01-19 02-16 04-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25"),
    ],
)
def test_legal_holidays_of_the_district(year: int, days: str) -> None:
    assert list(FEDERAL_LEGAL_DC.holidays(year)) == month_days(year, days)


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference folder is not beside this checkout")
def test_legal_holidays_2026_agree_with_the_reference_table() -> None:
    table = tomllib.loads(REFERENCE.read_text(encoding="utf-8"))["deposits"]["legal_holidays_2026"]
    assert list(FEDERAL_LEGAL_DC.holidays(2026)) == table["dates"]


def test_where_the_two_differ_in_2026() -> None:
    for day in (date(2026, 4, 16), date(2026, 7, 3)):
        assert is_business_day(day, FEDERAL_RESERVE)
        assert not is_business_day(day, FEDERAL_LEGAL_DC)


def test_inauguration_day_moves_from_sunday_but_not_from_saturday() -> None:
    assert date(2013, 1, 20).weekday() == 6
    assert holiday_name(date(2013, 1, 21), FEDERAL_LEGAL_DC) == "Birthday of Martin Luther King, Jr.; Inauguration Day"
    assert date(2029, 1, 20).weekday() == 5
    assert is_business_day(date(2029, 1, 19), FEDERAL_LEGAL_DC)
    assert holiday_name(date(2027, 1, 20), FEDERAL_LEGAL_DC) is None
    assert is_business_day(date(2025, 1, 21), FEDERAL_LEGAL_DC)


def test_new_year_on_a_saturday_closes_the_last_friday_of_the_old_year_for_tax_only() -> None:
    assert holiday_name(date(2027, 12, 31), FEDERAL_LEGAL_DC) == "New Year's Day"
    assert is_business_day(date(2027, 12, 31), FEDERAL_RESERVE)
    assert add_business_days(date(2027, 12, 30), 1, FEDERAL_LEGAL_DC) == date(2028, 1, 3)


def test_juneteenth_counts_from_its_first_year() -> None:
    assert not is_business_day(date(2021, 6, 18), FEDERAL_LEGAL_DC)
    assert is_business_day(date(2020, 6, 19), FEDERAL_LEGAL_DC)
    assert is_business_day(date(2020, 6, 19), FEDERAL_RESERVE)
    assert not is_business_day(date(2022, 6, 20), FEDERAL_RESERVE)


def test_a_payday_on_thanksgiving_moves_to_wednesday_and_a_deadline_to_friday() -> None:
    assert on_or_before(date(2026, 11, 26), FEDERAL_RESERVE) == date(2026, 11, 25)
    assert on_or_after(date(2026, 11, 26), FEDERAL_LEGAL_DC) == date(2026, 11, 27)
    assert add_business_days(date(2026, 11, 20), 3, FEDERAL_RESERVE) == date(2026, 11, 25)
    assert add_business_days(date(2026, 11, 20), 4, FEDERAL_RESERVE) == date(2026, 11, 27)
    assert add_business_days(date(2026, 11, 30), -3, FEDERAL_RESERVE) == date(2026, 11, 24)
    assert add_business_days(date(2026, 11, 28), 0, FEDERAL_RESERVE) == date(2026, 11, 28)


def test_an_employers_own_days_come_on_top() -> None:
    days = {date(2026, 12, 28): "shutdown", date(2026, 12, 25): "company day"}
    own = FEDERAL_RESERVE.also_closed("northwind", "employee handbook", days)
    assert not is_business_day(date(2026, 12, 28), own)
    assert is_business_day(date(2026, 12, 28), FEDERAL_RESERVE)
    assert holiday_name(date(2026, 12, 25), own) == "Christmas Day; company day"
    assert next_business_day(date(2026, 12, 24), own) == date(2026, 12, 29)
    again = own.also_closed("twice", "handbook", {date(2026, 12, 29): "shutdown"})
    assert next_business_day(date(2026, 12, 24), again) == date(2026, 12, 30)


def test_names_and_years_are_checked() -> None:
    assert calendar_named("federal_reserve") is FEDERAL_RESERVE
    assert all(name == calendar.name and calendar.source for name, calendar in CALENDARS.items())
    with pytest.raises(ValueError, match="federal_legal_dc, federal_reserve"):
        calendar_named("lunar")
    with pytest.raises(ValueError, match="2007"):
        is_business_day(date(2006, 12, 29), FEDERAL_RESERVE)


@given(DAYS, BOTH)
def test_next_and_previous_are_business_days_with_none_between(day: date, calendar: Calendar) -> None:
    for other, step in ((next_business_day(day, calendar), 1), (previous_business_day(day, calendar), -1)):
        assert is_business_day(other, calendar)
        between = [day + timedelta(days=step * k) for k in range(1, abs((other - day).days))]
        assert len(between) <= 4
        assert not any(is_business_day(skipped, calendar) for skipped in between)


@given(DAYS, st.integers(-300, 300), BOTH)
def test_adding_counts_business_days(day: date, count: int, calendar: Calendar) -> None:
    result = add_business_days(day, count, calendar)
    low, high = (day + timedelta(days=1), result) if count >= 0 else (result, day - timedelta(days=1))
    span = [low + timedelta(days=k) for k in range((high - low).days + 1)]
    assert sum(is_business_day(each, calendar) for each in span) == abs(count)
    if is_business_day(day, calendar):
        assert add_business_days(result, -count, calendar) == day


@given(st.integers(2007, 2200))
def test_every_year_has_its_holidays_and_banks_never_close_on_a_moved_friday(year: int) -> None:
    legal = FEDERAL_LEGAL_DC.holidays(year)
    assert 10 <= len(legal) <= 14
    assert all(day.weekday() < 5 or legal[day] == "Inauguration Day" for day in legal)
    assert all(day.weekday() != 6 for day in FEDERAL_RESERVE.holidays(year))
    fridays = [day for day in FEDERAL_RESERVE.holidays(year) if day.weekday() == 4]
    assert all((day.month, day.day) in {(1, 1), (6, 19), (7, 4), (11, 11), (12, 25)} for day in fridays)
