"""The batch door's CSV: a row is the document that its heads spell, and an answer is a row of dotted heads.

Heads are dotted paths (`w4.step3`, `work.0.state`, `ytd.programmes.CA_SDI.wages`). Every cell is text; an empty one is
absence. A cell at an integer's path is read as an integer, at a boolean's as true or false in any case (spreadsheets
write TRUE); one that does not look like its type stays text, and the door refuses it as it refuses that text in JSON.
A place of a list that a row leaves empty is left out (`earnings.0` empty, `earnings.1` filled is one entry), and faults
still name the head that was written.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

import msgspec

from backoffice.kernel.errors import Fault
from backoffice.payroll.batch_paths import BOOLEAN, INTEGER, LISTS, PATHS, kind_of
from backoffice.payroll.sheet import Sheet, SheetRefused

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})").fullmatch
_TRUTH = {"true": True, "false": False}
_SEVERAL = " | "  # between the sentences of one cell
_SENTENCES = frozenset({"notes", "errors"})  # lists of an answer that are for people to read


class Row(NamedTuple):
    """A row: its line, its document (None when it has `faults`), and the written places of lists with empty ones."""

    line: int
    document: dict[str, Any] | None
    faults: Sequence[Fault]
    places: Mapping[str, Sequence[int]]

    def pointed(self, fault: Fault) -> Fault:
        """The fault with its pointer at the head that was written."""
        pointer = str(fault.pointer)
        _, name, at, *rest = [*pointer.split("/"), "", ""]
        if name not in self.places or not at.isdigit() or int(at) >= len(self.places[name]):
            return fault
        written = "/".join(["#", name, str(self.places[name][int(at)]), *(part for part in rest if part)])
        return Fault(fault.code, fault.detail, written)


class CsvCases:
    """The cases of a CSV file. SheetRefused, with every reason, for heads that are unknown or stand twice."""

    def __init__(self, source: IO[bytes]) -> None:
        self._sheet = Sheet(source)
        refused, columns = [], []
        for at, head in enumerate(self._sheet.heads):
            if not head:
                continue
            kind = kind_of(head)
            if kind is None:
                refused.append(f"The head {head} is unknown{_near(head)}")
            parts = tuple(int(part) if part.isdigit() else part for part in head.split("."))
            columns.append((at, parts, _READ.get(kind or "", str)))
        if refused:
            raise SheetRefused(refused)
        self._columns: list[tuple[int, tuple[str | int, ...], Callable[[str], Any]]] = columns

    def __iter__(self) -> Iterator[Row]:
        for line, cells, fault in self._sheet.rows():
            yield self._row(line, cells) if cells is not None else Row(line, None, [fault] if fault else [], {})

    def _row(self, line: int, cells: Sequence[str]) -> Row:
        document: dict[Any, Any] = {}
        faults: list[Fault] = []
        for at, parts, read in self._columns:
            if not cells[at]:
                continue
            part = document
            for key in parts[:-1]:
                part = part.setdefault(key, {})
                if not isinstance(part, dict):
                    break
            if not isinstance(part, dict) or parts[-1] in part:
                detail = "The row fills this head and one that is a part of it: fill one of them."
                faults.append(Fault("conflicting_heads", detail, "#/" + "/".join(map(str, parts))))
                continue
            part[parts[-1]] = read(cells[at])
        places: dict[str, Sequence[int]] = {}
        for name in LISTS & document.keys():
            filled = sorted(document[name])
            document[name] = [document[name][place] for place in filled]
            if filled[-1] != len(filled) - 1:
                places[name] = filled
        return Row(line, None if faults else document, faults, places)


def _integer(cell: str) -> int | str:
    return int(cell) if _INTEGER(cell) else cell


def _boolean(cell: str) -> bool | str:
    return _TRUTH.get(cell.casefold(), cell)


_READ: Mapping[str, Callable[[str], Any]] = {INTEGER: _integer, BOOLEAN: _boolean}


def _near(head: str) -> str:
    close = difflib.get_close_matches(head, PATHS, n=1)
    return f"; is {close[0]} meant?" if close else "."


def flat(answer: Mapping[str, Any]) -> dict[str, str]:
    """An answer as cells by dotted head, lists by places. Notes and faults stand in one cell, parted by " | "."""
    cells: dict[str, str] = {}
    _flatten(answer, "", cells)
    return cells


def _flatten(part: Mapping[str, Any], before: str, cells: dict[str, str]) -> None:
    for key, value in part.items():
        if isinstance(value, str):
            cells[before + key] = value
        elif isinstance(value, dict):
            _flatten(value, f"{before}{key}.", cells)
        elif isinstance(value, list) and key in _SENTENCES:
            cells[before + key] = _SEVERAL.join(map(_sentence, value))
        elif isinstance(value, list):
            _flatten({str(place): entry for place, entry in enumerate(value)}, f"{before}{key}.", cells)
        else:
            cells[before + key] = "" if value is None else str(value)


def _sentence(entry: Any) -> str:
    return entry if isinstance(entry, str) else f"{entry['pointer']} {entry['code']}: {entry['detail']}"


def _in_order(head: str) -> list[tuple[int, str]]:
    """Sorts heads by their names, places of a list by their numbers."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in head.split(".")]


def answers_as_csv(answers: IO[bytes], target: Callable[[bytes], None]) -> None:
    """JSON Lines of answers as CSV: the heads are those that any answer has, the parts of one key side by side in the
    order of their names, the keys in the order in which they first appear."""
    decode = msgspec.json.Decoder().decode
    known: dict[str, None] = {"id": None}  # in the order of their first appearance
    for line in answers:
        known |= dict.fromkeys(flat(decode(line)))
    groups: dict[str, list[str]] = {}
    for head in known:
        groups.setdefault(head.split(".")[0], []).append(head)
    ordered = [head for group in groups.values() for head in sorted(group, key=_in_order)]
    answers.seek(0)
    page = io.StringIO(newline="")
    writer = csv.writer(page, lineterminator="\r\n")
    writer.writerow(ordered)
    for line in answers:
        cell = flat(decode(line)).get
        writer.writerow([cell(head, "") for head in ordered])
        if page.tell() > 1 << 20:
            target(page.getvalue().encode())
            page.seek(0)
            page.truncate()
    target(page.getvalue().encode())
