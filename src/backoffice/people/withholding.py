"""What may stand on file of a deduction or an order on wages: the law's own words and the batch door's rules. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from backoffice.kernel.errors import FaultList
from backoffice.kernel.money import parse_minor
from backoffice.payroll import calc
from backoffice.payroll.calc.derivation import decimal_text
from backoffice.payroll.calc.order_rules import LEVY, known_word, one_measure
from backoffice.payroll.calc.paycheck import LARGEST_CENTS
from backoffice.platform.web.bodies import MoneyBody

GOALS = ("total_goal", "yearly_goal")


def column_of(name: str) -> str:
    """The column that holds a field."""
    if name == "percent":
        return "percent_millionths"
    return f"{name}_minor" if name in ("amount", *GOALS) else name


def stored(name: str, value: Any) -> Any:
    """A field as it is stored: cents, millionths."""
    if isinstance(value, MoneyBody):
        return parse_minor(value.amount)
    return int(Decimal(value).scaleb(6)) if name == "percent" and value is not None else value


def money_shown(cents: int | None) -> MoneyBody | None:
    return None if cents is None else MoneyBody.of(cents)


def percent_shown(millionths: int | None) -> str | None:
    return None if millionths is None else decimal_text(Fraction(millionths, 1_000_000))


def judge_deduction(faults: FaultList, row: Mapping[str, Any]) -> None:
    """All that is wrong with a deduction, given as its columns."""
    known_word(faults, "#", "code", row["code"], calc.DEDUCTIONS)
    _judge_measure(faults, row, required=True)
    for name in GOALS:
        goal = row[f"{name}_minor"]
        if goal is not None and not 0 < goal <= LARGEST_CENTS:
            faults.add(f"#/{name}/amount", "out_of_range", "must be more than zero, and less than ten billion dollars")


def judge_order(faults: FaultList, row: Mapping[str, Any]) -> None:
    """All that is wrong with an order, given as its columns."""
    known_word(faults, "#", "kind", row["kind"], calc.GARNISHMENTS)
    _judge_measure(faults, row, required=row["kind"] != LEVY)
    if row["effective_from"] < row["served_on"]:
        faults.add("#/effective_from", "before_served", "must not be before the day the order was served")


def _judge_measure(faults: FaultList, row: Mapping[str, Any], *, required: bool) -> None:
    cents, percent = row["amount_minor"], row["percent_millionths"]
    one_measure(faults, "#", amount=cents is not None, percent=percent is not None, required=required)
    if cents is not None and cents < 0:
        faults.add("#/amount/amount", "negative", "must not be negative")
    if cents is not None and cents > LARGEST_CENTS:
        faults.add("#/amount/amount", "too_large", "must be less than ten billion dollars")
    until = row["effective_until"]
    if until is not None and until < row["effective_from"]:
        faults.add("#/effective_until", "before_effective_from", "must not be before the first day")
