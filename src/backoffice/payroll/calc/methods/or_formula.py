"""Oregon: annual wages less the federal tax withheld (capped) and a standard deduction, a row, less credits.

The group of values follows the status and whether three allowances are claimed, the cap on federal tax and the cut-off
of allowances follow the status alone. The annual tax is rounded to the whole dollar before it is divided. Without a
form all wages bear one flat rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, usd
from backoffice.payroll.calc.exact import at_least_zero, cents, half_up
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.methods.without_form import WithoutForm
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s
from backoffice.payroll.calc.schedule import Schedules, steps

_SINGLE, _MARRIED = 0, 1
_WHOLE_DOLLAR = "to the whole dollar, half up"


class OrFormula(Method):
    statuses: tuple[str, ...] = ("single", "married")
    frequencies = frozenset(FREQUENCIES)
    uses_allowances = True
    uses_secondary_allowances = False
    asks = frozenset({"federal_income_tax"})

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._without = WithoutForm(values, table)
        self._credit = cents(values["credit_per_allowance"])
        self._round_to = cents(values["annual_tax_round_to"])
        self._group_b_from = int(values["group_b_from_allowances"])
        self._high_from = cents(values["high_rows_from"])
        groups = [values["group"][name] for name in ("A", "B")]
        self._deduction = np.array([cents(group["standard_deduction"]) for group in groups], dtype=np.int64)
        self._no_credit_above = np.array(
            [cents(values["allowance_zero_above"][status]) for status in self.statuses], dtype=np.int64
        )
        self._cap = Schedules(
            {f"federal_cap {status}": steps(values["federal_cap"][status]) for status in self.statuses},
            rows_begin="at_least",
        )
        # A row's tax may be counted from another amount than the one it begins at, so that stands beside the schedule.
        rows = {f"group {name} {part}": values["group"][name][part] for name in "AB" for part in ("low", "high")}
        self._rows = Schedules(rows, rows_begin="at_least")
        self._over = np.array([cents(row["over"]) for each in rows.values() for row in each], dtype=np.int64)
        self._constant_verified = bool(values["constant_at_zero_verified"])

    def _base(self, rows: StateRows) -> tuple[Int64s, Int64s, Int64s, Int64s, Int64s, Int64s]:
        assert rows.others is not None
        annual = rows.wages * rows.periods
        at_cap = self._cap.find(rows.status, annual)
        federal = np.minimum(rows.others.federal_income_tax * rows.periods, self._cap.base[at_cap])
        group = np.where((rows.status == _MARRIED) | (rows.allowances >= self._group_b_from), 1, 0)
        base = at_least_zero(annual - federal - self._deduction[group])
        at = self._rows.find(group * 2 + np.where(annual >= self._high_from, 1, 0), base)
        return annual, at_cap, federal, group, base, at

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        annual, at_cap, federal, group, base, at = self._base(rows)
        found = self._rows
        counted = np.where(annual > self._no_credit_above[rows.status], 0, rows.allowances)
        on_rows = found.base[at] * found.scale + found.rate[at] * (base - self._over[at])
        exact = np.where(annual == 0, 0, at_least_zero(on_rows - counted * self._credit * found.scale))
        annual_tax = half_up(exact, found.scale, self._round_to)
        if recorder is not None and bool(rows.certificate[0]):
            self._record(recorder, rows, annual, at_cap, federal, group, base, at, counted, annual_tax)
        return self._without.instead(rows, annual_tax, rows.periods, recorder)

    def _record(
        self, recorder: Recorder, rows: StateRows, annual: Int64s, at_cap: Int64s, federal: Int64s, group: Int64s,
        base: Int64s, at: Int64s, counted: Int64s, annual_tax: Int64s,
    ) -> None:  # fmt: skip
        assert rows.others is not None
        name, version, letter = self._table.name, self._table.version, "AB"[int(group[0])]
        recorder.step(
            "annual_wages", "1", "wages of the period x pay periods", "wages * periods", usd(annual),
            wages=usd(rows.wages), periods=count(rows.periods),
        )  # fmt: skip
        recorder.step(
            "federal", "2", "federal income tax withheld in a year of such periods, up to the cap for those wages",
            "min(federal_income_tax * periods, cap)", usd(federal), table=self._cap.row(name, version, at_cap)[0],
            federal_income_tax=usd(rows.others.federal_income_tax), periods=count(rows.periods),
            cap=usd(self._cap.base[at_cap]),
        )  # fmt: skip
        recorder.step(
            "base", "3", "annual wages less federal tax and the group's standard deduction, not below zero",
            "max(0, annual_wages - federal - standard_deduction)", usd(base),
            table=TableRow(name, version, f"group {letter} standard_deduction"), annual_wages=usd(annual),
            federal=usd(federal), standard_deduction=usd(self._deduction[group]),
        )  # fmt: skip
        if not int(annual[0]):
            recorder.step("tax", "4", "no wages, no tax", "0", usd(0), annual_wages=usd(annual))
            return
        table, row = self._rows.row(name, version, at)
        recorder.step(
            "annual_tax", "4", "the row of the group, less the credits of the allowances, to the whole dollar",
            "round_half_up(max(0, row_base + row_rate * (base - row_over) - counted * credit_per_allowance), "
            f"{self._round_to // 100})",
            usd(annual_tax), table=table, rounding=_WHOLE_DOLLAR, base=usd(base), row_base=row["row_base"],
            row_rate=row["row_rate"], row_over=usd(self._over[at]), counted=count(counted),
            credit_per_allowance=usd(self._credit),
        )  # fmt: skip
        recorder.step(
            "tax", "5", "divided by the pay periods", "annual_tax / periods", usd(annual_tax, rows.periods),
            annual_tax=usd(annual_tax), periods=count(rows.periods),
        )  # fmt: skip

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        if self._constant_verified:
            return []
        bare = rows.certificate & (rows.wages > 0) & (rows.allowances == 0) & (self._base(rows)[4] == 0)
        detail = "Oregon's formula withholds its constant though base income is zero; that reading is unverified."
        return [(bare, detail)] if bare.any() else []
