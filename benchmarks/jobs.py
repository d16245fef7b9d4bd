"""The job engine with jobs that do nothing: how soon one starts when nothing else runs, and how many go the whole way
(recorded, released, published, claimed, run, ended with their event), each under its fence. On the embedded transport:
one dispatcher, two workers."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from tests.platform.jobs.rabbit_node import RabbitNode

from backoffice.local.processes import freeing, units
from backoffice.platform.doorbell import open_doorbell
from backoffice.platform.settings import to_environment
from backoffice.platform.supervisor import Supervisor, Unit
from benchmarks import machine
from benchmarks.job_worker import Nothing, Told
from benchmarks.stage import Stage, Tenant, stage

TITLE = "Jobs"
WORKERS, THREADS = 2, 32
IN_FLIGHT = 64  # what the enterprise plan gives a tenant
IDLE_JOBS = 200
WARM_UP = 2_000
AT_ONCE = 100  # recorded in one transaction
ANALYSED_SECONDS = 12  # a table that was empty a moment ago is analysed by then
_DONE = "SELECT count(*) FROM app.job WHERE tenant_id = $1 AND kind = $2 AND state = 'succeeded'"
_WAITED = """
SELECT extract(epoch FROM started_at - run_at)::float8 AS seconds FROM app.job
 WHERE tenant_id = $1 AND kind = $2 ORDER BY id"""
Job = type[Nothing] | type[Told]


async def run(*, count: int = 10_000) -> str:
    """The section of the results."""
    stamp = machine.stamp("dramatiq", "asyncpg", "psycopg")
    async with stage() as here, open_doorbell(here.settings.dsn("bo_app")) as bell:
        here.runtime.db.ring = bell.ring
        warm, idle = [(await here.firm(name))["test"] for name in ("warm", "idle")]
        with processes(here) as supervisor:
            await _one_by_one(here, warm, 40)
            waited = sorted((await _one_by_one(here, idle, IDLE_JOBS))[20:])
            quiet, cpu = await whole_path(here, supervisor, "busy", count)
            told, _ = await whole_path(here, supervisor, "told", count, Told)
    p50, p99 = median(waited) * 1e3, waited[int(len(waited) * 0.99)] * 1e3
    return "\n".join(
        [
            f"{stamp}\n",
            "| what | figure | target |",
            "|---|---:|---|",
            f"| recorded to started, nothing else running, p50 | {p50:.1f} ms | ≤ 10 ms, {_word(p50 <= 10)} |",
            f"| the same, p99 | {p99:.1f} ms | ≤ 30 ms, {_word(p99 <= 30)} |",
            f"| {count:,} jobs of one tenant the whole way | {quiet:,.0f}/s | ≥ 2,000/s, {_word(quiet >= 2_000)} |",
            f"| CPU of the workers, of the dispatcher a job | {cpu['worker']:.0f}, {cpu['dispatcher']:.0f} µs | none |",
            f"| {count:,} jobs, the end of each told as an event | {told:,.0f}/s | none |",
        ]
    )


async def whole_path(
    here: Stage, supervisor: Supervisor, name: str, count: int, job: Job = Nothing
) -> tuple[float, dict[str, float]]:
    """Jobs a second of one tenant, from the first record to the last end, and CPU µs a job by process; after a smaller
    flood, so that the table's statistics are those of a running installation."""
    slugs = (f"warm-{name}", f"full-{name}")
    first, tenant = [(await here.firm(slug, jobs_in_flight=IN_FLIGHT))["test"] for slug in slugs]
    await _all_at_once(here, first, WARM_UP, job)
    await asyncio.sleep(ANALYSED_SECONDS)
    before = _cpu(supervisor)
    seconds = await _all_at_once(here, tenant, count, job)
    return count / seconds, {name: (used - before[name]) / count * 1e6 for name, used in _cpu(supervisor).items()}


def _word(is_met: bool) -> str:
    return "met" if is_met else "**missed**"


def processes(here: Stage) -> Supervisor:
    """A dispatcher and two workers that know the benchmark's jobs; to be entered."""
    settings = replace(here.settings, worker_threads=THREADS, log_level="error")
    logs = here.place.state / "logs-jobs"
    dispatcher = [unit for unit in units(settings, workers=1, logs=logs) if unit.name == "dispatcher"]
    worker = Unit("worker", [sys.executable, "-m", "benchmarks.job_worker"], to_environment(settings), WORKERS)
    return Supervisor([*dispatcher, worker], freeing(settings))


def _cpu(supervisor: Supervisor) -> dict[str, float]:
    return {name: sum(map(machine.cpu_seconds, supervisor.pids(name))) for name in ("dispatcher", "worker")}


async def _one_by_one(here: Stage, tenant: Tenant, count: int) -> list[float]:
    """Seconds from record to start of each job, in the order they were recorded."""
    for number in range(count):
        async with here.tx(tenant) as tx:
            await tx.start(Nothing(number=number))
        await asyncio.sleep(0.04)
    await until_ended(here, tenant, count, Nothing)
    async with here.tx(tenant) as tx:
        rows = await tx.connection.fetch(_WAITED, tenant.facts.id, Nothing.kind)
    return [row["seconds"] for row in rows]


async def _all_at_once(here: Stage, tenant: Tenant, count: int, job: Job) -> float:
    """Seconds from the first record to the last end."""
    began = time.perf_counter()
    for start in range(0, count, AT_ONCE):
        async with here.tx(tenant) as tx:
            for number in range(start, start + AT_ONCE):
                await tx.start(job(number=number))
    await until_ended(here, tenant, count, job)
    return time.perf_counter() - began


async def until_ended(here: Stage, tenant: Tenant, count: int, job: Job) -> None:
    """Wait until so many jobs of the tenant have ended well."""
    while True:
        async with here.tx(tenant) as tx:
            if await tx.connection.fetchval(_DONE, tenant.facts.id, job.kind) >= count:
                return
        await asyncio.sleep(0.05)


@contextmanager
def rabbitmq() -> Iterator[RabbitNode]:
    """A node of our own, gone at the end."""
    with tempfile.TemporaryDirectory() as folder:
        node = RabbitNode(Path(folder))
        try:
            node.start()
            node.settle()
            yield node
        finally:
            node.end()
