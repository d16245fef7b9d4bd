"""Utah: wages at the flat rate less a credit that phases out above a threshold, every line in whole dollars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, rate, usd
from backoffice.payroll.calc.exact import at_least_zero, cents, half_up, scale_of, scaled
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s

_WHOLE_DOLLAR = "to the whole dollar, half up"


class UtCreditPhaseout(Method):
    uses_allowances = False
    uses_secondary_allowances = False

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        periods: Mapping[str, Mapping[str, Mapping[str, str]]] = values["period"]
        self.frequencies = frozenset(periods)
        self.statuses = tuple(periods["annual"])
        self._scale = scale_of([values["rate"], values["phase_rate"]])
        self._rate, self._phase_rate = (scaled(values[key], self._scale) for key in ("rate", "phase_rate"))
        self._dollar = cents(values["round_to"])
        self._allowance = np.zeros((len(FREQUENCIES), len(self.statuses)), dtype=np.int64)
        self._threshold = np.zeros_like(self._allowance)
        for frequency, by_status in periods.items():
            code = FREQUENCIES.index(frequency)
            self._allowance[code] = [cents(by_status[status]["base_allowance"]) for status in self.statuses]
            self._threshold[code] = [cents(by_status[status]["threshold"]) for status in self.statuses]

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        on_wages = half_up(rows.wages * self._rate, self._scale, self._dollar)
        allowance = self._allowance[rows.frequency, rows.status]
        threshold = self._threshold[rows.frequency, rows.status]
        lost = half_up(at_least_zero(rows.wages - threshold) * self._phase_rate, self._scale, self._dollar)
        credit = at_least_zero(allowance - lost)
        tax = at_least_zero(on_wages - credit)
        if recorder is not None:
            name, version = self._table.name, self._table.version
            where = f"period {FREQUENCIES[int(rows.frequency[0])]} {self.statuses[int(rows.status[0])]}"
            recorder.step(
                "on_wages", "2", "wages at the rate, in whole dollars", "round_half_up(wages * rate, 1)", usd(on_wages),
                table=TableRow(name, version, "rate"), rounding=_WHOLE_DOLLAR, wages=usd(rows.wages),
                rate=rate(self._rate, self._scale),
            )  # fmt: skip
            recorder.step(
                "lost", "6", "wages above the threshold at the rate of the phase-out, in whole dollars",
                "round_half_up(max(0, wages - threshold) * phase_rate, 1)", usd(lost),
                table=TableRow(name, version, f"{where} threshold, phase_rate"), rounding=_WHOLE_DOLLAR,
                wages=usd(rows.wages), threshold=usd(threshold), phase_rate=rate(self._phase_rate, self._scale),
            )  # fmt: skip
            recorder.step(
                "credit", "7", "the base allowance less that, not below zero", "max(0, base_allowance - lost)",
                usd(credit), table=TableRow(name, version, f"{where} base_allowance"), base_allowance=usd(allowance),
                lost=usd(lost),
            )  # fmt: skip
            recorder.step(
                "tax", "8", "less the credit, not below zero", "max(0, on_wages - credit)", usd(tax),
                on_wages=usd(on_wages), credit=usd(credit),
            )  # fmt: skip
        return tax, np.ones_like(tax)

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []
