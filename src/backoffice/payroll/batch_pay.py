"""The part of a batch line that says what is paid and what is taken: earnings, deductions and garnishments.

`earnings` stand in place of `taxable_wages`; gross pay is then all money of the paycheck. `supplemental_method`
("flat", the default, or "aggregate") chooses how supplemental wages are withheld on; `futa_credit_reduction` is the
rate that the employer expects for its state.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from backoffice.kernel.errors import FaultList
from backoffice.payroll import batch_fields as read
from backoffice.payroll.batch_places import states_named
from backoffice.payroll.calc import Columns, Derivation, Tables
from backoffice.payroll.calc.detail import (
    DEDUCTIONS,
    GARNISHMENTS,
    LARGEST_HOURS,
    Deduction,
    Detail,
    Garnishment,
    PayDetail,
)
from backoffice.payroll.calc.minimum_wage import below_minimum_wage
from backoffice.payroll.calc.order_rules import LEVY, known_word, one_measure
from backoffice.payroll.calc.remuneration import Earning, Remuneration, remuneration, remuneration_derivation

TOP = frozenset(
    {"earnings", "deductions", "garnishments", "birth_date", "supplemental_method", "futa_credit_reduction"}
)
YTD = frozenset({"supplemental_wages", "elective_deferrals"})
_EARNING = frozenset({"code", "amount", "hours", "rate", "work_date", "assignment"})
_DEDUCTION = frozenset({"code", "amount", "percent"})
_FLAGS = ("supports_other_family", "arrears_over_12_weeks")
_GARNISHMENT = frozenset({"kind", "amount", "percent", "dependents", *_FLAGS})
_METHODS = ("flat", "aggregate")
_HOURS = re.compile(r"(?:0|[1-9][0-9]{0,3})(?:\.[0-9]{1,4})?").fullmatch
_RATE = re.compile(r"(?:0|[1-9][0-9]{0,6})(?:\.[0-9]{1,6})?").fullmatch
_MINUS = re.compile(r"-[0-9]+(?:\.[0-9]+)?").fullmatch
_DAY_HOURS = 24


class PayLine(NamedTuple):
    """What a line says of pay: the details, what its earnings come to, and what made them."""

    detail: PayDetail | None
    paid: Remuneration | None
    notes: tuple[str, ...]
    made_of: tuple[tuple[Earning, ...], dict[str, Any]] | None

    def derivation(self, tables: Tables) -> Derivation:
        """Why the earnings are what they are."""
        if self.made_of is None:
            return Derivation(())
        entries, period = self.made_of
        return remuneration_derivation(entries, tables.earnings, **period)


_WITHOUT = PayLine(None, None, (), None)


def read_pay(
    document: Mapping[str, Any], ytd: Mapping[str, Any], pay_frequency: str | None, pay_date: date | None,
    begin: date | None, end: date | None, tables: Tables, faults: FaultList,
) -> PayLine:  # fmt: skip
    """What the line says of pay; where there are faults it is of no use."""
    if not TOP & document.keys():
        return _nothing(ytd, faults)
    before = len(faults.faults)
    if "earnings" in document and "taxable_wages" in document:
        faults.add("#/earnings", "both_given", "Give earnings or taxable_wages, not both.")
    entries = _earnings(document, tables, faults)
    deductions = _deductions(document, faults)
    garnishments = _garnishments(document, pay_date, tables, faults)
    born = read.day(document, "birth_date", faults)
    if born is not None and pay_date is not None and born >= pay_date:
        faults.add("#/birth_date", "out_of_range", "birth_date must lie before the pay date.")
    method = document.get("supplemental_method", _METHODS[0])
    if method not in _METHODS:
        faults.add("#/supplemental_method", "invalid_value", f"supplemental_method must be {' or '.join(_METHODS)}.")
    reduction = read.rate(document, "futa_credit_reduction", "#", faults)
    to_date: dict[str, Any] = {key: read.money(ytd, key, "#/ytd", faults) or 0 for key in sorted(YTD)}
    if len(faults.faults) > before or pay_frequency is None or pay_date is None:
        return PayLine(None, None, (), None)
    paid: Remuneration | None = None
    period: dict[str, Any] = {}
    if entries:
        days = 1 if begin is None or end is None else (end - begin).days + 1
        period = {
            "pay_frequency": pay_frequency, "period_begin": begin, "days": days, "states": states_named(document),
            "overtime": tables.overtime,
        }  # fmt: skip
        paid = remuneration(entries, tables.earnings, **period)
    detail = PayDetail(
        deductions=tuple(deductions),
        garnishments=tuple(garnishments),
        birth_year=None if born is None else born.year,
        supplemental=0 if paid is None else paid.supplemental,
        bonus=0 if paid is None else paid.bonus,
        nontaxable=0 if paid is None else paid.nontaxable,
        tips=0 if paid is None else paid.tips[0],
        hours=None if paid is None else paid.hours,
        futa_reduction=reduction,
        aggregate=method == "aggregate",
        **to_date,
    )
    notes = _default_notes(document, ytd, detail, paid, pay_date, tables)
    return PayLine(detail, paid, notes, (tuple(entries), period) if entries else None)


def _nothing(ytd: Mapping[str, Any], faults: FaultList) -> PayLine:
    if YTD.isdisjoint(ytd):
        return _WITHOUT
    for key in sorted(YTD & ytd.keys()):
        read.money(ytd, key, "#/ytd", faults)
    return PayLine(None, None, tuple(f"ytd.{key} is not used by this line." for key in sorted(YTD & ytd.keys())), None)


def _objects(
    document: Mapping[str, Any], key: str, keys: frozenset[str], faults: FaultList
) -> list[tuple[str, Mapping[str, Any]]]:
    """The objects of a list with their pointers."""
    listed = document.get(key, [])
    if not isinstance(listed, list) or (key == "earnings" and key in document and not listed):
        faults.add(
            f"#/{key}", "wrong_type", f"{key} must be a list of objects{', at least one' if key == 'earnings' else ''}."
        )
        return []
    found: list[tuple[str, Mapping[str, Any]]] = []
    for index, part in enumerate(listed):
        at = f"#/{key}/{index}"
        if isinstance(part, dict):
            read.refuse_unknown(at, part, keys, faults)
            found.append((at, part))
        else:
            faults.add(at, "wrong_type", f"An entry of {key} must be an object.")
    return found


def _code(part: Mapping[str, Any], key: str, at: str, known: Sequence[str], faults: FaultList) -> str | None:
    value = read.text(part, key, at, faults, required=True)
    return value if value is not None and known_word(faults, at, key, value, known) else None


def _earnings(document: Mapping[str, Any], tables: Tables, faults: FaultList) -> list[Earning]:
    entries = []
    on_day: dict[date, Decimal] = defaultdict(Decimal)
    for at, part in _objects(document, "earnings", _EARNING, faults):
        code = _code(part, "code", at, tuple(tables.earnings.kinds), faults)
        timed = "hours" in part or "rate" in part
        amount = read.money(part, "amount", at, faults) if "amount" in part else None
        hours, rate = (_decimal(part, key, at, faults) if key in part else None for key in ("hours", "rate"))
        day = read.day_at(part, "work_date", at, faults)
        if "amount" in part and timed:
            faults.add(at, "both_given", "Give amount, or hours and rate, not both.")
        elif "amount" not in part:
            for key in ("hours", "rate"):
                if key not in part:
                    faults.add(f"{at}/{key}", "required", "Give amount, or hours and rate.")
        assignment = read.text(part, "assignment", at, faults)
        if code is None:
            continue
        if day is not None and hours is not None and tables.earnings.kinds[code].hours_worked:
            before = on_day[day]
            on_day[day] += hours
            if before <= _DAY_HOURS < on_day[day]:
                faults.add(f"{at}/hours", "over_24_hours", f"{day} has more than 24 hours.")
        entries.append(
            Earning(code=code, amount=amount, hours=hours, rate=rate, work_date=day, assignment=assignment)
        )  # fmt: skip
    return entries


def _decimal(part: Mapping[str, Any], key: str, at: str, faults: FaultList) -> Decimal | None:
    value, where = part[key], f"{at}/{key}"
    says = "hours, at most four decimals" if key == "hours" else "dollars an hour, at most six decimals"
    if not isinstance(value, str):
        faults.add(where, "wrong_type", f"{key} must be a decimal string ({says}), not a JSON number.")
    elif _MINUS(value):
        faults.add(where, "negative", f"{key} must be zero or more.")
    elif not (_HOURS if key == "hours" else _RATE)(value):
        most = f", up to {LARGEST_HOURS}" if key == "hours" else ""
        faults.add(where, f"invalid_{key}", f'Give a plain decimal ({says}{most}), such as "24.5".')
    else:
        return Decimal(value)
    return None


def _amount_or_percent(
    part: Mapping[str, Any], at: str, faults: FaultList, *, required: bool = True
) -> tuple[int | None, int | None]:
    amount = read.money(part, "amount", at, faults) if "amount" in part else None
    percent = read.rate(part, "percent", at, faults)
    one_measure(faults, at, amount="amount" in part, percent="percent" in part, required=required)
    return amount, percent


def _deductions(document: Mapping[str, Any], faults: FaultList) -> list[Deduction]:
    orders = []
    for at, part in _objects(document, "deductions", _DEDUCTION, faults):
        code = _code(part, "code", at, DEDUCTIONS, faults)
        amount, percent = _amount_or_percent(part, at, faults)
        if code is not None:
            orders.append(Deduction(code=code, amount=amount, percent=percent))
    return orders


def _garnishments(
    document: Mapping[str, Any], pay_date: date | None, tables: Tables, faults: FaultList
) -> list[Garnishment]:
    orders = []
    for at, part in _objects(document, "garnishments", _GARNISHMENT, faults):
        kind = _code(part, "kind", at, GARNISHMENTS, faults)
        if kind is not None and pay_date is not None and not tables.knows_orders(kind, pay_date.year):
            words = f"The law of {kind} orders is not known for {pay_date.year}."
            faults.add(f"{at}/kind", "year_not_supported", words)
        amount, percent = _amount_or_percent(part, at, faults, required=kind != LEVY)
        family, arrears = (read.flag(part, key, at, faults) for key in _FLAGS)
        dependents = read.count(part, "dependents", at, faults) if "dependents" in part else None
        if kind is not None:
            orders.append(
                Garnishment(
                    kind=kind,
                    amount=amount,
                    percent=percent,
                    supports_other_family=bool(family),
                    arrears_over_12_weeks=bool(arrears),
                    dependents=dependents,
                )
            )
    return orders


def _default_notes(
    document: Mapping[str, Any],
    ytd: Mapping[str, Any],
    detail: PayDetail,
    paid: Remuneration | None,
    pay_date: date,
    tables: Tables,
) -> tuple[str, ...]:
    notes = list(paid.notes) if paid is not None else []
    if paid is not None and paid.hours and pay_date.year in tables.minimum_wage:
        _, wages = tables.minimum_wage[pay_date.year]
        short = below_minimum_wage(
            wages, states_named(document), pay_date, paid.hours, paid.straight_time, paid.tips[1]
        )  # fmt: skip
        notes += [short] if short is not None else []
    codes = {order.code for order in detail.deductions}
    if "elective_deferrals" not in ytd and codes & {"pretax_401k_403b_457b", "roth_401k"}:
        notes.append("ytd.elective_deferrals was not given: 0.00 is used.")
    if detail.supplemental:
        if "supplemental_wages" not in ytd:
            notes.append("ytd.supplemental_wages was not given: 0.00 is used.")
        if "supplemental_method" not in document:
            notes.append("supplemental_method was not given: flat is used.")
    for index, order in enumerate(document.get("garnishments", ())):
        if order["kind"] == "support":
            notes += [
                f"garnishments.{index}.{key} was not given: false is used." for key in _FLAGS if key not in order
            ]  # fmt: skip
    return tuple(notes)


def with_pay(columns: Columns, lines: Sequence[PayLine]) -> Columns:
    """The columns with the details of the lines, and what their earnings come to; the same when no line has any."""
    detail = Detail.of([line.detail for line in lines])
    if detail is None:
        return columns
    wages = {
        name: getattr(columns, name).copy() for name in ("gross", "social_security_wages", "medicare_wages")
    }  # fmt: skip
    for row, line in enumerate(lines):
        if line.paid is not None:
            wages["gross"][row] = line.paid.gross
            wages["social_security_wages"][row] = line.paid.wages[1]
            wages["medicare_wages"][row] = line.paid.wages[2]
    changed: dict[str, Any] = wages
    return replace(columns, **changed, detail=detail)
