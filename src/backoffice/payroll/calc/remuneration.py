"""What a paycheck pays, of every kind: its lines, the wages each tax sees, and the overtime premium of its workweeks.

29 USC 207(e): the regular rate is all pay for hours worked, bonuses and commissions with it, divided by those hours.
Straight time for every hour stands in the lines; here half the regular rate is added for each hour over 40, less what
overtime lines already pay above straight time (207(h)). A kind's treatment stands in us_earnings.toml.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from backoffice.payroll.calc.derivation import Derivation, Recorder, TableRow, Value, decimal_text, usd
from backoffice.payroll.calc.detail import HOURS_SCALE
from backoffice.payroll.calc.earning_law import EarningKind, EarningLaw
from backoffice.payroll.calc.earnings import CENTS, HALF
from backoffice.payroll.calc.result import EARNING, FEDERAL

PREMIUM = "overtime_premium"
_ONE_WEEK = "weekly"


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
    """One line: an entry and its cents, or the overtime premium of a workweek."""

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
    w2: dict[str, int]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Week:
    hours: Fraction = Fraction(0)
    pay: Fraction = Fraction(0)  # dollars of straight time and all else that the regular rate counts
    premium: Fraction = Fraction(0)  # dollars that overtime lines pay above straight time


def remuneration(
    earnings: Sequence[Earning], law: EarningLaw, *, pay_frequency: str, period_begin: date | None, days: int = 1,
    recorder: Recorder | None = None,
) -> Remuneration:  # fmt: skip
    """All lines of a paycheck. Workweeks are the seven days from `period_begin` on; without it they begin on Sundays,
    and a weekly paycheck is one workweek in any case. `days` of the pay period. Each line is rounded half up once."""
    lines: list[PaidEarning] = []
    notes: list[str] = []
    weeks: dict[int | None, _Week] = defaultdict(_Week)
    wages, w2 = [0, 0, 0, 0], defaultdict[str, int](int)
    gross = nontaxable = supplemental = bonus = straight_time = 0
    hours: Fraction | None = None
    dated = period_begin is not None or pay_frequency == _ONE_WEEK
    for entry in earnings:
        kind = law.kinds[entry.code]
        dollars, cents = _pay(entry, kind, law, recorder)
        lines.append(PaidEarning(entry.code, cents, entry.hours, entry.rate, entry.assignment))
        taxable = _taxable(entry, kind, law, cents, days, notes)
        for base, subject in enumerate(kind.subject):
            wages[base] += cents if subject else taxable
        gross += cents if kind.paid else 0
        nontaxable += cents - taxable if kind.paid and not any(kind.subject) else 0
        supplemental += cents if kind.supplemental else 0
        bonus += cents if kind.bonus else 0
        if kind.w2 is not None:
            w2[kind.w2] += cents - taxable if kind.limit else cents
        if kind.hours_worked and entry.hours is not None:
            hours = (hours or Fraction(0)) + Fraction(entry.hours)
        if kind.in_regular_rate:
            straight_time += cents - _half_up(dollars * kind.premium_part)
            week = weeks[_week_of(entry, pay_frequency, period_begin)]
            week.premium += dollars * kind.premium_part
            week.pay += dollars * (1 - kind.premium_part)
            week.hours += Fraction(entry.hours) if kind.hours_worked and entry.hours is not None else 0
    unknown = weeks.pop(None, None)
    for at in sorted(week for week in weeks if week is not None):
        owed, due = _premium(weeks[at], law, recorder)
        w2[law.premium_w2] += owed
        if due:
            over = weeks[at].hours - law.after_hours
            each = Decimal(decimal_text(Fraction(due, 100) / over, 2, 4))
            lines.append(PaidEarning(PREMIUM, due, Decimal(decimal_text(over, 2)), each))
            gross += due
            wages = [base + due for base in wages]
    if unknown is not None and unknown.hours > law.after_hours:
        notes.append("The workweek of hours without a work_date is not known: no overtime premium is computed on them.")
    elif unknown is not None and unknown.pay and any(week.hours > law.after_hours for week in weeks.values()):
        notes.append("Pay without a work_date is not counted in the regular rate of any workweek.")
    if weeks and not dated:
        notes.append("period_begin was not given: workweeks begin on Sunday.")
    return Remuneration(
        tuple(lines), gross, nontaxable, (wages[0], wages[1], wages[2], wages[3]), supplemental, bonus,
        None if hours is None else int(hours * HOURS_SCALE), straight_time,
        {code: cents for code, cents in w2.items() if cents}, tuple(dict.fromkeys(notes)),
    )  # fmt: skip


def remuneration_derivation(
    earnings: Sequence[Earning], law: EarningLaw, *, pay_frequency: str, period_begin: date | None, days: int = 1
) -> Derivation:
    """Why each line is what it is: the same steps once more, with a recorder."""
    recorder = Recorder()
    remuneration(
        earnings, law, pay_frequency=pay_frequency, period_begin=period_begin, days=days, recorder=recorder
    )  # fmt: skip
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
        cents = _half_up(dollars)
        if recorder is not None:
            recorder.step(
                "pay", "entry", "hours at their rate", "round_half_up(hours * rate, 0.01)", usd(cents), rounding=CENTS,
                table=TableRow(law.table.name, law.table.version, f"codes {kind.code}"),
                hours=Value("hours", Fraction(entry.hours)), rate=Value("usd_per_hour", Fraction(entry.rate)),
            )  # fmt: skip
    if recorder is not None:
        recorder.line(entry.code, EARNING, FEDERAL, cents, kind.citation, key=entry.assignment)
    return dollars, cents


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
    begin = period_begin.toordinal() if period_begin is not None else 7  # 0001-01-07 was a Sunday
    return (entry.work_date.toordinal() - begin) // 7


def _premium(week: _Week, law: EarningLaw, recorder: Recorder | None) -> tuple[int, int]:
    """The half-time premium that a workweek owes, and what of it the lines have not paid yet, in cents."""
    over = max(Fraction(0), week.hours - law.after_hours)
    if not over:
        return 0, 0
    rate = week.pay / week.hours
    owed = _half_up(over * HALF * rate)
    due = max(0, owed - _half_up(week.premium))
    if recorder is not None and due:
        recorder.step(
            "regular_rate", "207(e)", "all pay the regular rate counts, divided by the hours worked, not rounded",
            "pay / hours", Value("usd_per_hour", rate), pay=Value("usd", week.pay), hours=Value("hours", week.hours),
        )  # fmt: skip
        recorder.step(
            "owed", "207(a)(1)", "half the regular rate for each hour over 40",
            "round_half_up((hours - after_hours) * regular_rate / 2, 0.01)", usd(owed), rounding=CENTS,
            hours=Value("hours", week.hours), after_hours=Value("hours", law.after_hours),
            regular_rate=Value("usd_per_hour", rate),
        )  # fmt: skip
        recorder.step(
            "premium", "207(h)", "less what overtime lines pay above straight time",
            "max(0, owed - round_half_up(paid_above, 0.01))", usd(due), rounding=CENTS, owed=usd(owed),
            paid_above=Value("usd", week.premium),
        )  # fmt: skip
        recorder.line(PREMIUM, EARNING, FEDERAL, due, law.premium_citation)
    return owed, due


def _half_up(dollars: Fraction) -> int:
    cents = dollars * 100
    return (2 * cents.numerator + cents.denominator) // (2 * cents.denominator)
