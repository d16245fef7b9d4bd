"""The states of a bulk job and the legal moves between them, as data."""

from __future__ import annotations

from typing import Final

MOVES: Final[dict[str, frozenset[str]]] = {
    "created": frozenset({"queued"}),  # the file came
    "queued": frozenset({"running", "failed", "canceled"}),  # the job reads it
    "running": frozenset({"succeeded", "failed", "canceled"}),
    "succeeded": frozenset(),
    "failed": frozenset({"running", "succeeded"}),  # its job was retried
    "canceled": frozenset(),
}
STATUSES: Final = tuple(MOVES)
ENDED: Final = ("succeeded", "failed", "canceled")
