"""Deductions: what a worker agreed to have taken from pay; changed and ended by a merge patch."""

from __future__ import annotations

from typing import Any, Final

from backoffice.kernel.errors import AlreadyExists, Fault, FaultList
from backoffice.people import events, models, queries
from backoffice.people.commands import patches
from backoffice.people.commands.facts import label
from backoffice.people.withholding import column_of, judge_deduction, stored
from backoffice.people.withholding_schemas import CreateDeduction, Deduction, UpdateDeduction
from backoffice.platform.tx import Tx

_deductions = models.deduction
_FIELDS = ("code", "amount", "percent", "effective_from", "effective_until", "total_goal", "yearly_goal")
_PATCHED: Final = patches.Patched(
    table=_deductions,
    kind="deduction",
    named="code",
    words="{} of {}",
    event=events.DEDUCTION_UPDATED,
    judge=judge_deduction,
    view=queries.deduction_view,
)


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
    tx.emit(events.DEDUCTION_CREATED, view, effects=[_PATCHED.effect(view, words)])
    tx.audit("deduction.created", object_type="deduction", object_id=row["id"], changed={"code": view.code})
    return view


async def update_deduction(tx: Tx, id_: str, data: UpdateDeduction, if_version: int) -> Deduction:
    """Apply a merge patch. VersionConflict (412); ValidationFailed (422) with all faults of what it would be."""
    view: Deduction = await patches.apply(tx, _PATCHED, id_, data, if_version)
    return view
