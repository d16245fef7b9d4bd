"""Exact arithmetic on int64: decimal text to integers, and rounding half up where the law says so.

A tax is carried as `numerator / denominator` in cents, both integers, and rounded once. Bounds: amounts stay below
LARGEST_CENTS, periods are at most 360, rates have at most six decimals, and `check_fits` refuses a table whose products
could pass 63 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import numpy as np

from backoffice.payroll.calc.paycheck import LARGEST_CENTS, PERIODS, Int64s

_FITS = 2**62


def cents(text: str) -> int:
    """Dollars as decimal text ("1240.00") to cents. ValueError when it has parts of a cent."""
    value = Decimal(text) * 100
    if value != value.to_integral_value():
        raise ValueError(f"{text} is not a whole number of cents")
    return int(value)


def scale_of(rates: Iterable[str]) -> int:
    """The smallest power of ten that makes every rate an integer ("0.0515" → 10_000)."""
    return max((10 ** max(0, -int(Decimal(rate).normalize().as_tuple().exponent)) for rate in rates), default=1)


def scaled(rate: str, scale: int) -> int:
    """The rate as an integer over `scale`. ValueError when that is not exact."""
    value = Decimal(rate) * scale
    if value != value.to_integral_value():
        raise ValueError(f"rate {rate} is not exact in parts of {scale}")
    return int(value)


def check_fits(largest_amount: int, largest_rate: int, what: str) -> None:
    """ValueError when `2 x amount x rate` could pass 62 bits; `largest_amount` in cents."""
    if 2 * largest_amount * largest_rate >= _FITS:
        raise ValueError(f"{what}: a rate with this many decimals does not fit the integer arithmetic")


LARGEST_ANNUAL_CENTS = LARGEST_CENTS * 360  # the days by which some guides annualise; no number of PERIODS is larger
assert max(PERIODS) <= 360


def half_up(numerator: Int64s, denominator: Int64s | int, unit: int = 1) -> Int64s:
    """numerator / denominator (zero or more) to the nearest multiple of `unit` cents, a half going up (IRC 6313)."""
    step = denominator * unit
    rounded: Int64s = (2 * numerator + step) // (2 * step)
    return rounded * unit if unit != 1 else rounded


Exact = tuple[Int64s, Int64s | int]  # amounts of cents as numerator and denominator


def half_up_sum(one: Exact, other: Exact) -> Int64s:
    """The sums of two exact amounts, rounded to the cent once. In Python's integers, for few rows: the product of two
    denominators may pass 63 bits."""
    (first, first_by), (second, second_by) = (
        [np.asarray(each, dtype=object) for each in pair] for pair in (one, other)
    )
    return half_up(first * second_by + second * first_by, first_by * second_by).astype(np.int64)


def sum_at(places: Int64s, amounts: Int64s, length: int) -> Int64s:
    """The sum of the amounts at each place 0 .. length - 1."""
    total = np.zeros(length, dtype=np.int64)
    np.add.at(total, places, amounts)
    return total


def at_least_zero(amounts: Int64s) -> Int64s:
    return np.maximum(amounts, 0)


def part_of(total: Int64s, wages: Int64s, of: Int64s) -> Int64s:
    """The part of an amount that goes with `wages` when the amount belongs to wages `of`; all of it when they are as
    many. To the cent, half up."""
    partly = np.flatnonzero((wages < of) & (total > 0))
    if not len(partly):
        return total
    shares = total.copy()
    exact = total[partly].astype(object) * wages[partly]
    shares[partly] = ((2 * exact + of[partly]) // (2 * of[partly].astype(object))).astype(np.int64)
    return shares
