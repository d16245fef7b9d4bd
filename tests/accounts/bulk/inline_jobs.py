"""Runs a tenant's waiting jobs in this process, by the worker's own code: what a dispatcher and a worker would do."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, or_, select
from tests.world import Tenant, World

from backoffice.platform import models
from backoffice.platform.jobs import registry
from backoffice.platform.jobs.heartbeat import Heartbeat
from backoffice.platform.jobs.runner import Runner
from backoffice.platform.tables import TENANT

_job = models.job.c


async def run_waiting_jobs(world: World, tenant: Tenant, *, retries: bool = False) -> int:
    """Run what is ready until nothing is; how many runs there were. `retries`: without waiting for their pause."""
    registry.load()
    settings = world.runtime.settings
    runner = Runner(world.runtime, Heartbeat(settings.dsn("bo_dispatch"), 60.0), worker="test:1")
    runs = 0
    while released := await _release(world, tenant, retries):
        for job_id, fence in released:
            await runner.run(tenant.facts.id, [(job_id, fence)])
            runs += 1
    return runs


async def _release(world: World, tenant: Tenant, retries: bool) -> list[tuple[UUID, int]]:
    waiting = "retry_wait" if retries else "ready"
    async with world.tx(tenant) as tx:
        rows = await tx.fetch(
            models.job.update()
            .where(
                _job.tenant_id == TENANT,
                or_(_job.state == "ready", _job.state == waiting),
            )
            .values(state="released", fence=_job.fence + 1, lease_until=func.clock_timestamp() + timedelta(seconds=60))
            .returning(_job.id, _job.fence)
        )
    return [(row["id"], row["fence"]) for row in rows]


async def job_states(world: World, tenant: Tenant) -> dict[str, str]:
    """The state of each job by kind."""
    async with world.tx(tenant) as tx:
        rows = await tx.fetch(select(_job.kind, _job.state).where(_job.tenant_id == TENANT))
    return {row["kind"]: row["state"] for row in rows}
