"""What payroll and billing ask for many workers at once: one statement each, however many workers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from uuid import UUID

from sqlalchemy import or_, select

from backoffice.people.queries import any_of
from backoffice.platform.db import Tx
from backoffice.platform.tables import TENANT
from backoffice.staffing import models
from backoffice.staffing.schemas import ApprovedHours, AssignmentPlace, OpenTimesheet

_assignments, _sheets, _entries = models.assignment, models.timesheet, models.timesheet_entry


async def approved_hours(
    tx: Tx,
    begin: date,
    end: date,
    *,
    worker_ids: Collection[UUID] | None = None,
    run_id: UUID | None = None,
    counted_elsewhere: bool = False,
) -> list[ApprovedHours]:
    """Approved hours from `begin` to `end`, both included, by worker, assignment and day.

    Hours that belong to another payroll run than `run_id` are left out, unless `counted_elsewhere` asks for them (a
    week's overtime counts all hours of the week, whichever run pays them); they carry the run's id."""
    conditions = [
        _sheets.c.tenant_id == TENANT,
        _assignments.c.tenant_id == TENANT,
        _entries.c.tenant_id == TENANT,
        _sheets.c.status == "approved",
        _entries.c.work_date >= begin,
        _entries.c.work_date <= end,
    ]
    if not counted_elsewhere:
        free = _sheets.c.payroll_run_id.is_(None)
        conditions.append(free if run_id is None else or_(free, _sheets.c.payroll_run_id == run_id))
    if worker_ids is not None:
        conditions.append(any_of(_sheets.c.worker_id, worker_ids))
    rows = await tx.fetch(
        select(
            _sheets.c.worker_id,
            _sheets.c.assignment_id,
            _assignments.c.client_id,
            _sheets.c.id.label("timesheet_id"),
            _sheets.c.version,
            _entries.c.work_date,
            _entries.c.hundredths,
            _assignments.c.job_title,
            _assignments.c.pay_rate_micros,
            _assignments.c.bill_rate_micros,
            _assignments.c.work_state,
            _assignments.c.work_city,
            _assignments.c.work_postal_code,
            _sheets.c.payroll_run_id,
        )
        .select_from(
            _entries.join(_sheets, _sheets.c.id == _entries.c.timesheet_id).join(
                _assignments, _assignments.c.id == _sheets.c.assignment_id
            )
        )
        .where(*conditions)
        .order_by(_sheets.c.worker_id, _sheets.c.assignment_id, _entries.c.work_date)
    )
    return [ApprovedHours(**dict(row)) for row in rows]


async def open_timesheets(
    tx: Tx, begin: date, end: date, *, worker_ids: Collection[UUID] | None = None
) -> list[OpenTimesheet]:
    """Timesheets with hours from `begin` to `end` that are draft, submitted or rejected: what a run would leave out."""
    inside = select(_entries.c.timesheet_id).where(
        _entries.c.tenant_id == TENANT, _entries.c.work_date >= begin, _entries.c.work_date <= end
    )
    conditions = [_sheets.c.tenant_id == TENANT, _sheets.c.status != "approved", _sheets.c.id.in_(inside)]
    if worker_ids is not None:
        conditions.append(any_of(_sheets.c.worker_id, worker_ids))
    names = ("id", "worker_id", "assignment_id", "week_start", "status", "total_hundredths")
    rows = await tx.fetch(
        select(*(_sheets.c[name] for name in names)).where(*conditions).order_by(_sheets.c.worker_id, _sheets.c.id)
    )
    return [OpenTimesheet(**dict(row)) for row in rows]


async def assignment_places(tx: Tx, assignment_ids: Collection[UUID]) -> dict[UUID, AssignmentPlace]:
    """Client, position and place of assignments, as a pay statement names them. One statement."""
    clients = models.client
    rows = await tx.fetch(
        select(
            _assignments.c.id,
            clients.c.name.label("client_name"),
            _assignments.c.job_title,
            _assignments.c.work_city,
            _assignments.c.work_state,
        )
        .select_from(_assignments.join(clients, clients.c.id == _assignments.c.client_id))
        .where(
            _assignments.c.tenant_id == TENANT, clients.c.tenant_id == TENANT, any_of(_assignments.c.id, assignment_ids)
        )
    )
    return {row["id"]: AssignmentPlace(**dict(row)) for row in rows}
