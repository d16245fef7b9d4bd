"""Elected rate: wages of the period x the percentage the employee chose on the state's form (Arizona)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, rate, usd
from backoffice.payroll.calc.exact import scaled
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, RATE_SCALE, Bools, Int64s

_ELECTED = "elected_rate"


class ElectedRate(Method):
    statuses: tuple[str, ...] = ("all",)
    frequencies = frozenset(FREQUENCIES)
    uses_allowances = False
    uses_secondary_allowances = False
    elections = frozenset({_ELECTED})

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._default = scaled(values["default_rate"], RATE_SCALE)
        offered = {scaled(each, RATE_SCALE) for each in values["allowed_rates"]}
        self.allowed = {_ELECTED: frozenset(offered | ({0} if values["zero_rate_with_certification"] else set()))}
        self.defaults = {_ELECTED: values["default_rate"]}

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        rates, said = rows.elected(_ELECTED, self._default)
        tax = rows.wages * rates
        if recorder is not None:
            table = None if bool(said[0]) else TableRow(self._table.name, self._table.version, "default_rate")
            recorder.step(
                "tax", "elected", "wages of the period at the elected rate" if table is None
                else "wages of the period at the rate for people who elected none",
                "wages * elected_rate", usd(tax, RATE_SCALE), table=table, wages=usd(rows.wages),
                elected_rate=rate(rates, RATE_SCALE),
            )  # fmt: skip
        return tax, np.full_like(tax, RATE_SCALE)

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []
