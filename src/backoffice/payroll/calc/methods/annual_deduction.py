"""What comes off annual wages by status: a fixed amount, one that falls as wages rise, or a part of the wages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, rate, usd
from backoffice.payroll.calc.exact import LARGEST_ANNUAL_CENTS, at_least_zero, cents, check_fits, scale_of, scaled
from backoffice.payroll.calc.methods.method import StateRows, TableVersion
from backoffice.payroll.calc.paycheck import RATE_SCALE, Int64s


class AnnualDeduction(Protocol):
    def amount(self, annual: Int64s, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s | int]:
        """The deduction of each row from `annual` cents as (cents x by, by), exact unless the guide itself rounds."""
        ...


def annual_deduction(values: Mapping[str, Any], statuses: Sequence[str], table: TableVersion) -> AnnualDeduction | None:
    """The deduction that a version of a state's law names, None where it has none. ValueError for an unknown kind."""
    if "percent_deduction" in values:
        return PercentOfWages(values["percent_deduction"], table)
    if "standard_deduction" not in values:
        return None
    full = _by_status(values["standard_deduction"], statuses)
    if "phaseout" not in values:
        return Fixed(full, statuses, table)
    falling = values["phaseout"]
    if falling["kind"] == "linear_fraction":
        return LinearFraction(full, falling, statuses, table)
    if falling["kind"] == "linear_rate":
        return LinearRate(full, falling, statuses, table)
    raise ValueError(f"{table.name}: phaseout kind must be linear_fraction or linear_rate, not {falling['kind']}")


class Fixed:
    def __init__(self, full: Int64s, statuses: Sequence[str], table: TableVersion) -> None:
        self._full, self._statuses, self._table = full, statuses, table

    def amount(self, annual: Int64s, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s | int]:
        deduction = self._full[rows.status]
        if recorder is not None:
            recorder.step(
                "standard_deduction", "2", "standard deduction of the status", "listed", usd(deduction),
                table=_where(self._table, self._statuses, rows), listed=usd(deduction),
            )  # fmt: skip
        return deduction, 1


class LinearFraction:
    """In full up to `from`, nothing from `to` on, between them the part that is left, rounded to so many decimals
    (Maine)."""

    def __init__(self, full: Int64s, values: Mapping[str, Any], statuses: Sequence[str], table: TableVersion) -> None:
        self._full, self._statuses, self._table = full, statuses, table
        self._from, self._to = _by_status(values["from"], statuses), _by_status(values["to"], statuses)
        self._parts = 10 ** int(values["decimals"])
        check_fits(int(self._to.max()) * self._parts, RATE_SCALE, f"{table.name} phaseout")

    def amount(self, annual: Int64s, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s | int]:
        full, begin, end = self._full[rows.status], self._from[rows.status], self._to[rows.status]
        span = end - begin
        left = np.clip(end - annual, 0, span)
        part = (2 * left * self._parts + span) // (2 * span)
        by = np.where((annual > begin) & (annual < end), self._parts, 1)
        deduction = full * part * by // self._parts
        if recorder is not None:
            where = _where(self._table, self._statuses, rows)
            to = f"0.{1:0{len(str(self._parts)) - 1}d}"
            recorder.step(
                "fraction", "2", "the part of the standard deduction that is left",
                f"round_half_up(max(0, min(1, (phaseout_to - annual_wages) / (phaseout_to - phaseout_from))), {to})",
                rate(part, self._parts), table=where, rounding=f"to {to}, half up", annual_wages=usd(annual),
                phaseout_from=usd(begin), phaseout_to=usd(end),
            )  # fmt: skip
            recorder.step(
                "standard_deduction", "2", "standard deduction of the status, as far as it is left",
                "full_deduction * fraction", usd(deduction, by), table=where, full_deduction=usd(full),
                fraction=rate(part, self._parts),
            )  # fmt: skip
        return deduction, by


class LinearRate:
    """In full up to `from`, less by `rate` of the wages above it (Wisconsin)."""

    def __init__(self, full: Int64s, values: Mapping[str, Any], statuses: Sequence[str], table: TableVersion) -> None:
        self._full, self._statuses, self._table = full, statuses, table
        self._from = _by_status(values["from"], statuses)
        self._scale = scale_of(values["rate"].values())
        self._rate = np.array([scaled(values["rate"][status], self._scale) for status in statuses], dtype=np.int64)
        check_fits(LARGEST_ANNUAL_CENTS, int(self._rate.max()), f"{table.name} phaseout")

    def amount(self, annual: Int64s, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s | int]:
        full, begin, falls = self._full[rows.status], self._from[rows.status], self._rate[rows.status]
        above = at_least_zero(annual - begin)
        scaled_left = at_least_zero(full * self._scale - falls * above)
        by = np.where((above > 0) & (scaled_left > 0), self._scale, 1)
        deduction = scaled_left * by // self._scale
        if recorder is not None:
            recorder.step(
                "standard_deduction", "2", "standard deduction of the status, less as annual wages rise",
                "max(0, full_deduction - phaseout_rate * max(0, annual_wages - phaseout_from))", usd(deduction, by),
                table=_where(self._table, self._statuses, rows), full_deduction=usd(full), annual_wages=usd(annual),
                phaseout_rate=rate(falls, self._scale), phaseout_from=usd(begin),
            )  # fmt: skip
        return deduction, by


class PercentOfWages:
    """A part of annual wages up to a cap, for those who claim at least one allowance (South Carolina)."""

    def __init__(self, values: Mapping[str, Any], table: TableVersion) -> None:
        self._table = table
        self._scale = scale_of([values["rate"]])
        self._rate = scaled(values["rate"], self._scale)
        self._cap = cents(values["cap"])
        self._needs_allowances = bool(values["requires_allowances"])
        check_fits(LARGEST_ANNUAL_CENTS, self._rate, f"{table.name} percent_deduction")

    def amount(self, annual: Int64s, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s | int]:
        given = rows.allowances > 0 if self._needs_allowances else np.ones_like(annual, dtype=np.bool_)
        least = np.where(given, np.minimum(annual * self._rate, self._cap * self._scale), 0)
        by = np.where(given & (least < self._cap * self._scale), self._scale, 1)
        deduction = least * by // self._scale
        if recorder is not None:
            table = TableRow(self._table.name, self._table.version, "percent_deduction")
            if bool(given[0]):
                recorder.step(
                    "standard_deduction", "2", "a part of annual wages, up to the cap",
                    "min(annual_wages * deduction_rate, cap)", usd(deduction, by), table=table,
                    annual_wages=usd(annual), deduction_rate=rate(self._rate, self._scale), cap=usd(self._cap),
                )  # fmt: skip
            else:
                recorder.step(
                    "standard_deduction", "2", "no allowance is claimed, and so no deduction either", "0",
                    usd(deduction), table=table,
                )  # fmt: skip
        return deduction, by


def _by_status(amounts: Mapping[str, str], statuses: Sequence[str]) -> Int64s:
    return np.array([cents(amounts[status]) for status in statuses], dtype=np.int64)


def _where(table: TableVersion, statuses: Sequence[str], rows: StateRows) -> TableRow:
    return TableRow(table.name, table.version, f"standard_deduction {statuses[int(rows.status[0])]}")
