"""Plans: which kinds they have, and how many of a kind may run at once and start in a minute."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.platform.jobs.job_kinds import Interactive, Once, Steps
from tests.platform.jobs.job_world import Bench, Place, Tenant, marks, until
from tests.platform.jobs.test_job_dispatch import Recording, dispatching

from backoffice.platform.jobs import kind_limits, plans, registry, routing
from backoffice.platform.jobs.dispatch import Dispatcher
from backoffice.platform.jobs.errors import NotInPlan
from backoffice.platform.jobs.fairness import Grant
from backoffice.platform.jobs.kind_limits import MINUTE, KindLimits
from backoffice.platform.jobs.plans import KindLimit, Plan

A, B = UUID(int=1), UUID(int=2)


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> str:
    """A plan with two jobs of a kind at once, three starts a minute of another, and one kind that it lacks."""
    plan = Plan(
        1, 100, frozenset({"test.interactive"}), {"test.once": KindLimit(2), "test.steps": KindLimit(None, 3)}
    )  # fmt: skip
    monkeypatch.setitem(plans.plans(), "tight", plan)
    return "tight"


def test_the_plans_of_this_release_name_kinds_there_are() -> None:
    known = set(registry.load())
    assert set(plans.plans()) == {"starter", "standard", "enterprise"}
    for plan in plans.plans().values():
        assert plan.weight >= 1
        assert plan.max_in_flight >= 1
        assert plan.lacks | set(plan.kinds) <= known
        assert all(limit.at_once or limit.per_minute for limit in plan.kinds.values())


@given(
    st.integers(1, 5),
    st.integers(1, 6),
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 4), st.integers(0, 3)), max_size=40),
)
def test_neither_limit_is_ever_passed(at_once: int, per_minute: int, moves: list[tuple[float, int, int]]) -> None:
    """Time passes, so many are wanted, so many end: in flight and in any minute never more than the plan says."""
    book = KindLimits()
    book.limits = {A: {"k": KindLimit(at_once, per_minute)}}
    now, live, starts = 1000.0, 0, []
    for passed, wanted, ended in moves:
        now += passed
        live = max(0, live - ended)
        book.count([(A, "k")] * live)
        released = min(wanted, book.room(A, now, wanted).get("k", wanted))
        book.note(A, ["k"] * released, now)
        live += released
        starts += [now] * released
        assert live <= at_once
        assert sum(at > now - MINUTE for at in starts) <= per_minute
        if released < wanted:  # it was a limit that stood in the way, and the room is used up
            assert live == at_once or sum(at > now - MINUTE for at in starts) == per_minute


def test_room_is_by_tenant_and_kind() -> None:
    book = KindLimits()
    book.limits = {A: {"k": KindLimit(2)}, B: {"k": KindLimit(2)}}
    book.count([(A, "k"), (A, "other"), (A, "k")])
    assert book.room(A, 0, 5) == {"k": 0}
    assert book.room(B, 0, 5) == {"k": 2}
    assert book.room(B, 0, 2) == {}
    assert book.room(UUID(int=3), 0, 5) == {}
    book.hold(A, "bulk", 10.0)
    assert (book.held(A, "bulk", 10.05), book.held(A, "normal", 10.05)) == (True, False)
    assert not book.held(A, "bulk", 10.0 + kind_limits.HOLD_SECONDS)


async def test_a_kind_the_plan_lacks_is_refused_and_nothing_stored(place: Place, tight: str) -> None:
    tenant = place.tenant(plan=tight)
    with pytest.raises(NotInPlan) as refused:
        await tenant.start(Once(mark=uuid4()), Interactive(mark=uuid4()))
    assert (refused.value.status, refused.value.code, refused.value.extra["kind"]) == (
        403, "not_in_plan", "test.interactive"
    )  # fmt: skip
    assert await tenant.states() == {}
    await place.tenant(plan="a plan of another release").start(Interactive(mark=uuid4()))


async def _finish(bench: Bench, transport: Recording, count: int) -> None:
    keys, transport.sent[:] = transport.sent[:count], transport.sent[count:]
    await asyncio.gather(*(bench.runner.run(tenant, [(job, fence)]) for tenant, job, fence in keys))


async def _nothing_ready(dispatcher: Dispatcher) -> bool:
    return not any(dispatcher._ready.values())


async def _is_held(dispatcher: Dispatcher, tenant: Tenant) -> bool:
    return (tenant.facts.id, "normal") in dispatcher._kinds._held


async def _kinds(tenant: Tenant, transport: Recording) -> Counter[str]:
    return Counter([(await tenant.job(key[1]))["kind"] for key in transport.sent if key[0] == tenant.facts.id])


async def test_at_most_so_many_of_a_kind_at_once(place: Place, bench: Bench, tight: str) -> None:
    """What is behind them goes on, another tenant too; the next of the kind starts when one has ended."""
    tenant, other = place.tenant(plan=tight), place.tenant()
    await tenant.start(*(Once(mark=mark) for mark in marks(150)))
    await tenant.start(*(Steps(mark=mark, count=1) for mark in marks(3)))
    await other.start(*(Once(mark=mark) for mark in marks(10)))
    transport = Recording(slots=100)
    async with dispatching(place, transport, lease=30):
        await until(lambda: _sent(transport, 15))
        await asyncio.sleep(0.5)
        assert await _kinds(tenant, transport) == {"test.once": 2, "test.steps": 3}
        assert await _kinds(other, transport) == {"test.once": 10}
        for _ in range(3):
            await _finish(bench, transport, len(transport.sent))
            await until(lambda: _sent(transport, 2))
            await asyncio.sleep(0.2)
            assert await _kinds(tenant, transport) == {"test.once": 2}
    assert (await tenant.states())["succeeded"] == 2 * 3 + 3


async def test_at_most_so_many_starts_a_minute(
    place: Place, bench: Bench, tight: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind_limits, "MINUTE", 2.0)
    tenant = place.tenant(plan=tight)
    await tenant.start(*(Steps(mark=mark, count=1) for mark in marks(7)))
    transport = Recording(slots=20)
    began = time.monotonic()
    async with dispatching(place, transport, lease=30):
        await until(lambda: _sent(transport, 3))
        await _finish(bench, transport, 3)
        await asyncio.sleep(0.7)
        assert transport.sent == []
        await until(lambda: _sent(transport, 3), 5)
        assert time.monotonic() - began >= 2.0
        await asyncio.sleep(0.7)
        assert len(transport.sent) == 3


async def test_a_new_leader_knows_what_started_before_it(place: Place, bench: Bench, tight: str) -> None:
    tenant = place.tenant(plan=tight)
    await tenant.start(*(Steps(mark=mark, count=1) for mark in marks(7)))
    transport = Recording(slots=20)
    async with dispatching(place, transport, lease=30):
        await until(lambda: _sent(transport, 3))
        await _finish(bench, transport, 1)
        running = transport.sent.pop()
        assert await bench.claim(tenant, running[1], running[2]) is not None
    transport.sent.clear()  # one has ended, one runs, one is released
    async with dispatching(place, transport, lease=30):
        await asyncio.sleep(0.7)
        assert transport.sent == []
    place.admin("UPDATE app.job SET started_at = started_at - interval '1 minute' WHERE state = 'running'")
    async with dispatching(place, transport, lease=30):
        await until(lambda: _sent(transport, 1))
        await asyncio.sleep(0.5)
        assert len(transport.sent) == 1


async def test_a_tenant_that_has_nothing_left_is_not_held(place: Place, bench: Bench, tight: str) -> None:
    """A release that finds nothing says that kinds are at their limit only where something is due: else the next job
    of the tenant would wait for nothing."""
    tenant = place.tenant(plan=tight, cap=3)
    transport = Recording(slots=10)
    async with dispatching(place, transport, lease=30) as dispatcher:
        await tenant.start(*(Steps(mark=mark, count=1) for mark in marks(3)))  # as many as are granted: more may wait
        await until(lambda: _sent(transport, 3))
        await _finish(bench, transport, 3)
        await until(lambda: _nothing_ready(dispatcher))
        async with dispatcher._db.autocommit() as connection:
            assert not await dispatcher._released(connection, Grant(tenant.facts.id, "normal", 3))
        assert not dispatcher._kinds._held
        await tenant.start(*(Once(mark=mark) for mark in marks(4)))
        await until(lambda: _sent(transport, 2))
        await until(lambda: _is_held(dispatcher, tenant))  # two more are due, and two are at once


@pytest.mark.moment
async def test_a_kind_at_its_limit_slows_nobody(place: Place, tight: str) -> None:
    """20,000 of them wait; another tenant's jobs start as if they were not there."""
    tenant, other = place.tenant(plan=tight), place.tenant()
    place.admin(
        "INSERT INTO app.job (tenant_id, kind, kind_version, band, state, payload, actor, request_id,"
        " max_attempts, created_at, updated_at) SELECT"
        f" '{tenant.facts.id}', 'test.once', 1, 'normal', 'ready', '{{}}', 'system:test', 'system:test',"
        " 8, now(), now() FROM generate_series(1, 20000)"
    )
    place.admin("ANALYZE app.job")
    transport = Recording(slots=200)
    waited = []
    async with dispatching(place, transport, lease=60):
        await until(lambda: _sent(transport, 2))
        for count in range(3, 23):
            began = time.monotonic()
            await other.start(Once(mark=uuid4()))
            await until(lambda count=count: _sent(transport, count), 5)  # type: ignore[misc]
            waited.append(time.monotonic() - began)
        assert await _kinds(tenant, transport) == {"test.once": 2}
    assert sorted(waited)[10] < 0.1


async def test_the_limited_release_uses_the_index_and_keeps_order(place: Place) -> None:
    tenant = place.tenant()
    connection = await asyncpg.connect(place.settings.dsn("bo_dispatch"))
    asked: list[Any] = [tenant.facts.id, "normal", 5, 1.0, 100, ["test.once"], [2]]
    try:
        for size in (0, 1_000, 30_000):
            place.admin(
                "INSERT INTO app.job (tenant_id, kind, kind_version, band, state, payload, actor, request_id,"
                " max_attempts, created_at, updated_at, run_at) SELECT"
                f" '{tenant.facts.id}', CASE n % 10 WHEN 0 THEN 'test.other' ELSE 'test.once' END, 1, 'normal',"
                " 'ready', '{}', 'system:test', 'system:test', 8, now(), now(), now() - interval '1 hour'"
                f" + n * interval '1 ms' FROM generate_series(1, {size}) AS n"
            )
            place.admin("ANALYZE app.job")
            plan = str(await connection.fetch("EXPLAIN (COSTS off) " + routing.RELEASE_WITHIN, *asked))
            assert "Seq Scan on job" not in plan or size == 0
        for _ in range(3):
            rows = await connection.fetch(routing.RELEASE_WITHIN, *asked)
            assert Counter(row["kind"] for row in rows) == {"test.once": 2, "test.other": 3}
        oldest = await connection.fetch(
            "SELECT min(run_at) AS at, state FROM app.job WHERE tenant_id = $1 GROUP BY state", tenant.facts.id
        )
        first = {row["state"]: row["at"] for row in oldest}
        assert first["released"] < first["ready"]
    finally:
        await connection.close()


async def _sent(transport: Recording, least: int) -> bool:
    return len(transport.sent) >= least
