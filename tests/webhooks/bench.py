"""A courier in this process, receivers on loopback that behave as told, and events to send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web
from sqlalchemy import bindparam, select
from standardwebhooks import Webhook
from tests.webhooks.bodies import own

from backoffice import courier
from backoffice.kernel import clock, ids
from backoffice.platform.courier.options import Options
from backoffice.platform.events import EventType
from backoffice.platform.models import event
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row
from backoffice.webhooks import commands
from backoffice.webhooks.models import webhook_attempt, webhook_delivery, webhook_endpoint
from backoffice.webhooks.schemas import CreateWebhookEndpoint, NewWebhookEndpoint


class Told(msgspec.Struct, kw_only=True):
    """What the tests' events are about."""

    id: str
    object: str = "job"
    number: int


TOLD = own(EventType("job.told", Told, "/v1/jobs/{id}", "A test has something to tell."))
# Looks often and repeats soon. It waits for an answer as long as in earnest: a machine that stands still for a second
# makes no try of its own.
FAST = Options(lease=2.0, drain=3.0, scan=0.05, look=0.05, waits=(0.3, 0.3, 0.3), first_probe=0.5)


@dataclass
class Request:
    """One webhook as it arrived."""

    id: str
    at: float
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.raw)
        return decoded

    @property
    def sequence(self) -> int:
        return int(self.body["sequence"])

    @property
    def number(self) -> int:
        return int(self.body["data"]["object"]["number"])


Answer = Callable[[Request], Awaitable[web.StreamResponse] | web.StreamResponse]


@dataclass
class Receiver:
    """A server on loopback; `answer` says how it behaves (200 by default)."""

    answer: Answer | None = None
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def hang(self, _: Request) -> web.Response:
        """An `answer` that does not come."""
        await self.closing.wait()
        return web.Response()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        told = Request(headers.get("webhook-id", ""), monotonic(), headers, raw)
        self.requests.append(told)
        if self.answer is None:
            return web.Response()
        answer = self.answer(told)
        return await answer if isinstance(answer, Awaitable) else answer

    async def until(self, count: int, seconds: float = 10.0) -> list[Request]:
        """The requests, once there are so many."""
        await until(lambda: len(self.requests) >= count, seconds, lambda: f"{len(self.requests)} of {count} came")
        return self.requests


async def until(done: Callable[[], bool], seconds: float = 10.0, told: Callable[[], str] = lambda: "") -> None:
    end = monotonic() + seconds
    while not done():
        assert monotonic() < end, f"not within {seconds} s; {told()}"
        await asyncio.sleep(0.005)


def verified(request: Request, secret: str) -> dict[str, Any]:
    """The body, by the public library."""
    decoded: dict[str, Any] = Webhook(secret).verify(request.raw, request.headers)
    return decoded


class Bench:
    """Endpoints, events and the delivery table of a test's tenants."""

    def __init__(self, world: Any) -> None:
        self.world = world

    @asynccontextmanager
    async def receiver(self, answer: Answer | None = None) -> AsyncIterator[Receiver]:
        receiver = Receiver(answer)
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{tail:.*}", receiver.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        receiver.url = f"http://127.0.0.1:{port}/hooks"
        try:
            yield receiver
        finally:
            receiver.closing.set()
            await asyncio.sleep(0)
            await runner.cleanup()

    async def endpoint(self, tenant: Any, url: str, types: list[str] | None = None, **more: Any) -> NewWebhookEndpoint:
        data = CreateWebhookEndpoint(url=url, event_types=types or ["job.*"], **more)
        async with self.world.tx(tenant) as tx:
            return await commands.create_endpoint(tx, data)

    async def hears_only_told(self, tenant: Any, endpoint: UUID | str) -> None:
        """Send this endpoint the tests' own events and nothing else, though no filter may name them."""
        id_ = endpoint if isinstance(endpoint, UUID) else ids.decode("webhook_endpoint", endpoint)
        c = webhook_endpoint.c
        statement = webhook_endpoint.update().where(c.tenant_id == TENANT, c.id == bindparam("endpoint"))
        async with self.world.tx(tenant) as tx:
            await tx.execute(statement.values(event_types=[TOLD.name]), endpoint=id_)

    async def tell(self, tenant: Any, number: int = 1, *, about: UUID | None = None, times: int = 1) -> None:
        """`times` events in one transaction, numbered from `number` on, about one object or each about its own."""
        async with self.world.tx(tenant) as tx:
            for step in range(times):
                object_id = about or ids.new(clock.wall())
                tx.emit(TOLD, Told(id=ids.encode("job", object_id), number=number + step))

    async def deliveries(self, tenant: Any, endpoint: NewWebhookEndpoint | None = None) -> Sequence[Row]:
        c = webhook_delivery.c
        statement = select(*c).where(c.tenant_id == TENANT).order_by(c.endpoint_id, c.sequence)
        if endpoint is not None:
            statement = statement.where(c.endpoint_id == ids.decode("webhook_endpoint", endpoint.id))
        async with self.world.tx(tenant) as tx:
            rows: Sequence[Row] = await tx.fetch(statement)
            return rows

    async def states(self, tenant: Any, endpoint: NewWebhookEndpoint | None = None) -> list[str]:
        return [row["state"] for row in await self.deliveries(tenant, endpoint)]

    async def settled(self, tenant: Any, *states: str, seconds: float = 10.0) -> Sequence[Row]:
        """The deliveries, once every event has been looked at for whom it is, and each is in one of these states."""
        end = monotonic() + seconds
        while True:
            rows = [] if await self._fans_out(tenant) else await self.deliveries(tenant)
            if rows and all(row["state"] in states for row in rows):
                return rows
            assert monotonic() < end, [row["state"] for row in rows]
            await asyncio.sleep(0.02)

    async def _fans_out(self, tenant: Any) -> bool:
        async with self.world.tx(tenant) as tx:
            return bool(
                await tx.value(select(event.c.id).where(event.c.tenant_id == TENANT, ~event.c.fanned_out).limit(1))
            )

    async def attempts(self, tenant: Any) -> Sequence[Row]:
        c = webhook_attempt.c
        async with self.world.tx(tenant) as tx:
            rows: Sequence[Row] = await tx.fetch(select(*c).where(c.tenant_id == TENANT).order_by(c.at))
            return rows

    async def row(self, tenant: Any, endpoint: NewWebhookEndpoint) -> Row:
        c = webhook_endpoint.c
        statement = select(*c).where(c.tenant_id == TENANT, c.id == bindparam("endpoint"))
        async with self.world.tx(tenant) as tx:
            row: Row | None = await tx.row(statement, endpoint=ids.decode("webhook_endpoint", endpoint.id))
        assert row is not None
        return row

    async def event_types(self, tenant: Any) -> list[str]:
        c = event.c
        async with self.world.tx(tenant) as tx:
            return [row["type"] for row in await tx.fetch(select(c.type).where(c.tenant_id == TENANT).order_by(c.id))]


@asynccontextmanager
async def couriers(settings: Any, options: Options = FAST) -> AsyncIterator[None]:
    """A courier at work for the life of the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(courier.serve(settings, stop=stop, options=options))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 15)
