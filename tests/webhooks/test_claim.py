"""The statements of `bo_dispatch`: order per object between two couriers, leases and fences."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from tests.webhooks.bench import Bench

from backoffice.kernel import clock, ids
from backoffice.platform.courier.ports import Claimed, LaneKey, Result, Want
from backoffice.platform.db import Database
from backoffice.platform.settings import INDEX_WALKS
from backoffice.webhooks import commands, queries
from backoffice.webhooks.commands.claim import _CLAIM
from backoffice.webhooks.commands.record import _EXTEND, _RECORD, _SWEEP
from backoffice.webhooks.queries.routing import _DUE, _REPLAYS_DUE, _STOPPED


class Two:
    """Two couriers on one endpoint of a tenant of their own."""

    def __init__(self, world: Any, bench: Bench, dispatch: Database, tenant: Any, lane: LaneKey) -> None:
        self.world, self.bench, self.dispatch, self.tenant, self.lane = world, bench, dispatch, tenant, lane

    async def claim(self, worker: str, most: int = 10, lease: float = 5.0) -> Sequence[Claimed]:
        async with self.dispatch.untenanted() as connection:
            return await commands.claim(connection, [Want(self.lane, most)], worker, lease)

    async def record(self, *results: Result) -> int:
        async with self.dispatch.untenanted() as connection:
            return len(await commands.record(connection, results))

    async def fan_out(self) -> None:
        async with self.world.tx(self.tenant) as tx:
            await commands.fan_out(tx)

    async def sweep(self) -> int:
        async with self.dispatch.untenanted() as connection:
            return await commands.sweep(connection)


async def two(world: Any, bench: Bench, dispatch: Database) -> Two:
    firm = await world.firm(keys=False)
    endpoint = await bench.endpoint(firm.test, "http://127.0.0.1:9/")
    id_ = ids.decode("webhook_endpoint", endpoint.id)
    assert id_ is not None
    return Two(world, bench, dispatch, firm.test, LaneKey(firm.test.facts.id, id_))


def sequences(claimed: Sequence[Claimed]) -> list[int]:
    return [each.sequence for each in claimed]


@pytest.mark.parametrize(
    ("statement", "indexes"),
    [
        (_CLAIM, {"due", "replay", "order", "pkey"}),
        (_RECORD, {"pkey"}),
        (_EXTEND, {"pkey"}),
        (_SWEEP, {"lease"}),
        (_DUE, {"due"}),
        (_REPLAYS_DUE, {"replay"}),
        (_STOPPED, {"stopped"}),
    ],
    ids=["claim", "record", "extend", "sweep", "due", "replays due", "stopped"],
)
def test_no_plan_depends_on_how_much_waits(settings: Any, statement: str, indexes: set[str]) -> None:
    """As they are planned once, whatever the statistics say at that moment: no table is read through."""
    with psycopg.connect(settings.dsn("bo_dispatch", **INDEX_WALKS)) as connection:
        rows = connection.execute(f"EXPLAIN (GENERIC_PLAN, COSTS off) {statement}".encode()).fetchall()
    scans = [row[0] for row in rows if re.search(r" on webhook_delivery\b", row[0]) and "Update" not in row[0]]
    used = [re.search(r"Index (?:Only )?Scan using webhook_delivery_(\w+?)(?:_idx)? on", line) for line in scans]
    assert {found[1] if found else None for found in used} == indexes, rows


async def test_a_delivery_is_claimed_once(world: Any, bench: Bench, dispatch: Database) -> None:
    pair = await two(world, bench, dispatch)
    await bench.tell(pair.tenant, 1, times=40)
    await pair.fan_out()
    claims = await asyncio.gather(*(pair.claim(f"courier-{n % 2}", 7) for n in range(10)))
    got = [number for claim in claims for number in sequences(claim)]
    assert sorted(got) == list(range(1, 41))


async def test_another_courier_may_not_pass_one_that_holds_an_earlier_event_of_the_object(
    world: Any, bench: Bench, dispatch: Database
) -> None:
    pair = await two(world, bench, dispatch)
    about = ids.new(clock.wall())
    await bench.tell(pair.tenant, 1, about=about, times=3)
    await bench.tell(pair.tenant, 4)
    await pair.fan_out()
    (first,) = await pair.claim("courier-a", 1)
    assert sequences(await pair.claim("courier-b")) == [4]
    assert sequences(await pair.claim("courier-b")) == []
    await asyncio.sleep(0.25)  # they were put off
    assert sequences(await pair.claim("courier-a")) == [2, 3]  # the same courier sends them one after the other
    assert await pair.record(Result(first, "delivered", tried=True, status=200)) == 1


async def test_what_follows_a_failed_try_waits_for_it(world: Any, bench: Bench, dispatch: Database) -> None:
    pair = await two(world, bench, dispatch)
    about = ids.new(clock.wall())
    await bench.tell(pair.tenant, 1, about=about)
    await pair.fan_out()
    (first,) = await pair.claim("courier-a")
    await pair.record(Result(first, "retry_wait", tried=True, delay=0.5, status=500))
    await bench.tell(pair.tenant, 2, about=about, times=2)
    await pair.fan_out()
    assert await pair.claim("courier-a") == []
    rows = await bench.deliveries(pair.tenant)
    assert len({row["run_at"] for row in rows}) == 1  # put off to the very moment
    await asyncio.sleep(0.55)
    assert sequences(await pair.claim("courier-b")) == [1, 2, 3]


async def test_an_outcome_is_written_once_and_only_by_who_holds_the_lease(
    world: Any, bench: Bench, dispatch: Database
) -> None:
    pair = await two(world, bench, dispatch)
    await bench.tell(pair.tenant)
    await pair.fan_out()
    (stale,) = await pair.claim("courier-a", lease=0.05)
    await asyncio.sleep(0.1)
    assert await pair.sweep() >= 1
    (fresh,) = await pair.claim("courier-b")
    assert await pair.record(Result(stale, "delivered", tried=True, status=200)) == 0
    async with dispatch.untenanted() as connection:
        assert await commands.extend(connection, [stale], 5.0) == set()
        assert await commands.extend(connection, [fresh], 5.0) == {fresh.id}
    result = Result(fresh, "delivered", tried=True, status=200, milliseconds=3)
    assert await pair.record(result) == 1
    assert await pair.record(result) == 0  # told twice, after an uncertain commit
    (row,) = await bench.deliveries(pair.tenant)
    assert (row["state"], row["attempt"]) == ("delivered", 1)
    assert len(await bench.attempts(pair.tenant)) == 1


async def test_a_delivery_given_back_has_used_no_try(world: Any, bench: Bench, dispatch: Database) -> None:
    pair = await two(world, bench, dispatch)
    await bench.tell(pair.tenant)
    await pair.fan_out()
    (claimed,) = await pair.claim("courier-a")
    await pair.record(Result(claimed, "ready"))
    (row,) = await bench.deliveries(pair.tenant)
    assert (row["state"], row["attempt"], row["worker"], row["lease_until"]) == ("ready", 0, None, None)
    assert await bench.attempts(pair.tenant) == []


async def test_the_questions_across_tenants_find_each_once(world: Any, bench: Bench, dispatch: Database) -> None:
    pair, other = await two(world, bench, dispatch), await two(world, bench, dispatch)
    for each in (pair, other):
        await bench.tell(each.tenant, 1, times=5)
    async with dispatch.untenanted() as connection:
        waiting = list(await queries.tenants_with_events(connection))
    for each in (pair, other):
        assert waiting.count(each.tenant.facts.id) == 1
        await each.fan_out()
    async with dispatch.untenanted() as connection:
        due = {entry.lane: entry.in_seconds for entry in await queries.due(connection)}
        assert pair.tenant.facts.id not in await queries.tenants_with_events(connection)
    assert due[pair.lane] <= 0 >= due[other.lane]
    await asyncio.gather(pair.claim("a", 99), other.claim("a", 99))
    async with dispatch.untenanted() as connection:
        assert not {pair.lane, other.lane} & {entry.lane for entry in await queries.due(connection)}


@pytest.mark.moment
async def test_a_deep_backlog_of_one_object_does_not_slow_down_the_claim(
    world: Any, bench: Bench, dispatch: Database
) -> None:
    """The plan uses the partial indexes: 5,000 waiting events of one object behind one that is being tried."""
    pair = await two(world, bench, dispatch)
    about = ids.new(clock.wall())
    await bench.tell(pair.tenant, 1, about=about)
    await pair.fan_out()
    (first,) = await pair.claim("courier-a")
    await pair.record(Result(first, "retry_wait", tried=True, delay=60.0, status=500))
    for step in range(5):
        await bench.tell(pair.tenant, 10 + 1000 * step, about=about, times=1000)
    await bench.tell(pair.tenant, 9)
    for _ in range(12):
        await pair.fan_out()
    loop = asyncio.get_running_loop()
    worst = 0.0
    got: list[Claimed] = []
    for _ in range(120):
        began = loop.time()
        got += await pair.claim("courier-a", 48)
        worst = max(worst, loop.time() - began)
    assert [each.object_key == about for each in got] == [False]
    assert worst < 0.5
