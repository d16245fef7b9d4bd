"""The audited look at a worker's numbers: scope, purpose, one audit event a field, and a stop after twenty an hour
(API conventions §13; tenancy and security §6)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
from tests.contract.said import logged
from tests.world import Firm, Server, World

SSN, BORN, ACCOUNT = "900-44-1234", "1990-02-03", "9000123456"
ALL = ["ssn", "birth_date", "bank_account_number"]
WORKER = {
    "first_name": "Ada",
    "last_name": "Sealed",
    "address": {"line1": "12 Sample Street", "city": "Buffalo", "state": "NY", "postal_code": "14203"},
    "ssn": SSN,
    "birth_date": BORN,
}


@asynccontextmanager
async def sealed(world: World) -> AsyncIterator[tuple[Firm, httpx.AsyncClient, str]]:
    """A firm, an administrator's client, and the path that reveals a worker's numbers."""
    firm = await world.firm()
    async with (
        world.client(firm.test.keys["dana-whitfield"]) as admin,
        world.client(firm.test.keys["marisol-vega"]) as maker,
    ):
        made = await maker.post("/v1/workers", json=WORKER, headers={"idempotency-key": "w"})
        path = f"/v1/workers/{made.json()['id']}"
        bank = {"routing_number": "990100023", "account_number": ACCOUNT, "kind": "checking"}
        done = await maker.post(f"{path}/bank_accounts", json=bank, headers={"idempotency-key": "b"})
        assert done.status_code == 201, done.text
        yield firm, admin, f"{path}/reveal"


async def ask(http: httpx.AsyncClient, path: str, *fields: str, query: str = "") -> httpx.Response:
    return await http.post(path + query, json={"fields": list(fields), "purpose": "w2_correction"})


def audited(server: Server, firm: Firm, action: str) -> list[dict[str, Any]]:
    with psycopg.connect(server.postgres.admin_dsn("backoffice"), row_factory=psycopg.rows.dict_row) as admin:
        return admin.execute(
            "SELECT actor, changed, reason FROM app.audit_event WHERE tenant_id = %s AND action = %s ORDER BY at",
            (firm.test.facts.id, action),
        ).fetchall()


async def test_a_number_is_shown_for_a_purpose_and_each_field_is_recorded(world: World, server: Server) -> None:
    async with sealed(world) as (firm, admin, path):
        shown = await ask(admin, path, *ALL)
        assert (shown.status_code, shown.json()["ssn"], shown.json()["birth_date"]) == (200, SSN, BORN)
        assert shown.json()["bank_account_number"] == ACCOUNT
        assert "etag" not in shown.headers
        rows = audited(server, firm, "worker.revealed")
        assert [row["changed"] for row in rows] == [{"field": name} for name in ALL]
        assert {row["reason"] for row in rows} == {"w2_correction"}
        assert SSN not in json.dumps(rows, default=str)
        one = (await ask(admin, path, "birth_date")).json()
        assert set(one) == {"object", "worker_id", "birth_date"}


async def test_it_takes_scope_and_purpose(world: World, server: Server) -> None:
    async with sealed(world) as (firm, admin, path):
        async with world.client(firm.test.keys["marisol-vega"]) as maker:
            refused = await ask(maker, path, "ssn")
            assert (refused.status_code, refused.json()["scope"]) == (403, "sensitive:read")
        for body in (
            {"fields": ["ssn"]},
            {"fields": ["ssn"], "purpose": "W"},
            {"fields": [], "purpose": "w2_correction"},
        ):
            assert (await admin.post(path, json=body)).status_code == 422
        assert audited(server, firm, "worker.revealed") == []


async def test_a_preview_shows_nothing_and_counts_nothing(world: World, server: Server) -> None:
    async with sealed(world) as (firm, admin, path):
        for _ in range(25):
            preview = await ask(admin, path, *ALL, query="?dry_run=true")
            assert preview.status_code == 200
            assert not any(value in preview.text for value in (SSN, BORN, ACCOUNT))
        assert audited(server, firm, "worker.revealed") == []
        assert (await ask(admin, path, "ssn")).status_code == 200


async def test_after_twenty_an_hour_a_person_sees_no_more(world: World, server: Server) -> None:
    async with sealed(world) as (firm, admin, path):
        for _ in range(6):
            assert (await ask(admin, path, *ALL)).status_code == 200
        assert (await ask(admin, path, "ssn")).status_code == 200  # the nineteenth
        with logged() as lines:
            refused = await ask(admin, path, "ssn", "birth_date")
        told = refused.json()
        assert (refused.status_code, told["code"], told["retryable"]) == (429, "reveal_limit_reached", False)
        assert SSN not in refused.text
        assert 3500 < int(refused.headers["retry-after"]) <= 3600
        assert told["fix"]["what"]
        assert (await ask(admin, path, "ssn")).status_code == 200  # there was room for one
        assert (await ask(admin, path, "ssn", query="?dry_run=true")).status_code == 429
        # … it is recorded, and the operators' log warns
        [row] = audited(server, firm, "request.refused")[:1]
        assert row["reason"].startswith("reveal_limit_reached: POST /v1/workers/{worker_id}/reveal")
        warned = [json.loads(line) for line in lines.getvalue().splitlines() if '"refused"' in line]
        assert [(each["level"], each["code"]) for each in warned] == [("warning", "reveal_limit_reached")]
        assert warned[0]["actor"] == row["actor"]
        # … and it is that person, with any key, in that tenant, for an hour
        other = await world.key(firm.test, "dana-whitfield")
        async with world.client(other) as again:
            assert (await ask(again, path, "ssn")).status_code == 429
        colleague = await world.key(firm.test, "theo-lindqvist", scopes=frozenset({"sensitive:read"}))
        async with world.client(colleague) as someone:
            assert (await ask(someone, path, "ssn")).status_code == 200
        with psycopg.connect(server.postgres.admin_dsn("backoffice")) as superuser:
            superuser.execute(
                "UPDATE app.audit_event SET at = at - interval '1 hour' WHERE tenant_id = %s", (firm.test.facts.id,)
            )
        assert (await ask(admin, path, "ssn")).status_code == 200


async def test_many_at_once_see_no_more_than_one_after_the_other(world: World, server: Server) -> None:
    async with sealed(world) as (firm, admin, path):
        answers = await asyncio.gather(*(ask(admin, path, "ssn") for _ in range(30)))
        assert sorted(each.status_code for each in answers) == [200] * 20 + [429] * 10
        assert len(audited(server, firm, "worker.revealed")) == 20
