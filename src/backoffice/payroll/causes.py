"""Why a previous provider's amount is not ours: what, done otherwise, gives exactly that amount.

A cause is never guessed. The paychecks that differ are calculated again by the same engine with one thing changed (no
wages to date, another status, last year's law …), and the last rounding of the derivation is done in other ways; a
change that gives the other amount to the cent fits. Several that fit are all told, none that fits is `unexplained`.
"""

from __future__ import annotations

import re
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
from backoffice.payroll.calc.paycheck import NOT_GIVEN, Int64s
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
        for key, cause in _by_derivation(check, columns, row, tables):
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
        taken = sum(cents for each, cents in off.items() if each in _EMPLOYEE or _TAKEN(each))
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
_TAKEN = re.compile(r"programmes\..+\.employee|(deductions|garnishments)\..+").fullmatch
_FICA_PAIRS = (("social_security", "medicare"), ("employer_social_security", "employer_medicare"))
_NEAR = 100  # cents: no other rounding moves an amount further


def _by_derivation(check: Differing, columns: Columns, row: int, tables: Tables) -> Iterator[tuple[str, Cause]]:
    near = [key for key in check.amounts if abs(check.theirs[key] - check.ours.get(key, 0)) <= _NEAR]
    pairs = [pair for pair in _FICA_PAIRS if set(pair) <= set(check.amounts) and all(check.theirs[key] for key in pair)]
    if not near and not pairs:
        return
    derivation = explain(columns, tables, row)
    lines = {key: [line for line in derivation.lines if _names(key, line)] for key in check.amounts}
    alone = {key: found[0] for key, found in lines.items() if len(found) == 1}
    for key in near:
        if key in alone and (cause := _other_rounding(alone[key], check.theirs[key])) is not None:
            yield key, cause
    for pair in pairs:
        cause = _other_wages([alone[key] for key in pair], [check.theirs[key] for key in pair])
        if cause is not None:
            yield from ((key, cause) for key in pair)


def _other_wages(lines: Sequence[LineDerivation], theirs: Sequence[int]) -> Cause | None:
    """Two taxes at different flat rates that both fit the same wages, while ours are below the wage base."""
    last = [line.steps[-1].inputs for line in lines]
    rates = [inputs["rate"].number() for inputs in last]
    ours = {value.number() for inputs in last for name, value in inputs.items() if name in {"wages", "counted"}}
    if len(ours) != 1:  # one of them is above its base
        return None
    # The wages whose tax rounds half up to that many cents.
    spans = [
        (Fraction(2 * cents - 1, 2) / at, Fraction(2 * cents + 1, 2) / at)
        for cents, at in zip(theirs, rates, strict=True)
    ]
    least, most = ceil(max(low for low, _ in spans)), ceil(min(high for _, high in spans)) - 1
    if least > most:
        return None
    words = f"both fit wages of {format_minor(least)} to {format_minor(most)} instead of {decimal_text(ours.pop(), 2)}"
    return Cause("other_wages", words)


def _other_rounding(line: LineDerivation, theirs: int) -> Cause | None:
    exact = _before_rounding(line)
    if exact is None:
        return None
    for there, how in (
        (floor(exact * 100), "down to the cent"),
        (ceil(exact * 100), "up to the cent"),
        (floor(exact) * 100, "down to the dollar"),
        (floor(exact + Fraction(1, 2)) * 100, "to the nearest dollar"),
    ):
        if theirs == there:
            return Cause("rounding", f"exactly {decimal_text(exact, 2)}, rounded {how} there")
    return None


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
