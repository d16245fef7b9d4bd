"""What row-level security costs: the same prepared statement on the same connection, as bo_app (policies hold) and as
the superuser (they do not), in turn, a few at a time. Both name the tenant, as every statement of the product does."""

from __future__ import annotations

from statistics import median
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


async def run(*, pairs: int = 150, at_once: int = 40) -> str:
    """The section of the results."""
    stamp = machine.stamp("asyncpg")
    async with stage() as here:
        tenant: Tenant = (await here.firm("walls"))["test"]
        await fill(here, tenant, 200)
        server = here.place.embedded
        assert server is not None
        assert server.address is not None
        where = {"host": str(server.address.socket_dir), "port": server.address.port, "database": "backoffice"}
        connection = await asyncpg.connect(user="bo_super", **where)
        try:
            await connection.execute("ANALYZE")
            await connection.execute(f"SET app.tenant_id = '{tenant.facts.id}'")
            found = await connection.fetch("SELECT id FROM app.worker WHERE tenant_id = $1", tenant.facts.id)
            workers = [row["id"] for row in found]
            took = {
                name: await _measure(connection, sql, tenant.facts.id, workers, pairs, at_once)
                for name, (sql, _) in _STATEMENTS.items()
            }
        finally:
            await connection.close()
    lines = [
        f"{stamp}\n",
        f"Medians of {pairs} pairs of {at_once} executions, one after the other, over a socket.\n",
        "| statement | as bo_app, µs | without policies, µs | ratio, median of the pairs' | target |",
        "|---|---:|---:|---:|---|",
    ]
    for name, (on, off, ratio) in took.items():
        most = _STATEMENTS[name][1]
        verdict = "none" if most is None else f"≤ {1 + most:.2f}, {'met' if ratio <= 1 + most else 'missed'}"
        lines.append(f"| {name} | {on:,.0f} | {off:,.0f} | {ratio:.2f} | {verdict} |")
    return "\n".join(lines)


async def _measure(
    connection: asyncpg.Connection, sql: str, tenant: UUID, workers: list[Any], pairs: int, at_once: int
) -> tuple[float, float, float]:
    """Microseconds of an execution with policies and without, and the ratio. Two short blocks, one after the other,
    compare on a machine that others use as well, where the best of long rounds does not."""
    statement = await connection.prepare(sql)
    took: dict[str, list[float]] = {"bo_app": [], "bo_super": []}
    for pair in range(pairs):
        for role in sorted(took, reverse=bool(pair % 2)):
            await connection.execute(f"SET ROLE {role}")
            for worker in workers[:8]:  # another role has another plan, and PostgreSQL settles on it
                await statement.fetch(tenant, worker)
            began = perf_counter()
            for turn in range(at_once):
                await statement.fetch(tenant, workers[turn % len(workers)])
            took[role].append((perf_counter() - began) / at_once * 1e6)
    await connection.execute("RESET ROLE")
    on, off = took["bo_app"], took["bo_super"]
    return median(on), median(off), median(one / other for one, other in zip(on, off, strict=True))
