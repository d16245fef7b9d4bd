"""Faults 13, 15, 17 and 18 of webhooks, small: what no other test of the courier plays. Fault 14 is in
`tests/webhooks/test_health.py`, 16 in `tests/platform/test_ssrf.py` and `test_proxy.py`, 19 in
`tests/webhooks/test_kills.py`, 20 in `tests/webhooks/test_http.py`, 21 in `tests/webhooks/test_replay.py`."""

from __future__ import annotations

import asyncio
import gzip
import resource
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest
import standardwebhooks.webhooks as library
from aiohttp import web
from standardwebhooks import WebhookVerificationError
from tests.platform.courier.test_proxy import _certificate
from tests.webhooks.bench import FAST, Bench, Request, couriers, until, verified
from tests.webhooks.test_http import Door, key_of

from backoffice.kernel import clock, ids
from backoffice.platform.tables import TENANT
from backoffice.webhooks import commands
from backoffice.webhooks.models import webhook_endpoint
from backoffice.webhooks.schemas import RotateSecret

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def misbehaving(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A receiver below HTTP."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hangs up with a reset in the middle of the request."""
    await reader.readuntil(b"\r\n\r\n")
    sock = writer.get_extra_info("socket")
    sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER 0: RST, not FIN
    writer.close()


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers a byte a tenth of a second, for ever."""
    await reader.readuntil(b"\r\n\r\n")
    try:
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.1)
    except ConnectionError:
        pass


async def bombs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A refusal whose 200 kB would unpack to 200 MB."""
    await reader.readuntil(b"\r\n\r\n")
    head = f"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n"
    try:
        writer.write(head.encode() + BOMB)
        await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def hangs(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Takes the request and says nothing."""
    await reader.read()


BOMB = gzip.compress(bytes(200_000_000), 1)


@pytest.mark.moment
async def test_fault_13_receivers_of_every_kind_leave_the_healthy_ones_alone(
    world: Any, bench: Bench, settings: Any, tmp_path: Any
) -> None:
    """Ten endpoints each that reset, drip, bomb, hang and show a wrong certificate, beside one that is well."""
    firm = await world.firm(keys=False)
    key, certificate = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    options = replace(FAST, scan=0.05, waits=(60.0, 60.0), total=1.0)
    async with (
        misbehaving(resets) as reset,
        misbehaving(drips) as drip,
        misbehaving(bombs) as bomb,
        misbehaving(hangs) as hang,
        misbehaving(hangs, context) as wrong,
        bench.receiver() as healthy,
    ):
        kinds = {"reset": reset, "drip": drip, "bomb": bomb, "hang": hang, "wrong": wrong}
        await bench.endpoint(firm.test, healthy.url)

        async def waited(numbers: range) -> list[float]:
            waits = []
            for number in numbers:
                await bench.tell(firm.test, number)
                async with world.tx(firm.test) as tx:
                    await commands.fan_out(tx)
                began = monotonic()
                await until(lambda number=number: number in [each.number for each in healthy.requests])  # type: ignore[misc]
                waits.append(monotonic() - began)
            return sorted(waits)

        async with couriers(settings, options):
            alone = await waited(range(100, 110))
            made = {name: [await bench.endpoint(firm.test, url) for _ in range(10)] for name, url in kinds.items()}
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            beside = await waited(range(20))
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            await until_tried(bench, firm.test, 50)
    # Far below the second that a hanging request holds; the promise of 0.1 s is for a machine that does nothing else.
    half, nearly_all = beside[10], beside[17]
    assert (half < 0.25, nearly_all < 0.5) == (True, True), (alone, beside)
    assert grown < 100_000, "kB: what 50 receivers say is not kept in memory"
    rows = await bench.deliveries(firm.test)
    endpoint_of = {row["id"]: ids.encode("webhook_endpoint", row["endpoint_id"]) for row in rows}
    kind_of = {each.id: name for name, endpoints in made.items() for each in endpoints}
    codes: dict[str, Counter[Any]] = {}
    for attempt in await bench.attempts(firm.test):
        name = kind_of.get(endpoint_of[attempt["delivery_id"]], "healthy")
        codes.setdefault(name, Counter())[attempt["error_code"]] += 1
    assert {name: set(found) for name, found in codes.items()} == {
        "healthy": {None},
        "reset": {"connection_lost"},
        "drip": {"timeout"},
        "bomb": {"receiver_failed"},
        "hang": {"timeout"},
        "wrong": {"tls_failed"},
    }
    assert codes["healthy"][None] == 30


async def until_tried(bench: Bench, tenant: Any, endpoints: int) -> None:
    for _ in range(200):
        rows = await bench.deliveries(tenant)
        if len({row["endpoint_id"] for row in rows if row["attempt"] and row["state"] == "retry_wait"}) >= endpoints:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(Counter(row["state"] for row in rows))


@pytest.mark.parametrize(
    ("status", "to"), [(301, "http://169.254.169.254/latest/meta-data"), (302, None), (307, None), (308, None)]
)
async def test_fault_15_a_redirect_is_a_failure_wherever_it_points(
    world: Any, bench: Bench, settings: Any, status: int, to: str | None
) -> None:
    firm = await world.firm(keys=False)
    async with bench.receiver() as target:

        def redirect(_: Request) -> web.Response:
            return web.Response(status=status, headers={"Location": to or target.url})

        async with bench.receiver(redirect) as receiver, couriers(settings):
            await bench.endpoint(firm.test, receiver.url)
            await bench.tell(firm.test)
            await receiver.until(2)
            assert target.requests == []
    (first, *_) = await bench.attempts(firm.test)
    assert (first["status"], first["error_code"]) == (status, "redirected")


async def test_fault_17_rotated_in_flight_either_secret_verifies_until_the_old_one_ends(
    world: Any, bench: Bench, settings: Any
) -> None:
    firm = await world.firm(keys=False)
    held, going = asyncio.Event(), asyncio.Event()

    async def answer(request: Request) -> web.Response:
        if request.number == 1 and not held.is_set():
            held.set()
            await going.wait()
            return web.Response(status=500)
        return web.Response()

    async with bench.receiver(answer) as receiver, couriers(settings):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test, 1)
        await held.wait()
        async with world.tx(firm.test) as tx:
            rotated = await commands.rotate_secret(tx, endpoint.id, RotateSecret(overlap_hours=24))
        going.set()
        first, second = await receiver.until(2)
        assert verified(first, endpoint.secret)["sequence"] == 1
        with pytest.raises(WebhookVerificationError):
            verified(first, rotated.secret)  # it was on its way before
        assert verified(second, endpoint.secret) == verified(second, rotated.secret)
        c = webhook_endpoint.c
        over = {"previous_secret_until": datetime.now(UTC) - timedelta(seconds=1)}
        async with world.tx(firm.test) as tx:
            await tx.execute(webhook_endpoint.update().where(c.tenant_id == TENANT).values(over))
        await bench.tell(firm.test, 2)
        third = (await receiver.until(3))[2]
        assert verified(third, rotated.secret)["sequence"] == 2
        assert " " not in third.headers["webhook-signature"]
        with pytest.raises(WebhookVerificationError):
            verified(third, endpoint.secret)


class Shifted(datetime):
    """The library's clock, set wrong by `by`."""

    by = timedelta()

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + cls.by


async def test_fault_18_a_wrong_clock_is_refused_and_a_replay_after_a_week_is_not(
    world: Any, bench: Bench, settings: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(library, "datetime", Shifted)
    firm = await world.firm()
    call = Door(world.client(await key_of(world, firm.test)))
    secret = ""

    def answer(request: Request) -> web.Response:
        try:
            verified(request, secret)
        except WebhookVerificationError:
            return web.Response(status=401)
        return web.Response()

    async with bench.receiver(answer) as receiver, couriers(settings, replace(FAST, waits=(0.2,) * 6)):
        endpoint = await bench.endpoint(firm.test, receiver.url)
        await bench.hears_only_told(firm.test, endpoint.id)
        secret = endpoint.secret
        for minutes in (6, -6):
            before = len(receiver.requests)
            monkeypatch.setattr(Shifted, "by", timedelta(minutes=minutes))
            await bench.tell(firm.test, minutes)
            await receiver.until(before + 2)  # refused, and tried again
            monkeypatch.setattr(Shifted, "by", timedelta())
            await bench.settled(firm.test, "delivered")
        first = receiver.requests[0]
        week = timedelta(days=7)
        monkeypatch.setattr(Shifted, "by", week)
        with pytest.raises(WebhookVerificationError, match="too old"):
            verified(first, secret)  # what somebody recorded a week ago
        body = {"event_ids": [first.id]}
        await call("POST", f"/v1/webhook_endpoints/{endpoint.id}/replay", body, status=202, **{"idempotency-key": "k"})
        now = clock.wall
        monkeypatch.setattr(clock, "wall", lambda: now() + week)
        count = len(receiver.requests)
        await world.work(firm.test)
        again = (await receiver.until(count + 1))[count]
        await bench.settled(firm.test, "delivered")
        assert (again.id, verified(again, secret)) == (first.id, first.body)
    statuses = [attempt["status"] for attempt in await bench.attempts(firm.test)]
    assert (statuses.count(200), statuses.count(401) >= 2) == (3, True)
