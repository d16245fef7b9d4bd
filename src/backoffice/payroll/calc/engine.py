"""Gross to net over columns: every tax of every paycheck, the notes and the versions of the law.

The path is the same for one paycheck and for a million. With a recorder (one paycheck) the same functions write down
their steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backoffice.kernel.errors import ValidationFailed
from backoffice.payroll.calc.affordable import affordable
from backoffice.payroll.calc.coverage import MOST_FAULTS, amount_faults, refuse_uncovered
from backoffice.payroll.calc.deductions import Taken, after_tax, before_tax, sum_of
from backoffice.payroll.calc.derivation import Derivation, Recorder, name_at, usd
from backoffice.payroll.calc.exact import part_of
from backoffice.payroll.calc.federal import federal_income_tax
from backoffice.payroll.calc.fica import additional_medicare, futa, futa_reduction, medicare, social_security
from backoffice.payroll.calc.garnishments import take_garnishments
from backoffice.payroll.calc.home_state import at_home, withhold_at_home
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.local_lines import local_taxes
from backoffice.payroll.calc.paycheck import (
    MARRIED_SEPARATELY,
    OLDER_FORM,
    Columns,
    Int64s,
)
from backoffice.payroll.calc.result import (
    DEDUCTION,
    EARNING,
    EMPLOYEE_TAX,
    EMPLOYER_TAX,
    FEDERAL,
    GARNISHMENT,
    NET,
    Line,
    Note,
    Results,
)
from backoffice.payroll.calc.states import state_taxes
from backoffice.payroll.calc.supplemental import add_federal, add_locals, add_states, set_apart
from backoffice.payroll.calc.supplemental_parts import Apart


def gross_to_net(columns: Columns, tables: Tables, recorder: Recorder | None = None) -> Results:
    """Every line of every paycheck in int64 cents. With a `recorder` the batch must be one paycheck (ValueError).

    ValidationFailed, with at most a hundred faults and pointers `#/paychecks/{row}/…`, for amounts outside
    0 .. LARGEST_CENTS and for rows the tables do not cover.
    """
    if recorder is not None and len(columns) != 1:
        raise ValueError("a derivation is made of one paycheck at a time")
    amounts = amount_faults(columns)
    if amounts:
        raise ValidationFailed(amounts[:MOST_FAULTS])
    withheld = tables.agreements.withheld(columns)
    year = refuse_uncovered(columns, withheld, tables)

    def net_of(some: Columns, years: Int64s, allowed: Int64s) -> Int64s:
        return _calculated(some, years, tables, None, allowed).net

    return _calculated(columns, year, tables, recorder, affordable(columns, year, net_of))


def _calculated(
    columns: Columns, year: Int64s, tables: Tables, recorder: Recorder | None, allowed: Int64s | None
) -> Results:
    home = at_home(columns, year, tables)
    there = columns if home is None else home.elsewhere
    results, taxed, taken = _taxed(there, year, tables, recorder, allowed)
    if home is not None:
        some = None if allowed is None else allowed[home.rows]
        of_whole = None if recorder is None else Recorder()
        whole, _, _ = _taxed(home.columns, year[home.rows], tables, of_whole, some)
        withhold_at_home(results, home, whole, tables, recorder, of_whole)
    known = None if home is None else home.rows
    results.notes += tables.agreements.notes(there, tables.names, tables.untaxed, known)
    for line in results.lines:
        if line.kind == EMPLOYEE_TAX:
            results.net[line.rows] -= line.cents
    detail = taxed.detail
    if detail is not None:
        if len(detail.garnishments.paycheck):
            before = sum_of(taken, len(columns))
            take_garnishments(results, taxed, detail, year, tables, before, recorder)
        after_tax(results, taxed, detail, year, tables, taken, recorder)
    _line(results, "net_pay", NET, np.arange(len(columns), dtype=np.int64), results.net)
    if recorder is not None:
        _record_net(results, recorder)
    below_zero = np.flatnonzero(results.net < 0)
    if len(below_zero):
        words = "The taxes are more than the pay: net pay is below zero."
        results.notes.append(Note("net_pay_negative", words, below_zero))
    _assert_totals(results)
    return results


def _taxed(
    columns: Columns, year: Int64s, tables: Tables, recorder: Recorder | None, allowed: Int64s | None
) -> tuple[Results, Columns, Taken]:
    """Every tax, after the deductions that lower one: the results so far, the columns as those left them, and what was
    taken."""
    everyone = np.arange(len(columns), dtype=np.int64)
    results = Results(gross=columns.gross, net=columns.gross.copy())
    _line(results, "gross_pay", EARNING, everyone, columns.gross)
    if recorder is not None:
        recorder.step(
            "gross", "gross", "earnings of the paycheck", "earnings", usd(columns.gross), earnings=usd(columns.gross)
        )
        recorder.line("gross_pay", EARNING, FEDERAL, columns.gross, "the sum of the earnings lines")
    detail = columns.detail
    taken: Taken = []
    apart: Apart | None = None
    if detail is not None:
        work, wages = columns.work, columns.income_tax_wages
        columns, taken = before_tax(results, columns, detail, year, tables, allowed, recorder)
        results.taxed = columns
        if detail.supplemental.any():
            of_entries = part_of(detail.supplemental[work.paycheck], work.wages, wages[work.paycheck])
            columns, apart = set_apart(columns, detail, year, tables, of_entries)
            results.keeps_exact = True
            results.federal_above = np.where(detail.aggregate, apart.federal, 0)
    withheld = tables.agreements.withheld(columns)
    _federal_lines(results, columns, year, tables, everyone, recorder)
    state_taxes(results, columns, withheld, year, tables, recorder)
    local_taxes(results, columns, year, tables, recorder)
    if detail is not None and (detail.futa_reduction >= 0).any():
        rows = np.flatnonzero(detail.futa_reduction >= 0)
        rates = np.maximum(detail.futa_reduction, 0)
        cents = futa_reduction(columns, year, tables.federal, rates, recorder)[rows]
        results.lines.append(Line("futa_credit_reduction", EMPLOYER_TAX, FEDERAL, rows, cents))
    if detail is not None and apart is not None:
        add_federal(results, columns, detail, year, tables, apart, recorder)
        add_states(results, columns, detail, year, tables, apart, recorder)
        add_locals(results, columns, detail, year, tables, apart, recorder)
    return results, columns, taken


def explain(columns: Columns, tables: Tables, row: int = 0) -> Derivation:
    """The derivation of every line of one paycheck of a batch, by running the calculation on that row with a
    recorder. IndexError when there is no such row."""
    recorder = Recorder()
    gross_to_net(columns.take([row]), tables, recorder)
    return recorder.derivation()


def _line(results: Results, code: str, kind: str, rows: Int64s, cents: Int64s) -> None:
    results.lines.append(Line(code, kind, FEDERAL, rows, cents))


def _federal_lines(
    results: Results, columns: Columns, year: Int64s, tables: Tables, everyone: Int64s, recorder: Recorder | None
) -> None:
    law = tables.federal
    income_tax, exact = federal_income_tax(columns, year, law, recorder)
    kept = exact if results.keeps_exact else None
    results.lines.append(Line("federal_income_tax", EMPLOYEE_TAX, FEDERAL, everyone, income_tax, exact=kept))
    for code, kind, cents in (
        ("social_security", EMPLOYEE_TAX, social_security(columns, year, law, recorder, employer=False)),
        ("medicare", EMPLOYEE_TAX, medicare(columns, year, law, recorder, employer=False)),
        ("additional_medicare", EMPLOYEE_TAX, additional_medicare(columns, year, law, recorder)),
        ("employer_social_security", EMPLOYER_TAX, social_security(columns, year, law, recorder, employer=True)),
        ("employer_medicare", EMPLOYER_TAX, medicare(columns, year, law, recorder, employer=True)),
        ("futa", EMPLOYER_TAX, futa(columns, year, law, recorder)),
    ):
        _line(results, code, kind, everyone, cents)
    for at, table in enumerate(law.tables):
        rows = np.flatnonzero(year == at)
        if len(rows):
            results.tables.append((table.name, table.version, rows))
            if not law.nonresident_verified[at]:
                used = rows[columns.nonresident_alien[rows] & ~columns.exempt[rows]]
                if len(used):
                    source = law.texts[at]["withholding"]["nonresident_alien"]["source"]
                    detail = f"The {law.years[at]} amount added for a nonresident alien is unverified: {source}."
                    results.notes.append(Note("unverified_value", detail, used))
    older = np.flatnonzero((columns.w4_version == OLDER_FORM) & (columns.filing_status == MARRIED_SEPARATELY))
    if len(older):
        detail = "On a Form W-4 of 2019 or earlier married filing separately counts as single."
        results.notes.append(Note("older_form_separate_is_single", detail, older))


def _record_net(results: Results, recorder: Recorder) -> None:
    taxes: dict[str, Any] = {}
    orders = False
    for line in results.lines:
        if line.kind in {EMPLOYEE_TAX, DEDUCTION, GARNISHMENT}:
            is_plain = line.jurisdiction == FEDERAL or line.programme
            alike = sum(name.split("__")[0] == line.code for name in taxes)  # several orders of one kind
            name = line.code if is_plain else name_at(line.code, line.jurisdiction)
            taxes[f"{name}{f'__{alike + 1}' if alike else ''}"] = usd(line.cents)
            orders = orders or line.kind != EMPLOYEE_TAX
    says = "gross less every tax of the employee" + (", deduction and garnishment" if orders else "")
    recorder.step(
        "net_pay", "net", says, " - ".join(["gross", *taxes]), usd(results.net),
        gross=usd(results.gross), **taxes,
    )  # fmt: skip
    recorder.line("net_pay", NET, FEDERAL, results.net, "the sum of the lines above")


def _assert_totals(results: Results) -> None:
    totals = dict.fromkeys((EARNING, EMPLOYEE_TAX, EMPLOYER_TAX, DEDUCTION, GARNISHMENT, NET), 0)
    for line in results.lines:
        totals[line.kind] += int(line.cents.sum())
    less = totals[EMPLOYEE_TAX] + totals[DEDUCTION] + totals[GARNISHMENT]
    assert totals[NET] == totals[EARNING] - less, "net pay must be earnings less employee taxes, deductions and orders"
