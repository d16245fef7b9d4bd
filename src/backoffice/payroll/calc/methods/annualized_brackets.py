"""Annualised brackets: annual wages less deductions, the annual schedule, less credits, divided by the pay periods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, count, usd
from backoffice.payroll.calc.exact import at_least_zero, cents, half_up
from backoffice.payroll.calc.methods.annual_deduction import annual_deduction
from backoffice.payroll.calc.methods.method import Method, StateRows, TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s
from backoffice.payroll.calc.schedule import Schedules

_DAILY = FREQUENCIES.index("daily")
_ELECTED = "elected_annual_exemption"
_INSTEAD = "instead_of_standard_deduction"


class AnnualizedBrackets(Method):
    """Values: `brackets` by status (or `all`), and of these what the state has: `standard_deduction` by status with a
    `phaseout`, `percent_deduction`, `allowance`, `secondary_allowance`, `elected_annual_exemption` ("subtracted", or
    "instead_of_standard_deduction"), `annual_tax_round_to`, `credit_per_allowance`, `daily_periods`,
    `older_form_allowance`, for each allowance of a federal Form W-4 of 2019 or earlier."""

    frequencies = frozenset(FREQUENCIES)

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._schedules = Schedules(values["brackets"], rows_begin=values["rows_begin"])
        self.statuses = tuple(values.get("standard_deduction", values["brackets"]))
        names = self._schedules.names
        self._schedule = np.array(
            [names.index(status if status in names else "all") for status in self.statuses], dtype=np.int64
        )
        self._deduction = annual_deduction(values, self.statuses, table)
        self._allowance = cents(values.get("allowance", "0.00"))
        self._secondary = cents(values.get("secondary_allowance", "0.00"))
        self._older = cents(values.get("older_form_allowance", "0.00"))
        self._credit = cents(values.get("credit_per_allowance", "0.00"))
        self._round_to = cents(values.get("annual_tax_round_to", "0.00"))
        self._daily_periods = values.get("daily_periods")
        self._elected = values.get(_ELECTED)
        if self._elected not in {None, "subtracted", _INSTEAD}:
            raise ValueError(f"{table.name}: {_ELECTED} must be subtracted or {_INSTEAD}, not {self._elected}")
        self.elections = frozenset({_ELECTED} if self._elected else ())
        if self._elected:
            self.defaults = {_ELECTED: "the standard deduction" if self._elected == _INSTEAD else "0.00"}
        self.uses_allowances = self._allowance > 0 or self._credit > 0
        self.uses_secondary_allowances = self._secondary > 0

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        periods = rows.periods
        if self._daily_periods is not None:
            periods = np.where(rows.frequency == _DAILY, self._daily_periods, periods)
        annual = rows.wages * periods
        if recorder is not None:
            recorder.step(
                "annual_wages", "1", "wages of the period x pay periods", "wages * periods", usd(annual),
                wages=usd(rows.wages), periods=count(periods),
            )  # fmt: skip
        taxable, by = self._taxable(annual, rows, recorder)
        found = self._schedules
        at = found.find(self._schedule[rows.status], taxable, by)
        tax = found.base[at] * found.scale * by + found.rate[at] * (taxable - found.start[at] * by)
        scale = found.scale * by
        if recorder is not None:
            table, row = found.row(self._table.name, self._table.version, at)
            recorder.step(
                "annual_tax", "4", "the row of the annual schedule", "row_base + row_rate * (taxable - row_from)",
                usd(tax, scale), table=table, taxable=usd(taxable, by), **row,
            )  # fmt: skip
        name = "annual_tax"
        if self._round_to:
            tax, scale, name = self._rounded(tax, scale, recorder)
        if self._credit:
            tax, name = self._less_credit(tax, scale, rows, recorder)
        divisor = scale * periods
        if recorder is not None:
            before: dict[str, Any] = {name: usd(tax, scale)}
            recorder.step(
                "tax", "5", "divided by the pay periods", f"{name} / periods", usd(tax, divisor), **before,
                periods=count(periods),
            )  # fmt: skip
        return tax, divisor

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        return []

    def _taxable(self, annual: Int64s, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s | int]:
        """Annual wages less everything that comes off, not below zero, as (cents x by, by)."""
        exempt = self._exempt(rows, recorder)
        shown = recorder is not None and self._shows_exempt(rows)
        off: dict[str, Any] = {"exempt_amount": usd(exempt)} if shown else {}
        by: Int64s | int = 1
        if self._deduction is None:
            taxable = at_least_zero(annual - exempt)
        else:
            elected, says = rows.elected(_ELECTED) if self._elected == _INSTEAD else (exempt, None)
            replaced = recorder is not None and says is not None and bool(says[0])
            deduction, by = self._deduction.amount(annual, rows, None if replaced else recorder)
            if says is not None:
                deduction = np.where(says, elected * by, deduction)
            taxable = at_least_zero((annual - exempt) * by - deduction)
            if recorder is not None:
                off[_ELECTED if replaced else "standard_deduction"] = usd(deduction, by)
        if recorder is not None:
            recorder.step(
                "taxable", "3", "annual wages less what comes off, not below zero",
                f"max(0, {' - '.join(['annual_wages', *off])})", usd(taxable, by), annual_wages=usd(annual), **off,
            )  # fmt: skip
        return taxable, by

    def _shows_exempt(self, rows: StateRows) -> bool:
        always = self._allowance or self._secondary or self._elected == "subtracted"
        return bool(always or (self._older and rows.older_allowances[0] > 0))

    def _exempt(self, rows: StateRows, recorder: Recorder | None) -> Int64s:
        """Allowances at their yearly value, and the yearly amount that the certificate names itself."""
        exempt = rows.allowances * self._allowance
        if self._secondary:
            exempt = exempt + rows.secondary_allowances * self._secondary
        if self._older:
            exempt = exempt + rows.older_allowances * self._older
        terms: dict[str, str] = {}
        inputs: dict[str, Any] = {}
        if self._elected == "subtracted":
            elected, _ = rows.elected(_ELECTED)
            exempt = exempt + elected
            if recorder is not None:
                terms[_ELECTED], inputs[_ELECTED] = _ELECTED, usd(elected)
        if recorder is not None and self._shows_exempt(rows):
            for name, counts, each in (
                ("allowance", rows.allowances, self._allowance),
                ("secondary_allowance", rows.secondary_allowances, self._secondary),
                ("older_form_allowance", rows.older_allowances, self._older),
            ):
                if each:
                    terms[name] = f"{name}s * {name}"
                    inputs |= {f"{name}s": count(counts), name: usd(each)}
            recorder.step(
                "exempt_amount", "2", "allowances of the state certificate at their yearly value",
                " + ".join(terms.values()), usd(exempt),
                table=TableRow(self._table.name, self._table.version, ", ".join(terms)), **inputs,
            )  # fmt: skip
        return exempt

    def _rounded(self, tax: Int64s, scale: Int64s | int, recorder: Recorder | None) -> tuple[Int64s, Int64s | int, str]:
        rounded = half_up(tax, scale, self._round_to)
        if recorder is not None:
            to = f"{self._round_to // 100}.{self._round_to % 100:02d}"
            recorder.step(
                "rounded_annual_tax", "4", "annual tax, rounded before it is divided",
                f"round_half_up(annual_tax, {to})", usd(rounded), rounding=f"to {to}, half up",
                annual_tax=usd(tax, scale),
            )  # fmt: skip
        return rounded, 1, "rounded_annual_tax"

    def _less_credit(
        self, tax: Int64s, scale: Int64s | int, rows: StateRows, recorder: Recorder | None
    ) -> tuple[Int64s, str]:
        name = "rounded_annual_tax" if self._round_to else "annual_tax"
        left = at_least_zero(tax - rows.allowances * self._credit * scale)
        if recorder is not None:
            before: dict[str, Any] = {name: usd(tax, scale)}
            recorder.step(
                "annual_tax_less_credit", "4", "less a credit for each allowance, not below zero",
                f"max(0, {name} - allowances * credit)", usd(left, scale),
                table=TableRow(self._table.name, self._table.version, "credit_per_allowance"), **before,
                allowances=count(rows.allowances), credit=usd(self._credit),
            )  # fmt: skip
        return left, "annual_tax_less_credit"
