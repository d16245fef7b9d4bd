"""What the doctor sees of a real platform."""

from __future__ import annotations

from uuid import uuid4

from tests.platform.jobs.job_kinds import Once
from tests.platform.jobs.job_world import Bench, Place, Processes, marks, until

from backoffice.platform.doctor.examine import examine, healthy
from backoffice.platform.doctor.look import look


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
