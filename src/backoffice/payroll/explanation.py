"""`payroll explain`: the derivation of one paycheck of a batch file, or why it is not another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from backoffice.payroll.batch import Refused, derivation_of, entries_of, read, unreadable
from backoffice.payroll.batch_case import columns_of
from backoffice.payroll.batch_csv import Row
from backoffice.payroll.calc import Derivation, Tables, difference
from backoffice.payroll.sheet import SheetRefused


class NotExplained(Exception):
    """Why not, and the exit code: 1 when a case cannot be calculated, 2 when a file cannot be read or does not have
    the case once."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


class _Named(msgspec.Struct):
    id: str | int | None = None


def explained(
    path: str | Path, name: str, compare_to: str | None, compare_path: str | Path | None, as_json: bool
) -> str:
    """The derivation of the case `name`, or what makes its net another than that of `compare_to`, which stands in the
    same file unless `compare_path` names its own. NotExplained."""
    tables = Tables.load()
    derivation = _derivation(path, name, tables)
    found: Any = derivation
    if compare_to is not None:
        found = difference(_derivation(compare_path or path, compare_to, tables), derivation)
    return json.dumps(found.as_json(), ensure_ascii=False, indent=2) if as_json else "\n".join(found.as_text())


def _derivation(path: str | Path, name: str, tables: Tables) -> Derivation:
    try:
        with open(path, "rb") as source:
            entries = [entry for entry in entries_of(source, path) if _is_called(entry, name)]
    except (SheetRefused, OSError) as error:
        raise NotExplained(unreadable(path, error), 2) from error
    if len(entries) != 1:
        lines = ", ".join(str(entry.line if isinstance(entry, Row) else entry[0]) for entry in entries)
        told = (
            f"lines {lines} of {path} all have the id {name}" if entries else f"{path} has no case with the id {name}"
        )
        raise NotExplained(told, 2)
    (case,) = read(entries, tables)
    if isinstance(case, Refused):
        faults = "; ".join(f"{fault.pointer} {fault.code}: {fault.detail}" for fault in case.faults)
        raise NotExplained(f"{name} cannot be calculated: {faults}", 1)
    return derivation_of(case, columns_of([case], tables), tables)


def _is_called(entry: Row | tuple[int, bytes], name: str) -> bool:
    if isinstance(entry, Row):
        return entry.document is not None and entry.document.get("id") == name
    try:
        found = msgspec.json.decode(entry[1].removeprefix(b"\xef\xbb\xbf"), type=_Named).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return found is not None and str(found) == name
