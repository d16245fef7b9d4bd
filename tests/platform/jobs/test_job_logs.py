"""What a job leaves behind for people: how each try went, what it said, and why it does not run."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.platform.jobs.job_kinds import Failing, Family, Once, Speaking, Steps, Unknown
from tests.platform.jobs.job_world import Bench, Place, Tenant

from backoffice.platform import models
from backoffice.platform.jobs import commands, lease, plans, queries
from backoffice.platform.jobs.heartbeat import free_leases
from backoffice.platform.jobs.plans import KindLimit, Plan
from backoffice.platform.jobs.run import LINE_LENGTH
from backoffice.platform.jobs.view import JobLogs, logs_view
from backoffice.platform.jobs.why import JobWhy, why


async def logs(tenant: Tenant, job: UUID) -> JobLogs:
    async with tenant.tx() as tx:
        row = await queries.get(tx, job)
        entries, cut = await queries.log(tx, job)
        return logs_view(tx.principal, row, entries, cut=cut)


async def asked(tenant: Tenant, job: UUID) -> JobWhy:
    async with tenant.tx() as tx:
        return await why(tx, await queries.get(tx, job))


def outcomes(told: JobLogs) -> list[tuple[str, str | None]]:
    return [(each.outcome, each.error_code) for each in told.tries]


async def test_a_job_that_goes_well_writes_no_log_and_has_one_try(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Once(mark=uuid4(), seconds=0.05))
    assert (await logs(tenant, job)).tries == []
    await bench.round(tenant)
    told = await logs(tenant, job)
    assert outcomes(told) == [("succeeded", None)]
    assert 40 <= (told.tries[0].milliseconds or 0) < 5000
    assert place.admin("SELECT count(*) FROM app.job_log") == [(0,)]


async def test_failures_crashes_and_drains_are_told_apart(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Failing(mark=uuid4(), how="passing"))
    [(_, fence)] = await bench.release(tenant)
    await bench.claim(tenant, job, fence)
    assert outcomes(await logs(tenant, job)) == [("running", None)]
    assert free_leases(place.settings.dsn("bo_dispatch"), "elsewhere:1") == 1
    [(_, fence)] = await bench.release(tenant)
    await bench.claim(tenant, job, fence, lease=0.0)
    assert await bench.sweep() == [(job, "running")]
    await bench.drain(tenant)
    told = await logs(tenant, job)
    crashed, retried = ("crashed", None), ("retried", "test_passing")
    assert outcomes(told) == [crashed, crashed, retried, retried, ("failed", "test_passing")]
    assert all(each.started_at and each.ended_at and each.started_at <= each.ended_at for each in told.tries)
    async with tenant.tx() as tx:
        await commands.retry(tx, job, "again")
    await bench.drain(tenant)
    assert len((await logs(tenant, job)).tries) == 8


async def test_waiting_canceled_and_given_back(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [parent] = await tenant.start(Family(mark=uuid4(), children=2))
    await bench.drain(tenant)
    assert outcomes(await logs(tenant, parent)) == [("waiting", None), ("succeeded", None)]
    [stopped] = await tenant.start(Steps(mark=uuid4(), count=50, seconds=0.05))
    task = asyncio.create_task(bench.round(tenant))
    await tenant.until(stopped, "running")
    bench.runner.drain()
    await task
    assert outcomes(await logs(tenant, stopped)) == [("given_back", None)]
    await bench.round(tenant)  # arrives while draining: not begun, so no try
    assert len((await logs(tenant, stopped)).tries) == 1
    fresh = await Bench.open(place)
    task = asyncio.create_task(fresh.round(tenant))
    await tenant.until(stopped, "running")
    async with tenant.tx() as tx:
        await commands.cancel(tx, stopped)
    await task
    await fresh.close()
    assert outcomes(await logs(tenant, stopped)) == [("given_back", None), ("canceled", None)]


async def test_a_job_says_so_much_and_no_more(place: Place, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Speaking(mark=uuid4(), lines=lease.LINES_MOST + 20))
    await bench.round(tenant)
    [only] = (await logs(tenant, job)).tries
    assert len(only.said) == lease.LINES_MOST
    assert only.said[0].text == "line 0 " + "x" * (LINE_LENGTH - 7)
    monkeypatch.setattr(queries, "LOG_SHOWN", 50)
    told = await logs(tenant, job)
    assert told.cut
    assert told.tries[0].said[-1].text.startswith("line 199")


async def test_who_lost_the_lease_says_nothing_any_more(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Once(mark=uuid4()))
    [(_, fence)] = await bench.release(tenant)
    await bench.claim(tenant, job, fence)
    async with tenant.tx() as tx:
        assert await lease.say(tx, job, fence, "still here")
        assert not await lease.say(tx, job, fence - 1, "late")
    assert [line.text for line in (await logs(tenant, job)).tries[0].said] == ["still here"]


async def test_why_a_job_does_not_run(place: Place, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reason, each made to be the true one."""
    limits: dict[str, KindLimit] = {}
    monkeypatch.setitem(plans.plans(), "limited", Plan(1, 100, frozenset(), limits))
    tenant = place.tenant(plan="limited", cap=3)
    [first, second] = await tenant.start(*(Once(mark=uuid4()) for _ in range(2)))
    assert (await asked(tenant, first)).code == "next"
    behind = await asked(tenant, second)
    assert (behind.code, behind.reason) == ("behind", "1 jobs of this tenant are released before it.")
    place.admin("UPDATE app.job SET run_at = run_at - interval '1 minute'")
    assert (await asked(tenant, second)).code == "no_worker"
    [(_, fence)] = await bench.release(tenant, most=1)
    assert (await asked(tenant, first)).code == "starting"
    await bench.claim(tenant, first, fence, lease=30)
    assert (await asked(tenant, first)).code == "running"
    limits["test.once"] = KindLimit(at_once=1)
    assert (await asked(tenant, second)).code == "kind_limit"
    limits["test.once"] = KindLimit(per_minute=1)
    assert (await asked(tenant, second)).code == "kind_rate"
    limits.clear()
    await tenant.start(*(Steps(mark=uuid4(), count=1) for _ in range(3)))
    await bench.release(tenant, most=2, lease=30)
    [full] = await tenant.start(Once(mark=uuid4()))
    assert (await asked(tenant, full)).code == "tenant_limit"
    async with tenant.tx() as tx:
        await commands.cancel(tx, first)
        await commands.cancel(tx, full)
    assert (await asked(tenant, first)).code == "stopping"
    assert ((await asked(tenant, full)).code, (await asked(tenant, full)).status) == ("ended", "canceled")


async def test_why_a_job_waits_for_time_or_others(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [failing] = await tenant.start(Failing(mark=uuid4(), how="passing"))
    [parent] = await tenant.start(Family(mark=uuid4(), children=3))
    [unknown] = await tenant.start(Unknown(mark=uuid4()))
    await bench.round(tenant)
    place.admin(f"UPDATE app.job SET run_at = now() + interval '1 minute' WHERE id = '{failing}'")
    paused = await asked(tenant, failing)
    assert (paused.code, paused.status) == ("retry_pause", "queued")
    assert "Its last try (try 1 of 3) ended with test_passing" in paused.reason
    assert (await asked(tenant, parent)).reason == "It waits for 3 of the 3 jobs it has started."
    assert (await asked(tenant, unknown)).code == "put_off"
    place.admin(f"UPDATE app.job SET run_at = now() WHERE id = '{failing}'")
    for _ in range(30):
        await bench.round(tenant)
        await asyncio.sleep(0.02)
    dead = await asked(tenant, failing)
    assert (dead.code, dead.status) == ("ended", "failed")
    assert "test_passing" in dead.reason
    [later] = await tenant.start(Once(mark=uuid4()), due_at=datetime.now(UTC) + timedelta(hours=1))
    assert (await asked(tenant, later)).code == "not_due"
    frozen: Any = datetime(2026, 1, 5, 9, tzinfo=UTC)
    async with tenant.tx() as tx:
        await tx.insert(models.test_clock, frozen_time=frozen)
    told = await asked(tenant, later)
    assert (told.code, told.until) == ("clock_stands", (await tenant.job(later))["due_at"])
    assert "2026-01-05T09:00:00.000Z" in told.reason
