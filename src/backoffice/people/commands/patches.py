"""How a deduction or an order changes: a merge patch of a locked row, judged as what it would be, and told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET
from sqlalchemy import Table

from backoffice.kernel.errors import AlreadyExists, Fault, FaultList, VersionConflict
from backoffice.people import models, queries
from backoffice.people.commands.facts import label
from backoffice.people.withholding import column_of, stored
from backoffice.platform.effects import FRONT_OFFICE_AND_WORKER, Effect
from backoffice.platform.events import EventType
from backoffice.platform.tx import Row, Taken, Tx
from backoffice.platform.web.bodies import merged_metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Patched:
    """One kind of record that is patched; `named` is the field that says what it takes, `words` a record of it in a
    sentence, from that and the worker."""

    table: Table
    kind: str
    named: str
    words: str
    event: EventType
    judge: Callable[[FaultList, Mapping[str, Any]], None]
    view: Callable[[Tx, Row], Any]

    def effect(self, view: Any, message: str) -> Effect:
        until = None if view.effective_until is None else view.effective_until.isoformat()
        name = self.named
        return Effect(
            kind=f"{self.kind}_changed",
            subject=view.worker_id,
            after={
                name: getattr(view, name),
                "effective_from": view.effective_from.isoformat(),
                "effective_until": until,
            },
            visible_to=FRONT_OFFICE_AND_WORKER,
            message=message,
        )


async def apply(tx: Tx, patched: Patched, id_: str, data: Any, if_version: int) -> Any:
    """The view of the record as it is then; nothing is told when nothing differs. NotFound; VersionConflict (412);
    AlreadyExists (409); ValidationFailed (422) with all faults of what it would be."""
    before = await queries.record(tx, patched.table, patched.kind, id_, lock=True)
    if before["version"] != if_version:
        raise VersionConflict(before["version"])
    changed = _differing(before, data)
    faults = FaultList()
    patched.judge(faults, {**before, **changed})
    faults.raise_if_any()
    earlier = patched.view(tx, before)
    if not changed:
        return earlier
    try:
        async with tx.savepoint():
            row = await tx.change(patched.table, before["id"], changed)
    except Taken as taken:
        raise AlreadyExists(errors=[Fault("already_in_use", "is another record's", pointer="#/external_id")]) from taken
    assert row is not None
    view = patched.view(tx, row)
    fields = sorted(name for name in data.__struct_fields__ if getattr(view, name) != getattr(earlier, name))
    worker = await queries.record(tx, models.worker, "worker", view.worker_id)
    what = patched.words.format(getattr(view, patched.named), label(worker))
    effects = [patched.effect(view, f"Of {what} changed: {', '.join(fields)}.")]
    previous = {name: getattr(earlier, name) for name in fields}
    tx.emit(patched.event, view, changed=fields, previous=previous, effects=effects)
    tx.audit(
        f"{patched.kind}.updated",
        object_type=patched.kind,
        object_id=row["id"],
        object_version=row["version"],
        changed={"fields": fields},
    )
    return view


def _differing(before: Row, data: Any) -> dict[str, Any]:
    """The columns that a merge patch makes another."""
    wanted: dict[str, Any] = {}
    for name in data.__struct_fields__:
        value = getattr(data, name)
        if value is not UNSET:
            metadata = name == "metadata"
            wanted[column_of(name)] = merged_metadata(before[name], value) if metadata else stored(name, value)
    return {name: value for name, value in wanted.items() if before[name] != value}
