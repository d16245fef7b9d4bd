"""Daily digests: what an endpoint was sent, as a chain that has no holes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import select
from tests.webhooks.bench import Bench, couriers, verified
from tests.webhooks.bodies import faults
from tests.webhooks.test_http import SCOPES, Door
from tests.world import set_clock

from backoffice.accounts.clocks import freeze
from backoffice.accounts.schemas import CreateTestClock
from backoffice.kernel import ids
from backoffice.platform.models import job
from backoffice.platform.tables import TENANT
from backoffice.webhooks import calc, commands
from backoffice.webhooks.errors import DayNotOver
from backoffice.webhooks.schemas import CreateWebhookEndpoint, StartDigests

MONDAY = date(2026, 11, 16)


def test_the_chain_is_what_its_description_says() -> None:
    first = sha256(f"{'0' * 64}:1:evt_a".encode()).hexdigest()
    both = sha256(f"{first}:2:evt_b".encode()).hexdigest()
    assert calc.chained(calc.FIRST, [(1, "evt_a"), (2, "evt_b")]) == both
    assert calc.chained(first, [(2, "evt_b")]) == both  # in parts as in one
    assert calc.chained(calc.FIRST, []) == calc.FIRST
    assert calc.chained(calc.FIRST, [(2, "evt_b"), (1, "evt_a")]) != both


class Days:
    """A test tenant whose clock is moved, with one endpoint."""

    def __init__(self, world: Any, bench: Bench) -> None:
        self.world, self.bench = world, bench

    async def start(self, url: str) -> None:
        firm = await self.world.firm()
        self.tenant = firm.test
        scopes = SCOPES | {"test_clocks:write", "tenant:read"}
        self.call = Door(self.world.client(await self.world.key(self.tenant, "dana-whitfield", scopes=scopes)))
        await self.call("POST", "/v1/test/clocks", {"frozen_time": "2026-11-16T09:00:00Z"}, status=201)
        self.endpoint = await self.bench.endpoint(self.tenant, url, ["job.*"])
        self.id = ids.decode("webhook_endpoint", self.endpoint.id)
        assert self.id is not None
        from backoffice.webhooks.models import webhook_endpoint as table

        types = ["job.told", "webhook_endpoint.digest"]  # no filter may name the tests' own
        async with self.world.tx(self.tenant) as tx:
            await tx.execute(table.update().where(table.c.tenant_id == TENANT).values(event_types=types))

    async def tell(self, times: int) -> None:
        await self.bench.tell(self.tenant, 1, times=times)
        await self.fan_out()

    async def fan_out(self) -> None:
        async with self.world.tx(self.tenant) as tx:
            await commands.fan_out(tx)

    async def to(self, day: date) -> None:
        async with self.world.tx(self.tenant) as tx:
            await set_clock(tx, datetime.combine(day, time(9), UTC))

    async def digest(self, day: date) -> Any:
        async with self.world.tx(self.tenant) as tx:
            return await commands.write_digest(tx, self.id, day)

    async def listed(self) -> list[dict[str, Any]]:
        found = await self.call("GET", f"/v1/webhook_endpoints/{self.endpoint.id}/digests?sort=day")
        data: list[dict[str, Any]] = found["data"]
        return data

    async def sent(self) -> list[tuple[int, str]]:
        found = await self.call("GET", f"/v1/webhook_endpoints/{self.endpoint.id}/events?limit=1000")
        return [(event["sequence"], event["id"]) for event in found["data"]]


async def test_digests_follow_one_another_without_a_hole(world: Any, bench: Bench) -> None:
    days = Days(world, bench)
    await days.start("http://127.0.0.1:9/")
    await days.tell(3)
    with pytest.raises(DayNotOver):
        await days.digest(MONDAY)
    await days.to(MONDAY + timedelta(days=1))
    first = await days.digest(MONDAY)
    assert await days.digest(MONDAY) == first  # written once
    await days.fan_out()
    await days.tell(2)
    await days.to(MONDAY + timedelta(days=4))  # Friday: nobody asked for Tuesday and Wednesday
    await days.digest(MONDAY + timedelta(days=3))
    assert await days.digest(MONDAY + timedelta(days=2)) is None  # it is in Thursday's
    await days.fan_out()
    sent = await days.sent()
    assert [number for number, _ in sent] == list(range(1, 8))  # 3, a digest, 2, a digest
    one, two = await days.listed()
    assert (one["first_sequence"], one["last_sequence"], one["count"]) == (1, 3, 3)
    assert (two["first_sequence"], two["last_sequence"], two["count"]) == (4, 6, 3)
    assert (one["previous_hash"], two["previous_hash"]) == (calc.FIRST, one["hash"])
    assert one["hash"] == calc.chained(calc.FIRST, sent[:3])
    assert two["hash"] == calc.chained(calc.FIRST, sent[:6])
    assert two["hash"] != calc.chained(calc.FIRST, [*sent[:4], *sent[5:6]])  # one missing is seen
    await days.to(MONDAY + timedelta(days=6))
    await days.fan_out()
    await days.digest(MONDAY + timedelta(days=4))  # the digest of Thursday alone
    quiet = await days.digest(MONDAY + timedelta(days=5))
    assert (quiet.first_sequence, quiet.count, quiet.hash) == (None, 0, quiet.previous_hash)


async def test_an_endpoint_that_was_made_before_the_clock_was_set_back_has_digests(world: Any, bench: Bench) -> None:
    """As after a reset, which a front office's endpoint outlives: what is played then lies before it was made."""
    tenant = (await world.firm(keys=False)).test
    old = await bench.endpoint(tenant, "http://127.0.0.1:9/")
    async with world.tx(tenant) as tx:
        await freeze(tx, CreateTestClock(frozen_time=datetime(2026, 1, 26, 9, tzinfo=UTC)))
    scheduled = StartDigests(scheduled_for=datetime(2026, 1, 26, 5, 10, tzinfo=UTC))
    async with world.tx(tenant) as tx:
        tx.forget_time()
        new = await commands.create_endpoint(tx, CreateWebhookEndpoint(url="http://127.0.0.1:9/new"))
        assert await commands.start_digests(tx, scheduled) == {"endpoints": 1}  # the new one had no yesterday
        keys = await tx.fetch(select(job.c.key).where(job.c.tenant_id == TENANT, job.c.kind == "webhooks.digest"))
    assert [row["key"].partition(":")[0] for row in keys] == [old.id] != [new.id]


async def test_the_day_s_job_writes_one_for_each_endpoint_and_sends_it_signed_to_it_alone(
    world: Any, bench: Bench, settings: Any
) -> None:
    days = Days(world, bench)
    async with bench.receiver() as receiver, bench.receiver() as other:
        await days.start(receiver.url)
        await bench.endpoint(days.tenant, other.url, ["webhook_endpoint.digest"], payload="ids")  # whole there too
        await days.tell(2)
        await days.to(MONDAY + timedelta(days=1))
        for _ in range(2):  # started twice, it does it once
            async with world.tx(days.tenant) as tx:
                await tx.start(StartDigests(scheduled_for=datetime(2026, 11, 17, 5, 10, tzinfo=UTC)))
            await world.work(days.tenant)
        async with couriers(settings):
            await receiver.until(3)
            await other.until(1)
            await bench.settled(days.tenant, "delivered")
    told = max(receiver.requests, key=lambda request: request.sequence)
    body = verified(told, days.endpoint.secret)
    assert (body["type"], body["data"]["object"]["id"]) == ("webhook_endpoint.digest", days.endpoint.id)
    assert faults(told.raw) == []
    digest = body["data"]["object"]["digest"]
    assert [digest] == await days.listed()
    assert (digest["day"], digest["first_sequence"], digest["last_sequence"]) == ("2026-11-16", 1, 2)
    assert digest["hash"] == calc.chained(calc.FIRST, (await days.sent())[:2])
    (theirs,) = other.requests
    assert theirs.body["data"]["object"]["digest"]["count"] == 0
    assert theirs.body["data"]["object"]["id"] != days.endpoint.id
