"""Iowa: wages less a share of the annual deduction at a flat rate, less a share of the elected yearly credit.

The allowance of the form is dollars of tax; people whose form is older than 2024 have a fixed credit per allowance.
Every share of a year is rounded to the cent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, rate, usd
from backoffice.payroll.calc.exact import at_least_zero, cents, half_up, scale_of, scaled
from backoffice.payroll.calc.methods.method import TO_THE_CENT, Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s

_ELECTED = "elected_annual_credit"


class IaFlat(Method):
    frequencies = frozenset(FREQUENCIES)
    uses_allowances = True
    uses_secondary_allowances = False
    elections = frozenset({_ELECTED})

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self.statuses = tuple(values["deduction"])
        self._deduction = np.array([cents(amount) for amount in values["deduction"].values()], dtype=np.int64)
        self._scale = scale_of([values["rate"]])
        self._rate = scaled(values["rate"], self._scale)
        self._credit = cents(values["credit_per_allowance"])

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        annual = self._deduction[rows.status]
        deduction = half_up(annual, rows.periods)
        taxable = at_least_zero(rows.wages - deduction)
        on_wages = half_up(taxable * self._rate, self._scale)
        elected, said = rows.elected(_ELECTED)
        of_year = np.where(said, elected, rows.allowances * self._credit)
        credit = half_up(of_year, rows.periods)
        tax = at_least_zero(on_wages - credit)
        if recorder is not None:
            name, version = self._table.name, self._table.version
            recorder.step(
                "deduction", "1", "the annual deduction of the status for one pay period",
                "round_half_up(annual_deduction / periods, 0.01)", usd(deduction), rounding=TO_THE_CENT,
                table=TableRow(name, version, f"deduction {self.statuses[int(rows.status[0])]}"),
                annual_deduction=usd(annual), periods=count(rows.periods),
            )  # fmt: skip
            recorder.step(
                "on_wages", "2", "wages less the deduction, not below zero, at the rate",
                "round_half_up(max(0, wages - deduction) * rate, 0.01)", usd(on_wages), rounding=TO_THE_CENT,
                table=TableRow(name, version, "rate"), wages=usd(rows.wages), deduction=usd(deduction),
                rate=rate(self._rate, self._scale),
            )  # fmt: skip
            if bool(said[0]):
                recorder.step(
                    "credit", "3", "the elected yearly allowance for one pay period",
                    "round_half_up(elected_annual_credit / periods, 0.01)", usd(credit), rounding=TO_THE_CENT,
                    elected_annual_credit=usd(elected), periods=count(rows.periods),
                )  # fmt: skip
            else:
                recorder.step(
                    "credit", "3", "the credits of a form older than 2024 for one pay period",
                    "round_half_up(allowances * credit_per_allowance / periods, 0.01)", usd(credit),
                    rounding=TO_THE_CENT, table=TableRow(name, version, "credit_per_allowance"),
                    allowances=count(rows.allowances), credit_per_allowance=usd(self._credit),
                    periods=count(rows.periods),
                )  # fmt: skip
            recorder.step(
                "tax", "4", "less the credit, not below zero", "max(0, on_wages - credit)", usd(tax),
                on_wages=usd(on_wages), credit=usd(credit),
            )  # fmt: skip
        return tax, np.ones_like(tax)

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []
