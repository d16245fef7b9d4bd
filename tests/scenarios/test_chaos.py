"""Everything is killed while jobs, requests and webhooks go on: workers, dispatcher, courier, API, PostgreSQL and,
where it carries the messages, RabbitMQ. Nothing is lost, no effect is doubled, and every webhook that came twice came
under its own id and around the kill that explains it. `make chaos` plays it with 100,000 jobs and 1,000 kills."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx
import psycopg
import pytest
from dramatiq.errors import ConnectionClosed
from tests.factories.forked import Platform
from tests.platform.jobs.job_kinds import Once
from tests.platform.jobs.rabbit_node import RabbitNode
from tests.scale import at_scale, seeded
from tests.webhooks.bench import Bench, Receiver, until
from tests.world import Firm, Tenant, World, opened

from backoffice.kernel.errors import Problem
from backoffice.local.keeping import kept_alive
from backoffice.local.processes import free_port, freeing
from backoffice.platform.connections import CLOSED
from backoffice.platform.courier import loopback
from backoffice.platform.jobs import commands
from backoffice.platform.migrate import migrate
from backoffice.platform.postgres import EmbeddedPostgres, bootstrap, role_passwords, throwaway_state
from backoffice.platform.settings import Settings
from backoffice.platform.state import StateDirectory

pytestmark = [pytest.mark.kills, pytest.mark.large]

KILLS = at_scale(8, 1_000)
JOBS = at_scale(320, 100_000)
WORKERS_MADE = at_scale(32, 4_000)  # by requests, each with its event
PROCESSES = ("worker", "worker", "dispatcher", "courier", "api")
PAUSES = (0.2, 0.6)  # seconds between two kills
READ_LATE = 1.0  # the receivers, busy with our kills, may read so much later what was sent before one
SETTLED_SECONDS = 60 + JOBS / 50
AWAY = (Problem, asyncpg.PostgresError, *CLOSED, OSError)
ADDRESS = {"line1": "1 Sample Street", "city": "Albany", "state": "NY", "postal_code": "12207"}


@dataclass
class Chaos:
    """What runs, what is done to it, and when."""

    platform: Platform
    world: World
    postgres: EmbeddedPostgres
    rabbit: RabbitNode | None
    dice: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    courier_gaps: list[tuple[float, float]] = field(default_factory=list)  # when it or its database was away
    healing: asyncio.Task[None] | None = None

    async def strike(self, what: str) -> None:
        """Kill one of these, and do what its supervisor would."""
        began = time.monotonic()
        self.killed[what] += 1
        if what == "postgres":
            await self._healed()  # one that is starting cannot be struck: it is not there
            assert self.postgres.pid is not None
            os.kill(self.postgres.pid, signal.SIGKILL)
            self.healing = asyncio.create_task(self._until_postgres_is_back(began))
        elif what == "rabbitmq":
            await self._healed()
            assert self.rabbit is not None
            await asyncio.to_thread(self.rabbit.kill)
            self.healing = asyncio.create_task(asyncio.to_thread(self.rabbit.start))
        else:
            await _until(partial(self._lives, what), 30)
            pid = self.dice.choice([pid for pid, name in self.platform.pids.items() if name == what])
            self.platform.kill(pid)
            await self._again(pid, what)
            if what == "courier":
                self.courier_gaps.append((began, time.monotonic()))

    async def supervise(self) -> None:
        """Start again what ends by itself, until canceled: a process that finds no database when it starts does."""
        while True:
            for pid, what in self.platform.ended().items():
                await self._again(pid, what)
            await asyncio.sleep(0.2)

    async def _lives(self, what: str) -> bool:
        return what in self.platform.pids.values()

    async def _again(self, pid: int, what: str) -> None:
        self.platform.start(what)
        with suppress(psycopg.Error, ConnectionClosed, OSError):  # the database may be away
            await asyncio.to_thread(freeing(self.platform.settings), what, pid)

    async def _healed(self) -> None:
        if self.healing is not None:
            await self.healing
        self.healing = None

    async def _until_postgres_is_back(self, began: float) -> None:
        dead = self.postgres.pid

        async def is_back() -> bool:
            return self.postgres.pid != dead and await self.world.runtime.db.answers()

        await _until(is_back, 60)
        self.courier_gaps.append((began, time.monotonic()))

    async def rage(self, kills: int) -> None:
        """So many kills, each kind among the first."""
        victims = [*dict.fromkeys(PROCESSES), "postgres", *(["rabbitmq"] if self.rabbit else [])]
        self.dice.shuffle(victims)
        # A server's start takes as long as a dozen others.
        weights = {"worker": 8, "dispatcher": 4, "courier": 4, "api": 4, "postgres": 1, "rabbitmq": 1}
        drawn = self.dice.choices(victims, [weights[each] for each in victims], k=max(0, kills - len(victims)))
        for what in [*victims, *drawn][:kills]:
            await asyncio.sleep(self.dice.uniform(*PAUSES))
            await self.strike(what)
        await self._healed()


@pytest.fixture(params=["postgres", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def chaos(request: pytest.FixtureRequest, loop: asyncio.AbstractEventLoop, tmp_path: Path) -> Iterator[Chaos]:
    """A platform on a server and, if asked for, a broker of its own: these are killed."""
    rabbit = RabbitNode(tmp_path) if request.param == "rabbitmq" else None
    with throwaway_state() as state, EmbeddedPostgres(state) as postgres, _running(rabbit):
        passwords = role_passwords(StateDirectory(state))
        bootstrap(postgres, passwords)
        address = postgres.start()
        port = free_port()
        settings = Settings(
            database_url=f"postgresql://{address.host}:{address.port}/backoffice",
            queue_url=f"postgresql://{address.host}:{address.port}/backoffice_queue",
            passwords=passwords,
            broker_url=None if rabbit is None else rabbit.url,
            state=tmp_path,
            pepper="1:" + "5a" * 32,
            storage_url=str(tmp_path),
            lease_seconds=2.0,
            worker_threads=4,
            loopback_webhooks=True,
            trace_share=0.0,
            socket_dir=str(address.socket_dir),
            port=port,
            public_url=f"http://127.0.0.1:{port}",
            log_level="error",
        )
        migrate(settings.dsn("bo_migrate"))
        loopback.configure(True)
        seed = seeded(11)
        sys.stderr.write(f"BACKOFFICE_TEST_SEED={seed}\n")  # shown where the test failed
        platform = Platform(settings, tmp_path / "platform.log", ("tests.platform.jobs.job_kinds",))
        try:
            with opened(settings, loop) as world, kept_alive(postgres, lambda _: None):
                yield Chaos(platform, world, postgres, rabbit, random.Random(seed))
        finally:
            platform.close()


@contextmanager
def _running(rabbit: RabbitNode | None) -> Iterator[None]:
    if rabbit is None:
        yield
        return
    try:
        rabbit.start()
        rabbit.declare()
        rabbit.settle()
        yield
    finally:
        rabbit.end()


async def test_nothing_is_lost_and_nothing_done_twice(chaos: Chaos) -> None:
    world, bench = chaos.world, Bench(chaos.world)
    firms = [await world.firm() for _ in range(2)]
    tenants = [firm.test for firm in firms]
    async with bench.receiver() as one, bench.receiver() as other, _served(chaos):
        receivers = [one, other]
        for tenant, receiver in zip(tenants, receivers, strict=True):
            await bench.endpoint(tenant, receiver.url, ["job.*", "worker.*"])
        marks = [[uuid4() for _ in range(JOBS // 2)] for _ in tenants]
        work = asyncio.gather(
            chaos.rage(KILLS),
            *(_submit(world, tenant, of) for tenant, of in zip(tenants, marks, strict=True)),
            *(_hire(chaos, firm) for firm in firms),
        )
        try:
            await work
        finally:
            work.cancel()
        for tenant, of, receiver in zip(tenants, marks, receivers, strict=True):
            await _ended(world, tenant)
            await _every_job_had_its_effect_once(world, tenant, of)
            await _every_worker_is_there_once(world, tenant)
            await _every_event_came(world, tenant, receiver)
        await until(lambda: _leased(chaos) == 0, 30)
    assert sum(chaos.killed.values()) == KILLS
    assert set(PROCESSES) | {"postgres"} <= set(chaos.killed)
    repeats = sum(_explained(receiver, chaos.courier_gaps) for receiver in receivers)
    sys.stderr.write(f"killed {dict(chaos.killed)}; {repeats} webhooks came again\n")


@asynccontextmanager
async def _served(chaos: Chaos) -> AsyncIterator[None]:
    for what in PROCESSES:
        chaos.platform.start(what)
    async with httpx.AsyncClient(base_url=chaos.platform.settings.public_url) as http:
        await _until(lambda: _ready(http), 60)
    supervisor = asyncio.create_task(chaos.supervise())
    try:
        yield
    finally:
        supervisor.cancel()
        await asyncio.gather(supervisor, return_exceptions=True)


async def _ready(http: httpx.AsyncClient) -> bool:
    with suppress(httpx.TransportError):
        return (await http.get("/readyz")).status_code == 200
    return False


# ------------------------------------------------------------------------------------------------------- the work


async def _submit(world: World, tenant: Tenant, marks: Sequence[UUID]) -> None:
    """A job for each mark, spread over the kills; one that may not have been recorded is submitted again by its key."""
    step = max(1, len(marks) // (2 * KILLS))
    for start in range(0, len(marks), step):
        await _until(lambda start=start: _submitted(world, tenant, marks[start : start + step]), 60)  # type: ignore[misc]
        await asyncio.sleep(sum(PAUSES) / 4)


async def _submitted(world: World, tenant: Tenant, marks: Sequence[UUID]) -> bool:
    with suppress(*AWAY):
        async with world.tx(tenant) as tx:
            for mark in marks:
                await tx.start(Once(mark=mark, seconds=0.002), key=str(mark))
        return True
    return False


async def _hire(chaos: Chaos, firm: Firm) -> None:
    """Workers by requests, one after another, each repeated under its idempotency key until it is answered."""
    headers = {"authorization": f"Bearer {firm.test.keys['dana-whitfield']}"}
    async with httpx.AsyncClient(base_url=chaos.platform.settings.public_url, headers=headers, timeout=20) as http:
        for number in range(WORKERS_MADE // 2):
            await _until(lambda number=number: _hired(http, number), 60)  # type: ignore[misc]
            await asyncio.sleep(KILLS * sum(PAUSES) / WORKERS_MADE)


async def _hired(http: httpx.AsyncClient, number: int) -> bool:
    body = {"external_id": f"chaos-{number}", "first_name": "Nobody", "last_name": "Atall", "address": ADDRESS}
    with suppress(httpx.TransportError):
        answer = await http.post("/v1/workers", json=body, headers={"idempotency-key": f"hire-{number}"})
        if answer.status_code == 429:
            await asyncio.sleep(float(answer.headers["retry-after"]))
        assert answer.status_code in (201, 409, 429, 503), answer.text
        return answer.status_code == 201
    return False


# ---------------------------------------------------------------------------------------------------- what must hold


async def _ended(world: World, tenant: Tenant) -> None:
    """Until no job is open. Chance kills a job three times without a step between, which is what a job dies of: whoever
    retries it, as a person would, gets its effect too."""
    end = time.monotonic() + SETTLED_SECONDS
    while states := await _open(world, tenant):
        assert time.monotonic() < end, states
        async with world.tx(tenant) as tx:
            dead = await tx.connection.fetch(
                "SELECT id, crashes FROM app.job WHERE tenant_id = $1 AND state = 'dead'", tenant.facts.id
            )
            for row in dead:
                assert row["crashes"] >= 3
                await commands.retry(tx, row["id"], "three kills in a row")
        await asyncio.sleep(0.1)


async def _open(world: World, tenant: Tenant) -> dict[str, int]:
    async with world.tx(tenant) as tx:
        rows = await tx.connection.fetch(
            "SELECT state, count(*) FROM app.job WHERE tenant_id = $1 AND kind = 'test.once' AND state <> 'succeeded'"
            " GROUP BY state",
            tenant.facts.id,
        )
    return dict(rows)


async def _every_job_had_its_effect_once(world: World, tenant: Tenant, marks: Sequence[UUID]) -> None:
    async with world.tx(tenant) as tx:
        rows = await tx.connection.fetch(
            "SELECT object_id FROM app.audit_event WHERE tenant_id = $1 AND action = 'test.effect'", tenant.facts.id
        )
    assert Counter(row["object_id"] for row in rows) == Counter(marks)


async def _every_worker_is_there_once(world: World, tenant: Tenant) -> None:
    async with world.tx(tenant) as tx:
        rows = await tx.connection.fetch("SELECT external_id FROM app.worker WHERE tenant_id = $1", tenant.facts.id)
    found = Counter(row["external_id"] for row in rows)
    assert found == {f"chaos-{number}": 1 for number in range(WORKERS_MADE // 2)}


async def _every_event_came(world: World, tenant: Tenant, receiver: Receiver) -> None:
    """Each event of the log, with its number, and the same body each time it came."""
    await Bench(world).settled(tenant, "delivered", seconds=SETTLED_SECONDS)
    async with world.tx(tenant) as tx:
        rows = await tx.connection.fetch(
            "SELECT count(*) AS events, max(sequence) AS last FROM app.webhook_delivery WHERE tenant_id = $1",
            tenant.facts.id,
        )
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for request in receiver.requests:
        bodies[request.id].add(request.raw)
    assert [len(of) for of in bodies.values()] == [1] * rows[0]["events"]
    assert {request.sequence for request in receiver.requests} == set(range(1, rows[0]["last"] + 1))
    assert len(bodies) >= JOBS // 2 + WORKERS_MADE // 2


def _leased(chaos: Chaos) -> int:
    with psycopg.connect(chaos.postgres.admin_dsn("backoffice")) as admin:
        found = admin.execute("SELECT count(*) FROM app.job WHERE lease_until IS NOT NULL").fetchone()
    assert found is not None
    return int(found[0])


def _explained(receiver: Receiver, gaps: Sequence[tuple[float, float]]) -> int:
    """How many webhooks came again. Between two arrivals of one id the courier, or what it writes to, was away."""
    arrivals: dict[str, list[float]] = defaultdict(list)
    for request in receiver.requests:
        arrivals[request.id].append(request.at)
    for id_, times in arrivals.items():
        for before, after in pairwise(times):
            near = [(away - before, back - before) for away, back in gaps if abs(away - before) < 10]
            assert any(before - READ_LATE <= back and away <= after for away, back in gaps), (id_, after - before, near)
    return sum(len(times) - 1 for times in arrivals.values())


async def _until(look: Callable[[], Awaitable[bool]], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not await look():
        assert time.monotonic() < end, f"not within {seconds} s"
        await asyncio.sleep(0.05)
