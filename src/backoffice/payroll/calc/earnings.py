"""Earnings of one workweek: straight time for every hour, and the half-time premium of the FLSA.

29 USC 207(a)(1): hours over 40 in a workweek are owed one and a half times the regular rate. 29 CFR 778.115: with two
or more rates in one workweek the regular rate is the weighted average of them all. One employer has one workweek, so
the hours at all of a staffing firm's clients add up. Straight time is paid for every hour at its own rate, and on top
of it half the regular rate for each hour over 40.

Hours of a workweek that come after some of it was paid are figured over the whole week all the same: straight time for
what is new, and of the premium what was not paid yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from backoffice.kernel.errors import FaultList
from backoffice.payroll.calc.derivation import Derivation, Recorder, Value, decimal_text
from backoffice.payroll.calc.result import EARNING

OVERTIME_AFTER_HOURS = Fraction(40)
HALF = Fraction(1, 2)
CENTS = "to the cent, half up"
_STRAIGHT_TIME_LAW = "29 CFR 778.115: straight time at the rate of each kind of work"
_PREMIUM_LAW = "29 USC 207(a)(1); 29 CFR 778.110 and 778.115: half the weighted-average regular rate for hours over 40"

# States that pay overtime by the day and whose wages can be paid here. Nevada's rule holds for pay below one and a half
# times its minimum wage (12.00); its 24 hours are taken as a calendar day.
_DAILY_LIMITS = {
    "AK": ((8, "over_8_hours"),),
    "CA": ((12, "over_12_hours"), (8, "over_8_hours")),
    "NV": ((8, "over_8_hours"),),
}
_DAILY_BELOW_RATE = {"NV": Decimal("18.00")}
_DAILY_LAW = {
    "AK": "Alaska Statutes 23.10.060",
    "CA": "California Labor Code 510(a)",
    "NV": "Nevada Revised Statutes 608.018",
}
_SEVENTH_DAY = frozenset({"CA"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """Hours of one day on one assignment at its pay rate (dollars an hour, up to six decimals; hours up to four)."""

    assignment: str
    day: date
    hours: Decimal
    rate: Decimal
    state: str


@dataclass(frozen=True, slots=True)
class EarningLine:
    """One line of the pay stub. `code` is `regular` (all straight-time hours of an assignment at one rate) or
    `overtime_premium` (hours over 40 at half the regular rate; `assignment` None, `rate` rounded for display only: what
    the premium comes to for each of the hours)."""

    code: str
    assignment: str | None
    hours: Decimal
    rate: Decimal
    cents: int


@dataclass(frozen=True, slots=True)
class Earnings:
    """The lines of one workweek. `gross` is their sum and `hours` are theirs; `regular_rate` dollars an hour, exact,
    of the whole week."""

    lines: tuple[EarningLine, ...]
    hours: Decimal
    regular_rate: Fraction
    worked: tuple[Worked, ...]
    paid: tuple[Worked, ...]

    @property
    def gross(self) -> int:
        return sum(line.cents for line in self.lines)

    def derivation(self) -> Derivation:
        """Why each line is what it is: the same steps once more, with a recorder."""
        recorder = Recorder()
        _earnings(self.worked, self.paid, recorder)
        return recorder.derivation()


@dataclass(frozen=True, slots=True)
class DailyOvertime:
    """A day that would owe a state's daily overtime or double time. `reason` is `over_8_hours`, `over_12_hours` or
    `seventh_consecutive_day`; `hours` the hours it concerns."""

    day: date
    reason: str
    hours: Decimal
    citation: str


def workweek_earnings(worked: Sequence[Worked], *, week_begins: date, paid: Sequence[Worked] = ()) -> Earnings:
    """Earnings of one worker for the seven days from `week_begins`, over all assignments of one employer. `paid` are
    hours of the same week that earlier paychecks paid, with the premium they were owed by themselves.

    Rounded to the cent, half up, once per line: each assignment and rate, and the premium. ValidationFailed (all
    faults at once, `#/worked/{i}/…`) for negative hours or rates, more than 24 hours in a day, or a day outside the
    workweek.
    """
    _refuse_impossible([*worked, *paid], week_begins)
    return _earnings(tuple(worked), tuple(paid), None)


def _earnings(worked: tuple[Worked, ...], paid: tuple[Worked, ...], recorder: Recorder | None) -> Earnings:
    lines: list[EarningLine] = []
    hours_at: dict[tuple[str, Decimal], Fraction] = defaultdict(Fraction)
    for entry in worked:
        hours_at[entry.assignment, entry.rate] += Fraction(entry.hours)
    new_hours = Fraction(0)
    before = _Total.of(paid)
    week = before + _Total.of(worked)
    for (assignment, rate), hours in hours_at.items():
        pay = hours * Fraction(rate)
        cents = _half_up_cents(pay)
        if recorder is not None:
            recorder.step(
                "straight_time", "778.115", "hours at the rate of the assignment", "round_half_up(hours * rate, 0.01)",
                Value("usd", Fraction(cents, 100)), rounding=CENTS,
                hours=Value("hours", hours), rate=Value("usd_per_hour", Fraction(rate)),
            )  # fmt: skip
            recorder.line("regular", EARNING, "US", cents, _STRAIGHT_TIME_LAW, key=assignment)
        lines.append(EarningLine("regular", assignment, _decimal(hours), rate, cents))
        new_hours += hours
    if week.overtime and worked:
        lines.append(_premium(recorder, week, before))
    return Earnings(tuple(lines), _decimal(new_hours), week.regular_rate, worked, paid)


@dataclass(frozen=True, slots=True)
class _Total:
    """Hours of a workweek and their straight-time pay in dollars, exact."""

    hours: Fraction
    straight_time: Fraction

    @classmethod
    def of(cls, worked: Iterable[Worked]) -> _Total:
        entries = [(Fraction(entry.hours), Fraction(entry.rate)) for entry in worked]
        return cls(
            sum((hours for hours, _ in entries), Fraction(0)),
            sum((hours * rate for hours, rate in entries), Fraction(0)),
        )

    def __add__(self, other: _Total) -> _Total:
        return _Total(self.hours + other.hours, self.straight_time + other.straight_time)

    @property
    def regular_rate(self) -> Fraction:
        return self.straight_time / self.hours if self.hours else Fraction(0)

    @property
    def overtime(self) -> Fraction:
        return max(Fraction(0), self.hours - OVERTIME_AFTER_HOURS)

    @property
    def premium(self) -> int:
        return _half_up_cents(self.overtime * HALF * self.regular_rate)


def _premium(recorder: Recorder | None, week: _Total, before: _Total) -> EarningLine:
    hours = week.overtime - before.overtime
    cents = week.premium - before.premium
    each = Fraction(cents, 100) / hours if before.overtime and hours else HALF * week.regular_rate
    if recorder is not None:
        _record_premium(recorder, week, before, cents)
    return EarningLine("overtime_premium", None, _decimal(hours), Decimal(decimal_text(each, 2, 4)), cents)


def _record_premium(recorder: Recorder, week: _Total, before: _Total, cents: int) -> None:
    premium = Value("usd", Fraction(week.premium, 100))
    recorder.step(
        "regular_rate", "778.115", "all straight-time pay of the workweek divided by all hours, not rounded",
        "straight_time / hours", Value("usd_per_hour", week.regular_rate),
        straight_time=Value("usd", week.straight_time), hours=Value("hours", week.hours),
    )  # fmt: skip
    recorder.step(
        "overtime_hours", "207(a)(1)", "hours over 40 in the workweek", "max(0, hours - 40)",
        Value("hours", week.overtime), hours=Value("hours", week.hours),
    )  # fmt: skip
    recorder.step(
        "premium", "778.110", "half the regular rate for each of them",
        "round_half_up(overtime_hours * regular_rate / 2, 0.01)", premium, rounding=CENTS,
        overtime_hours=Value("hours", week.overtime), regular_rate=Value("usd_per_hour", week.regular_rate),
    )  # fmt: skip
    if before.hours:
        recorder.step(
            "owed", "778.110", "less the premium that earlier paychecks paid for their hours of the week",
            "premium - round_half_up(max(0, hours_paid - 40) * pay_before / hours_paid / 2, 0.01)",
            Value("usd", Fraction(cents, 100)), rounding=CENTS, premium=premium,
            hours_paid=Value("hours", before.hours), pay_before=Value("usd", before.straight_time),
        )  # fmt: skip
    recorder.line("overtime_premium", EARNING, "US", cents, _PREMIUM_LAW)


def daily_overtime(worked: Iterable[Worked], *, week_begins: date) -> list[DailyOvertime]:
    """Days of the workweek that would owe overtime by the day, over all assignments in the state that asks for it.
    Detected so that a run can stop; the pay for it is not computed here."""
    hours_on: dict[str, dict[date, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    covered: set[tuple[str, date]] = set()
    for entry in worked:
        if entry.state in _DAILY_LIMITS and entry.hours > 0:
            hours_on[entry.state][entry.day] += Fraction(entry.hours)
            below = _DAILY_BELOW_RATE.get(entry.state)
            if below is None or entry.rate < below:
                covered.add((entry.state, entry.day))
    week = [week_begins + timedelta(days=offset) for offset in range(7)]
    found: list[DailyOvertime] = []
    for state, on_day in sorted(hours_on.items()):
        law = _DAILY_LAW[state]
        found += [
            DailyOvertime(day, reason, _decimal(on_day[day] - limit), law)
            for day in week
            if (state, day) in covered
            for limit, reason in _DAILY_LIMITS[state]
            if on_day[day] > limit
        ]
        if state in _SEVENTH_DAY and all(day in on_day for day in week):
            found.append(DailyOvertime(week[6], "seventh_consecutive_day", _decimal(on_day[week[6]]), law))
    return found


def _refuse_impossible(worked: Sequence[Worked], week_begins: date) -> None:
    faults = FaultList()
    on_day: dict[date, Decimal] = defaultdict(Decimal)
    for index, entry in enumerate(worked):
        if entry.hours < 0:
            faults.add(f"#/worked/{index}/hours", "negative", "hours must be zero or more")
        if entry.rate < 0:
            faults.add(f"#/worked/{index}/rate", "negative", "the pay rate must be zero or more")
        if not week_begins <= entry.day < week_begins + timedelta(days=7):
            faults.add(
                f"#/worked/{index}/day", "outside_workweek", f"the day must lie in the seven days from {week_begins}"
            )
        before = on_day[entry.day]
        on_day[entry.day] += entry.hours
        if before <= 24 < on_day[entry.day]:
            faults.add(f"#/worked/{index}/hours", "over_24_hours", f"{entry.day} has more than 24 hours")
    faults.raise_if_any()


def _half_up_cents(dollars: Fraction) -> int:
    cents = dollars * 100
    return (2 * cents.numerator + cents.denominator) // (2 * cents.denominator)


def _decimal(hours: Fraction) -> Decimal:
    return Decimal(decimal_text(hours, 2))
