"""What is refused of a deduction or an order on wages, whichever door it comes by. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from backoffice.kernel.errors import FaultList

LEVY = "federal_levy"  # with neither amount nor percent it takes all it may


def known_word(faults: FaultList, at: str, key: str, value: str, known: Sequence[str]) -> bool:
    """Whether the word is one of the list; a fault when it is not."""
    if value not in known:
        faults.add(f"{at}/{key}", f"unknown_{key}", f"{key} must be one of {', '.join(known)}.")
    return value in known


def one_measure(faults: FaultList, at: str, *, amount: bool, percent: bool, required: bool = True) -> None:
    """An amount or a percent was given, not both."""
    if amount and percent:
        faults.add(at, "both_given", "Give amount or percent, not both.")
    elif required and not amount and not percent:
        faults.add(f"{at}/amount", "required", "Give amount or percent.")
