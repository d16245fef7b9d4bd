"""Schedules in one tenant: each fire time starts one job, whoever looks and however often. Fault 12."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.platform.jobs.job_kinds import Recurs
from tests.platform.jobs.job_world import Bench, Place, Tenant, until

from backoffice.kernel.clock import rfc3339
from backoffice.kernel.recurrence import fires, parse
from backoffice.platform import models
from backoffice.platform.db import Database
from backoffice.platform.jobs import schedules
from backoffice.platform.jobs.errors import SchedulePaused
from backoffice.platform.jobs.scheduler import Scheduler
from backoffice.platform.runtime import open_runtime

NEW_YORK = "America/New_York"


async def make(tenant: Tenant, rule: str = "daily at 06:00", *, name: str = "nightly", mark: UUID | None = None,
               **more: Any) -> UUID:  # fmt: skip
    """A schedule of the tenant; its id."""
    values = {
        "source": "tenant_file",
        "rule": rule,
        "time_zone": NEW_YORK,
        "catch_up": "one",
        "catch_up_limit": 1,
        "payload": {"mark": str(mark or uuid4())},
        **more,
    }
    async with tenant.tx() as tx:
        await schedules.put(tx, name, values, Recurs)
        id_: UUID = (await tx.row(_named(name)))["id"]  # type: ignore[index]
    return id_


def _named(name: str) -> Any:
    from sqlalchemy import select

    from backoffice.platform.tables import TENANT

    return select(*models.schedule.c).where(models.schedule.c.tenant_id == TENANT, models.schedule.c.name == name)


async def row_of(tenant: Tenant, name: str = "nightly") -> Any:
    async with tenant.tx() as tx:
        return await tx.row(_named(name))


async def started(tenant: Tenant) -> list[Any]:
    """The jobs, in the order in which their turn comes."""
    async with tenant.tx() as tx:
        return await tx.connection.fetch(
            "SELECT * FROM app.job WHERE tenant_id = $1 ORDER BY coalesce(due_at, created_at), id", tenant.facts.id
        )


async def freeze(tenant: Tenant, at: datetime) -> None:
    async with tenant.tx() as tx:
        await tx.insert(models.test_clock, frozen_time=at)
        await schedules.clock_was_frozen(tx, at)


async def move(tenant: Tenant, to: datetime) -> int:
    """As accounts moves the clock, without waiting for what is due: how many fire times it passed."""
    passed = 0
    async with tenant.tx() as tx:
        clock = models.test_clock.update().where(models.test_clock.c.tenant_id == tenant.facts.id)
        while (due := await _next_fire(tx)) is not None and due <= to:
            await tx.execute(clock.values(frozen_time=due))
            tx.forget_time()
            passed += await schedules.clock_passes(tx, due)
        await tx.execute(clock.values(frozen_time=to))
        return passed


async def _next_fire(tx: Any) -> datetime | None:
    rows = await tx.connection.fetch("SELECT min(due_at) AS at FROM app.schedule WHERE tenant_id = $1", tx.tenant)
    found: datetime | None = rows[0]["at"]
    return found


def late(place: Place, tenant: Tenant, **by: float) -> None:
    """The schedule's time has come, and passed by so much."""
    then = f"now() - make_interval(secs => {timedelta(**by).total_seconds()})"
    place.admin(f"UPDATE app.schedule SET next_at = {then}, due_at = {then} WHERE tenant_id = '{tenant.facts.id}'")


@asynccontextmanager
async def scheduling(place: Place, *, leading: bool = True) -> AsyncIterator[Scheduler]:
    looking = Database(place.settings.dsn("bo_dispatch"), size=1)
    await looking.open()
    async with open_runtime(place.settings) as runtime:
        yield Scheduler(looking, runtime, leading=lambda: leading)
    await looking.close()


async def test_a_due_schedule_starts_its_job_and_says_when_it_is_next(place: Place, bench: Bench) -> None:
    tenant = place.tenant(mode="live")
    mark = uuid4()
    await make(tenant, mark=mark)
    fresh = await row_of(tenant)
    assert fresh["due_at"] == fresh["next_at"] == next(fires(parse("daily at 06:00"), NEW_YORK, datetime.now(UTC)))
    late(place, tenant, seconds=3)
    due_at = (await row_of(tenant))["due_at"]
    async with scheduling(place) as scheduler:
        await scheduler.look()
        await scheduler.look()
    [job] = await started(tenant)
    assert (job["kind"], job["actor"], job["state"], job["due_at"]) == (
        "test.recurs",
        "system:schedule",
        "ready",
        due_at,
    )
    after = await row_of(tenant)
    assert after["fired_at"] == due_at
    assert after["due_at"] == after["next_at"] == fresh["due_at"]
    await bench.drain(tenant)
    assert (await tenant.job(job["id"]))["result"] == rfc3339(due_at)
    assert await tenant.effects() == {mark: 1}


async def test_many_who_look_at_once_start_one_job(place: Place) -> None:
    """Two leaders for a moment, a clock set back, a fire told twice: the key is the schedule and the fire time."""
    tenant = place.tenant(mode="live")
    id_ = await make(tenant)
    late(place, tenant, seconds=1)
    before = await row_of(tenant)

    async def fire() -> int:
        async with tenant.tx() as tx:
            return await schedules.fire(tx, id_)

    assert sum(await asyncio.gather(*(fire() for _ in range(10)))) == 1
    place.admin(  # as if a restored row, or a clock set back, made the same fire time due again
        f"UPDATE app.schedule SET due_at = '{before['due_at']}', next_at = '{before['due_at']}' WHERE id = '{id_}'"
    )
    assert await fire() == 0
    assert len(await started(tenant)) == 1
    assert (await row_of(tenant))["due_at"] > datetime.now(UTC)


@pytest.mark.parametrize(("catch_up", "limit", "wanted"), [("none", 1, 0), ("one", 1, 1), ("all", 3, 3), ("all", 9, 5)])
async def test_what_passed_while_nothing_ran(place: Place, catch_up: str, limit: int, wanted: int) -> None:
    tenant = place.tenant(mode="live")
    id_ = await make(tenant, catch_up=catch_up, catch_up_limit=limit)
    late(place, tenant, hours=90)  # four more fire times have passed since; all by more than the grace of ten minutes
    place.admin("UPDATE app.schedule SET rule = to_char((now() - interval '1 hour') AT TIME ZONE 'UTC', "
                "'\"daily at \"HH24:MI'), time_zone = 'UTC'")  # fmt: skip
    async with tenant.tx() as tx:
        assert await schedules.fire(tx, id_) == wanted
    jobs = await started(tenant)
    assert len(jobs) == wanted
    assert [job["due_at"] for job in jobs] == sorted(job["due_at"] for job in jobs)
    missed = [event for event in await tenant.events() if event["type"] == "schedule.missed"]
    assert [event["data"]["effects"][0]["after"] for event in missed] == ([5 - wanted] if wanted < 5 else [])
    assert (await row_of(tenant))["due_at"] > datetime.now(UTC)


async def test_on_time_is_on_time_with_any_rule(place: Place) -> None:
    tenant = place.tenant(mode="live")
    id_ = await make(tenant, catch_up="none")
    late(place, tenant, minutes=9)
    async with tenant.tx() as tx:
        assert await schedules.fire(tx, id_) == 1
    assert await tenant.events() == []


async def test_a_moved_clock_passes_every_fire_time_in_order(place: Place, bench: Bench) -> None:
    """Two schedules over both nights on which New York's clocks change; what waits for the clock falls in between."""
    tenant = place.tenant()
    for name, rule in (("early", "daily at 02:30"), ("late", "daily at 01:30")):
        await make(tenant, rule, name=name)
    assert (await row_of(tenant, "early"))["next_at"] is not None
    await freeze(tenant, datetime(2026, 3, 7, 12, tzinfo=UTC))
    assert (await row_of(tenant, "early"))["next_at"] is None  # nobody needs to look: the clock stands
    between = datetime(2026, 3, 8, 6, 45, tzinfo=UTC)
    [waiting] = await tenant.start(Recurs(mark=uuid4(), scheduled_for=between), due_at=between)
    assert await move(tenant, datetime(2026, 3, 9, 12, tzinfo=UTC)) == 4
    jobs = await started(tenant)
    assert [rfc3339(job["due_at"])[:16] for job in jobs] == [
        "2026-03-08T06:30", "2026-03-08T06:45", "2026-03-08T07:00", "2026-03-09T05:30", "2026-03-09T06:30",
    ]  # fmt: skip
    assert jobs[1]["id"] == waiting
    assert all(job["created_at"] == job["due_at"] for job in jobs if job["id"] != waiting)
    assert await move(tenant, datetime(2026, 3, 9, 12, tzinfo=UTC)) == 0
    await bench.drain(tenant)
    assert await move(tenant, datetime(2026, 3, 10, 12, tzinfo=UTC)) == 2


async def test_autumn_and_leap_day_fire_once(place: Place) -> None:
    tenant = place.tenant()
    await make(tenant, "daily at 01:30", name="night")
    await make(tenant, "yearly on 02-29 at 09:00", name="leap")
    await freeze(tenant, datetime(2027, 10, 31, 12, tzinfo=UTC))
    assert await move(tenant, datetime(2027, 11, 8, 12, tzinfo=UTC)) == 8  # the night of the 7th has 01:30 twice
    nights = [job["due_at"] for job in await started(tenant)]
    assert datetime(2027, 11, 7, 5, 30, tzinfo=UTC) in nights
    assert datetime(2027, 11, 7, 6, 30, tzinfo=UTC) not in nights
    async with tenant.tx() as tx:
        await tx.execute(models.schedule.delete().where(models.schedule.c.tenant_id == tenant.facts.id,
                                                        models.schedule.c.name == "night"))  # fmt: skip
    assert await move(tenant, datetime(2028, 3, 1, 12, tzinfo=UTC)) == 1
    assert (await started(tenant))[-1]["due_at"] == datetime(2028, 2, 29, 14, tzinfo=UTC)


async def test_a_paused_schedule_starts_nothing_and_catches_nothing_up(place: Place) -> None:
    tenant = place.tenant(mode="live")
    id_ = await make(tenant, catch_up="all", catch_up_limit=9)
    async with tenant.tx() as tx:
        assert (await schedules.pause(tx, id_)).status == "paused"
        assert (await schedules.pause(tx, id_)).next_fire_at is None
        with pytest.raises(SchedulePaused):
            await schedules.run_now(tx, await tx.row(_named("nightly")))  # type: ignore[arg-type]
    row = await row_of(tenant)
    assert (row["due_at"], row["next_at"], row["version"]) == (None, None, 2)
    await make(tenant, "weekly on friday at 06:00", catch_up="all", catch_up_limit=9)  # applied again: paused it stays
    assert (await row_of(tenant))["due_at"] is None
    async with tenant.tx() as tx:
        assert await schedules.fire(tx, id_) == 0
        resumed = await schedules.resume(tx, id_)
        await schedules.resume(tx, id_)
    assert resumed.next_fire_at is not None
    assert resumed.next_fire_at > datetime.now(UTC)
    assert [event["type"] for event in await tenant.events()] == ["schedule.paused", "schedule.resumed"]
    assert await tenant.states() == {}


async def test_run_now_starts_it_beside_its_rule(place: Place, bench: Bench) -> None:
    tenant = place.tenant(mode="live")
    mark = uuid4()
    await make(tenant, mark=mark)
    before = await row_of(tenant)
    for _ in range(2):
        async with tenant.tx() as tx:
            await schedules.run_now(tx, await tx.row(_named("nightly")))  # type: ignore[arg-type]
    await bench.drain(tenant)
    assert await tenant.effects() == {mark: 2}
    assert (await row_of(tenant))["due_at"] == before["due_at"]


async def test_one_that_cannot_be_fired_holds_up_no_other(place: Place) -> None:
    broken, whole = place.tenant(mode="live"), place.tenant(mode="live")
    await make(broken)
    await make(whole)
    late(place, broken, seconds=9)
    late(place, whole, seconds=3)
    place.admin(f"UPDATE app.schedule SET rule = 'never' WHERE tenant_id = '{broken.facts.id}'")
    async with scheduling(place) as scheduler:
        await scheduler.look()
        await scheduler.look()
        assert len(scheduler._put_off) == 1
    assert (len(await started(broken)), len(await started(whole))) == (0, 1)


async def test_who_does_not_lead_fires_nothing(place: Place) -> None:
    tenant = place.tenant(mode="live")
    await make(tenant)
    late(place, tenant, seconds=3)
    async with scheduling(place, leading=False) as scheduler:
        task = asyncio.create_task(scheduler.run())
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await tenant.states() == {}
    async with scheduling(place) as scheduler:
        task = asyncio.create_task(scheduler.run())
        await until(tenant.states, 5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await tenant.states() == {"ready": 1}


async def test_a_skewed_clock_of_a_process_fires_nothing_early(place: Place) -> None:
    """The database's clock decides (fault 12: five minutes of skew): no statement takes a time from the process."""
    tenant = place.tenant(mode="live")
    id_ = await make(tenant)
    late(place, tenant, seconds=-30)  # due in half a minute, by the database
    async with scheduling(place) as scheduler:
        await scheduler.look()
    async with tenant.tx() as tx:
        assert await schedules.fire(tx, id_) == 0
    assert await tenant.states() == {}
