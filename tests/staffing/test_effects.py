"""What a dry run tells is what the events tell: every command of people and staffing, rehearsed and then done."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
from sqlalchemy import select
from staffing_world import ADDRESS, MONDAY, PLACE, key, money, place
from tests.world import Tenant, World

from backoffice.platform.models import event
from backoffice.platform.tables import TENANT

W4 = {"version": "2020_or_later", "filing_status": "single"}
ACCOUNT = {"routing_number": "990000013", "account_number": "9265207137", "kind": "checking"}
ENTRIES = [{"date": MONDAY, "hours": "8.00"}]
_NEW_ID = re.compile(r"\b(wrk|cli|asg|ts|emp|bank|elec|opb)_[0-9a-hjkmnp-tv-z]{26}\b")

# (verb, path, body, events told). In this order: each stands on those before it.
COMMANDS: list[tuple[str, str, Any, list[str]]] = [
    ("post", "/v1/workers", {"external_id": "W-9", "first_name": "A", "last_name": "B", "address": ADDRESS},
     ["worker.created"]),
    ("patch", "/v1/workers/ext:W-9", {"address": {"state": "PA"}}, ["worker.updated"]),
    ("post", "/v1/workers/ext:W-9/employments",
     {"external_id": "E-9", "hired_on": "2026-01-05", "pay_schedule": "weekly"}, ["employment.created"]),
    ("post", "/v1/workers/ext:W-9/tax_elections", {"jurisdiction": "US", "effective_from": "2026-01-05", "w4": W4},
     ["tax_election.created"]),
    ("post", "/v1/workers/ext:W-9/bank_accounts", {"external_id": "B-9", **ACCOUNT}, ["bank_account.created"]),
    ("post", "/v1/workers/ext:W-9/bank_accounts", {"external_id": "B-10", **ACCOUNT, "kind": "savings"},
     ["bank_account.closed", "bank_account.created"]),
    ("post", "/v1/bank_accounts/ext:B-10/close", None, ["bank_account.closed"]),
    ("post", "/v1/workers/ext:W-9/opening_balances", {"year": 2026, "gross": money("1.00")}, ["opening_balance.set"]),
    ("post", "/v1/clients", {"external_id": "C-9", "name": "Acme", "address": ADDRESS}, ["client.created"]),
    ("patch", "/v1/clients/ext:C-9", {"name": "Acme, LLC"}, ["client.updated"]),
    ("post", "/v1/assignments",
     {"external_id": "A-90", "worker_id": "ext:W-9", "client_id": "ext:C-9", "job_title": "Clerk",
      "pay_rate": money("20.00"), "bill_rate": money("30.00"), "work_place": PLACE, "started_on": "2026-01-05"},
     ["assignment.created"]),
    ("patch", "/v1/assignments/ext:A-90", {"pay_rate": money("21.00")}, ["assignment.updated"]),
    ("post", "/v1/timesheets",
     {"external_id": "T-9", "assignment_id": "ext:A-90", "week_start": MONDAY, "entries": ENTRIES},
     ["timesheet.created"]),
    ("patch", "/v1/timesheets/ext:T-9", {"entries": [{"date": MONDAY, "hours": "7.00"}]}, ["timesheet.updated"]),
    ("post", "/v1/timesheets/ext:T-9/submit", None, ["timesheet.submitted"]),
    ("post", "/v1/timesheets/ext:T-9/reject", {"reason": "wrong day"}, ["timesheet.rejected"]),
    ("post", "/v1/timesheets/ext:T-9/submit", None, ["timesheet.submitted"]),
    ("post", "/v1/timesheets/ext:T-9/approve", None, ["timesheet.approved"]),
    ("post", "/v1/assignments/ext:A-90/end", {"ended_on": "2026-11-13"}, ["assignment.ended"]),
    ("post", "/v1/employments/ext:E-9/end", {"ended_on": "2026-11-13"}, ["employment.ended"]),
]  # fmt: skip


async def test_effects_of_a_dry_run_are_those_of_the_events(world: World) -> None:
    here = await place(world)
    for verb, path, body, names in COMMANDS:
        headers = await _headers(here.http, verb, path)
        preview = await here.http.request(verb, path + "?dry_run=true", json=body, headers=headers)
        assert preview.status_code == 200, (path, preview.text)
        assert preview.headers["bo-dry-run"] == "true"
        before = await _events(world, here.firm.test)
        done = await here.http.request(verb, path, json=body, headers=headers)
        assert done.status_code in (200, 201), (path, done.text)
        told = (await _events(world, here.firm.test))[len(before) :]
        assert [each["type"] for each in told] == names
        effects = [effect for each in told for effect in each["data"]["effects"]]
        assert effects, path
        assert _without_ids(preview.json()["effects"]) == _without_ids(effects), path


async def test_no_event_carries_an_account_number(world: World) -> None:
    here = await place(world)
    await here.http.post("/v1/workers/ext:W-1/bank_accounts", json=ACCOUNT, headers=key())
    told = json.dumps(await _events(world, here.firm.test))
    assert "bank_account.created" in told
    assert ACCOUNT["account_number"] not in told


async def _headers(http: httpx.AsyncClient, verb: str, path: str) -> dict[str, str]:
    headers = key()
    if verb == "patch" or path.endswith("/approve"):
        object_ = path.removesuffix("/approve")
        headers["if-match"] = (await http.get(object_)).headers["etag"]
    return headers


async def _events(world: World, tenant: Tenant) -> list[dict[str, Any]]:
    async with world.tx(tenant) as tx:
        rows = await tx.fetch(select(event.c.body).where(event.c.tenant_id == TENANT).order_by(event.c.id))
    return [json.loads(row["body"]) for row in rows]


def _without_ids(effects: list[Any]) -> Any:
    return json.loads(_NEW_ID.sub(r"\1", json.dumps(effects)))
