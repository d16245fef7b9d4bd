"""What is said about deductions: notes of limits that were used, and the recorded steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from backoffice.payroll.calc.deduction_law import ELECTIVE, DeductionLaw
from backoffice.payroll.calc.derivation import Recorder, TableRow, rate, usd
from backoffice.payroll.calc.detail import DEDUCTIONS, DeductionOrders, Detail
from backoffice.payroll.calc.exact import half_up
from backoffice.payroll.calc.fica import CENT
from backoffice.payroll.calc.paycheck import LARGEST_CENTS, RATE_SCALE, Columns, Int64s
from backoffice.payroll.calc.result import FEDERAL, Note, Results

BASES = ("income_tax_wages", "social_security_wages", "medicare_wages", "futa_wages")


def limit_notes(
    results: Results, detail: Detail, law: DeductionLaw, code: int, rows: Int64s, asked: Int64s, within: Int64s,
    most: Int64s,
) -> None:  # fmt: skip
    name, word = law.limit_name[code], DEDUCTIONS[code]
    if not law.text["codes"][word]["verified"]:
        results.notes.append(Note("unverified_value", f"The treatment of {word} is unverified.", rows))
    if name is None:
        return
    values = law.text["limits"][name]
    if not values["verified"]:
        results.notes.append(Note("unverified_value", f"The limit of {word} is unverified: {values['source']}.", rows))
    cut = rows[within < asked]
    if len(cut):
        detail_text = f"{word} is cut to its limit: {values['amount']} {values['says']}."
        results.notes.append(Note("deduction_cut_to_limit", detail_text, cut))
    before = detail.deducted.get(name)
    unknown = rows if before is None else rows[before[rows] < 0]
    if name != ELECTIVE and len(unknown):
        words = f"{word}: what was deducted earlier is not known; the limit is applied to this paycheck alone."
        results.notes.append(Note("deduction_to_date_not_known", words, unknown))
    if name == "hsa":
        words = f"{word}: the limit of family cover is used; with self-only cover it is {values['self_only']}."
        results.notes.append(Note("deduction_cover_not_known", words, rows))
    if law.catch_up(code):
        unknown = rows[(detail.birth_year[rows] < 0) & (within >= most)]
        if len(unknown):
            words = f"birth_date was not given: no catch-up is used for {word}."
            results.notes.append(Note("birth_date_not_given", words, unknown))
    if word == "pretax_401k_403b_457b" and "roth_catch_up_above" in values:
        to_date = detail.elective_before[rows] + within
        above = rows[to_date > law.limit[code, -1]]
        if len(above):
            words = (
                "Catch-up deferrals of those whose wages from this employer were above "
                f"{values['roth_catch_up_above']} last year must be Roth; those wages are not known here."
            )
            results.notes.append(Note("roth_catch_up", words, above))


def record_limit(
    recorder: Recorder, law: DeductionLaw, code: int, wages: Int64s, orders: DeductionOrders, entries: Int64s,
    asked: Int64s, within: Int64s, most: Int64s,
) -> None:  # fmt: skip
    word = DEDUCTIONS[code]
    for at in entries[orders.percent[entries] > 0].tolist():
        cents = half_up(wages * orders.percent[at], RATE_SCALE)
        recorder.step(
            "percent_of_pay", "order", "a part of the wages paid in money", "round_half_up(wages * percent, 0.01)",
            usd(cents), rounding=CENT, wages=usd(wages), percent=rate(int(orders.percent[at]), RATE_SCALE),
        )  # fmt: skip
    left = np.full(len(orders.code), LARGEST_CENTS) if orders.left is None else orders.left
    for at in entries[left[entries] < LARGEST_CENTS].tolist():
        cents = orders.amount[at] + half_up(wages * orders.percent[at], RATE_SCALE)
        alone = len(entries) == 1  # then the next step takes this one's result
        recorder.step(
            "asked" if alone else "of_goal", "order", "not above what the goal of the deduction still wants",
            "min(wanted, goal_left)", usd(np.minimum(cents, left[at])), wanted=usd(cents), goal_left=usd(left[at]),
        )  # fmt: skip
    name = law.limit_name[code]
    if name is None:
        recorder.step("within_limit", "order", "as asked", "asked", usd(within), asked=usd(asked))
        return
    recorder.step(
        "within_limit", "limit", law.text["limits"][name]["says"], "min(asked, left_of_limit)", usd(within),
        table=TableRow(law.table.name, law.table.version, f"codes {word}, limits {name}"), asked=usd(asked),
        left_of_limit=usd(np.minimum(most, law.line_limit[code] * len(entries))),
    )  # fmt: skip


def record_bases(recorder: Recorder, columns: Columns, bases: dict[str, Any], less: list[Int64s]) -> None:
    for name, cents in zip(BASES, less, strict=True):
        recorder.step(
            name, "deductions", "wages less the deductions that lower them", "max(0, wages - lowered_by)",
            usd(bases[name]), wages=usd(getattr(columns, name)), lowered_by=usd(cents),
        )  # fmt: skip
        recorder.line(name, "wage_base", FEDERAL, bases[name], "IRC 3121(a), 3306(b), 3401(a)")
