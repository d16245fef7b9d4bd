"""The job engine, with jobs that do nothing: how soon one starts when nothing else runs, and how many go the whole way
(recorded, released, published, claimed, run, ended with their event), each fenced."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from statistics import median

from backoffice.local.processes import freeing, units
from backoffice.platform.doorbell import open_doorbell
from backoffice.platform.settings import to_environment
from backoffice.platform.supervisor import Supervisor, Unit
from benchmarks import machine
from benchmarks.job_worker import Nothing
from benchmarks.stage import Stage, Tenant, stage

TITLE = "Jobs"
WORKERS = 2


def _units(here: Stage, threads: int) -> tuple[Supervisor, object]:
    settings = replace(here.settings, worker_threads=threads)
    logs = here.place.state / "logs-jobs"
    dispatcher = [unit for unit in units(settings, workers=1, logs=logs) if unit.name == "dispatcher"]
    worker = Unit("worker", [sys.executable, "-m", "benchmarks.job_worker"], to_environment(settings), WORKERS)
    return Supervisor([*dispatcher, worker], freeing(settings)), settings


async def _idle(here: Stage, tenant: Tenant, count: int) -> list[float]:
    for number in range(count):
        async with here.tx(tenant) as tx:
            await tx.start(Nothing(number=number))
        await asyncio.sleep(0.04)
    await _drained(here, tenant, count)
    async with here.tx(tenant) as tx:
        rows = await tx.connection.fetch(
            "SELECT extract(epoch FROM started_at - run_at)::float8 AS s FROM app.job WHERE tenant_id = $1 "
            "AND kind = 'benchmark.nothing' ORDER BY id",
            tenant.facts.id,
        )
    return sorted(row["s"] for row in rows[20:])


async def _flood(here: Stage, tenant: Tenant, count: int) -> tuple[float, float]:
    began = time.perf_counter()
    for start in range(0, count, 100):
        async with here.tx(tenant) as tx:
            for number in range(start, start + 100):
                await tx.start(Nothing(number=number))
    submitted = time.perf_counter() - began
    await _drained(here, tenant, count)
    return submitted, time.perf_counter() - began


async def _drained(here: Stage, tenant: Tenant, count: int) -> None:
    while True:
        async with here.tx(tenant) as tx:
            done = await tx.connection.fetchval(
                "SELECT count(*) FROM app.job WHERE tenant_id = $1 AND state = 'succeeded'",
                tenant.facts.id,
            )
        if done >= count:
            return
        await asyncio.sleep(0.1)


async def run(count: int = 10_000) -> str:
    stamp = machine.stamp("dramatiq", "asyncpg", "psycopg")
    out = [stamp]
    async with stage() as here:
        idle = (await here.firm("idle"))["test"]
        busy = (await here.firm("busy"))["test"]
        supervisor, _ = _units(here, 16)
        with supervisor:
            async with open_doorbell(here.settings.dsn("bo_app")) as bell:
                here.runtime.db.ring = bell.ring
                await _idle(here, (await here.firm("warm"))["test"], 40)
                took = await _idle(here, idle, 200)
                out.append(f"idle p50 {median(took) * 1e3:.1f} ms, p99 {took[int(len(took) * 0.99)] * 1e3:.1f} ms")
                print(out[-1], flush=True)
                await _flood(here, (await here.firm("first"))["test"], 2_000)
                await asyncio.sleep(12)  # a table that was empty a moment ago is analysed
                pids = {name: supervisor.pids(name) for name in ("dispatcher", "worker")}
                before = {name: sum(machine.cpu_seconds(p) for p in each) for name, each in pids.items()}
                submitted, whole = await _flood(here, busy, count)
                out.append(f"{count} jobs submitted in {submitted:.2f} s, whole {whole:.2f} s: {count / whole:,.0f}/s")
                for name, each in pids.items():
                    cpu = sum(machine.cpu_seconds(p) for p in each) - before[name]
                    out.append(f"{name}: {cpu / count * 1e6:.0f} µs/job")
    return "\n".join(out)
