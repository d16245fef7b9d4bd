"""Long lists in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_chunks(rows: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """Slices of at most `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
