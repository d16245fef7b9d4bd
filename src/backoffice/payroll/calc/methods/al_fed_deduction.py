"""Alabama: annual wages less standard deduction, the whole federal tax withheld, exemption and dependents.

The standard deduction steps down with annual wages and a dependent is worth less to those who earn more. `allowances`
are the dependents of Form A-4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, usd
from backoffice.payroll.calc.exact import at_least_zero, cents
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s
from backoffice.payroll.calc.schedule import Schedules, steps


class AlFedDeduction(Method):
    frequencies = frozenset(FREQUENCIES)
    uses_allowances = True
    uses_secondary_allowances = False
    asks = frozenset({"federal_income_tax"})

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        claims: Mapping[str, Any] = values["claim"]
        self.statuses = tuple(claims)
        self._exemption = np.array([cents(claim["personal_exemption"]) for claim in claims.values()], dtype=np.int64)
        self._brackets = Schedules(
            {f"claim {key} brackets": claim["brackets"] for key, claim in claims.items()}, rows_begin="over"
        )
        self._deduction = Schedules(
            {f"claim {key} standard_deduction": steps(claim["standard_deduction"]) for key, claim in claims.items()},
            rows_begin="at_least",
        )
        self._dependent = Schedules({"dependent_value": steps(values["dependent_value"])}, rows_begin="over")

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        assert rows.others is not None
        annual = rows.wages * rows.periods
        federal = rows.others.federal_income_tax * rows.periods
        at_deduction = self._deduction.find(rows.status, annual)
        at_value = self._dependent.find(np.zeros_like(rows.status), annual)
        deduction, value = self._deduction.base[at_deduction], self._dependent.base[at_value]
        exemption = self._exemption[rows.status]
        taxable = at_least_zero(annual - deduction - federal - exemption - rows.allowances * value)
        found = self._brackets
        at = found.find(rows.status, taxable)
        tax = found.base[at] * found.scale + found.rate[at] * (taxable - found.start[at])
        divisor = found.scale * rows.periods
        if recorder is not None:
            name, version = self._table.name, self._table.version
            recorder.step(
                "annual_wages", "1", "wages of the period x pay periods", "wages * periods", usd(annual),
                wages=usd(rows.wages), periods=count(rows.periods),
            )  # fmt: skip
            recorder.step(
                "standard_deduction", "2", "the step that annual wages reach", "step", usd(deduction),
                table=self._deduction.row(name, version, at_deduction)[0], step=usd(deduction),
            )  # fmt: skip
            recorder.step(
                "annual_federal", "3", "federal income tax withheld x pay periods", "federal_income_tax * periods",
                usd(federal), federal_income_tax=usd(rows.others.federal_income_tax), periods=count(rows.periods),
            )  # fmt: skip
            recorder.step(
                "dependents", "4", "dependents at the value for those annual wages", "allowances * dependent_value",
                usd(rows.allowances * value), table=self._dependent.row(name, version, at_value)[0],
                allowances=count(rows.allowances), dependent_value=usd(value),
            )  # fmt: skip
            recorder.step(
                "taxable", "5", "annual wages less all of that and the personal exemption, not below zero",
                "max(0, annual_wages - standard_deduction - annual_federal - personal_exemption - dependents)",
                usd(taxable),
                table=TableRow(name, version, f"claim {self.statuses[int(rows.status[0])]} personal_exemption"),
                annual_wages=usd(annual), standard_deduction=usd(deduction), annual_federal=usd(federal),
                personal_exemption=usd(exemption), dependents=usd(rows.allowances * value),
            )  # fmt: skip
            table, row = found.row(name, version, at)
            recorder.step(
                "annual_tax", "6", "the row of the annual schedule", "row_base + row_rate * (taxable - row_from)",
                usd(tax, found.scale), table=table, taxable=usd(taxable), **row,
            )  # fmt: skip
            recorder.step(
                "tax", "7", "divided by the pay periods", "annual_tax / periods", usd(tax, divisor),
                annual_tax=usd(tax, found.scale), periods=count(rows.periods),
            )  # fmt: skip
        return tax, divisor

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []
