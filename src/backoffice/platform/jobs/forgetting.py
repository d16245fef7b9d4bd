"""Delete jobs that ended long ago. Until then they can be read, and retried where they failed."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Interval, any_, bindparam, exists, func, literal, select

from backoffice.platform import models
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Tx

KEPT: Final = timedelta(days=90)  # after the end, in database time

_job, _step, _log, _child = models.job.c, models.job_step.c, models.job_log.c, models.job.alias("child").c
_these = any_(bindparam("these", type_=ARRAY(Id)))
_OLD = (
    select(_job.id)
    .where(
        _job.tenant_id == TENANT,
        _job.parent_id.is_(None),
        _job.finished_at <= func.clock_timestamp() - literal(KEPT, Interval(native=True)),
        ~exists().where(_child.tenant_id == TENANT, _child.parent_id == _job.id, _child.finished_at.is_(None)),
    )
    .order_by(_job.finished_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_CHILDREN = select(_job.id).where(_job.tenant_id == TENANT, _job.parent_id == _these)
_STEPS = models.job_step.delete().where(_step.tenant_id == TENANT, _step.job_id == _these)
_LOGS = models.job_log.delete().where(_log.tenant_id == TENANT, _log.job_id == _these)
# One that somebody has just retried is left, and its parent's key then takes the whole part back.
_JOBS = models.job.delete().where(_job.tenant_id == TENANT, _job.id == _these, _job.finished_at.is_not(None))


async def forget_jobs(tx: Tx, most: int) -> int:
    """At most `most` jobs that no job started and that ended more than 90 days ago, with those that they started in
    their turn and all their steps and logs; how many, without these."""
    old: list[UUID] = [row["id"] for row in await tx.fetch(_OLD, most=most)]
    if old:
        tree, newest = list(old), old
        while newest:
            newest = [row["id"] for row in await tx.fetch(_CHILDREN, these=newest)]
            tree += newest
        await tx.execute(_STEPS, these=tree)
        await tx.execute(_LOGS, these=tree)
        await tx.execute(_JOBS, these=tree)
    return len(old)
