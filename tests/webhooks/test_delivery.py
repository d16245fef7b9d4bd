"""From an event to a receiver, on a real database and over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from time import monotonic
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import WebhookVerificationError
from tests.webhooks.bench import FAST, TOLD, Bench, Request, couriers, until, verified
from tests.webhooks.bodies import faults

from backoffice.kernel import clock, ids
from backoffice.platform.courier import measures
from backoffice.platform.db import Database
from backoffice.webhooks import commands
from backoffice.webhooks.schemas import RotateSecret


def failing(times: int, status: int = 500, headers: dict[str, str] | None = None) -> Callable[[Request], web.Response]:
    """Refuses each event so many times, then takes it."""
    seen: dict[str, int] = {}

    def answer(request: Request) -> web.Response:
        seen[request.id] = seen.get(request.id, 0) + 1
        if seen[request.id] > times:
            return web.Response()
        return web.Response(status=status, headers=headers, text="not now")

    return answer


async def test_an_event_arrives_signed_and_numbered(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm(keys=False)
    async with bench.receiver() as receiver, couriers(settings):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test, 1, times=3)
        for request in await receiver.until(3):
            body = verified(request, endpoint.secret)
            assert body["id"] == request.id
            assert faults(request.raw, TOLD) == []
        assert sorted(request.sequence for request in receiver.requests) == [1, 2, 3]
        rows = await bench.settled(firm.test, "delivered")
    assert [row["attempt"] for row in rows] == [1, 1, 1]
    attempts = await bench.attempts(firm.test)
    assert [attempt["status"] for attempt in attempts] == [200] * 3
    assert all(attempt["request_body"] is None for attempt in attempts)


@pytest.mark.moment
async def test_it_is_there_soon_after_the_commit(world: Any, bench: Bench, settings: Any) -> None:
    """By the poll alone, without a doorbell: well within a second."""
    firm = await world.firm(keys=False)
    async with bench.receiver() as receiver, couriers(settings):
        await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test)
        await receiver.until(1)
        began = monotonic()
        await bench.tell(firm.test)
        await receiver.until(2)
        assert monotonic() - began < 1.0


async def test_a_failed_try_is_repeated_with_the_same_id_and_a_new_signature(
    world: Any, bench: Bench, settings: Any
) -> None:
    firm = await world.firm(keys=False)
    async with bench.receiver(failing(2)) as receiver, couriers(settings):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test)
        requests = await receiver.until(3)
        await bench.settled(firm.test, "delivered")
        assert len({request.id for request in requests}) == 1
        assert all(verified(request, endpoint.secret)["sequence"] == 1 for request in requests)
        for before, after in pairwise(requests):
            assert 0.26 < after.at - before.at < 1.0  # 0.3 s ± 10 %, then at the next look
    await asyncio.sleep(0.1)
    attempts = await bench.attempts(firm.test)
    assert [(each["attempt"], each["status"]) for each in attempts] == [(1, 500), (2, 500), (3, 200)]
    assert [each["response_body"] for each in attempts] == ["not now", "not now", None]
    assert attempts[0]["request_url"] == receiver.url
    assert attempts[0]["request_body"] == requests[0].raw.decode()
    assert attempts[0]["error_code"] == "receiver_failed"


async def test_retry_after_is_waited_out(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm(keys=False)
    async with bench.receiver(failing(1, 429, {"Retry-After": "2"})) as receiver, couriers(settings):
        await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test)
        first, second = await receiver.until(2)
        assert 2.0 <= second.at - first.at < 3.5


async def test_a_redirect_is_a_failure_and_is_never_followed(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm(keys=False)
    async with bench.receiver() as target:

        def redirect(_: Request) -> web.Response:
            return web.Response(status=307, headers={"Location": target.url})

        async with bench.receiver(redirect) as receiver, couriers(settings):
            await bench.endpoint(firm.test, receiver.url)
            await bench.tell(firm.test)
            await receiver.until(2)
            assert target.requests == []
    assert (await bench.attempts(firm.test))[0]["error_code"] == "redirected"


async def test_410_disables_the_endpoint_and_keeps_its_events(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm(keys=False)
    gone = True

    def answer(_: Request) -> web.Response:
        return web.Response(status=410 if gone else 200)

    async with bench.receiver(answer) as receiver, couriers(settings):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test, 1)
        await bench.settled(firm.test, "failed")
        row = await bench.row(firm.test, endpoint)
        assert (row["status"], row["status_reason"]) == ("disabled", "gone")
        assert "webhook_endpoint.disabled" in await bench.event_types(firm.test)
        await bench.tell(firm.test, 2)
        await bench.tell(firm.test, 3)
        rows = await bench.settled(firm.test, "failed", "held")
        await asyncio.sleep(0.3)
        assert len(receiver.requests) == 1
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
        gone = False
        async with world.tx(firm.test) as tx:
            await commands.enable_endpoint(tx, endpoint.id)
        await bench.settled(firm.test, "delivered")
        assert [request.number for request in receiver.requests] == [1, 1, 2, 3]


async def test_after_the_last_try_the_endpoint_is_paused_and_nothing_is_lost(
    world: Any, bench: Bench, settings: Any
) -> None:
    firm = await world.firm(keys=False)
    well = False

    def answer(_: Request) -> web.Response:
        return web.Response(status=200 if well else 500)

    async with bench.receiver(answer) as receiver, couriers(settings):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        about = ids.new(clock.wall())
        await bench.tell(firm.test, 1, about=about, times=3)
        await bench.settled(firm.test, "failed", "held")
        row = await bench.row(firm.test, endpoint)
        assert (row["status"], row["status_reason"]) == ("paused", "tries_used_up")
        assert [request.number for request in receiver.requests] == [1, 1, 1, 1]
        well = True
        async with world.tx(firm.test) as tx:
            await commands.enable_endpoint(tx, endpoint.id)
        await bench.settled(firm.test, "delivered")
        assert [request.number for request in receiver.requests[4:]] == [1, 2, 3]
        await until_types(bench, firm.test, {"webhook_endpoint.disabled", "webhook_endpoint.recovered"})


async def until_types(bench: Bench, tenant: Any, wanted: set[str]) -> None:
    for _ in range(100):
        if wanted <= set(await bench.event_types(tenant)):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(await bench.event_types(tenant))


async def test_the_events_of_one_object_go_out_in_order(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm(keys=False)
    refused: set[str] = set()

    async def answer(request: Request) -> web.Response:
        await asyncio.sleep(0.005)
        if request.number % 7 == 3 and request.id not in refused:
            refused.add(request.id)
            return web.Response(status=500)
        return web.Response()

    async with bench.receiver(answer) as receiver, couriers(settings):
        await bench.endpoint(firm.test, receiver.url)
        objects = [ids.new(clock.wall()) for _ in range(3)]
        for number in range(12):
            for about in objects:
                await bench.tell(firm.test, number, about=about)
        await bench.settled(firm.test, "delivered", seconds=20)
        for about in objects:
            key = ids.encode("job", about)
            mine = [r for r in receiver.requests if r.body["data"]["object"]["id"] == key]
            tries = [request.number for request in mine]
            assert tries == sorted([*range(12), 3, 10])


async def test_while_one_object_waits_others_go_on(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm(keys=False)
    stuck = ids.new(clock.wall())

    def answer(request: Request) -> web.Response:
        return web.Response(status=500 if request.body["data"]["object"]["id"] == ids.encode("job", stuck) else 200)

    slow = replace(FAST, waits=(30.0, 30.0))
    async with bench.receiver(answer) as receiver, couriers(settings, slow):
        await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test, 1, about=stuck)
        await receiver.until(1)
        await bench.tell(firm.test, 2, about=stuck)
        await bench.tell(firm.test, 100, times=20)
        await until(lambda: len({request.id for request in receiver.requests}) >= 21)
        assert 2 not in [request.number for request in receiver.requests]


@pytest.mark.moment
async def test_a_hanging_receiver_does_not_delay_another(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm(keys=False)

    options = replace(FAST, total=2.0)
    async with bench.receiver() as hanging, bench.receiver() as healthy, couriers(settings, options):
        hanging.answer = hanging.hang
        await bench.endpoint(firm.test, healthy.url)

        async def waited(first: int, count: int) -> list[float]:
            waits = []
            for number in range(first, first + count):
                began = monotonic()
                await bench.tell(firm.test, number)
                await healthy.until(number + 1)
                waits.append(monotonic() - began)
            return sorted(waits)

        alone = await waited(0, 10)
        for _ in range(10):
            await bench.endpoint(firm.test, hanging.url)
        beside = await waited(10, 20)
        # Fan-out is polled here; the hanging ones hold 2 s each.
        assert beside[18] < 0.6, (alone, beside)
    assert {row["error_code"] for row in await bench.attempts(firm.test)} <= {None, "timeout"}


async def test_an_address_that_turns_out_private_is_refused_when_connected(
    world: Any, bench: Bench, settings: Any
) -> None:
    """A live tenant's endpoint whose name resolves to loopback, as after a rebinding: no connection is made."""
    firm = await world.firm(keys=False)
    async with bench.receiver() as receiver, couriers(settings):
        endpoint = await bench.endpoint(firm.live, "https://hooks.example.com/x")
        await rewrite_url(world, firm.live, endpoint.id, receiver.url)  # past the check at the door
        await bench.tell(firm.live)
        await bench.settled(firm.live, "failed", "held")
        assert receiver.requests == []
    assert {row["error_code"] for row in await bench.attempts(firm.live)} == {"address_refused"}


async def rewrite_url(world: Any, tenant: Any, endpoint: str, url: str) -> None:
    from backoffice.platform.tables import TENANT
    from backoffice.webhooks.models import webhook_endpoint

    c = webhook_endpoint.c
    id_ = ids.decode("webhook_endpoint", endpoint)
    async with world.tx(tenant) as tx:
        await tx.execute(webhook_endpoint.update().where(c.tenant_id == TENANT, c.id == id_).values(url=url))


async def test_a_paused_endpoint_gets_nothing_until_it_is_enabled(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm(keys=False)
    async with bench.receiver() as receiver, couriers(settings):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        async with world.tx(firm.test) as tx:
            await commands.pause_endpoint(tx, endpoint.id)
        await bench.tell(firm.test, 1, times=5)
        assert {row["state"] for row in await bench.settled(firm.test, "held")} == {"held"}
        assert receiver.requests == []
        async with world.tx(firm.test) as tx:
            await commands.enable_endpoint(tx, endpoint.id)
        await receiver.until(5)
        assert sorted(request.sequence for request in receiver.requests) == [1, 2, 3, 4, 5]


async def test_an_outcome_whose_lease_another_has_taken_changes_nothing(
    world: Any, bench: Bench, settings: Any, dispatch: Database
) -> None:
    firm, first = await world.firm(keys=False), asyncio.Event()

    async def answer(_: Request) -> web.Response:
        late = not first.is_set()
        first.set()
        if late:
            await taken.wait()
        return web.Response(status=500 if late else 200)

    taken, stale = asyncio.Event(), measures.STALE._value.get()
    async with bench.receiver(answer) as receiver, couriers(settings):
        await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test, 1)
        await first.wait()
        async with dispatch.untenanted() as connection:
            await connection.execute(
                "UPDATE app.webhook_delivery SET state = 'ready', fence = fence + 1, lease_until = NULL, worker = NULL"
                " WHERE tenant_id = $1",
                firm.test.facts.id,
            )
        taken.set()
        [delivered] = await bench.settled(firm.test, "delivered")
        assert delivered["attempt"] == 1  # that which failed is nobody's
        await until(lambda: measures.STALE._value.get() > stale)
        await bench.tell(firm.test, 2)
        await receiver.until(3)


async def test_a_deleted_endpoint_gets_nothing_more(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm(keys=False)
    async with bench.receiver(failing(99)) as receiver, couriers(settings):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test, 1)
        await receiver.until(1)
        async with world.tx(firm.test) as tx:
            await commands.delete_endpoint(tx, endpoint.id, endpoint.version)
        await bench.settled(firm.test, "canceled")
        count = len(receiver.requests)
        await bench.tell(firm.test, 2)
        await asyncio.sleep(0.6)
        assert len(receiver.requests) == count


async def test_two_secrets_sign_while_they_overlap_and_only_the_new_one_after(
    world: Any, bench: Bench, settings: Any
) -> None:
    firm = await world.firm(keys=False)
    async with bench.receiver() as receiver, couriers(settings):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        async with world.tx(firm.test) as tx:
            second = await commands.rotate_secret(tx, endpoint.id, RotateSecret())
        await bench.tell(firm.test, 1)
        (first, *_) = await receiver.until(1)
        assert verified(first, endpoint.secret) == verified(first, second.secret)
        async with world.tx(firm.test) as tx:
            third = await commands.rotate_secret(tx, endpoint.id, RotateSecret(overlap_hours=0))
        await bench.tell(firm.test, 2)
        last = (await receiver.until(2))[1]
        assert verified(last, third.secret)["sequence"] == 2
        for old in (endpoint.secret, second.secret):
            with pytest.raises(WebhookVerificationError):
                verified(last, old)


async def test_a_huge_or_dripping_answer_costs_little(world: Any, bench: Bench, settings: Any) -> None:
    firm = await world.firm(keys=False)

    class Endless(web.StreamResponse):
        async def _start(self, request: web.BaseRequest) -> Any:
            writer = await super()._start(request)
            sent = 0
            try:
                while sent < 1 << 28:
                    await self.write(b"x" * 65536)
                    sent += 65536
            except (ConnectionError, RuntimeError):
                pass
            endless.append(sent)
            return writer

    endless: list[int] = []

    def answer(request: Request) -> web.StreamResponse:
        return Endless(status=500 if request.number == 1 else 200)

    async with bench.receiver(answer) as receiver, couriers(settings):
        await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test, 2)
        rows = await bench.settled(firm.test, "delivered")
        assert rows[0]["attempt"] == 1
        await bench.tell(firm.test, 1)
        await receiver.until(3)
    assert max(endless, default=0) < 1 << 25  # what socket buffers take, not what it would have sent
    attempts = await bench.attempts(firm.test)
    assert all(len(each["response_body"] or "") <= 4000 for each in attempts)
