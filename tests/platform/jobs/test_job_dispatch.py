"""The dispatcher in this process, over the real table and the embedded transport."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from uuid import UUID, uuid4

import asyncpg
import psycopg
import pytest
from tests.platform.jobs.job_kinds import Bulk, Interactive, Once
from tests.platform.jobs.job_world import Bench, Place, Processes, Tenant, marks, until
from tests.scale import at_scale

from backoffice.platform import doorbell, metrics
from backoffice.platform.db import Database
from backoffice.platform.doorbell import COALESCE_SECONDS, ROOM, ROOM_SOON, open_doorbell, open_listener
from backoffice.platform.jobs import dispatch, fairness, routing
from backoffice.platform.jobs.bookkeeping import Bookkeeping
from backoffice.platform.jobs.brokers import open_broker
from backoffice.platform.jobs.dispatch import LEADER_LOCK, Dispatcher, Transport
from backoffice.platform.jobs.fairness import Fairness, InFlight, Key, Limit
from backoffice.platform.jobs.pg_broker import PgBroker
from backoffice.platform.settings import INDEX_WALKS


class Recording:
    """A transport of so many slots that keeps what it is given, and fails when told to."""

    def __init__(self, slots: int) -> None:
        self.count = slots
        self.sent: list[Key] = []
        self.calls: list[tuple[bool, set[UUID]]] = []  # whether its end is waited for, whose jobs
        self.broken = False

    def publish(self, batches: Sequence[Sequence[Key]], *, soon: bool) -> None:
        if self.broken:
            raise ConnectionError("the broker is away")
        self.calls.append((soon, {key[0] for batch in batches for key in batch}))
        self.sent += chain.from_iterable(batches)

    def slots(self) -> int:
        return self.count


@asynccontextmanager
async def dispatching(place: Place, transport: Transport, lease: float = 1.0) -> AsyncIterator[Dispatcher]:
    dsn = place.settings.dsn("bo_dispatch", **INDEX_WALKS)
    db = Database(dsn, size=3)
    await db.open()
    async with open_listener(dsn, ROOM, ROOM_SOON) as listener:
        dispatcher = Dispatcher(db, listener, transport, lease_seconds=lease)
        task = asyncio.create_task(dispatcher.run())
        try:
            yield dispatcher
        finally:
            dispatcher.stop()
            await asyncio.wait_for(task, 5)
            await db.close()


async def test_releases_up_to_the_window_and_the_cap(place: Place, bench: Bench) -> None:
    wide, narrow = place.tenant(), place.tenant(cap=2)
    await wide.start(*(Once(mark=mark) for mark in marks(50)))
    await narrow.start(*(Once(mark=mark) for mark in marks(50)))
    transport = Recording(slots=8)
    async with dispatching(place, transport, lease=30):
        await until(lambda: _count(transport, 12))
        await asyncio.sleep(0.3)
        assert len(transport.sent) == 12  # 8 slots and half as much at the door
        assert sum(key[0] == narrow.facts.id for key in transport.sent) == 2
        for tenant, job, fence in transport.sent[:4]:
            await bench.runner.run(tenant, [(job, fence)])
        await until(lambda: _count(transport, 16))
    assert len({key[1] for key in transport.sent}) == 16


async def test_no_worker_no_release(place: Place) -> None:
    tenant = place.tenant()
    await tenant.start(*(Once(mark=mark) for mark in marks(5)))
    transport = Recording(slots=0)
    async with dispatching(place, transport):
        await asyncio.sleep(0.4)
        assert await tenant.states() == {"ready": 5}
        transport.count = 2
        await until(lambda: _count(transport, 4), 2)


async def test_bands(place: Place) -> None:
    tenant = place.tenant()
    bulk = await tenant.start(*(Bulk(mark=mark) for mark in marks(10)))
    normal = await tenant.start(*(Once(mark=mark) for mark in marks(10)))
    interactive = await tenant.start(*(Interactive(mark=mark) for mark in marks(5)))
    transport = Recording(slots=4)
    async with dispatching(place, transport, lease=30):
        await until(lambda: _count(transport, 6))
        sent = {key[1] for key in transport.sent}
    assert (len(sent & set(interactive)), len(sent & set(normal)), len(sent & set(bulk))) == (5, 0, 1)


async def test_what_cannot_be_published_goes_back_and_counts_nothing(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Once(mark=uuid4()))
    transport = Recording(slots=2)
    transport.broken = True
    async with dispatching(place, transport, lease=60):
        await until(lambda: _fence_above(place, 2))
        row = await tenant.job(job)
        assert (row["attempt"], row["crashes"]) == (0, 0)
        transport.broken = False
        await until(lambda: _count(transport, 1), 3)
        row = await tenant.job(job)
        assert row["state"] == "released"
        assert transport.sent == [(tenant.facts.id, job, row["fence"])]
        await bench.runner.run(tenant.facts.id, [(job, row["fence"])])
    assert await tenant.states() == {"succeeded": 1}


@pytest.mark.moment
async def test_the_doorbell_starts_a_job_at_once(place: Place) -> None:
    tenant = place.tenant()
    transport = Recording(slots=50)
    waited = []
    async with dispatching(place, transport):
        await asyncio.sleep(0.5)
        for count in range(1, 11):
            await asyncio.sleep(0.05)
            began = time.monotonic()
            await tenant.start(Once(mark=uuid4()))
            await until(lambda count=count: _count(transport, count), 2)  # type: ignore[misc]
            waited.append(time.monotonic() - began)
    assert sorted(waited)[5] < 0.1  # the poll alone would take 0.2 s


async def test_one_leads_and_the_other_follows(place: Place) -> None:
    transport = Recording(slots=2)
    async with dispatching(place, transport) as second:
        await until(lambda: _leads(second))
        async with dispatching(place, transport) as first:
            await asyncio.sleep(0.6)
            assert (second.leading, first.leading) == (True, False)
            second.stop()
            await until(lambda: _leads(first), 2)
        tenant = place.tenant()
        await tenant.start(Once(mark=uuid4()))
    assert await tenant.states() == {"ready": 1}  # nobody leads any more


async def test_a_leader_that_stands_still_loses_the_lock(place: Place) -> None:
    """A stopped process keeps its connection: the server ends a session that says nothing for too long."""
    dsn = place.settings.dsn("bo_dispatch", idle_session_timeout="300ms")
    leader, other = await asyncpg.connect(dsn), await asyncpg.connect(place.settings.dsn("bo_dispatch"))
    elect = "SELECT pg_try_advisory_lock($1)"
    assert await leader.fetchval(elect, LEADER_LOCK)
    assert not await other.fetchval(elect, LEADER_LOCK)
    await asyncio.sleep(0.8)
    assert await other.fetchval(elect, LEADER_LOCK)
    leader.terminate()
    await other.close()


async def test_the_dispatcher_sees_no_payload(place: Place) -> None:
    """The role behind the dispatcher and the heartbeat reads and writes routing columns only."""
    tenant = place.tenant()
    [job] = await tenant.start(Once(mark=uuid4()))
    with psycopg.connect(place.settings.dsn("bo_dispatch"), autocommit=True) as connection:
        for forbidden in (
            "SELECT payload FROM app.job",
            "SELECT result, problem FROM app.job",
            "SELECT actor FROM app.job",
            "UPDATE app.job SET payload = '{}'",
            "UPDATE app.job SET cancel_requested = true",
            "DELETE FROM app.job",
            "INSERT INTO app.job (tenant_id) VALUES (uuidv7())",
            "SELECT * FROM app.job_step",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden.encode())
        assert connection.execute("SELECT id FROM app.job").fetchall() == [(job,)]


@pytest.mark.kills
async def test_after_draining_every_gauge_is_zero(place: Place, processes: Processes) -> None:
    """Fault 7."""
    tenant = place.tenant()
    processes.worker()
    broker = open_broker(place.settings, name="dispatcher")
    assert isinstance(broker, PgBroker)
    async with dispatching(place, broker):
        await tenant.start(*(Once(mark=mark, seconds=0.01) for mark in marks(60)))
        await until(lambda: _gauge_seen("running"))
        await tenant.all_ended()
        [later] = await tenant.start(Once(mark=uuid4()))
        place.admin(f"UPDATE app.job SET run_at = run_at + interval '1 day' WHERE id = '{later}'")
        await until(_gauges_zero)  # what is for later is not queued
        await until(lambda: _gauge_seen("later"))
        place.admin(f"DELETE FROM app.job WHERE id = '{later}'")
    assert place.leased() == 0
    assert metrics.JOBS_RUNNING._value.get() == 0
    broker.close()


@pytest.mark.moment
@pytest.mark.large
async def test_release_uses_the_index_at_every_size(place: Place) -> None:
    """0, 1,000 and 30,000 rows (a million by `make chaos`): the plans stay the same."""
    tenants = [place.tenant() for _ in range(3)]
    connection = await asyncpg.connect(place.settings.dsn("bo_dispatch"))
    try:
        for size in (0, 1_000, at_scale(30_000, 1_000_000)):
            place.admin(
                "INSERT INTO app.job (tenant_id, kind, kind_version, band, state, payload, actor, request_id,"
                " max_attempts, created_at, updated_at) SELECT"
                f" '{tenants[0].facts.id}', 'test.once', 1, 'normal', 'ready', '{{}}', 'system:test', 'system:test',"
                f" 8, now(), now() FROM generate_series(1, {size})"
            )
            place.admin("ANALYZE app.job")
            explain = "EXPLAIN (COSTS off) "
            plan = await connection.fetch(explain + routing.READY, [tenant.facts.id for tenant in tenants])
            assert "Seq Scan on job" not in str(plan) or size == 0
            place.admin("SET enable_seqscan = on")
            plan = await connection.fetch(explain + routing.RELEASE, tenants[0].facts.id, "normal", 5, 1.0)
            assert "Seq Scan on job" not in str(plan) or size == 0
            plan = await connection.fetch(explain + routing.SWEEP)
            assert "Seq Scan on job" not in str(plan) or size == 0
        began = time.monotonic()
        for _ in range(20):
            rows = await connection.fetch(routing.RELEASE, tenants[0].facts.id, "normal", 5, 60.0)
            assert len(rows) == 5
        assert (time.monotonic() - began) / 20 < 0.05
    finally:
        await connection.close()


async def test_no_plan_depends_on_how_much_waits(place: Place) -> None:
    """As they are planned once, whatever the statistics say at that moment: no table is read through, no backlog
    sorted."""
    ready = ("READY", "RELEASE", "RELEASE_WITHIN", "STARTED_LATELY")
    with psycopg.connect(place.settings.dsn("bo_dispatch", **INDEX_WALKS)) as connection:
        for name in (*ready, "LIVE", "TAKE_BACK", "SETTLED", "SWEEP"):
            explain = f"EXPLAIN (GENERIC_PLAN, COSTS off) {getattr(routing, name)}"
            plan = [row[0] for row in connection.execute(explain.encode()).fetchall()]
            scans = [line for line in plan if re.search(r" on job\b", line) and "Update" not in line]
            assert scans, (name, plan)
            assert all("Index" in line and "Bitmap" not in line for line in scans), (name, plan)
            assert any("job_ready_idx" in line for line in scans) == (name in ready), (name, plan)
            assert not any("Sort Key: job.run_at" in line for line in plan), (name, plan)


async def test_room_at_a_worker_is_no_news(place: Place) -> None:
    """In a flood it is said all the time: it wakes the dispatcher, which looks for other work at its own pace."""
    dsn = place.settings.dsn("bo_app")
    async with open_doorbell(dsn) as bell, open_listener(dsn, ROOM) as dispatcher, open_listener(dsn) as courier:
        assert await dispatcher.wait(5)  # what rang while nobody listened
        assert await courier.wait(5)
        assert dispatcher.news()
        bell.ring(ROOM)
        assert await dispatcher.wait(5)
        assert not dispatcher.news()
        assert not await courier.wait(0.05)
        bell.ring()
        assert await courier.wait(5)
        await dispatcher.pause(5)
        assert dispatcher.news()


async def test_room_for_a_newcomer_ends_the_pause_between_two_releases(place: Place) -> None:
    dsn = place.settings.dsn("bo_app")
    async with open_doorbell(dsn) as bell, open_listener(dsn, ROOM, ROOM_SOON) as dispatcher:
        assert await dispatcher.wait(5)  # what rang while nobody listened
        dispatcher.news()
        bell.ring(ROOM)
        assert await dispatcher.wait(5)
        pausing = asyncio.create_task(dispatcher.pause(30))
        await asyncio.sleep(0.02)
        assert not pausing.done()
        bell.ring(ROOM_SOON)
        await asyncio.wait_for(pausing, 5)
        assert not dispatcher.news()  # it says nothing of new work


async def test_a_ring_for_a_newcomer_does_not_wait_for_company(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "COALESCE_SECONDS", 60.0)
    dsn = place.settings.dsn("bo_app")
    async with open_doorbell(dsn) as bell, open_listener(dsn, ROOM, ROOM_SOON) as dispatcher:
        assert await dispatcher.wait(5)  # what rang while nobody listened
        bell.ring(ROOM)
        assert await dispatcher.wait(5)
        bell.ring(ROOM)
        assert not await dispatcher.wait(0.05)
        bell.ring(ROOM_SOON)
        assert await dispatcher.wait(5)


async def test_a_job_under_way_is_charged_for_by_every_tick(place: Place) -> None:
    """Whoever has run for long comes after who has not, before any of its jobs has ended."""
    long, other = place.tenant(), place.tenant()
    db = Database(place.settings.dsn("bo_dispatch"), size=1)
    book = Fairness(dict.fromkeys((long.facts.id, other.facts.id), Limit(1, 100)))
    live = [InFlight((long.facts.id, uuid4(), 1), "normal", 300.0)]
    Bookkeeping(db).settle(book, live, [])
    assert book.paid() == {}  # shown to whoever counts already
    ready = {"normal": [long.facts.id, other.facts.id]}
    grants = book.plan(slots=4, window=4, live=live, ready=ready)
    assert {grant.tenant: grant.count for grant in grants} == {other.facts.id: 3}


async def test_newcomers_are_released_and_published_first(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a tenant whose backlog has been there for long."""
    monkeypatch.setattr(fairness, "NEW_SECONDS", 60.0)
    flood, others = place.tenant(), [place.tenant() for _ in range(3)]
    transport = Recording(slots=0)
    async with dispatching(place, transport, lease=30) as dispatcher:
        await until(lambda: _leads(dispatcher))
        await flood.start(*(Once(mark=mark) for mark in marks(20)))
        await until(lambda: _are_ready(dispatcher, [flood]))
        dispatcher._fairness._since[flood.facts.id] -= 100
        for tenant in others:
            await tenant.start(Once(mark=uuid4()))
        await until(lambda: _are_ready(dispatcher, others))
        transport.count = 40
        await until(lambda: _count(transport, 23))
    newcomers = {tenant.facts.id for tenant in others}
    assert transport.calls[:2] == [(True, newcomers), (False, {flood.facts.id})]


@pytest.mark.parametrize("soon", [True, False])
async def test_a_worker_says_whose_end_is_waited_for(bench: Bench, place: Place, soon: bool) -> None:
    tenant = place.tenant()
    await tenant.start(Once(mark=uuid4()))
    released = await bench.release(tenant)
    said: list[bool] = []
    bench.runner._on_room = said.append
    await bench.runner.run(tenant.facts.id, released, soon=soon)
    assert said == [soon]
    assert await tenant.states() == {"succeeded": 1}


async def test_rings_are_coalesced_and_none_is_lost(place: Place) -> None:
    dsn = place.settings.dsn("bo_app")
    heard = 0
    connection = await asyncpg.connect(dsn)

    def count(*_: object) -> None:
        nonlocal heard
        heard += 1

    await connection.add_listener("bo_jobs", count)
    async with open_doorbell(dsn) as bell, open_listener(dsn) as listener:
        bell.ring()
        assert await listener.wait(5)
        await asyncio.sleep(0.2)
        await listener.wait(0)
        heard = 0
        began = time.monotonic()
        while time.monotonic() - began < 0.3:
            bell.ring()
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        assert 1 < heard <= 0.4 / COALESCE_SECONDS + 2
        assert await listener.wait(0)  # it rang while we did something else
        assert not await listener.wait(0.05)
        place.admin(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bo_app' AND query ~ 'LISTEN'"
        )
        assert await listener.wait(3)  # after a lost connection it looks again
    if not connection.is_closed():
        connection.terminate()


async def _count(transport: Recording, least: int) -> bool:
    return len(transport.sent) >= least


async def _are_ready(dispatcher: Dispatcher, tenants: Sequence[Tenant]) -> bool:
    """Seen by the last tick, and met."""
    ids = {tenant.facts.id for tenant in tenants}
    return ids <= dispatcher._ready["normal"] and ids <= dispatcher._fairness._since.keys()


async def _leads(dispatcher: Dispatcher) -> bool:
    return dispatcher.leading


async def _fence_above(place: Place, least: int) -> bool:
    return bool(place.admin("SELECT max(fence) FROM app.job")[0][0] > least)


async def _gauge_seen(state: str) -> bool:
    return bool(metrics.QUEUE_DEPTH.labels(state)._value.get() > 0)


async def _gauges_zero() -> bool:
    return all(metrics.QUEUE_DEPTH.labels(state)._value.get() == 0 for state in ("queued", "released", "running"))


async def test_a_broker_that_never_answers_stops_only_the_releases(
    place: Place, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases are swept on, and the next call has a thread of its own."""
    monkeypatch.setattr(dispatch, "BROKER_SECONDS", 0.2)
    tenant = place.tenant()
    transport = Recording(slots=2)
    answers = threading.Event()
    transport.slots = lambda: int(answers.wait(20)) * 2  # type: ignore[method-assign]
    [lost, waits] = await tenant.start(*(Once(mark=mark) for mark in marks(2)))
    await bench.release(tenant, lease=0.1, most=1)
    async with dispatching(place, transport):
        await tenant.until(lost, "ready", seconds=3)
        await asyncio.sleep(0.5)
        assert await tenant.states() == {"ready": 2}
        transport.slots = lambda: 2  # type: ignore[method-assign]
        await until(lambda: _count(transport, 2), 3)
    answers.set()
    assert {key[1] for key in transport.sent} == {lost, waits}
