"""Why a previous provider's amount is not ours: what, done otherwise, gives exactly that amount.

A cause is never guessed. The paychecks that differ are calculated again by the same engine with one thing changed (no
wages to date, another status, last year's law …), and the last rounding of the derivation is done in other ways; a
change that gives the other amount to the cent fits. Several that fit are all told, none that fits is `unexplained`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

import numpy as np

from backoffice.kernel.errors import ValidationFailed
from backoffice.kernel.money import format_minor
from backoffice.payroll.calc import Columns, LineDerivation, Results, Tables, explain, gross_to_net
from backoffice.payroll.calc.derivation import decimal_text
from backoffice.payroll.calc.formula import evaluate
from backoffice.payroll.calc.paycheck import NOT_GIVEN, RATE_SCALE, Int64s
from backoffice.payroll.what_if import INCOME_TAXES, WhatIf, questions

UNEXPLAINED, SEVERAL = "unexplained", "several"


class Cause(NamedTuple):
    """`code` to count by, `detail` for a person."""

    code: str
    detail: str


class Differing(NamedTuple):
    """A paycheck that differs: its ours and theirs, key → cents, theirs of the keys that the file fills."""

    ours: Mapping[str, int]
    theirs: Mapping[str, int]

    @property
    def amounts(self) -> list[str]:
        """The keys that differ."""
        return [key for key, cents in self.theirs.items() if cents != self.ours.get(key, 0)]


def causes(columns: Columns, differing: Sequence[Differing], tables: Tables) -> list[dict[str, Cause]]:
    """For each paycheck of `columns`, the cause of each key that differs."""
    found: list[dict[str, Cause]] = []
    fits: list[dict[str, list[Cause]]] = []  # of the keys that are still open
    for row, check in enumerate(differing):
        seen = {key: cause for key in check.amounts if (cause := _by_sight(key, check)) is not None}
        found.append(seen)
        fits.append({key: [] for key in check.amounts if key not in seen})
        for told in (_other_fica_wages(check, columns, row, tables), _other_roundings(columns, row, tables, check)):
            for key, cause in told:
                if key in fits[row]:
                    fits[row][key].append(cause)
    theirs = np.array([check.theirs.get("gross_pay", NOT_GIVEN) for check in differing], dtype=np.int64)
    for question in questions(columns, theirs, tables):
        asked = np.array([any(not question.keys or key in question.keys for key in each) for each in fits])
        for rows, answer in _answers(question, np.flatnonzero(question.where & asked), columns, tables):
            amounts: dict[str, list[int]] = {}
            for at, row in enumerate(rows.tolist()):
                for key, causes_of in fits[row].items():
                    if question.keys and key not in question.keys:
                        continue
                    if key not in amounts:
                        amounts[key] = _column(answer, key)
                    if amounts[key] and amounts[key][at] == differing[row].theirs[key]:
                        causes_of.append(Cause(question.code, question.detail))
    return [seen | {key: _one_of(each) for key, each in told.items()} for seen, told in zip(found, fits, strict=True)]


def _answers(question: WhatIf, rows: Int64s, columns: Columns, tables: Tables) -> Iterator[tuple[Int64s, Results]]:
    """What the engine answers, without the paychecks of which the law does not allow the question."""
    if not len(rows):
        return
    try:
        changed = question.columns(columns.take(rows), rows)
        yield rows, gross_to_net(changed, tables)
    except ValidationFailed:
        if len(rows) > 1:
            for half in np.array_split(rows, 2):
                yield from _answers(question, half, columns, tables)


def _one_of(fits: Sequence[Cause]) -> Cause:
    codes = dict.fromkeys(cause.code for cause in fits)
    if not codes:
        return Cause(UNEXPLAINED, "nothing that was tried gives that amount")
    details = " or ".join(dict.fromkeys(cause.detail for cause in fits))
    return Cause(next(iter(codes)) if len(codes) == 1 else SEVERAL, details)


def _by_sight(key: str, check: Differing) -> Cause | None:
    """What the two rows themselves tell."""
    ours, theirs = check.ours, check.theirs
    off = {each: ours.get(each, 0) - theirs[each] for each in theirs}
    if key == "gross_pay":
        return Cause("gross_pay", "the earnings differ")
    if key == "net_pay":
        taken = sum(cents for each, cents in off.items() if each in _EMPLOYEE or each.endswith(".employee"))
        follows = off[key] == off.get("gross_pay", 0) - taken
        return Cause("follows", "follows from the lines above") if follows else None
    both = ours.get("medicare", 0) + ours.get("additional_medicare", 0)
    within = (
        ours.get("additional_medicare") and theirs.get("medicare") == both and not theirs.get("additional_medicare")
    )
    if within and key in {"medicare", "additional_medicare"}:
        return Cause("additional_medicare_within", "Additional Medicare stands within Medicare there")
    if theirs[key] == 0:  # which very much would fit
        return Cause("nothing_there", "the previous amount is 0.00")
    return None


_EMPLOYEE = frozenset({*INCOME_TAXES, "social_security", "medicare", "additional_medicare"})


def _other_fica_wages(check: Differing, columns: Columns, row: int, tables: Tables) -> Iterator[tuple[str, Cause]]:
    """Two taxes at different flat rates that both fit the same wages, below the wage base on either side."""
    wages = int(columns.medicare_wages[row])
    if int(columns.social_security_wages[row]) != wages or not wages:
        return
    law = tables.federal
    year = law.years.index(columns.pay_date[row].item().year)
    for payer, prefix in enumerate(("", "employer_")):
        keys = (f"{prefix}social_security", f"{prefix}medicare")
        if not all(key in check.amounts and check.theirs[key] > 0 for key in keys):
            continue
        rates = [Fraction(int(tax[year, payer]), RATE_SCALE) for tax in (law.social_security, law.medicare)]
        spans = [  # the wages whose tax rounds half up to that many cents
            (Fraction(2 * check.theirs[key] - 1, 2) / rate, Fraction(2 * check.theirs[key] + 1, 2) / rate)
            for key, rate in zip(keys, rates, strict=True)
        ]
        least, most = ceil(max(low for low, _ in spans)), ceil(min(high for _, high in spans)) - 1
        if least <= most:
            words = f"both fit wages of {format_minor(least)} to {format_minor(most)} instead of {format_minor(wages)}"
            for key in keys:
                yield key, Cause("other_wages", words)


def _other_roundings(columns: Columns, row: int, tables: Tables, check: Differing) -> Iterator[tuple[str, Cause]]:
    near = [key for key in check.amounts if abs(check.theirs[key] - check.ours.get(key, 0)) <= 100]
    if not near:
        return
    derivation = explain(columns, tables, row)
    for key in near:
        lines = [line for line in derivation.lines if _names(key, line)]
        exact = _before_rounding(lines[0]) if len(lines) == 1 else None
        if exact is None:
            continue
        theirs, whole = check.theirs[key], exact * 100
        for fits, how in (
            (theirs == floor(whole), "down to the cent"),
            (theirs == ceil(whole), "up to the cent"),
            (theirs == floor(exact) * 100, "down to the dollar"),
            (theirs == floor(exact + Fraction(1, 2)) * 100, "to the nearest dollar"),
        ):
            if fits:
                yield key, Cause("rounding", f"exactly {decimal_text(exact, 2)}, rounded {how} there")
                break


def _names(key: str, line: LineDerivation) -> bool:
    code, _, side = key.removeprefix("programmes.").partition(".")
    return line.code == code and (not side or line.kind == f"{side}_tax")


def _before_rounding(line: LineDerivation) -> Fraction | None:
    """The exact amount that the last step rounds, None where the last step rounds nothing."""
    last = line.steps[-1] if line.steps else None
    if last is None or last.rounding is None or not last.formula.startswith("round_half_up("):
        return None
    numbers = {name: value.number() for name, value in last.inputs.items() if value.unit != "text"}
    return evaluate(last.formula, numbers, lambda number, _: number)


def _column(results: Results, key: str) -> list[int]:
    """The amounts of a key over all paychecks, [] for one that is no line (gross and net)."""
    if key in {"gross_pay", "net_pay"}:
        return []
    code, _, side = key.removeprefix("programmes.").partition(".")
    amounts: list[int] = results.column(code, f"{side}_tax" if side else None).tolist()
    return amounts
