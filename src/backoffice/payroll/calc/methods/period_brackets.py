"""Period brackets: wages of the pay period less what allowances are worth in it, in the table of that period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, text, usd
from backoffice.payroll.calc.exact import at_least_zero, cents, half_up
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s
from backoffice.payroll.calc.schedule import Schedules


class PeriodBrackets(Method):
    """Values: `period.<frequency>.brackets` by status, and what comes off first: `allowance_per_period` by frequency
    (nothing of it when annualised wages are above `allowance_cliff_annual`), or `annual_deduction` by status and a
    yearly `allowance`, together divided by the pay periods and rounded to cents; or nothing."""

    uses_secondary_allowances = False

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        periods: Mapping[str, Any] = values["period"]
        published = [frequency for frequency in FREQUENCIES if frequency in periods]
        self.frequencies = frozenset(published)
        self.statuses = tuple(periods[published[0]]["brackets"])
        self._schedules = Schedules(
            {f"{frequency} {status}": periods[frequency]["brackets"][status]
             for frequency in published for status in self.statuses},
            rows_begin=values["rows_begin"],
        )  # fmt: skip
        self._first_schedule = np.zeros(len(FREQUENCIES), dtype=np.int64)
        self._per_period = np.zeros(len(FREQUENCIES), dtype=np.int64)
        for position, frequency in enumerate(published):
            code = FREQUENCIES.index(frequency)
            self._first_schedule[code] = position * len(self.statuses)
            self._per_period[code] = cents(values.get("allowance_per_period", {}).get(frequency, "0.00"))
        self._cliff = cents(values["allowance_cliff_annual"]) if "allowance_cliff_annual" in values else None
        self._annual: Int64s | None = None
        if "annual_deduction" in values:
            listed: Mapping[str, str] = values["annual_deduction"]
            self._annual = np.array([cents(listed[status]) for status in self.statuses], dtype=np.int64)
        self._allowance = cents(values.get("allowance", "0.00"))
        self.uses_allowances = bool(self._per_period.any()) or self._allowance > 0

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        exempt: Int64s | None = None
        if self._annual is not None:
            exempt = self._yearly(self._annual, rows, recorder)
        elif self.uses_allowances:
            exempt = self._of_period(rows, recorder)
        taxable = rows.wages if exempt is None else at_least_zero(rows.wages - exempt)
        found = self._schedules
        at = found.find(self._first_schedule[rows.frequency] + rows.status, taxable)
        tax = found.base[at] * found.scale + found.rate[at] * (taxable - found.start[at])
        if recorder is not None:
            self._record_taxable(recorder, rows, exempt, taxable)
            table, row = found.row(self._table.name, self._table.version, at)
            recorder.step(
                "tax", "3", "the row of the table of the period", "row_base + row_rate * (taxable - row_from)",
                usd(tax, found.scale), table=table, taxable=usd(taxable), **row,
            )  # fmt: skip
        return tax, np.full_like(tax, found.scale)

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []

    def _record_taxable(self, recorder: Recorder, rows: StateRows, exempt: Int64s | None, taxable: Int64s) -> None:
        if exempt is None:
            recorder.step(
                "taxable", "2", "wages of the period", "wages", usd(taxable), wages=usd(rows.wages)
            )  # fmt: skip
            return
        recorder.step(
            "taxable", "2", "wages of the period less that, not below zero", "max(0, wages - exempt_amount)",
            usd(taxable), wages=usd(rows.wages), exempt_amount=usd(exempt),
        )  # fmt: skip

    def _of_period(self, rows: StateRows, recorder: Recorder | None) -> Int64s:
        each = self._per_period[rows.frequency]
        exempt = rows.allowances * each
        lost = None
        if self._cliff is not None:
            lost = rows.wages * rows.periods > self._cliff
            exempt = np.where(lost, 0, exempt)
        if recorder is not None:
            frequency = FREQUENCIES[int(rows.frequency[0])]
            table = TableRow(self._table.name, self._table.version, f"allowance_per_period {frequency}")
            if lost is not None and bool(lost[0]):
                recorder.step(
                    "exempt_amount", "1", "annualised wages are above the amount where allowances end", "0",
                    usd(exempt), table=TableRow(self._table.name, self._table.version, "allowance_cliff_annual"),
                    wages=usd(rows.wages), periods=count(rows.periods), allowances_end_above=usd(self._cliff or 0),
                )  # fmt: skip
            else:
                recorder.step(
                    "exempt_amount", "1", "allowances at their value in the pay period", "allowances * allowance",
                    usd(exempt), table=table, allowances=count(rows.allowances), allowance=usd(each),
                )  # fmt: skip
        return exempt

    def _yearly(self, annual: Int64s, rows: StateRows, recorder: Recorder | None) -> Int64s:
        deduction = annual[rows.status]
        exempt = half_up(deduction + rows.allowances * self._allowance, rows.periods)
        if recorder is not None:
            status = self.statuses[int(rows.status[0])]
            recorder.step(
                "exempt_amount", "1", "the yearly deduction and allowances, divided by the pay periods",
                "round_half_up((deduction + allowances * allowance) / periods, 0.01)", usd(exempt),
                rounding="to the cent, half up",
                table=TableRow(self._table.name, self._table.version, f"annual_deduction {status}, allowance"),
                status=text(status), deduction=usd(deduction), allowances=count(rows.allowances),
                allowance=usd(self._allowance), periods=count(rows.periods),
            )  # fmt: skip
        return exempt
