"""Annualised brackets: annual wages less allowances, the annual schedule, divided by the pay periods (Illinois)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, usd
from backoffice.payroll.calc.exact import at_least_zero, cents
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s
from backoffice.payroll.calc.schedule import Schedules


class AnnualizedBrackets(Method):
    frequencies = frozenset(FREQUENCIES)

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._schedules = Schedules(values["brackets"], rows_begin=values["rows_begin"])
        self.statuses = self._schedules.names
        self._allowance = cents(values.get("allowance", "0.00"))
        self._secondary = cents(values.get("secondary_allowance", "0.00"))
        self.uses_allowances = self._allowance > 0
        self.uses_secondary_allowances = self._secondary > 0

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        annual = rows.wages * rows.periods
        exempt = rows.allowances * self._allowance + rows.secondary_allowances * self._secondary
        taxable = at_least_zero(annual - exempt)
        at = self._schedules.find(rows.status, taxable)
        found = self._schedules
        tax = found.base[at] * found.scale + found.rate[at] * (taxable - found.start[at])
        divisor = found.scale * rows.periods
        if recorder is not None:
            table, row = found.row(self._table.name, self._table.version, at)
            recorder.step(
                "annual_wages", "1", "wages of the period x pay periods", "wages * periods", usd(annual),
                wages=usd(rows.wages), periods=count(rows.periods),
            )  # fmt: skip
            recorder.step(
                "exempt_amount", "2", "allowances of the state certificate at their yearly value",
                "allowances * allowance + secondary_allowances * secondary_allowance", usd(exempt),
                table=TableRow(self._table.name, self._table.version, "allowance, secondary_allowance"),
                allowances=count(rows.allowances), allowance=usd(self._allowance),
                secondary_allowances=count(rows.secondary_allowances), secondary_allowance=usd(self._secondary),
            )  # fmt: skip
            recorder.step(
                "taxable", "3", "annual wages less that, not below zero", "max(0, annual_wages - exempt_amount)",
                usd(taxable), annual_wages=usd(annual), exempt_amount=usd(exempt),
            )  # fmt: skip
            recorder.step(
                "annual_tax", "4", "the row of the annual schedule", "row_base + row_rate * (taxable - row_from)",
                usd(tax, found.scale), table=table, taxable=usd(taxable), **row,
            )  # fmt: skip
            recorder.step(
                "tax", "5", "divided by the pay periods", "annual_tax / periods", usd(tax, divisor),
                annual_tax=usd(tax, found.scale), periods=count(rows.periods),
            )  # fmt: skip
        return tax, divisor

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []
