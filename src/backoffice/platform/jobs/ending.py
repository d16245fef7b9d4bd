"""The end of a job, told in the transaction that makes it true, and what it means for its parent and its children."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, null, select, true

from backoffice.kernel import ids
from backoffice.platform import models
from backoffice.platform.effects import Effect
from backoffice.platform.events import Cause, EventType
from backoffice.platform.jobs import lease, registry
from backoffice.platform.jobs.errors import PayloadRefused
from backoffice.platform.jobs.events import JOB_CANCELED, JOB_FAILED, JOB_SUCCEEDED
from backoffice.platform.jobs.states import STATUS
from backoffice.platform.jobs.view import view
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx

_job = models.job
_EVENTS: dict[str, EventType] = {"succeeded": JOB_SUCCEEDED, "canceled": JOB_CANCELED, "dead": JOB_FAILED}


async def announce(tx: Tx, rows: Sequence[Row], causes: Mapping[UUID, Cause] | None = None) -> None:
    """Tell that jobs ended: their parents, or, for a job without one, the world. `causes`: by job, where that is not
    the transaction's own."""
    parents = Counter(row["parent_id"] for row in rows if row["parent_id"] is not None)
    for row in rows:
        if row["parent_id"] is None and not (row["state"] == "succeeded" and _quiet(row)):
            cause = None if causes is None else causes[row["id"]]
            told = view(tx.principal, row)
            tx.emit(_EVENTS[row["state"]], told, changed=["status"], effects=_effects(row), cause=cause)
    for parent_id, ended in sorted(parents.items()):
        await lease.children_ended(tx, parent_id, ended)


async def unfinished(tx: Tx, row: Row) -> None:
    """A job has ended without success: let its domain put its object right, then tell."""
    handled = registry.find(row["kind"], row["kind_version"])
    if handled is not None and handled.unfinished is not None:
        try:
            payload = handled.decode(row["kind_version"], row["payload"])
        except PayloadRefused:
            payload = None
        if payload is not None:
            await handled.unfinished(tx, payload, STATUS[row["state"]])
    await announce(tx, [row])


async def cancel_children(tx: Tx, parent_id: UUID) -> bool:
    """Cancel what has not begun, ask what runs to stop; whether a child is still open. Children are locked in the
    order of their ids and before their parent, as everywhere."""
    open_ = await tx.fetch(
        select(_job.c.id, _job.c.state)
        .where(_job.c.tenant_id == TENANT, _job.c.parent_id == parent_id, _job.c.finished_at.is_(None))
        .order_by(_job.c.id)
        .with_for_update()
    )
    left = False
    for child in open_:
        if not await cancel_now_or_ask(tx, child["id"], child["state"]):
            left = True
    return left


async def cancel_now_or_ask(tx: Tx, job_id: UUID, state: str) -> Row | None:
    """Cancel a locked job: the ended row when that took effect at once (the fence rises, so that a message on its
    way finds nothing), None when it runs and is asked to stop at its next border."""
    waits_for_children = state == "waiting" and await cancel_children(tx, job_id)
    at_once = state != "running" and not waits_for_children
    now = await tx.now()
    values = {"cancel_requested": true(), "version": _job.c.version + 1, "updated_at": now}
    if at_once:
        values |= {
            "state": "canceled",
            "fence": _job.c.fence + 1,
            "lease_until": null(),
            "finished_at": func.clock_timestamp(),
        }
    row = await tx.row(
        _job.update().where(_job.c.tenant_id == TENANT, _job.c.id == job_id).values(**values).returning(*_job.c)
    )
    assert row is not None
    if not at_once:
        return None
    tx.turn = tx.turn or "ended"
    await unfinished(tx, row)
    return row


def _quiet(row: Row) -> bool:
    handled = registry.find(row["kind"], row["kind_version"])
    return handled is not None and handled.payload.quiet


def _effects(row: Row) -> list[Effect]:
    if row["state"] == "succeeded":
        return []  # what it did is told by the events of what it changed
    status = STATUS[row["state"]]
    subject = ids.encode("job", row["id"])
    problem = row["problem"] or {}
    message = f"The job {row['kind']} was canceled before it had finished."
    ask = None
    if status == "failed":
        message = f"The job {row['kind']} has given up: {problem.get('title', 'something went wrong')}."
        ask = "Put right what the problem names, then retry the job."
    return [Effect(kind=f"job_{status}", subject=subject, after=status, message=message, ask=ask)]
