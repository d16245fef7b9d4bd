"""Timesheets approved or sent back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Text, select

from backoffice.kernel import ids
from backoffice.kernel.errors import Fault, FaultList, ValidationFailed, VersionConflict
from backoffice.people import queries as people
from backoffice.people.queries import any_of
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import find_id
from backoffice.staffing import events, models, queries
from backoffice.staffing.commands import hours
from backoffice.staffing.errors import TimesheetState
from backoffice.staffing.schemas import ApproveTimesheets, RejectTimesheet, Timesheet, TimesheetsApproved
from backoffice.staffing.units import hours_text

_sheets = models.timesheet


async def approve(tx: Tx, id_: str, if_version: int) -> Timesheet:
    """Approve submitted hours. VersionConflict (412); TimesheetState (409) unless it is submitted."""
    before = await hours.locked(tx, await find_id(tx, _sheets, "timesheet", id_))
    if before["version"] != if_version:
        raise VersionConflict(before["version"])
    hours.must_allow(before, "approved")
    return (await _approve(tx, [before]))[0]


async def approve_many(tx: Tx, data: ApproveTimesheets) -> TimesheetsApproved:
    """Approve every submitted timesheet of a week, or those named: then all of them or none. ValidationFailed (422)
    for a name of nothing here; TimesheetState (409) with those that are not submitted."""
    if (data.week_start is None) == (data.timesheet_ids is None):
        raise ValidationFailed([Fault("required", "give either week_start or timesheet_ids", pointer="#")])
    if data.timesheet_ids is None:
        where = [_sheets.c.week_start == data.week_start, _sheets.c.status == "submitted"]
        rows = await tx.fetch(_held(where))
    else:
        rows = await _named(tx, data.timesheet_ids)
    views = await _approve(tx, rows) if rows else []
    return TimesheetsApproved(
        approved=len(views),
        total_hours=hours_text(sum(row["total_hundredths"] for row in rows)),
        timesheet_ids=[view.id for view in views],
    )


async def reject(tx: Tx, id_: str, data: RejectTimesheet) -> Timesheet:
    """Send hours back to be corrected, also approved ones that are in no payroll run. TimesheetState or
    TimesheetInPayrollRun (409)."""
    before = await hours.locked(tx, await find_id(tx, _sheets, "timesheet", id_))
    hours.must_allow(before, "rejected")
    await hours.keep_versions(tx, [before], await queries.entries_of(tx, [before["id"]]))
    values = {"status": "rejected", "rejected_reason": data.reason, "approved_at": None, "approved_by": None}
    row = await tx.change(_sheets, before["id"], values)
    assert row is not None
    view = (await queries.timesheet_views(tx, [row]))[0]
    whose = (await people.worker_labels(tx, [row["worker_id"]]))[row["worker_id"]]
    ask = f"Correct the hours and submit them again: {data.reason}"
    effect = hours.effect(hours.REJECTED, row, whose, ask=ask)
    previous = {"status": before["status"]}
    tx.emit(events.TIMESHEET_REJECTED, view, changed=["status"], previous=previous, effects=[effect])
    tx.audit(
        "timesheet.rejected",
        object_type="timesheet",
        object_id=row["id"],
        object_version=row["version"],
        reason=data.reason,
    )
    return view


async def _approve(tx: Tx, before: Sequence[Row]) -> list[Timesheet]:
    """Rows held and submitted. A constant number of statements, however many rows."""
    found = [row["id"] for row in before]
    entries = await queries.entries_of(tx, found)
    await hours.keep_versions(tx, before, entries)
    now = await tx.now()
    rows = await tx.fetch(
        _sheets.update()
        .where(_sheets.c.tenant_id == TENANT, any_of(_sheets.c.id, found), _sheets.c.status == "submitted")
        .values(
            status="approved",
            approved_at=now,
            approved_by=tx.principal.actor,
            version=_sheets.c.version + 1,
            updated_at=now,
        )
        .returning(*_sheets.c)
    )
    assert len(rows) == len(found)
    labels = await people.worker_labels(tx, {row["worker_id"] for row in rows})
    views = []
    for row in sorted(rows, key=lambda row: row["id"]):
        view = queries.timesheet_view(tx, row, entries.get(row["id"], []))
        effect = hours.effect(hours.APPROVED, row, labels[row["worker_id"]])
        previous = {"status": "submitted"}
        tx.emit(events.TIMESHEET_APPROVED, view, changed=["status"], previous=previous, effects=[effect])
        tx.audit("timesheet.approved", object_type="timesheet", object_id=row["id"], object_version=row["version"])
        views.append(view)
    return views


async def _named(tx: Tx, texts: Sequence[str]) -> list[Row]:
    """The timesheets that these ids or `ext:` names name, each once."""
    wanted = [text.removeprefix("ext:") for text in texts if text.startswith("ext:")]
    by_name: dict[str, UUID] = {}
    if wanted:
        named = select(_sheets.c.id, _sheets.c.external_id).where(
            _sheets.c.tenant_id == TENANT, any_of(_sheets.c.external_id, wanted, Text)
        )
        by_name = {f"ext:{row['external_id']}": row["id"] for row in await tx.fetch(named)}
    places = {text: by_name.get(text) or ids.decode("timesheet", text) for text in texts}
    held = await tx.fetch(_held([any_of(_sheets.c.id, [id_ for id_ in places.values() if id_ is not None])]))
    rows = {row["id"]: row for row in held}
    missing, unready = FaultList(), FaultList()
    for place, text in enumerate(texts):
        id_ = places[text]
        row = rows.get(id_) if id_ is not None else None
        if row is None:
            missing.add(f"#/timesheet_ids/{place}", "not_found", "names no timesheet")
        elif row["status"] != "submitted":
            unready.add(f"#/timesheet_ids/{place}", "not_submitted", f"is {row['status']}")
    missing.raise_if_any()
    if unready.faults:
        raise TimesheetState("Only submitted timesheets can be approved; none was.", errors=unready.faults)
    return list(rows.values())


def _held(where: list[Any]) -> Any:
    return select(*_sheets.c).where(_sheets.c.tenant_id == TENANT, *where).order_by(_sheets.c.id).with_for_update()
