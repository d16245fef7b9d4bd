"""Workers, a client and assignments for the tests of staffing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import httpx
from tests.world import Firm, World

PLACE = {"city": "Buffalo", "state": "NY", "postal_code": "14203"}
ADDRESS = {"line1": "12 Sample Street", **PLACE}
MONDAY = "2026-11-09"


def key() -> dict[str, str]:
    return {"idempotency-key": secrets.token_hex(8)}


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


async def made(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


@dataclass
class Place:
    """A firm with workers W-1 and W-2, a client C-1, and the assignments A-1 and A-2 of W-1, A-3 of W-2."""

    world: World
    firm: Firm
    http: httpx.AsyncClient

    async def assign(self, name: str, worker: str, **more: Any) -> dict[str, Any]:
        body = {
            "external_id": name,
            "worker_id": f"ext:{worker}",
            "client_id": "ext:C-1",
            "job_title": "Order Picker",
            "pay_rate": money("19.25"),
            "bill_rate": money("27.355"),
            "work_place": PLACE,
            "started_on": "2026-01-05",
            **more,
        }
        return await made(await self.http.post("/v1/assignments", json=body, headers=key()))

    async def sheet(self, assignment: str, hours: dict[str, str], *, week: str = MONDAY) -> httpx.Response:
        entries = [{"date": day, "hours": text} for day, text in hours.items()]
        body = {"assignment_id": f"ext:{assignment}", "week_start": week, "entries": entries}
        return await self.http.post("/v1/timesheets", json=body)

    async def submitted(self, assignment: str, hours: dict[str, str]) -> dict[str, Any]:
        sheet = await made(await self.sheet(assignment, hours))
        answer = await self.http.post(f"/v1/timesheets/{sheet['id']}/submit")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


async def place(world: World) -> Place:
    firm = await world.firm()
    http = world.client(firm.test.keys["marisol-vega"])
    here = Place(world, firm, http)
    for name in ("W-1", "W-2"):
        person = {"external_id": name, "first_name": "Ada", "last_name": name, "address": ADDRESS}
        worker = await made(await http.post("/v1/workers", json=person, headers=key()))
        hired = {"hired_on": "2026-01-05", "pay_schedule": "weekly"}
        await made(await http.post(f"/v1/workers/{worker['id']}/employments", json=hired, headers=key()))
    client = {"external_id": "C-1", "name": "Niagara Crossdock Co.", "address": ADDRESS}
    await made(await http.post("/v1/clients", json=client))
    await here.assign("A-1", "W-1")
    await here.assign("A-2", "W-1")
    await here.assign("A-3", "W-2")
    return here
