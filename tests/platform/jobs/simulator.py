"""A platform in small whose every accident comes from one seed: a dispatcher, workers, a broker and the clock of the
leases, in an order that the seed chooses, on the real SQL. A seed that breaks a promise is a bug report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import asyncpg
from tests.platform.jobs.job_kinds import Once, effect
from tests.platform.jobs.job_world import Tenant

from backoffice.kernel.errors import Problem
from backoffice.platform import models
from backoffice.platform.jobs import commands, ending, lease, routing
from backoffice.platform.jobs.errors import LeaseLost
from backoffice.platform.tx import Row

CAP = 3
FAULTS = 12  # accidents and moves before everything is left to end in peace
PATIENCE = 60  # rounds in which everything must then have ended
_LEASE = timedelta(seconds=60)  # leases run out when the simulator says so


_LOOK = f"""
SELECT j.id, j.state, j.fence, j.cancel_requested, j.lease_until IS NOT NULL AS leased,
       j.finished_at IS NULL AS open, live.id IS NOT NULL AS live
  FROM app.job AS j LEFT JOIN ({routing.LIVE}) AS live ON live.tenant_id = j.tenant_id AND live.id = j.id
 WHERE j.tenant_id = $1 AND j.id = ANY ($2::uuid[])"""
_ENDS = """
SELECT j.*, (SELECT count(*) FROM app.audit_event a WHERE a.tenant_id = $1 AND a.action = 'test.effect'
                AND a.object_id = given.mark) AS effects,
       (SELECT count(*) FROM app.event e WHERE e.tenant_id = $1 AND e.object_id = j.id) AS told
  FROM unnest($2::uuid[], $3::uuid[]) AS given (id, mark) JOIN app.job j ON j.tenant_id = $1 AND j.id = given.id"""


@dataclass(eq=False)
class Work:
    """A job in the hands of a worker."""

    row: Row
    done: set[str]

    @property
    def key(self) -> tuple[UUID, int]:
        return self.row["id"], self.row["fence"]


@dataclass
class Simulator:
    """One schedule. `story` is what happened, for the report."""

    tenant: Tenant
    dispatcher: asyncpg.Connection  # bo_dispatch
    time: asyncpg.Connection  # the superuser, who alone can make leases run out
    seed: int
    marks: dict[UUID, UUID] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)
    messages: list[list[tuple[UUID, int]]] = field(default_factory=list)
    hands: list[Work] = field(default_factory=list)
    fences: dict[UUID, int] = field(default_factory=dict)
    lost: set[tuple[UUID, int]] = field(default_factory=set)  # leases that were swept under who held them
    seen: dict[UUID, Row] = field(default_factory=dict)  # the jobs as they were when last looked at

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    async def play(self) -> Counter[str]:
        """Faults in the seed's order, then peace; the states in which the jobs ended. AssertionError for a promise
        that was broken."""
        await self._do(self.submit)
        moves = (
            *((self.submit, 1), (self.release, 6), (self.deliver, 6), (self.go_on, 8), (self.die, 1)),
            *((self.run_out, 1), (self.sweep, 1), (self.cancel, 1), (self.lose_a_message, 1)),
        )
        for _ in range(FAULTS):
            [move] = self.random.choices([each for each, _ in moves], [weight for _, weight in moves])
            await self._do(move)
        for _ in range(PATIENCE):
            await self.look()
            if not any(job["open"] for job in self.seen.values()):
                break
            await self.run_out(everything=not self.hands and not self.messages)
            for move in (self.sweep, self.hurry, self.release):
                await self._do(move)
            while self.messages:
                await self.deliver()
            while self.hands:
                await self.go_on(faults=False)
        return await self.judge()

    async def _do(self, move: Callable[[], Awaitable[bool]]) -> None:
        """A move, and a look at what it did; one that found nothing to do has changed no row."""
        if await move():
            await self.look()

    # -- what may happen: whether it changed a job

    async def submit(self) -> bool:
        payloads = [Once(mark=uuid4()) for _ in range(self.random.randint(1, 3))]
        for job, payload in zip(await self.tenant.start(*payloads), payloads, strict=True):
            self.marks[job] = payload.mark
        return self._say(f"submit {len(payloads)}")

    async def release(self) -> bool:
        free = CAP - sum(job["live"] for job in self.seen.values())
        if free <= 0:
            return False
        rows = await self.dispatcher.fetch(
            routing.RELEASE, self.tenant.facts.id, "normal", free, _LEASE.total_seconds()
        )
        keys = [(row["id"], row["fence"]) for row in rows]
        for job, fence in keys:
            assert fence > self.fences.get(job, 0), "a fence was given twice"
            self.fences[job] = fence
        if not keys:
            return False
        fate = self.random.random()
        if fate < 0.08:
            return self._say(f"release {len(keys)}, and die before publishing")
        if fate < 0.16:
            tenants = [self.tenant.facts.id] * len(keys)
            await self.dispatcher.execute(routing.TAKE_BACK, tenants, *map(list, zip(*keys, strict=True)))
            return self._say(f"release {len(keys)}, and take back")
        size = self.random.choice((1, 2, len(keys)))
        self.messages += [keys[start : start + size] for start in range(0, len(keys), size)]
        return self._say(f"release {len(keys)}")

    async def deliver(self) -> bool:
        """A message arrives: out of order, sometimes once more later."""
        if not self.messages:
            return False
        place = self.random.randrange(len(self.messages))
        held = self.messages[place] if self.random.random() < 0.15 else self.messages.pop(place)
        async with self.tenant.tx() as tx:
            rows = await lease.claim(tx, held, worker=f"sim:{self.random.randint(1, 3)}", lease=_LEASE)
            steps = await lease.finished_steps(tx, [row["id"] for row in rows]) if rows else {}
        self.hands += [Work(row, set(steps[row["id"]])) for row in rows]
        self._say(f"claim {len(rows)} of {len(held)}")
        return bool(rows)

    async def go_on(self, *, faults: bool = True) -> bool:
        """A worker takes its next step, whether it still holds the lease or not."""
        if not self.hands:
            return False
        work = self.random.choice(self.hands)
        try:
            await (self._fail(work) if faults and self.random.random() < 0.15 else self._step(work))
            assert work.key not in self.lost, "a lease that was swept could still write"
        except LeaseLost:
            self.hands.remove(work)
            await self.look()
            now = self.seen[work.row["id"]]
            assert (now["fence"], now["state"]) != (work.row["fence"], "running"), "a held lease was refused"
            self._say("a late write was refused")
        return True

    async def die(self) -> bool:
        """A worker is gone with all it held; perhaps the supervisor saw it."""
        if self.hands:
            self.hands.remove(self.random.choice(self.hands))
            self._say("a worker died")
        return False

    async def run_out(self, *, everything: bool = False) -> bool:
        """Time passes for some leases; who holds them may not know."""
        share = 1.0 if everything else 0.5
        late = [job for job in self.marks if self.seen[job]["leased"] and self.random.random() < share]
        if late:
            await self.time.execute(
                "UPDATE app.job SET lease_until = clock_timestamp() - interval '1 s' WHERE id = ANY ($1)", late
            )
            self._say(f"{len(late)} leases run out")
        return False

    async def sweep(self) -> bool:
        if swept := await self.dispatcher.fetch(routing.SWEEP):
            gone = {row["id"] for row in swept}
            self.lost |= {work.key for work in self.hands if work.row["id"] in gone}
            self._say(f"sweep {len(swept)}")
        return bool(swept)

    async def hurry(self) -> bool:
        """Pauses between tries pass."""
        if any(job["state"] == "retry_wait" for job in self.seen.values()):
            await self.time.execute(
                "UPDATE app.job SET run_at = clock_timestamp() - interval '1 s' "
                "WHERE tenant_id = $1 AND state = 'retry_wait'",
                self.tenant.facts.id,
            )
        return False

    async def cancel(self) -> bool:
        job = self.random.choice(list(self.marks))
        try:
            async with self.tenant.tx() as tx:
                await commands.cancel(tx, job)
            return self._say("cancel")
        except Problem:
            return False  # it has ended

    async def lose_a_message(self) -> bool:
        if self.messages:
            self.messages.pop(self.random.randrange(len(self.messages)))
            self._say("a message is lost")
        return False

    # -- a worker

    async def _step(self, work: Work) -> None:
        job, fence = work.key
        now = self.seen[job]
        async with self.tenant.tx() as tx:
            if now["cancel_requested"] and now["fence"] == fence:  # as its heartbeat would tell it
                ended = await lease.leave(tx, job, fence, "canceled", lease.passed())
                await ending.unfinished(tx, ended)
            elif work.row["crashes"] >= lease.CRASH_LIMIT:
                ended = await lease.leave(tx, job, fence, "dead", lease.passed(problem={"code": "job_crashed"}))
                await ending.unfinished(tx, ended)
            elif "first" not in work.done:
                await lease.write(tx, job, fence, {"crashes": 0})
                await effect(tx, self.marks[job], "step")
                await tx.insert(models.job_step, job_id=job, name="first", result=None)
                work.done.add("first")
                self._say("a step")
                return
            else:
                await effect(tx, self.marks[job])
                done = await lease.succeed(tx, [(job, fence, "done", None)])
                if not done:
                    raise LeaseLost
                await ending.announce(tx, done)
        self.hands.remove(work)
        self._say("an end")

    async def _fail(self, work: Work) -> None:
        job, fence = work.key
        final = work.row["attempt"] >= work.row["max_attempts"]
        async with self.tenant.tx() as tx:
            await effect(tx, self.marks[job])  # undone with the transaction when the lease is lost
            if final:
                row = await lease.leave(tx, job, fence, "dead", lease.passed(problem={"code": "failed"}))
                await ending.unfinished(tx, row)
            else:
                await lease.leave(tx, job, fence, "retry_wait", lease.again(problem={"code": "failed"}))
            tx.audited.clear()  # what a failed try had said is not told
        self.hands.remove(work)
        self._say("a failure")

    # -- what must hold

    async def look(self) -> None:
        """After every change: no more in flight than the cap allows, as the dispatcher itself counts them."""
        rows = await self.time.fetch(_LOOK, self.tenant.facts.id, list(self.marks))
        self.seen = {row["id"]: row for row in rows}
        assert sum(row["live"] for row in rows) <= CAP, "more in flight than the cap allows"

    async def judge(self) -> Counter[str]:
        """When peace has come: everything ended, every success had its effect and nothing else had, each end was told
        once. Neither rows of the audit nor events are ever taken back, so what was doubled on the way shows here."""
        rows = await self.time.fetch(_ENDS, self.tenant.facts.id, list(self.marks), list(self.marks.values()))
        assert len(rows) == len(self.marks)
        for row in rows:
            assert row["state"] in ("succeeded", "canceled", "dead"), f"not ended: {row['state']}"
            assert row["effects"] == (row["state"] == "succeeded"), f"{row['effects']} effects of one {row['state']}"
            assert row["told"] == 1, f"an end was told {row['told']} times"
            assert row["lease_until"] is None
            assert row["attempt"] <= row["max_attempts"]
        return Counter(row["state"] for row in rows)

    def _say(self, what: str) -> bool:
        self.story.append(what)
        return True
