"""Fairness between tenants. First, how soon ten jobs of one tenant start while another's 100,000 wait, beside when
nothing else runs. Then a thousand tenants whose backlogs follow Zipf's law: whether those who always had work waiting
got slot-seconds in proportion to their weights (Jain's index), and the most jobs of any tenant that ran at one time,
counted from start and finish stamps."""

from __future__ import annotations

import asyncio
import random
from statistics import median

import psycopg

from backoffice.platform.doorbell import open_doorbell
from benchmarks import machine
from benchmarks.job_worker import Brief, Nothing
from benchmarks.jobs import AT_ONCE, IN_FLIGHT, processes
from benchmarks.stage import Stage, Tenant, stage

TITLE = "Fairness between tenants"
FLOOD = 100_000
ROUNDS, JOBS = 40, 10  # of the modest tenant
TENANTS, BACKLOG, CAP = 1_000, 100_000, 8
WEIGHTS = (1, 2, 4)
SECONDS = 60.0
START_SECONDS = 8.0  # of the processes
_WAITED = """
SELECT extract(epoch FROM started_at - run_at)::float8 FROM app.job
 WHERE tenant_id = %s AND started_at IS NOT NULL ORDER BY run_at OFFSET %s"""
_LEFT = "SELECT count(*) FROM app.job WHERE tenant_id = %s AND finished_at IS NULL"
_SHARES = """
WITH span AS (SELECT min(started_at) AS began FROM app.job WHERE kind = 'benchmark.brief'),
     until AS (SELECT began, began + make_interval(secs => %s) AS ended FROM span)
SELECT t.weight, sum(extract(epoch FROM least(coalesce(j.finished_at, u.ended), u.ended) - j.started_at))
         FILTER (WHERE j.started_at < u.ended)::float8 AS seconds,
       bool_or(j.started_at IS NULL OR j.started_at > u.ended) AS backlogged
  FROM app.job j JOIN ctl.tenant t ON t.id = j.tenant_id, until u
 WHERE j.kind = 'benchmark.brief' GROUP BY t.id, t.weight"""
_MOST = """
WITH change AS (
  SELECT tenant_id, started_at AS at, 1 AS step FROM app.job WHERE kind = 'benchmark.brief' AND started_at IS NOT NULL
   UNION ALL SELECT tenant_id, finished_at, -1 FROM app.job WHERE kind = 'benchmark.brief' AND finished_at IS NOT NULL)
SELECT max(running) FROM (
  SELECT sum(step) OVER (PARTITION BY tenant_id ORDER BY at, step) AS running FROM change) AS counted"""


async def run() -> str:
    """The section of the results."""
    stamp = machine.stamp("dramatiq", "asyncpg")
    async with stage() as here, open_doorbell(here.settings.dsn("bo_app")) as bell:
        here.runtime.db.ring = bell.ring
        idle, beside = await _flood(here)
    async with stage() as here:
        index, backlogged, most = await _zipf(here)
    p99 = {name: waited[int(len(waited) * 0.99)] * 1e3 for name, waited in (("idle", idle), ("beside", beside))}
    ratio = p99["beside"] / p99["idle"]
    met = "met" if ratio <= 1.5 else "**missed**"
    fair, kept = "met" if index >= 0.99 else "**missed**", "met" if most <= CAP else "**missed**"
    return f"""{stamp}

| {JOBS} jobs at a time of one tenant, recorded to started | p50 ms | p99 ms |
|---|---:|---:|
| nothing else runs | {median(idle) * 1e3:.1f} | {p99["idle"]:.1f} |
| another's {FLOOD:,} jobs wait | {median(beside) * 1e3:.1f} | {p99["beside"]:.1f} |

Target: p99 at most 1.5 times that of when nothing else runs (is {ratio:.2f} times: {met}).

{TENANTS:,} tenants of weights {WEIGHTS}, {BACKLOG:,} jobs after Zipf, {SECONDS:.0f} s: Jain's index of slot-seconds
over weight among the {backlogged} that were backlogged to the end: {index:.4f} (target ≥ 0.99, {fair}). Most jobs of a
tenant at one time: {most}, of {CAP} allowed ({kept})."""


async def _flood(here: Stage) -> tuple[list[float], list[float]]:
    """Seconds to the start of the modest tenant's jobs, sorted: alone, and beside the flood."""
    greedy = (await here.firm("greedy", jobs_in_flight=IN_FLIGHT))["test"]
    modest = (await here.firm("modest"))["test"]
    with processes(here), _admin(here) as admin:
        for rounds in (5, ROUNDS):  # the first are to warm up
            await _rounds(here, modest, rounds)
            await _ended(admin, modest)
        for _ in range(0, FLOOD, 1_000):
            async with here.tx(greedy) as tx:
                for number in range(1_000):
                    await tx.start(Nothing(number=number))
        await _rounds(here, modest, ROUNDS)
        left = _value(admin, _LEFT, greedy.facts.id)
        assert left > 0, "the flood was over before the modest tenant had finished"
        waited = [row[0] for row in admin.execute(_WAITED.encode(), (modest.facts.id, 5 * JOBS)).fetchall()]
    half = ROUNDS * JOBS
    return sorted(waited[:half]), sorted(waited[half : 2 * half])


async def _rounds(here: Stage, tenant: Tenant, rounds: int) -> None:
    for _ in range(rounds):
        async with here.tx(tenant) as tx:
            for number in range(JOBS):
                await tx.start(Nothing(number=number))
        await asyncio.sleep(0.15)


async def _ended(admin: psycopg.Connection, tenant: Tenant) -> None:
    while True:
        if not _value(admin, _LEFT, tenant.facts.id):
            return
        await asyncio.sleep(0.1)


async def _zipf(here: Stage) -> tuple[float, int, int]:
    """Jain's index, of how many tenants, and the most jobs at one time."""
    draw = random.Random(7)
    tenants = here.bare_tenants(TENANTS, lambda: draw.choice(WEIGHTS), jobs_in_flight=CAP)
    share = BACKLOG / sum(1 / rank for rank in range(1, TENANTS + 1))
    for rank, tenant in enumerate(tenants, start=1):
        left = max(1, round(share / rank))
        while left > 0:
            async with here.tx(tenant) as tx:
                for _ in range(min(left, AT_ONCE)):
                    await tx.start(Brief())
            left -= AT_ONCE
    with _admin(here) as admin:
        with processes(here):
            await asyncio.sleep(START_SECONDS + SECONDS)
        shares = admin.execute(_SHARES.encode(), (SECONDS,)).fetchall()
        most = _value(admin, _MOST)
    got = [seconds / weight for weight, seconds, backlogged in shares if backlogged]
    return sum(got) ** 2 / (len(got) * sum(each * each for each in got)), len(got), most


def _admin(here: Stage) -> psycopg.Connection:
    assert here.place.embedded is not None
    return psycopg.connect(here.place.embedded.admin_dsn("backoffice"), autocommit=True)


def _value(admin: psycopg.Connection, statement: str, *args: object) -> int:
    row = admin.execute(statement.encode(), args or None).fetchone()
    assert row is not None
    return int(row[0])
