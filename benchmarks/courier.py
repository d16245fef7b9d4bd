"""The courier: signed and logged deliveries a second from one process to 200 hosts of this machine, beside a bare
aiohttp loop that only posts (same hosts, same body, no signature, no order, no log, no database); how soon a fresh
event is received while 300 of 1,000 endpoints hang; and while everything that was sent is sent once more.

The receivers are one process of their own (`receivers.py`). PostgreSQL, receivers, courier and this process share the
machine, so a rate is that of all of them; CPU is the courier's own, user and system. A delivery counts when it stands
in the table as delivered, with its attempt; of two rounds the better one counts. How soon is from the end of the commit
that recorded the event to the receiver's having all of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aiohttp
import msgspec

from backoffice.kernel import clock, ids
from backoffice.platform.courier import loopback
from backoffice.platform.courier.catalogue import example, example_object
from backoffice.platform.doorbell import open_doorbell
from backoffice.platform.events import CATALOGUE
from backoffice.platform.tx import Tx
from backoffice.webhooks import commands
from backoffice.webhooks.schemas import CreateWebhookEndpoint, Replay
from benchmarks import machine
from benchmarks.receivers import HOSTS
from benchmarks.stage import Stage, Tenant, other_server, processes, stage

TITLE = "Courier"
RATE, HANGING_MS, REPLAY_MS = 6_000, 100, 200
KIND = "timesheet.approved"
BUSY_TENANTS, BUSY_HOSTS = 4, 50  # of each tenant
SLOW_TENANTS, SLOW_HOSTS, HANGING = 10, 100, 30
BARE_AT_ONCE = 400
FRESH_SECONDS, WARM_SECONDS = 0.1, 4.0
_TOLD = """
SELECT count(*) AS count, extract(epoch FROM min(d.finished_at))::float8 AS first,
       extract(epoch FROM max(d.finished_at))::float8 AS last
  FROM app.webhook_delivery d JOIN app.webhook_attempt a ON a.tenant_id = $1 AND a.delivery_id = d.id
 WHERE d.tenant_id = $1 AND d.state = 'delivered' AND a.at > to_timestamp($2)"""
_EVENTS = "SELECT id, object_id FROM app.event WHERE tenant_id = $1 AND object_id = ANY ($2)"
_ENDPOINTS = "SELECT id, last_sequence FROM app.webhook_endpoint WHERE tenant_id = $1"


@dataclass
class Figures:
    """Deliveries a second, the courier's CPU in µs a delivery and in parts of a core, milliseconds of fresh events."""

    rate: float = 0.0
    micros: float = 0.0
    fresh: list[float] = field(default_factory=list)
    share: float = 0.0

    def at(self, part: float) -> float:
        return sorted(self.fresh)[int(len(self.fresh) * part)]


async def run(*, count: int = 20_000, seconds: float = 12.0) -> str:
    """The section of the results."""
    stamp = machine.stamp("aiohttp", "uvloop", "asyncpg")
    loopback.configure(True)
    async with stage() as here, open_doorbell(here.settings.dsn("bo_app")) as bell:
        here.runtime.db.ring = bell.ring
        with other_server("receivers", {}, "/") as (port, _):
            busy = [(await here.firm(f"busy-b{n:02d}"))["test"] for n in range(BUSY_TENANTS)]
            slow = [(await here.firm(f"slow-s{n:02d}"))["test"] for n in range(SLOW_TENANTS)]
            await _endpoints(here, busy, port, BUSY_HOSTS)
            await _endpoints(here, slow, port, SLOW_HOSTS, HANGING)
            with processes(here, "courier", loopback_webhooks=True) as (_, supervisor):
                scene = Scene(here, port, supervisor.pids("courier")[0])
                await scene.deliver(busy, 2_000, fan_out=False)  # it starts, and opens its connections
                rounds = [(await scene.deliver(busy, count, fan_out=True), await _bare(port, count)) for _ in range(2)]
                ready, bare = (min(each, key=lambda figures: figures.micros) for each in zip(*rounds, strict=True))
                fanned = await scene.deliver(busy, count, fan_out=False)
                hanging = await scene.fresh(slow, seconds=seconds)
                # Last: what is replayed takes longer than we look.
                replayed = await scene.fresh(busy, seconds=6.0, meanwhile=lambda: _replay(here, busy))
    return "\n".join(
        [
            f"{stamp}\n",
            "| what | figure | courier's CPU | target |",
            "|---|---:|---:|---|",
            _rate(f"{count:,} deliveries to 200 hosts, fanned out before", ready, f"≥ {RATE:,}/s, "),
            _rate(f"{count:,} more, fanned out in the run", fanned, "none"),
            _rate(f"a bare aiohttp loop, {BARE_AT_ONCE} at once", bare, "none"),
            f"| rate beside the bare loop | {ready.rate / bare.rate:.2f} | {ready.micros / bare.micros:.1f} × | none |",
            _soon("300 of 1,000 endpoints hanging: recorded to received", hanging, HANGING_MS),
            _soon(f"{3 * count:,} replayed meanwhile: recorded to received", replayed, REPLAY_MS),
        ]
    )


def _rate(what: str, of: Figures, target: str) -> str:
    met = "" if target == "none" else "met" if of.rate >= RATE else "**missed**"
    return f"| {what} | {of.rate:,.0f}/s | {of.micros:.0f} µs each | {target}{met} |"


def _soon(what: str, of: Figures, most: float) -> str:
    p50, p99 = of.at(0.5), of.at(0.99)
    met = "met" if p99 < most else "**missed**"
    told = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms ({len(of.fresh):,})"
    return f"| {what} | {told} | {of.share:.0%} of a core | p99 < {most} ms, {met} |"


@dataclass
class Scene:
    """The courier at work (`pid`) and its receivers (`port`)."""

    here: Stage
    port: int
    pid: int

    async def deliver(self, tenants: Sequence[Tenant], count: int, *, fan_out: bool) -> Figures:
        """Tell events that make `count` deliveries together, at one moment; with `fan_out` handed to their endpoints in
        the same transaction, else by the courier."""
        each, began = count // len(tenants), time.time()
        async with AsyncExitStack() as stack:
            for tenant in tenants:
                tx = await stack.enter_async_context(self.here.tx(tenant))
                for _ in range(each // BUSY_HOSTS):
                    _tell(tx)
                await tx.flush()
                while fan_out and (await commands.fan_out(tx)).more:
                    pass
            committed, cpu = time.time(), machine.cpu_seconds(self.pid)
        came = 0
        while came < count:
            await asyncio.sleep(0.2)
            came += len(await _came(self.port))
        while True:
            told = [await self._told(tenant, began) for tenant in tenants]
            if sum(row["count"] for row in told) >= count:
                break
            await asyncio.sleep(0.05)
        cpu = machine.cpu_seconds(self.pid) - cpu
        first = min(row["first"] for row in told) if fan_out else committed
        return Figures(count / (max(row["last"] for row in told) - first), cpu / count * 1e6)

    async def _told(self, tenant: Tenant, since: float) -> Any:
        async with self.here.tx(tenant) as tx:
            return await tx.connection.fetchrow(_TOLD, tenant.facts.id, since)

    async def fresh(
        self, tenants: Sequence[Tenant], *, seconds: float, meanwhile: Callable[[], Awaitable[None]] | None = None
    ) -> Figures:
        """One event every tenth of a second, told by the tenants in turn, to all of their endpoints."""
        await self._tell_in_turn(tenants, WARM_SECONDS)  # what hangs does so from here on
        await asyncio.sleep(1)
        await _came(self.port)
        if meanwhile is not None:
            await meanwhile()
        began, cpu = time.monotonic(), machine.cpu_seconds(self.pid)
        recorded = await self._tell_in_turn(tenants, seconds)
        share = (machine.cpu_seconds(self.pid) - cpu) / (time.monotonic() - began)
        await asyncio.sleep(1)
        came = await _came(self.port)
        at: dict[str, float] = {}
        for tenant in tenants:
            async with self.here.tx(tenant) as tx:
                for row in await tx.connection.fetch(_EVENTS, tenant.facts.id, list(recorded)):
                    at[ids.encode("event", row["id"])] = recorded[row["object_id"]]
        return Figures(fresh=[(received - at[id_]) * 1e3 for id_, received in came if id_ in at], share=share)

    async def _tell_in_turn(self, tenants: Sequence[Tenant], seconds: float) -> dict[UUID, float]:
        """The objects of the events, and when each was recorded."""
        recorded: dict[UUID, float] = {}
        began = time.monotonic()
        for number in range(round(seconds / FRESH_SECONDS)):
            await asyncio.sleep(max(0.0, began + number * FRESH_SECONDS - time.monotonic()))
            async with self.here.tx(tenants[number % len(tenants)]) as tx:
                about = _tell(tx)
            recorded[about] = time.monotonic()
        return recorded


def _tell(tx: Tx) -> UUID:
    """Record an event about an object of its own, whose id is returned."""
    about = ids.new(clock.wall())
    tx.emit(CATALOGUE[KIND], example_object(CATALOGUE[KIND], about, livemode=False))
    return about


async def _came(port: int) -> list[tuple[str, float]]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as answer:
        return msgspec.json.decode(await answer.read(), type=list[tuple[str, float]])


async def _endpoints(here: Stage, tenants: Sequence[Tenant], port: int, each: int, hanging: int = 0) -> None:
    hosts = iter(HOSTS)
    for tenant in tenants:
        async with here.tx(tenant) as tx:
            for number in range(each):
                url = f"http://{next(hosts)}:{port}/{'hang' if number < hanging else 'hooks'}"
                await commands.create_endpoint(tx, CreateWebhookEndpoint(url=url, event_types=[KIND]))


async def _replay(here: Stage, tenants: Sequence[Tenant]) -> None:
    """All that these tenants' endpoints were sent, as the job of a replay would, in one transaction a tenant."""
    since = datetime(2000, 1, 1, tzinfo=UTC)
    for tenant in tenants:
        async with here.tx(tenant) as tx:
            for row in await tx.connection.fetch(_ENDPOINTS, tenant.facts.id):
                id_ = ids.encode("webhook_endpoint", row["id"])
                wanted = Replay(endpoint_id=id_, up_to=row["last_sequence"], deliveries=0, since=since)
                after: int | None = 0
                while after is not None:
                    after = (await commands.replay_batch(tx, wanted, after))["last"]


async def _bare(port: int, count: int) -> Figures:
    """POST a body of the same size in a loop, from this process, which does nothing else meanwhile."""
    urls = [f"http://{host}:{port}/hooks" for host in HOSTS[: BUSY_TENANTS * BUSY_HOSTS]]
    body = msgspec.json.encode(example(CATALOGUE[KIND]))
    headers = {"Content-Type": "application/json", "webhook-id": "evt_bare"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:

        async def post(numbers: Iterator[int]) -> None:
            for number in numbers:
                async with session.post(urls[number % len(urls)], data=body) as answer:
                    await answer.read()

        for share in (count // 10, count):  # the first opens the connections
            began, cpu, numbers = time.perf_counter(), time.process_time(), iter(range(share))
            await asyncio.gather(*(post(numbers) for _ in range(BARE_AT_ONCE)))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    await _came(port)
    return Figures(count / seconds, cpu / count * 1e6)
