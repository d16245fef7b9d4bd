"""Faults 1 to 7 of the design on real processes, on both transports: exact counts, bounded time."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.platform.jobs.job_kinds import Crashing, Once, Recurs, Steps
from tests.platform.jobs.job_world import Place, Processes, Tenant, Transport, marks, until, with_settings
from tests.platform.jobs.mother import Child
from tests.scale import CHAOS, at_scale, seeded

from backoffice.accounts.schemas import MoveClock
from backoffice.kernel import ids
from backoffice.platform import models
from backoffice.platform.db import CommitUncertain, Database, Unavailable
from backoffice.platform.jobs import commands, lease, schedules
from backoffice.platform.jobs.heartbeat import free_leases, worker_name
from backoffice.platform.tx import Row

pytestmark = pytest.mark.kills

LEASE = 1.0


@pytest.mark.parametrize("moment", ["before_claim", "after_claim", "in_effect", "after_commit", "before_ack"])
async def test_a_worker_is_killed_at_every_step(
    place: Place, processes: Processes, transport: Transport, tmp_path: Path, moment: str
) -> None:
    """Fault 1: effects = jobs, and what was interrupted runs again within the lease and 2 s."""
    transport.wipe()  # messages that a dead worker of another test held: acknowledging one is a moment too
    tenant = place.tenant()
    marker = tmp_path / "killed"
    of_process = {"KILL_AT": moment, "KILL_MARKER": str(marker)} if moment in ("before_claim", "before_ack") else {}
    processes.dispatcher()
    workers = [processes.worker(**of_process), processes.worker(**of_process)]
    await processes.ready(place, 2)
    names = marks(12)
    jobs = await tenant.start(*(Once(mark=name, kill=moment, marker=str(marker)) for name in names))
    assert await tenant.all_ended() == {"succeeded": 12}
    assert await tenant.effects() == dict.fromkeys(names, 1)
    assert [worker.poll() for worker in workers].count(-signal.SIGKILL) == 1
    last = max([(await tenant.job(job))["finished_at"] for job in jobs])
    assert last.timestamp() - marker.stat().st_mtime < LEASE + 2
    await nothing_is_leased(place)


async def test_a_worker_stopped_past_its_lease_changes_nothing(
    place: Place, processes: Processes, transport: Transport
) -> None:
    """Fault 2: SIGSTOP, another finishes, SIGCONT."""
    tenant = place.tenant()
    processes.dispatcher()
    workers = {worker.pid: worker for worker in (processes.worker(), processes.worker())}
    await processes.ready(place, 2)
    mark = uuid4()
    [job] = await tenant.start(Once(mark=mark, seconds=0.4))
    row = await tenant.until(job, "running")
    stopped = workers[int(row["worker"].split(":")[1])]
    stopped.send_signal(signal.SIGSTOP)
    row = await tenant.until(job, "succeeded")
    assert row["worker"] != worker_name(stopped.pid)
    assert (row["crashes"], row["attempt"]) == (1, 1)
    stopped.send_signal(signal.SIGCONT)
    await until(lambda: _said(processes, "lease_lost"))
    assert dict(await tenant.job(job)) == dict(row)
    assert await tenant.effects() == {mark: 1}
    [after] = await tenant.start(Once(mark=uuid4()))  # it works on
    await tenant.until(after, "succeeded")


async def test_a_dispatcher_is_killed_between_release_and_publish(
    place: Place, processes: Processes, transport: Transport, tmp_path: Path
) -> None:
    """Fault 3: another leads, no job waits longer than its lease, and the cap holds all the while."""
    tenant = place.tenant(cap=3)
    fatal = {"KILL_AT": "before_publish", "KILL_MARKER": str(tmp_path / "killed")}
    first = processes.dispatcher(**fatal)
    processes.worker()
    processes.worker()
    await processes.ready(place, 2)
    processes.dispatcher()
    names = marks(30)
    await tenant.start(*(Once(mark=name, seconds=0.03) for name in names))
    assert await tenant.all_ended() == {"succeeded": 30}
    assert first.wait(5) == -signal.SIGKILL
    assert await tenant.effects() == dict.fromkeys(names, 1)
    assert await _most_at_once(tenant) <= 3
    await nothing_is_leased(place)


@pytest.mark.moment
async def test_two_dispatchers_at_once(place: Place, processes: Processes, transport: Transport) -> None:
    """One leads; when it is killed the other does, within a second."""
    tenant = place.tenant(cap=2)
    dispatchers = [processes.dispatcher(), processes.dispatcher()]
    processes.worker()
    await processes.ready(place, 1)
    names = marks(40)
    await tenant.start(*(Once(mark=name, seconds=0.02) for name in names))
    await until(lambda: _done(tenant, 10))
    assert processes.said("leading") == 1
    [leader] = [dispatcher for dispatcher in dispatchers if _leads(place, dispatcher.pid)]
    leader.kill()
    began = time.monotonic()
    await until(lambda: _said(processes, "leading", 2), 5)
    assert time.monotonic() - began < 1.5
    assert await tenant.all_ended() == {"succeeded": 40}
    assert await tenant.effects() == dict.fromkeys(names, 1)
    assert await _most_at_once(tenant) <= 2


async def test_postgres_is_stopped_under_load(place: Place, processes: Processes) -> None:
    """Fault 4: no acknowledged job is lost, refusals are clear, and work goes on within 10 s."""
    tenant = place.tenant()
    processes.dispatcher()
    processes.worker()
    processes.worker()
    await processes.ready(place, 2)
    kept: dict[UUID, UUID] = {}
    unclear: list[UUID] = []
    refused = 0
    stop = asyncio.Event()

    async def submit() -> None:
        nonlocal refused
        while not stop.is_set():
            mark = uuid4()
            try:
                [job] = await tenant.start(Once(mark=mark, seconds=0.01))
                kept[mark] = job
            except CommitUncertain:
                unclear.append(mark)
            except (Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError):
                refused += 1
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.005)

    submitters = [asyncio.create_task(submit()) for _ in range(4)]
    await asyncio.sleep(0.7)
    place.postgres.stop(immediate=True)
    await asyncio.sleep(0.3)
    place.postgres.start()
    back = time.monotonic()
    before = len(kept)
    await until(lambda: _grown(kept, before), 10)
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.gather(*submitters)
    assert refused > 0
    await until(lambda: _finished_since(tenant, back), 10)
    states = await tenant.all_ended()
    assert set(states) == {"succeeded"}
    effects = await tenant.effects()
    assert set(effects.values()) == {1}
    assert set(kept) <= set(effects) <= set(kept) | set(unclear)
    await nothing_is_leased(place)


async def test_the_connection_limit_is_reached(place: Place, processes: Processes) -> None:
    """Fault 4, last part: what gets no connection is refused clearly and leaves nothing, what got one is kept."""
    db = Database(place.settings.dsn("bo_app"), size=8)
    await db.open()
    tenant = place.tenant()
    tenant.runtime = replace(place.runtime, db=db)
    place.admin("ALTER ROLE bo_app CONNECTION LIMIT 1")
    try:
        answers = await asyncio.gather(*(tenant.start(Once(mark=mark)) for mark in marks(8)), return_exceptions=True)
    finally:
        place.admin("ALTER ROLE bo_app CONNECTION LIMIT -1")
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert refused
    assert all(isinstance(answer, Unavailable) and answer.status == 503 for answer in refused)
    processes.dispatcher()
    processes.worker()
    assert await tenant.all_ended() == {"succeeded": 8 - len(refused)}
    await db.close()


@pytest.mark.moment
async def test_the_broker_is_away_and_comes_back(place: Place, processes: Processes, transport: Transport) -> None:
    """Fault 5, first half: without a broker a submit still answers, and then the backlog drains."""
    transport.settle()
    tenant = place.tenant()
    processes.dispatcher()
    processes.worker()
    await processes.ready(place, 1)
    names = marks(40)
    await tenant.start(*(Once(mark=name, seconds=0.02) for name in names[:20]))
    await until(lambda: _done(tenant, 3))
    transport.down()
    try:
        began = time.monotonic()
        await tenant.start(*(Once(mark=name) for name in names[20:]))
        assert time.monotonic() - began < 1
        await asyncio.sleep(2 * LEASE)
    finally:
        transport.up()
    back = time.monotonic()
    assert await tenant.all_ended() == {"succeeded": 40}
    assert time.monotonic() - back < 15
    assert await tenant.effects() == dict.fromkeys(names, 1)
    async with tenant.tx() as tx:
        row = await tx.connection.fetchrow("SELECT max(attempt) AS a, max(crashes) AS c FROM app.job")
    assert tuple(row) == (1, 0)  # a broker that is away uses up nothing
    await nothing_is_leased(place)


async def test_messages_are_wiped(place: Place, processes: Processes, transport: Transport) -> None:
    """Fault 5, second half: what was published and lost comes back with its lease."""
    tenant = place.tenant()
    processes.dispatcher()
    worker = processes.worker()
    await processes.ready(place, 1)
    names = marks(30)
    await tenant.start(*(Once(mark=name, seconds=0.1) for name in names))
    await until(lambda: _done(tenant, 1))
    worker.kill()  # the broker takes back what it had fetched, and nobody is there to fetch it
    worker.wait(5)
    await until(lambda: _waits(transport), 5)
    transport.wipe()
    processes.worker()
    assert await tenant.all_ended() == {"succeeded": 30}
    assert await tenant.effects() == dict.fromkeys(names, 1)


async def test_every_message_is_doubled_and_reordered(place: Place, processes: Processes, transport: Transport) -> None:
    """Fault 5, last part."""
    tenant = place.tenant()
    processes.dispatcher(KILL_AT="double")
    processes.worker()
    processes.worker()
    await processes.ready(place, 2)
    names = marks(150)
    await tenant.start(*(Once(mark=name) for name in names))
    assert await tenant.all_ended() == {"succeeded": 150}
    assert await tenant.effects() == dict.fromkeys(names, 1)


@pytest.mark.moment
async def test_the_submitter_is_killed_before_the_doorbell(
    place: Place, processes: Processes, transport: Transport
) -> None:
    """Fault 6: the poll finds the job within a second."""
    tenant = place.tenant()
    processes.dispatcher()
    processes.worker()
    await processes.ready(place, 1)
    await asyncio.sleep(0.5)
    mark = uuid4()
    submitter = processes.start("submit", str(tenant.facts.id), str(mark))
    assert await asyncio.to_thread(submitter.wait, 30) == -signal.SIGKILL
    await tenant.all_ended()
    async with tenant.tx() as tx:
        waited = await tx.connection.fetchval("SELECT started_at - run_at FROM app.job")
    assert waited.total_seconds() < 1
    assert await tenant.effects() == {mark: 1}


@pytest.mark.moment
async def test_the_supervisor_frees_a_dead_childs_leases(place: Place, processes: Processes) -> None:
    """With a long lease, the next worker has the job at once and not when the lease runs out."""
    with_settings(processes, lease_seconds=60.0)
    tenant = place.tenant()
    processes.dispatcher()
    workers = {worker.pid: worker for worker in (processes.worker(), processes.worker())}
    await processes.ready(place, 2)
    mark = uuid4()
    [job] = await tenant.start(Once(mark=mark, seconds=0.5))
    row = await tenant.until(job, "running")
    dead = workers[int(row["worker"].split(":")[1])]
    dead.kill()
    assert free_leases(place.settings.dsn("bo_dispatch"), worker_name(dead.pid)) == 1
    began = time.monotonic()
    await tenant.until(job, "succeeded")
    assert time.monotonic() - began < 2.5
    assert await tenant.effects() == {mark: 1}


async def test_a_job_that_kills_its_worker_dies_after_three_crashes(place: Place, processes: Processes) -> None:
    """Fault 8 in small: and the jobs beside it go on."""
    tenant = place.tenant()
    processes.dispatcher()
    for _ in range(4):
        processes.worker()
    await processes.ready(place, 4)
    [fatal] = await tenant.start(Crashing(mark=uuid4()))
    names = marks(10)
    await tenant.start(*(Once(mark=name) for name in names))
    row = await tenant.until(fatal, "dead", seconds=20)
    assert (row["crashes"], row["attempt"], row["problem"]["code"]) == (3, 1, "job_crashed")
    assert [process.poll() for process in processes.running].count(-signal.SIGKILL) == 3
    await tenant.all_ended()
    assert await tenant.effects() == dict.fromkeys(names, 1)


async def test_sigterm_drains_and_uses_up_nothing(place: Place, processes: Processes, transport: Transport) -> None:
    """Fault 7 and the shutdown: exit 0 in time, no leased row, and the next worker goes on where this one stopped."""
    tenant = place.tenant()
    processes.dispatcher()
    worker = processes.worker()
    await processes.ready(place, 1)
    mark = uuid4()
    [steps] = await tenant.start(Steps(mark=mark, count=40, seconds=0.05))
    [endless] = await tenant.start(Once(mark=mark, seconds=60))
    names = marks(10)
    await tenant.start(*(Once(mark=name) for name in names))
    await until(lambda: _steps_done(tenant, steps, 3))
    await tenant.until(endless, "running")
    began = time.monotonic()
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 10) == 0
    assert time.monotonic() - began < place.settings.drain_seconds + 0.5
    await nothing_is_leased(place)
    for job in (steps, endless):
        row = await tenant.job(job)
        assert (row["state"], row["attempt"], row["crashes"]) == ("ready", 0, 0)
    place.admin(f"UPDATE app.job SET payload = payload || '{{\"seconds\": 0}}' WHERE tenant_id = '{tenant.facts.id}'")
    processes.worker()
    states = await tenant.all_ended()
    assert states == {"succeeded": 12}
    assert sum((await tenant.effects(*(f"step_{place}" for place in range(40)))).values()) == 40
    await nothing_is_leased(place)


async def test_a_second_signal_ends_the_worker_now(place: Place, processes: Processes) -> None:
    tenant = place.tenant()
    processes.dispatcher()
    worker = processes.worker()
    await processes.ready(place, 1)
    [job] = await tenant.start(Once(mark=uuid4(), seconds=60))
    await tenant.until(job, "running")
    worker.terminate()
    await until(lambda: _said(processes, "draining"))
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 2) == 128 + signal.SIGTERM


async def test_kills_in_a_run_of_many_steps(place: Place, processes: Processes) -> None:
    """A run of many steps whose worker is killed again and again loses and doubles none of them."""
    tenant = place.tenant()
    processes.dispatcher()
    workers = [processes.worker() for _ in range(5)]
    await processes.ready(place, 5)
    mark = uuid4()
    [job] = await tenant.start(Steps(mark=mark, count=60, seconds=0.05))
    for kill in range(1, 5):
        await until(partial(_steps_done, tenant, job, kill * 4))
        row = await tenant.until(job, "running")
        [worker] = [each for each in workers if row["worker"] == worker_name(each.pid)]
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(5)
        free_leases(place.settings.dsn("bo_dispatch"), worker_name(worker.pid))
    row = await tenant.until(job, "succeeded", "dead", seconds=40)
    assert row["state"] == "succeeded"
    assert sum((await tenant.effects(*(f"step_{place}" for place in range(60)))).values()) == 60


@pytest.mark.large
async def test_kills_at_seeded_moments(place: Place, processes: Processes, transport: Transport) -> None:
    """Workers and the dispatcher are killed and started again all the while: effects = jobs. `make chaos` runs it
    with the large numbers; the seed is in the failure's output.

    Among so many, chance kills one job three times without a finished step between, which is what a job dies of. Who
    retries it, as a person would, gets its effect too."""
    seed = seeded(7)
    sys.stderr.write(f"seed {seed}\n")
    chance = random.Random(seed)
    count, kills = at_scale(200, 20_000), at_scale(6, 200)
    tenant = place.tenant()
    kinds: list[Callable[..., Child]] = [processes.worker, processes.worker, processes.dispatcher]
    running = [start() for start in kinds]
    await processes.ready(place, 2)
    names = marks(count)
    for start in range(0, count, 500):
        jobs = (Once(mark=name, seconds=chance.uniform(0, 0.03)) for name in names[start : start + 500])
        await tenant.start(*jobs)
    killed = set()
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.05, 0.4))
        victim = chance.randrange(3)
        running[victim].kill()
        if victim < 2:
            killed.add(worker_name(running[victim].pid))
            free_leases(place.settings.dsn("bo_dispatch"), worker_name(running[victim].pid))
        running[victim] = kinds[victim]()
    ended = await tenant.all_ended(seconds=60 + count / 50)
    given_up = await _given_up(tenant)
    assert ended == +Counter(succeeded=count - len(given_up), dead=len(given_up))
    assert len(await tenant.effects()) == ended["succeeded"]
    assert CHAOS or not given_up
    async with tenant.tx() as tx:
        for row in given_up:
            assert row["crashes"] == len(row["under"]) >= 3  # one more for each kill while it was being given up
            assert set(row["under"]) <= killed
            await commands.retry(tx, row["id"], "three kills in a row")
    assert await tenant.all_ended() == {"succeeded": count}
    assert await tenant.effects() == dict.fromkeys(names, 1)
    await nothing_is_leased(place)


# ------------------------------------------------------------------------------------------------------ looking


async def nothing_is_leased(place: Place) -> None:
    async def look() -> bool:
        return place.leased() == 0

    await until(look, 2 * LEASE + 1)


async def _given_up(tenant: Tenant) -> list[Row]:
    """The jobs that are dead: id, crashes, and the workers that went down with them."""
    async with tenant.tx() as tx:
        rows: list[Row] = await tx.connection.fetch(
            "SELECT id, crashes, ARRAY(SELECT worker FROM app.job_log l"
            "   WHERE l.tenant_id = $1 AND l.job_id = j.id AND l.outcome = 'crashed') AS under"
            "  FROM app.job j WHERE tenant_id = $1 AND state = 'dead'",
            tenant.facts.id,
        )
    return rows


async def _said(processes: Processes, event: str, least: int = 1) -> bool:
    return processes.said(event) >= least


async def _waits(transport: Transport) -> bool:
    return transport.count() > 0


async def _done(tenant: Tenant, least: int) -> int:
    done = (await tenant.states())["succeeded"]
    return done if done >= least else 0


async def _grown(kept: dict[UUID, UUID], before: int) -> bool:
    return len(kept) > before


async def _steps_done(tenant: Tenant, job: UUID, least: int) -> bool:
    async with tenant.tx() as tx:
        done = await tx.connection.fetchval("SELECT count(*) FROM app.job_step WHERE job_id = $1", job)
    return int(done) >= least


async def _may_lose_its_worker(tenant: Tenant, job: UUID) -> bool:
    """Whether one more kill leaves the job below what it dies of."""
    return int((await tenant.job(job))["crashes"]) < lease.CRASH_LIMIT - 1


async def _finished_since(tenant: Tenant, monotonic: float) -> bool:
    """Whether a job has been finished since an instant of this process."""
    ago = time.monotonic() - monotonic
    async with tenant.tx() as tx:
        return bool(
            await tx.connection.fetchval(
                "SELECT EXISTS (SELECT FROM app.job WHERE finished_at > clock_timestamp() - make_interval(secs => $1))",
                ago,
            )
        )


async def _most_at_once(tenant: Tenant) -> int:
    """The most jobs of the tenant that ran at one time, from their start and finish stamps."""
    async with tenant.tx() as tx:
        rows = await tx.connection.fetch(
            "SELECT started_at, finished_at FROM app.job WHERE tenant_id = $1", tenant.facts.id
        )
    changes = sorted([(row["started_at"], 1) for row in rows] + [(row["finished_at"], -1) for row in rows])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def _leads(place: Place, pid: int) -> bool:
    """Whether the session that holds the leader's lock belongs to this process of ours."""
    rows = place.admin(
        "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory'"
        " AND granted AND usename = 'bo_dispatch'"
    )
    return (f"backoffice:{pid}",) in rows


async def test_a_clock_is_moved_while_its_workers_are_killed(place: Place, processes: Processes) -> None:
    """Thirty days of a schedule: each fire once, at its own time and after the one before, whoever dies. Killed twice,
    the move is let reach its next instant: three times without a finished step between is what a job dies of."""
    tenant, mark, dice = place.tenant(), uuid4(), random.Random(seeded(3))
    start, to = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)
    values = {"source": "tenant_file", "rule": "daily at 06:00", "time_zone": "UTC", "catch_up": "one"}
    processes.dispatcher()
    workers = [processes.worker(), processes.worker()]
    await processes.ready(place, 2)
    async with tenant.tx() as tx:
        clock = await tx.insert(models.test_clock, frozen_time=start)
    async with tenant.tx() as tx:
        payload = {"mark": str(mark)}
        await schedules.put(tx, "daily", {**values, "catch_up_limit": 1, "payload": payload}, Recurs)
    async with tenant.tx() as tx:
        shown = ids.encode("test_clock", clock["id"])
        job = await tx.start(MoveClock(clock_id=shown, since=start, to=to))
        moving = {"status": "advancing", "advancing_to": to, "job_id": job}
        await tx.change(models.test_clock, clock["id"], moving)
    for kill in range(at_scale(4, 200)):
        await asyncio.sleep(dice.uniform(0.1, 0.5))
        await until(partial(_may_lose_its_worker, tenant, job))
        workers[kill % 2].kill()
        await asyncio.to_thread(free_leases, place.settings.dsn("bo_dispatch"), worker_name(workers[kill % 2].pid))
        workers[kill % 2] = processes.worker()
    await tenant.until(job, "succeeded", seconds=60)
    async with tenant.tx() as tx:
        fires = await tx.connection.fetch(
            "SELECT * FROM app.job WHERE tenant_id = $1 AND kind = $2 ORDER BY due_at", tenant.facts.id, Recurs.kind
        )
        there = await tx.connection.fetchrow("SELECT * FROM app.test_clock WHERE tenant_id = $1", tenant.facts.id)
    assert (there["status"], there["frozen_time"]) == ("ready", to)
    assert [(row["due_at"] - start).days for row in fires] == list(range(30))
    assert all(row["state"] == "succeeded" and row["updated_at"] == row["due_at"] for row in fires)
    assert all(one["finished_at"] <= two["started_at"] for one, two in pairwise(fires))
    assert await tenant.effects() == {mark: 30}
    await nothing_is_leased(place)
