"""New York exact calculation (NYS-50-T-NYS): Method II, and Method III from the cut-over on.

Wages less deduction and exemptions are looked up in the table of the pay period, not annualised; the rates of the
table are not monotonic, since they recapture the benefit of the lower ones. At or above the cut-over all annualised
net wages take one flat top rate. At a cut-over whose annualised amount falls a few dollars short of the first row of
Method III, that first row applies.
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


class NyExact(Method):
    uses_allowances = True
    uses_secondary_allowances = False

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        periods: Mapping[str, Any] = values["period"]
        published = [frequency for frequency in FREQUENCIES if frequency in periods]
        self.frequencies = frozenset(published)
        self.statuses = tuple(values["method_iii"])
        self._schedules = Schedules(
            {f"{frequency} {status}": periods[frequency]["brackets"][status]
             for frequency in published for status in self.statuses},
            rows_begin=values["rows_begin"],
        )  # fmt: skip
        self._top = Schedules(
            {f"method_iii {status}": [{"from": "0.00", "rate": rows[0]["rate"]}, *rows]
             for status, rows in values["method_iii"].items()},
            rows_begin="at_least",
        )  # fmt: skip
        shape = (len(FREQUENCIES), len(self.statuses))
        self._first_schedule = np.zeros(len(FREQUENCIES), dtype=np.int64)
        self._exemption = np.zeros(len(FREQUENCIES), dtype=np.int64)
        self._deduction = np.zeros(shape, dtype=np.int64)
        self._top_from = np.zeros(shape, dtype=np.int64)
        for position, frequency in enumerate(published):
            code, period = FREQUENCIES.index(frequency), periods[frequency]
            self._first_schedule[code] = position * len(self.statuses)
            self._exemption[code] = cents(period["exemption"])
            self._deduction[code] = [cents(period["deduction"][status]) for status in self.statuses]
            self._top_from[code] = [cents(period["method_iii_from"][status]) for status in self.statuses]

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        deduction = self._deduction[rows.frequency, rows.status]
        exemption = self._exemption[rows.frequency]
        net = at_least_zero(rows.wages - deduction - exemption * rows.allowances)
        at = self._schedules.find(self._first_schedule[rows.frequency] + rows.status, net)
        found = self._schedules
        tax = found.base[at] * found.scale + found.rate[at] * (net - found.start[at])
        divisor = np.full_like(tax, found.scale)
        from_top = self._top_from[rows.frequency, rows.status]
        top = net >= from_top
        if top.any():
            annual = net * rows.periods
            at_top = self._top.find(rows.status, annual)
            tax = np.where(top, net * self._top.rate[at_top], tax)
            divisor = np.where(top, self._top.scale, divisor)
        if recorder is not None:
            frequency = FREQUENCIES[int(rows.frequency[0])]
            status = self.statuses[int(rows.status[0])]
            recorder.step(
                "net_wages", "1", "wages less deduction and exemptions, not below zero",
                "max(0, wages - deduction - exemption * allowances)", usd(net),
                table=TableRow(
                    self._table.name, self._table.version, f"period {frequency}, deduction {status}, exemption"
                ),
                wages=usd(rows.wages), deduction=usd(deduction), exemption=usd(exemption),
                allowances=count(rows.allowances),
            )  # fmt: skip
            if bool(top[0]):
                table, row = self._top.row(self._table.name, self._table.version, at_top)
                recorder.step(
                    "annual_net_wages", "III", "net wages reach the cut-over to Method III: annualised",
                    "net_wages * periods", usd(annual), net_wages=usd(net), periods=count(rows.periods),
                )  # fmt: skip
                recorder.step(
                    "tax", "III", "all annualised net wages at the flat top rate, divided by the pay periods",
                    "annual_net_wages * row_rate / periods", usd(tax, divisor), table=table,
                    annual_net_wages=usd(annual), periods=count(rows.periods), row_rate=row["row_rate"],
                )  # fmt: skip
            else:
                table, row = found.row(self._table.name, self._table.version, at)
                recorder.step(
                    "tax", "II", "the row of the table of the period", "row_base + row_rate * (net_wages - row_from)",
                    usd(tax, divisor), table=table, net_wages=usd(net), **row,
                )  # fmt: skip
        return tax, divisor

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []
