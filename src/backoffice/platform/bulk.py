"""Bulk operations: what a domain can do with a whole file of rows (API conventions §7).

A domain registers an operation in its `jobs.py`; `accounts.bulk` runs it behind the queue, chunk by chunk, in
transactions that a dry run rolls back. Good rows go in, bad rows come back with their reasons.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from backoffice.kernel.csv_rows import CsvFault, CsvRow, ParsedCsv
from backoffice.platform.tx import Tx

T = TypeVar("T")

CHUNK_ROWS = 200
OUTCOMES = ("created", "updated", "unchanged")


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What became of a good row: one of OUTCOMES, and the id (as shown outside) of the object it is about."""

    number: int
    outcome: str
    object_id: str


@dataclass(slots=True)
class Applied:
    """What became of a chunk: every row is in one of the two lists."""

    outcomes: list[RowOutcome] = field(default_factory=list)
    faults: list[CsvFault] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[T]):
    """One bulk operation.

    - `scope`: what a caller needs besides `bulk_jobs:write`, since its rows do what that scope may do.
    - `parse`: the file's bytes to rows and faults; pure, CsvFileRefused for a file that cannot be read at all.
    - `apply(tx, rows)`: one chunk; a row that is refused leaves nothing, its faults say why.
    - `together`: rows with the same key go into one chunk (the days of one timesheet).
    - `sensitive`: columns whose cells are shown to nobody but the person who sent the file.
    """

    name: str
    scope: str
    parse: Callable[[bytes], ParsedCsv[T]]
    apply: Callable[[Tx, Sequence[CsvRow[T]]], Awaitable[Applied]]
    together: Callable[[T], Hashable] | None = None
    sensitive: tuple[str, ...] = ()

    def chunks(self, rows: Sequence[CsvRow[T]]) -> Iterator[Sequence[CsvRow[T]]]:
        """Rows in chunks of about CHUNK_ROWS, the same ones for the same file."""
        if self.together is None:
            yield from (rows[start : start + CHUNK_ROWS] for start in range(0, len(rows), CHUNK_ROWS))
            return
        groups: dict[Hashable, list[CsvRow[T]]] = {}
        for row in rows:
            groups.setdefault(self.together(row.record), []).append(row)
        chunk: list[CsvRow[T]] = []
        for group in groups.values():
            chunk += group
            if len(chunk) >= CHUNK_ROWS:
                yield chunk
                chunk = []
        if chunk:
            yield chunk


_operations: dict[str, Operation[Any]] = {}


def register(operation: Operation[Any]) -> None:
    """Make an operation known by its name (`workers.upsert`)."""
    assert operation.name not in _operations, f"{operation.name} is registered twice"
    _operations[operation.name] = operation


def find(name: str) -> Operation[Any] | None:
    """The operation of that name, or None."""
    return _operations.get(name)


def names() -> list[str]:
    """What this process knows."""
    return sorted(_operations)
