"""Business days by named calendar. The rules are data with their sources; dates are computed, for any year from 2007.

Two calendars differ where a payroll would be late for it. The Reserve Banks (and so ACH) work on the Friday before a
holiday that falls on a Saturday, and on 16 April; tax deadlines move for both, because a legal holiday in the District
of Columbia counts (IRC 7503). A day that Congress or a President declares later has to be added here with its source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, Literal

FIRST_YEAR: Final = 2007
_DAY = timedelta(days=1)
_SATURDAY, _SUNDAY = 5, 6


@dataclass(frozen=True, slots=True)
class HolidayRule:
    """One yearly holiday. `on(year)` is the day itself, None in a year without it; `since` the first year it counts.

    `saturday` says where it is kept when it falls on a Saturday; on a Sunday every one of them moves to Monday."""

    name: str
    on: Callable[[int], date | None]
    saturday: Literal["friday", "not_moved"]
    since: int = FIRST_YEAR

    def kept(self, year: int) -> date | None:
        """The day on which the holiday of `year` is kept, which may lie in the year before."""
        day = self.on(year) if year >= self.since else None
        if day is None:
            return None
        if day.weekday() == _SUNDAY:
            return day + _DAY
        if day.weekday() == _SATURDAY and self.saturday == "friday":
            return day - _DAY
        return day


@dataclass(frozen=True, slots=True)
class Calendar:
    """Saturdays, Sundays and the holidays of its rules are no business days. `closed` are single days on top, such as
    an employer's own."""

    name: str
    source: str
    rules: tuple[HolidayRule, ...]
    closed: tuple[tuple[date, str], ...] = ()

    def holidays(self, year: int) -> dict[date, str]:
        """The days kept in the calendar year `year`, in order, with their names; two on one day are joined by "; ".

        ValueError before 2007. A holiday on a Saturday that is not moved is listed on its Saturday."""
        if year < FIRST_YEAR:
            raise ValueError(f"calendar {self.name} knows the years from {FIRST_YEAR}")
        found: dict[date, str] = {}
        for rule in self.rules:
            for day in (rule.kept(year), rule.kept(year + 1)):  # 1 January may be kept on 31 December
                if day is not None and day.year == year:
                    found[day] = f"{found[day]}; {rule.name}" if day in found else rule.name
        for day, name in self.closed:
            if day.year == year:
                found[day] = f"{found[day]}; {name}" if day in found else name
        return dict(sorted(found.items()))

    def also_closed(self, name: str, source: str, days: Mapping[date, str]) -> Calendar:
        """A calendar of another name with more closed days, such as an employer's shutdown over New Year."""
        return Calendar(name, source, self.rules, (*self.closed, *sorted(days.items())))


def _fixed(month: int, day: int) -> Callable[[int], date]:
    return lambda year: date(year, month, day)


def _nth(month: int, weekday: int, count: int) -> Callable[[int], date]:
    """The `count`-th such weekday (0 Monday) of the month; -1 the last one."""

    def on(year: int) -> date:
        if count > 0:
            first = date(year, month, 1)
            return first + _DAY * ((weekday - first.weekday()) % 7 + 7 * (count - 1))
        last = date(year + month // 12, month % 12 + 1, 1) - _DAY
        return last - _DAY * ((last.weekday() - weekday) % 7)

    return on


def _inauguration(year: int) -> date | None:
    return date(year, 1, 20) if year % 4 == 1 else None


def _national(saturday: Literal["friday", "not_moved"], juneteenth_since: int) -> tuple[HolidayRule, ...]:
    """The holidays of 5 USC 6103(a)."""
    return (
        HolidayRule("New Year's Day", _fixed(1, 1), saturday),
        HolidayRule("Birthday of Martin Luther King, Jr.", _nth(1, 0, 3), saturday),
        HolidayRule("Washington's Birthday", _nth(2, 0, 3), saturday),
        HolidayRule("Memorial Day", _nth(5, 0, -1), saturday),
        HolidayRule("Juneteenth National Independence Day", _fixed(6, 19), saturday, juneteenth_since),
        HolidayRule("Independence Day", _fixed(7, 4), saturday),
        HolidayRule("Labor Day", _nth(9, 0, 1), saturday),
        HolidayRule("Columbus Day", _nth(10, 0, 2), saturday),
        HolidayRule("Veterans Day", _fixed(11, 11), saturday),
        HolidayRule("Thanksgiving Day", _nth(11, 3, 4), saturday),
        HolidayRule("Christmas Day", _fixed(12, 25), saturday),
    )


FEDERAL_RESERVE: Final = Calendar(
    "federal_reserve",
    "Federal Reserve Banks, holiday schedules: open on the Friday before a Saturday holiday, closed on the Monday "
    "after a Sunday holiday; Juneteenth first kept in 2022. Banking days of Fedwire and FedACH.",
    _national("not_moved", 2022),
)

FEDERAL_LEGAL_DC: Final = Calendar(
    "federal_legal_dc",
    "IRC 7503 and Reg. 301.7503-1 (legal holidays in the District of Columbia); 5 USC 6103(a); D.C. Code 1-612.02 and "
    "28-2701: Saturday holidays are kept on Friday, Sunday holidays on Monday, Emancipation Day on 16 April, "
    "Inauguration Day on 20 January every fourth year but never moved back from a Saturday.",
    (
        *_national("friday", 2021),
        HolidayRule("District of Columbia Emancipation Day", _fixed(4, 16), "friday"),
        HolidayRule("Inauguration Day", _inauguration, "not_moved"),
    ),
)

CALENDARS: Final[Mapping[str, Calendar]] = {calendar.name: calendar for calendar in (FEDERAL_RESERVE, FEDERAL_LEGAL_DC)}


def calendar_named(name: str) -> Calendar:
    """The calendar of that name; ValueError lists the names there are."""
    try:
        return CALENDARS[name]
    except KeyError:
        raise ValueError(f"there is no calendar {name!r}; there are {', '.join(sorted(CALENDARS))}") from None


def is_business_day(day: date, calendar: Calendar) -> bool:
    """Neither Saturday, Sunday nor a holiday kept on that day."""
    return day.weekday() < _SATURDAY and day not in _closed_days(calendar, day.year)


def holiday_name(day: date, calendar: Calendar) -> str | None:
    """Why the day is closed, if a holiday is kept on it; None on business days and ordinary weekends."""
    return calendar.holidays(day.year).get(day)


def next_business_day(day: date, calendar: Calendar) -> date:
    """The first business day after `day`."""
    return on_or_after(day + _DAY, calendar)


def previous_business_day(day: date, calendar: Calendar) -> date:
    """The last business day before `day`."""
    return on_or_before(day - _DAY, calendar)


def on_or_after(day: date, calendar: Calendar) -> date:
    """`day` itself when it is a business day, else the next one: how tax deadlines move."""
    while not is_business_day(day, calendar):
        day += _DAY
    return day


def on_or_before(day: date, calendar: Calendar) -> date:
    """`day` itself when it is a business day, else the one before: how paydays move."""
    while not is_business_day(day, calendar):
        day -= _DAY
    return day


def add_business_days(day: date, count: int, calendar: Calendar) -> date:
    """The `count`-th business day after `day` (before it, when negative). `day` is not counted and need not be a
    business day; with 0 it is returned as it is."""
    step = next_business_day if count > 0 else previous_business_day
    for _ in range(abs(count)):
        day = step(day, calendar)
    return day


@lru_cache(maxsize=512)
def _closed_days(calendar: Calendar, year: int) -> frozenset[date]:
    return frozenset(calendar.holidays(year))
