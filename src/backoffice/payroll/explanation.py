"""`payroll explain` and `payroll gross-up`: the derivation of one paycheck of a batch file, why it is not another one,
and how much more pay leaves a wanted net."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from backoffice.kernel.money import format_minor, parse_minor
from backoffice.payroll.batch import Refused, derivation_of, entries_of, read, unreadable
from backoffice.payroll.batch_case import Case, columns_of
from backoffice.payroll.batch_csv import Row
from backoffice.payroll.calc import Derivation, Tables, difference, gross_up
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


def grossed_up(path: str | Path, name: str, net: str, supplemental: bool, as_json: bool) -> str:
    """The smallest addition to the pay of the case `name` that leaves `net` dollars. NotExplained."""
    try:
        wanted = parse_minor(net)
    except ValueError as error:
        raise NotExplained(f"--net: {error}", 2) from error
    tables = Tables.load()
    columns = columns_of([_case(path, name, tables)], tables)
    try:
        found = gross_up(columns, wanted, tables, supplemental=supplemental)
    except ValueError as error:
        raise NotExplained(f"{name}: {error}", 1) from error
    gross = int(columns.gross[0])
    told: dict[str, Any] = {
        "id": name,
        "addition": format_minor(found.addition),
        "gross_pay": format_minor(gross + found.addition),
        "net_pay": format_minor(found.net),
        "exact": found.exact,
    }
    if as_json:
        return json.dumps(told, ensure_ascii=False, indent=2)
    nearest = "" if found.exact else f"; no pay leaves exactly {format_minor(wanted)}, this is the nearest"
    return "{addition} more make {gross_pay} gross, which leaves {net_pay} net".format(**told) + nearest


def _derivation(path: str | Path, name: str, tables: Tables) -> Derivation:
    case = _case(path, name, tables)
    return derivation_of(case, columns_of([case], tables), tables)


def _case(path: str | Path, name: str, tables: Tables) -> Case:
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
    return case


def _is_called(entry: Row | tuple[int, bytes], name: str) -> bool:
    if isinstance(entry, Row):
        return entry.document is not None and entry.document.get("id") == name
    try:
        found = msgspec.json.decode(entry[1].removeprefix(b"\xef\xbb\xbf"), type=_Named).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return found is not None and str(found) == name
