"""What the holder of a lease writes to its job, as `bo_app` in the tenant's transaction.

Each statement repeats tenant, id and fence; every move out of `running` raises the fence, so that whoever held the
lease before changes no row. The state is guarded by the claim alone (a partial index on the state with stale
statistics once went quadratic)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Interval,
    Text,
    Update,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from backoffice.platform import models
from backoffice.platform.jobs.errors import LeaseLost
from backoffice.platform.jobs.states import RELEASABLE
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx

CRASH_LIMIT: Final = 3  # without a finished step between them
Progress = tuple[int, int, str | None]  # done, of how many, in words
LINES_MOST: Final = 200  # that a job may say

_job = models.job
_step = models.job_step
_clock = models.test_clock
_DB_NOW = func.clock_timestamp()
TENANT_NOW: Final[ColumnElement[datetime]] = func.date_trunc(
    "milliseconds",
    func.coalesce(select(_clock.c.frozen_time).where(_clock.c.tenant_id == TENANT).scalar_subquery(), func.now()),
)
"""The tenant's clock inside a statement, as `Tx.now` tells it: no question of its own."""

PARENT: Final = bindparam("parent", type_=Id)
_MINE = (
    _job.c.tenant_id == TENANT,
    _job.c.id == bindparam("job", type_=Id),
    _job.c.fence == bindparam("held", type_=BigInteger),
)


_SEEN: Final[Mapping[str, Any]] = {"version": _job.c.version + 1, "updated_at": TENANT_NOW}

# The two below are said for many jobs at once, in a transaction that is `by_key`: each row is found by its place in the
# array of ids, and locked in the order of the ids, whatever the table held when the statement was prepared. A join with
# the array could be planned as a walk through all of the tenant's rows.
# `coalesce` keeps the claim from the partial index on leased jobs, where many dead entries may stand in the way.
_CLAIM = """
UPDATE app.job AS j
   SET state = 'running', attempt = j.attempt + 1, worker = $4, started_at = clock_timestamp(),
       began_at = coalesce(j.began_at, clock.now), lease_until = clock_timestamp() + $5::interval,
       version = j.version + 1, updated_at = clock.now
  FROM (SELECT date_trunc('milliseconds', coalesce(c.frozen_time, now())) AS now,
               coalesce(c.seed IS NOT NULL OR c.status = 'advancing', false) AS in_turn
          FROM (SELECT 1) AS one LEFT JOIN app.test_clock AS c ON c.tenant_id = $1) AS clock
 WHERE j.tenant_id = $1 AND j.id = ANY ($2::uuid[]) AND j.fence = ($3::bigint[])[array_position($2::uuid[], j.id)]
   AND coalesce(j.state, '') = 'released'
RETURNING j.*, clock.now AS tenant_now, clock.in_turn AS in_turn"""
_SUCCEED = """
UPDATE app.job AS j
   SET state = 'succeeded', fence = j.fence + 1, lease_until = NULL, finished_at = clock_timestamp(), problem = NULL,
       result = ($4::text[])[array_position($2::uuid[], j.id)]::jsonb, version = j.version + 1, updated_at = clock.now,
       progress_done = coalesce(($5::int[])[array_position($2::uuid[], j.id)], j.progress_done),
       progress_total = coalesce(($6::int[])[array_position($2::uuid[], j.id)], j.progress_total),
       progress_text = CASE WHEN ($5::int[])[array_position($2::uuid[], j.id)] IS NULL THEN j.progress_text
                            ELSE ($7::text[])[array_position($2::uuid[], j.id)] END
  FROM (SELECT date_trunc('milliseconds', coalesce(
         (SELECT frozen_time FROM app.test_clock WHERE tenant_id = $1), now())) AS now) AS clock
 WHERE j.tenant_id = $1 AND j.id = ANY ($2::uuid[]) AND j.fence = ($3::bigint[])[array_position($2::uuid[], j.id)]
RETURNING j.*"""
_STEPS = select(_step.c.job_id, _step.c.name, _step.c.result).where(
    _step.c.tenant_id == TENANT, _step.c.job_id == func.any(bindparam("jobs", type_=ARRAY(Id)))
)
_open_children = (
    exists().where(_job.c.tenant_id == TENANT, _job.c.parent_id == PARENT, _job.c.finished_at.is_(None)).correlate(None)
)


_log = models.job_log
_said = (
    select(func.count())
    .select_from(_log)
    .where(_log.c.tenant_id == TENANT, _log.c.job_id == bindparam("job", type_=Id), _log.c.said.is_not(None))
    .scalar_subquery()
)
_SAY = insert(_log).from_select(
    ["tenant_id", "job_id", "fence", "said"],
    select(_job.c.tenant_id, _job.c.id, _job.c.fence, bindparam("text", type_=Text)).where(*_MINE, _said < LINES_MOST),
)


async def claim(tx: Tx, held: Sequence[tuple[UUID, int]], *, worker: str, lease: timedelta) -> list[Row]:
    """Take released jobs (id, fence): a row of `app.job` and `tenant_now` for each, none for what is stale, doubled
    or forged. Counts the attempt. The transaction is `by_key`."""
    jobs, fences = ([each[place] for each in held] for place in (0, 1))
    rows: list[Row] = await tx.connection.fetch(_CLAIM, tx.tenant, jobs, fences, worker, lease)
    return rows


async def succeed(tx: Tx, ended: Sequence[tuple[UUID, int, Any, Progress | None]]) -> list[Row]:
    """End running jobs well: (id, fence, result as JSON values, last progress if any). The rows as stored; none for
    a job whose lease is not held any more. The transaction is `by_key`."""
    jobs, fences, results, progress = zip(*ended, strict=True)
    told = [None if result is None else msgspec.json.encode(result).decode() for result in results]
    done, total, text = zip(*(each or (None, None, None) for each in progress), strict=True)
    rows: list[Row] = await tx.connection.fetch(_SUCCEED, tx.tenant, jobs, fences, told, done, total, text)
    tx.turn = tx.turn or "ended"
    return rows


async def finished_steps(tx: Tx, job_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """The results of the steps that are done, by job and name."""
    steps: dict[UUID, dict[str, Any]] = {job_id: {} for job_id in job_ids}
    for row in await tx.fetch(_STEPS, jobs=list(job_ids)):
        steps[row["job_id"]][row["name"]] = row["result"]
    return steps


def _held(values: Mapping[str, Any]) -> Update:
    return _job.update().where(*_MINE).values(**_SEEN, **values)


async def write(tx: Tx, job_id: UUID, fence: int, values: Mapping[str, Any]) -> Row:
    """Write to a job whose lease is held, and keep it. LeaseLost when it is not held any more."""
    row = await tx.row(_held(values).returning(*_job.c), job=job_id, held=fence)
    if row is None:
        raise LeaseLost
    return row


async def leave(tx: Tx, job_id: UUID, fence: int, state: str, values: Mapping[str, Any]) -> Row:
    """Move a running job on, and give up its lease; how the try ended is logged, unless it ended well: then the job
    itself says so. LeaseLost when it is not held any more."""
    left = {"state": state, "lease_until": null(), "fence": _job.c.fence + 1}
    row = await write(tx, job_id, fence, {**left, **values})
    tx.turn = tx.turn or ("ended" if state not in RELEASABLE else "")
    outcome = _outcome(state, values)
    if outcome is not None:
        code = (row["problem"] or {}).get("code") if outcome in ("retried", "failed") else None
        told = {"started_at": row["started_at"], "worker": row["worker"], "error_code": code}
        await tx.insert(models.job_log, job_id=job_id, fence=fence, outcome=outcome, **told)
    return row


def _outcome(state: str, values: Mapping[str, Any]) -> str | None:
    """What a try came to, in the log's word; None for one that succeeded, or was not begun (`untouched`)."""
    if state == "retry_wait":
        return "crashed" if "crashes" in values else "retried"
    if state == "ready":
        return None if "began_at" in values else "given_back"
    return {"dead": "failed", "canceled": "canceled", "waiting": "waiting"}.get(state)


async def say(tx: Tx, job_id: UUID, fence: int, text: str) -> bool:
    """Add a line to the log of a job whose lease is held; False when it is not, or the job has said enough."""
    return await tx.execute(_SAY, job=job_id, held=fence, text=text) > 0


def passed(*, problem: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Columns of a job that ends without success."""
    return {"finished_at": _DB_NOW, "problem": null() if problem is None else literal(dict(problem), JSONB)}


def again(
    *, after: timedelta = timedelta(0), problem: Mapping[str, Any] | None = None, crashed: bool = False,
    counted: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Columns of a job that is to run again `after` a while. `counted`: the attempt is used up; `crashed`: it counts
    as a crash instead."""
    values: dict[str, Any] = {"run_at": _DB_NOW + literal(after, Interval(native=True))}
    if problem is not None:
        values["problem"] = literal(dict(problem), JSONB)
    if not counted or crashed:
        values["attempt"] = func.greatest(_job.c.attempt - 1, 0)
    if crashed:
        values["crashes"] = _job.c.crashes + 1
    return values


def untouched(*, after: timedelta) -> dict[str, Any]:
    """Columns of a job that was claimed and not begun."""
    first = (_job.c.attempt == 1) & (_job.c.crashes == 0)
    return {**again(after=after, counted=False), "began_at": case((first, null()), else_=_job.c.began_at)}


# ------------------------------------------------------------------------------------------------ parents


_LOCK = select(_job.c.id).where(_job.c.tenant_id == TENANT, _job.c.id == PARENT)
_CHILDREN_ENDED = (
    _job.update()
    .where(_job.c.tenant_id == TENANT, _job.c.id == PARENT, _job.c.finished_at.is_(None))
    .values(
        progress_done=_job.c.progress_done + bindparam("ended", type_=Integer),
        state=case(((_job.c.state == "waiting") & ~_open_children, "ready"), else_=_job.c.state),
        run_at=case(((_job.c.state == "waiting") & ~_open_children, _DB_NOW), else_=_job.c.run_at),
        **_SEEN,
    )
    .returning(_job.c.state)
)


async def children_ended(tx: Tx, parent_id: UUID, count: int) -> None:
    """Count children that ended in this transaction, and wake the parent when they were the last.

    The parent is locked first and looked at in a second statement, whose snapshot then sees the children that ended
    meanwhile: two last children cannot both think that the other is still open."""
    await tx.row(_LOCK.with_for_update(key_share=True), parent=parent_id)
    row = await tx.row(_CHILDREN_ENDED, parent=parent_id, ended=count)
    if row is not None and row["state"] == "ready":
        tx.rang = True


async def has_open_children(tx: Tx, job_id: UUID) -> bool:
    """Whether a child of the job has not ended."""
    return bool(await tx.value(select(_open_children), parent=job_id))
