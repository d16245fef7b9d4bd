"""Withholding orders: what a court or an agency takes from a worker's pay; changed and ended by a merge patch."""

from __future__ import annotations

from typing import Any, Final

from backoffice.kernel.errors import AlreadyExists, Fault, FaultList
from backoffice.people import events, models, queries
from backoffice.people.commands import patches
from backoffice.people.commands.facts import label
from backoffice.people.commands.reveal import must_be_within_limit
from backoffice.people.withholding import column_of, judge_order, stored
from backoffice.people.withholding_schemas import (
    CreateWithholdingOrder,
    RevealedOrder,
    RevealOrder,
    UpdateWithholdingOrder,
    WithholdingOrder,
)
from backoffice.platform.crypto import Cell, Sealed
from backoffice.platform.tx import Tx

SHOWN = 4  # characters of a case number
_orders = models.withholding_order
_FIELDS = (
    "kind", "payee_name", "amount", "percent", "supports_other_family", "arrears_over_12_weeks", "dependents",
    "served_on", "effective_until",
)  # fmt: skip
_PATCHED: Final = patches.Patched(
    table=_orders,
    kind="withholding_order",
    named="kind",
    words="the order ({}) on pay of {}",
    event=events.WITHHOLDING_ORDER_UPDATED,
    judge=judge_order,
    view=queries.order_view,
)


async def create_order(tx: Tx, worker_id: str, data: CreateWithholdingOrder) -> WithholdingOrder:
    """Put an order on wages on file. ValidationFailed (422) with all faults."""
    worker = await queries.record(tx, models.worker, "worker", worker_id)
    values: dict[str, Any] = {column_of(name): stored(name, getattr(data, name)) for name in _FIELDS}
    values["effective_from"] = data.effective_from or data.served_on
    number = data.case_number.strip()
    faults = FaultList()
    if len(number) <= SHOWN:
        faults.add("#/case_number", "too_short", f"must have more than {SHOWN} characters, which are those shown")
    judge_order(faults, values)
    faults.raise_if_any()
    id_, cipher = await tx.new_id(), await tx.cipher()
    row = await tx.insert_or_none(
        _orders,
        id=id_,
        worker_id=worker["id"],
        case_number_sealed=cipher.seal(Cell("withholding_order", "case_number", id_), number),
        case_number_last4=number[-SHOWN:],
        external_id=data.external_id,
        metadata=data.metadata,
        **values,
    )
    if row is None:
        raise AlreadyExists(errors=[Fault("already_in_use", "is another order's", pointer="#/external_id")])
    view = queries.order_view(tx, row)
    words = f"An order ({view.kind}) is withheld from paychecks of {label(worker)} from {view.effective_from} on."
    tx.emit(events.WITHHOLDING_ORDER_CREATED, view, effects=[_PATCHED.effect(view, words)])
    told = {"kind": view.kind}
    tx.audit("withholding_order.created", object_type="withholding_order", object_id=row["id"], changed=told)
    return view


async def update_order(tx: Tx, id_: str, data: UpdateWithholdingOrder, if_version: int) -> WithholdingOrder:
    """Apply a merge patch. VersionConflict (412); ValidationFailed (422) with all faults of what it would be."""
    view: WithholdingOrder = await patches.apply(tx, _PATCHED, id_, data, if_version)
    return view


async def reveal_order(tx: Tx, id_: str, data: RevealOrder) -> RevealedOrder:
    """Show the case number for a named purpose; it counts as a number of the worker. RevealLimitReached (429)."""
    row = await queries.record(tx, _orders, "withholding_order", id_)
    await must_be_within_limit(tx, 1)
    tx.audit(
        "worker.revealed",
        object_type="withholding_order",
        object_id=row["id"],
        object_version=row["version"],
        changed={"field": "case_number"},
        reason=data.purpose,
    )
    shown = RevealedOrder(withholding_order_id=queries.order_view(tx, row).id, case_number=None)
    if not tx.dry_run:
        cell, cipher = Cell("withholding_order", "case_number", row["id"]), await tx.cipher()
        shown.case_number = cipher.open(cell, Sealed(bytes(row["case_number_sealed"])), purpose=data.purpose)
    return shown
