"""The states of a timesheet and the legal moves between them, as data. Every change of hours leads to draft or
submitted; a timesheet that is part of a payroll run makes no move at all.

draft → submitted → approved          rejected → draft | submitted
            └→ rejected ←┘
"""

from __future__ import annotations

from typing import Final

MOVES: Final[dict[str, frozenset[str]]] = {
    "draft": frozenset({"draft", "submitted"}),
    "submitted": frozenset({"draft", "submitted", "approved", "rejected"}),
    "approved": frozenset({"rejected"}),
    "rejected": frozenset({"draft", "submitted"}),
}
STATUSES: Final = tuple(MOVES)


def leaves_to(target: str) -> tuple[str, ...]:
    """The states from which `target` can be reached in one move."""
    return tuple(state for state, targets in MOVES.items() if target in targets)
