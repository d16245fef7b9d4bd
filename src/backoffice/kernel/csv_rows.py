"""Bulk CSV: text in, typed rows and faults out. Pure; a domain says its columns and how a row becomes its record.

A row has the number it has in the file, the header being row 1 and blank lines counting, as a spreadsheet shows it.
Good rows come back with all their faulty neighbours' faults beside them; `with_errors` writes the bad rows as the same
CSV plus an `error` column, which a corrected file may keep: on the way in that column is ignored.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Generic, TypeVar

from backoffice.kernel import money
from backoffice.kernel.errors import Fault, ValidationFailed

T = TypeVar("T")
ERROR_COLUMN = "error"
ROW_LIMIT = 100_000
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,8}")
_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, order=True)
class CsvFault:
    """One fault of one cell, or of a whole row (`column` "")."""

    row: int
    column: str
    code: str
    detail: str

    def body(self) -> dict[str, str | int]:
        """As a bulk job shows it."""
        return {"row": self.row, "column": self.column, "code": self.code, "detail": self.detail}


class CsvFileRefused(ValidationFailed):
    """The file as a whole cannot be read: no row of it was taken. `faults` says why, all at once."""

    code = "csv_file_refused"
    title = "The CSV file cannot be read"

    def __init__(self, faults: Sequence[CsvFault]) -> None:
        self.faults = tuple(faults)
        super().__init__(
            [Fault(code=fault.code, detail=fault.detail, pointer="#/content") for fault in faults],
            " ".join(fault.detail for fault in faults),
        )


class CellRefused(ValueError):
    """One cell is not acceptable. The detail never repeats the cell of a sensitive column."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `read` turns a cell that is not empty into its value or raises `CellRefused`. An empty cell is
    `blank` when `may_be_blank`, and a fault otherwise. An `optional` column may be missing: its cells are empty."""

    name: str
    read: Callable[[str], object]
    may_be_blank: bool = False
    blank: object = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class CsvRow(Generic[T]):
    """A good row."""

    number: int
    record: T


@dataclass(frozen=True, slots=True)
class ParsedCsv(Generic[T]):
    """What a file held. `cells` are the raw cells of every row by its number, for writing bad rows back: they may hold
    numbers of people, so they are shown to nobody but the sender."""

    rows: tuple[CsvRow[T], ...]
    faults: tuple[CsvFault, ...]
    header: tuple[str, ...]
    cells: Mapping[int, tuple[str, ...]] = field(repr=False)

    @property
    def row_count(self) -> int:
        """Rows below the header that are not blank."""
        return len(self.cells)


# What a domain adds: (column, code, detail) for faults between the good cells of one row, and the record of a good row.
Check = Callable[[Mapping[str, Any]], Iterable[tuple[str, str, str]]]
Build = Callable[[Mapping[str, Any]], T]


def parse(
    content: bytes | str,
    columns: Sequence[Column],
    build: Build[T],
    *,
    check: Check = lambda _: (),
    unique: Sequence[Sequence[str]] = (),
    row_limit: int = ROW_LIMIT,
) -> ParsedCsv[T]:
    """Read `content` (RFC 4180, comma-separated, UTF-8 with or without BOM, any line ends).

    `unique` names groups of columns that no two rows of a file may share; the later row is refused
    (`duplicate_row`), whether or not the earlier one is good. CsvFileRefused: encoding, broken quotes, header, size.
    """
    records = _records(_text(content))
    header = _header(next(records, (1, []))[1], columns)
    cells: dict[int, tuple[str, ...]] = {}
    rows: list[CsvRow[T]] = []
    faults: list[CsvFault] = []
    seen: list[dict[tuple[object, ...], int]] = [{} for _ in unique]
    for number, record in records:
        if not any(cell.strip() for cell in record):
            continue
        cells[number] = tuple(record)
        if len(cells) > row_limit:
            detail = f"The file has more than {row_limit} rows; split it."
            raise CsvFileRefused([CsvFault(number, "", "too_many_rows", detail)])
        if len(record) != len(header):
            detail = f"has {len(record)} cells and the header has {len(header)}; a cell with a comma needs quotes"
            faults.append(CsvFault(number, "", "wrong_number_of_cells", detail))
            continue
        values, bad = _cells(dict(zip(header, record, strict=True)), columns)
        bad += _repeated(values, unique, seen, number)
        bad += [] if any(code == "duplicate_row" for _, code, _ in bad) else check(values)
        faults += [CsvFault(number, *fault) for fault in bad]
        if not bad:
            rows.append(CsvRow(number, build(values)))
    return ParsedCsv(tuple(rows), tuple(faults), header, cells)


def with_errors(parsed: ParsedCsv[T], faults: Iterable[CsvFault] | None = None) -> str:
    """The rows that have faults as CSV in the columns they came in, in order, plus an `error` column. `faults` are the
    file's own by default; a domain that found more hands over all of them. Rows that are unknown here are ignored."""
    by_row: dict[int, list[str]] = {}
    for fault in sorted(parsed.faults if faults is None else faults):
        by_row.setdefault(fault.row, []).append(f"{fault.column}: {fault.detail}" if fault.column else fault.detail)
    out = io.StringIO()
    writer = csv.writer(out)  # RFC 4180: lines end with CR LF
    kept = [n for n, name in enumerate(parsed.header) if name != ERROR_COLUMN]
    writer.writerow([*(parsed.header[n] for n in kept), ERROR_COLUMN])
    for number, details in by_row.items():
        cells = parsed.cells.get(number)
        if cells is not None:
            writer.writerow([*_same_width(cells, kept, len(parsed.header)), "; ".join(details)])
    return out.getvalue()


def _same_width(cells: tuple[str, ...], kept: list[int], width: int) -> list[str]:
    """The cells in the header's columns; what a too long row has beyond them stays in its last cell."""
    padded = [*cells[:width], *[""] * (width - len(cells))]
    if len(cells) > width:
        padded[kept[-1]] = ",".join([padded[kept[-1]], *cells[width:]])
    return [padded[n] for n in kept]


def _text(content: bytes | str) -> str:
    text = content.removeprefix("\ufeff") if isinstance(content, str) else _decoded(content)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise CsvFileRefused([CsvFault(line, "", "not_text", f"Line {line} has a NUL character; this is no CSV text.")])
    return text


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        detail = "The file is in UTF-16; save it as “CSV UTF-8 (comma separated)”."
        raise CsvFileRefused([CsvFault(1, "", "not_utf8", detail)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        detail = f"Line {line} has a character that is not UTF-8; save the file as “CSV UTF-8 (comma separated)”."
        raise CsvFileRefused([CsvFault(line, "", "not_utf8", detail)]) from None


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 0
    try:
        for number, record in enumerate(reader, start=1):
            yield number, record
    except csv.Error:
        detail = (
            f"Row {number + 1} cannot be read: a quote is not closed, or stands inside a cell without being doubled, "
            "or a cell is longer than 131,072 characters."
        )
        raise CsvFileRefused([CsvFault(number + 1, "", "broken_quotes", detail)]) from None


def _header(record: Sequence[str], columns: Sequence[Column]) -> tuple[str, ...]:
    header = tuple(name.strip() for name in record)
    known = [column.name for column in columns]
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        detail = "The columns must be separated by commas; this header has another separator."
        raise CsvFileRefused([CsvFault(1, "", "wrong_separator", detail)])
    # A file without a header: its first row is of a person, so the refusal repeats nothing of it.
    if any(header) and not any(name in known for name in header):
        detail = f"The first row must name the columns, and none of these is known. Known are: {', '.join(known)}."
        raise CsvFileRefused([CsvFault(1, "", "no_header", detail)])
    faults = []
    missing = [column.name for column in columns if not column.optional and column.name not in header]
    unknown = [name for name in dict.fromkeys(header) if name not in known and name != ERROR_COLUMN]
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if missing:
        detail = f"Columns are missing: {', '.join(missing)}."
        faults.append(CsvFault(1, missing[0], "missing_column", detail))
    if unknown:
        named = ", ".join(_shown(name) for name in unknown)
        detail = f"Columns are not known: {named}. Known are: {', '.join(known)}."
        faults.append(CsvFault(1, _shown(unknown[0]), "unknown_column", detail))
    if twice:
        named = ", ".join(_shown(name) for name in twice)
        faults.append(CsvFault(1, _shown(twice[0]), "repeated_column", f"Columns stand twice: {named}."))
    if faults:
        raise CsvFileRefused(faults)
    return header


def _shown(name: str) -> str:
    """A name of a column as a refusal repeats it: nothing that could be a number of a person."""
    if not name:
        return "(without a name)"
    return name if len(name) <= 60 and sum(each.isdigit() for each in name) <= 2 else "(not shown)"


def _cells(raw: Mapping[str, str], columns: Sequence[Column]) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    values: dict[str, Any] = {}
    bad: list[tuple[str, str, str]] = []
    for column in columns:
        cell = unicodedata.normalize("NFC", raw.get(column.name, "").strip())
        if not cell:
            if column.may_be_blank or column.optional:
                values[column.name] = column.blank
            else:
                bad.append((column.name, "required", "must not be empty"))
            continue
        try:
            values[column.name] = column.read(cell)
        except CellRefused as refused:
            bad.append((column.name, refused.code, refused.detail))
    return values, bad


def _repeated(
    values: Mapping[str, Any],
    unique: Sequence[Sequence[str]],
    seen: list[dict[tuple[object, ...], int]],
    number: int,
) -> list[tuple[str, str, str]]:
    """At most one fault: the first group of columns in which an earlier row says the same."""
    found: list[tuple[str, str, str]] = []
    for names, numbers in zip(unique, seen, strict=True):
        if any(values.get(name) is None for name in names):
            continue
        first = numbers.setdefault(tuple(values[name] for name in names), number)
        if first != number:
            found.append((names[-1], "duplicate_row", f"row {first} has the same {' and '.join(names)}"))
    return found[:1]


# Readers of cells. Each returns a function for `Column.read`.


def text(longest: int) -> Callable[[str], str]:
    """One line of at most `longest` characters, without control characters."""

    def read(cell: str) -> str:
        if any(unicodedata.category(character) == "Cc" for character in cell):
            raise CellRefused("control_character", "must be one line without control characters")
        if len(cell) > longest:
            raise CellRefused("too_long", f"must have at most {longest} characters, and has {len(cell)}")
        return cell

    return read


def pattern(expression: str, code: str, detail: str) -> Callable[[str], str]:
    """A cell that matches the whole `expression`."""
    compiled = re.compile(expression)

    def read(cell: str) -> str:
        if not compiled.fullmatch(cell):
            raise CellRefused(code, detail)
        return cell

    return read


def one_of(words: Collection[str]) -> Callable[[str], str]:
    """One of the words, exactly as written."""

    def read(cell: str) -> str:
        if cell not in words:
            raise CellRefused("unknown_value", f"must be one of: {', '.join(sorted(words))}")
        return cell

    return read


def day(cell: str) -> date:
    """ISO 8601, `2026-11-09`."""
    detail = "must be a date such as 2026-11-09"
    if not _DATE.fullmatch(cell):
        raise CellRefused("not_a_date", detail)
    try:
        return date.fromisoformat(cell)
    except ValueError:
        raise CellRefused("not_a_date", f"{detail}; that day does not exist") from None


def flag(cell: str) -> bool:
    """`true` or `false`, in any case: spreadsheets write TRUE."""
    value = _FLAGS.get(cell.lower())
    if value is None:
        raise CellRefused("not_a_boolean", "must be true or false")
    return value


def cents(cell: str) -> int:
    """A decimal amount that is not negative, `1234.50`, as integer cents."""
    detail = "must be an amount with at most two decimals, without sign, separators or symbol, such as 1234.50"
    try:
        amount = money.parse_minor(cell)
    except ValueError:
        raise CellRefused("not_an_amount", detail) from None
    if amount < 0 or cell.startswith("-"):
        raise CellRefused("not_an_amount", detail)
    return amount


def decimal(places: int) -> Callable[[str], Decimal]:
    """A decimal with at most `places` decimals; may be negative."""

    def read(cell: str) -> Decimal:
        try:
            return money.parse_decimal(cell, places)
        except ValueError:
            detail = f"must be a decimal number with at most {places} decimals, such as 7.50"
            raise CellRefused("not_a_decimal", detail) from None

    return read


def whole(largest: int) -> Callable[[str], int]:
    """A count from 0 to `largest`."""

    def read(cell: str) -> int:
        if not _WHOLE.fullmatch(cell) or int(cell) > largest:
            raise CellRefused("not_a_count", f"must be a whole number from 0 to {largest}")
        return int(cell)

    return read
