"""From the bytes of a `tenant.toml` to a `TenantFile`, or to all its faults with their lines."""

from __future__ import annotations

import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from backoffice.accounts.tenant_file.lines import KeyPath, key_lines
from backoffice.accounts.tenant_file.structs import Table, TenantFile
from backoffice.accounts.tenant_file.values import Read, Wrong

T = TypeVar("T", bound=Table)
NAME = "tenant.toml"
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class TenantFault:
    """One fault: `file` as given to the reader, `line` from 1, `key` dotted ("employer.ein"; "" for the file)."""

    file: str
    line: int
    key: str
    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key + ': ' if self.key else ''}{self.detail} [{self.code}]"


class TenantFileRefused(Exception):
    """The file cannot be applied. `faults` holds all of them in the order of their lines."""

    def __init__(self, faults: Sequence[TenantFault]) -> None:
        self.faults = sorted(faults, key=lambda fault: (fault.line, fault.key, fault.code))
        super().__init__("\n".join(str(fault) for fault in self.faults))


def load(folder: Path) -> TenantFile:
    """Read `folder`/tenant.toml. TenantFileRefused lists every fault, also when there is no such file."""
    path = folder / NAME
    try:
        content = path.read_bytes()
    except OSError as error:
        detail = f"cannot be read ({error.strerror}); tenants/_template shows what it holds"
        raise TenantFileRefused([TenantFault(str(path), 1, "", "file_not_readable", detail)]) from None
    return parse(content, file=str(path), folder=folder.resolve().name)


def parse(content: bytes, *, file: str = NAME, folder: str | None = None) -> TenantFile:
    """The firm's data in `content` (TOML 1.0, UTF-8). `file` stands in the faults; `folder`, where given, must equal
    `firm.slug`. TenantFileRefused: syntax, unknown and missing keys, wrong values, rules between keys, all at once."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TenantFileRefused([TenantFault(file, line, "", "not_utf8", "must be saved as UTF-8")]) from None
    text = text.replace("\r\n", "\n")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TenantFileRefused([_syntax_fault(file, text, str(error))]) from None
    reading = _Reading(file, key_lines(text))
    read = reading.table(TenantFile, data, ())
    slug = data["firm"].get("slug") if isinstance(data.get("firm"), dict) else None
    if folder is not None and isinstance(slug, str) and slug != folder:
        detail = f'must be the name of its folder, "{folder}"'
        reading.fault(("firm", "slug"), "not_the_folder", detail)
    if reading.faults or read is None:
        raise TenantFileRefused(reading.faults)
    return read


def _syntax_fault(file: str, text: str, message: str) -> TenantFault:
    place = _PLACE.search(message)
    line = int(place[1]) if place and place[1] else text.rstrip("\n").count("\n") + 1
    return TenantFault(file, line, "", "not_toml", f"is no TOML: {_PLACE.sub('', message)}")


class _Reading:
    """One reading of one file: walks the structs and the data side by side and keeps every fault."""

    def __init__(self, file: str, lines: Mapping[KeyPath, int]) -> None:
        self._file = file
        self._lines = lines
        self.faults: list[TenantFault] = []

    def fault(self, path: KeyPath, code: str, detail: str) -> None:
        """Add a fault at `path`; a key that is not in the file has the line of the table it is missing from."""
        placed = path
        while placed not in self._lines:
            placed = placed[:-1]
        key = ".".join(str(part) for part in path)
        self.faults.append(TenantFault(self._file, self._lines[placed], key, code, detail))

    def table(self, kind: type[T], data: object, path: KeyPath) -> T | None:
        """The struct of one table, or None when it cannot be made; faults below it are kept either way."""
        if not isinstance(data, dict):
            self.fault(path, "not_a_table", f"must be a table: [{'.'.join(map(str, path))}]")
            return None
        hints = _field_hints(kind)
        for key in data:
            if key not in hints:
                self.fault((*path, key), "unknown_key", f"is not known here; known are: {', '.join(hints)}")
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(kind):
            at = (*path, field.name)
            if field.name not in data:
                if field.required:
                    self.fault(at, "missing_key", "is missing")
            else:
                self._value(hints[field.name], field.name, data[field.name], at, values)
        for key, code, detail in kind.check(values):
            self.fault((*path, *key.split(".")), code, detail)
        if any(field.required and field.name not in values for field in msgspec.structs.fields(kind)):
            return None
        return kind(**values)

    def _value(self, hint: Any, name: str, data: object, path: KeyPath, values: dict[str, Any]) -> None:
        if get_origin(hint) is Annotated:
            reader = next(extra for extra in get_args(hint)[1:] if isinstance(extra, Read))
            try:
                values[name] = reader.value(data)
            except Wrong as wrong:
                self.fault(path, wrong.code, wrong.detail)
        elif get_origin(hint) is dict:
            tables = self._named_tables(get_args(hint)[1], data, path)
            if isinstance(data, dict) and len(tables) == len(data):  # rules between keys ask who is there, and who not
                values[name] = tables
        else:
            made = self.table(hint, data, path)
            if made is not None:
                values[name] = made

    def _named_tables(self, kind: type[Table], data: object, path: KeyPath) -> dict[str, Table]:
        """Tables named in the file, [people.<name>]: those that could be read."""
        here = ".".join(map(str, path))
        if not isinstance(data, dict):
            self.fault(path, "not_a_table", f"must be tables with names: [{here}.<name>]")
            return {}
        if not data:
            self.fault(path, "too_few", f"needs at least one table [{here}.<name>]")
        tables: dict[str, Table] = {}
        assert kind.keyed_by is not None
        for name, content in data.items():
            try:
                kind.keyed_by.value(name)
            except Wrong as wrong:
                self.fault((*path, name), wrong.code, f"its name {wrong.detail}")
            made = self.table(kind, content, (*path, name))
            if made is not None:
                tables[name] = made
        for key, code, detail in kind.check_all(tables):
            self.fault((*path, *key.split(".")), code, detail)
        return tables


@cache
def _field_hints(kind: type[Table]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in msgspec.structs.fields(kind)}
