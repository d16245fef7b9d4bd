"""A test tenant's people at their doors, and what they play there."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import msgspec
from tests.world import Tenant, World

ADMIN, MAKER, CHECKER = "dana-whitfield", "marisol-vega", "theo-lindqvist"
SMALL = {"name": "staffing_small", "seed": 7}
MONDAY = date(2026, 1, 26)
HEADER = "worker_external_id,assignment_external_id,work_date,hours,external_id"


class _Bodies(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool


class Desk:
    """A test tenant's people at their doors; each request is answered before the next, and its jobs are done."""

    def __init__(self, world: World, tenant: Tenant, name: str = "k") -> None:
        self.world, self.tenant, self.name = world, tenant, name  # the name: of the keys of its requests
        self.doors = {who: world.client(tenant.keys[who]) for who in tenant.keys}
        self.asked = 0

    async def ask(self, who: str, method: str, path: str, body: Any = None, *, version: int = 0) -> Any:
        self.asked += 1
        headers = {"idempotency-key": f"{self.name}{self.asked}", **({"if-match": f'"v{version}"'} if version else {})}
        answer = await self.doors[who].request(method, path, json=body, headers=headers)
        assert answer.status_code < 300, (path, answer.text)
        if method != "GET":
            await self.world.work(self.tenant)
        return answer.json()

    async def build(self, seed: int) -> dict[str, Any]:
        """A made-up company; what it came to."""
        job = await self.ask(ADMIN, "POST", "/v1/test/fixtures", {**SMALL, "seed": seed})
        built = await self.ask(ADMIN, "GET", f"/v1/jobs/{job['id']}")
        assert built["status"] == "succeeded", built
        result: dict[str, Any] = built["result"]
        return result

    async def reset(self) -> dict[str, Any]:
        """An empty tenant; the job that emptied it."""
        job = await self.ask(ADMIN, "POST", "/v1/test/resets")
        done: dict[str, Any] = await self.ask(ADMIN, "GET", f"/v1/jobs/{job['id']}")
        assert done["status"] == "succeeded", done
        return done

    async def events(self) -> list[str]:
        """Bodies as `/v1/events` gives them, oldest first."""
        answer = await self.doors[ADMIN].get("/v1/events?limit=1000")
        page = msgspec.json.decode(answer.content, type=_Bodies)
        assert not page.has_more
        told = [bytes(each).decode() for each in reversed(page.data)]
        # What the operator did before was by the real clock, and so later.
        return [each for each in told if re.search(r'"timestamp":"2026-0[12]-', each)]

    async def payday(self, week: date) -> dict[str, Any]:
        """The week's hours are approved, its run calculated, approved by another person, and paid."""
        await self.ask(CHECKER, "POST", "/v1/timesheets/approve", {"week_start": week.isoformat()})
        body = {"pay_schedule": "weekly", "period_begin": week.isoformat(), "external_id": f"run-{week}"}
        run = await self.ask(MAKER, "POST", "/v1/payroll_runs", body)
        path = f"/v1/payroll_runs/{run['id']}"
        await self.ask(MAKER, "POST", f"{path}/calculate")
        ready = await self.ask(MAKER, "GET", path)
        assert ready["status"] == "ready", (ready, await self.ask(MAKER, "GET", f"{path}/blockers"))
        await self.ask(CHECKER, "POST", f"{path}/approve", version=ready["version"])
        approved = await self.ask(MAKER, "GET", path)
        await self.ask(MAKER, "POST", f"{path}/pay", version=approved["version"])
        paid: dict[str, Any] = await self.ask(MAKER, "GET", path)
        assert paid["status"] == "paid"
        return paid

    async def hours(self, week: date) -> None:
        """Forty hours for everyone, as the front office sends them."""
        days = [week + timedelta(day) for day in range(5)]
        rows = [f"SIM-W-{n:02d},SIM-A-{n:02d},{day},8.00,SIM-T-{n:02d}-{day}" for n in range(1, 13) for day in days]
        job = await self.ask(MAKER, "POST", "/v1/bulk_jobs", {"operation": "timesheets.upsert"})
        content = "\n".join([HEADER, *rows, ""]).encode()
        headers = {"idempotency-key": f"h{week}", "content-type": "text/csv"}
        path = f"/v1/bulk_jobs/{job['id']}"
        started = await self.doors[MAKER].post(f"{path}/start", content=content, headers=headers)
        assert started.status_code == 202, started.text
        await self.world.work(self.tenant)
        assert (await self.ask(MAKER, "GET", path))["rows"]["failed"] == 0


async def play(world: World, tenant: Tenant, seed: int) -> list[str]:
    """A company, its clock moved over two weeks with a payday between, whose deposits come back in part and are sent
    again, and what was told of that."""
    desk = Desk(world, tenant)
    built = await desk.build(seed)
    assert built | {"days_of_hours": 0, "test_clock": ""} == {
        "test_clock": "", "clients": 3, "workers": 12, "days_of_hours": 0
    }  # fmt: skip
    advance = f"/v1/test/clocks/{built['test_clock']}/advance"
    frozen = {"routing_number": "990100023", "account_number": "77889900160016", "kind": "checking"}
    for worker in ("ext:SIM-W-03", "ext:SIM-W-08"):
        await desk.ask(MAKER, "POST", f"/v1/workers/{worker}/bank_accounts", frozen)
    await desk.payday(MONDAY - timedelta(weeks=1))
    await desk.ask(ADMIN, "POST", advance, {"to": "2026-02-02T14:00:00Z"})
    await desk.hours(MONDAY)
    await desk.ask(CHECKER, "POST", "/v1/timesheets/approve", {"week_start": MONDAY.isoformat()})
    await desk.ask(ADMIN, "POST", advance, {"to": "2026-02-09T14:00:00Z"})
    for payment in (await desk.ask(MAKER, "GET", "/v1/payments?status=returned&sort=id"))["data"]:
        await desk.ask(CHECKER, "POST", f"/v1/payments/{payment['id']}/retry", version=payment["version"])
    return await desk.events()
