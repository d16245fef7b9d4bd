"""Made-up companies, and that the same seed and the same requests give the same event log, byte for byte."""

from __future__ import annotations

import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.sandbox.desk import ADMIN, MONDAY, SMALL, Desk, play
from tests.world import Tenant, World

from backoffice.sandbox import commands
from backoffice.sandbox.companies import company
from backoffice.sandbox.schemas import BuildFixture, Ground

GROUND = Ground(monday=MONDAY, states=["CA", "NY", "PA", "TX"], pay_schedule="weekly")


def masked(told: list[str]) -> list[str]:
    """With a name for each id that the operator gave when he made the tenant: people, keys, the employer."""
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"{found[1]}_{len(names)}")

    text = [re.sub(r"\b(per|key|empl)_[0-9a-z]{26}", name, each) for each in told]
    assert len(names) <= 7, "three people, each with a key, and the employer"
    return text


async def test_the_same_seed_and_requests_give_the_same_events_byte_for_byte(world: World) -> None:
    """Two weeks with a payday between, in a tenant that is new and in one that was played before and reset."""
    new, again = (await world.firm()).test, (await world.firm()).test
    before = Desk(world, again)
    await before.build(8)
    await before.reset()
    one, two = await play(world, new, 7), await play(world, again, 7)
    kinds = {re.search(r'"type":"([a-z_.]+)"', each)[1] for each in one}  # type: ignore[index]
    assert {"payroll_run.paid", "document.available", "test_clock.advanced", "bulk_job.finished"} <= kinds
    assert [sum(f'"type":"payment.{what}"' in each for each in one) for what in ("returned", "retried")] == [2, 2]
    assert len(one) > 190
    assert masked(one) == masked(two)
    assert len(set(one)) == len(one)
    at = [re.search(r'"timestamp":"([^"]+)"', each)[1] for each in one]  # type: ignore[index]
    assert at == sorted(at)


async def test_what_cannot_be_simulated_is_refused_by_its_name(world: World) -> None:
    firm = await world.firm()

    async def ask(tenant: Tenant, name: str) -> httpx.Response:
        async with world.client(tenant.keys[ADMIN]) as http:
            return await http.post(f"/v1/test/simulations/{name}", json={}, headers={"idempotency-key": name})

    for name, needs in (
        ("funding_fail", "funding"),
        ("background_check_complete", "background checks"),
        ("invoice_paid", "invoicing"),
        ("filing_reject", "tax filing"),
    ):
        later = await ask(firm.test, name)
        assert (later.status_code, later.json()["code"]) == (409, "simulation_not_offered")
        assert later.json()["detail"].startswith(f"{name} needs ")
        assert needs in later.json()["detail"]
    unknown = await ask(firm.test, "payment_retrun")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert "payment_return" in unknown.json()["detail"]
    body = {"payment_id": "pay_01m79t1100e008000000000000", "code": "R02"}
    async with world.client(firm.live.keys[ADMIN]) as http:
        live = await http.post("/v1/test/simulations/payment_return", json=body, headers={"idempotency-key": "k"})
    assert (live.status_code, live.json()["code"]) == (404, "not_found")


async def test_no_payment_of_a_live_tenant_comes_back_by_word(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(_: object, id_: str) -> object:
        return SimpleNamespace(id=id_)

    monkeypatch.setattr(commands.payroll_queries, "payment", found)
    body = {"payment_id": "pay_01m79t1100e008000000000000", "code": "R02"}
    async with world.client((await world.firm()).live.keys[ADMIN]) as http:
        live = await http.post("/v1/test/simulations/payment_return", json=body, headers={"idempotency-key": "k"})
    assert (live.status_code, live.json()["code"]) == (409, "test_tenants_only")


async def test_secrets_come_from_no_seed(world: World) -> None:
    secrets = []
    for _ in range(2):
        tenant = (await world.firm()).test
        desk = Desk(world, tenant)
        made = await desk.doors[ADMIN].post("/v1/test/fixtures", json=SMALL, headers={"idempotency-key": "k"})
        assert made.status_code == 202, made.text
        key = await desk.ask(ADMIN, "POST", "/v1/api_keys", {"name": "another"})
        endpoint = await desk.ask(ADMIN, "POST", "/v1/webhook_endpoints", {"url": "https://hooks.example.com/"})
        secrets.append((key["id"], endpoint["id"], key["secret"], endpoint["secret"]))
    assert secrets[0][:2] == secrets[1][:2]  # their names do
    assert len({secret for each in secrets for secret in each[2:]}) == 4


async def test_what_cannot_be_built_is_refused_and_leaves_nothing(world: World) -> None:
    firm = await world.firm()

    async def ask(tenant: Tenant, body: Any, key: str = "k") -> httpx.Response:
        async with world.client(tenant.keys[ADMIN]) as http:
            return await http.post("/v1/test/fixtures", json=body, headers={"idempotency-key": key})

    for body, pointer in (
        ({"name": "staffing_huge", "seed": 7}, "#/name"),
        ({"name": "staffing_small", "seed": -1}, "#/seed"),
        ({"name": "staffing_small", "seed": 2**31}, "#/seed"),
        ({"name": "staffing_small"}, "#/seed"),
    ):
        wrong = await ask(firm.test, body)
        assert wrong.status_code == 422
        assert [each["pointer"] for each in wrong.json()["errors"]] == [pointer]
    live = await ask(firm.live, SMALL)
    assert (live.status_code, live.json()["code"]) == (409, "test_tenants_only")
    first = await ask(firm.test, SMALL)
    assert first.status_code == 202, first.text
    again = await ask(firm.test, SMALL)
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    early = await ask(firm.test, SMALL, "other")
    assert (early.status_code, early.json()["code"]) == (409, "clock_seeded")
    await world.work(firm.test)
    late = await ask(firm.test, SMALL, "other")
    assert (late.status_code, late.json()["code"]) == (409, "tenant_not_empty")


async def test_a_request_in_a_seeded_tenant_is_named_as_its_events_are(world: World) -> None:
    tenant = (await world.firm()).test
    async with world.client(tenant.keys[ADMIN]) as http:
        made = await http.post("/v1/test/fixtures", json=SMALL, headers={"idempotency-key": "k"})
        newest = [
            each for each in (await http.get("/v1/events?limit=100")).json()["data"] if "2026-01" in each["timestamp"]
        ]
        assert {each["request_id"] for each in newest} == {made.headers["request-id"]}
        refused = await http.post("/v1/test/fixtures", json=SMALL, headers={"idempotency-key": "l"})
        assert refused.headers["request-id"] == refused.json()["request_id"]


@pytest.mark.parametrize("seed", range(20))
def test_a_company_is_a_function_of_its_seed(seed: int) -> None:
    payload = BuildFixture(name="staffing_small", seed=seed, clock_id="")
    made = company(payload, GROUND)
    assert made == company(payload, GROUND)
    assert made != company(BuildFixture(name="staffing_small", seed=seed + 1, clock_id=""), GROUND)
    assert len({worker.ssn for worker in made.workers}) == len(made.workers) == 12
    assert all(re.fullmatch(r"9\d\d(?!00)\d\d(?!0000)\d{4}", worker.ssn) for worker in made.workers)
    assert all(worker.bank_account.routing_number.startswith("99") for worker in made.workers)
    assert {worker.address.state for worker in made.workers} == {"CA", "NY", "TX"}
    assert [week for week, _ in made.weeks] == [MONDAY - timedelta(weeks=back) for back in (3, 2, 1)]
