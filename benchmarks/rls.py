"""What row-level security costs: the same prepared statements on the same connection, as bo_app (policies hold) and as
the superuser (they do not), in turn. Both name the tenant, as every statement of the product does."""

from __future__ import annotations

from time import perf_counter
from typing import Any
from uuid import UUID

import asyncpg

from benchmarks import machine
from benchmarks.firms import fill
from benchmarks.stage import Tenant, stage

TITLE = "Row-level security on and off"
_HOURS = (
    "SELECT a.job_title, e.work_date, e.hundredths FROM app.assignment a"
    " JOIN app.timesheet t ON t.tenant_id = a.tenant_id AND t.assignment_id = a.id"
    " JOIN app.timesheet_entry e ON e.tenant_id = t.tenant_id AND e.timesheet_id = t.id"
    " WHERE a.tenant_id = $1 AND t.tenant_id = $1 AND e.tenant_id = $1 AND {} ORDER BY e.work_date"
)
_STATEMENTS = {  # statement, and the most that policies may add
    "point read by primary key": ("SELECT * FROM app.worker WHERE tenant_id = $1 AND id = $2", 0.20),
    "join of three tables, the week of one worker": (_HOURS.format("a.worker_id = $2"), None),
    "join of three tables, the week of 200 workers": (_HOURS.format("$2::uuid IS NOT NULL"), 0.05),
}


async def run(*, rounds: int = 8, count: int = 1_500) -> str:
    """The section of the results."""
    stamp = machine.stamp("asyncpg")
    async with stage() as here:
        tenant: Tenant = (await here.firm("walls"))["test"]
        await fill(here, tenant, 200)
        server = here.place.embedded
        assert server is not None
        assert server.address is not None
        connection = await asyncpg.connect(
            host=str(server.address.socket_dir), port=server.address.port, user="bo_super", database="backoffice"
        )
        try:
            await connection.execute("ANALYZE")
            await connection.execute(f"SET app.tenant_id = '{tenant.facts.id}'")
            found = await connection.fetch("SELECT id FROM app.worker WHERE tenant_id = $1", tenant.facts.id)
            workers = [row["id"] for row in found]
            best = await _measure(connection, tenant.facts.id, workers, rounds, count)
        finally:
            await connection.close()
    lines = [
        f"{stamp}\n",
        f"Best of {rounds} rounds of {count:,} executions each way, over a socket.\n",
        "| statement | as bo_app, µs | without policies, µs | ratio | target |",
        "|---|---:|---:|---:|---|",
    ]
    for name, (on, off) in best.items():
        most = _STATEMENTS[name][1]
        verdict = "none" if most is None else f"≤ {1 + most:.2f}, {'met' if on / off <= 1 + most else 'missed'}"
        lines.append(f"| {name} | {on:,.0f} | {off:,.0f} | {on / off:.2f} | {verdict} |")
    return "\n".join(lines)


async def _measure(
    connection: asyncpg.Connection, tenant: UUID, workers: list[Any], rounds: int, count: int
) -> dict[str, tuple[float, float]]:
    """Microseconds of an execution, with policies and without."""
    best: dict[str, tuple[float, float]] = {}
    for name, (sql, _) in _STATEMENTS.items():
        some = count if "one" in name or "key" in name else count // 15
        seconds: dict[str, list[float]] = {"bo_app": [], "bo_super": []}
        for _ in range(rounds):
            for role, took in seconds.items():
                await connection.execute(f"SET ROLE {role}")
                statement = await connection.prepare(sql)
                for worker in workers[:20]:  # PostgreSQL settles on a plan
                    await statement.fetch(tenant, worker)
                began = perf_counter()
                for turn in range(some):
                    await statement.fetch(tenant, workers[turn % len(workers)])
                took.append((perf_counter() - began) / some * 1e6)
        await connection.execute("RESET ROLE")
        best[name] = min(seconds["bo_app"]), min(seconds["bo_super"])
    return best
