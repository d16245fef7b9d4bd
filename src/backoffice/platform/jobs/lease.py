"""What the holder of a lease writes to its job, as `bo_app` in the tenant's transaction.

Each statement repeats tenant, id and fence; every move out of `running` raises the fence, so that whoever held the
lease before changes no row. The state is guarded by the claim alone (a partial index on the state with stale
statistics once went quadratic)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Interval, Update, bindparam, case, exists, func, literal, null, select
from sqlalchemy.dialects.postgresql import JSONB

from backoffice.platform import models
from backoffice.platform.db import Row, Tx
from backoffice.platform.jobs.errors import LeaseLost
from backoffice.platform.tables import TENANT, Id

CRASH_LIMIT: Final = 3  # without a finished step between them

_job = models.job
_step = models.job_step
_clock = models.test_clock
_DB_NOW = func.clock_timestamp()
TENANT_NOW: Final[ColumnElement[datetime]] = func.coalesce(
    select(_clock.c.frozen_time).where(_clock.c.tenant_id == TENANT).scalar_subquery(), func.now()
)
"""The tenant's clock inside a statement: no question of its own."""

PARENT: Final = bindparam("parent", type_=Id)
_MINE = (
    _job.c.tenant_id == TENANT,
    _job.c.id == bindparam("job", type_=Id),
    _job.c.fence == bindparam("held", type_=BigInteger),
)


def _seconds(name: str) -> ColumnElement[timedelta]:
    return bindparam(name, type_=Interval(native=True))


_SEEN: Final[Mapping[str, Any]] = {"version": _job.c.version + 1, "updated_at": TENANT_NOW}

_CLAIM = (
    _job.update()
    .where(*_MINE, _job.c.state == "released")
    .values(
        state="running",
        attempt=_job.c.attempt + 1,
        worker=bindparam("by"),
        started_at=_DB_NOW,
        began_at=func.coalesce(_job.c.began_at, TENANT_NOW),
        lease_until=_DB_NOW + _seconds("lease"),
        **_SEEN,
    )
    .returning(*_job.c, TENANT_NOW.label("tenant_now"))
)
_STEPS = select(_step.c.name, _step.c.result).where(
    _step.c.tenant_id == TENANT, _step.c.job_id == bindparam("job", type_=Id)
)
_open_children = (
    exists().where(_job.c.tenant_id == TENANT, _job.c.parent_id == PARENT, _job.c.finished_at.is_(None)).correlate(None)
)


async def claim(tx: Tx, job_id: UUID, fence: int, *, worker: str, lease: timedelta) -> Row | None:
    """Take a released job: one row of `app.job` and `tenant_now`, or None when the message is stale, doubled or
    forged. Counts the attempt."""
    return await tx.row(_CLAIM, job=job_id, held=fence, by=worker, lease=lease)


async def finished_steps(tx: Tx, job_id: UUID) -> dict[str, Any]:
    """The results of the steps that are done, by name."""
    return {row["name"]: row["result"] for row in await tx.fetch(_STEPS, job=job_id)}


def _held(values: Mapping[str, Any]) -> Update:
    return _job.update().where(*_MINE).values(**_SEEN, **values)


async def write(tx: Tx, job_id: UUID, fence: int, values: Mapping[str, Any]) -> Row:
    """Write to a job whose lease is held, and keep it. LeaseLost when it is not held any more."""
    row = await tx.row(_held(values).returning(*_job.c), job=job_id, held=fence)
    if row is None:
        raise LeaseLost
    return row


async def leave(tx: Tx, job_id: UUID, fence: int, state: str, values: Mapping[str, Any]) -> Row:
    """Move a running job on, and give up its lease. LeaseLost when it is not held any more."""
    left = {"state": state, "lease_until": null(), "fence": _job.c.fence + 1}
    return await write(tx, job_id, fence, {**left, **values})


def passed(*, problem: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Columns of a job that ends without success."""
    return {"finished_at": _DB_NOW, "problem": null() if problem is None else literal(dict(problem), JSONB)}


def succeeded(result: Any) -> dict[str, Any]:
    """Columns of a job that ends well."""
    return {
        "finished_at": _DB_NOW,
        "problem": null(),
        "result": null() if result is None else literal(result, JSONB),
    }


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
_CHILD_ENDED = (
    _job.update()
    .where(_job.c.tenant_id == TENANT, _job.c.id == PARENT, _job.c.finished_at.is_(None))
    .values(
        progress_done=_job.c.progress_done + 1,
        state=case(((_job.c.state == "waiting") & ~_open_children, "ready"), else_=_job.c.state),
        run_at=case(((_job.c.state == "waiting") & ~_open_children, _DB_NOW), else_=_job.c.run_at),
        **_SEEN,
    )
    .returning(_job.c.state)
)


async def child_ended(tx: Tx, parent_id: UUID) -> None:
    """Count a child that ended in this transaction, and wake the parent when it was the last.

    The parent is locked first and looked at in a second statement, whose snapshot then sees the children that ended
    meanwhile: two last children cannot both think that the other is still open."""
    await tx.row(_LOCK.with_for_update(key_share=True), parent=parent_id)
    row = await tx.row(_CHILD_ENDED, parent=parent_id)
    if row is not None and row["state"] == "ready":
        tx.rang = True


async def has_open_children(tx: Tx, job_id: UUID) -> bool:
    """Whether a child of the job has not ended."""
    return bool(await tx.value(select(_open_children), parent=job_id))
