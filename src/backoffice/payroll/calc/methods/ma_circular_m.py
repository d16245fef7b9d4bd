"""Massachusetts Circular M: wages less FICA (up to its yearly cap) and exemptions, annualised, two rates.

`allowances` are the exemptions of Form M-4 (a spouse counts as four), `secondary_allowances` its claims of blindness;
the status head_of_household is its own box. One exemption has an amount of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, usd
from backoffice.payroll.calc.exact import at_least_zero, cents
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s
from backoffice.payroll.calc.schedule import Schedules

_HEAD_OF_HOUSEHOLD = 1
_AMOUNTS = ("claiming_one", "per_exemption", "plus", "head_of_household_tax_value", "blindness_tax_value", "floor")


class MaCircularM(Method):
    statuses: tuple[str, ...] = ("all", "head_of_household")
    uses_allowances = True
    uses_secondary_allowances = True
    asks = frozenset({"fica"})

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        periods: Mapping[str, Mapping[str, str]] = values["period"]
        self.frequencies = frozenset(periods)
        self._cap = cents(values["fica_deduction_annual_cap"])
        self._brackets = Schedules(values["brackets"], rows_begin="over")
        self._amounts = {name: np.zeros(len(FREQUENCIES), dtype=np.int64) for name in _AMOUNTS}
        for frequency, amounts in periods.items():
            for name in _AMOUNTS:
                self._amounts[name][FREQUENCIES.index(frequency)] = cents(amounts[name])

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        assert rows.others is not None
        one, each, plus, head, blind, floor = (self._amounts[name][rows.frequency] for name in _AMOUNTS)
        fica = np.minimum(rows.others.fica, at_least_zero(self._cap - rows.others.fica_deducted))
        number = rows.allowances
        exemption = np.where(number > 1, number * each + plus, np.where(number == 1, one, 0))
        annual = at_least_zero(rows.wages - fica - exemption) * rows.periods
        found = self._brackets
        at = found.find(np.zeros_like(annual), annual)
        computed = found.base[at] * found.scale + found.rate[at] * (annual - found.start[at])
        value = np.where(rows.status == _HEAD_OF_HOUSEHOLD, head, 0) + rows.secondary_allowances * blind
        divisor = found.scale * rows.periods
        spared = (number > 0) & (rows.wages < floor)
        tax = np.where(spared, 0, at_least_zero(computed - value * divisor))
        if recorder is not None:
            self._record(recorder, rows, fica, exemption, annual, at, computed, value, spared, tax)
        return tax, divisor

    def _record(
        self, recorder: Recorder, rows: StateRows, fica: Int64s, exemption: Int64s, annual: Int64s, at: Int64s,
        computed: Int64s, value: Int64s, spared: Bools, tax: Int64s,
    ) -> None:  # fmt: skip
        assert rows.others is not None
        name, version = self._table.name, self._table.version
        period = f"period {FREQUENCIES[int(rows.frequency[0])]}"
        one, each, plus, floor = (
            self._amounts[key][rows.frequency] for key in ("claiming_one", "per_exemption", "plus", "floor")
        )
        if bool(spared[0]):
            recorder.step(
                "tax", "floor", "an exemption is claimed and wages are below the floor: nothing is withheld", "0",
                usd(0), table=TableRow(name, version, f"{period} floor"), wages=usd(rows.wages), floor=usd(floor),
            )  # fmt: skip
            return
        recorder.step(
            "fica_counted", "1", "social security and Medicare withheld, up to what is left of the yearly cap",
            "min(fica, max(0, cap - fica_deducted))", usd(fica),
            table=TableRow(name, version, "fica_deduction_annual_cap"), fica=usd(rows.others.fica),
            cap=usd(self._cap), fica_deducted=usd(rows.others.fica_deducted),
        )  # fmt: skip
        number = int(rows.allowances[0])
        formula = "0" if number == 0 else "claiming_one" if number == 1 else "allowances * per_exemption + plus"
        recorder.step(
            "exemption", "2", "the exemptions of the form", formula, usd(exemption),
            table=TableRow(name, version, f"{period} claiming_one, per_exemption, plus"),
            allowances=count(rows.allowances), claiming_one=usd(one), per_exemption=usd(each), plus=usd(plus),
        )  # fmt: skip
        recorder.step(
            "annual_wages", "3", "wages less both, not below zero, x pay periods",
            "max(0, wages - fica_counted - exemption) * periods", usd(annual), wages=usd(rows.wages),
            fica_counted=usd(fica), exemption=usd(exemption), periods=count(rows.periods),
        )  # fmt: skip
        table, row = self._brackets.row(name, version, at)
        recorder.step(
            "annual_tax", "4", "the row of the annual schedule", "row_base + row_rate * (annual_wages - row_from)",
            usd(computed, self._brackets.scale), table=table, annual_wages=usd(annual), **row,
        )  # fmt: skip
        recorder.step(
            "tax", "5", "divided by the pay periods, less what head of household and blindness are worth in tax",
            "max(0, annual_tax / periods - tax_values)", usd(tax, self._brackets.scale * rows.periods),
            table=TableRow(name, version, f"{period} head_of_household_tax_value, blindness_tax_value"),
            annual_tax=usd(computed, self._brackets.scale), periods=count(rows.periods), tax_values=usd(value),
        )  # fmt: skip

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []
