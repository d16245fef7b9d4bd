"""Bracket schedules: many of them searched in one call, each row of the batch in its own.

A schedule is a list of rows (from, base, rate): tax = base + rate x (amount - from). Publications differ in whether a
row begins "at" its amount (at least) or just above it (over); where the base amounts are rounded this matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import TableRow, decimal_text, rate, usd
from backoffice.payroll.calc.exact import LARGEST_ANNUAL_CENTS, cents, check_fits, scale_of, scaled
from backoffice.payroll.calc.paycheck import Int64s

# Larger than any annual amount in cents, so that one sorted array holds all schedules one behind the other.
_SPAN = 1 << 50
assert LARGEST_ANNUAL_CENTS < _SPAN


class Schedules:
    """Bracket schedules of one publication. A row applies from its amount on (`rows_begin` "at_least") or above it
    ("over").

    Rates are integers over `scale`; `from` and `base` are cents. ValueError for rows that do not rise from zero.
    """

    def __init__(self, named: Mapping[str, Sequence[Mapping[str, Any]]], *, rows_begin: str) -> None:
        if rows_begin not in {"at_least", "over"}:
            raise ValueError(f"rows_begin must be at_least or over, not {rows_begin}")
        self.names = tuple(named)
        self.at_least = rows_begin == "at_least"
        self.scale = scale_of(row["rate"] for rows in named.values() for row in rows)
        starts: list[int] = []
        bases: list[int] = []
        rates: list[int] = []
        firsts: list[int] = []
        keys: list[int] = []
        for index, (name, rows) in enumerate(named.items()):
            own = [cents(row["from"]) for row in rows]
            if not own or own[0] != 0 or own != sorted(set(own)):
                raise ValueError(f"{name}: rows must begin at 0.00 and rise")
            firsts.append(len(starts))
            starts += own
            keys += [index * _SPAN + start for start in own]
            bases += [cents(row.get("base", "0.00")) for row in rows]
            rates += [scaled(row["rate"], self.scale) for row in rows]
        check_fits(LARGEST_ANNUAL_CENTS, max(rates), ", ".join(self.names[:1]))
        self.start = np.array(starts, dtype=np.int64)
        self.base = np.array(bases, dtype=np.int64)
        self.rate = np.array(rates, dtype=np.int64)
        self._first = np.array(firsts, dtype=np.int64)
        self._keys = np.array(keys, dtype=np.int64)

    def index(self, name: str) -> int:
        return self.names.index(name)

    def find(self, schedule: Int64s, amount: Int64s, by: Int64s | int = 1) -> Int64s:
        """The row of each amount (`amount / by` cents, zero or more) in its own schedule. Rows begin at whole cents,
        so a fraction is looked up by its floor where they begin "at least" and by its ceiling where "over"."""
        if self.at_least:
            return np.searchsorted(self._keys, schedule * _SPAN + amount // by, side="right") - 1
        keys = schedule * _SPAN - (-amount // by)
        return np.maximum(np.searchsorted(self._keys, keys, side="left") - 1, self._first[schedule])

    def row(self, table: str, version: str, at: Int64s) -> tuple[TableRow, dict[str, Any]]:
        """Where row `at[0]` stands, and its three values, for a derivation."""
        index = int(at[0])
        schedule = int(np.searchsorted(self._first, index, side="right")) - 1
        number = index - int(self._first[schedule]) + 1
        begins = decimal_text(usd(int(self.start[index])).number(), 2)
        where = f"{self.names[schedule]} row {number}, {'at least' if self.at_least else 'over'} {begins}"
        return TableRow(table, version, where), {
            "row_from": usd(int(self.start[index])),
            "row_base": usd(int(self.base[index])),
            "row_rate": rate(int(self.rate[index]), self.scale),
        }


def steps(rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Rows (from, amount) or (from, rate) of a table that is looked up and not interpolated, as bracket rows."""
    return [
        {"from": row["from"], "base": row.get("amount", row.get("base", "0.00")), "rate": row.get("rate", "0")}
        for row in rows
    ]
