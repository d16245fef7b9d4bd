"""Deductions: what a worker agreed to have taken from pay; changed and ended by a merge patch."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from sqlalchemy import Table, select

from backoffice.kernel.errors import AlreadyExists, Fault, FaultList, NotFound, VersionConflict
from backoffice.people import events, models, queries
from backoffice.people.commands.facts import label
from backoffice.people.withholding import column_of, judge_deduction, stored
from backoffice.people.withholding_schemas import CreateDeduction, Deduction, UpdateDeduction
from backoffice.platform.db import Row, Tx
from backoffice.platform.effects import FRONT_OFFICE_AND_WORKER, Effect
from backoffice.platform.tables import TENANT
from backoffice.platform.web.bodies import find_id, merged_metadata

_deductions = models.deduction
_FIELDS = ("code", "amount", "percent", "effective_from", "effective_until", "total_goal", "yearly_goal")


async def create_deduction(tx: Tx, worker_id: str, data: CreateDeduction) -> Deduction:
    """Take a deduction from a worker's pay. ValidationFailed (422) with all faults."""
    worker = await queries.record(tx, models.worker, "worker", worker_id)
    values: dict[str, Any] = {column_of(name): stored(name, getattr(data, name)) for name in _FIELDS}
    faults = FaultList()
    judge_deduction(faults, values)
    faults.raise_if_any()
    own = {"worker_id": worker["id"], "external_id": data.external_id, "metadata": data.metadata}
    row = await tx.insert_or_none(_deductions, id=await tx.new_id(), **own, **values)
    if row is None:
        raise AlreadyExists(errors=[Fault("already_in_use", "is another deduction's", pointer="#/external_id")])
    view = queries.deduction_view(tx, row)
    words = f"{view.code} is deducted from paychecks of {label(worker)} from {view.effective_from} on."
    tx.emit(events.DEDUCTION_CREATED, view, effects=[_effect(view, words)])
    tx.audit("deduction.created", object_type="deduction", object_id=row["id"], changed={"code": view.code})
    return view


async def update_deduction(tx: Tx, id_: str, data: UpdateDeduction, if_version: int) -> Deduction:
    """Apply a merge patch. VersionConflict (412); ValidationFailed (422) with all faults of what it would be."""
    before = await locked(tx, _deductions, "deduction", id_, if_version)
    changed = differing(before, data)
    faults = FaultList()
    judge_deduction(faults, {**before, **changed})
    faults.raise_if_any()
    if not changed:
        return queries.deduction_view(tx, before)
    row = await tx.change(_deductions, before["id"], changed)
    assert row is not None
    view, earlier = queries.deduction_view(tx, row), queries.deduction_view(tx, before)
    fields = changed_fields(data, view, earlier)
    worker = await queries.record(tx, models.worker, "worker", view.worker_id)
    words = f"Of {view.code} of {label(worker)} changed: {', '.join(fields)}."
    previous = {name: getattr(earlier, name) for name in fields}
    tx.emit(events.DEDUCTION_UPDATED, view, changed=fields, previous=previous, effects=[_effect(view, words)])
    tx.audit(
        "deduction.updated",
        object_type="deduction",
        object_id=row["id"],
        object_version=row["version"],
        changed={"fields": fields},
    )
    return view


async def locked(tx: Tx, table: Table, kind: str, id_: str, if_version: int) -> Row:
    """The row that will be changed. NotFound; VersionConflict (412)."""
    object_id = await find_id(tx, table, kind, id_)
    row = await tx.row(select(*table.c).where(table.c.tenant_id == TENANT, table.c.id == object_id).with_for_update())
    if row is None:
        raise NotFound
    if row["version"] != if_version:
        raise VersionConflict(row["version"])
    return row


def differing(before: Row, data: Any) -> dict[str, Any]:
    """The columns that a merge patch makes another."""
    wanted: dict[str, Any] = {}
    for name in data.__struct_fields__:
        value = getattr(data, name)
        if value is not UNSET:
            metadata = name == "metadata"
            wanted[column_of(name)] = merged_metadata(before[name], value) if metadata else stored(name, value)
    return {name: value for name, value in wanted.items() if before[name] != value}


def changed_fields(data: Any, now: Any, before: Any) -> list[str]:
    """The fields whose shown value a patch changed."""
    return sorted(name for name in data.__struct_fields__ if getattr(now, name) != getattr(before, name))


def _effect(view: Deduction, words: str) -> Effect:
    until = None if view.effective_until is None else view.effective_until.isoformat()
    return Effect(
        kind="deduction_changed",
        subject=view.worker_id,
        after={"code": view.code, "effective_from": view.effective_from.isoformat(), "effective_until": until},
        visible_to=FRONT_OFFICE_AND_WORKER,
        message=words,
    )
