"""What a person may do to a job: cancel it, or retry it when it has failed."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, Text, any_, false, func, literal, null, select
from sqlalchemy.dialects.postgresql import ARRAY

from backoffice.kernel import ids
from backoffice.kernel.errors import NotFound
from backoffice.platform import models
from backoffice.platform.jobs import ending, queries
from backoffice.platform.jobs.errors import NotCancelable, NotRetryable
from backoffice.platform.jobs.states import ENDED, STATUS
from backoffice.platform.outbox import HELD
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx

_job = models.job


async def cancel(tx: Tx, job_id: UUID) -> Row:
    """Cancel a job: at once when it does not run, else at its next border (the row then says `cancel_requested`).
    Its children are canceled with it. A job that is canceled already is returned as it is; NotCancelable for one that
    has ended otherwise; NotFound."""
    await ending.cancel_children(tx, job_id)
    row = await tx.row(select(_job).where(_job.c.tenant_id == TENANT, _job.c.id == job_id).with_for_update())
    if row is None:
        raise NotFound
    if row["state"] == "canceled":
        return row
    if row["state"] in ENDED:
        raise NotCancelable(f"The job has {STATUS[row['state']]}; only a queued or running job can be canceled.")
    canceled = await ending.cancel_now_or_ask(tx, job_id, row["state"])
    tx.audit("job.canceled", object_type="job", object_id=job_id, object_version=row["version"] + 1)
    return canceled or await queries.get(tx, job_id)


async def retry(tx: Tx, job_id: UUID, note: str) -> Row:
    """Run a failed job again, from its first unfinished step, with all its tries; and with it those of its children
    that did not succeed. `note` says why, and is kept in the audit. NotRetryable unless it has failed; NotFound."""
    children = await tx.fetch(
        select(_job.c.id)
        .where(_job.c.tenant_id == TENANT, _job.c.parent_id == job_id, _unsuccessful())
        .order_by(_job.c.id)
        .with_for_update()
    )
    row = await tx.row(
        select(_job.c.state, _job.c.parent_id).where(_job.c.tenant_id == TENANT, _job.c.id == job_id).with_for_update()
    )
    if row is None:
        raise NotFound
    if row["state"] != "dead":
        raise NotRetryable(f"The job is {STATUS[row['state']]}; only a failed job can be retried.")
    for child in children:
        await _requeue(tx, child["id"])
    again = await _requeue(tx, job_id)
    if row["parent_id"] is not None:
        await tx.execute(
            _job.update()
            .where(_job.c.tenant_id == TENANT, _job.c.id == row["parent_id"], _job.c.finished_at.is_(None))
            .values(progress_done=func.greatest(_job.c.progress_done - 1, 0), version=_job.c.version + 1)
        )
    tx.audit(
        "job.retried",
        object_type="job",
        object_id=job_id,
        object_version=again["version"],
        changed={"status": "queued", "job": ids.encode("job", job_id)},
        reason=note,
    )
    return again


async def _requeue(tx: Tx, job_id: UUID) -> Row:
    now = await tx.now()
    row = await tx.row(
        _job.update()
        .where(_job.c.tenant_id == TENANT, _job.c.id == job_id)
        .values(
            state="scheduled" if tx.in_turn else "ready",
            fence=_job.c.fence + 1,
            attempt=0,
            crashes=0,
            problem=null(),
            finished_at=null(),
            cancel_requested=false(),
            run_at=HELD if tx.in_turn else func.clock_timestamp(),
            version=_job.c.version + 1,
            updated_at=now,
        )
        .returning(*_job.c)
    )
    assert row is not None
    tx.rang = True
    tx.turn = "held" if tx.in_turn else tx.turn
    return row


def _unsuccessful() -> ColumnElement[bool]:
    return _job.c.state == any_(literal(["dead", "canceled"], ARRAY(Text)))
