"""Maryland: state and local tax as one amount, from a table of the pay period made of state bands and a local rate.

The guide prints a table for each of ten local rates; the one equal to or just above the county's rate counts.
Nonresidents have a local rate of their own, and so have people without a certificate. `allowances` are the exemptions
of Form MW507. The table's rows begin at the annual bands divided by the pay periods, to the whole dollar, with the
annual tax up to there divided by the pay periods, to the cent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, rate, usd
from backoffice.payroll.calc.exact import at_least_zero, cents, scaled
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, PERIODS, RATE_SCALE, Bools, Int64s
from backoffice.payroll.calc.schedule import Schedules

_LOCAL = "local_rate"
_DAILY = FREQUENCIES.index("daily")


class MdStatePlusLocal(Method):
    uses_allowances = True
    uses_secondary_allowances = False
    elections = frozenset({_LOCAL})

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        deductions: Mapping[str, str] = values["standard_deduction_per_period"]
        published = [frequency for frequency in FREQUENCIES if frequency in deductions]
        self.frequencies = frozenset(published)
        bands: Mapping[str, Sequence[Mapping[str, str]]] = values["bands"]
        self.statuses = tuple(bands)
        buckets = [str(each) for each in values["local_buckets"]]
        self._buckets = np.array([scaled(each, RATE_SCALE) for each in buckets], dtype=np.int64)
        self._nonresident, self._without = (
            scaled(values[key], RATE_SCALE) for key in ("nonresident_local_rate", "no_certificate_local_rate")
        )
        self.most = {_LOCAL: int(self._buckets[-1])}
        self.defaults = {_LOCAL: values["no_certificate_local_rate"]}
        days = int(values["daily_periods"])
        self._days_verified = bool(values["daily_periods_verified"])
        named: dict[str, list[dict[str, str]]] = {}
        self._first = np.zeros(len(FREQUENCIES), dtype=np.int64)
        self._amounts = np.zeros((3, len(FREQUENCIES)), dtype=np.int64)  # deduction, exemption, floor
        keys = ("standard_deduction_per_period", "exemption_per_period", "no_withholding_below")
        for frequency in published:
            code = FREQUENCIES.index(frequency)
            self._first[code] = len(named)
            self._amounts[:, code] = [cents(values[key][frequency]) for key in keys]
            periods = days if code == _DAILY else PERIODS[code]
            for status, rows in bands.items():
                for bucket in buckets:
                    named[f"{frequency} {status}, local {bucket}"] = _of_period(rows, Decimal(bucket), periods)
        self._schedules = Schedules(named, rows_begin=values["rows_begin"])

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        local, _ = rows.elected(_LOCAL, self._without)
        local = np.where(rows.nonresident, self._nonresident, local)
        bucket = np.searchsorted(self._buckets, local)
        deduction, exemption, floor = self._amounts[:, rows.frequency]
        taxable = at_least_zero(rows.wages - deduction - rows.allowances * exemption)
        found = self._schedules
        size = len(self._buckets)
        at = found.find(self._first[rows.frequency] + rows.status * size + bucket, taxable)
        below = rows.wages < floor
        tax = np.where(below, 0, found.base[at] * found.scale + found.rate[at] * (taxable - found.start[at]))
        if recorder is not None:
            name, version = self._table.name, self._table.version
            frequency = FREQUENCIES[int(rows.frequency[0])]
            if bool(below[0]):
                recorder.step(
                    "tax", "floor", "wages are below the amount from which anything is withheld", "0", usd(0),
                    table=TableRow(name, version, f"no_withholding_below {frequency}"), wages=usd(rows.wages),
                    no_withholding_below=usd(floor),
                )  # fmt: skip
                return tax, np.full_like(tax, found.scale)
            recorder.step(
                "local_rate", "1", "the published local rate equal to or just above the county's", "bucket",
                rate(self._buckets[bucket], RATE_SCALE), table=TableRow(name, version, "local_buckets"),
                county=rate(local, RATE_SCALE), bucket=rate(self._buckets[bucket], RATE_SCALE),
            )  # fmt: skip
            recorder.step(
                "taxable", "2", "wages less standard deduction and exemptions of the period, not below zero",
                "max(0, wages - standard_deduction - allowances * exemption)", usd(taxable),
                table=TableRow(name, version, f"standard_deduction_per_period, exemption_per_period {frequency}"),
                wages=usd(rows.wages), standard_deduction=usd(deduction), allowances=count(rows.allowances),
                exemption=usd(exemption),
            )  # fmt: skip
            table, row = found.row(name, version, at)
            recorder.step(
                "tax", "3", "the row of the table of the period, state and local together",
                "row_base + row_rate * (taxable - row_from)", usd(tax, found.scale), table=table, taxable=usd(taxable),
                **row,
            )  # fmt: skip
        return tax, np.full_like(tax, found.scale)

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        daily = rows.frequency == _DAILY
        detail = "The number of days a year in Maryland's daily table is unverified."
        return [(daily, detail)] if not self._days_verified and daily.any() else []


def _of_period(bands: Sequence[Mapping[str, str]], local: Decimal, periods: int) -> list[dict[str, str]]:
    """The annual bands, with the local rate in each, as rows of one pay period."""
    rows, base, before = [], Decimal(0), (Decimal(0), Decimal(0))
    for band in bands:
        begins, band_rate = Decimal(band["from"]), Decimal(band["rate"]) + local
        base += (begins - before[0]) * before[1]
        before = (begins, band_rate)
        start = (begins / periods).quantize(Decimal(1), ROUND_HALF_UP)
        rows.append(
            {"from": f"{start:.2f}", "base": str((base / periods).quantize(Decimal("0.01"), ROUND_HALF_UP)),
             "rate": str(band_rate)}
        )  # fmt: skip
    return rows
