"""Hours of a workweek that are owed a premium: over 40 by the FLSA, and by the day and the week of a state.

The rules are those of us_overtime, by the year in which the workweek begins. Where that year is not known nothing is
extrapolated: a note with NOT_KNOWN says that the state's part is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from backoffice.payroll.calc.derivation import Recorder, Value
from backoffice.payroll.calc.overtime_law import OvertimeLaw, StateOvertime

UNVERIFIED, BY_CALENDAR_DAY, NOT_KNOWN = "unverified_value", "overtime_by_calendar_day", "overtime_law_not_known"
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Week:
    """All hours of one workweek and the dollars that its regular rate counts, exact; `worked` the hours by state of
    work and day (None: a day that is not known). `begins` may be any day of the workweek's first year."""

    begins: date
    hours: Fraction
    pay: Fraction
    worked: Mapping[str, Mapping[date | None, Fraction]] = field(default_factory=dict)

    @property
    def regular_rate(self) -> Fraction:
        return self.pay / self.hours if self.hours else _ZERO


@dataclass(frozen=True, slots=True)
class PremiumHours:
    """Hours owed half the regular rate and hours owed the whole, and what they rest on."""

    half: Fraction
    full: Fraction
    rules: tuple[StateOvertime, ...]
    notes: tuple[tuple[str, str], ...]


def premium_hours(week: Week, law: OvertimeLaw, recorder: Recorder | None) -> PremiumHours:
    rules: dict[str, StateOvertime] = {}
    notes: list[tuple[str, str]] = []
    by_the_day = False
    for state in sorted(week.worked):
        days = week.worked[state]
        rule, known = law.rule(state, week.begins.year)
        if rule is None or (rule.below_rate is not None and week.regular_rate >= rule.below_rate):
            continue
        if rule.by_calendar_day is not None and _may_pass_midnight(days, rule):
            notes.append((BY_CALENDAR_DAY, f"Overtime by the day of {rule.name}: {rule.by_calendar_day}."))
        owes = bool(_days(days, rule))
        if known:
            rules[state] = rule
            by_the_day |= owes
        elif owes:
            words = f"The overtime law of {rule.name} is not known for {week.begins.year}: none of its own is computed."
            notes.append((NOT_KNOWN, words))
    if not by_the_day:  # the weeks of the states are part of the federal one
        rules = {}
    notes += [(UNVERIFIED, rule.unverified) for rule in rules.values() if rule.unverified is not None]
    each = {state: _state_hours(state, week.worked[state], rule, recorder) for state, rule in rules.items()}
    return PremiumHours(*_with_federal(week, law, each, recorder), tuple(rules.values()), tuple(notes))


class _Day(NamedTuple):
    """One day's hours with the limits that hold for it, and what is above them."""

    day: date
    hours: Fraction
    after: Fraction
    double_after: Fraction | None

    @property
    def twice(self) -> Fraction:
        return max(_ZERO, self.hours - self.double_after) if self.double_after is not None else _ZERO

    @property
    def over(self) -> Fraction:
        return max(_ZERO, self.hours - self.after) - self.twice


def _days(hours: Mapping[date | None, Fraction], rule: StateOvertime) -> list[_Day]:
    """The days that owe something; the seventh consecutive day of work in the workweek has limits of its own."""
    worked = sorted(day for day, number in hours.items() if day is not None and number)
    seventh = worked[-1] if len(worked) == 7 and worked[-1] - worked[0] == timedelta(days=6) else None
    days = [
        _Day(day, hours[day], _ZERO, rule.seventh_double_after)
        if day == seventh and rule.seventh_double_after is not None
        else _Day(day, hours[day], rule.after_day, rule.double_after_day)
        for day in worked
    ]
    return [day for day in days if day.over or day.twice]


def _may_pass_midnight(days: Mapping[date | None, Fraction], rule: StateOvertime) -> bool:
    known = {day: hours for day, hours in days.items() if day is not None}
    return any(
        hours + known.get(day + timedelta(days=1), _ZERO) > rule.after_day
        for day, hours in known.items()
        if known.get(day + timedelta(days=1))
    )


def _state_hours(
    state: str, hours: Mapping[date | None, Fraction], rule: StateOvertime, recorder: Recorder | None
) -> tuple[Fraction, Fraction]:
    """Hours at time and a half and at double time under one state's rule, over the hours worked in it."""
    days = _days(hours, rule)
    total = sum(hours.values(), _ZERO)
    daily, double = sum((day.over for day in days), _ZERO), sum((day.twice for day in days), _ZERO)
    weekly = max(_ZERO, total - rule.after_week - (_ZERO if rule.greater else daily + double))
    half = max(daily, weekly) if rule.greater else daily + weekly
    if recorder is not None:
        _record_days(state, days, rule, recorder)
        known: dict[str, Any] = {f"{state}_daily": Value("hours", daily), f"{state}_double": Value("hours", double)}
        less, known = ("", {}) if rule.greater else (f" - {state}_daily - {state}_double", known)
        week: dict[str, Any] = {"hours": Value("hours", total), "after_week": Value("hours", rule.after_week)}
        recorder.step(
            f"{state}_weekly", rule.citation, "hours of the week above its limit, none counted twice",
            f"max(0, hours - after_week{less})", Value("hours", weekly), table=rule.table, **week, **known,
        )  # fmt: skip
        both: dict[str, Any] = {f"{state}_daily": Value("hours", daily), f"{state}_weekly": Value("hours", weekly)}
        formula = "max({0}_daily, {0}_weekly)" if rule.greater else "{0}_daily + {0}_weekly"
        says = "the greater of both" if rule.greater else "both"
        recorder.step(f"{state}_overtime", rule.citation, says, formula.format(state), Value("hours", half), **both)
    return half, double


def _record_days(state: str, days: Sequence[_Day], rule: StateOvertime, recorder: Recorder) -> None:
    parts: dict[str, dict[str, Any]] = {"daily": {}, "double": {}}
    for day in days:
        what = f"of {day.day}, the seventh consecutive day," if not day.after else f"of {day.day}"
        name, hours = f"{state}_{day.day:%Y_%m_%d}", Value("hours", day.hours)
        after: dict[str, Any] = {"hours": hours, "after": Value("hours", day.after)}
        most = "hours"
        if day.double_after is not None:
            limit = Value("hours", day.double_after)
            parts["double"][f"{name}_double"] = Value("hours", day.twice)
            recorder.step(
                f"{name}_double", rule.citation, f"hours {what} at double time", "max(0, hours - double_after)",
                Value("hours", day.twice), table=rule.table, hours=hours, double_after=limit,
            )  # fmt: skip
            after["double_after"], most = limit, "min(hours, double_after)"
        parts["daily"][f"{name}_over"] = Value("hours", day.over)
        recorder.step(
            f"{name}_over", rule.citation, f"hours {what} at time and a half", f"max(0, {most} - after)",
            Value("hours", day.over), table=rule.table, **after,
        )  # fmt: skip
    for name, says in (("daily", "time and a half"), ("double", "double time")):
        own = parts[name]
        recorder.step(
            f"{state}_{name}", rule.citation, f"hours at {says} by the day", " + ".join(own) or "0",
            Value("hours", sum((each.exact for each in own.values()), _ZERO)), **own,
        )  # fmt: skip


def _with_federal(
    week: Week, law: OvertimeLaw, states: Mapping[str, tuple[Fraction, Fraction]], recorder: Recorder | None
) -> tuple[Fraction, Fraction]:
    """Double time is the states' own; hours at time and a half are theirs or, where that is more, the hours over 40
    less two for each hour of double time, whose premium is worth two halves."""
    over = max(_ZERO, week.hours - law.after_hours)
    double = sum((full for _, full in states.values()), _ZERO)
    hours = max(sum((half for half, _ in states.values()), _ZERO), over - 2 * double)
    if recorder is None:
        return hours, double
    given: dict[str, Any] = {"hours": Value("hours", week.hours), "after_hours": Value("hours", law.after_hours)}
    if not states:
        recorder.step(
            "overtime_hours", "207(a)(1)", "hours over 40 in the workweek", "max(0, hours - after_hours)",
            Value("hours", hours), table=law.table, **given,
        )  # fmt: skip
        return hours, double
    recorder.step(
        "over_40", "207(a)(1)", "hours over 40 in the workweek, of all states", "max(0, hours - after_hours)",
        Value("hours", over), table=law.table, **given,
    )  # fmt: skip
    doubles: dict[str, Any] = {f"{state}_double": Value("hours", full) for state, (_, full) in states.items()}
    overs: dict[str, Any] = {f"{state}_overtime": Value("hours", half) for state, (half, _) in states.items()}
    recorder.step(
        "double_time_hours", "510(a)", "hours of double time", " + ".join(doubles), Value("hours", double), **doubles
    )
    recorder.step(
        "overtime_hours", "778.202(a)", "those of the states, or the hours over 40 that their premiums leave",
        f"max({' + '.join(overs)}, over_40 - 2 * double_time_hours)", Value("hours", hours),
        over_40=Value("hours", over), double_time_hours=Value("hours", double), **overs,
    )  # fmt: skip
    return hours, double
