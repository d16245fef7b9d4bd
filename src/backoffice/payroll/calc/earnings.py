"""Earnings of one workweek: straight time for every hour, and the premium of the FLSA and of the states.

29 USC 207(a)(1): hours over 40 in a workweek are owed one and a half times the regular rate. 29 CFR 778.115: with two
or more rates in one workweek the regular rate is the weighted average of them all. One employer has one workweek, so
the hours at all of a staffing firm's clients add up. Straight time is paid for every hour at its own rate, and the
premium on top of it (`overtime`).

Hours of a workweek that come after some of it was paid are figured over the whole week all the same: straight time for
what is new, and of the premium what was not paid yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from backoffice.kernel.errors import FaultList
from backoffice.payroll.calc.derivation import Derivation, Recorder, Value, decimal_text
from backoffice.payroll.calc.overtime import CENTS, DOUBLE_TIME, OVERTIME, half_up_cents, premium
from backoffice.payroll.calc.overtime_hours import Week
from backoffice.payroll.calc.overtime_law import OvertimeLaw
from backoffice.payroll.calc.result import EARNING

_STRAIGHT_TIME_LAW = "29 CFR 778.115: straight time at the rate of each kind of work"


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
    """One line of the pay stub. `code` is `regular` (all straight-time hours of an assignment at one rate),
    `overtime_premium` (hours of overtime at half the regular rate) or `double_time_premium` (hours of double time at
    the regular rate); the premiums have no assignment, and their rate is rounded for display only: what the premium
    comes to for each of the hours."""

    code: str
    assignment: str | None
    hours: Decimal
    rate: Decimal
    cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidWeek:
    """What earlier paychecks have paid of a workweek: its hours, and cents of premium."""

    worked: tuple[Worked, ...] = ()
    overtime: int = 0
    double_time: int = 0

    def __add__(self, other: PaidWeek) -> PaidWeek:
        return PaidWeek(
            worked=self.worked + other.worked,
            overtime=self.overtime + other.overtime,
            double_time=self.double_time + other.double_time,
        )


@dataclass(frozen=True, slots=True)
class Earnings:
    """The lines of one workweek. `gross` is their sum and `hours` are theirs; `regular_rate` dollars an hour, exact,
    of the whole week. `notes` (code, words) and `tables` (name → version) are those of the premium."""

    lines: tuple[EarningLine, ...]
    hours: Decimal
    regular_rate: Fraction
    notes: tuple[tuple[str, str], ...]
    tables: Mapping[str, str]
    worked: tuple[Worked, ...]
    paid: PaidWeek
    week_begins: date
    law: OvertimeLaw

    @property
    def gross(self) -> int:
        return sum(line.cents for line in self.lines)

    @property
    def pays(self) -> PaidWeek:
        """What these lines pay of the workweek."""
        return PaidWeek(worked=self.worked, overtime=self._cents(OVERTIME), double_time=self._cents(DOUBLE_TIME))

    def _cents(self, code: str) -> int:
        return sum(line.cents for line in self.lines if line.code == code)

    def derivation(self) -> Derivation:
        """Why each line is what it is: the same steps once more, with a recorder."""
        recorder = Recorder()
        _earnings(self.worked, self.paid, self.week_begins, self.law, recorder)
        return recorder.derivation()


def workweek_earnings(
    worked: Sequence[Worked], *, week_begins: date, law: OvertimeLaw, paid: PaidWeek = PaidWeek()
) -> Earnings:
    """Earnings of one worker for the seven days from `week_begins`, over all assignments of one employer. `paid` is
    what earlier paychecks paid of the same week.

    Rounded to the cent, half up, once per line: each assignment and rate, and each premium. ValidationFailed (all
    faults at once, `#/worked/{i}/…`) for negative hours or rates, more than 24 hours in a day, or a day outside the
    workweek.
    """
    _refuse_impossible([*worked, *paid.worked], week_begins)
    return _earnings(tuple(worked), paid, week_begins, law, None)


def _earnings(
    worked: tuple[Worked, ...], paid: PaidWeek, week_begins: date, law: OvertimeLaw, recorder: Recorder | None
) -> Earnings:
    lines: list[EarningLine] = []
    hours_at: dict[tuple[str, Decimal], Fraction] = defaultdict(Fraction)
    for entry in worked:
        hours_at[entry.assignment, entry.rate] += Fraction(entry.hours)
    for (assignment, rate), hours in hours_at.items():
        cents = half_up_cents(hours * Fraction(rate))
        if recorder is not None:
            recorder.step(
                "straight_time", "778.115", "hours at the rate of the assignment", "round_half_up(hours * rate, 0.01)",
                Value("usd", Fraction(cents, 100)), rounding=CENTS,
                hours=Value("hours", hours), rate=Value("usd_per_hour", Fraction(rate)),
            )  # fmt: skip
            recorder.line("regular", EARNING, "US", cents, _STRAIGHT_TIME_LAW, key=assignment)
        lines.append(EarningLine("regular", assignment, _decimal(hours), rate, cents))
    week = _week((*paid.worked, *worked), week_begins)
    new_hours = _decimal(sum(hours_at.values(), Fraction(0)))
    if not worked:
        return Earnings((), new_hours, week.regular_rate, (), {}, worked, paid, week_begins, law)
    before = _week(paid.worked, week_begins) if paid.worked else None
    owed = premium(week, law, recorder, paid=(paid.overtime, paid.double_time), before=before)
    lines += [EarningLine(line.code, None, line.hours, line.rate, line.cents) for line in owed.lines]
    return Earnings(
        tuple(lines), new_hours, week.regular_rate, owed.notes, owed.tables, worked, paid, week_begins, law
    )  # fmt: skip


def _week(worked: Iterable[Worked], begins: date) -> Week:
    hours, pay = Fraction(0), Fraction(0)
    on_day: dict[str, dict[date | None, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for entry in worked:
        hours += Fraction(entry.hours)
        pay += Fraction(entry.hours) * Fraction(entry.rate)
        on_day[entry.state][entry.day] += Fraction(entry.hours)
    return Week(begins, hours, pay, on_day)


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


def _decimal(hours: Fraction) -> Decimal:
    return Decimal(decimal_text(hours, 2))
