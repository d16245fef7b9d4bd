"""What a state's own rate on supplemental wages is taken of, and the tax it makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backoffice.payroll.calc.detail import Detail
from backoffice.payroll.calc.exact import Exact, at_least_zero, half_up, part_of, sum_at
from backoffice.payroll.calc.paycheck import NOT_GIVEN, PERIODS, RATE_SCALE, Columns, Int64s
from backoffice.payroll.calc.supplemental_law import StateSupplemental

_PERIODS = np.array(PERIODS, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Apart:
    """Supplemental wages that are withheld on apart: `flat` and `above` the threshold by paycheck, `state` by entry
    of the state work, `local` by entry of the local work."""

    flat: Int64s
    above: Int64s
    state: Int64s
    local: Int64s
    federal: Int64s  # the exact federal tax on them, in cents x RATE_SCALE


@dataclass(frozen=True, slots=True)
class Parts:
    """A tax on wages set apart, one entry a paycheck: (what, cents x `by`, rate over `scale`), whose products together
    are the tax."""

    rows: Int64s
    each: list[tuple[str, Int64s, Int64s]]
    by: Int64s | int
    scale: int

    def tax(self, round_to: int) -> Exact:
        """Exact, unless the law rounds to more than a cent."""
        total, by = self.each[0][1] * self.each[0][2], self.by * self.scale
        for _, cents, rates in self.each[1:]:
            total = total + cents * rates
        if round_to > 1:
            return half_up(total, by, round_to), 1
        return total, by


def state_parts(
    columns: Columns, detail: Detail, own: StateSupplemental, apart: Apart, entries: Int64s, state: int
) -> Parts:
    """What a state taxes of the wages set apart, those of several entries of a paycheck (work in several states, under
    agreements) together."""
    rows, first, of = np.unique(columns.work.paycheck[entries], return_index=True, return_inverse=True)
    wages = sum_at(of, apart.state[entries], len(rows))
    rates: Int64s = np.full(len(rows), own.band_rate[0] if len(own.band_rate) else 0, dtype=np.int64)
    if len(own.dates):
        rates = own.rates[np.searchsorted(own.dates, columns.pay_date[rows], side="right") - 1]
    if own.method == "fraction_of_federal":
        of_federal = np.maximum(apart.flat[rows] + apart.above[rows], 1).astype(object)  # past 63 bits below
        share = apart.federal[rows] * np.minimum(wages, of_federal)
        return Parts(rows, [("federal_tax", share, rates)], of_federal * RATE_SCALE, RATE_SCALE)
    periods = _PERIODS[columns.frequency[rows]]
    if own.method == "by_salary":
        salary = at_least_zero(columns.gross[rows] - detail.nontaxable[rows] - detail.supplemental[rows]) * periods
        rates = own.band_rate[np.searchsorted(own.band_from, salary, side="right") - 1]
    if own.method == "flat_plus_local":
        said = columns.work.elections.get("local_rate")
        local = np.full_like(rates, NOT_GIVEN) if said is None else said[entries[first]]
        home = columns.given["residence"][rows] if "residence" in columns.given else np.full_like(rates, NOT_GIVEN)
        local = np.where(local == NOT_GIVEN, own.default_local, local)
        rates = rates + np.where((home != NOT_GIVEN) & (home != state), own.nonresident_local, local)
    parts = [("supplemental", wages, rates)]
    if own.bonus_rate is not None:
        bonus = np.minimum(part_of(detail.bonus[rows], wages, detail.supplemental[rows]), wages)
        parts = [("supplemental", wages - bonus, rates), ("bonus", bonus, np.full_like(rates, own.bonus_rate))]
    if own.above is not None:
        regular = sum_at(of, columns.work.wages[entries], len(rows))
        over = np.minimum(at_least_zero(regular * periods + wages - own.above), wages)
        parts = [("supplemental", wages - over, rates), ("above", over, np.full_like(rates, own.above_rate))]
    return Parts(rows, parts, 1, RATE_SCALE)
