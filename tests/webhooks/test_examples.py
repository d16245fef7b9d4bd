"""Examples of events on demand: signed and logged like any, and marked so that nobody takes one for a fact."""

from __future__ import annotations

from typing import Any

import pytest
from tests.webhooks.bench import Bench, couriers, verified
from tests.webhooks.bodies import faults
from tests.webhooks.test_http import Door, key_of

from backoffice import api, courier
from backoffice.kernel import clock, ids
from backoffice.platform.courier.catalogue import example_object
from backoffice.platform.events import CATALOGUE
from backoffice.webhooks import commands

assert courier.POST
assert api.HANDLERS  # the whole product is imported, so the catalogue is complete


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_each_type_has_an_example_that_is_an_object_of_it(name: str) -> None:
    id_ = ids.new(clock.wall())
    made: Any = example_object(CATALOGUE[name], id_, livemode=True)
    assert isinstance(made, CATALOGUE[name].payload)
    assert made.id == ids.encode(CATALOGUE[name].object_type, id_)


async def test_one_endpoint_is_sent_an_example(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm()
    call = Door(world.client(await key_of(world, firm.test)))
    async with bench.receiver() as receiver, bench.receiver() as other, couriers(settings):
        endpoint = await bench.endpoint(firm.test, receiver.url)  # asks for job.* alone
        await bench.endpoint(firm.test, other.url, ["payroll_run.*"])
        path = f"/v1/webhook_endpoints/{endpoint.id}/test"
        preview = await call("POST", f"{path}?dry_run=true", {"type": "payroll_run.paid"})
        delivery = await call("POST", path, {"type": "payroll_run.paid"}, status=201)
        assert preview["result"]["sequence"] == delivery["sequence"] == 1
        await bench.tell(firm.test, 7)
        first, second = sorted(await receiver.until(2), key=lambda request: request.sequence)
        await bench.settled(firm.test, "delivered")
        body = verified(first, endpoint.secret)
        assert (body["type"], body["test"], body["sequence"], second.sequence) == ("payroll_run.paid", True, 1, 2)
        assert faults(first.raw) == []
        assert "test" not in second.body
        assert other.requests == []
    log = await call("GET", f"/v1/webhook_deliveries/{delivery['id']}")
    assert (log["event_type"], log["status"], log["attempts"][0]["response"]["status"]) == (
        *("payroll_run.paid", "delivered"),
        200,
    )
    event = await call("GET", f"/v1/events/{delivery['event_id']}")
    assert event["test"] is True
    again = await call("GET", f"/v1/webhook_endpoints/{endpoint.id}/events")
    assert [each.get("test") for each in again["data"]] == [True, None]
    object_id = event["data"]["object"]["id"]
    await Door(world.client(firm.test.keys["dana-whitfield"]))("GET", f"/v1/payroll_runs/{object_id}", status=404)


async def test_an_example_that_cannot_be_sent_leaves_nothing(world: Any, bench: Bench) -> None:
    firm = await world.firm()
    call = Door(world.client(await key_of(world, firm.test)))
    endpoint = await bench.endpoint(firm.test, "http://127.0.0.1:9/")
    path = f"/v1/webhook_endpoints/{endpoint.id}"
    for where in (f"{path}/test", "/v1/test/webhooks/trigger"):
        refused = await call("POST", where, {"type": "payroll_run.payed"}, status=422)
        (fault,) = refused["errors"]
        assert (fault["pointer"], fault["code"]) == ("#/type", "unknown_event_type")
        assert "payroll_run.paid" in fault["detail"]
    await call("POST", f"{path}/pause")
    refused = await call("POST", f"{path}/test", {"type": "payroll_run.paid"}, status=409)
    assert refused["code"] == "webhook_endpoint_not_enabled"
    assert (await call("GET", "/v1/events?type=payroll_run.paid"))["data"] == []
    assert (await bench.row(firm.test, endpoint))["last_sequence"] == 0


async def test_a_trigger_reaches_every_endpoint_that_asks_and_live_tenants_have_none(world: Any, bench: Bench) -> None:
    firm = await world.firm()
    call = Door(world.client(await key_of(world, firm.test)))
    asking = [await bench.endpoint(firm.test, "http://127.0.0.1:9/", ["payroll_run.*"]) for _ in range(2)]
    other = await bench.endpoint(firm.test, "http://127.0.0.1:9/", ["job.*"])
    event = await call("POST", "/v1/test/webhooks/trigger", {"type": "payroll_run.paid"}, status=201)
    assert (event["type"], event["test"], event["livemode"]) == ("payroll_run.paid", True, False)
    async with world.tx(firm.test) as tx:
        await commands.fan_out(tx)
    for endpoint, count in ((asking[0], 1), (asking[1], 1), (other, 0)):
        sent = [ids.encode("event", row["event_id"]) for row in await bench.deliveries(firm.test, endpoint)]
        assert sent == [event["id"]] * count
    live = Door(world.client(await key_of(world, firm.live)))
    refused = await live("POST", "/v1/test/webhooks/trigger", {"type": "payroll_run.paid"}, status=409)
    assert refused["code"] == "test_tenants_only"
    assert (await live("GET", "/v1/events?type=payroll_run.paid"))["data"] == []
