"""Runs one released job: claim it, call its handler, and write how that ended. Every write is fenced, so that a
message that is lost, doubled, late or forged does nothing."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from backoffice.kernel import ids
from backoffice.kernel.errors import Problem
from backoffice.platform import logs, metrics, traces
from backoffice.platform.connections import CLOSED, says_closed
from backoffice.platform.db import CommitUncertain, Unavailable
from backoffice.platform.jobs import ending, lease, registry
from backoffice.platform.jobs.errors import Canceled, DeadlinePassed, Drained, JobCrashed, LeaseLost, Waiting
from backoffice.platform.jobs.finisher import Finisher
from backoffice.platform.jobs.heartbeat import Heartbeat
from backoffice.platform.jobs.messages import Held
from backoffice.platform.jobs.registry import Handled
from backoffice.platform.jobs.run import JobRun
from backoffice.platform.principal import Principal, TenantFacts
from backoffice.platform.runtime import Runtime
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web import problems

TENANT_SECONDS: Final = 5.0
UNKNOWN_KIND_PAUSE: Final = timedelta(seconds=2)  # until a newer worker may be there
CRASH_PAUSE_SECONDS: Final = 1.0
SUSPECT_PAUSE_SECONDS: Final = 0.3
BACKOFF_CAP: Final = 100  # times the kind's own backoff
IN_TURN_PAUSE: Final = timedelta(seconds=0.05)
_FOREVER: Final = timedelta(days=36_500)
_REQUEST: Final = "system:worker"
_DATABASE_LOST: Final = (
    Unavailable,
    CommitUncertain,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)
_NOT_WRITTEN: Final = (*_DATABASE_LOST, *CLOSED, OSError, TimeoutError)
log = logs.get("worker")


@dataclass(slots=True)
class _Claimed:
    row: Row
    handled: Handled | None
    steps: dict[str, Any] = field(default_factory=dict)


class Runner:
    """The runs of one worker process. All methods are for its event loop."""

    def __init__(
        self, runtime: Runtime, heartbeat: Heartbeat, *, worker: str, on_room: Callable[[bool], None] | None = None
    ) -> None:
        self._runtime = runtime
        self._db = runtime.db
        self._heartbeat = heartbeat
        self._worker = worker
        self._on_room = on_room  # there is room for the next, and whether it is waited for
        self._finisher = Finisher(runtime.db)
        self._lease = timedelta(seconds=runtime.settings.lease_seconds)
        self._tenants: dict[UUID, tuple[float, TenantFacts]] = {}
        self._active: dict[JobRun, asyncio.Task[Any]] = {}
        self._suspect: tuple[UUID, UUID, int] | None = None  # tenant, job, fence
        self._draining = False
        self._hurried = False

    async def run(self, tenant_id: UUID, jobs: Sequence[Held], *, soon: bool = False) -> None:
        """Try the jobs that a message named, all at once. Returns when nothing of them is left to do here; raises
        nothing but cancellation. `soon`: their end is waited for."""
        logs.begin(tenant=str(tenant_id))
        try:
            facts = await self._tenant(tenant_id)
            if facts is not None:
                claimed = await self._claim(facts, jobs)
                await asyncio.gather(*(self._try(facts, each) for each in claimed))
        except (*_NOT_WRITTEN, asyncpg.PostgresError) as error:  # the rows stay released until their lease runs out
            log.warning("claim_failed", count=len(jobs), **logs.error_fields(error))
        finally:
            if self._suspect in [(tenant_id, *each) for each in jobs]:
                self._suspect = None
        if self._on_room is not None:
            self._on_room(soon)

    def drain(self) -> None:
        """Take nothing new, and stop the runs at their next border."""
        self._draining = True
        for run in self._active:
            run.draining = True

    def hurry(self) -> None:
        """Stop what still runs where it stands, and give it back."""
        self._hurried = True
        for task in self._active.values():
            task.cancel()

    # -- before

    async def _tenant(self, tenant_id: UUID) -> TenantFacts | None:
        known = self._tenants.get(tenant_id)
        if known is not None and time.monotonic() - known[0] < TENANT_SECONDS:
            return known[1]
        facts = await self._runtime.tenant(tenant_id)
        if facts is not None:
            self._tenants[tenant_id] = (time.monotonic(), facts)
        return facts

    async def _claim(self, facts: TenantFacts, jobs: Sequence[Held]) -> list[_Claimed]:
        async with self._db.tx(Principal.system(facts, "worker"), request_id=_REQUEST, by_key=True) as tx:
            rows = await lease.claim(tx, jobs, worker=self._worker, lease=self._lease)
            claimed: list[_Claimed] = []
            for row in rows:
                handled = registry.find(row["kind"], row["kind_version"])
                back = self._not_yet(row, handled)
                if back is None:
                    claimed.append(_Claimed(row, handled))
                    continue
                state, after = back
                await lease.leave(tx, row["id"], row["fence"], state, lease.untouched(after=after))
            if again := [each for each in claimed if each.row["fence"] > 1]:
                steps = await lease.finished_steps(tx, [each.row["id"] for each in again])
                for each in again:
                    each.steps = steps[each.row["id"]]
            await self._db.commit(tx)
        return claimed

    def _not_yet(self, row: Row, handled: Handled | None) -> tuple[str, timedelta] | None:
        """The state a claimed job goes back to untouched, and for how long; None when it is to run now."""
        if row["cancel_requested"] or row["crashes"] >= lease.CRASH_LIMIT:
            return None
        if self._draining:
            return "ready", timedelta(0)
        if row["due_at"] is not None and row["due_at"] > row["tenant_now"]:
            return "scheduled", _FOREVER  # the tenant's clock stands still; moving it makes the job due
        if row["crashes"]:
            # Of two that were in a worker when it died, one may be to blame: they do not meet again.
            if self._suspect is not None:
                return "ready", timedelta(seconds=random.uniform(0, SUSPECT_PAUSE_SECONDS))  # noqa: S311
            self._suspect = (row["tenant_id"], row["id"], row["fence"])
        if handled is None:
            log.warning("kind_not_known", kind=row["kind"], version=row["kind_version"])
            return "ready", UNKNOWN_KIND_PAUSE
        return None

    # -- the try

    async def _try(self, facts: TenantFacts, claimed: _Claimed) -> None:
        row = claimed.row
        about = {"job_id": ids.encode("job", row["id"]), "fence": row["fence"], "kind": row["kind"]}
        logs.also(**about, attempt=row["attempt"], actor=row["actor"], request_id=row["request_id"])
        principal = Principal(
            tenant=facts,
            actor=row["actor"],
            scopes=frozenset({"*"}),
            person_id=ids.decode("person", row["actor"]),
        )
        began = time.monotonic()
        with traces.span(f"job {row['kind']}", traceparent=row["traceparent"], kind=row["kind"]) as span:
            run = JobRun(
                runtime=self._runtime,
                id=row["id"],
                fence=row["fence"],
                payload=None,  # read where a fault of it is told as the job's
                attempt=row["attempt"],
                principal=principal,
                request_id=row["request_id"],
                traceparent=span.traceparent or row["traceparent"],
                parent_id=row["parent_id"],
                in_turn=row["in_turn"],
                _steps=claimed.steps,
            )
            outcome = await self._to_an_end(run, row, claimed.handled)
            span.set_attribute("outcome", outcome)
        seconds = time.monotonic() - began
        metrics.count_job(row["kind"], outcome, seconds)
        log.info("job", state=outcome, milliseconds=round(seconds * 1000, 3))

    async def _to_an_end(self, run: JobRun, row: Row, handled: Handled | None) -> str:
        """Run and record; what the try came to, in a word."""
        try:
            if row["cancel_requested"]:
                return await self._canceled(run)
            if row["crashes"] >= lease.CRASH_LIMIT:
                return await self._failed(run, row, handled, JobCrashed())
            assert handled is not None
            error = await self._handle(run, row, handled)
            if error is None:
                return "succeeded"
            if isinstance(error, Waiting):
                return "waiting"
            if isinstance(error, LeaseLost):
                log.warning("lease_lost")
                return "lost"
            if isinstance(error, Drained):
                return await self._given_back(run)
            if isinstance(error, Canceled):
                return await self._canceled(run)
            if _is_database_lost(error):
                log.warning("database_lost", **logs.error_fields(error))
                return await self._crashed(run)
            return await self._failed(run, row, handled, error)
        except LeaseLost:
            log.warning("lease_lost")
            return "lost"
        except _NOT_WRITTEN as error:  # the sweeper finds it
            log.warning("end_not_written", **logs.error_fields(error))
            return "lost"

    async def _handle(self, run: JobRun, row: Row, handled: Handled) -> BaseException | None:
        """Call the handler with the lease kept; what it raised, or None when the job has ended well."""
        task = asyncio.current_task()
        assert task is not None
        seconds = handled.payload.deadline_seconds
        self._active[run] = task
        self._heartbeat.hold(run, task, seconds)
        metrics.JOBS_RUNNING.inc()
        if self._draining:
            run.draining = True
        try:
            run.payload = handled.decode(row["kind_version"], row["payload"])
            async with asyncio.timeout(seconds) as limit:
                result = await handled.handler(run, run.payload)
                if not run.ended:
                    await self._finisher.succeed(run, result)
        except asyncio.CancelledError:
            task.uncancel()
            if run.lost:
                return LeaseLost()
            if not self._hurried:
                raise
            return None if run.ended else Drained()
        except TimeoutError as error:
            return DeadlinePassed(f"A try may take {seconds:g} s.") if limit.expired() else error
        except (Exception, Waiting, LeaseLost, Drained, Canceled) as error:
            if run.ended and not isinstance(error, Waiting):
                log.error("failed_after_its_end", **logs.error_fields(error))
                return None
            return error
        finally:
            metrics.JOBS_RUNNING.dec()
            self._heartbeat.drop(run)
            del self._active[run]
        return None

    # -- how it ended

    def _tx(self, run: JobRun) -> Any:
        return self._db.tx(run.principal, request_id=run.request_id, traceparent=run.traceparent, ordered=True)

    async def _failed(self, run: JobRun, row: Row, handled: Handled | None, error: BaseException) -> str:
        """Try again after a pause, or give up: at once for a refusal that will not change, else after the last
        attempt."""
        told: Problem
        if isinstance(error, Problem):
            told, final = error, not error.retryable
        else:
            told, final = problems.InternalFault("The fault is recorded under the job's id."), False
        log.warning("job_failed", code=told.code, **logs.error_fields(error))
        problem = self._problem(run, told)
        if not final and run.attempt < row["max_attempts"]:
            pause = _backoff(run.attempt, handled.payload.backoff_seconds if handled else 1.0)
            if run.in_turn:  # all else waits for it
                pause = min(pause, IN_TURN_PAUSE)
            async with self._tx(run) as tx:
                values = lease.again(after=pause, problem=problem)
                await lease.leave(tx, run.id, run.fence, "retry_wait", values)
                await self._db.commit(tx)
            return "retry"
        try:
            await self._dead(run, problem, with_domain=True)
        except (*_NOT_WRITTEN, LeaseLost):
            raise
        except Exception as refusal:
            log.error("unfinished_failed", **logs.error_fields(refusal))
            await self._dead(run, problem, with_domain=False)
        return "failed"

    async def _dead(self, run: JobRun, problem: dict[str, Any], *, with_domain: bool) -> None:
        async with self._tx(run) as tx:
            await ending.cancel_children(tx, run.id)
            row = await lease.leave(tx, run.id, run.fence, "dead", lease.passed(problem=problem))
            await self._tell_unfinished(tx, row, with_domain)
            await self._db.commit(tx)

    async def _canceled(self, run: JobRun) -> str:
        try:
            return await self._cancel(run, with_domain=True)
        except (*_NOT_WRITTEN, LeaseLost):
            raise
        except Exception as refusal:
            log.error("unfinished_failed", **logs.error_fields(refusal))
            return await self._cancel(run, with_domain=False)

    async def _cancel(self, run: JobRun, *, with_domain: bool) -> str:
        async with self._tx(run) as tx:
            if await ending.cancel_children(tx, run.id):
                # The last child wakes it, and its next claim finds the wish again.
                await lease.leave(tx, run.id, run.fence, "waiting", lease.again(counted=False))
                await self._db.commit(tx)
                return "waiting"
            row = await lease.leave(tx, run.id, run.fence, "canceled", lease.passed())
            await self._tell_unfinished(tx, row, with_domain)
            await self._db.commit(tx)
        return "canceled"

    @staticmethod
    async def _tell_unfinished(tx: Tx, row: Row, with_domain: bool) -> None:
        if with_domain:
            await ending.unfinished(tx, row)
        else:
            await ending.announce(tx, [row])

    async def _given_back(self, run: JobRun) -> str:
        async with self._tx(run) as tx:
            await lease.leave(tx, run.id, run.fence, "ready", lease.again(counted=False))
            await self._db.commit(tx)
        return "given_back"

    async def _crashed(self, run: JobRun) -> str:
        """The database went away under the run: not the handler's fault, so a crash and no failure. Says so as soon
        as the database is back, and leaves it to the sweeper when that takes longer than the lease. Should the
        commit that broke have taken effect, the fence has risen, and this changes nothing."""
        until = time.monotonic() + self._lease.total_seconds()
        pause = _backoff(1, CRASH_PAUSE_SECONDS)
        while True:
            try:
                async with self._tx(run) as tx:
                    await lease.leave(tx, run.id, run.fence, "retry_wait", lease.again(after=pause, crashed=True))
                    await self._db.commit(tx)
                return "crashed"
            except _NOT_WRITTEN:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.1)

    def _problem(self, run: JobRun, problem: Problem) -> dict[str, Any]:
        """The problem as `/v1/jobs/{id}` shows it."""
        told: dict[str, Any] = msgspec.json.decode(
            problems.body(
                problem,
                request_id=run.request_id,
                instance=f"/v1/jobs/{ids.encode('job', run.id)}",
                docs_url=self._runtime.settings.docs_url,
            )
        )
        return told


def _is_database_lost(error: BaseException) -> bool:
    """Whether the database went away under the handler."""
    return says_closed(error) or isinstance(error, _DATABASE_LOST)


def _backoff(attempt: int, base: float) -> timedelta:
    """Exponential with full jitter: anything up to base × 2^(attempt − 1), at most 100 × base (Brooker, "Exponential
    backoff and jitter", AWS Architecture Blog, 2015)."""
    most = min(base * 2 ** min(attempt - 1, 16), base * BACKOFF_CAP)
    return timedelta(seconds=random.uniform(0, most))  # noqa: S311 - spreads load, keeps no secret
