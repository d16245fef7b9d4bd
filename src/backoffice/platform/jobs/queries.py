"""Reads of jobs."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

from sqlalchemy import select

from backoffice.kernel.errors import NotFound
from backoffice.platform import models
from backoffice.platform.db import Database
from backoffice.platform.jobs.states import ENDED
from backoffice.platform.principal import Principal
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx

_job = models.job
_step = models.job_step
_log = models.job_log
LOG_SHOWN = 500
POLL_SECONDS = 0.05


async def get(tx: Tx, job_id: UUID) -> Row:
    """The row of a job, for `view.view`. NotFound."""
    row = await tx.row(select(_job).where(_job.c.tenant_id == TENANT, _job.c.id == job_id))
    if row is None:
        raise NotFound
    return row


async def by_key(tx: Tx, kind: str, key: str) -> Row | None:
    """The job that was submitted under a key."""
    return await tx.row(select(_job).where(_job.c.tenant_id == TENANT, _job.c.kind == kind, _job.c.key == key))


async def steps(tx: Tx, job_id: UUID) -> list[Row]:
    """The finished steps of a job (name, finished_at), in the order in which they finished."""
    return await tx.fetch(
        select(_step.c.name, _step.c.finished_at)
        .where(_step.c.tenant_id == TENANT, _step.c.job_id == job_id)
        .order_by(_step.c.finished_at, _step.c.name)
    )


async def log(tx: Tx, job_id: UUID) -> tuple[list[Row], bool]:
    """What the job's log holds, oldest first, and whether older entries were left out."""
    entries = await tx.fetch(
        select(*_log.c)
        .where(_log.c.tenant_id == TENANT, _log.c.job_id == job_id)
        .order_by(_log.c.at.desc(), _log.c.id.desc())
        .limit(LOG_SHOWN + 1)
    )
    return entries[:LOG_SHOWN][::-1], len(entries) > LOG_SHOWN


async def children(tx: Tx, parent_id: UUID) -> list[Row]:
    """The jobs that a job started, oldest first."""
    return await tx.fetch(
        select(_job).where(_job.c.tenant_id == TENANT, _job.c.parent_id == parent_id).order_by(_job.c.id)
    )


async def wait_until_ended(db: Database, principal: Principal, job_id: UUID, seconds: float) -> Row | None:
    """The row of a job once it has ended, or None when it has not within `seconds` (`Prefer: wait=…`). Looks every
    50 ms in a short transaction, and holds no connection between. NotFound."""
    until = time.monotonic() + seconds
    while True:
        async with db.tx(principal, request_id="system:wait", read_only=True) as tx:
            row = await get(tx, job_id)
        if row["state"] in ENDED:
            return row
        if time.monotonic() >= until:
            return None
        await asyncio.sleep(POLL_SECONDS)
