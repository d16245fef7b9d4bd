"""A platform in small whose every accident comes from one seed: a dispatcher, workers, a broker and the clock of the
leases, in an order that the seed chooses, on the real SQL. Two tenants share few slots, by the dispatcher's own rule.
A seed that breaks a promise is a bug report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import asyncpg
from tests.platform.jobs.job_kinds import Once, effect
from tests.platform.jobs.job_world import Tenant
from tests.platform.jobs.seeded_dispatcher import CAP, LEASE_SECONDS, WINDOW, Died, SeededDispatcher

from backoffice.kernel.errors import Problem
from backoffice.platform import models
from backoffice.platform.jobs import commands, ending, lease, routing
from backoffice.platform.jobs.errors import LeaseLost
from backoffice.platform.jobs.fairness import InFlight, Key
from backoffice.platform.tx import Row

FAULTS = 12  # accidents and moves before everything is left to end in peace
PATIENCE = 60  # rounds in which everything must then have ended
_LEASE = timedelta(seconds=LEASE_SECONDS)
PAUSES = (0.0, 0.0, 0.1, 0.3)  # seconds between two moves: who has work is a newcomer for a quarter of one

_LOOK = f"""
SELECT j.tenant_id, j.id, j.state, j.fence, j.cancel_requested, j.lease_until IS NOT NULL AS leased,
       j.finished_at IS NULL AS open, live.id IS NOT NULL AS live,
       j.state IN ('scheduled', 'ready', 'retry_wait') AND j.run_at <= statement_timestamp() AS due
  FROM unnest($1::uuid[], $2::uuid[]) AS given (tenant_id, id)
  JOIN app.job AS j ON j.tenant_id = given.tenant_id AND j.id = given.id
  LEFT JOIN ({routing.LIVE}) AS live ON live.tenant_id = j.tenant_id AND live.id = j.id"""
_ENDS = """
SELECT j.*, (SELECT count(*) FROM app.audit_event a WHERE a.tenant_id = j.tenant_id AND a.action = 'test.effect'
                AND a.object_id = given.mark) AS effects,
       (SELECT count(*) FROM app.event e WHERE e.tenant_id = j.tenant_id AND e.object_id = j.id) AS told
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS given (tenant_id, id, mark)
  JOIN app.job j ON j.tenant_id = given.tenant_id AND j.id = given.id"""


@dataclass(eq=False)
class Work:
    """A job in the hands of a worker."""

    row: Row
    done: set[str]

    @property
    def key(self) -> tuple[UUID, int]:
        return self.row["id"], self.row["fence"]

    @property
    def tenant(self) -> UUID:
        return self.row["tenant_id"]


@dataclass
class Simulator:
    """One schedule. `story` is what happened, for the report."""

    tenants: Sequence[Tenant]  # two, who share the slots
    dispatch: asyncpg.Connection  # bo_dispatch
    time: asyncpg.Connection  # the superuser, who alone can make leases run out
    seed: int
    marks: dict[UUID, UUID] = field(default_factory=dict)
    owners: dict[UUID, Tenant] = field(default_factory=dict)  # of the jobs
    story: list[str] = field(default_factory=list)
    messages: list[Sequence[Key]] = field(default_factory=list)
    hands: list[Work] = field(default_factory=list)
    fences: dict[UUID, int] = field(default_factory=dict)
    lost: set[tuple[UUID, int]] = field(default_factory=set)  # leases that were swept under who held them
    seen: dict[UUID, Row] = field(default_factory=dict)  # the jobs as they were when last looked at
    took: dict[Key, float] = field(default_factory=dict)  # slot-seconds of what has ended
    now: float = 0.0  # of the dispatcher

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.by_id = {tenant.facts.id: tenant for tenant in self.tenants}
        self.quick = {tenant: self.random.random() < 0.6 for tenant in self.by_id}
        self._lead()

    def _lead(self) -> None:
        self.dispatcher = SeededDispatcher(self.quick, lambda: self.now, self._publish)

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
            self.now += 1.0
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
        self.now += self.random.choice(PAUSES)
        if await move():
            await self.look()

    # -- what may happen: whether it changed a job

    async def submit(self) -> bool:
        tenant = self.random.choice(self.tenants)
        payloads = [Once(mark=uuid4()) for _ in range(self.random.randint(1, 3))]
        for job, payload in zip(await tenant.start(*payloads), payloads, strict=True):
            self.marks[job], self.owners[job] = payload.mark, tenant
        return self._say(f"submit {len(payloads)} of {self._name(tenant.facts.id)}")

    async def release(self) -> bool:
        """The dispatcher's turn: all that may start is released, unless it fails on the way."""
        due = {job["tenant_id"] for job in self.seen.values() if job["due"]}
        if not due:
            return False
        dispatcher = self.dispatcher
        try:
            await dispatcher.turn(self.dispatch, self._live(), due, self.took)
        except Died:
            self._lead()
        for _, job, fence in dispatcher.released:
            assert fence > self.fences.get(job, 0), "a fence was given twice"
            self.fences[job] = fence
        self._say(f"release {', '.join(self._name(tenant) for tenant, _, _ in dispatcher.released) or 'nothing'}")
        if self.dispatcher is dispatcher and not dispatcher.failed:
            if dispatcher.released:
                await self.look()
            live = self._live()
            for tenant in {job["tenant_id"] for job in self.seen.values() if job["due"]}:
                assert dispatcher.left(tenant, live), f"work of {self._name(tenant)} lies there beside free slots"
            return False
        return True

    def _publish(self, batches: Sequence[Sequence[Key]], soon: bool) -> None:
        fate = self.random.random()
        if fate < 0.08:
            self._say("die before publishing")
            raise Died
        if fate < 0.16:
            self._say("the broker does not answer")
            raise ConnectionError
        self._say(f"publish {len(batches)}{' soon' if soon else ''}")
        self.messages += batches

    def _live(self) -> list[InFlight]:
        return [
            InFlight(
                (job["tenant_id"], job["id"], job["fence"]), "normal", 0.001 if job["state"] == "running" else None
            )
            for job in self.seen.values()
            if job["live"]
        ]

    def _name(self, tenant: UUID) -> str:
        place = list(self.by_id).index(tenant)
        return ("quick " if self.quick[tenant] else "slow ") + "AB"[place]

    async def deliver(self) -> bool:
        """A message arrives: out of order, sometimes once more later."""
        if not self.messages:
            return False
        place = self.random.randrange(len(self.messages))
        held = self.messages[place] if self.random.random() < 0.15 else self.messages.pop(place)
        async with self.by_id[held[0][0]].tx() as tx:
            keys = [(job, fence) for _, job, fence in held]
            rows = await lease.claim(tx, keys, worker=f"sim:{self.random.randint(1, 3)}", lease=_LEASE)
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
        if swept := await self.dispatch.fetch(routing.SWEEP):
            gone = {row["id"] for row in swept}
            self.lost |= {work.key for work in self.hands if work.row["id"] in gone}
            self._say(f"sweep {len(swept)}")
        return bool(swept)

    async def hurry(self) -> bool:
        """Pauses between tries pass."""
        if any(job["state"] == "retry_wait" for job in self.seen.values()):
            await self.time.execute(
                "UPDATE app.job SET run_at = clock_timestamp() - interval '1 s' "
                "WHERE tenant_id = ANY ($1) AND state = 'retry_wait'",
                list(self.by_id),
            )
        return False

    async def cancel(self) -> bool:
        job = self.random.choice(list(self.marks))
        try:
            async with self.owners[job].tx() as tx:
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
        async with self.by_id[work.tenant].tx() as tx:
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
        self.took[work.tenant, job, fence] = 0.001 if self.quick[work.tenant] else 0.2
        self._say("an end")

    async def _fail(self, work: Work) -> None:
        job, fence = work.key
        final = work.row["attempt"] >= work.row["max_attempts"]
        async with self.by_id[work.tenant].tx() as tx:
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
        owners = [self.owners[job].facts.id for job in self.marks]
        rows = await self.time.fetch(_LOOK, owners, list(self.marks))
        self.seen = {row["id"]: row for row in rows}
        live = Counter(row["tenant_id"] for row in rows if row["live"])
        assert max(live.values(), default=0) <= CAP, "more in flight than the cap allows"
        assert live.total() <= WINDOW, "more in flight than the window allows"

    async def judge(self) -> Counter[str]:
        """When peace has come: everything ended, every success had its effect and nothing else had, each end was told
        once. Neither rows of the audit nor events are ever taken back, so what was doubled on the way shows here."""
        owners = [self.owners[job].facts.id for job in self.marks]
        rows = await self.time.fetch(_ENDS, owners, list(self.marks), list(self.marks.values()))
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
