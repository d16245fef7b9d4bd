"""Federal income tax withholding: Pub 15-T, Worksheet 1A, for both generations of Form W-4 (IRC 3402)."""

from __future__ import annotations

from typing import Any

import numpy as np

from backoffice.payroll.calc.compiled import FederalLaw
from backoffice.payroll.calc.derivation import Recorder, TableRow, count, text, usd
from backoffice.payroll.calc.exact import at_least_zero, half_up
from backoffice.payroll.calc.paycheck import FREQUENCIES, OLDER_FORM, PERIODS, W4_VERSIONS, Columns, Int64s
from backoffice.payroll.calc.result import EMPLOYEE_TAX, FEDERAL

_PERIODS = np.array(PERIODS, dtype=np.int64)


def federal_income_tax(
    columns: Columns, year: Int64s, law: FederalLaw, recorder: Recorder | None
) -> tuple[Int64s, tuple[Int64s, Int64s]]:
    """Tax of the pay period in cents, and what it was before it was rounded and without the extra amount of the form
    (numerator, denominator). No line of Worksheet 1A is rounded on the way; the last one is, to the cent."""
    older = columns.w4_version == OLDER_FORM
    # Separately has the schedules of single; head of household on an older form is refused before.
    status = columns.filing_status
    box = (columns.step2_checkbox & ~older).astype(np.int64)
    periods = _PERIODS[columns.frequency]
    addition = np.where(columns.nonresident_alien, law.nonresident[year, columns.w4_version, columns.frequency], 0)
    annual = (columns.income_tax_wages + addition) * periods
    line_1g = law.line_1g[year, box, status]
    allowance = law.allowance[year]
    adjusted = at_least_zero(
        np.where(
            older,
            annual - columns.allowances * allowance,
            annual + columns.step4a - columns.step4b - line_1g,
        )
    )
    schedules = law.schedules
    at = schedules.find(law.schedule[year, box, status], adjusted)
    tentative = schedules.base[at] * schedules.scale + schedules.rate[at] * (adjusted - schedules.start[at])
    credit = np.where(older, 0, columns.step3)
    less_credit = np.where(columns.exempt, 0, at_least_zero(tentative - credit * schedules.scale))
    divisor = periods * schedules.scale
    tax = half_up(less_credit, divisor) + np.where(columns.exempt, 0, columns.step4c)
    if recorder is not None:
        which = int(year[0])
        name, version = law.tables[which].name, law.tables[which].version
        citation = law.texts[which]["withholding"]["citation"]
        if bool(columns.exempt[0]):
            recorder.step(
                "tax", "exempt", "the employee claims exemption on Form W-4", "0", usd(tax), claim=text("exempt")
            )
            recorder.line("federal_income_tax", EMPLOYEE_TAX, FEDERAL, tax, f"IRC 3402(n); {citation}")
            return tax, (less_credit, divisor)
        _record_annual(columns, recorder, addition, periods, annual, TableRow(
            name, version, f"nonresident_alien {W4_VERSIONS[int(columns.w4_version[0])]} "
            f"{FREQUENCIES[int(columns.frequency[0])]}",
        ))  # fmt: skip
        if bool(older[0]):
            recorder.step(
                "adjusted", "1l", "less the allowances of the older form, not below zero",
                "max(0, annual_wages - allowances * allowance)", usd(adjusted),
                table=TableRow(name, version, "allowance"), annual_wages=usd(annual),
                allowances=count(columns.allowances), allowance=usd(allowance),
            )  # fmt: skip
        else:
            _record_adjusted(columns, recorder, annual, line_1g, adjusted, TableRow(name, version, "line_1g"))
        table, row = schedules.row(name, version, at)
        recorder.step(
            "tentative", "2", "the row of the annual percentage method table",
            "row_base + row_rate * (adjusted - row_from)", usd(tentative, schedules.scale), table=table,
            adjusted=usd(adjusted), **row,
        )  # fmt: skip
        step_3: dict[str, Any] = {} if bool(older[0]) else {"step3": usd(credit)}
        recorder.step(
            "less_credit", "3c",
            "less the credits of step 3, not below zero; one pay period of it" if step_3 else "one pay period of it",
            "max(0, tentative - step3) / periods" if step_3 else "tentative / periods",
            usd(less_credit, divisor), tentative=usd(tentative, schedules.scale), periods=count(periods), **step_3,
        )  # fmt: skip
        recorder.step(
            "tax", "4b", "plus the extra amount of step 4(c) or line 6", "round_half_up(less_credit + step4c, 0.01)",
            usd(tax), rounding="to the cent, half up, once (IRC 6313)", less_credit=usd(less_credit, divisor),
            step4c=usd(columns.step4c),
        )  # fmt: skip
        recorder.line("federal_income_tax", EMPLOYEE_TAX, FEDERAL, tax, citation)
    return tax, (less_credit, divisor)


def _record_annual(
    columns: Columns, recorder: Recorder, addition: Int64s, periods: Int64s, annual: Int64s, table: TableRow
) -> None:
    annualised: dict[str, Any] = {"wages": usd(columns.income_tax_wages)}
    if bool(columns.nonresident_alien[0]):
        recorder.step(
            "wages_with_addition", "nonresident", "wages plus the amount for a nonresident alien", "wages + addition",
            usd(columns.income_tax_wages + addition), table=table, wages=usd(columns.income_tax_wages),
            addition=usd(addition),
        )  # fmt: skip
        annualised = {"wages_with_addition": usd(columns.income_tax_wages + addition)}
    recorder.step(
        "annual_wages", "1c", "wages of the period x pay periods", f"{next(iter(annualised))} * periods", usd(annual),
        periods=count(periods), **annualised,
    )  # fmt: skip


def _record_adjusted(
    columns: Columns, recorder: Recorder, annual: Int64s, line_1g: Int64s, adjusted: Int64s, table: TableRow
) -> None:
    box = bool(columns.step2_checkbox[0])
    recorder.step(
        "line_1e", "1e", "plus other income of step 4(a)", "annual_wages + step4a", usd(annual + columns.step4a),
        annual_wages=usd(annual), step4a=usd(columns.step4a),
    )  # fmt: skip
    recorder.step(
        "line_1h", "1h",
        "deductions of step 4(b); line 1g is zero because the box of step 2 is checked" if box
        else "deductions of step 4(b) plus line 1g",
        "step4b + line_1g", usd(columns.step4b + line_1g), table=None if box else table, step4b=usd(columns.step4b),
        line_1g=usd(line_1g),
    )  # fmt: skip
    recorder.step(
        "adjusted", "1i", "adjusted annual wages, not below zero", "max(0, line_1e - line_1h)", usd(adjusted),
        line_1e=usd(annual + columns.step4a), line_1h=usd(columns.step4b + line_1g),
    )  # fmt: skip
