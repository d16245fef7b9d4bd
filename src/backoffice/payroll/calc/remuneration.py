"""What a paycheck pays, of every kind: its lines, the wages each tax sees, and the overtime premium of its workweeks.

29 USC 207(e): the regular rate is all pay for hours worked, bonuses and commissions with it, divided by those hours.
Straight time for every hour stands in the lines; here the premium of each workweek is added (`overtime`), less what
overtime lines already pay above straight time (207(h)). A kind's treatment stands in us_earnings.toml. A state's
overtime by the day is figured where all work is in one state, on hours with their day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from backoffice.payroll.calc.derivation import Derivation, Recorder, TableRow, Value, usd
from backoffice.payroll.calc.detail import HOURS_SCALE
from backoffice.payroll.calc.earning_law import EarningKind, EarningLaw
from backoffice.payroll.calc.overtime import CENTS, Premium, half_up_cents, premium
from backoffice.payroll.calc.overtime_hours import Week
from backoffice.payroll.calc.overtime_law import OvertimeLaw
from backoffice.payroll.calc.result import EARNING, FEDERAL

_ONE_WEEK = "weekly"
_SUNDAY = 7  # 0001-01-07


@dataclass(frozen=True, slots=True, kw_only=True)
class Earning:
    """One entry: `amount` in cents, or `hours` (up to four decimals) at `rate` dollars an hour (up to six)."""

    code: str
    amount: int | None = None
    hours: Decimal | None = None
    rate: Decimal | None = None
    work_date: date | None = None
    assignment: str | None = None


@dataclass(frozen=True, slots=True)
class PaidEarning:
    """One line: an entry and its cents, or a premium of a workweek."""

    code: str
    cents: int
    hours: Decimal | None = None
    rate: Decimal | None = None
    assignment: str | None = None


@dataclass(frozen=True, slots=True)
class Remuneration:
    """Cents. `gross` is all money of the paycheck, `nontaxable` its part that is no wages; `wages` are those subject to
    income tax, social security, Medicare and FUTA; `hours` worked in ten-thousandths, None when no line has any."""

    lines: tuple[PaidEarning, ...]
    gross: int
    nontaxable: int
    wages: tuple[int, int, int, int]
    supplemental: int
    bonus: int
    hours: int | None
    straight_time: int  # what is paid for the hours worked
    tips: tuple[int, int]  # paid with this paycheck, and all
    w2: dict[str, int]
    notes: tuple[str, ...]
    tables: dict[str, str]  # of overtime, where one was used


@dataclass(slots=True)
class _Week:
    days: dict[date | None, Fraction] = field(default_factory=lambda: defaultdict(Fraction))  # hours worked
    pay: Fraction = Fraction(0)  # dollars of straight time and all else that the regular rate counts
    premium: Fraction = Fraction(0)  # dollars that overtime lines pay above straight time
    double_time: Fraction = Fraction(0)  # the same of double time
    by_amount: bool = False

    @property
    def hours(self) -> Fraction:
        return sum(self.days.values(), Fraction(0))


def remuneration(
    earnings: Sequence[Earning], law: EarningLaw, *, overtime: OvertimeLaw, pay_frequency: str,
    period_begin: date | None, days: int = 1, states: Sequence[str] = (), recorder: Recorder | None = None,
) -> Remuneration:  # fmt: skip
    """All lines of a paycheck. Workweeks are the seven days from `period_begin` on; without it they begin on Sundays,
    and a weekly paycheck is one workweek in any case. `days` of the pay period, `states` of work. Each line is rounded
    half up once."""
    lines: list[PaidEarning] = []
    notes: list[str] = []
    weeks: dict[int | None, _Week] = defaultdict(_Week)
    wages, w2 = [0, 0, 0, 0], defaultdict[str, int](int)
    gross = nontaxable = supplemental = bonus = straight_time = tips_paid = tips = 0
    hours: Fraction | None = None
    dated = period_begin is not None or pay_frequency == _ONE_WEEK
    straight = _straight_rates(earnings, law)
    for entry in earnings:
        kind = law.kinds[entry.code]
        dollars, cents = _pay(entry, kind, law, recorder)
        above = dollars * _above_straight(entry, kind, straight)
        lines.append(PaidEarning(entry.code, cents, entry.hours, entry.rate, entry.assignment))
        taxable = _taxable(entry, kind, law, cents, days, notes)
        for base, subject in enumerate(kind.subject):
            wages[base] += cents if subject else taxable
        gross += cents if kind.paid else 0
        nontaxable += cents - taxable if kind.paid and not any(kind.subject) else 0
        supplemental += cents if kind.supplemental else 0
        bonus += cents if kind.bonus else 0
        tips_paid += cents if kind.tips and kind.paid else 0
        tips += cents if kind.tips else 0
        if kind.w2 is not None:
            w2[kind.w2] += cents - taxable if kind.limit else cents
        if kind.hours_worked and entry.hours is not None:
            hours = (hours or Fraction(0)) + Fraction(entry.hours)
        if kind.in_regular_rate:
            straight_time += cents - half_up_cents(above)
            week = weeks[_week_of(entry, pay_frequency, period_begin)]
            if kind.code == "double_time":
                week.double_time += above
            else:
                week.premium += above
            week.pay += dollars - above
            if kind.hours_worked and entry.hours is not None:
                week.days[entry.work_date] += Fraction(entry.hours)
            else:
                week.by_amount = True
    unknown = weeks.pop(None, None)
    used: dict[str, str] = {}
    for at in sorted(week for week in weeks if week is not None):
        owed = _premium(weeks[at], _begins(at, weeks[at], pay_frequency, period_begin), overtime, states, recorder)
        w2[law.premium_w2] += owed.federal
        notes += [words for _, words in owed.notes]
        used |= owed.tables
        if weeks[at].by_amount and owed.tables.keys() - {law.table.name}:
            notes.append("Pay by amount is in the regular rate as 29 CFR 778.209 says; a state's own way is not known.")
        for line in owed.lines:
            lines.append(PaidEarning(line.code, line.cents, line.hours, line.rate))
            gross += line.cents
            wages = [base + line.cents for base in wages]
    notes += _not_by_day(earnings, law, overtime, states)
    if unknown is not None and unknown.hours > law.after_hours:
        notes.append("The workweek of hours without a work_date is not known: no overtime premium is computed on them.")
    elif unknown is not None and unknown.pay and any(week.hours > law.after_hours for week in weeks.values()):
        notes.append("Pay without a work_date is not counted in the regular rate of any workweek.")
    if weeks and not dated:
        notes.append("period_begin was not given: workweeks begin on Sunday.")
    return Remuneration(
        tuple(lines), gross, nontaxable, (wages[0], wages[1], wages[2], wages[3]), supplemental, bonus,
        None if hours is None else int(hours * HOURS_SCALE), straight_time, (tips_paid, tips),
        {code: cents for code, cents in w2.items() if cents}, tuple(dict.fromkeys(notes)), used,
    )  # fmt: skip


def remuneration_derivation(earnings: Sequence[Earning], law: EarningLaw, **period: Any) -> Derivation:
    """Why each line is what it is: the same steps once more, with a recorder."""
    recorder = Recorder()
    remuneration(earnings, law, **period, recorder=recorder)
    return recorder.derivation()


def _pay(entry: Earning, kind: EarningKind, law: EarningLaw, recorder: Recorder | None) -> tuple[Fraction, int]:
    """Dollars, exact, and cents, half up, of one entry."""
    if entry.hours is None or entry.rate is None:
        cents = entry.amount or 0
        dollars = Fraction(cents, 100)
        if recorder is not None:
            recorder.step("pay", "entry", "the amount given", "amount", usd(cents), amount=usd(cents))
    else:
        dollars = Fraction(entry.hours) * Fraction(entry.rate)
        cents = half_up_cents(dollars)
        if recorder is not None:
            recorder.step(
                "pay", "entry", "hours at their rate", "round_half_up(hours * rate, 0.01)", usd(cents), rounding=CENTS,
                table=TableRow(law.table.name, law.table.version, f"codes {kind.code}"),
                hours=Value("hours", Fraction(entry.hours)), rate=Value("usd_per_hour", Fraction(entry.rate)),
            )  # fmt: skip
    if recorder is not None:
        recorder.line(entry.code, EARNING, FEDERAL, cents, kind.citation, key=entry.assignment)
    return dollars, cents


def _straight_rates(earnings: Sequence[Earning], law: EarningLaw) -> dict[str | None, Fraction]:
    """The straight-time rate of each assignment whose hours have one rate."""
    rates: dict[str | None, set[Fraction]] = defaultdict(set)
    for entry in earnings:
        kind = law.kinds[entry.code]
        if kind.hours_worked and not kind.premium_part and entry.hours and entry.rate:
            rates[entry.assignment].add(Fraction(entry.rate))
    return {assignment: next(iter(found)) for assignment, found in rates.items() if len(found) == 1}


def _above_straight(entry: Earning, kind: EarningKind, straight: Mapping[str | None, Fraction]) -> Fraction:
    """The part of an overtime rate that is no straight time, and so a premium (29 CFR 778.201): what lies above the
    rate of the assignment's other hours, or where these do not tell it the usual part of time and a half."""
    if not kind.premium_part or not entry.rate or entry.assignment not in straight:
        return kind.premium_part
    return max(Fraction(0), 1 - straight[entry.assignment] / Fraction(entry.rate))


def _taxable(entry: Earning, kind: EarningKind, law: EarningLaw, cents: int, days: int, notes: list[str]) -> int:
    """What of a kind that is no wages lies above its limit and so is wages after all."""
    if kind.limit is None:
        return 0
    limit = law.limits[kind.limit] * (1 if entry.work_date is not None else days)
    if kind.limit in law.unverified:
        notes.append(law.unverified[kind.limit])
    if cents > limit:
        notes.append(f"{kind.code}: what is above the limit is wages.")
    return max(0, cents - limit)


def _week_of(entry: Earning, pay_frequency: str, period_begin: date | None) -> int | None:
    if pay_frequency == _ONE_WEEK:
        return 0
    if entry.work_date is None:
        return None
    begin = period_begin.toordinal() if period_begin is not None else _SUNDAY
    return (entry.work_date.toordinal() - begin) // 7


def _begins(at: int, week: _Week, pay_frequency: str, period_begin: date | None) -> date | None:
    """The first day of a workweek, or its first day with hours where only the week is known; None without any."""
    if pay_frequency == _ONE_WEEK:
        return period_begin or min((day for day in week.days if day is not None), default=None)
    return date.fromordinal((period_begin.toordinal() if period_begin is not None else _SUNDAY) + 7 * at)


def _premium(
    week: _Week, begins: date | None, law: OvertimeLaw, states: Sequence[str], recorder: Recorder | None
) -> Premium:
    """What the workweek owes and its lines have not paid yet."""
    by_day = {states[0]: week.days} if len(states) == 1 and begins is not None else {}
    told = Week(begins or date.min, week.hours, week.pay, by_day)
    return premium(told, law, recorder, paid=(half_up_cents(week.premium), half_up_cents(week.double_time)))


def _not_by_day(
    earnings: Sequence[Earning], law: EarningLaw, overtime: OvertimeLaw, states: Sequence[str]
) -> list[str]:
    """Which overtime by the day could not be looked at, and why."""
    names = [rule.name for state in states if (rule := overtime.newest(state)) is not None]
    worked = [entry for entry in earnings if law.kinds[entry.code].hours_worked and entry.hours]
    if len(states) > 1:
        why = "Which of the states hours were worked in is not known" if worked else None
    else:
        why = "The day of hours without a work_date is not known" if any(e.work_date is None for e in worked) else None
    return [f"{why}: no overtime by the day of {name} is computed on them." for name in names if why is not None]
