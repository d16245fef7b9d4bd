"""What an endpoint may ask for: whole objects or their ids, order or none; and what is cut by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from aiohttp import web
from tests.webhooks.bench import Bench, Request, couriers, verified
from tests.webhooks.bodies import faults
from tests.webhooks.test_http import URL, Door, key_of

from backoffice.kernel import clock, ids
from backoffice.platform.effects import Effect
from backoffice.platform.events import API_VERSION, Cause, Emitted, EventType, body
from backoffice.webhooks.queries.bodies import as_asked, numbered


async def test_an_endpoint_that_asks_for_ids_is_told_no_values(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm()
    call = Door(world.client(await key_of(world, firm.test)))
    async with bench.receiver() as thin, bench.receiver() as full, couriers(settings):
        types = ["webhook_endpoint.*"]
        lean = await bench.endpoint(firm.test, thin.url, types, payload="ids", description="top secret")
        await bench.endpoint(firm.test, full.url, types, description="top secret")
        await thin.until(2)
        await full.until(1)
    body_ = verified(thin.requests[0], lean.secret)
    assert body_["data"] == {
        "object": {
            "id": body_["data"]["object"]["id"],
            "object": "webhook_endpoint",
            "object_url": f"/v1/webhook_endpoints/{body_['data']['object']['id']}",
        },
        "changed": [],
        "effects": [],
    }
    assert faults(thin.requests[0].raw) == []
    assert b"top secret" not in b"".join(request.raw for request in thin.requests)
    assert any(b"top secret" in request.raw for request in full.requests)
    sent = (await call("GET", f"/v1/webhook_endpoints/{lean.id}/events"))["data"]
    assert [event["data"] for event in sent] == [request.body["data"] for request in sorted(thin.requests, key=_number)]


def _number(request: Request) -> int:
    return request.sequence


async def test_settings_are_shown_changed_and_refused(world: Any, bench: Bench) -> None:
    firm = await world.firm()
    call = Door(world.client(await key_of(world, firm.test)))
    made = await call("POST", "/v1/webhook_endpoints", {"url": URL}, status=201)
    assert (made["payload"], made["ordered"], made["api_version"]) == ("full", True, "2026-11-21")
    path = f"/v1/webhook_endpoints/{made['id']}"
    changed = await call("PATCH", path, {"payload": "ids", "ordered": False}, match=1)
    assert (changed["payload"], changed["ordered"], changed["version"]) == ("ids", False, 2)
    (told,) = (await call("GET", "/v1/events?type=webhook_endpoint.updated"))["data"]
    assert told["data"]["previous"] == {"payload": "full", "ordered": True}
    refused = await call("PATCH", path, {"payload": "thin", "ordered": None}, match=2, status=422)
    assert {fault["pointer"] for fault in refused["errors"]} == {"#/payload", "#/ordered"}


async def test_without_order_nothing_waits_for_an_earlier_event_of_its_object(
    world: Any, bench: Bench, settings: Any
) -> None:
    firm = await world.firm(keys=False)
    about = ids.new(clock.wall())

    async def answer(request: Request) -> web.Response:
        return web.Response(status=500 if request.number == 1 else 200)

    async with bench.receiver(answer) as ordered, bench.receiver(answer) as loose, couriers(settings):
        await bench.endpoint(firm.test, ordered.url)
        await bench.endpoint(firm.test, loose.url, ordered=False)
        await bench.tell(firm.test, 1, about=about, times=4)
        await loose.until(4)
        assert {2, 3, 4} <= {request.number for request in loose.requests}
        await asyncio.sleep(0.2)
        assert {request.number for request in ordered.requests} == {1}


class Long(msgspec.Struct, kw_only=True):
    id: str
    object: str = "job"
    text: str


@pytest.mark.parametrize("length", [100, 19_000, 19_900, 30_000])
async def test_a_body_has_at_most_20_kb_with_its_number(world: Any, length: int) -> None:
    firm = await world.firm(keys=False)
    id_ = ids.new(clock.wall())
    kind = EventType("job.told", Long, "/v1/jobs/{id}", "long")
    emitted = Emitted(kind, Long(id=ids.encode("job", id_), text="x" * length), id_)
    emitted.effects = [Effect(kind="k", subject="s", message="m" * 50)]
    cause = Cause(firm.test.system(), "req_1", None)
    text = body(emitted, id_=id_, at=clock.wall(), object_sequence=1, cause=cause)
    sent = numbered(text, 2**53)
    assert len(sent) <= 20_000
    told = msgspec.json.decode(sent)
    whole = told["data"]["object"].get("text")
    assert (whole is not None) == (length < 19_500)
    if whole is None:
        assert told["data"]["object"]["object_url"] == f"/v1/jobs/{ids.encode('job', id_)}"
        assert told["data"]["effects"][0]["message"] == "m" * 50
    assert faults(sent, kind) == []


def test_a_type_that_is_no_more_is_read_among_the_events() -> None:
    data = {"object": {"id": "d_1", "object": "dinosaur", "size": 9}, "changed": ["size"], "effects": []}
    stored = {"id": "evt_1", "type": "dinosaur.found", "api_version": API_VERSION, "object_sequence": 1, "data": data}
    endpoint = {"payload": "ids", "api_version": API_VERSION}
    sent = msgspec.json.decode(as_asked(endpoint, msgspec.json.encode(stored).decode()))
    assert sent["data"]["object"] == {"id": "d_1", "object": "dinosaur", "object_url": "/v1/events/evt_1"}
    assert sent["data"]["changed"] == ["size"]
