"""Dates and local time: pay periods, workweeks, and the instant of "17:00 in New York on that day".

Local times follow RFC 5545 §3.3.5 where a clock change makes them missing or double, so that a schedule fires exactly
once on every day:
- a time that the clock skips (02:30 on the spring night) is read with the offset before the change, which is the moved
  clock's time one gap later (03:30 daylight time);
- a time that the clock shows twice means the first; `second=True` asks for the other (a deadline "until 01:30" that
  should give the longer time).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


def zone_named(name: str) -> ZoneInfo:
    """The IANA zone (`America/New_York`); ValueError for a name that the time zone data does not know."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; use an IANA name such as America/New_York") from None


def instant(zone: str, day: date, at: time, *, second: bool = False) -> datetime:
    """The aware UTC instant at which clocks in `zone` show `at` (naive) on `day`; see above for skipped and double
    times. ValueError for an unknown zone or an aware `at`."""
    if at.tzinfo is not None:
        raise ValueError("give the local time without a zone; the zone is named separately")
    moment = datetime.combine(day, at, tzinfo=zone_named(zone))
    # fold=0 gives the offset before the change, in a gap as well; a second reading exists only in an overlap.
    exists_twice = _offset(moment, 0) > _offset(moment, 1)
    return moment.replace(fold=1 if second and exists_twice else 0).astimezone(UTC)


def is_skipped(zone: str, day: date, at: time) -> bool:
    """Whether clocks in `zone` never show `at` on `day`."""
    moment = datetime.combine(day, at, tzinfo=zone_named(zone))
    return _offset(moment, 0) < _offset(moment, 1)


def is_double(zone: str, day: date, at: time) -> bool:
    """Whether clocks in `zone` show `at` twice on `day`."""
    moment = datetime.combine(day, at, tzinfo=zone_named(zone))
    return _offset(moment, 0) > _offset(moment, 1)


def local(zone: str, at: datetime) -> datetime:
    """The instant `at` (aware) as clocks in `zone` show it. ValueError for a naive `at`."""
    if at.tzinfo is None:
        raise ValueError("an instant carries its zone")
    return at.astimezone(zone_named(zone))


def local_date(zone: str, at: datetime) -> date:
    """The calendar day in `zone` at the instant `at`."""
    return local(zone, at).date()


def day_bounds(zone: str, day: date) -> tuple[datetime, datetime]:
    """First instant of the day in `zone` and first instant of the next (UTC, half-open): 23, 24 or 25 hours as a rule,
    also where the clock skips midnight itself."""
    return instant(zone, day, time()), instant(zone, day + _DAY, time())


def _offset(moment: datetime, fold: Literal[0, 1]) -> timedelta:
    offset = moment.replace(fold=fold).utcoffset()
    assert offset is not None  # a ZoneInfo always has one
    return offset


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A run of days, both ends included. ValueError when it ends before it begins."""

    begin: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.begin:
            raise ValueError(f"a period cannot end ({self.end}) before it begins ({self.begin})")

    def __contains__(self, day: date) -> bool:
        return self.begin <= day <= self.end

    def __len__(self) -> int:
        return (self.end - self.begin).days + 1

    def days(self) -> Iterator[date]:
        """Each day in order."""
        return (self.begin + _DAY * offset for offset in range(len(self)))


def workweek(day: date, starts_on: int) -> Period:
    """The FLSA workweek that holds `day`: seven days from a fixed weekday (0 Monday … 6 Sunday) that the employer has
    chosen once and does not change to avoid overtime (29 CFR 778.105). ValueError for another `starts_on`."""
    if not 0 <= starts_on <= 6:
        raise ValueError("the workweek starts on a weekday from 0 (Monday) to 6 (Sunday)")
    begin = day - _DAY * ((day.weekday() - starts_on) % 7)
    return Period(begin, begin + _DAY * 6)


Frequency = Literal["weekly", "biweekly", "semimonthly", "monthly"]
FREQUENCIES: Final[tuple[Frequency, ...]] = get_args(Frequency)


@dataclass(frozen=True, slots=True)
class PaySchedule:
    """Pay periods without gap or overlap, in both directions from `anchor`, the first day of any one of them.

    - weekly, biweekly: 7 or 14 days from the anchor on.
    - semimonthly: two a month, beginning on the anchor's day d and on d + 15 (anchor on the 1st or 16th: 1–15 and 16 to
      the end of the month; on the 11th or 26th: 11–25 and 26–10).
    - monthly: from the anchor's day to the day before it in the next month.
    ValueError when the anchor's day does not exist in every month (after the 28th; semimonthly also the 14th and 15th,
    whose second half would begin on the 29th or 30th)."""

    frequency: Frequency
    anchor: date

    def __post_init__(self) -> None:
        if self.frequency not in FREQUENCIES:
            raise ValueError(f"the frequency is one of {', '.join(FREQUENCIES)}")
        day = self.anchor.day
        if self.frequency == "monthly" and day > 28:
            raise ValueError("a monthly period begins on a day from 1 to 28, which every month has")
        if self.frequency == "semimonthly" and (day in (14, 15) or day > 28):
            raise ValueError("a semimonthly period begins on a day from 1 to 13 or from 16 to 28")

    def period(self, day: date) -> Period:
        """The period that holds `day`."""
        if self.frequency in ("weekly", "biweekly"):
            length = 7 if self.frequency == "weekly" else 14
            begin = day - _DAY * ((day - self.anchor).days % length)
            return Period(begin, begin + _DAY * (length - 1))
        starts = [self.anchor.day]
        if self.frequency == "semimonthly":
            first = self.anchor.day if self.anchor.day < 16 else self.anchor.day - 15
            starts = [first, first + 15]
        begins = [day.replace(day=start) for start in starts]
        earlier = day.replace(day=1) - _DAY
        begins.insert(0, earlier.replace(day=starts[-1]))
        later = day.replace(day=monthrange(day.year, day.month)[1]) + _DAY
        begins.append(later.replace(day=starts[0]))
        index = max(number for number, begin in enumerate(begins) if begin <= day)
        return Period(begins[index], begins[index + 1] - _DAY)

    def next(self, period: Period) -> Period:
        """The period after it."""
        return self.period(period.end + _DAY)

    def previous(self, period: Period) -> Period:
        """The period before it."""
        return self.period(period.begin - _DAY)

    def periods(self, begin: date, end: date) -> Iterator[Period]:
        """Every period that touches the days from `begin` to `end`, in order."""
        period = self.period(begin)
        while period.begin <= end:
            yield period
            period = self.next(period)
