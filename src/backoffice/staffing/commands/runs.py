"""Hours that a payroll run counts do not change any more, until the run lets them go."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import or_

from backoffice.kernel import ids
from backoffice.kernel.errors import Fault
from backoffice.people.queries import any_of
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx
from backoffice.staffing import models
from backoffice.staffing.errors import TimesheetInPayrollRun

_sheets = models.timesheet


async def lock_for_run(tx: Tx, timesheet_ids: Collection[UUID], run_id: UUID) -> int:
    """Make approved timesheets part of a payroll run; how many were not yet. Asking twice is asking once.

    TimesheetInPayrollRun (409) when one of them is not approved, belongs to another run or is not there. One statement,
    however many timesheets."""
    wanted = set(timesheet_ids)
    rows = await tx.fetch(
        _sheets.update()
        .where(
            _sheets.c.tenant_id == TENANT,
            any_of(_sheets.c.id, sorted(wanted)),
            _sheets.c.status == "approved",
            or_(_sheets.c.payroll_run_id.is_(None), _sheets.c.payroll_run_id == run_id),
        )
        .values(payroll_run_id=run_id, version=_sheets.c.version + 1, updated_at=await tx.now())
        .returning(_sheets.c.id)
    )
    if refused := wanted - {row["id"] for row in rows}:
        named = sorted(ids.encode("timesheet", id_) for id_ in refused)
        faults = [Fault("not_available", f"{text} is not approved or is in another run", pointer="#") for text in named]
        raise TimesheetInPayrollRun(
            "Some timesheets cannot be part of this run; calculate it again.", errors=faults[:100]
        )
    tx.audit("timesheets.locked", object_type="payroll_run", object_id=run_id, changed={"timesheets": len(rows)})
    return len(rows)


async def release(tx: Tx, run_id: UUID) -> int:
    """Let go of all timesheets of a payroll run (canceled, or reopened); how many there were."""
    count = await tx.execute(
        _sheets.update()
        .where(_sheets.c.tenant_id == TENANT, _sheets.c.payroll_run_id == run_id)
        .values(payroll_run_id=None, version=_sheets.c.version + 1, updated_at=await tx.now())
    )
    tx.audit("timesheets.released", object_type="payroll_run", object_id=run_id, changed={"timesheets": count})
    return count
