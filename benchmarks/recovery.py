"""How soon the job engine is back at full speed after a fault, with leases of 2 s: a backlog of quick jobs is worked
off, a fault strikes in the middle, and from the times at which the jobs ended we tell when the rate of half a second is
again nine tenths of what it was. A worker is killed; PostgreSQL is crashed, and started again as `backoffice up` does;
RabbitMQ is killed, and what counts is the time since it is back."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import psycopg

from backoffice.local.keeping import kept_alive
from backoffice.platform.settings import Settings
from benchmarks import machine
from benchmarks.job_worker import Nothing
from benchmarks.jobs import IN_FLIGHT, WARM_UP, processes, rabbitmq, until_ended
from benchmarks.stage import Stage, stage

TITLE = "Recovery of the job engine"
LEASE_SECONDS = 2.0
BEFORE, AFTER = 5.0, 14.0
WINDOW, STEP, FULL = 0.5, 0.05, 0.9
JOBS = 60_000  # more than are worked off meanwhile
_ENDED = """
SELECT extract(epoch FROM finished_at)::float8 FROM app.job
 WHERE tenant_id = %s AND finished_at IS NOT NULL ORDER BY finished_at"""
_TWICE = "SELECT count(*) FROM app.job WHERE tenant_id = %s AND attempt > 1"
_NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"
Fault = Callable[[Stage, list[int]], float]  # strikes the workers, or what the stage holds; when it was over


async def run() -> str:
    """The section of the results."""
    stamp = machine.stamp("dramatiq", "asyncpg")
    lines = ["| fault | back at full speed after | target | tries used up |", "|---|---:|---|---:|"]
    lines.append(await _measured("a worker killed", 3.0, _kill_worker))
    lines.append(await _measured("PostgreSQL crashed", 5.0, _crash_postgres))
    if shutil.which("rabbitmq-server"):
        lines.append(await _measured("RabbitMQ killed, since it is back", 5.0, None))
    else:
        lines.append("| RabbitMQ | not on this machine | | |")
    return "\n".join([f"{stamp}\n", f"Leases of {LEASE_SECONDS:.0f} s, two workers.\n", *lines])


async def _measured(name: str, target: float, fault: Fault | None) -> str:
    async with stage() as usual:
        settings = replace(usual.settings, lease_seconds=LEASE_SECONDS)
        if fault is not None:
            return await _struck(_with(usual, settings), name, target, fault)
        with rabbitmq() as node:

            def kill_broker(here: Stage, workers: list[int]) -> float:
                node.kill()
                node.start()
                return time.time()

            return await _struck(_with(usual, replace(settings, broker_url=node.url)), name, target, kill_broker)


def _with(here: Stage, settings: Settings) -> Stage:
    return replace(here, place=replace(here.place, settings=settings))


async def _struck(here: Stage, name: str, target: float, fault: Fault) -> str:
    server = here.place.embedded
    assert server is not None
    tenant = (await here.firm("struck", jobs_in_flight=IN_FLIGHT))["test"]
    for _ in range(0, JOBS, 1_000):
        async with here.tx(tenant) as tx:
            for number in range(1_000):
                await tx.start(Nothing(number=number))
    with kept_alive(server, lambda _: None), processes(here) as supervisor:
        await until_ended(here, tenant, WARM_UP, Nothing)
        await asyncio.sleep(BEFORE)
        workers, began = supervisor.pids("worker"), time.time()
        over = await asyncio.to_thread(fault, here, workers)
        await asyncio.sleep(AFTER)
    with psycopg.connect(server.admin_dsn("backoffice"), autocommit=True) as admin:
        ended = [row[0] for row in admin.execute(_ENDED.encode(), (tenant.facts.id,)).fetchall()]
        again = admin.execute(_TWICE.encode(), (tenant.facts.id,)).fetchone()
    seconds = _back(ended, began, over)
    told = "not within the run" if seconds is None else f"{seconds:.1f} s"
    met = "met" if seconds is not None and seconds <= target else "**missed**"
    assert again is not None
    return f"| {name} | {told} | ≤ {target:.0f} s, {met} | {again[0]} |"


def _back(ended: list[float], began: float, over: float) -> float | None:
    """Seconds from the end of the fault until the rate is what it was before it began; None when it never is."""

    def rate(at: float) -> float:
        return (bisect_right(ended, at) - bisect_right(ended, at - WINDOW)) / WINDOW

    usual = median(rate(began - BEFORE + number * STEP) for number in range(int((BEFORE - 1) / STEP)))
    assert usual > 0, "nothing was worked off before the fault"
    for number in range(int((AFTER - WINDOW) / STEP)):
        at = over + WINDOW + number * STEP
        if rate(at) >= FULL * usual:
            return at - WINDOW - over
    return None


def _kill_worker(here: Stage, workers: list[int]) -> float:
    os.kill(workers[0], signal.SIGKILL)
    return time.time()


def _crash_postgres(here: Stage, workers: list[int]) -> float:
    assert here.place.embedded is not None
    postmaster = here.place.embedded.pid
    assert postmaster is not None
    os.kill(postmaster, signal.SIGQUIT)  # at once, without a checkpoint: the next start recovers
    return time.time()
