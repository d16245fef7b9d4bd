"""Rates and hours: text outside; inside exact integers, micro-dollars an hour and hundredths of an hour."""

from __future__ import annotations

from decimal import Decimal

MICROS = 1_000_000


def micros(text: str) -> int:
    """ "19.255" → 19255000. ValueError for more than six decimals."""
    scaled = Decimal(text) * MICROS
    if scaled != scaled.to_integral_value():
        raise ValueError("a rate has at most six decimals")
    return int(scaled)


def rate_text(value: int) -> str:
    """19255000 → "19.255"; at least two decimals."""
    whole, rest = divmod(value, MICROS)
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{whole}.{decimals}"


def hundredths(hours: str | Decimal) -> int:
    """ "7.5" → 750. ValueError for more than two decimals."""
    scaled = Decimal(hours) * 100
    if scaled != scaled.to_integral_value():
        raise ValueError("hours have at most two decimals")
    return int(scaled)


def hours_text(value: int) -> str:
    """750 → "7.50"."""
    return f"{value // 100}.{value % 100:02d}"
