"""Arkansas: net annual wages, snapped to the middle of their bracket, at a rate less an amount; credits afterwards.

The annual tax is rounded to the whole dollar before the credits of the exemptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, usd
from backoffice.payroll.calc.exact import at_least_zero, cents, half_up
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s
from backoffice.payroll.calc.schedule import Schedules


class ArMidrange(Method):
    statuses: tuple[str, ...] = ("all",)
    frequencies = frozenset(FREQUENCIES)
    uses_allowances = True
    uses_secondary_allowances = False

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._deduction = cents(values["standard_deduction"])
        self._credit = cents(values["credit_per_allowance"])
        self._round_to = cents(values["annual_tax_round_to"])
        midrange = values["midrange"]
        self._size, self._middle = cents(midrange["bracket_size"]), cents(midrange["midpoint"])
        self._snap_below = cents(midrange["snap_below"])
        rows = [{"from": row["from"], "rate": row["rate"], "base": row["subtract"]} for row in values["table"]]
        self._rows = Schedules({"table": rows}, rows_begin="at_least")
        self._reissued_from, self._reissued = cents(values["reissued_from"]), str(values["reissued"])

    def _net(self, rows: StateRows) -> tuple[Int64s, Int64s]:
        net = at_least_zero(rows.wages * rows.periods - self._deduction)
        return net, np.where(net < self._snap_below, net // self._size * self._size + self._middle, net)

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        net, snapped = self._net(rows)
        found = self._rows
        at = found.find(np.zeros_like(snapped), snapped)
        exact = at_least_zero(snapped * found.rate[at] - found.base[at] * found.scale)
        annual_tax = half_up(exact, found.scale, self._round_to)
        tax = at_least_zero(annual_tax - self._credit * rows.allowances)
        if recorder is not None:
            name, version = self._table.name, self._table.version
            recorder.step(
                "net", "1", "annual wages less the standard deduction, not below zero",
                "max(0, wages * periods - standard_deduction)", usd(net),
                table=TableRow(name, version, "standard_deduction"), wages=usd(rows.wages), periods=count(rows.periods),
                standard_deduction=usd(self._deduction),
            )  # fmt: skip
            if bool((net < self._snap_below)[0]):
                begins = net // self._size * self._size
                recorder.step(
                    "midrange", "2", "the middle of the bracket that net wages lie in", "bracket_from + midpoint",
                    usd(snapped), table=TableRow(name, version, "midrange"), bracket_from=usd(begins),
                    midpoint=usd(self._middle),
                )  # fmt: skip
            else:
                recorder.step("midrange", "2", "net wages of this size are not snapped", "net", usd(net), net=usd(net))
            table, row = found.row(name, version, at)
            recorder.step(
                "annual_tax", "3", "at the row's rate less the row's amount, to the whole dollar",
                f"round_half_up(max(0, midrange * row_rate - row_subtract), {self._round_to // 100})", usd(annual_tax),
                table=table, rounding="to the whole dollar, half up, before the credits", midrange=usd(snapped),
                row_rate=row["row_rate"], row_subtract=row["row_base"],
            )  # fmt: skip
            recorder.step(
                "tax", "4", "less the credits of the exemptions, not below zero, divided by the pay periods",
                "max(0, annual_tax - allowances * credit_per_allowance) / periods", usd(tax, rows.periods),
                table=TableRow(name, version, "credit_per_allowance"), annual_tax=usd(annual_tax),
                allowances=count(rows.allowances), credit_per_allowance=usd(self._credit), periods=count(rows.periods),
            )  # fmt: skip
        return tax, rows.periods

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        changed = self._net(rows)[1] >= self._reissued_from
        return [(changed, self._reissued)] if changed.any() else []
