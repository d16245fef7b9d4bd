"""What a deduction asks for, and what its limit leaves of that."""

from __future__ import annotations

import numpy as np

from backoffice.payroll.calc.deduction_law import ELECTIVE, DeductionLaw
from backoffice.payroll.calc.detail import DeductionOrders, Detail
from backoffice.payroll.calc.exact import at_least_zero, half_up, sum_at
from backoffice.payroll.calc.paycheck import LARGEST_CENTS, MARRIED_SEPARATELY, RATE_SCALE, Columns, Int64s


def sums(orders: DeductionOrders, entries: Int64s, wages: Int64s, line_limit: int) -> tuple[Int64s, Int64s, Int64s]:
    """Rows in rising order, and for each the sum of its lines of one code: within the limit of a line, and as asked."""
    rows = orders.paycheck[entries]
    asked = each_asked(orders, entries, wages)
    cents = np.minimum(asked, line_limit)
    if len(rows) > 1 and (np.diff(rows) <= 0).any():
        rows, owner = np.unique(rows, return_inverse=True)
        return rows, sum_at(owner, cents, len(rows)), sum_at(owner, asked, len(rows))
    return rows, cents, asked


def each_asked(orders: DeductionOrders, entries: Int64s, wages: Int64s) -> Int64s:
    """What each line asks for: its amount or its part of the wages, not above what its goal still wants."""
    asked, percent = orders.amount[entries], orders.percent[entries]
    if percent.any():
        asked = asked + half_up(np.minimum(wages[orders.paycheck[entries]], LARGEST_CENTS) * percent, RATE_SCALE)
    return asked if orders.left is None else np.minimum(asked, orders.left[entries])


def limits(
    columns: Columns, detail: Detail, law: DeductionLaw, code: int, rows: Int64s,
    used: list[tuple[Int64s, Int64s]],
) -> Int64s:  # fmt: skip
    """What is left for each row of the limit of a deduction, of which other deductions have `used` a part."""
    if law.limit_name[code] is None:
        return np.full(len(rows), LARGEST_CENTS, dtype=np.int64)
    age = law.ages(detail.birth_year[rows])
    separate = columns.filing_status[rows] == MARRIED_SEPARATELY
    most = np.where(separate, law.limit_separate[code, age], law.limit[code, age])
    if law.limit_name[code] == ELECTIVE:
        most = most - detail.elective_before[rows]
    elif law.limit_name[code] in detail.deducted:
        most = most - at_least_zero(detail.deducted[str(law.limit_name[code])][rows])
    for before, cents in used:
        same = np.minimum(np.searchsorted(before, rows), len(before) - 1)
        most = most - np.where(before[same] == rows, cents[same], 0)
    return at_least_zero(most)


def left_of_lines(detail: Detail, law: DeductionLaw, code: int, rows: Int64s, lines: Int64s) -> Int64s:
    """What is left where each line has a limit of its own (transit, parking): of as many as there are."""
    before = detail.deducted.get(str(law.limit_name[code]))
    earlier = 0 if before is None else at_least_zero(before[rows])
    return at_least_zero(law.line_limit[code] * lines - earlier)
