"""What the doctor sees of a real platform."""

from __future__ import annotations

from uuid import uuid4

import pytest
from tests.platform.jobs.job_kinds import Once, Steps
from tests.platform.jobs.job_world import Bench, Place, Processes, marks, until
from tests.platform.jobs.test_job_schedules import late, make

from backoffice.platform.doctor import look as doctor
from backoffice.platform.doctor.examine import examine, healthy
from backoffice.platform.doctor.look import look
from backoffice.platform.jobs import plans
from backoffice.platform.jobs.plans import KindLimit, Plan


async def test_an_idle_installation_without_processes(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    before = await look(place.settings)
    await tenant.start(*(Once(mark=mark) for mark in marks(3)))
    [(job, fence), *_] = await bench.release(tenant, lease=0.01, most=1)
    await bench.claim(tenant, job, fence, lease=0.01)
    facts = await look(place.settings)
    assert not facts.leader
    assert facts.slots == 0
    ready = facts.bands["normal"].ready - (before.bands["normal"].ready if "normal" in before.bands else 0)
    assert (ready, facts.running - before.running) == (2, 1)
    assert {"no_dispatcher", "no_worker"} <= {each.code for each in examine(facts)}
    assert not healthy(examine(facts))


async def test_a_serving_one(place: Place, processes: Processes) -> None:
    tenant = place.tenant()
    processes.dispatcher()
    processes.worker()
    await processes.ready(place, 1)
    await tenant.start(Once(mark=uuid4()))
    assert await tenant.all_ended() == {"succeeded": 1}

    async def slots() -> bool:
        return (await look(place.settings)).slots == place.settings.worker_threads

    await until(slots)
    facts = await look(place.settings)
    assert facts.leader
    assert facts.transaction_seconds is not None
    assert not {"no_dispatcher", "no_worker", "leases_not_swept"} & {each.code for each in examine(facts)}


async def test_a_kind_nobody_knows_is_named(place: Place) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Once(mark=uuid4()))
    place.admin(f"UPDATE app.job SET kind = 'future.kind' WHERE id = '{job}'")
    facts = await look(place.settings)
    assert facts.unknown_kinds["future.kind"] == 1
    place.admin(f"DELETE FROM app.job WHERE id = '{job}'")


async def test_what_a_plan_holds_back_is_not_taken_for_a_fault(
    place: Place, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"test.once": KindLimit(at_once=1), "test.steps": KindLimit(per_minute=1)}
    monkeypatch.setitem(plans.plans(), "tight", Plan(1, 100, frozenset(), limits))
    tenant, other = place.tenant(plan="tight"), place.tenant()
    for each in (tenant, other):
        await each.start(*(Once(mark=mark) for mark in marks(2)))
        assert len(await bench.release(each, most=1)) == 1
    assert (await look(place.settings)).at_limit == 1
    place.admin(f"DELETE FROM app.job WHERE tenant_id IN ('{tenant.facts.id}', '{other.facts.id}')")
    assert (await look(place.settings)).at_limit == 0
    await tenant.start(Steps(mark=uuid4(), count=1))
    await bench.drain(tenant)
    assert (await look(place.settings)).at_limit == 0
    [held] = await tenant.start(Steps(mark=uuid4(), count=1))
    assert (await look(place.settings)).at_limit == 1
    place.admin(f"DELETE FROM app.job WHERE id = '{held}'")


async def test_a_schedule_that_does_not_fire_is_counted(place: Place) -> None:
    tenant = place.tenant(mode="live")
    before = (await look(place.settings)).schedules_late
    await make(tenant)
    late(place, tenant, seconds=50)
    assert (await look(place.settings)).schedules_late == before
    late(place, tenant, seconds=61)
    assert (await look(place.settings)).schedules_late == before + 1
    place.admin(f"DELETE FROM app.schedule WHERE tenant_id = '{tenant.facts.id}'")


async def test_a_full_disk_is_noticed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question needs the disk: the server counts it among its temporary files, and its refusal is the answer."""
    files = "SELECT temp_files FROM pg_stat_database WHERE datname = 'backoffice'"
    [[before]] = place.admin(files)
    assert not (await look(place.settings)).disk_full

    async def told() -> bool:
        return bool(place.admin(files)[0][0] > before)

    await until(told)
    monkeypatch.setattr(doctor, "_SPILL", "DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$")
    assert (await look(place.settings)).disk_full
