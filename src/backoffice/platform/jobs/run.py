"""`JobRun`: what a handler holds while its job runs. Every write of it is fenced.

A job that calls the outside is claim (a step) → call (no transaction) → record (a step or `finish`)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Text, func, literal, null, select
from sqlalchemy.dialects.postgresql import JSONB

from backoffice.kernel import ids
from backoffice.platform import models
from backoffice.platform.db import Database
from backoffice.platform.events import Cause
from backoffice.platform.jobs import lease
from backoffice.platform.jobs.ending import announce
from backoffice.platform.jobs.errors import Canceled, Drained, LeaseLost, Waiting
from backoffice.platform.jobs.lease import Progress
from backoffice.platform.principal import Principal
from backoffice.platform.runtime import Runtime
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx

A = ParamSpec("A")
R = TypeVar("R")

LINE_LENGTH = 300
PROGRESS_SECONDS = 1.0  # at most one write in this time
_job = models.job


@dataclass(frozen=True, slots=True)
class Children:
    """How a job's children ended."""

    succeeded: int
    failed: int
    canceled: int

    @property
    def total(self) -> int:
        return self.succeeded + self.failed + self.canceled


@dataclass(slots=True, eq=False)
class JobRun:
    """One try of one job.

    - `principal`: who started the job, with every right: events, audit and effects of the job name that person (or
      the platform), and carry `request_id` of the cause.
    - `attempt`: 1 for the first try; a try that ended with its worker, or with a deploy, is not counted.
    """

    runtime: Runtime
    id: UUID
    fence: int
    payload: Any
    attempt: int
    principal: Principal
    request_id: str
    traceparent: str | None
    parent_id: UUID | None
    in_turn: bool = False  # the tenant's clock stands or is being moved: no second of it passes by itself
    ended: bool = False  # finished, in a transaction that is committed
    cancel_requested: bool = False
    draining: bool = False
    lost: bool = False
    _steps: dict[str, Any] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _progress: Progress | None = None
    _progress_at: float = 0.0
    _hoarse: bool = False

    @property
    def db(self) -> Database:
        return self.runtime.db

    @property
    def cause(self) -> Cause:
        """Who and what the job's events go back to."""
        return Cause(self.principal, self.request_id, self.traceparent)

    def key(self, step: str) -> str:
        """The idempotency key for a call to the outside made in `step`: the same in every try."""
        return f"{ids.encode('job', self.id)}:{step}"

    # -- reading and writing

    async def read(self, query: Callable[Concatenate[Tx, A], Awaitable[R]], *args: A.args, **kwargs: A.kwargs) -> R:
        """What `query(tx, …)` returns, in a transaction of its own that writes nothing."""
        self._border()
        async with self._tx() as tx:
            return await query(tx, *args, **kwargs)

    async def step(
        self, name: str, command: Callable[Concatenate[Tx, A], Awaitable[Any]], *args: A.args, **kwargs: A.kwargs
    ) -> Any:
        """Run `command(tx, …)` once for this job, in one transaction with the note that it is done.

        Returns its result as JSON values (structs become dicts, ids text), the same when it was done in an earlier
        try. A name stands for one step of a run. Raises what the command raises (nothing is then kept), and
        LeaseLost, Canceled or Drained at the border."""
        return await self._step(name, self._tx, command, *args, **kwargs)

    async def step_alone(
        self, name: str, command: Callable[Concatenate[Tx, A], Awaitable[Any]], *args: A.args, **kwargs: A.kwargs
    ) -> Any:
        """As `step`, while nobody else writes in the tenant, which is a test tenant."""
        return await self._step(name, self._tx_alone, command, *args, **kwargs)

    async def _step(
        self,
        name: str,
        opened: Callable[[], Any],
        command: Callable[Concatenate[Tx, A], Awaitable[Any]],
        *args: A.args,
        **kwargs: A.kwargs,
    ) -> Any:
        if name in self._used:
            raise ValueError(f"the step {name} was used twice in one run")
        self._used.add(name)
        if name in self._steps:
            self._border()
            return self._steps[name]
        self._border()
        async with opened() as tx:
            result = told(await command(tx, *args, **kwargs))
            await self._keep(tx, crashes=0)
            await tx.insert(models.job_step, job_id=self.id, name=name, result=result)
            await self.db.commit(tx)
        self._steps[name] = result
        return result

    async def finish(
        self, command: Callable[Concatenate[Tx, A], Awaitable[Any]], *args: A.args, **kwargs: A.kwargs
    ) -> Any:
        """Run `command(tx, …)` and end the job with its result, in one transaction: both or neither."""
        assert not self.ended, "a job is finished once"
        self._border()
        async with self._tx() as tx:
            result = told(await command(tx, *args, **kwargs))
            values = {"result": null() if result is None else literal(result, JSONB), **self._progress_values()}
            row = await lease.leave(tx, self.id, self.fence, "succeeded", {**lease.passed(), **values})
            await announce(tx, [row])
            await self.db.commit(tx)
            self.ended = True
        return result

    async def progress(self, done: int, total: int, text: str | None = None) -> None:
        """Tell how far it is. Written at most once a second, or with the next step; a border like a step. Where jobs
        run in turn it is written with steps alone, so that the tenant sees the same each time."""
        self._border()
        self._progress = (done, total, text)
        if self.in_turn or time.monotonic() - self._progress_at < PROGRESS_SECONDS:
            return
        async with self._tx() as tx:
            await self._keep(tx)
            await self.db.commit(tx)

    async def say(self, text: str) -> None:
        """Leave a line in the job's log (`/v1/jobs/{id}/logs`) for the people of the tenant: what is done, in words
        and counts, never whose. Written at once; a job may say 200 lines, of 300 characters each."""
        self._border()
        if self._hoarse:
            return
        async with self._tx() as tx:
            self._hoarse = not await lease.say(tx, self.id, self.fence, text[:LINE_LENGTH])
            await self.db.commit(tx)

    async def wait_for_children(self) -> Children:
        """How the children ended, once all have. Until then the job stands in `waiting`, holding no worker: this
        call does not return, and the handler runs again from its start, past its finished steps."""
        self._border()
        async with self._tx() as tx:
            await self._keep(tx)  # locks the row: no child can end between the count and the wait
            counts = await tx.row(_CHILDREN, parent=self.id)
            assert counts is not None
            if counts["ended"] == counts["total"]:
                await self.db.commit(tx)
                return Children(counts["succeeded"], counts["failed"], counts["canceled"])
            progress = {"progress_done": counts["ended"], "progress_total": counts["total"]}
            again = {"attempt": _job.c.attempt - 1}
            await lease.leave(tx, self.id, self.fence, "waiting", {**progress, **again})
            await self.db.commit(tx)
        self.ended = True
        raise Waiting

    async def stand_by(
        self, command: Callable[Concatenate[Tx, A], Awaitable[Progress | None]], *args: A.args, **kwargs: A.kwargs
    ) -> None:
        """Run `command(tx, …)` and, in the same transaction, stand in `waiting` until nothing else of the tenant is
        left to do (`turns.py` wakes it); the handler then runs again from its start. The command says how far it is, or
        None when there is nothing to stand by for: then this returns."""
        self._border()
        async with self._tx() as tx:
            self._progress = await command(tx, *args, **kwargs)
            if self._progress is None:
                await self._keep(tx, crashes=0)
                await self.db.commit(tx)
                return
            again = {"attempt": _job.c.attempt - 1, "crashes": 0, **self._progress_values()}
            await lease.leave(tx, self.id, self.fence, "waiting", again)
            await self.db.commit(tx)
        self.ended = True
        raise Waiting

    # -- inside

    def _border(self) -> None:
        """Where a run may stop."""
        if self.lost:
            raise LeaseLost
        if self.cancel_requested:
            raise Canceled
        if self.draining:
            raise Drained

    def _tx(self) -> Any:
        return self.db.tx(
            self.principal, request_id=self.request_id, traceparent=self.traceparent, time_class="step", ordered=True
        )

    def _tx_alone(self) -> Any:
        return self.db.tx(
            self.principal, request_id=self.request_id, traceparent=self.traceparent, time_class="alone", alone=True
        )

    async def _keep(self, tx: Tx, **values: Any) -> None:
        row = await lease.write(tx, self.id, self.fence, {**values, **self._progress_values()})
        self.cancel_requested = self.cancel_requested or row["cancel_requested"]

    def untold_progress(self) -> Progress | None:
        """What was said and not written yet; whoever asks writes it."""
        progress, self._progress = self._progress, None
        if progress is not None:
            self._progress_at = time.monotonic()
        return progress

    def _progress_values(self) -> dict[str, Any]:
        progress = self.untold_progress()
        if progress is None:
            return {}
        done, total, text = progress
        return {"progress_done": done, "progress_total": total, "progress_text": literal(text, Text)}


_ended = _job.c.finished_at.is_not(None)
_AS = {"succeeded": "succeeded", "dead": "failed", "canceled": "canceled"}
_CHILDREN = select(
    func.count().label("total"),
    func.count().filter(_ended).label("ended"),
    *(func.count().filter(_job.c.state == state).label(name) for state, name in _AS.items()),
).where(_job.c.tenant_id == TENANT, _job.c.parent_id == lease.PARENT)


def told(result: Any) -> Any:
    """A result as JSON values, as it will be read back."""
    return msgspec.json.decode(msgspec.json.encode(result))
