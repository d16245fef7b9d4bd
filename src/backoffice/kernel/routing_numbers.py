"""ABA routing numbers: nine digits, the last of which checks the others.

The weights are 3 7 1, three times over, and the sum is a multiple of ten (Nacha Operating Rules, appendix on the entry
detail record). The check digit says that a number is well formed, never that a bank has it.
"""

from __future__ import annotations

_WEIGHTS = (3, 7, 1, 3, 7, 1, 3, 7)


def check_digit(first_eight: str) -> str:
    """The ninth digit that belongs to the first eight. ValueError unless there are eight ASCII digits."""
    if len(first_eight) != 8 or not (first_eight.isascii() and first_eight.isdigit()):
        raise ValueError("the first eight digits of a routing number are eight digits")
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first_eight, strict=True))
    return str(-total % 10)


def is_well_formed(number: str) -> bool:
    """True for nine ASCII digits whose check digit is right."""
    return len(number) == 9 and number.isascii() and number.isdigit() and check_digit(number[:8]) == number[8]
