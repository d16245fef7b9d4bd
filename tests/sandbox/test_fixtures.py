"""Made-up companies, and that the same seed and the same requests give the same event log, byte for byte."""

from __future__ import annotations

import re
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
from tests.world import Tenant, World

from backoffice.sandbox import commands
from backoffice.sandbox.companies import company
from backoffice.sandbox.schemas import BuildFixture, Ground

ADMIN, MAKER, CHECKER = "dana-whitfield", "marisol-vega", "theo-lindqvist"
SMALL = {"name": "staffing_small", "seed": 7}
MONDAY = date(2026, 1, 26)
GROUND = Ground(monday=MONDAY, states=["CA", "NY", "PA", "TX"], pay_schedule="weekly")
HEADER = "worker_external_id,assignment_external_id,work_date,hours,external_id"


class _Bodies(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool


class Desk:
    """A test tenant's people at their doors; each request is answered before the next, and its jobs are done."""

    def __init__(self, world: World, tenant: Tenant) -> None:
        self.world, self.tenant = world, tenant
        self.doors = {who: world.client(tenant.keys[who]) for who in (ADMIN, MAKER, CHECKER)}
        self.asked = 0

    async def ask(self, who: str, method: str, path: str, body: Any = None, *, version: int = 0) -> Any:
        self.asked += 1
        headers = {"idempotency-key": f"k{self.asked}", **({"if-match": f'"v{version}"'} if version else {})}
        answer = await self.doors[who].request(method, path, json=body, headers=headers)
        assert answer.status_code < 300, (path, answer.text)
        if method != "GET":
            await self.world.work(self.tenant)
        return answer.json()

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
    job = await desk.ask(ADMIN, "POST", "/v1/test/fixtures", {**SMALL, "seed": seed})
    built = await desk.ask(ADMIN, "GET", f"/v1/jobs/{job['id']}")
    assert built["status"] == "succeeded", built
    assert built["result"] | {"days_of_hours": 0, "test_clock": ""} == {
        "test_clock": "", "clients": 3, "workers": 12, "days_of_hours": 0
    }  # fmt: skip
    advance = f"/v1/test/clocks/{built['result']['test_clock']}/advance"
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


def masked(told: list[str]) -> list[str]:
    """With a name for each id that the operator gave when he made the tenant: people, keys, the employer."""
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"{found[1]}_{len(names)}")

    text = [re.sub(r"\b(per|key|empl)_[0-9a-z]{26}", name, each) for each in told]
    assert len(names) <= 7, "three people, each with a key, and the employer"
    return text


async def test_the_same_seed_and_requests_give_the_same_events_byte_for_byte(world: World) -> None:
    """Two weeks with a payday between, in two tenants."""
    one, two = [await play(world, (await world.firm()).test, 7) for _ in range(2)]
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
        ("timesheet_late", "deadlines of time sheets"),
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
    assert (live.status_code, live.json()["code"]) == (409, "clock_not_movable")


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
    assert (live.status_code, live.json()["code"]) == (409, "clock_not_movable")
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
