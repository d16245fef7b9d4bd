"""One thing after another: the jobs of a tenant whose test clock is being moved, or that is played from a seed.

Such a tenant's jobs are stored in the state `scheduled` and out of the dispatcher's sight (`outbox.HELD`). Whoever ends
a job, or stores one, looks in the same transaction who is next: the first by tenant time and id, once nothing of the
tenant is ready, released, running or between two tries. When nobody is left, whoever moves the clock is woken. So a
job runs when all that fell due before it has ended with everything it started, and no process has to stay for that: it
is as good at every kill as the rows are.

The row of the clock is locked first, and last of all that a transaction locks; from there on nothing is waited for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import bindparam, func, select

from backoffice.platform import models
from backoffice.platform.statements import Prepared
from backoffice.platform.tables import TENANT, Id, Instant

if TYPE_CHECKING:
    from backoffice.platform.tx import Tx

_job, _clock, _schedule = models.job.c, models.test_clock.c, models.schedule.c

_HOLD: Final = Prepared(
    select(
        _clock.frozen_time, _clock.job_id, (_clock.seed.is_not(None) | (_clock.status == "advancing")).label("turns")
    )
    .where(_clock.tenant_id == TENANT)
    .with_for_update(key_share=True)
)
# $1 tenant, $2 the tenant's time, $3 who moves the clock, $4 how many
_NEXT: Final = """
WITH busy AS MATERIALIZED (
  SELECT 1 FROM app.job WHERE tenant_id = $1 AND state IN ('ready', 'released', 'running', 'retry_wait') LIMIT 1),
held AS MATERIALIZED (
  SELECT id FROM app.job
   WHERE tenant_id = $1 AND state = 'scheduled' AND (due_at IS NULL OR due_at <= $2) AND NOT EXISTS (SELECT FROM busy)
   ORDER BY coalesce(due_at, created_at), id LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED),
mover AS MATERIALIZED (
  SELECT id FROM app.job
   WHERE tenant_id = $1 AND id = $3 AND state = 'waiting' AND NOT EXISTS (SELECT FROM busy)
     AND NOT EXISTS (SELECT FROM app.job AS other
                      WHERE other.tenant_id = $1 AND other.finished_at IS NULL AND other.id <> $3
                        AND (other.due_at IS NULL OR other.due_at <= $2))
   FOR NO KEY UPDATE SKIP LOCKED),
woken AS (SELECT id FROM held UNION ALL SELECT id FROM mover)
UPDATE app.job AS j SET state = 'ready', run_at = clock_timestamp()
  FROM woken WHERE j.tenant_id = $1 AND j.id = woken.id
RETURNING j.id"""
_ALL: Final = 1_000_000

_open_others = (
    select(_job.id)
    .where(
        _job.tenant_id == TENANT,
        _job.finished_at.is_(None),
        _job.id != bindparam("mover", type_=Id),
        _job.due_at.is_(None) | (_job.due_at <= bindparam("now", type_=Instant)),
    )
    .limit(1)
)
_NEXT_DUE: Final = Prepared(
    select(
        func.least(
            select(func.min(_job.due_at)).where(_job.tenant_id == TENANT, _job.state == "scheduled").scalar_subquery(),
            select(func.min(_schedule.due_at)).where(_schedule.tenant_id == TENANT).scalar_subquery(),
        )
    )
)


async def next_turn(tx: Tx) -> None:
    """At the end of a transaction that ended jobs or held some back: let the next one start."""
    clock = await tx.row(_HOLD)
    if clock is None or (tx.turn == "ended" and not clock["turns"]):
        return
    most = 1 if clock["turns"] else _ALL  # the clock came to rest while this transaction ran: nothing is held any more
    woken = await tx.connection.fetch(_NEXT, tx.tenant, clock["frozen_time"], clock["job_id"], most)
    tx.rang = tx.rang or bool(woken)


async def is_busy(tx: Tx, mover: UUID, now: datetime) -> bool:
    """Whether anything of the tenant that is due at `now` has not ended, besides the job that moves the clock."""
    return await tx.value(_open_others, mover=mover, now=now) is not None


async def next_due(tx: Tx) -> datetime | None:
    """When the first of the tenant's jobs and schedules that wait for its clock is due; None when none does."""
    found: datetime | None = await tx.value(_NEXT_DUE)
    return found
