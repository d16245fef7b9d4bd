"""The bulk operation `timesheets.upsert`: each row is one day on one assignment. The file is the submission: hours that
are new or differ are submitted, hours that are on file already are left as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Text, select

from backoffice.kernel import ids
from backoffice.kernel.csv_rows import CsvFault, CsvRow
from backoffice.kernel.dates import workweek
from backoffice.people import queries as people
from backoffice.people.queries import any_of
from backoffice.platform.bulk import Applied, RowOutcome
from backoffice.platform.db import Row, Taken, Tx
from backoffice.platform.tables import TENANT
from backoffice.staffing import models, queries
from backoffice.staffing.commands import hours
from backoffice.staffing.commands.timesheets import tell_submitted
from backoffice.staffing.csv_files import TimesheetRow
from backoffice.staffing.models import DAY_HUNDREDTHS
from backoffice.staffing.units import hundredths

_assignments, _sheets, _entries = models.assignment, models.timesheet, models.timesheet_entry
_Key = tuple[UUID, date]  # assignment, first day of the week


@dataclass(slots=True)
class _Chunk:
    """What is on file about the rows of a chunk."""

    assignments: dict[str, Row]
    worker_ids: dict[str, UUID]
    starts: dict[UUID, int]
    labels: dict[UUID, str]
    sheets: dict[_Key, Row] = field(default_factory=dict)
    entries: dict[UUID, list[Row]] = field(default_factory=dict)
    worked: dict[tuple[UUID, date], int] = field(default_factory=dict)
    named: dict[str, Row] = field(default_factory=dict)  # entries by external_id


async def upsert_timesheets(tx: Tx, rows: Sequence[CsvRow[TimesheetRow]]) -> Applied:
    """Put hours on file and submit them. A row that is refused leaves its day as it was."""
    applied = Applied()
    chunk = await _known(tx, rows)
    groups: dict[_Key, list[CsvRow[TimesheetRow]]] = {}
    for row in rows:
        faults = _faults(chunk, row)
        applied.faults += faults
        if not faults:
            assignment = chunk.assignments[row.record.assignment_external_id]
            starts = chunk.starts.get(assignment["worker_id"], 0)
            week = workweek(row.record.work_date, starts).begin
            groups.setdefault((assignment["id"], week), []).append(row)
    await _read_sheets(tx, chunk, groups)
    for key, group in groups.items():
        await _apply(tx, chunk, key, group, applied)
    return applied


async def _known(tx: Tx, rows: Sequence[CsvRow[TimesheetRow]]) -> _Chunk:
    worker_ids = await people.worker_ids(tx, {row.record.worker_external_id for row in rows})
    found = set(worker_ids.values())
    held = await hours.hold_workers(tx, found)
    there = {row["external_id"]: row for row in held if row["external_id"] is not None}
    missing = {row.record.assignment_external_id for row in rows} - set(there)
    others = await tx.fetch(
        select(*_assignments.c).where(
            _assignments.c.tenant_id == TENANT, any_of(_assignments.c.external_id, missing, Text)
        )
    )
    there |= {row["external_id"]: row for row in others}
    return _Chunk(
        assignments=there,
        worker_ids=worker_ids,
        starts=await people.workweek_starts(tx, found),
        labels=await people.worker_labels(tx, found),
    )


def _faults(chunk: _Chunk, row: CsvRow[TimesheetRow]) -> list[CsvFault]:
    """What is wrong with a row whatever is on file for its week."""
    record, found = row.record, []
    worker_id = chunk.worker_ids.get(record.worker_external_id)
    assignment = chunk.assignments.get(record.assignment_external_id)
    if worker_id is None:
        detail = f"there is no worker {record.worker_external_id}; import the worker first"
        found.append(CsvFault(row.number, "worker_external_id", "unknown_worker", detail))
    if assignment is None:
        detail = f"there is no assignment {record.assignment_external_id}; create it first"
        found.append(CsvFault(row.number, "assignment_external_id", "unknown_assignment", detail))
    elif worker_id is not None and assignment["worker_id"] != worker_id:
        detail = f"{record.assignment_external_id} is another worker's assignment"
        found.append(CsvFault(row.number, "assignment_external_id", "assignment_of_another_worker", detail))
    else:
        fault = hours.day_fault(assignment, None, record.work_date, hundredths(record.hours))
        if fault is not None:
            column = "hours" if fault[0] == "hours_out_of_range" else "work_date"
            found.append(CsvFault(row.number, column, *fault))
    return found


async def _read_sheets(tx: Tx, chunk: _Chunk, groups: dict[_Key, list[CsvRow[TimesheetRow]]]) -> None:
    """What is on file for the weeks of the chunk: four statements."""
    rows = [row for group in groups.values() for row in group]
    sheets = await tx.fetch(
        select(*_sheets.c)
        .where(
            _sheets.c.tenant_id == TENANT,
            any_of(_sheets.c.assignment_id, {assignment_id for assignment_id, _ in groups}),
            any_of(_sheets.c.week_start, {week for _, week in groups}, Date),
        )
        .order_by(_sheets.c.id)
        .with_for_update()
    )
    chunk.sheets = {(row["assignment_id"], row["week_start"]): row for row in sheets}
    chunk.entries = dict(await queries.entries_of(tx, [row["id"] for row in sheets]))
    workers = {chunk.worker_ids[row.record.worker_external_id] for row in rows}
    chunk.worked = await hours.worked(tx, workers, {row.record.work_date for row in rows})
    names = {row.record.external_id for row in rows}
    named = await tx.fetch(
        select(*_entries.c).where(_entries.c.tenant_id == TENANT, any_of(_entries.c.external_id, names, Text))
    )
    chunk.named = {row["external_id"]: row for row in named}


async def _apply(tx: Tx, chunk: _Chunk, key: _Key, group: Sequence[CsvRow[TimesheetRow]], applied: Applied) -> None:
    """The rows of one timesheet."""
    sheet = chunk.sheets.get(key)
    worker_id = chunk.worker_ids[group[0].record.worker_external_id]
    before = {
        row["work_date"]: (row["hundredths"], row["external_id"])
        for row in (chunk.entries.get(sheet["id"], []) if sheet is not None else [])
    }
    counts = sheet is not None and sheet["status"] != "rejected"
    wanted = dict(before)
    outcomes: list[tuple[int, str]] = []
    for row in group:
        day, asked = row.record.work_date, hundredths(row.record.hours)
        fault = _against_file(chunk, sheet, row, before)
        others = chunk.worked.get((worker_id, day), 0) - (before.get(day, (0, None))[0] if counts else 0)
        if fault is None and others + asked > DAY_HUNDREDTHS:
            fault = ("hours", *hours.too_many(others + asked))
        if fault is not None:
            applied.faults.append(CsvFault(row.number, *fault))
            continue
        moved = [there for there, (_, name) in wanted.items() if name == row.record.external_id and there != day]
        for there in moved:  # the row's day was corrected
            del wanted[there]
        outcome = "created" if day not in before and not moved else "updated"
        same = day in before and before[day][0] == asked
        outcomes.append((row.number, "unchanged" if same else outcome))
        if not same:
            wanted[day] = (asked, row.record.external_id)
    if not outcomes:
        return
    try:
        async with tx.savepoint():
            after = await _submitted(tx, chunk, key, sheet, worker_id, wanted, changed=wanted != before)
    except Taken:
        detail = "the timesheet changed at the same moment; send the row again"
        applied.faults += [CsvFault(number, "", "changed_meanwhile", detail) for number, _ in outcomes]
        return
    for day, (asked, _) in wanted.items():
        was = before.get(day, (0, None))[0] if counts else 0
        chunk.worked[worker_id, day] = chunk.worked.get((worker_id, day), 0) + asked - was
    shown = ids.encode("timesheet", after["id"])
    applied.outcomes += [RowOutcome(number, outcome, shown) for number, outcome in outcomes]


def _against_file(
    chunk: _Chunk, sheet: Row | None, row: CsvRow[TimesheetRow], before: hours.Hours
) -> tuple[str, str, str] | None:
    """Why what is on file does not take this row: (column, code, detail), or None."""
    there = chunk.named.get(row.record.external_id)
    if there is not None and (sheet is None or there["timesheet_id"] != sheet["id"]):
        return "external_id", "already_in_use", "is that of a day on another timesheet"
    if sheet is None or before.get(row.record.work_date, (0, None))[0] == hundredths(row.record.hours):
        return None
    if sheet["payroll_run_id"] is not None:
        return "hours", "timesheet_in_payroll_run", "differs from hours that are part of a payroll run"
    if sheet["status"] == "approved":
        return "hours", "timesheet_approved", "differs from approved hours; reject the timesheet first"
    return None


async def _submitted(
    tx: Tx, chunk: _Chunk, key: _Key, sheet: Row | None, worker_id: UUID, wanted: hours.Hours, *, changed: bool
) -> Row:
    """The timesheet with these hours, submitted; as it is when nothing differs."""
    now = await tx.now()
    values: dict[str, Any] = {"status": "submitted", "total_hundredths": hours.total(wanted), "submitted_at": now}
    if sheet is None:
        row = await tx.insert_or_none(
            _sheets,
            id=await tx.new_id(),
            assignment_id=key[0],
            worker_id=worker_id,
            week_start=key[1],
            **values,
        )
        if row is None:
            raise Taken("timesheet")
    elif changed or sheet["status"] in ("draft", "rejected"):
        await hours.keep_versions(tx, [sheet], chunk.entries)
        row = await tx.change(_sheets, sheet["id"], {**values, "rejected_reason": None})
        assert row is not None
    else:
        return sheet
    if changed:
        await hours.put_entries(tx, row["id"], wanted)
    view = (await queries.timesheet_views(tx, [row]))[0]
    tell_submitted(tx, view, row, None if sheet is None else sheet["status"], chunk.labels)
    return row
