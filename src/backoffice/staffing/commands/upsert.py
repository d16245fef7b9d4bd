"""The bulk operation `timesheets.upsert`: each row is one day on one assignment. The file is the submission: hours that
are new or differ are submitted, hours that are on file already are left as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Text, select

from backoffice.kernel import ids
from backoffice.kernel.csv_rows import CsvFault, CsvRow
from backoffice.kernel.dates import workweek
from backoffice.people import queries as people
from backoffice.people.queries import any_of
from backoffice.platform.bulk import Applied, RowOutcome
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.staffing import models, queries
from backoffice.staffing.commands import hours
from backoffice.staffing.commands.timesheets import tell_submitted
from backoffice.staffing.csv_files import TimesheetRow
from backoffice.staffing.errors import TimesheetsUnsettled
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


@dataclass(frozen=True, slots=True)
class _Plan:
    """What becomes of one timesheet: `outcomes` by row number."""

    key: _Key
    worker_id: UUID
    sheet: Row | None
    wanted: hours.Hours
    changed: bool
    outcomes: list[tuple[int, str]]

    @property
    def writes(self) -> bool:
        return self.sheet is None or self.changed or self.sheet["status"] in ("draft", "rejected")


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
    plans = [plan for key, group in groups.items() if (plan := _plan(chunk, key, group, applied)) is not None]
    sheets = await _write(tx, chunk, plans)
    for plan in plans:
        shown = ids.encode("timesheet", sheets[plan.key]["id"])
        applied.outcomes += [RowOutcome(number, outcome, shown) for number, outcome in plan.outcomes]
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


def _plan(chunk: _Chunk, key: _Key, group: Sequence[CsvRow[TimesheetRow]], applied: Applied) -> _Plan | None:
    """What the rows of one timesheet make of it; None when none of them is taken."""
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
        return None
    for day in {*before, *wanted}:
        was = before.get(day, (0, None))[0] if counts else 0
        now = wanted.get(day, (0, None))[0]
        chunk.worked[worker_id, day] = chunk.worked.get((worker_id, day), 0) + now - was
    return _Plan(key, worker_id, sheet, wanted, wanted != before, outcomes)


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


async def _write(tx: Tx, chunk: _Chunk, plans: Sequence[_Plan]) -> dict[_Key, Row]:
    """The timesheets with their hours, submitted; those in which nothing differs as they are. Somebody who writes the
    same timesheet or the same external_id at this moment makes the chunk fail, and the job tries it again."""
    now = await tx.now()
    rows = {plan.key: plan.sheet for plan in plans if plan.sheet is not None}
    new = [plan for plan in plans if plan.sheet is None]
    changed = [plan for plan in plans if plan.sheet is not None and plan.writes]
    await hours.keep_versions(tx, [plan.sheet for plan in changed if plan.sheet is not None], chunk.entries)
    made = [
        {
            "id": await tx.new_id(),
            "assignment_id": plan.key[0],
            "worker_id": plan.worker_id,
            "week_start": plan.key[1],
            **_values(plan, now),
        }
        for plan in new
    ]
    for row in await tx.insert_new(_sheets, made):
        rows[row["assignment_id"], row["week_start"]] = row
    for plan in changed:
        assert plan.sheet is not None
        row_ = await tx.change(_sheets, plan.sheet["id"], {**_values(plan, now), "rejected_reason": None})
        assert row_ is not None
        rows[plan.key] = row_
    if len(rows) < len(plans):
        raise TimesheetsUnsettled
    await hours.put_many(tx, {rows[plan.key]["id"]: plan.wanted for plan in plans if plan.changed})
    for plan in plans:
        if plan.writes:
            view = queries.timesheet_view(tx, rows[plan.key], hours.as_rows(plan.wanted))
            was = None if plan.sheet is None else plan.sheet["status"]
            tell_submitted(tx, view, rows[plan.key], was, chunk.labels)
    return rows


def _values(plan: _Plan, now: datetime) -> dict[str, Any]:
    return {"status": "submitted", "total_hundredths": hours.total(plan.wanted), "submitted_at": now}
