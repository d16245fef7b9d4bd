"""Flat after a deduction: wages less a share of the annual deduction of the claim, at one rate (Louisiana)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, rate, usd
from backoffice.payroll.calc.exact import at_least_zero, cents, half_up, scale_of, scaled
from backoffice.payroll.calc.methods.method import TO_THE_CENT, Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s

_DAILY = FREQUENCIES.index("daily")


class PeriodFlatAfterDeduction(Method):
    frequencies = frozenset(FREQUENCIES)
    uses_allowances = False
    uses_secondary_allowances = False

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self.statuses = tuple(values["deduction"])
        self._deduction = np.array([cents(amount) for amount in values["deduction"].values()], dtype=np.int64)
        self._scale = scale_of([values["rate"]])
        self._rate = scaled(values["rate"], self._scale)
        self._daily_periods = int(values["daily_periods"])

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        periods = np.where(rows.frequency == _DAILY, self._daily_periods, rows.periods)
        annual = self._deduction[rows.status]
        deduction = half_up(annual, periods)
        tax = at_least_zero(rows.wages - deduction) * self._rate
        if recorder is not None:
            name, version = self._table.name, self._table.version
            recorder.step(
                "deduction", "1", "the annual deduction of the claim for one pay period",
                "round_half_up(annual_deduction / periods, 0.01)", usd(deduction), rounding=TO_THE_CENT,
                table=TableRow(name, version, f"deduction {self.statuses[int(rows.status[0])]}"),
                annual_deduction=usd(annual), periods=count(periods),
            )  # fmt: skip
            recorder.step(
                "tax", "2", "wages less the deduction, not below zero, at the rate",
                "max(0, wages - deduction) * rate", usd(tax, self._scale), table=TableRow(name, version, "rate"),
                wages=usd(rows.wages), deduction=usd(deduction), rate=rate(self._rate, self._scale),
            )  # fmt: skip
        return tax, np.full_like(tax, self._scale)

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []
