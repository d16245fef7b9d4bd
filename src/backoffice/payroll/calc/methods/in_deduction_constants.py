"""Indiana: wages less the deduction constants of each kind of exemption, at the flat rate.

`allowances` are the personal exemptions; dependents, first-time dependents and adopted children have their own counts.
The county tax has the same base.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, rate, usd
from backoffice.payroll.calc.exact import at_least_zero, cents, half_up, scale_of, scaled
from backoffice.payroll.calc.methods.method import TO_THE_CENT, Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s

_KINDS = ("dependent", "first_time_dependent", "adopted")
_DAILY = FREQUENCIES.index("daily")


class InDeductionConstants(Method):
    statuses: tuple[str, ...] = ("all",)
    frequencies = frozenset(FREQUENCIES)
    uses_allowances = True
    uses_secondary_allowances = False
    elections = frozenset({*_KINDS, "county_rate"})

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._scale = scale_of([values["rate"]])
        self._rate = scaled(values["rate"], self._scale)
        self._amount = {kind: cents(amount) for kind, amount in values["exemption"].items()}
        self._daily_periods = int(values["daily_periods"])

    def base(self, rows: StateRows, recorder: Recorder | None) -> Int64s:
        """Wages less the constants, not below zero: what state and county tax."""
        periods = np.where(rows.frequency == _DAILY, self._daily_periods, rows.periods)
        counts = {"personal": rows.allowances} | {kind: rows.elected(kind)[0] for kind in _KINDS}
        total, parts = np.zeros_like(rows.wages), dict[str, Any]()
        for kind, number in counts.items():
            constant = half_up(number * self._amount[kind], periods)
            total = total + constant
            if recorder is not None and (kind == "personal" or int(number[0])):
                parts[kind] = usd(constant)
                recorder.step(
                    kind, "constant", f"{kind.replace('_', ' ')} exemptions for one pay period",
                    "round_half_up(number * amount / periods, 0.01)", usd(constant), rounding=TO_THE_CENT,
                    table=TableRow(self._table.name, self._table.version, f"exemption {kind}"), number=count(number),
                    amount=usd(self._amount[kind]), periods=count(periods),
                )  # fmt: skip
        base = at_least_zero(rows.wages - total)
        if recorder is not None:
            recorder.step(
                "base", "base", "wages less the constants, not below zero", f"max(0, wages - {' - '.join(parts)})",
                usd(base), wages=usd(rows.wages), **parts,
            )  # fmt: skip
        return base

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        base = self.base(rows, recorder)
        tax = base * self._rate
        if recorder is not None:
            recorder.step(
                "tax", "rate", "the base at the rate", "base * rate", usd(tax, self._scale),
                table=TableRow(self._table.name, self._table.version, "rate"), base=usd(base),
                rate=rate(self._rate, self._scale),
            )  # fmt: skip
        return tax, np.full_like(tax, self._scale)

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []
