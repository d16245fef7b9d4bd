"""Replay: the same deliveries once more, on demand, behind what is fresh."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from aiohttp import web
from tests.webhooks.bench import FAST, Bench, Request, couriers, until, verified
from tests.webhooks.test_claim import sequences, two
from tests.webhooks.test_http import SCOPES, Door, key_of

from backoffice.kernel import clock, ids
from backoffice.platform.courier.ports import Result, Want
from backoffice.platform.db import Database
from backoffice.webhooks import commands

KEY = {"idempotency-key": "once"}


async def firm_and_door(world: Any) -> tuple[Any, Door]:
    firm = await world.firm()
    return firm, Door(world.client(await key_of(world, firm.test)))


async def events_of(call: Door, endpoint: str) -> list[dict[str, Any]]:
    listed = await call("GET", f"/v1/webhook_endpoints/{endpoint}/events?limit=1000")
    found: list[dict[str, Any]] = listed["data"]
    return found


async def test_the_same_id_and_number_with_a_new_signature(world: Any, bench: Bench, settings: Any) -> None:
    firm, call = await firm_and_door(world)
    async with bench.receiver() as receiver, couriers(settings):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        await bench.hears_only_told(firm.test, endpoint.id)
        path = f"/v1/webhook_endpoints/{endpoint.id}/replay"
        await bench.tell(firm.test, 1, times=5)
        await receiver.until(5)
        await bench.settled(firm.test, "delivered")
        await asyncio.sleep(1.1)  # the time of a signature is in whole seconds
        wanted = [event["id"] for event in await events_of(call, endpoint.id)][1:4]
        preview = await call("POST", f"{path}?dry_run=true", {"event_ids": wanted})
        assert preview["effects"][0]["after"] == {"deliveries": 3}
        assert preview["result"]["object"] == "job"
        assert (await call("GET", f"/v1/webhook_endpoints/{endpoint.id}"))["version"] == 1
        job = await call("POST", path, {"event_ids": wanted}, status=202, **KEY)
        assert (job["kind"], job["progress"]["total"]) == ("webhooks.replay", 3)
        assert await call("POST", path, {"event_ids": wanted}, status=202, **KEY) == job
        assert len(receiver.requests) == 5  # nothing was sent by the request itself, and nothing by the preview
        assert await world.work(firm.test) == 1
        again = (await receiver.until(8))[5:]
        await bench.settled(firm.test, "delivered")
    assert [request.id for request in again] == wanted
    first = {request.id: request for request in receiver.requests[:5]}
    for request in again:
        body = verified(request, endpoint.secret)
        assert (body["id"], body["sequence"]) == (request.id, first[request.id].sequence)
        assert request.raw == first[request.id].raw
        assert request.headers["webhook-timestamp"] > first[request.id].headers["webhook-timestamp"]
    log = await call("GET", f"/v1/webhook_endpoints/{endpoint.id}/deliveries?event_id={wanted[0]}")
    assert [(each["attempt"], each["response"]["status"]) for each in log["data"][0]["attempts"]] == [
        (1, 200),
        (1, 200),
    ]
    (told,) = (await call("GET", "/v1/events?type=webhook_endpoint.replayed"))["data"]
    assert told["data"]["effects"][0]["after"] == preview["effects"][0]["after"]
    done = (await call("GET", "/v1/events?type=job.succeeded"))["data"][0]["data"]["object"]
    assert (done["id"], done["result"], done["progress"]["done"]) == (job["id"], {"deliveries": 3}, 3)


async def test_a_range_and_what_was_not_taken(world: Any, bench: Bench, settings: Any) -> None:
    """A range goes by the events' own time, its end not included; `undelivered` is what waits for its next try."""
    firm, call = await firm_and_door(world)
    well = True

    def answer(_: Request) -> web.Response:
        return web.Response(status=200 if well else 500)

    slow = replace(FAST, waits=(3600.0, 3600.0))
    async with bench.receiver(answer) as receiver, couriers(settings, slow):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        await bench.hears_only_told(firm.test, endpoint.id)
        path = f"/v1/webhook_endpoints/{endpoint.id}/replay"
        for number in range(1, 5):
            await bench.tell(firm.test, number)
            await receiver.until(number)
        await bench.settled(firm.test, "delivered")
        times = [event["timestamp"] for event in await events_of(call, endpoint.id)]
        body = {"from": times[1], "to": times[3]}
        await call("POST", path, body, status=202, **KEY)
        await world.work(firm.test)
        await receiver.until(6)
        assert [request.number for request in receiver.requests[4:]] == [2, 3]
        await bench.settled(firm.test, "delivered")
        open_end = await call("POST", f"{path}?dry_run=true", {"from": times[0]})
        assert open_end["effects"][0]["after"] == {"deliveries": 4}
        nothing = await call("POST", f"{path}?dry_run=true", {"undelivered": True})
        assert nothing["effects"][0]["after"] == {"deliveries": 0}
        well = False
        await bench.tell(firm.test, 5, times=2)
        await bench.settled(firm.test, "delivered", "retry_wait")
        await until(lambda: len(receiver.requests) >= 8)
        well = True
        await call("POST", path, {"undelivered": True}, status=202, **{"idempotency-key": "two"})
        await world.work(firm.test)
        rows = await bench.settled(firm.test, "delivered", seconds=5)  # and not in an hour
        assert [request.number for request in receiver.requests[8:]] == [5, 6]
        assert [row["attempt"] for row in rows] == [1] * 6


async def test_everything_wrong_with_a_replay_is_told_at_once(world: Any, bench: Bench) -> None:
    firm, call = await firm_and_door(world)
    endpoint, other = [await bench.endpoint(firm.test, "http://127.0.0.1:9/", ["job.*"]) for _ in range(2)]
    await bench.tell(firm.test)
    async with world.tx(firm.test) as tx:
        await commands.fan_out(tx)
    path = f"/v1/webhook_endpoints/{endpoint.id}/replay"
    (event,) = await events_of(call, endpoint.id)
    elsewhere = (await call("GET", "/v1/events?type=webhook_endpoint.created"))["data"][0]["id"]

    async def faults(body: Any, path: str = path) -> list[tuple[str, str]]:
        refused = await call("POST", f"{path}?dry_run=true", body, status=422)
        return [(fault["pointer"], fault["code"]) for fault in refused["errors"]]

    named = [event["id"], "evt_1", elsewhere, ids.encode("event", ids.new(clock.wall())), event["id"]]
    assert await faults({"event_ids": named}) == [
        *(("#/event_ids/1", "not_sent_here"), ("#/event_ids/2", "not_sent_here"), ("#/event_ids/3", "not_sent_here")),
        ("#/event_ids/4", "duplicate"),
    ]
    assert await faults({}) == [("#", "nothing_chosen")]
    assert await faults({"event_ids": []}) == [("#/event_ids", "too_short")]
    assert await faults({"event_ids": [event["id"]] * 1001}) == [("#/event_ids", "too_long")]
    assert await faults({"to": "2026-11-21T12:00:00Z"}) == [("#/from", "required")]
    now = "2026-11-21T12:00:00Z"
    assert await faults({"from": now, "to": now}) == [("#/to", "out_of_range")]
    assert await faults({"from": now[:-1], "undelivered": True, "event_ids": ["x"]}) == [
        *(("#/event_ids", "one_of"), ("#/from", "one_of"), ("#/undelivered", "one_of"), ("#/from", "not_an_instant")),
        ("#/event_ids/0", "not_sent_here"),
    ]
    await call("POST", f"/v1/webhook_endpoints/{other.id}/pause")
    refused = await call("POST", f"/v1/webhook_endpoints/{other.id}/replay", {"undelivered": True}, status=409, **KEY)
    assert (refused["code"], refused["fix"]["api"][-7:]) == ("webhook_endpoint_not_enabled", "/enable")
    missing = await call("POST", path, {"undelivered": True}, status=400)
    assert missing["code"] == "idempotency_key_required"
    async with world.tx(firm.test) as tx:
        assert [row["kind"] for row in await _jobs(tx)] == []


async def _jobs(tx: Any) -> Any:
    from sqlalchemy import select

    from backoffice.platform.models import job
    from backoffice.platform.tables import TENANT

    return await tx.fetch(select(job.c.kind).where(job.c.tenant_id == TENANT))


# ----------------------------------------------------------------------------------------------------- turns in line


async def pair_and_door(world: Any, bench: Bench, dispatch: Database) -> tuple[Any, Door]:
    pair = await two(world, bench, dispatch)
    await bench.hears_only_told(pair.tenant, pair.lane.endpoint)
    return pair, Door(world.client(await world.key(pair.tenant, "dana-whitfield", scopes=SCOPES)))


async def replayed(pair: Any, call: Door) -> None:
    """Everything that is not open yet, at once."""
    await call("POST", f"/v1/webhook_endpoints/{endpoint_id(pair)}/replay", {"from": "2026-01-01T00:00:00Z"},
               status=202, **{"idempotency-key": str(monotonic())})  # fmt: skip
    await pair.world.work(pair.tenant)


def endpoint_id(pair: Any) -> str:
    return ids.encode("webhook_endpoint", pair.lane.endpoint)


async def test_what_is_fresh_is_claimed_first_and_a_repeat_holds_up_nothing(
    world: Any, bench: Bench, dispatch: Database
) -> None:
    pair, call = await pair_and_door(world, bench, dispatch)
    about = ids.new(clock.wall())
    await bench.tell(pair.tenant, 1, about=about, times=3)
    await pair.fan_out()
    taken = await pair.claim("courier-a")
    await pair.record(*(Result(each, "delivered", tried=True, status=200) for each in taken))
    await replayed(pair, call)
    await bench.tell(pair.tenant, 4, about=about)
    await pair.fan_out()
    assert sequences(await pair.claim("courier-a")) == [4]  # of the same object as the repeats that wait
    async with dispatch.untenanted() as connection:
        got = await commands.claim(connection, [Want(pair.lane, 10, 2)], "courier-a", 5.0)
        rest = await commands.claim(connection, [Want(pair.lane, 10, 2)], "courier-b", 5.0)
    assert [(each.sequence, each.turn) for each in got] == [(1, "again"), (2, "again")]
    assert rest == []  # the third waits for the first two, which another courier holds


async def test_what_was_never_taken_keeps_its_place_in_its_object(world: Any, bench: Bench, dispatch: Database) -> None:
    pair, call = await pair_and_door(world, bench, dispatch)
    about = ids.new(clock.wall())
    await bench.tell(pair.tenant, 1, about=about)
    await pair.fan_out()
    (first,) = await pair.claim("courier-a")
    await pair.record(Result(first, "retry_wait", tried=True, delay=3600.0, status=500))
    await replayed(pair, call)
    await bench.tell(pair.tenant, 2, about=about)
    await bench.tell(pair.tenant, 3)
    await pair.fan_out()
    assert sequences(await pair.claim("courier-a")) == [3]  # the second waits for the first, though it is fresh
    async with dispatch.untenanted() as connection:
        (late,) = await commands.claim(connection, [Want(pair.lane, 0, 5)], "courier-a", 5.0)
    assert (late.sequence, late.turn, late.attempt) == (1, "late", 0)
    await asyncio.sleep(0.25)
    assert sequences(await pair.claim("courier-a")) == [2]  # behind it in the same hands


async def test_a_replay_is_made_in_parts_and_leaves_alone_what_is_newer(
    world: Any, bench: Bench, dispatch: Database, monkeypatch: Any
) -> None:
    from backoffice.webhooks.commands import replay

    monkeypatch.setattr(replay, "AT_ONCE", 4)
    pair, call = await pair_and_door(world, bench, dispatch)
    await bench.tell(pair.tenant, 1, times=10)
    await pair.fan_out()
    await pair.record(*(Result(e, "delivered", tried=True, status=200) for e in await pair.claim("courier-a", 99)))
    body = {"from": (clock.wall() - timedelta(hours=1)).isoformat()}
    job = await call("POST", f"/v1/webhook_endpoints/{endpoint_id(pair)}/replay", body, status=202, **KEY)
    await bench.tell(pair.tenant, 11)
    await pair.fan_out()
    await pair.record(*(Result(e, "delivered", tried=True, status=200) for e in await pair.claim("courier-a", 99)))
    await pair.world.work(pair.tenant)
    assert [(row["state"], row["turn"]) for row in await bench.deliveries(pair.tenant)] == [
        *[("ready", "again")] * 10,
        ("delivered", "fresh"),
    ]
    ended = (await call("GET", "/v1/events?type=job.succeeded"))["data"][0]["data"]["object"]
    assert (ended["id"], ended["result"]) == (job["id"], {"deliveries": 10})


@pytest.mark.moment
async def test_fresh_events_do_not_wait_for_a_replay(world: Any, bench: Bench, settings: Any) -> None:
    """Fault 21, small: 600 deliveries are replayed to a receiver that takes 10 ms each, four at once (so 1.5 s at
    least); the events that happen meanwhile come as soon as they do when nothing is replayed."""
    firm, call = await firm_and_door(world)

    async def answer(_: Request) -> web.Response:
        await asyncio.sleep(0.01)
        return web.Response()

    def came(number: int) -> float | None:
        return next((request.at for request in receiver.requests if request.number == number), None)

    async def fresh(numbers: range) -> list[float]:
        """Seconds from the fan-out of each to its arrival: the poll before that is no part of the courier's work."""
        began = {}
        for number in numbers:
            await bench.tell(firm.test, number)
            async with world.tx(firm.test) as tx:
                await commands.fan_out(tx)
            began[number] = monotonic()
            await asyncio.sleep(0.03)
        await until(lambda: all(came(number) for number in numbers))
        return sorted((came(number) or 0.0) - began[number] for number in numbers)

    quick = replace(FAST, scan=0.02)
    async with bench.receiver(answer) as receiver, couriers(settings, quick):
        endpoint = await bench.endpoint(firm.test, receiver.url, max_concurrency=4)
        await bench.hears_only_told(firm.test, endpoint.id)
        await bench.tell(firm.test, 1, times=600)
        await receiver.until(600, 30)
        await bench.settled(firm.test, "delivered")
        idle = await fresh(range(1001, 1031))
        await bench.settled(firm.test, "delivered")  # what is still on its way would not be replayed
        body = {"from": "2026-01-01T00:00:00Z"}
        await call("POST", f"/v1/webhook_endpoints/{endpoint.id}/replay", body, status=202, **KEY)
        await world.work(firm.test)
        before = len(receiver.requests)
        await until(lambda: len(receiver.requests) > before + 10)
        flooded = await fresh(range(2001, 2031))
        meanwhile = len(receiver.requests) - before - 30
        assert meanwhile < 600, "the replay was over before the fresh ones were"
        await receiver.until(660 + 630, 30)
        rows = await bench.settled(firm.test, "delivered", seconds=20)
    assert meanwhile > 30  # and it went on meanwhile
    assert flooded[27] < 0.2, (idle, flooded)  # a busy machine may hold up one or two of the thirty
    assert len(rows) == 660
    assert len({request.id for request in receiver.requests}) == 660
    assert len(receiver.requests) == 660 + 630
