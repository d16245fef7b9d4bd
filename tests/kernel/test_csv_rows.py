"""Bulk CSV: numbering, encodings, headers, duplicates, and bad rows written back."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.kernel import csv_rows
from backoffice.kernel.csv_rows import CellRefused, Column, CsvFault, CsvFileRefused, ParsedCsv

COLUMNS = (
    Column(name="id", read=csv_rows.text(20)),
    Column(name="day", read=csv_rows.day, may_be_blank=True),
    Column(name="note", read=csv_rows.text(200), optional=True),
)
Record = dict[str, Any]


def build(values: Mapping[str, Any]) -> Record:
    return dict(values)


def parsed(content: bytes | str, **options: Any) -> ParsedCsv[Record]:
    return csv_rows.parse(content, COLUMNS, build, **options)


def refused(content: bytes | str, **options: Any) -> tuple[CsvFault, ...]:
    with pytest.raises(CsvFileRefused) as caught:
        parsed(content, **options)
    assert caught.value.status == 422
    assert [fault.detail for fault in caught.value.errors] == [fault.detail for fault in caught.value.faults]
    return caught.value.faults


def test_rows_have_the_numbers_a_spreadsheet_shows() -> None:
    text = 'id,day,note\na,2026-11-09,"two\nlines"\n\n , ,\nb,2026-02-30,\nc,,x\n'
    result = parsed(text.replace("two\nlines", "one line"))
    assert [row.number for row in result.rows] == [2, 6]
    assert result.faults == (
        CsvFault(5, "day", "not_a_date", "must be a date such as 2026-11-09; that day does not exist"),
    )
    assert result.row_count == 3
    result = parsed(text)
    assert [(fault.row, fault.column, fault.code) for fault in result.faults] == [
        (2, "note", "control_character"),
        (5, "day", "not_a_date"),
    ]


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_utf8_with_and_without_bom_and_any_line_end(prefix: bytes, ends: str) -> None:
    content = prefix + ends.join(["id,day", "Łódź,2026-11-09", "Conceição,", ""]).encode()
    result = parsed(content)
    assert [row.record for row in result.rows] == [
        {"id": "Łódź", "day": date(2026, 11, 9), "note": None},
        {"id": "Conceição", "day": None, "note": None},
    ]


def test_decomposed_letters_are_composed_and_white_space_is_cut() -> None:
    result = parsed("id,day\n\u00a0Conceic\u0327a\u0303o ,\n")
    assert result.rows[0].record["id"] == "Conceição"


@pytest.mark.parametrize(
    ("content", "row", "code", "part"),
    [
        ("id,day\nŁ,\n".encode("utf-16"), 1, "not_utf8", "UTF-16"),
        ("id,day\nx,\nConceição,\n".encode("latin-1"), 3, "not_utf8", "Line 3"),
        (b"id,day\n\x00,\n", 2, "not_text", "NUL"),
        (b'id,day\nx,\n"open,\n', 3, "broken_quotes", "quote is not closed"),
        (b'id,day\n"a"b,\n', 2, "broken_quotes", "Row 2"),
        (b"id,day\n" + b"x" * 140_000 + b",\n", 2, "broken_quotes", "131,072"),
        (b"id;day\nx;\n", 1, "wrong_separator", "commas"),
        (b"id\tday\nx\t\n", 1, "wrong_separator", "commas"),
        (b"", 1, "missing_column", "id, day"),
        (b"id\nx\n", 1, "missing_column", "day"),
        (b"id,day,id\nx,,\n", 1, "repeated_column", "id"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(content: bytes, row: int, code: str, part: str) -> None:
    (fault,) = refused(content)
    assert (fault.row, fault.code) == (row, code)
    assert part in fault.detail


def test_missing_and_unknown_columns_are_listed_together() -> None:
    faults = refused("ID,when,note\nx,,\n")
    assert [(fault.code, fault.column) for fault in faults] == [("missing_column", "id"), ("unknown_column", "ID")]
    assert faults[0].detail == "Columns are missing: id, day."
    assert faults[1].detail == "Columns are not known: ID, when. Known are: id, day, note."


def test_a_row_of_another_width_is_a_fault_of_the_row() -> None:
    result = parsed("id,day\na,2026-11-09\nb\nc,2026-11-09,x,y\n")
    assert [(fault.row, fault.column, fault.code) for fault in result.faults] == [
        (3, "", "wrong_number_of_cells"),
        (4, "", "wrong_number_of_cells"),
    ]
    assert [row.number for row in result.rows] == [2]


def test_the_later_of_two_equal_rows_is_refused_once() -> None:
    unique = (("id",), ("id", "day"))
    result = parsed("id,day\na,2026-11-09\na,2026-11-09\nb,\nb,\na,x\n", unique=unique)
    assert [(fault.row, fault.column, fault.code) for fault in result.faults] == [
        (3, "id", "duplicate_row"),
        (5, "id", "duplicate_row"),
        (6, "day", "not_a_date"),
        (6, "id", "duplicate_row"),
    ]
    assert result.faults[0].detail == "row 2 has the same id"


def test_too_many_rows() -> None:
    (fault,) = refused("id,day\na,\nb,\nc,\n", row_limit=2)
    assert (fault.row, fault.code) == (4, "too_many_rows")


def test_bad_rows_come_back_with_their_faults_and_can_be_sent_again() -> None:
    text = 'note,id,day\n"a, b",x,9 Nov\nfine,y,\n,,2026-13-01\n'
    result = parsed(text)
    back = csv_rows.with_errors(result)
    assert back.split("\r\n") == [
        "note,id,day,error",
        '"a, b",x,9 Nov,day: must be a date such as 2026-11-09',
        ",,2026-13-01,day: must be a date such as 2026-11-09; that day does not exist; id: must not be empty",
        "",
    ]
    corrected = back.replace("9 Nov", "2026-11-09").replace(",,2026-13-01", ",z,2026-12-01")
    again = parsed(corrected)
    assert not again.faults
    assert [row.record["id"] for row in again.rows] == ["x", "z"]
    assert csv_rows.with_errors(again) == "note,id,day,error\r\n"


def test_a_domain_adds_its_own_faults() -> None:
    result = parsed("id,day\na,\nb,2026-99-01\n")
    faults = [
        *result.faults,
        CsvFault(2, "id", "unknown_worker", "is not known"),
        CsvFault(77, "id", "x", "no such row"),
    ]
    assert csv_rows.with_errors(result, faults).split("\r\n")[1:] == [
        "a,,id: is not known",
        "b,2026-99-01,day: must be a date such as 2026-11-09; that day does not exist",
        "",
    ]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6))
def test_bad_rows_come_back_cell_by_cell(rows: list[list[str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([["id", "day", "note"], *rows])
    result = parsed(out.getvalue())
    back = list(csv.reader(io.StringIO(csv_rows.with_errors(result), newline="")))
    bad = sorted({fault.row for fault in result.faults})
    assert [row[:3] for row in back[1:]] == [rows[number - 2] for number in bad]
    assert all(row[3] for row in back[1:])
    blank = sum(not any(cell.strip() for cell in row) for row in rows)
    assert len(result.rows) + len(bad) + blank == len(rows)


@pytest.mark.parametrize(
    ("read", "cell", "value"),
    [
        (csv_rows.cents, "1234.5", 123450),
        (csv_rows.cents, "0", 0),
        (csv_rows.decimal(2), "7.75", Decimal("7.75")),
        (csv_rows.flag, "TRUE", True),
        (csv_rows.flag, "false", False),
        (csv_rows.whole(99), "0", 0),
        (csv_rows.whole(99), "99", 99),
        (csv_rows.one_of(("a", "b")), "b", "b"),
        (csv_rows.pattern("[a-c]+", "c", "d"), "abc", "abc"),
    ],
)
def test_cells_that_are_read(read: Any, cell: str, value: object) -> None:
    assert read(cell) == value


@pytest.mark.parametrize(
    ("read", "cell", "code"),
    [
        *((csv_rows.cents, cell, "not_an_amount") for cell in ("1.234", "-1", "-0", "$5", "1,000", "1e3", "٣", "")),
        *((csv_rows.decimal(2), cell, "not_a_decimal") for cell in ("7.755", "7,5", "1e1", "+8", "eight", "08", "8.")),
        *((csv_rows.day, cell, "not_a_date") for cell in ("9.11.2026", "20261109", "2026-11-31", "2026-W46-1")),
        *((csv_rows.flag, cell, "not_a_boolean") for cell in ("yes", "1", "x")),
        *((csv_rows.whole(99), cell, "not_a_count") for cell in ("100", "-1", "1.0", "01")),
        (csv_rows.one_of(("a", "b")), "A", "unknown_value"),
        (csv_rows.text(3), "abcd", "too_long"),
        (csv_rows.text(3), "a\tb", "control_character"),
        (csv_rows.pattern("[a-c]+", "not_abc", "d"), "abcd", "not_abc"),
    ],
)
def test_cells_that_are_refused(read: Any, cell: str, code: str) -> None:
    with pytest.raises(CellRefused) as refused_cell:
        read(cell)
    assert refused_cell.value.code == code
    assert refused_cell.value.detail
