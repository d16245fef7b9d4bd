"""Assignments: a worker at a client, made, changed, ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from msgspec import UNSET
from sqlalchemy import Table, func, select

from backoffice.kernel.errors import Fault, FaultList, NotFound, ValidationFailed, VersionConflict
from backoffice.kernel.places import STATES
from backoffice.people import queries as people
from backoffice.people.localities import check_locality
from backoffice.platform.effects import FRONT_OFFICE_AND_WORKER, Effect
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import find_id, merged_metadata
from backoffice.staffing import events, models, queries
from backoffice.staffing.errors import AssignmentEnded, AssignmentExists
from backoffice.staffing.schemas import (
    Assignment,
    CreateAssignment,
    EndAssignment,
    RatePatch,
    UpdateAssignment,
    WorkPlace,
    WorkPlacePatch,
)
from backoffice.staffing.units import micros, rate_text

_NOT_POSITIVE = ("not_positive", "must be more than 0")
_assignments, _sheets, _entries = models.assignment, models.timesheet, models.timesheet_entry


async def create_assignment(tx: Tx, data: CreateAssignment) -> Assignment:
    """Assign a worker to a client. ValidationFailed (422) with all faults; AssignmentExists (409)."""
    faults = FaultList()
    worker_id = await _worker(tx, faults, data.worker_id)
    client_id = await referenced(tx, faults, models.client, "client", "#/client_id", data.client_id)
    _check_place(faults, _columns(data.work_place))
    if micros(data.pay_rate.amount) == 0:
        faults.add("#/pay_rate/amount", *_NOT_POSITIVE)
    if data.ended_on is not None and data.ended_on < data.started_on:
        faults.add("#/ended_on", "before_start", "must not be before started_on")
    faults.raise_if_any()
    row = await tx.insert_or_none(
        _assignments,
        id=await tx.new_id(),
        worker_id=worker_id,
        client_id=client_id,
        job_title=data.job_title,
        pay_rate_micros=micros(data.pay_rate.amount),
        bill_rate_micros=micros(data.bill_rate.amount),
        started_on=data.started_on,
        ended_on=data.ended_on,
        external_id=data.external_id,
        metadata=data.metadata,
        **_columns(data.work_place),
    )
    if row is None:
        fault = Fault("already_in_use", "is another assignment's", pointer="#/external_id")
        raise AssignmentExists(errors=[fault])
    view = queries.assignment_view(tx, row)
    whose = (await people.worker_labels(tx, [row["worker_id"]]))[row["worker_id"]]
    effect = Effect(
        kind="worker_assigned",
        subject=view.worker_id,
        after={"assignment": view.id, "pay_rate": {"amount": view.pay_rate.amount, "currency": "USD"}},
        visible_to=FRONT_OFFICE_AND_WORKER,
        message=f"The {whose} works as {row['job_title']} in {row['work_city']}, {row['work_state']}, from "
        f"{row['started_on']} at {view.pay_rate.amount} USD an hour.",
    )
    tx.emit(events.ASSIGNMENT_CREATED, view, effects=[effect])
    tx.audit("assignment.created", object_type="assignment", object_id=row["id"])
    return view


async def update_assignment(tx: Tx, id_: str, data: UpdateAssignment, if_version: int) -> Assignment:
    """Apply a merge patch; nothing is told when nothing differs. A new rate holds for all hours that are in no payroll
    run yet. VersionConflict (412); ValidationFailed (422)."""
    before = await queries.record(tx, _assignments, "assignment", id_)
    faults = FaultList()
    wanted: dict[str, Any] = {}
    if data.job_title is not UNSET:
        wanted["job_title"] = data.job_title
    for name, rate in (("pay_rate", data.pay_rate), ("bill_rate", data.bill_rate)):
        if isinstance(rate, RatePatch) and isinstance(rate.amount, str):
            wanted[f"{name}_micros"] = micros(rate.amount)
    if wanted.get("pay_rate_micros") == 0:
        faults.add("#/pay_rate/amount", *_NOT_POSITIVE)
    if isinstance(data.work_place, WorkPlacePatch):
        wanted |= _columns(data.work_place)
        _check_place(faults, {**before, **wanted})
    faults.raise_if_any()
    if data.metadata is not UNSET:
        wanted["metadata"] = merged_metadata(before["metadata"], data.metadata)
    changed = {name: value for name, value in wanted.items() if value != before[name]}
    if not changed:
        if before["version"] != if_version:
            raise VersionConflict(before["version"])
        return queries.assignment_view(tx, before)
    row = await tx.change(_assignments, before["id"], changed, if_version=if_version)
    assert row is not None
    view = queries.assignment_view(tx, row)
    fields = sorted({_shown_as(name) for name in changed})
    tx.emit(events.ASSIGNMENT_UPDATED, view, changed=fields, effects=_effects(view, before, changed))
    tx.audit(
        "assignment.updated",
        object_type="assignment",
        object_id=row["id"],
        object_version=row["version"],
        changed={"fields": fields},
    )
    return view


async def end_assignment(tx: Tx, id_: str, data: EndAssignment) -> Assignment:
    """Set the last day of work. AssignmentEnded (409); ValidationFailed (422) when it is before the start, or when
    hours are on file after it."""
    assignment_id = await find_id(tx, _assignments, "assignment", id_)
    before = await tx.row(
        select(*_assignments.c)
        .where(_assignments.c.tenant_id == TENANT, _assignments.c.id == assignment_id)
        .with_for_update()
    )
    if before is None:
        raise NotFound
    if before["status"] == "ended":
        raise AssignmentEnded(f"It ended on {before['ended_on']}.")
    last = await _last_day_with_hours(tx, assignment_id)
    if data.ended_on < before["started_on"]:
        detail = f"must not be before the start on {before['started_on']}"
        raise ValidationFailed([Fault("before_start", detail, pointer="#/ended_on")])
    if last is not None and data.ended_on < last:
        raise ValidationFailed([Fault("hours_after_end", f"hours are on file on {last}", pointer="#/ended_on")])
    row = await tx.change(_assignments, assignment_id, {"status": "ended", "ended_on": data.ended_on})
    assert row is not None
    view = queries.assignment_view(tx, row)
    effect = Effect(
        kind="assignment_ended",
        subject=view.id,
        after={"ended_on": data.ended_on.isoformat()},
        visible_to=FRONT_OFFICE_AND_WORKER,
        message=f"The assignment as {row['job_title']} ends on {data.ended_on}; hours up to then are still paid.",
    )
    previous = {"status": "active", "ended_on": None if before["ended_on"] is None else str(before["ended_on"])}
    tx.emit(events.ASSIGNMENT_ENDED, view, changed=["status", "ended_on"], previous=previous, effects=[effect])
    tx.audit("assignment.ended", object_type="assignment", object_id=row["id"], object_version=row["version"])
    return view


async def referenced(tx: Tx, faults: FaultList, table: Table, kind: str, pointer: str, text: str) -> UUID | None:
    """What a body's reference (`cli_…` or `ext:…`) names; a fault when it names nothing here."""
    try:
        found: UUID = (await queries.record(tx, table, kind, text))["id"]
    except NotFound:
        faults.add(pointer, "not_found", f"names no {kind}; give its id, or ext: and its external_id")
        return None
    return found


async def _worker(tx: Tx, faults: FaultList, text: str) -> UUID | None:
    try:
        return await people.worker_id(tx, text)
    except NotFound:
        faults.add("#/worker_id", "not_found", "names no worker; give its id, or ext: and its external_id")
        return None


async def _last_day_with_hours(tx: Tx, assignment_id: UUID) -> Any:
    return await tx.value(
        select(func.max(_entries.c.work_date))
        .select_from(_entries.join(_sheets, _sheets.c.id == _entries.c.timesheet_id))
        .where(_entries.c.tenant_id == TENANT, _sheets.c.tenant_id == TENANT, _sheets.c.assignment_id == assignment_id)
    )


def _effects(view: Assignment, before: Row, changed: dict[str, Any]) -> list[Effect]:
    effects = []
    for name, word in (("pay_rate", "pay"), ("bill_rate", "bill")):
        if f"{name}_micros" in changed:
            was, is_ = rate_text(before[f"{name}_micros"]), getattr(view, name).amount
            effects.append(
                Effect(
                    kind=f"{name}_changed",
                    subject=view.id,
                    before={"amount": was, "currency": "USD"},
                    after={"amount": is_, "currency": "USD"},
                    visible_to=FRONT_OFFICE_AND_WORKER if word == "pay" else ("front_office",),
                    message=f"The {word} rate is {is_} USD an hour and not {was}, for all hours in no payroll run yet.",
                )
            )
    if any(name.startswith("work_") for name in changed):
        place = {"city": view.work_place.city, "state": view.work_place.state}
        message = f"The work is done in {place['city']}, {place['state']}; taxes follow the place of work."
        effects.append(Effect(kind="work_place_changed", subject=view.id, after=place, message=message))
    return effects


def _shown_as(column: str) -> str:
    if column.startswith("work_"):
        return "work_place"
    return column.removesuffix("_micros")


def _columns(place: WorkPlace | WorkPlacePatch) -> dict[str, Any]:
    names = ("city", "state", "postal_code", "locality")
    given = {f"work_{name}": getattr(place, name) for name in names}
    return {column: value for column, value in given.items() if value is not UNSET}


def _check_place(faults: FaultList, place: Mapping[str, Any]) -> None:
    """Columns of a place of work, whole."""
    if place["work_state"] not in STATES:
        faults.add("#/work_place/state", "unknown_state", "must be one of the fifty states or DC")
    check_locality(faults, place["work_state"], place["work_locality"], "#/work_place/locality")
