"""The states of a job and the legal moves between them, as data; the picture stands in ARCHITECTURE.md.

scheduled → ready → released → running → succeeded | retry_wait | waiting | canceled | dead
"""

from __future__ import annotations

from typing import Final

# state → the states it may become, and (after the colon) who makes the move.
MOVES: Final[dict[str, frozenset[str]]] = {
    "scheduled": frozenset({"ready", "released", "canceled"}),  # a clock move; the dispatcher when due; cancel
    "ready": frozenset({"released", "canceled"}),  # the dispatcher; cancel
    "released": frozenset({"running", "ready", "scheduled", "canceled"}),  # a claim; a lease that ran out; cancel
    "running": frozenset({"succeeded", "retry_wait", "waiting", "canceled", "dead", "ready", "scheduled"}),
    "retry_wait": frozenset({"released", "canceled"}),
    "waiting": frozenset({"ready", "canceled"}),  # the last child; cancel
    "succeeded": frozenset(),
    "canceled": frozenset({"ready", "scheduled"}),  # a child, when its parent is retried
    "dead": frozenset({"ready", "scheduled"}),  # retried by an operator; in turn, where jobs have turns
}
LEASED: Final = ("released", "running")
RELEASABLE: Final = ("scheduled", "ready", "retry_wait")
ENDED: Final = ("succeeded", "canceled", "dead")

STATUS: Final[dict[str, str]] = {
    "scheduled": "queued",
    "ready": "queued",
    "released": "queued",
    "retry_wait": "queued",
    "running": "running",
    "waiting": "running",
    "succeeded": "succeeded",
    "canceled": "canceled",
    "dead": "failed",
}
STATUSES: Final = ("queued", "running", "succeeded", "canceled", "failed")


def states_of(status: str) -> tuple[str, ...]:
    """The states a client sees as `status`."""
    return tuple(state for state, seen in STATUS.items() if seen == status)
