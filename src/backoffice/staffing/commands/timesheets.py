"""Timesheets: begun, corrected, submitted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from msgspec import UNSET
from sqlalchemy import select

from backoffice.kernel import ids
from backoffice.kernel.dates import workweek
from backoffice.kernel.errors import AlreadyExists, Fault, FaultList, VersionConflict
from backoffice.people import queries as people
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Taken, Tx
from backoffice.platform.web.bodies import find_id, merged_metadata
from backoffice.staffing import events, models, queries
from backoffice.staffing.commands import hours
from backoffice.staffing.commands.assignments import referenced
from backoffice.staffing.errors import TimesheetExists, TimesheetState
from backoffice.staffing.models import DAY_HUNDREDTHS
from backoffice.staffing.schemas import CreateTimesheet, Entry, Timesheet, UpdateTimesheet
from backoffice.staffing.units import hundredths

_sheets = models.timesheet


async def create_timesheet(tx: Tx, data: CreateTimesheet) -> Timesheet:
    """Begin the timesheet of an assignment's week. ValidationFailed (422) with all faults; TimesheetExists (409)."""
    faults = FaultList()
    assignment_id = await referenced(tx, faults, models.assignment, "assignment", "#/assignment_id", data.assignment_id)
    if not hours.is_sensible(data.week_start):
        faults.add("#/week_start", "out_of_range", "must be a day from 2000 to 2199")
    faults.raise_if_any()
    assert assignment_id is not None
    assignment = await queries.record(tx, models.assignment, "assignment", data.assignment_id)
    worker_id = assignment["worker_id"]
    starts = (await people.workweek_starts(tx, [worker_id])).get(worker_id, 0)
    begins = workweek(data.week_start, starts).begin
    if begins != data.week_start:
        faults.add("#/week_start", "not_a_week_start", f"the worker's workweek that holds this day starts on {begins}")
    wanted = await _checked(tx, faults, assignment, data.week_start, data.entries, before={})
    faults.raise_if_any()
    row = await tx.insert_or_none(
        _sheets,
        id=await tx.new_id(),
        assignment_id=assignment_id,
        worker_id=worker_id,
        week_start=data.week_start,
        status="draft",
        total_hundredths=hours.total(wanted),
        external_id=data.external_id,
        metadata=data.metadata,
    )
    if row is None:
        raise await _there_is(tx, assignment_id, data)
    await _put(tx, row, wanted)
    view = (await queries.timesheet_views(tx, [row]))[0]
    whose = (await people.worker_labels(tx, [worker_id]))[worker_id]
    tx.emit(events.TIMESHEET_CREATED, view, effects=[hours.effect(hours.CHANGED, row, whose)])
    tx.audit("timesheet.created", object_type="timesheet", object_id=row["id"])
    return view


async def update_timesheet(tx: Tx, id_: str, data: UpdateTimesheet, if_version: int) -> Timesheet:
    """Replace the hours; the timesheet is a draft again and the version before is kept. Nothing is told when nothing
    differs. VersionConflict (412);
    TimesheetState or TimesheetInPayrollRun (409); ValidationFailed (422)."""
    before = await hours.locked(tx, await find_id(tx, _sheets, "timesheet", id_))
    if before["version"] != if_version:
        raise VersionConflict(before["version"])
    hours.must_allow(before, "draft")
    faults = FaultList()
    entries = await queries.entries_of(tx, [before["id"]])
    current = {row["work_date"]: (row["hundredths"], row["external_id"]) for row in entries.get(before["id"], [])}
    wanted: hours.Hours = current
    if data.entries is not UNSET:
        assignment = await _assignment_of(tx, before)
        wanted = await _checked(
            tx, faults, assignment, before["week_start"], data.entries, before=_counted(before, current)
        )
    faults.raise_if_any()
    values: dict[str, Any] = {}
    if data.metadata is not UNSET:
        merged = merged_metadata(before["metadata"], data.metadata)
        values |= {"metadata": merged} if merged != before["metadata"] else {}
    if dict(wanted) == current and not values:
        return (await queries.timesheet_views(tx, [before]))[0]
    if dict(wanted) != current:
        await hours.keep_versions(tx, [before], entries)
        await _put(tx, before, wanted)
        values |= {
            "status": "draft",
            "total_hundredths": hours.total(wanted),
            "submitted_at": None,
            "rejected_reason": None,
        }
    row = await tx.change(_sheets, before["id"], values)
    assert row is not None
    view = (await queries.timesheet_views(tx, [row]))[0]
    whose = (await people.worker_labels(tx, [row["worker_id"]]))[row["worker_id"]]
    effect = hours.effect(hours.CHANGED, row, whose, before=before["total_hundredths"])
    changed = sorted({"entries", "status"} if "status" in values else set(values))
    tx.emit(events.TIMESHEET_UPDATED, view, changed=changed, previous={"status": before["status"]}, effects=[effect])
    tx.audit(
        "timesheet.updated",
        object_type="timesheet",
        object_id=row["id"],
        object_version=row["version"],
        changed={"fields": changed},
    )
    return view


async def submit(tx: Tx, id_: str) -> Timesheet:
    """Ask for approval. TimesheetState (409) when it has no hours, or is submitted or approved already."""
    before = await hours.locked(tx, await find_id(tx, _sheets, "timesheet", id_))
    if before["status"] == "submitted":
        raise TimesheetState("It is submitted already.", extra={"timesheet_status": "submitted"})
    hours.must_allow(before, "submitted")
    if before["total_hundredths"] == 0:
        raise TimesheetState(
            "It has no hours; add them before you submit it.", extra={"timesheet_status": before["status"]}
        )
    entries = await queries.entries_of(tx, [before["id"]])
    if before["status"] == "rejected":  # its hours count again
        await _check_days(tx, before, entries[before["id"]])
    await hours.keep_versions(tx, [before], entries)
    values = {"status": "submitted", "submitted_at": await tx.now(), "rejected_reason": None}
    row = await tx.change(_sheets, before["id"], values)
    assert row is not None
    view = (await queries.timesheet_views(tx, [row]))[0]
    tell_submitted(tx, view, row, before["status"], (await people.worker_labels(tx, [row["worker_id"]])))
    return view


def tell_submitted(tx: Tx, view: Timesheet, row: Row, was: str | None, labels: dict[Any, str]) -> None:
    """The event, effect and audit row of a submission; `was` is the state left, None for a new timesheet."""
    effect = hours.effect(hours.SUBMITTED, row, labels[row["worker_id"]], ask="Approve or reject the hours.")
    previous = None if was is None else {"status": was}
    tx.emit(events.TIMESHEET_SUBMITTED, view, changed=["status"], previous=previous, effects=[effect])
    tx.audit("timesheet.submitted", object_type="timesheet", object_id=row["id"], object_version=row["version"])


async def _there_is(tx: Tx, assignment_id: UUID, data: CreateTimesheet) -> TimesheetExists:
    """Which timesheet stands in the way, and by what."""
    of_week = await tx.value(
        select(_sheets.c.id).where(
            _sheets.c.tenant_id == TENANT,
            _sheets.c.assignment_id == assignment_id,
            _sheets.c.week_start == data.week_start,
        )
    )
    if of_week is None:
        fault = Fault("already_in_use", "is another timesheet's", pointer="#/external_id")
        return TimesheetExists(errors=[fault])
    named = ids.encode("timesheet", of_week)
    fault = Fault("already_in_use", f"is the week of {named}; change that timesheet instead", pointer="#/week_start")
    return TimesheetExists(errors=[fault], extra={"timesheet_id": named})


async def _checked(
    tx: Tx, faults: FaultList, assignment: Row, week_start: date, entries: Sequence[Entry], *, before: hours.Hours
) -> hours.Hours:
    """The hours asked for; faults for days that cannot be. `before` is what this timesheet counts for today."""
    await hours.hold_workers(tx, [assignment["worker_id"]])
    days = {entry.date for entry in entries if hours.is_sensible(entry.date)}
    on_file = await hours.worked(tx, [assignment["worker_id"]], days)
    wanted: dict[date, tuple[int, str | None]] = {}
    for place, entry in enumerate(entries):
        asked = hundredths(entry.hours)
        fault = hours.day_fault(assignment, week_start, entry.date, asked)
        if entry.date in wanted:
            faults.add(f"#/entries/{place}/date", "repeated", "each day may stand here once")
            continue
        wanted[entry.date] = (asked, entry.external_id)
        if fault is not None:
            field = "hours" if fault[0] == "hours_out_of_range" else "date"
            faults.add(f"#/entries/{place}/{field}", *fault)
            continue
        others = on_file.get((assignment["worker_id"], entry.date), 0) - before.get(entry.date, (0, None))[0]
        if others + asked > DAY_HUNDREDTHS:
            faults.add(f"#/entries/{place}/hours", *hours.too_many(others + asked))
    return wanted


async def _check_days(tx: Tx, sheet: Row, entries: Sequence[Row]) -> None:
    """ValidationFailed when other timesheets leave no room for these hours on a day."""
    await hours.hold_workers(tx, [sheet["worker_id"]])
    others = await hours.worked(tx, [sheet["worker_id"]], {entry["work_date"] for entry in entries})
    faults = FaultList()
    for place, entry in enumerate(entries):
        total = others.get((sheet["worker_id"], entry["work_date"]), 0) + entry["hundredths"]
        if total > DAY_HUNDREDTHS:
            faults.add(f"#/entries/{place}/hours", *hours.too_many(total))
    faults.raise_if_any()


def _counted(row: Row, current: hours.Hours) -> hours.Hours:
    """What the timesheet counts for in `hours.worked`: nothing while it is rejected."""
    return {} if row["status"] == "rejected" else current


async def _assignment_of(tx: Tx, sheet: Row) -> Row:
    held = await hours.hold_workers(tx, [sheet["worker_id"]])
    return next(row for row in held if row["id"] == sheet["assignment_id"])


async def _put(tx: Tx, row: Row, wanted: hours.Hours) -> None:
    try:
        async with tx.savepoint():
            await hours.put_entries(tx, row["id"], wanted)
    except Taken as taken:
        fault = Fault("already_in_use", "an external_id is that of an entry of another timesheet", pointer="#/entries")
        raise AlreadyExists(errors=[fault]) from taken
