"""When something that recurs is due: rules a payroll office would write, and the instants they mean.

    daily at 06:00                      weekly on monday, thursday at 09:00       yearly on 01-31, 07-31 at 09:00
    weekdays at 17:30                   monthly on 1, 15 at 09:00                 monthly on last at 09:00

Times are those of the clocks in a zone. A rule means each of its days once:
- a day that a month does not have (the 31st, 29 February) is the month's last day;
- a time that the clock skips is the first instant after the gap (02:30 on the spring night: 03:00 daylight time), a
  deadline missed by no more than the gap; a time that it shows twice is the first of the two.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Final, Literal

from backoffice.kernel.dates import instant, is_skipped, local_date, zone_named

Every = Literal["day", "weekday", "week", "month", "year"]
CatchUp = Literal["none", "one", "all"]

LAST: Final = 31  # "monthly on last": the 31st, which is the last day of a shorter month
GRACE: Final = timedelta(minutes=10)
"""What starts within it is on time: a deploy or a change of leader takes less."""
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WORDS: Final[dict[str, Every]] = {
    "daily": "day", "weekdays": "weekday", "weekly": "week", "monthly": "month", "yearly": "year",
}  # fmt: skip
_RULE: Final = re.compile(
    r"(?P<word>daily|weekdays|weekly|monthly|yearly)(?: on (?P<on>[a-z0-9-]+(?:, ?[a-z0-9-]+)*))? at (?P<at>\d\d:\d\d)",
    re.ASCII,
)
_HOW: Final = (
    'write "daily at 06:00", "weekdays at 17:30", "weekly on monday, thursday at 09:00", "monthly on 1, 15 at 09:00", '
    '"monthly on last at 09:00" or "yearly on 01-31 at 09:00"'
)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """`on` holds, sorted: for "week" weekdays (0 Monday … 6 Sunday), for "month" days 1–31, for "year" month × 100 +
    day; for "day" and "weekday" nothing. `at` is the clock's time, in whole minutes."""

    every: Every
    at: time
    on: tuple[int, ...] = ()

    def __str__(self) -> str:
        word = next(word for word, every in _WORDS.items() if every == self.every)
        days = ", ".join(_written(self.every, each) for each in self.on)
        return f"{word}{f' on {days}' if days else ''} at {self.at:%H:%M}"

    def holds(self, day: date) -> bool:
        """Whether the rule means this day."""
        match self.every:
            case "day":
                return True
            case "weekday":
                return day.weekday() < 5
            case "week":
                return day.weekday() in self.on
        last = monthrange(day.year, day.month)[1]
        days = self.on if self.every == "month" else [on % 100 for on in self.on if on // 100 == day.month]
        return any(min(each, last) == day.day for each in days)


def parse(text: str) -> Rule:
    """The rule as written above. ValueError says what would be right."""
    match = _RULE.fullmatch(text)
    if match is None:
        raise ValueError(f"is no rule: {_HOW}")
    every = _WORDS[match["word"]]
    try:
        at = time.fromisoformat(match["at"])
    except ValueError:
        raise ValueError(f"{match['at']} is no time of day, 00:00 to 23:59") from None
    if (match["on"] is None) != (every in ("day", "weekday")):
        raise ValueError(f"says {'on which day' if match['on'] else 'not on which day'}: {_HOW}")
    named = [] if match["on"] is None else [_read(every, each.strip()) for each in match["on"].split(",")]
    if len(set(named)) < len(named):
        raise ValueError("names a day twice")
    return Rule(every, at, tuple(sorted(named)))


def fires(rule: Rule, zone: str, after: datetime) -> Iterator[datetime]:
    """The instants (UTC) at which the rule is due, from the first after `after` (aware) on, each once and in order.
    Ends with the year 9998. ValueError for an unknown zone."""
    last = after
    day = max(local_date(zone, after), date.min + 3 * _DAY) - 2 * _DAY  # a gap may be a whole day (Samoa, 2011)
    while day.year < 9999:
        if rule.holds(day):
            at = _first_instant(zone, day, rule.at)
            if at > last:
                last = at
                yield at
        day += _DAY


def next_fire(rule: Rule, zone: str, after: datetime) -> datetime | None:
    """The first instant after `after` at which the rule is due; None from the year 9999 on."""
    return next(fires(rule, zone, after), None)


def due_from(rule: Rule, zone: str, first: datetime, until: datetime, *, most: int | None = None) -> list[datetime]:
    """The fire time `first` and those that follow it up to `until` (included); at most `most` + 1 of them, so that a
    caller sees that there are more."""
    due: list[datetime] = [first] if first <= until else []
    if due:
        for at in takewhile(lambda at: at <= until, fires(rule, zone, first)):
            due.append(at)
            if most is not None and len(due) > most:
                break
    return due


def caught_up(due: Sequence[datetime], now: datetime, catch_up: CatchUp, most: int) -> Sequence[datetime]:
    """Which of the fire times `due` (in order, none after `now`) start now. What is at most `GRACE` late is on time.

    - none: what is on time; - one: the latest, however late; - all: the latest `most`.
    """
    if catch_up == "none":
        return [at for at in due if now - at <= GRACE]
    return due[-1:] if catch_up == "one" else due[-most:]


def _first_instant(zone: str, day: date, at: time) -> datetime:
    """`instant`, but the end of the gap for a time that the clock skips."""
    found = instant(zone, day, at)
    if not is_skipped(zone, day, at):
        return found
    inside = datetime.combine(day, at, tzinfo=zone_named(zone))
    early, late = (
        inside.replace(fold=1).astimezone(UTC),
        found,
    )  # the clock changes after `early`, at the latest at `late`
    moved = late.astimezone(inside.tzinfo).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        if middle.astimezone(inside.tzinfo).utcoffset() == moved:
            late = middle
        else:
            early = middle
    return late


def _read(every: Every, text: str) -> int:
    if every == "week":
        if text not in _WEEKDAYS:
            raise ValueError(f"{text!r} is no weekday: monday … sunday")
        return _WEEKDAYS.index(text)
    if every == "month":
        if text == "last":
            return LAST
        if not re.fullmatch(r"[0-9]{1,2}", text) or not 1 <= int(text) <= 31:
            raise ValueError(f"{text!r} is no day of a month: 1 to 31, or last")
        return int(text)
    try:
        day = date.fromisoformat(f"2024-{text}")  # a leap year
    except ValueError:
        raise ValueError(f"{text!r} is no day of a year, such as 01-31") from None
    return day.month * 100 + day.day


def _written(every: Every, on: int) -> str:
    if every == "week":
        return _WEEKDAYS[on]
    if every == "month":
        return "last" if on == LAST else str(on)
    return f"{on // 100:02d}-{on % 100:02d}"
