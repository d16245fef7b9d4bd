"""What a workweek owes above straight time: the premium of the FLSA and that of states that go by the day.

Straight time is paid for every hour elsewhere; on top of it an hour of overtime is owed half the regular rate, one of
double time the whole. The regular rate is all pay that it counts divided by all hours of the week, of every state
(29 CFR 778.115). A state's rule looks at the hours worked in it; the premiums of the states are credited against the
federal one, which looks at all hours (29 CFR 778.202(a)), so that the greater is owed. No hour is counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from backoffice.payroll.calc.derivation import Recorder, Value, decimal_text, usd
from backoffice.payroll.calc.overtime_hours import PremiumHours, Week, premium_hours
from backoffice.payroll.calc.overtime_law import OvertimeLaw
from backoffice.payroll.calc.result import EARNING

OVERTIME, DOUBLE_TIME = "overtime_premium", "double_time_premium"
HALF = Fraction(1, 2)
CENTS = "to the cent, half up"
_CREDIT = "29 CFR 778.202(a)"
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class PremiumLine:
    """`code` OVERTIME or DOUBLE_TIME; `rate` for display: what the premium comes to for each of the hours."""

    code: str
    hours: Decimal
    rate: Decimal
    cents: int


@dataclass(frozen=True, slots=True)
class Premium:
    """What a workweek still owes. `federal` is the premium that the FLSA alone asks for, in cents; `tables` the tables
    that were used, with their versions; `notes` (code, words)."""

    lines: tuple[PremiumLine, ...]
    federal: int
    notes: tuple[tuple[str, str], ...]
    tables: Mapping[str, str]


def premium(
    week: Week,
    law: OvertimeLaw,
    recorder: Recorder | None = None,
    *,
    paid: tuple[int, int] = (0, 0),
    before: Week | None = None,
) -> Premium:
    """The premium of the workweek less what was paid of it: `paid` cents of overtime and of double time, for the part
    `before` of the week where some of it was. Nothing is taken back: what was paid too much for the one is credited to
    the other. Each part is rounded half up once."""
    rate = week.regular_rate
    hours = premium_hours(week, law, None)
    earlier = premium_hours(before, law, None) if before is not None else PremiumHours(_ZERO, _ZERO, (), ())
    owed = (half_up_cents(hours.half * rate * HALF), half_up_cents(hours.full * rate))
    due = max(0, sum(owed) - sum(paid))
    double = max(0, min(due, owed[1] - paid[1]))
    lines = []
    for code, cents, whole, new, share in (
        (OVERTIME, due - double, hours.half, hours.half - earlier.half, HALF),
        (DOUBLE_TIME, double, hours.full, hours.full - earlier.full, Fraction(1)),
    ):
        if cents:
            number = new if new > 0 else whole
            each = Fraction(cents, 100) / number if any(paid) else rate * share
            lines.append(PremiumLine(code, _decimal(number), Decimal(decimal_text(each, 2, 4)), cents))
            if recorder is not None:
                _record(code, week, law, recorder, hours, owed, paid, cents)
    used = {rule.table.table: rule.table.version for rule in hours.rules}
    if lines:
        used[law.table.table] = law.table.version
    federal = half_up_cents(max(_ZERO, week.hours - law.after_hours) * rate * HALF)
    return Premium(tuple(lines), federal, hours.notes, used)


def _record(
    code: str, week: Week, law: OvertimeLaw, recorder: Recorder, hours: PremiumHours, owed: tuple[int, int],
    paid: tuple[int, int], cents: int,
) -> None:  # fmt: skip
    """The steps of one line, from the hours on: the same functions once more."""
    rate = Value("usd_per_hour", week.regular_rate)
    recorder.step(
        "regular_rate", "778.115", "all pay that the regular rate counts divided by all hours, not rounded",
        "straight_time / hours", rate, straight_time=Value("usd", week.pay), hours=Value("hours", week.hours),
    )  # fmt: skip
    premium_hours(week, law, recorder)
    if code == DOUBLE_TIME or any(paid):
        recorder.step(
            "double_time", "510(a)", "the regular rate for each hour of double time, above straight time",
            "round_half_up(double_time_hours * regular_rate, 0.01)", usd(owed[1]), rounding=CENTS,
            double_time_hours=Value("hours", hours.full), regular_rate=rate,
        )  # fmt: skip
    if code == OVERTIME or any(paid):
        recorder.step(
            "premium", "778.110", "half the regular rate for each hour of overtime",
            "round_half_up(overtime_hours * regular_rate / 2, 0.01)", usd(owed[0]), rounding=CENTS,
            overtime_hours=Value("hours", hours.half), regular_rate=rate,
        )  # fmt: skip
    if any(paid):
        known: dict[str, Any] = {
            "premium": usd(owed[0]), "double_time": usd(owed[1]),
            "overtime_paid": usd(paid[0]), "double_time_paid": usd(paid[1]),
        }  # fmt: skip
        due = "max(0, premium + double_time - overtime_paid - double_time_paid)"
        double = f"max(0, min({due}, double_time - double_time_paid))"
        recorder.step(
            "owed", "778.202(a)", "less what is paid of the week's premium already",
            double if code == DOUBLE_TIME else f"{due} - {double}", usd(cents), **known,
        )  # fmt: skip
    citations = [*dict.fromkeys(rule.citation for rule in hours.rules), law.citation]
    recorder.line(code, EARNING, "US", cents, "; ".join([*citations, _CREDIT] if hours.rules else citations))


def half_up_cents(dollars: Fraction) -> int:
    cents = dollars * 100
    return (2 * cents.numerator + cents.denominator) // (2 * cents.denominator)


def _decimal(hours: Fraction) -> Decimal:
    return Decimal(decimal_text(hours, 2))
