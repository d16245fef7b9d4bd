"""Flat: wages of the period x the rate (Pennsylvania)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, rate, usd
from backoffice.payroll.calc.exact import check_fits, scale_of, scaled
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, LARGEST_CENTS, Bools, Int64s


class Flat(Method):
    statuses: tuple[str, ...] = ("all",)
    frequencies = frozenset(FREQUENCIES)
    uses_allowances = False
    uses_secondary_allowances = False

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._scale = scale_of([values["rate"]])
        self._rate = scaled(values["rate"], self._scale)
        check_fits(LARGEST_CENTS, self._rate, table.name)

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        tax = rows.wages * self._rate
        if recorder is not None:
            recorder.step(
                "tax", "flat", "wages of the period at the flat rate", "wages * rate", usd(tax, self._scale),
                table=TableRow(self._table.name, self._table.version, "withholding rate"),
                wages=usd(rows.wages), rate=rate(self._rate, self._scale),
            )  # fmt: skip
        return tax, np.full_like(tax, self._scale)

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []
