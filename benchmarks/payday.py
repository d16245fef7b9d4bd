"""Payday of a firm with 1,000 workers, on real processes, as its front office lives it: from the POST to the signed
webhook that says it is done. One api, dispatcher and courier, and two workers, as `make up` starts them."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import aiohttp
from aiohttp import web
from standardwebhooks import Webhook

from benchmarks import machine
from benchmarks.firms import WEEK, fill
from benchmarks.stage import Stage, Tenant, processes, stage

TITLE = "Payday of 1,000 workers"
CALCULATED_SECONDS, PAID_SECONDS = 5.0, 10.0
MOST_SECONDS = 120.0
WORKERS = 1_000
MAKER, CHECKER, INTEGRATOR = "marisol-vega", "theo-lindqvist", "ines-conceicao"


@dataclass
class Receiver:
    """The front office's address: checks each signature and remembers when which event came."""

    secret: str = ""
    url: str = ""
    came: asyncio.Queue[tuple[str, float, dict[str, Any]]] = field(default_factory=asyncio.Queue)

    async def handle(self, request: web.Request) -> web.Response:
        body = Webhook(self.secret).verify(await request.read(), dict(request.headers))
        self.came.put_nowait((body["type"], perf_counter(), body["data"]["object"]))
        return web.Response()

    async def wait_for(self, kind: str) -> float:
        """When the next event of this kind came. TimeoutError after two minutes."""
        async with asyncio.timeout(MOST_SECONDS):
            while True:
                type_, at, _ = await self.came.get()
                if type_ == kind:
                    return at

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        try:
            yield
        finally:
            await runner.cleanup()


@dataclass
class Office:
    """The API as the firm's people use it."""

    http: aiohttp.ClientSession
    tenant: Tenant

    async def call(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        given = {"authorization": f"Bearer {self.tenant.keys[who]}", **headers}
        if method == "POST":
            given["idempotency-key"] = str(uuid.uuid4())
        async with self.http.request(method, path, json=body, headers=given) as answer:
            text = await answer.text()
            assert answer.status < 300, (method, path, answer.status, text[:500])
            told: dict[str, Any] = json.loads(text)
            return told


@dataclass
class Times:
    """Seconds."""

    calculated: float = 0.0
    again: float = 0.0
    paid: float = 0.0
    stubs: float = 0.0
    filled: float = 0.0
    paychecks: int = 0


async def run(*, workers: int = WORKERS) -> str:
    """The section of the results."""
    stamp = machine.stamp("asyncpg", "dramatiq", "numpy", "typst")
    receiver = Receiver()
    async with stage() as here, receiver.listening():
        tenant = (await here.firm("thousand", MAKER, CHECKER, INTEGRATOR))["test"]
        began = perf_counter()
        await fill(here, tenant, workers)
        filled = perf_counter() - began
        with processes(here, "api", "worker", "dispatcher", "courier", workers=2) as (settings, _):
            async with aiohttp.ClientSession(f"http://127.0.0.1:{settings.port}") as http:
                times = await _payday(here, Office(http, tenant), receiver)
    times.filled = filled
    return _table(stamp, times)


async def _payday(here: Stage, office: Office, receiver: Receiver) -> Times:
    times = Times()
    kinds = ["payroll_run.calculated", "payroll_run.paid"]
    endpoint = await office.call(
        INTEGRATOR, "POST", "/v1/webhook_endpoints", {"url": receiver.url, "event_types": kinds}
    )
    receiver.secret = endpoint["secret"]
    opened = {"pay_schedule": "weekly", "period_begin": WEEK.isoformat()}
    run_ = await office.call(MAKER, "POST", "/v1/payroll_runs", opened)
    path = f"/v1/payroll_runs/{run_['id']}"
    for name in ("calculated", "again"):
        began = perf_counter()
        await office.call(MAKER, "POST", f"{path}/calculate")
        setattr(times, name, await receiver.wait_for("payroll_run.calculated") - began)
    run_ = await office.call(MAKER, "GET", path)
    assert run_["status"] == "ready", run_["status"]
    times.paychecks = run_["paycheck_count"]
    run_ = await office.call(CHECKER, "POST", f"{path}/approve", **{"if-match": f'"v{run_["version"]}"'})
    began = perf_counter()
    await office.call(MAKER, "POST", f"{path}/pay", **{"if-match": f'"v{run_["version"]}"'})
    paid_at = await receiver.wait_for("payroll_run.paid")
    times.paid = paid_at - began
    async with asyncio.timeout(MOST_SECONDS * 2):
        while True:
            page = await office.call(MAKER, "GET", "/v1/jobs?kind=payroll.print_stubs")
            if page["data"] and page["data"][0]["status"] == "succeeded":
                break
            await asyncio.sleep(0.05)
    times.stubs = perf_counter() - paid_at
    return times


def _table(stamp: str, times: Times) -> str:
    rows = [
        ("POST calculate → `payroll_run.calculated` delivered", times.calculated, CALCULATED_SECONDS),
        ("the same again, over what is there", times.again, CALCULATED_SECONDS),
        ("POST pay → `payroll_run.paid` delivered", times.paid, PAID_SECONDS),
        ("all pay stubs as PDF, from then on", times.stubs, None),
    ]
    lines = [
        f"{stamp}\n",
        f"{times.paychecks:,} paychecks in five states. One api, dispatcher, courier; two workers; PostgreSQL syncs.\n",
        "| from … to | seconds | target |",
        "|---|---:|---|",
    ]
    for what, seconds, target in rows:
        verdict = "none" if target is None else f"< {target:.0f} s, {'met' if seconds < target else 'missed'}"
        lines.append(f"| {what} | {seconds:.2f} | {verdict} |")
    lines.append(
        f"\nThe stubs are {times.paychecks / times.stubs:,.0f} a second. To put the firm on file took "
        f"{times.filled:.0f} s, row by row as the bulk import does."
    )
    return "\n".join(lines)
