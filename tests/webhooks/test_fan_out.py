"""Numbers without gaps or doubles, whoever commits when."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

from tests.webhooks.bench import TOLD, Bench, Told, couriers

from backoffice import courier
from backoffice.kernel import clock, ids
from backoffice.webhooks import commands, queries
from backoffice.webhooks.commands.fan_out import in_order, matches

assert courier.POST


def test_a_filter_lets_through_what_it_names() -> None:
    assert matches(None, "payroll_run.paid")
    assert matches(["payroll_run.*"], "payroll_run.paid")
    assert matches(["job.failed", "payroll_run.paid"], "payroll_run.paid")
    assert not matches(["payroll_run.ready"], "payroll_run.paid")
    assert not matches(["payroll.*"], "payroll_run.paid")


def test_one_objects_events_keep_their_numbers_order_in_the_places_they_have() -> None:
    a, b = ids.new(clock.wall()), ids.new(clock.wall())
    rows = [
        {"id": 1, "object_id": a, "object_sequence": 2},
        {"id": 2, "object_id": b, "object_sequence": 1},
        {"id": 3, "object_id": a, "object_sequence": 1},
    ]
    ordered = [(row["object_id"], row["object_sequence"]) for row in in_order(rows)]
    assert ordered == [(a, 1), (b, 1), (a, 2)]


async def test_numbers_rise_by_one_under_concurrent_and_late_commits(world: Any, bench: Bench) -> None:
    """20 writers over 5 objects, some of which commit late or roll back, and 4 couriers that fan out meanwhile."""
    firm = await world.firm(keys=False)
    endpoints = [await bench.endpoint(firm.test, f"http://127.0.0.1:9/{n}") for n in range(3)]
    objects = [ids.new(clock.wall()) for _ in range(5)]
    dice = random.Random(7)
    done = False
    committed = 0

    async def write(late: float, fails: bool, about: Any, count: int) -> None:
        nonlocal committed
        db = world.runtime.db
        async with db.tx(firm.test.system(), request_id="system:test") as tx:
            for number in range(count):
                tx.emit(TOLD, Told(id=ids.encode("job", about), number=number))
            await tx.flush()
            await asyncio.sleep(late)
            if not fails:
                await db.commit(tx)
                committed += count

    async def fan() -> None:
        while not done:
            async with world.tx(firm.test) as tx:
                await commands.fan_out(tx)
            await asyncio.sleep(0.001)

    couriers_ = [asyncio.create_task(fan()) for _ in range(4)]
    for _ in range(4):
        work = [
            write(dice.choice([0, 0.01, 0.05]), dice.random() < 0.2, dice.choice(objects), dice.randint(1, 3))
            for _ in range(5)
        ]
        await asyncio.gather(*work)
    done = True
    await asyncio.gather(*couriers_)
    await fanned_out(world, firm.test)
    assert committed > 20
    for endpoint in endpoints:
        rows = await bench.deliveries(firm.test, endpoint)
        assert [row["sequence"] for row in rows] == list(range(1, committed + 1))
        assert max(Counter(row["event_id"] for row in rows).values()) == 1
        async with world.tx(firm.test) as tx:
            page = await queries.endpoint_events(tx, endpoint.id, after=0, most=1000)
        last: dict[str, int] = {}
        for event in page.data:  # in the order of sequence, each object's numbers rise by exactly 1
            key = event.data.object["id"]
            assert event.object_sequence == last.get(key, 0) + 1
            last[key] = event.object_sequence


async def test_an_earlier_number_of_an_object_goes_first_though_its_id_is_higher(
    world: Any, bench: Bench, monkeypatch: Any
) -> None:
    """An id is made of the transaction's start, an object's number at its end; and the batch may end between them."""
    firm = await world.firm(keys=False)
    endpoint = await bench.endpoint(firm.test, "http://127.0.0.1:9/")
    await fanned_out(world, firm.test)
    about = ids.new(clock.wall())
    db = world.runtime.db
    async with db.tx(firm.test.system(), request_id="system:test") as early:
        await early.now()  # starts first, ends last
        await asyncio.sleep(0.02)
        async with db.tx(firm.test.system(), request_id="system:test") as late:
            late.emit(TOLD, Told(id=ids.encode("job", about), number=1))
            await db.commit(late)
        early.emit(TOLD, Told(id=ids.encode("job", about), number=2))
        await db.commit(early)
    monkeypatch.setitem(commands.fan_out.__globals__, "MOST_EVENTS", 1)
    async with world.tx(firm.test) as tx:
        done = await commands.fan_out(tx)
    assert done.events == 2
    rows = await bench.deliveries(firm.test, endpoint)
    async with world.tx(firm.test) as tx:
        page = await queries.endpoint_events(tx, endpoint.id, after=0, most=10)
    assert [event.data.object["number"] for event in page.data] == [1, 2]
    assert [row["sequence"] for row in rows] == [1, 2]


async def fanned_out(world: Any, tenant: Any) -> None:
    async with world.tx(tenant) as tx:
        while (await commands.fan_out(tx)).events:
            pass


async def test_endpoints_get_what_they_asked_for(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm(keys=False)
    async with bench.receiver() as receiver, couriers(settings):
        jobs = await bench.endpoint(firm.test, receiver.url, ["job.*"])
        await fanned_out(world, firm.test)  # what was not is sent to a new endpoint as well: rather too much than a gap
        own = await bench.endpoint(firm.test, receiver.url, ["webhook_endpoint.created"])
        await bench.tell(firm.test, 1, times=2)
        await receiver.until(3)
        await bench.settled(firm.test, "delivered")
        types = Counter(request.body["type"] for request in receiver.requests)
        assert types == {"job.told": 2, "webhook_endpoint.created": 1}  # `own` is told of itself
    assert [row["sequence"] for row in await bench.deliveries(firm.test, jobs)] == [1, 2]
    assert [row["sequence"] for row in await bench.deliveries(firm.test, own)] == [1]


async def test_tenants_are_apart(world: Any, bench: Bench, settings: Any) -> None:
    one, other = await world.firm(keys=False), await world.firm(keys=False)
    async with bench.receiver() as receiver, bench.receiver() as others, couriers(settings):
        await bench.endpoint(one.test, receiver.url)
        await bench.endpoint(other.test, others.url)
        await bench.tell(one.test, 1, times=3)
        await bench.tell(other.test, 10, times=2)
        await receiver.until(3)
        await others.until(2)
        await bench.settled(one.test, "delivered")
        assert sorted(request.number for request in receiver.requests) == [1, 2, 3]
        assert sorted(request.number for request in others.requests) == [10, 11]


async def test_an_endpoint_added_while_events_are_read_misses_none_after_it(world: Any, bench: Bench) -> None:
    """Between the lock on the endpoints and the read of the events somebody adds an endpoint, and something happens."""
    firm = await world.firm(keys=False)
    await bench.tell(firm.test, 1)
    added: list[Any] = []

    class Interrupted:
        def __init__(self, tx: Any) -> None:
            self._tx = tx

        def __getattr__(self, name: str) -> Any:
            return getattr(self._tx, name)

        async def fetch(self, statement: Any, **params: Any) -> Any:
            if "most" in params and not added:
                added.append(await bench.endpoint(firm.test, "http://127.0.0.1:9/"))
                await bench.tell(firm.test, 2)
            return await self._tx.fetch(statement, **params)

    async with world.tx(firm.test) as tx:
        await commands.fan_out(Interrupted(tx))  # type: ignore[arg-type]
    (delivery, *_) = rows = await bench.deliveries(firm.test, added[0])
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 1
    assert delivery["state"] == "ready"
    async with world.tx(firm.test) as tx:
        assert (await commands.fan_out(tx)).events == 0  # the second event is not merely late
