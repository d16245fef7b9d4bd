"""Faults 8, 11 and 12 of the design: a handler that kills its process, a deploy and a rollback under load, clocks."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from tests.platform.jobs.job_kinds import Crashing, DeployedNew, DeployedOld, Once, Steps
from tests.platform.jobs.job_world import Bench, Place, Processes, Tenant, marks, until
from tests.platform.jobs.mother import Child

from backoffice.kernel import clock
from backoffice.local.processes import freeing
from backoffice.platform import jobs

CHAOS = os.environ.get("BACKOFFICE_CHAOS") == "1"
OTHERS = 4_000 if CHAOS else 600
WARM = 100
SHARE = 0.99 if CHAOS else 0.95  # three crashes take a dozen neighbours with them: two in a hundred, one of many
NOISE = 0.25  # seconds: a small sample on a busy machine


@asynccontextmanager
async def supervised(place: Place, processes: Processes, count: int) -> AsyncIterator[list[Child]]:
    """Workers that are started again when they die, and whose jobs are then given back at once."""
    workers = [processes.worker() for _ in range(count)]
    on_death = freeing(place.settings)

    async def watch() -> None:
        while True:
            for number, worker in enumerate(workers):
                if await asyncio.to_thread(worker.poll) is not None:
                    await asyncio.to_thread(on_death, "worker", worker.pid)
                    processes.running.remove(worker)
                    workers[number] = processes.worker()
            await asyncio.sleep(0.02)

    await processes.ready(place, count)
    task = asyncio.create_task(watch())
    try:
        yield workers
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _start_delay(tenant: Tenant, count: int = OTHERS) -> float:
    """Jobs one by one, and the delay to their start that all but the slowest stay below."""
    names = marks(count)
    ids = []
    for name in names:
        ids += await tenant.start(Once(mark=name))
        await asyncio.sleep(0.004)
    assert await tenant.all_ended(60) == {"succeeded": len(await _all(tenant))}
    effects = await tenant.effects()
    assert all(effects[name] == 1 for name in names)
    rows = {row["id"]: row for row in await _all(tenant)}
    assert all((rows[id_]["attempt"], rows[id_]["state"]) == (1, "succeeded") for id_ in ids)
    delays = sorted((rows[id_]["started_at"] - rows[id_]["created_at"]).total_seconds() for id_ in ids)
    return delays[int(len(delays) * SHARE) - 1]


async def _all(tenant: Tenant) -> list[dict[str, object]]:
    async with tenant.tx() as tx:
        return await tx.connection.fetch("SELECT * FROM app.job WHERE tenant_id = $1", tenant.facts.id)


@pytest.mark.moment
@pytest.mark.kills
async def test_a_handler_that_kills_its_process(place: Place, processes: Processes) -> None:
    """Fault 8: dead after three crashes; the others start as if it were not there, and each has its effect once."""
    others, guilty = place.tenant(mode="live"), place.tenant(mode="live")
    processes.dispatcher()
    async with supervised(place, processes, 4):
        await _start_delay(others, WARM)
        idle = await _start_delay(others)
        [job] = await guilty.start(Crashing(mark=uuid4()))
        beside = await _start_delay(others)
        row = await guilty.until(job, "dead")
    assert (row["crashes"], row["problem"]["code"]) == (3, "job_crashed")
    assert beside < max(2 * idle, NOISE), (beside, idle)
    assert place.admin(f"SELECT count(*) FROM app.job_log WHERE job_id = '{job}' AND outcome = 'crashed'") == [(3,)]
    assert place.leased() == 0


@pytest.mark.kills
async def test_a_deploy_and_a_rollback_under_load(place: Place, processes: Processes) -> None:
    """Fault 11: two releases side by side, payloads of both versions, one worker after the other replaced, back, and
    forth again: no try used up, none dead, each effect once; what only the new release knows waits for it."""
    tenant = place.tenant()
    processes.dispatcher()
    names, stepped = [], []
    workers = [processes.worker(RELEASE="old") for _ in range(2)]
    await processes.ready(place, 2)
    loading = True

    async def load() -> None:
        while loading:
            old, new, long = marks(3)
            names.extend((old, new))
            stepped.append(long)
            await tenant.start(
                DeployedOld(mark=old, who="a"), DeployedNew(mark=new, whom="b"), Steps(mark=long, count=4, seconds=0.05)
            )
            await asyncio.sleep(0.05)

    async def replace(release: str) -> None:
        for number in range(2):
            said = processes.said("working")
            fresh = processes.worker(RELEASE=release)
            await until(lambda said=said: _says(processes, said + 1), 20)
            workers[number].send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(workers[number].wait, 20) == 0
            processes.running.remove(workers[number])
            workers[number] = fresh

    task = asyncio.create_task(load())
    await asyncio.sleep(0.5)
    for release in ("new", "old", "new"):
        await replace(release)
    loading = False
    await task
    ended = await tenant.all_ended(60)
    rows = await _all(tenant)
    assert ended == {"succeeded": len(rows)}
    assert {(row["attempt"], row["crashes"]) for row in rows} == {(1, 0)}
    assert await tenant.effects() == dict.fromkeys(names, 1)
    assert await tenant.effects(*(f"step_{number}" for number in range(4))) == dict.fromkeys(stepped, 4)
    by_new = [row for row in rows if row["kind_version"] == 2]
    assert all(row["result"] == "new" for row in by_new)
    assert any(row["result"] == "old" for row in rows)
    assert place.leased() == 0


async def _says(processes: Processes, least: int) -> bool:
    return processes.said("working") >= least


@pytest.mark.parametrize("minutes", [-5, 5])
async def test_a_process_whose_clock_is_wrong(
    place: Place, bench: Bench, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """Fault 12: leases and releases go by the database's time alone, whatever the process believes."""
    skew = timedelta(minutes=minutes)
    real = time.time
    monkeypatch.setattr(clock, "wall", lambda: datetime.now(UTC) + skew)
    monkeypatch.setattr(time, "time", lambda: real() + skew.total_seconds())
    tenant = place.tenant(mode="live")
    [job] = await tenant.start(Once(mark=uuid4()))
    [(_, fence)] = await bench.release(tenant, lease=1.0)
    row = await bench.claim(tenant, job, fence, lease=1.0)
    assert row is not None
    [(left,)] = place.admin(
        f"SELECT extract(epoch FROM lease_until - clock_timestamp())::float8 FROM app.job WHERE id = '{job}'"
    )
    assert 0 < left <= 1.0
    assert await bench.sweep() == []
    [later] = await tenant.start(Once(mark=uuid4()), due_at=datetime.now(UTC) + timedelta(minutes=2))
    assert await bench.release(tenant) == []
    assert (await tenant.job(later))["state"] == "scheduled"
    await asyncio.sleep(1.1)
    assert await bench.sweep() == [(job, "running")]


def test_no_module_of_the_engine_asks_the_wall() -> None:
    """Fault 12: the database's time for leases, a monotonic one for pauses, the tenant's for business."""
    asks = re.compile(r"time\.time\(|datetime\.(now|utcnow)\(|\bwall\(|localtime|date\.today")
    modules = sorted(Path(jobs.__file__).parent.glob("*.py"))
    assert len(modules) > 20
    assert [module.name for module in modules if asks.search(module.read_text(encoding="utf-8"))] == []
