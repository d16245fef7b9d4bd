"""The bulk operation `timesheets.upsert`: CSV text to hours by assignment and day. Pure. Whether the worker and the
assignment are known, and belong together, is asked later by the command, which adds its faults in the same shape.

The domain keeps one timesheet for an assignment and a week; a row of the file is one day of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from backoffice.kernel import csv_rows
from backoffice.kernel.csv_rows import CellRefused, Column, CsvFault, CsvFileRefused, ParsedCsv

__all__ = [
    "TIMESHEET_COLUMNS",
    "CsvFault",
    "CsvFileRefused",
    "ParsedCsv",
    "TimesheetRow",
    "parse_timesheets",
    "with_errors",
]

with_errors = csv_rows.with_errors

HOURS_IN_A_DAY = Decimal(24)


class TimesheetRow(msgspec.Struct, frozen=True, kw_only=True):
    """Hours of one day on one assignment, more than 0 and at most 24, with at most two decimals. `external_id` is the
    row's own name in the front office: sending it again means the same row."""

    worker_external_id: str
    assignment_external_id: str
    work_date: date
    hours: Decimal
    external_id: str


_EXTERNAL_ID = csv_rows.pattern(r"[A-Za-z0-9._-]{1,60}", "not_an_external_id", "must be 1 to 60 of A-Z a-z 0-9 . _ -")
_decimal = csv_rows.decimal(2)


def _hours(cell: str) -> Decimal:
    hours = _decimal(cell)
    if not 0 < hours <= HOURS_IN_A_DAY:
        raise CellRefused("hours_out_of_range", f"must be more than 0 and at most 24 in one day, and is {hours}")
    return hours


TIMESHEET_COLUMNS: tuple[Column, ...] = (
    Column(name="worker_external_id", read=_EXTERNAL_ID),
    Column(name="assignment_external_id", read=_EXTERNAL_ID),
    Column(name="work_date", read=csv_rows.day),
    Column(name="hours", read=_hours),
    Column(name="external_id", read=_EXTERNAL_ID),
)


def parse_timesheets(content: bytes | str) -> ParsedCsv[TimesheetRow]:
    """Read hours. No two rows may share `external_id`, or assignment and day. CsvFileRefused when the file cannot be
    read at all; faults of rows stand in the answer."""
    unique = (("external_id",), ("assignment_external_id", "work_date"))
    return csv_rows.parse(content, TIMESHEET_COLUMNS, _timesheet, unique=unique)


def _timesheet(values: Mapping[str, Any]) -> TimesheetRow:
    return TimesheetRow(**values)
