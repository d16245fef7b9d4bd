"""Makes objects of every kind in one tenant through the API, so that each recipe starts from a fresh one.

What is heavy and only read (a paid run with its stubs) is made once a tenant and kept.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeVar

import httpx
import psycopg
from msgspec import structs
from tests.world import ROOT, Firm, Tenant, World

from backoffice.accounts.roles import SCOPES
from backoffice.accounts.tenant_file import load
from backoffice.kernel import ids
from backoffice.payroll.schemas import OpenRun
from backoffice.platform.jobs import schedules
from backoffice.webhooks.commands import write_digest
from backoffice.webhooks.commands.fan_out import fan_out

T = TypeVar("T")
Body = dict[str, Any]

NOW = "2026-01-05T09:00:00-05:00"  # every payday of the year is still to come
FIRST_WEEK = date(2026, 1, 5)
PLACE = {"city": "Buffalo", "state": "NY", "postal_code": "14203"}
ADDRESS = {"line1": "12 Sample Street", **PLACE}
ROUTING = "990100023"  # no bank's; its check digit is right
MAKER, CHECKER = "marisol-vega", "theo-lindqvist"


@dataclass(frozen=True)
class Ask:
    """One request, complete except for the key. `by` is who may ask it in the tenant itself."""

    method: str
    path: str
    body: Any = None
    content: bytes | None = None
    media: str = "application/json"
    query: dict[str, str] = field(default_factory=dict)
    if_match: int | None = None
    by: str = MAKER
    keyless: bool = False  # the path itself is the credential

    def headers(self) -> dict[str, str]:
        given = {"idempotency-key": secrets.token_hex(12)} if self.method == "POST" else {}
        if self.body is not None or self.content is not None:
            given["content-type"] = self.media
        if self.if_match is not None:
            given["if-match"] = f'"v{self.if_match}"'
        return given

    def sent(self) -> bytes | None:
        return self.content if self.body is None else json.dumps(self.body).encode()


async def send(http: httpx.AsyncClient, ask: Ask, **query: str) -> httpx.Response:
    """Send it with the client's key."""
    return await http.request(
        ask.method, ask.path, params={**ask.query, **query} or None, headers=ask.headers(), content=ask.sent()
    )


async def firm(world: World) -> Firm:
    """A firm whose quotas are out of the way."""
    file = load(ROOT / "tenants" / "northwind-staffing")
    ample = {
        name: structs.replace(
            each, limits=structs.replace(each.limits, requests_per_minute=1_000_000, writes_per_minute=1_000_000)
        )
        for name, each in file.environments.items()
    }
    return await world.firm(file=structs.replace(file, environments=ample), keys=False)


class Maker:
    """One tenant, its two people with keys that may do everything, and what was made in it."""

    def __init__(self, world: World, tenant: Tenant, app: Any, admin_dsn: str) -> None:
        self.world = world
        self.admin_dsn = admin_dsn  # the superuser's, to set up what no request can
        self.tenant = tenant
        self.app = app
        self.keys: dict[str, str] = {}
        self.people: dict[str, httpx.AsyncClient] = {}
        self.external: dict[str, str] = {}  # id → external_id
        self._kept: dict[str, Any] = {}
        self._mark = secrets.token_hex(3)
        self._numbers = itertools.count(1)
        self._weeks = itertools.count()

    async def open(self) -> Maker:
        for person in (MAKER, CHECKER):
            self.keys[person] = await self.world.key(self.tenant, person, scopes=SCOPES)
            self.people[person] = self.world.client(self.keys[person], app=self.app)
        if not self.tenant.facts.livemode:
            await self.clock()
        return self

    async def close(self) -> None:
        for client in self.people.values():
            await client.aclose()

    @property
    def http(self) -> httpx.AsyncClient:
        return self.people[MAKER]

    async def ask(self, ask: Ask, **query: str) -> httpx.Response:
        """As the person who may."""
        return await send(self.people[ask.by], ask, **query)

    async def done(self, ask: Ask) -> Body:
        """The body of an answer that must be a good one."""
        answer = await self.ask(ask)
        assert answer.status_code < 300, (ask, answer.text)
        told: Body = answer.json() if answer.content else {}
        if isinstance(told.get("external_id"), str):
            self.external[told["id"]] = told["external_id"]
        return told

    async def post(self, path: str, body: Any = None, **more: Any) -> Body:
        return await self.done(Ask("POST", path, body, **more))

    async def get(self, path: str) -> Body:
        return await self.done(Ask("GET", path))

    async def once(self, name: str, make: Callable[[], Awaitable[T]]) -> T:
        if name not in self._kept:
            self._kept[name] = await make()
        return self._kept[name]  # type: ignore[no-any-return]

    def name(self, what: str) -> str:
        """A name that nobody else gives, so that it is nobody's in another tenant."""
        return f"{what}-{self._mark}-{next(self._numbers)}"

    async def work(self) -> int:
        """Run the tenant's jobs to the end, as dispatcher and worker do."""
        return await self.world.work(self.tenant)

    # -- accounts

    async def api_key(self) -> Body:
        return await self.post("/v1/api_keys", {"name": "planted", "scopes": ["tenant:read"]})

    async def person(self) -> Body:
        found: Body = (await self.get("/v1/people"))["data"][0]
        return found

    async def clock(self) -> Body:
        async def make() -> Body:
            return await self.post("/v1/test/clocks", {"frozen_time": NOW})

        return await self.once("clock", make)

    async def still_clock(self) -> Body:
        """The clock, when nothing moves it any more."""
        clock = await self.clock()
        await self.work()
        return clock

    # -- people

    async def worker(self, **more: Any) -> Body:
        name = self.name("W")
        ssn = (
            f"9{next(self._numbers) % 100:02d}-{next(self._numbers) % 99 + 1:02d}-{next(self._numbers) % 9999 + 1:04d}"
        )
        given = {
            "external_id": name,
            "first_name": "Ada",
            "last_name": name,
            "address": ADDRESS,
            **({"ssn": ssn, "birth_date": "1990-04-05"} if not self.tenant.facts.livemode else {}),
        }
        return await self.post("/v1/workers", {**given, **more})

    async def employment(self, worker: Body | None = None) -> Body:
        worker = worker or await self.worker()
        hired = {"external_id": self.name("E"), "hired_on": "2026-01-05", "pay_schedule": "weekly"}
        return await self.post(f"/v1/workers/{worker['id']}/employments", hired)

    async def tax_election(self) -> Body:
        worker = await self.worker()
        return await self.post(f"/v1/workers/{worker['id']}/tax_elections", self.w4())

    def w4(self) -> Body:
        form = {"version": "2020_or_later", "filing_status": "single"}
        return {"external_id": self.name("T"), "jurisdiction": "US", "effective_from": "2026-01-05", "w4": form}

    def account(self) -> Body:
        number = f"90{next(self._numbers):08d}"
        return {
            "external_id": self.name("B"),
            "routing_number": ROUTING,
            "account_number": number,
            "kind": "checking",
        }

    async def bank_account(self, worker: Body | None = None) -> Body:
        worker = worker or await self.worker()
        return await self.post(f"/v1/workers/{worker['id']}/bank_accounts", self.account())

    def deducted(self) -> Body:
        taken = {"amount": {"amount": "50.00"}, "total_goal": {"amount": "300.00"}}
        return {
            "external_id": self.name("D"), "code": "advance_repayment", "effective_from": "2026-01-05", **taken
        }  # fmt: skip

    async def deduction(self) -> Body:
        worker = await self.worker()
        return await self.post(f"/v1/workers/{worker['id']}/deductions", self.deducted())

    def ordered(self) -> Body:
        return {
            "external_id": self.name("G"),
            "kind": "support",
            "case_number": f"NY-{next(self._numbers):08d}",
            "amount": {"amount": "50.00"},
            "served_on": "2026-01-05",
        }

    async def withholding_order(self) -> Body:
        worker = await self.worker()
        return await self.post(f"/v1/workers/{worker['id']}/withholding_orders", self.ordered())

    def opening(self) -> Body:
        paid = {"amount": "100.00", "currency": "USD"}
        states = [{"state": "NY", "wages": paid}]
        programmes = [{"code": "NY_PFL", "wages": paid}]
        return {
            "external_id": self.name("O"), "year": 2026, "gross": paid, "states": states, "programmes": programmes
        }  # fmt: skip

    async def opening_balance(self) -> Body:
        worker = await self.worker()
        return await self.post(f"/v1/workers/{worker['id']}/opening_balances", self.opening())

    # -- staffing

    async def client(self) -> Body:
        return await self.post("/v1/clients", {"external_id": self.name("C"), "name": "Niagara", "address": ADDRESS})

    async def assignment_body(self, worker: Body | None = None) -> Body:
        if worker is None:
            worker = await self.worker()
            await self.employment(worker)
        client = await self.client()
        return {
            "external_id": self.name("A"),
            "worker_id": worker["id"],
            "client_id": client["id"],
            "job_title": "Picker",
            "pay_rate": {"amount": "20.00"},
            "bill_rate": {"amount": "30.00"},
            "work_place": PLACE,
            "started_on": "2026-01-05",
        }

    async def assignment(self, worker: Body | None = None) -> Body:
        return await self.post("/v1/assignments", await self.assignment_body(worker))

    async def timesheet_body(self, assignment: Body | None = None, week: date = FIRST_WEEK) -> Body:
        assignment = assignment or await self.assignment()
        entries = [{"date": (week + timedelta(day)).isoformat(), "hours": "8.00"} for day in range(5)]
        return {
            "external_id": self.name("S"),
            "assignment_id": assignment["id"],
            "week_start": week.isoformat(),
            "entries": entries,
        }

    async def timesheet(self, assignment: Body | None = None, week: date = FIRST_WEEK) -> Body:
        return await self.post("/v1/timesheets", await self.timesheet_body(assignment, week))

    async def submitted(self, assignment: Body | None = None, week: date = FIRST_WEEK) -> Body:
        sheet = await self.timesheet(assignment, week)
        return await self.post(f"/v1/timesheets/{sheet['id']}/submit")

    # -- payroll

    async def paid_worker(self) -> Body:
        """An assignment of a worker who can be paid, from whose pay is taken what may be."""

        async def make() -> Body:
            assignment = await self.payable()
            await self.post(f"/v1/workers/{assignment['worker_id']}/deductions", self.deducted())
            await self.post(f"/v1/workers/{assignment['worker_id']}/withholding_orders", self.ordered())
            return assignment

        return await self.once("paid_worker", make)

    async def payable(self) -> Body:
        """An assignment of a worker who can be paid."""
        worker = await self.worker()
        await self.employment(worker)
        await self.bank_account(worker)
        await self.post(f"/v1/workers/{worker['id']}/tax_elections", self.w4())
        return await self.assignment(worker)

    async def approvable(self) -> Body:
        """Submitted hours of somebody who can be paid: once approved, the next run pays for them, late as they are."""
        return await self.submitted(await self.payable())

    async def week(self) -> date:
        """The next week that has no run yet, by whatever request and in whatever order of tests it came to have one."""
        taken = {run["period_begin"] for run in (await self.get("/v1/payroll_runs?limit=100"))["data"]}
        weeks = (FIRST_WEEK + timedelta(weeks=place) for place in self._weeks)
        return next(week for week in weeks if week.isoformat() not in taken)

    def run_body(self, week: date) -> Body:
        return {"external_id": self.name("R"), "pay_schedule": "weekly", "period_begin": week.isoformat()}

    async def run(self) -> Body:
        """In draft, with hours."""
        week = await self.week()
        sheet = await self.submitted(await self.paid_worker(), week)
        await self.post(f"/v1/timesheets/{sheet['id']}/approve", if_match=sheet["version"], by=CHECKER)
        return await self.post("/v1/payroll_runs", self.run_body(week))

    async def ready_run(self) -> Body:
        run = await self.run()
        await self.post(f"/v1/payroll_runs/{run['id']}/calculate")
        await self.work()
        run = await self.get(f"/v1/payroll_runs/{run['id']}")
        assert run["status"] == "ready", run
        return run

    async def approved_run(self) -> Body:
        run = await self.ready_run()
        path = f"/v1/payroll_runs/{run['id']}/approve"
        return await self.post(path, if_match=run["version"], by=CHECKER)

    async def paid_run(self) -> Body:
        async def make() -> Body:
            run = await self.approved_run()
            await self.post(f"/v1/payroll_runs/{run['id']}/pay", if_match=run["version"])
            await self.work()
            run = await self.get(f"/v1/payroll_runs/{run['id']}")
            assert run["status"] == "paid", await self.get("/v1/jobs")
            return run

        return await self.once("paid_run", make)

    async def first(self, path: str) -> Body:
        """The newest of a list that is not empty."""
        found: Body = (await self.get(path))["data"][0]
        return found

    async def paycheck(self) -> Body:
        run = await self.paid_run()
        return await self.first(f"/v1/paychecks?payroll_run_id={run['id']}")

    async def payment(self) -> Body:
        await self.paid_run()
        return await self.first("/v1/payments")

    async def sent_payment(self) -> Body:
        """One that is on its way: sent again, where it has come back."""
        await self.work()
        payment = await self.payment()
        if payment["status"] == "returned":
            payment = await self.retried(payment)
        assert payment["status"] == "sent", payment
        return payment

    async def returned_payment(self) -> Body:
        """One that has come back, from an account that may be tried again."""
        await self.work()
        payment = await self.payment()
        if payment["status"] == "sent":
            body = {"payment_id": payment["id"], "code": "R16"}
            payment = (await self.post("/v1/test/simulations/payment_return", body))["payment"]
        assert payment["status"] == "returned", payment
        return payment

    async def retried(self, payment: Body) -> Body:
        await self.post(f"/v1/payments/{payment['id']}/retry", if_match=payment["version"], by=CHECKER)
        await self.work()
        return await self.payment()

    async def document(self) -> Body:
        await self.paid_run()
        return await self.first("/v1/documents")

    async def job(self) -> Body:
        """One that has ended well."""
        await self.paid_run()
        return next(job for job in (await self.get("/v1/jobs"))["data"] if job["status"] == "succeeded")

    async def queued_job(self) -> Body:
        run = await self.run()
        return await self.post(f"/v1/payroll_runs/{run['id']}/calculate")

    async def failed_job(self) -> Body:
        """A queued job that has used up its tries, as the sweeper leaves it."""
        job = await self.queued_job()
        with psycopg.connect(self.admin_dsn) as admin:
            admin.execute(
                "UPDATE app.job SET state = 'dead', finished_at = clock_timestamp(), fence = fence + 1 WHERE id = %s",
                (ids.decode("job", job["id"]),),
            )
        return job

    # -- bulk

    async def schedule(self) -> Body:
        """A schedule of the firm's own, as its tenant file makes one."""
        name = self.name("schedule")
        values = {"source": "tenant_file", "rule": "weekly on monday at 06:00", "time_zone": "America/New_York",
                  "catch_up": "one", "catch_up_limit": 1, "payload": {"pay_schedule": "weekly"}}  # fmt: skip
        async with self.world.tx(self.tenant) as tx:
            await schedules.put(tx, name, values, OpenRun)
        listed = (await self.get("/v1/schedules?source=tenant_file&limit=100"))["data"]
        found: Body = next(each for each in listed if each["name"] == name)
        return found

    async def paused_schedule(self) -> Body:
        return await self.post(f"/v1/schedules/{(await self.schedule())['id']}/pause")

    async def bulk_job(self) -> Body:
        return await self.post("/v1/bulk_jobs", {"external_id": self.name("K"), "operation": "timesheets.upsert"})

    def bulk_file(self) -> bytes:
        """One row, about an assignment that is not there."""
        head = (ROOT / "tenants" / "_template" / "timesheets.csv").read_text(encoding="utf-8").strip()
        cells = {"work_date": "2026-01-05", "hours": "8.00"}
        row = ",".join(cells.get(name, self.name("nothing")) for name in head.split(","))
        return f"{head}\n{row}\n".encode()

    async def started_bulk_job(self) -> Body:
        """Its file is there, and waits to be worked on."""
        job = await self.bulk_job()
        start = Ask("POST", f"/v1/bulk_jobs/{job['id']}/start", content=self.bulk_file(), media="text/csv")
        await self.done(start)
        return job

    async def finished_bulk_job(self) -> Body:
        async def make() -> Body:
            job = await self.started_bulk_job()
            await self.work()
            return await self.get(f"/v1/bulk_jobs/{job['id']}")

        return await self.once("finished_bulk_job", make)

    # -- webhooks

    async def endpoint(self) -> Body:
        body = {"external_id": self.name("H"), "url": "https://hooks.example.com/backoffice"}
        return await self.post("/v1/webhook_endpoints", body)

    async def delivery(self) -> tuple[Body, Body]:
        """(endpoint, one of its deliveries), handed out as the courier does it."""

        async def make() -> tuple[Body, Body]:
            endpoint = await self.endpoint()
            await self.client()
            async with self.world.tx(self.tenant) as tx:
                while (await fan_out(tx)).more:
                    pass
            return endpoint, await self.first(f"/v1/webhook_endpoints/{endpoint['id']}/deliveries")

        return await self.once("delivery", make)

    async def digest(self) -> tuple[Body, Body]:
        """(endpoint, its digest of the day before it was made)."""

        async def make() -> tuple[Body, Body]:
            endpoint = await self.endpoint()
            id_ = ids.decode("webhook_endpoint", endpoint["id"])
            assert id_ is not None
            async with self.world.tx(self.tenant) as tx:
                await write_digest(tx, id_, (await tx.now()).date() - timedelta(days=1))
            return endpoint, await self.first(f"/v1/webhook_endpoints/{endpoint['id']}/digests")

        return await self.once("digest", make)

    async def event(self) -> Body:
        await self.client()
        return await self.first("/v1/events")


async def gather_limited(tasks: list[Awaitable[T]], most: int = 4) -> list[T]:
    """Run at most `most` at once, in order of results."""
    slots = asyncio.Semaphore(most)

    async def one(task: Awaitable[T]) -> T:
        async with slots:
            return await task

    return list(await asyncio.gather(*(one(task) for task in tasks)))
