"""Social security, Medicare, Additional Medicare and FUTA: a rate on the wages up to, or above, a yearly amount."""

from __future__ import annotations

from typing import Any

import numpy as np

from backoffice.payroll.calc.compiled import FederalLaw
from backoffice.payroll.calc.derivation import Recorder, TableRow, rate, usd
from backoffice.payroll.calc.exact import at_least_zero, half_up
from backoffice.payroll.calc.paycheck import RATE_SCALE, Columns, Int64s
from backoffice.payroll.calc.result import EMPLOYEE_TAX, EMPLOYER_TAX, FEDERAL

CENT = "to the cent, half up, once (IRC 6313)"


def up_to(wages: Int64s, before: Int64s, base: Int64s | int) -> Int64s:
    """The part of `wages` that lies below a yearly wage base of which `before` is already used."""
    return np.minimum(wages, at_least_zero(base - before))


def social_security(
    columns: Columns, year: Int64s, law: FederalLaw, recorder: Recorder | None, *, employer: bool
) -> Int64s:
    """6.2 % each of employee and employer, up to the wage base of the year per employer (IRC 3101(a), 3111(a))."""
    wages, before = columns.social_security_wages, columns.ytd_social_security_wages
    base = law.social_security[year, 2]
    counted = up_to(wages, before, base)
    rates = law.social_security[year, 1 if employer else 0]
    tax = half_up(counted * rates, RATE_SCALE)
    if recorder is not None:
        _record_capped(recorder, law, year, "social_security", employer, wages, before, base, counted, rates, tax)
    return tax


def medicare(columns: Columns, year: Int64s, law: FederalLaw, recorder: Recorder | None, *, employer: bool) -> Int64s:
    """1.45 % each of employee and employer on all Medicare wages (IRC 3101(b)(1), 3111(b))."""
    wages = columns.medicare_wages
    rates = law.medicare[year, 1 if employer else 0]
    tax = half_up(wages * rates, RATE_SCALE)
    if recorder is not None:
        table = _table(law, year, f"medicare {'employer' if employer else 'employee'}_rate")
        _record_rate(recorder, "wages", wages, rates, tax, table)
        _close(recorder, law, year, "medicare", employer, tax)
    return tax


def additional_medicare(columns: Columns, year: Int64s, law: FederalLaw, recorder: Recorder | None) -> Int64s:
    """0.9 % of the employee on wages of this employer above 200,000 in the year; no employer share (IRC 3101(b)(2),
    3102(f))."""
    wages, before = columns.medicare_wages, columns.ytd_medicare_wages
    threshold = law.additional_medicare[year, 1]
    above = wages - up_to(wages, before, threshold)
    rates = law.additional_medicare[year, 0]
    tax = half_up(above * rates, RATE_SCALE)
    if recorder is not None:
        recorder.step(
            "wages_above", "1", "the part of the wages above the yearly threshold",
            "wages - min(wages, max(0, threshold - before))", usd(above),
            table=_table(law, year, "additional_medicare threshold"), wages=usd(wages), threshold=usd(threshold),
            before=usd(before),
        )  # fmt: skip
        table = _table(law, year, "additional_medicare employee_rate")
        _record_rate(recorder, "wages_above", above, rates, tax, table)
        citation = law.texts[int(year[0])]["additional_medicare"]["citation"]
        recorder.line("additional_medicare", EMPLOYEE_TAX, FEDERAL, tax, citation)
    return tax


def futa(columns: Columns, year: Int64s, law: FederalLaw, recorder: Recorder | None) -> Int64s:
    """0.6 % of the employer (6.0 % less the full credit) on the first 7,000 of the year (IRC 3301, 3302, 3306(b))."""
    wages, before = columns.futa_wages, columns.ytd_futa_wages
    base, rates = law.futa[year, 1], law.futa[year, 0]
    counted = up_to(wages, before, base)
    tax = half_up(counted * rates, RATE_SCALE)
    if recorder is not None:
        _record_capped(recorder, law, year, "futa", True, wages, before, base, counted, rates, tax)
    return tax


def futa_reduction(columns: Columns, year: Int64s, law: FederalLaw, rates: Int64s, recorder: Recorder | None) -> Int64s:
    """What a state's credit reduction adds on the same wages, at `rates` (millionths) that a person entered: the final
    list of a year is set in November and due with the fourth quarter (IRC 3302(c)(2))."""
    wages, before = columns.futa_wages, columns.ytd_futa_wages
    base = law.futa[year, 1]
    counted = up_to(wages, before, base)
    tax = half_up(counted * rates, RATE_SCALE)
    if recorder is not None:
        record_counted(recorder, wages, before, base, counted, _table(law, year, "futa wage_base"))
        recorder.step(
            "tax", "3302(c)(2)", "at the credit reduction entered for the state",
            "round_half_up(counted * reduction, 0.01)", usd(tax), rounding=CENT, counted=usd(counted),
            reduction=rate(rates, RATE_SCALE),
        )  # fmt: skip
        recorder.line("futa_credit_reduction", EMPLOYER_TAX, FEDERAL, tax, "IRC 3302(c)(2); Form 940, Schedule A")
    return tax


def record_counted(
    recorder: Recorder, wages: Int64s, before: Int64s, base: Int64s, counted: Int64s, table: TableRow
) -> None:
    """The step that applies a yearly wage base, shared by every tax that has one."""
    recorder.step(
        "counted", "1", "the part of the wages below the wage base of the year",
        "min(wages, max(0, wage_base - before))", usd(counted), table=table, wages=usd(wages), wage_base=usd(base),
        before=usd(before),
    )  # fmt: skip


def _record_capped(
    recorder: Recorder, law: FederalLaw, year: Int64s, section: str, employer: bool, wages: Int64s, before: Int64s,
    base: Int64s, counted: Int64s, rates: Int64s, tax: Int64s,
) -> None:  # fmt: skip
    record_counted(recorder, wages, before, base, counted, _table(law, year, f"{section} wage_base"))
    table = _table(law, year, f"{section} {'employer' if employer else 'employee'}_rate")
    _record_rate(recorder, "counted", counted, rates, tax, table)
    _close(recorder, law, year, section, employer, tax)


def _record_rate(recorder: Recorder, of: str, wages: Int64s, rates: Int64s, tax: Int64s, table: TableRow) -> None:
    inputs: dict[str, Any] = {of: usd(wages), "rate": rate(rates, RATE_SCALE)}
    recorder.step(
        "tax", "2", "at the rate", f"round_half_up({of} * rate, 0.01)", usd(tax), table=table, rounding=CENT, **inputs
    )


def _close(recorder: Recorder, law: FederalLaw, year: Int64s, section: str, employer: bool, tax: Int64s) -> None:
    code = section if section == "futa" else f"{'employer_' if employer else ''}{section}"
    kind = EMPLOYER_TAX if employer else EMPLOYEE_TAX
    recorder.line(code, kind, FEDERAL, tax, law.texts[int(year[0])][section]["citation"])


def _table(law: FederalLaw, year: Int64s, row: str) -> TableRow:
    table = law.tables[int(year[0])]
    return TableRow(table.name, table.version, row)
