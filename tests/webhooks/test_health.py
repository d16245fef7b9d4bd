"""An endpoint that fails is left in peace, told of, and well again by itself or when somebody changes it (fault 14)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest
from aiohttp import web
from tests.webhooks.bench import FAST, Bench, Request, couriers

from backoffice.platform.courier.client.faults import ProxyUnreachable
from backoffice.platform.courier.lane import FAILURES_IN_A_ROW
from backoffice.platform.courier.sender import Sender
from backoffice.webhooks import commands
from backoffice.webhooks.schemas import UpdateWebhookEndpoint

PATIENT = replace(FAST, waits=(0.2,) * 60, first_probe=0.4)


async def until_events(bench: Bench, tenant: Any, *wanted: str) -> None:
    end = monotonic() + 10
    while not set(wanted) <= set(await bench.event_types(tenant)):
        assert monotonic() < end, await bench.event_types(tenant)
        await asyncio.sleep(0.03)


async def test_while_the_breaker_is_open_few_tries_are_made_and_none_of_those_that_wait_is_used_up(
    world: Any, bench: Bench, settings: Any
) -> None:
    firm = await world.firm(keys=False)
    well = False

    def answer(_: Request) -> web.Response:
        return web.Response(status=200 if well else 500)

    async with bench.receiver(answer) as receiver, couriers(settings, PATIENT):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test, 1, times=30)
        await until_events(bench, firm.test, "webhook_endpoint.failing")
        assert (await bench.row(firm.test, endpoint))["health"] == "failing"
        before = len(receiver.requests)
        assert before <= 6  # five in a row, and what was under way
        await asyncio.sleep(1.5)
        assert len(receiver.requests) - before <= 3  # probes after 0.4, 0.8 and 1.6 s
        rows = await bench.deliveries(firm.test, endpoint)
        assert sum(row["attempt"] for row in rows) <= len(receiver.requests)
        assert sum(row["attempt"] == 0 for row in rows) >= 20
        well = True
        rows = await bench.settled(firm.test, "delivered", seconds=20)
        assert len(rows) == 30
        await until_events(bench, firm.test, "webhook_endpoint.recovered")
    told = await bench.event_types(firm.test)
    assert [told.count(f"webhook_endpoint.{word}") for word in ("failing", "recovered", "disabled")] == [1, 1, 0]
    assert (await bench.row(firm.test, endpoint))["health"] == "healthy"


async def test_who_repairs_an_endpoint_does_not_wait_for_the_next_probe(
    world: Any, bench: Bench, settings: Any
) -> None:
    firm = await world.firm(keys=False)
    options = replace(PATIENT, first_probe=60.0)
    async with (
        bench.receiver(lambda _: web.Response(status=503)) as broken,
        bench.receiver() as repaired,
        couriers(settings, options),
    ):
        endpoint = await bench.endpoint(firm.test, broken.url)
        await bench.tell(firm.test, 1, times=20)
        await until_events(bench, firm.test, "webhook_endpoint.failing")
        row = await bench.row(firm.test, endpoint)
        async with world.tx(firm.test) as tx:
            await commands.update_endpoint(tx, endpoint.id, UpdateWebhookEndpoint(url=repaired.url), row["version"])
        await bench.settled(firm.test, "delivered", seconds=10)
        assert len({request.id for request in repaired.requests}) == 20


async def test_a_tenant_whose_payloads_cannot_be_read_holds_up_nobody(world: Any, bench: Bench, settings: Any) -> None:
    """Its keys are gone: its deliveries wait and use up no try, while another tenant's go out."""
    firm, other = await world.firm(keys=False), await world.firm(keys=False)
    async with bench.receiver() as receiver, bench.receiver() as others, couriers(settings):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        await bench.endpoint(other.test, others.url)
        await spoil_secret(world, firm.test, endpoint.id)
        await bench.tell(firm.test, 1, times=3)
        await bench.tell(other.test, 1, times=3)
        await others.until(3)
        await bench.settled(other.test, "delivered")
        assert receiver.requests == []
        assert {(row["state"], row["attempt"]) for row in await bench.settled(firm.test, "ready", "leased")} <= {
            ("ready", 0),
            ("leased", 0),
        }


async def spoil_secret(world: Any, tenant: Any, endpoint: str) -> None:
    from backoffice.kernel import ids
    from backoffice.platform.tables import TENANT
    from backoffice.webhooks.models import webhook_endpoint

    c = webhook_endpoint.c
    id_ = ids.decode("webhook_endpoint", endpoint)
    spoiled = webhook_endpoint.update().where(c.tenant_id == TENANT, c.id == id_).values(secret_sealed=b"\x01" * 60)
    async with world.tx(tenant) as tx:
        await tx.execute(spoiled)


async def test_a_proxy_of_ours_that_is_away_opens_no_breaker_and_uses_up_no_try(
    world: Any, bench: Bench, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = await world.firm(keys=False)
    send, away = Sender.send, 3 * FAILURES_IN_A_ROW

    async def tunneled(self: Sender, *args: Any, **kwargs: Any) -> Any:
        nonlocal away
        away -= 1
        if away >= 0:
            raise ProxyUnreachable("it does not answer")
        return await send(self, *args, **kwargs)

    monkeypatch.setattr(Sender, "send", tunneled)
    async with bench.receiver() as receiver:
        endpoint = await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test, 1, times=3)
        async with couriers(settings, replace(FAST, first_probe=60.0, ours_again=0.02)):
            await bench.settled(firm.test, "delivered")
    assert [row["attempt"] for row in await bench.deliveries(firm.test)] == [1, 1, 1]
    assert (await bench.row(firm.test, endpoint))["health"] == "healthy"
