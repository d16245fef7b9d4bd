"""Emptying a test tenant.

Everything before one moment is gone, everything after it stays: the rows are deleted in one transaction, for which all
others that write in the tenant are waited for. What a worker still has in hand is fenced off first."""

from __future__ import annotations

from typing import Final

from sqlalchemy import any_, func, literal, null, select, true
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from backoffice.accounts import clocks
from backoffice.accounts import queries as accounts
from backoffice.kernel import ids
from backoffice.platform import models, wiping
from backoffice.platform.effects import Effect
from backoffice.platform.jobs import queries as job_queries
from backoffice.platform.jobs import schedules
from backoffice.platform.jobs.states import ENDED, LEASED
from backoffice.platform.jobs.view import JobView
from backoffice.platform.jobs.view import view as job_view
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx
from backoffice.sandbox.errors import TenantResetting
from backoffice.sandbox.events import TENANT_RESET
from backoffice.sandbox.schemas import ResetTenant
from backoffice.webhooks import commands as webhooks

SCOPE: Final = "POST /v1/test/resets"  # of its idempotent answers, which stay: a repeat must not empty what came after
_job = models.job.c
_OTHERS: Final = (_job.tenant_id == TENANT, _job.kind != ResetTenant.kind, _job.finished_at.is_(None))
_LAST: Final = (
    select(_job.id, _job.state)
    .where(_job.tenant_id == TENANT, _job.kind == ResetTenant.kind)
    .order_by(_job.finished_at.desc().nulls_first(), _job.id.desc())
    .limit(1)
)


async def reset(tx: Tx) -> JobView:
    """Start to empty the tenant; where a job does so already, that one. TestTenantsOnly (409) in a live tenant."""
    await clocks.must_be_movable(tx)
    await tx.leave_seed()
    last = await tx.row(_LAST)
    if last is None or last["state"] in ENDED:  # the key: of two who ask at once the second gets the first one's
        job_id = await tx.start(ResetTenant(), key="first" if last is None else f"after {last['id']}")
        tx.audit("tenant.reset_started", object_type="tenant", object_id=tx.tenant)
        await tx.flush()
    else:
        job_id = last["id"]
    return job_view(tx.principal, await job_queries.get(tx, job_id))


async def must_be_over(tx: Tx) -> None:
    """TenantResetting (409) while a reset has not come to its end: its files, at least, may still be there."""
    last = await tx.row(_LAST)
    if last is not None and last["state"] != "succeeded":
        job, ended = ids.encode("job", last["id"]), last["state"] in ENDED
        raise TenantResetting(f"{job} came to no end; reset it again." if ended else f"Wait for {job}.")


async def preview(tx: Tx, payload: ResetTenant) -> None:
    """Inside a dry run: what would go, counted."""
    await _tell(tx, await wiping.count(tx, ResetTenant.kind, SCOPE))


# ---------------------------------------------------------------------------------------------------- from the job


async def stop(tx: Tx) -> bool:
    """End every other job where it stands, and what the courier has to send; whether a worker had one of them in hand.
    No step of such a job commits any more: the fences have risen."""
    running = await tx.value(
        select(func.count()).where(*_OTHERS, _job.state == any_(literal(list(LEASED), ARRAY(TEXT))))
    )
    await tx.execute(
        models.job.update()
        .where(*_OTHERS)
        .values(
            state="canceled",
            cancel_requested=true(),
            fence=_job.fence + 1,
            lease_until=null(),
            finished_at=func.clock_timestamp(),
        )
    )
    await webhooks.drop_deliveries(tx)
    return bool(running)


async def wipe(tx: Tx) -> dict[str, int]:
    """Delete the tenant's rows, set its clock free, and tell it. Alone in the tenant."""
    gone = await wiping.wipe(tx, ResetTenant.kind, SCOPE)
    await schedules.clock_is_real_again(tx)
    await _tell(tx, gone)
    tx.audit("tenant.reset", object_type="tenant", object_id=tx.tenant, changed=gone)
    return gone


async def _tell(tx: Tx, gone: dict[str, int]) -> None:
    view = await accounts.tenant(tx)
    total = sum(gone.values())
    effect = Effect(
        kind="tenant_reset",
        subject=view.id,
        after={"rows": total, "of": gone},
        message=f"All that was made in this test tenant is gone ({total} rows), and its clock is the real one.",
        ask="Forget what you hold of it, ids too, which may come again. What was numbered before this and has not come "
        "does not come: count on from the number of this event.",
    )
    tx.emit(TENANT_RESET, view, effects=[effect])
