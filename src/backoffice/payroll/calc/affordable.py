"""The most that deductions before taxes may take, so that the taxes and the garnishments can be paid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backoffice.payroll.calc.detail import Detail
from backoffice.payroll.calc.exact import sum_at
from backoffice.payroll.calc.paycheck import PERIODS, RATE_SCALE, Columns, Int64s

_MOST_ADDITION = 2_000_000  # cents; above every yearly amount that is added for a nonresident alien
NetOf = Callable[[Columns, Int64s, Int64s], Int64s]


def affordable(columns: Columns, year: Int64s, net_of: NetOf) -> Int64s | None:
    """Cents by paycheck, None when all deductions can be taken. `net_of(columns, year, most)` is the net pay when they
    take at most so much; only paychecks that might fall short are calculated for it, some forty times together."""
    if columns.detail is None:
        return None
    rows = _doubtful(columns, columns.detail)
    if not len(rows):
        return None
    ours, years = columns.take(rows), year[rows]
    short = np.flatnonzero(net_of(ours, years, ours.gross.copy()) < 0)
    if not len(short):
        return None
    ours, years, low = ours.take(short), years[short], np.zeros(len(short), dtype=np.int64)
    high = ours.gross.copy()
    while (high - low > 1).any():  # low can be paid, as far as anything can; high cannot
        middle = (low + high) // 2
        enough = net_of(ours, years, middle) >= 0
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    allowed = columns.gross.copy()
    allowed[rows[short]] = low
    return allowed


def _doubtful(columns: Columns, detail: Detail) -> Int64s:
    """Paychecks whose deductions before taxes could leave too little for the taxes and garnishments. All taxes on wages
    together stay below seven tenths of them, so whoever keeps that much and his extra withholding cannot."""
    periods = np.array(PERIODS, dtype=np.int64)[columns.frequency]
    orders, wages = detail.deductions, columns.gross - detail.nontaxable
    asked = sum_at(orders.paycheck, orders.amount, len(columns))
    if orders.percent.any():
        asked += sum_at(orders.paycheck, wages[orders.paycheck] * orders.percent // RATE_SCALE + 1, len(columns))
    taxed = np.maximum(wages, columns.social_security_wages) + (columns.step4a + _MOST_ADDITION) // periods
    doubtful = (asked > 0) & (asked + taxed * 7 // 10 + columns.step4c + 1 > wages)
    if len(detail.garnishments.paycheck):
        doubtful |= (asked > 0) & (np.bincount(detail.garnishments.paycheck, minlength=len(columns)) > 0)
    return np.flatnonzero(doubtful)
