"""What payroll and billing ask for many workers at once: a constant number of statements, however many workers.

Each is a look-up by key and not a join, so that the plan is right also for tables that were filled a moment ago."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from backoffice.people.queries import any_of
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.staffing import models
from backoffice.staffing.schemas import ApprovedHours, AssignmentPlace, OpenTimesheet

_assignments, _sheets, _entries = models.assignment, models.timesheet, models.timesheet_entry
_clients = models.client


async def approved_hours(
    tx: Tx,
    begin: date,
    end: date,
    *,
    worker_ids: Collection[UUID] | None = None,
    run_id: UUID | None = None,
) -> list[ApprovedHours]:
    """Approved hours from `begin` to `end`, both included, by worker, assignment and day; those of `run_id` carry its
    id. Hours that belong to another payroll run are left out."""
    free = _sheets.c.payroll_run_id.is_(None)
    mine = free if run_id is None else or_(free, _sheets.c.payroll_run_id == run_id)
    conditions = [*_weeks(begin, end), _sheets.c.status == "approved", mine]
    if worker_ids is not None:
        conditions.append(any_of(_sheets.c.worker_id, worker_ids))
    sheets = {row["id"]: row for row in await tx.fetch(select(*_sheets.c).where(*conditions))}
    assignments = await tx.fetch(
        select(*_assignments.c).where(
            _assignments.c.tenant_id == TENANT,
            any_of(_assignments.c.id, {row["assignment_id"] for row in sheets.values()}),
        )
    )
    by_id = {row["id"]: row for row in assignments}
    hours = [
        _hours(row, sheets[row["timesheet_id"]], by_id[sheets[row["timesheet_id"]]["assignment_id"]])
        for row in await _entries_in(tx, sheets, begin, end)
    ]
    return sorted(hours, key=lambda each: (each.worker_id, each.assignment_id, each.work_date))


def _hours(entry: Row, sheet: Row, assignment: Row) -> ApprovedHours:
    return ApprovedHours(
        worker_id=sheet["worker_id"],
        assignment_id=assignment["id"],
        client_id=assignment["client_id"],
        timesheet_id=sheet["id"],
        version=sheet["version"],
        work_date=entry["work_date"],
        hundredths=entry["hundredths"],
        job_title=assignment["job_title"],
        pay_rate_micros=assignment["pay_rate_micros"],
        bill_rate_micros=assignment["bill_rate_micros"],
        work_state=assignment["work_state"],
        work_city=assignment["work_city"],
        work_locality=assignment["work_locality"],
        work_postal_code=assignment["work_postal_code"],
        payroll_run_id=sheet["payroll_run_id"],
    )


def _weeks(begin: date, end: date) -> list[ColumnElement[bool]]:
    """Timesheets whose week touches the period."""
    return [
        _sheets.c.tenant_id == TENANT,
        _sheets.c.week_start >= begin - timedelta(days=6),
        _sheets.c.week_start <= end,
    ]


async def _entries_in(tx: Tx, timesheet_ids: Iterable[UUID], begin: date, end: date) -> list[Row]:
    return await tx.fetch(
        select(*_entries.c).where(
            _entries.c.tenant_id == TENANT,
            any_of(_entries.c.timesheet_id, timesheet_ids),
            _entries.c.work_date >= begin,
            _entries.c.work_date <= end,
        )
    )


async def open_timesheets(
    tx: Tx, begin: date, end: date, *, worker_ids: Collection[UUID] | None = None
) -> list[OpenTimesheet]:
    """Timesheets with hours from `begin` to `end` that are draft, submitted or rejected: what a run would leave out."""
    conditions = [*_weeks(begin, end), _sheets.c.status != "approved"]
    if worker_ids is not None:
        conditions.append(any_of(_sheets.c.worker_id, worker_ids))
    names = ("id", "worker_id", "assignment_id", "week_start", "status", "total_hundredths")
    rows = await tx.fetch(
        select(*(_sheets.c[name] for name in names)).where(*conditions).order_by(_sheets.c.worker_id, _sheets.c.id)
    )
    inside = {row["timesheet_id"] for row in await _entries_in(tx, [row["id"] for row in rows], begin, end)}
    return [OpenTimesheet(**dict(row)) for row in rows if row["id"] in inside]


async def assignment_places(tx: Tx, assignment_ids: Collection[UUID]) -> dict[UUID, AssignmentPlace]:
    """Client, position and place of assignments, as a pay statement names them. Two statements."""
    rows = await tx.fetch(
        select(*_assignments.c).where(_assignments.c.tenant_id == TENANT, any_of(_assignments.c.id, assignment_ids))
    )
    named = await tx.fetch(
        select(_clients.c.id, _clients.c.name).where(
            _clients.c.tenant_id == TENANT, any_of(_clients.c.id, {row["client_id"] for row in rows})
        )
    )
    names = {row["id"]: row["name"] for row in named}
    return {
        row["id"]: AssignmentPlace(
            id=row["id"],
            client_name=names[row["client_id"]],
            job_title=row["job_title"],
            work_city=row["work_city"],
            work_state=row["work_state"],
        )
        for row in rows
    }
