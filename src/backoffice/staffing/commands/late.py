"""Tell of hours that are late: of a workweek that has ended, nothing was submitted for an assignment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from sqlalchemy import Text, or_, select

from backoffice.accounts import queries as accounts
from backoffice.kernel import ids
from backoffice.kernel.dates import local_date, workweek
from backoffice.kernel.errors import FaultList
from backoffice.people import queries as people
from backoffice.platform.effects import Effect
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx
from backoffice.staffing import events, models
from backoffice.staffing.queries import assignment_view
from backoffice.staffing.schemas import CheckTimesheets, LateHours

TOLD_AT_ONCE: Final = 200
_assignments, _sheets = models.assignment, models.timesheet


async def find_late(tx: Tx, payload: CheckTimesheets) -> LateHours:
    """The last whole workweek before `scheduled_for`, and the assignments on the pay schedule in it whose timesheet is
    neither submitted nor approved, or not there. ValidationFailed for a pay schedule that is not there."""
    schedule = await accounts.pay_schedule(tx, payload.pay_schedule)
    if schedule is None:
        names = ", ".join(each.name for each in await accounts.pay_schedules(tx))
        faults = FaultList()
        faults.add("#/pay_schedule", "unknown_schedule", f"is no pay schedule of this tenant; there are: {names}")
        faults.raise_if_any()
    assert schedule is not None
    today = local_date((await accounts.tenant_settings(tx)).time_zone, payload.scheduled_for)
    week = workweek(today - timedelta(days=7), schedule.workweek_starts)
    workers = await people.workers_on_schedule(tx, schedule.id, week.begin, week.end)
    handed_in = await tx.fetch(
        select(_sheets.c.assignment_id).where(
            _sheets.c.tenant_id == TENANT,
            _sheets.c.week_start == week.begin,
            people.any_of(_sheets.c.status, ("submitted", "approved"), Text),
        )
    )
    there = {row["assignment_id"] for row in handed_in}
    rows = await tx.fetch(
        select(_assignments.c.id)
        .where(
            _assignments.c.tenant_id == TENANT,
            people.any_of(_assignments.c.worker_id, workers),
            _assignments.c.started_on <= week.end,
            or_(_assignments.c.ended_on.is_(None), _assignments.c.ended_on >= week.begin),
        )
        .order_by(_assignments.c.id)
    )
    late = [ids.encode("assignment", row["id"]) for row in rows if row["id"] not in there]
    return LateHours(week_start=week.begin, assignments=late)


async def tell_late(tx: Tx, week_start: date, assignments: Sequence[str]) -> None:
    """One event for each of these assignments."""
    found = [ids.decode("assignment", each) for each in assignments]
    rows = await tx.fetch(
        select(*_assignments.c)
        .where(_assignments.c.tenant_id == TENANT, people.any_of(_assignments.c.id, found))
        .order_by(_assignments.c.id)
    )
    for row in rows:
        view = assignment_view(tx, row)
        effect = Effect(
            kind="hours_late",
            subject=view.id,
            after={"week_start": str(week_start), "worker": view.worker_id, "client": view.client_id},
            message=f"No hours were submitted for the week of {week_start} by its deadline.",
            ask="Submit them, or tell that nobody worked: hours that come later are paid by the next run.",
        )
        tx.emit(events.ASSIGNMENT_HOURS_LATE, view, effects=[effect])
        tx.audit("assignment.hours_late", object_type="assignment", object_id=row["id"])


async def preview_late(tx: Tx, payload: CheckTimesheets) -> None:
    """Inside a dry run: all of it."""
    late = await find_late(tx, payload)
    await tell_late(tx, late.week_start, late.assignments)
