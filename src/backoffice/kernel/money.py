"""Money: integer minor units with a currency inside, a decimal string at the edge. No float ever."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import total_ordering

_AMOUNT = re.compile(r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,2})?\Z")
_DECIMAL = re.compile(r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?\Z")


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """`minor` units (cents) of `currency` (ISO 4217; two decimals for all we handle so far)."""

    minor: int
    currency: str = "USD"

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise ValueError(f"cannot combine {self.currency} with {other.currency}")
        return other.minor

    def __str__(self) -> str:
        return f"{format_minor(self.minor)} {self.currency}"


def format_minor(minor: int) -> str:
    """123456 → "1234.56"; -5 → "-0.05"."""
    whole, cents = divmod(abs(minor), 100)
    return f"{'-' if minor < 0 else ''}{whole}.{cents:02d}"


def parse_minor(text: str) -> int:
    """ "1234.5" → 123450. ValueError unless it is a plain decimal with at most two decimals."""
    if not _AMOUNT.match(text):
        raise ValueError('must be a decimal string with at most two decimals, such as "1234.56"')
    return int(Decimal(text).scaleb(2))


def parse_decimal(text: str, places: int = 6) -> Decimal:
    """A plain decimal string with at most `places` decimals (no exponent, no sign +). ValueError otherwise."""
    if not _DECIMAL.match(text) or ("." in text and len(text.split(".")[1]) > places):
        raise ValueError(f'must be a decimal string with at most {places} decimals, such as "7.50"')
    return Decimal(text)


def half_up(value: Decimal) -> int:
    """To the nearest integer, halves away from zero (IRC 6313 for positive amounts)."""
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` minor units in proportion to non-negative integer `weights`: sums to `total` exactly, the largest
    remainders get the odd units, earlier ones first. ValueError when no weight is positive."""
    whole = sum(weights)
    if whole <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("weights must be non-negative and at least one positive")
    shares = [total * weight // whole for weight in weights]
    remainders = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in remainders[: total - sum(shares)]:
        shares[i] += 1
    return shares
