"""California Method B, exact calculation (EDD, California Withholding Schedules).

Nothing is withheld when gross wages of the period are at or below the low-income exemption: a cliff. Estimated-
deduction allowances (`secondary_allowances`) and the standard deduction lower the wages, regular allowances are a
credit against the tax. Every pay period has its own published table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, text, usd
from backoffice.payroll.calc.exact import at_least_zero, cents
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, LARGEST_COUNT, Bools, Int64s
from backoffice.payroll.calc.schedule import Schedules

_LOW, _HIGH = 0, 1


class CaMethodB(Method):
    uses_allowances = True
    uses_secondary_allowances = True

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        periods: Mapping[str, Any] = values["period"]
        published = [frequency for frequency in FREQUENCIES if frequency in periods]
        self.frequencies = frozenset(published)
        self.statuses = tuple(periods["annual"]["brackets"])
        self._schedules = Schedules(
            {f"{frequency} {status}": periods[frequency]["brackets"][status]
             for frequency in published for status in self.statuses},
            rows_begin=values["rows_begin"],
        )  # fmt: skip
        self._printed = int(values["allowances_printed"])
        self._beyond_verified = bool(values["beyond_printed_verified"])
        size = len(FREQUENCIES)
        self._first_schedule = np.zeros(size, dtype=np.int64)
        self._exemption = np.zeros((size, 2), dtype=np.int64)
        self._standard = np.zeros((size, 2), dtype=np.int64)
        self._credit = np.zeros((size, self._printed + 1), dtype=np.int64)
        self._estimated = np.zeros((size, self._printed + 1), dtype=np.int64)
        for position, frequency in enumerate(published):
            code, period = FREQUENCIES.index(frequency), periods[frequency]
            self._first_schedule[code] = position * len(self.statuses)
            self._exemption[code] = _low_and_high(period["low_income_exemption"])
            self._standard[code] = _low_and_high(period["standard_deduction"])
            self._credit[code] = _by_count(period["exemption_credit"], self._printed)
            self._estimated[code] = _by_count(period["estimated_deduction"], self._printed)
        annual = FREQUENCIES.index("annual")
        self._annual_credit = int(self._credit[annual, 1])
        self._annual_estimated = int(self._estimated[annual, 1])
        high_from: Mapping[str, int] = values["high_column_from_allowances"]
        self._high_from = np.array(
            [high_from.get(status, LARGEST_COUNT + 1) for status in self.statuses], dtype=np.int64
        )

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        column = np.where(rows.allowances >= self._high_from[rows.status], _HIGH, _LOW)
        exemption = self._exemption[rows.frequency, column]
        standard = self._standard[rows.frequency, column]
        # Beyond the printed columns an amount is n x the annual single figure / periods, so all is carried x periods.
        many = (rows.allowances > self._printed) | (rows.secondary_allowances > self._printed)
        by = np.where(many, rows.periods, 1)
        estimated = self._amount(rows.secondary_allowances, self._estimated, self._annual_estimated, rows, by)
        credit = self._amount(rows.allowances, self._credit, self._annual_credit, rows, by)
        taxable = at_least_zero(rows.wages * by - estimated - standard * by)
        found = self._schedules
        at = found.find(self._first_schedule[rows.frequency] + rows.status, taxable, by)
        computed = found.base[at] * found.scale * by + found.rate[at] * (taxable - found.start[at] * by)
        tax = np.where(rows.wages <= exemption, 0, at_least_zero(computed - credit * found.scale))
        if recorder is not None:
            self._record(recorder, rows, column, exemption, standard, estimated, credit, taxable, at, by, computed, tax)
        return tax, found.scale * by

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        many = (rows.allowances > self._printed) | (rows.secondary_allowances > self._printed)
        detail = f"California allowances beyond the {self._printed} printed were extended by a rule that is unverified."
        return [(many, detail)] if not self._beyond_verified and many.any() else []

    def _amount(self, counts: Int64s, printed: Int64s, annual_single: int, rows: StateRows, by: Int64s) -> Int64s:
        """The amount for `counts` allowances, carried x `by`."""
        beyond = counts > self._printed
        listed = printed[rows.frequency, np.minimum(counts, self._printed)] * by
        return np.where(beyond, counts * annual_single * by // rows.periods, listed) if beyond.any() else listed

    def _record(
        self, recorder: Recorder, rows: StateRows, column: Int64s, exemption: Int64s, standard: Int64s,
        estimated: Int64s, credit: Int64s, taxable: Int64s, at: Int64s, by: Int64s, computed: Int64s, tax: Int64s,
    ) -> None:  # fmt: skip
        frequency = FREQUENCIES[int(rows.frequency[0])]
        side = "high" if int(column[0]) == _HIGH else "low"

        def where(row: str) -> TableRow:
            return TableRow(self._table.name, self._table.version, f"period {frequency}, {row}")

        over: Bools = rows.wages > exemption
        recorder.step(
            "exemption", "1", "low-income exemption; gross wages at or below it have no withholding",
            "low_income_exemption", usd(exemption), table=where(f"low_income_exemption {side}"),
            low_income_exemption=usd(exemption), status=text(self.statuses[int(rows.status[0])]),
        )  # fmt: skip
        if not bool(over[0]):
            recorder.step(
                "tax", "1", "wages are at or below the low-income exemption", "0", usd(tax),
                wages=usd(rows.wages), exemption=usd(exemption),
            )  # fmt: skip
            return
        recorder.step(
            "estimated", "2", *_allowance_words(rows.secondary_allowances, self._printed, "estimated deductions"),
            usd(estimated, by), table=where("estimated_deduction"), listed=usd(estimated, by),
            allowances=count(rows.secondary_allowances), annual_single=usd(self._annual_estimated),
            periods=count(rows.periods),
        )  # fmt: skip
        recorder.step(
            "taxable", "3", "wages less estimated and standard deduction, not below zero",
            "max(0, wages - estimated - standard_deduction)", usd(taxable, by),
            table=where(f"standard_deduction {side}"), wages=usd(rows.wages), estimated=usd(estimated, by),
            standard_deduction=usd(standard),
        )  # fmt: skip
        table, row = self._schedules.row(self._table.name, self._table.version, at)
        recorder.step(
            "computed", "4", "the row of the schedule of the pay period", "row_base + row_rate * (taxable - row_from)",
            usd(computed, self._schedules.scale * by), table=table, taxable=usd(taxable, by), **row,
        )  # fmt: skip
        recorder.step(
            "credit", "5", *_allowance_words(rows.allowances, self._printed, "exemption credit"), usd(credit, by),
            table=where("exemption_credit"), listed=usd(credit, by), allowances=count(rows.allowances),
            annual_single=usd(self._annual_credit), periods=count(rows.periods),
        )  # fmt: skip
        recorder.step(
            "tax", "5", "computed tax less the exemption credit, not below zero", "max(0, computed - credit)",
            usd(tax, self._schedules.scale * by), computed=usd(computed, self._schedules.scale * by),
            credit=usd(credit, by),
        )  # fmt: skip


def _allowance_words(counts: Int64s, printed: int, what: str) -> tuple[str, str]:
    if int(counts[0]) > printed:
        return (
            f"{what}: beyond {printed} allowances, the annual figure of one x allowances, divided by the pay periods",
            "annual_single * allowances / periods",
        )
    return f"{what} for that many allowances", "listed"


def _low_and_high(pair: Mapping[str, str]) -> list[int]:
    return [cents(pair["low"]), cents(pair["high"])]


def _by_count(amounts: Sequence[str], printed: int) -> list[int]:
    if len(amounts) != printed:
        raise ValueError(f"{printed} amounts were expected, {len(amounts)} are listed")
    return [0, *(cents(amount) for amount in amounts)]
