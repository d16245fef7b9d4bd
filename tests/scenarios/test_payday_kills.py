"""Fifty SIGKILLs at seeded moments of the calculation and payment of one run of sixty workers, on a running platform:
nothing is lost, nothing is doubled, nothing is stuck."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from tests.factories.desk import Desk
from tests.factories.forked import Platform
from tests.factories.payday import Payday, payday
from tests.payroll import nacha_reader
from tests.scale import at_scale, seeded
from tests.world import Server, World

from backoffice.kernel import ids
from backoffice.local.processes import free_port
from backoffice.platform.jobs.heartbeat import free_leases, worker_name

pytestmark = [pytest.mark.kills, pytest.mark.large]

KILLS = at_scale(50, 1_000)
OF_PAYMENT = 10  # of these; the rest are spent on the calculation, which is done as often as that takes
WORKERS = 4
LEASE = 2.0  # of a machine under load: a beat that comes late would count as a crash of its own
LATEST = 0.04  # seconds after a try has begun or a step was finished; a step takes about as long, one of a payment less
ENDED = ("succeeded", "dead", "canceled")
PATIENCE = 60.0


_JOB = """SELECT state, fence, crashes, kind, worker,
       (SELECT count(*) FROM app.job_step WHERE app.job_step.job_id = app.job.id) AS done
  FROM app.job WHERE id = %s"""
Admin = psycopg.AsyncConnection[dict[str, Any]]


async def rows_of(admin: Admin, statement: str, *params: Any) -> list[dict[str, Any]]:
    """What the superuser sees, behind all walls."""
    return await (await admin.execute(statement.encode(), params)).fetchall()


@dataclass
class Hunt:
    """Kills whoever holds a job, at moments of the dice's choosing.

    A job that ends its worker three times without finishing a step is given up, by design; so after two such crashes
    the next step is let through."""

    platform: Platform
    admin: Admin
    dice: random.Random
    seed: int
    left: int = KILLS
    struck: Counter[str] = field(default_factory=Counter)  # by kind of job and steps it had finished

    async def job(self, job_id: Any, most: int, *, share: float = 1, latest: float = LATEST) -> str:
        """Hunt a job to its end, in this share of its tries and with at most so many kills; the state it ended in."""
        until, seen = time.monotonic() + PATIENCE, (0, 0)
        while True:
            [row] = await rows_of(self.admin, _JOB, job_id)
            if row["state"] in ENDED:
                return str(row["state"])
            assert time.monotonic() < until, f"seed {self.seed}: the job stands in {row['state']}"
            now = (row["fence"], row["done"])
            if row["state"] != "running" or now == seen or row["crashes"] > 1 or most == 0:
                await asyncio.sleep(0.002)
                continue
            seen = now
            await asyncio.sleep(self.dice.uniform(0, latest))
            if self.dice.random() < share and await self.strike(job_id, row["fence"]):
                most -= 1

    async def strike(self, job_id: Any, fence: int) -> bool:
        """Kill the worker that holds the job, if it still does, and start another in its place."""
        [row] = await rows_of(self.admin, _JOB, job_id)
        if (row["state"], row["fence"]) != ("running", fence):
            return False
        pid = int(row["worker"].rsplit(":", 1)[1])
        if pid not in self.platform.pids:  # killed before, and its lease has not run out
            return False
        assert self.platform.kill(pid)
        self.left -= 1
        self.struck[f"{row['kind']}, {row['done']} steps done"] += 1
        self.platform.start("worker")
        if self.dice.random() < 0.9:  # as the supervisor does; else the lease runs out by itself
            await asyncio.to_thread(free_leases, self.platform.settings.dsn("bo_dispatch"), worker_name(pid))
        return True


@pytest.fixture
def platform(world_apart: World, tmp_path: Path) -> Iterator[Platform]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    settings = replace(
        world_apart.runtime.settings,
        port=port,
        public_url=address,
        lease_seconds=LEASE,
        worker_threads=1,
        log_level="info",
    )
    made = Platform(settings, tmp_path / "platform.log")
    yield made
    made.close()


@asynccontextmanager
async def serving(platform: Platform) -> AsyncIterator[None]:
    """With an API, a dispatcher and workers that answer."""
    for what in ("api", "dispatcher", *["worker"] * WORKERS):
        platform.start(what)
    async with httpx.AsyncClient(base_url=platform.settings.public_url) as http:

        async def ready() -> bool:
            try:
                return (await http.get("/readyz")).status_code == 200 and platform.said("working") >= WORKERS
            except httpx.TransportError:
                return False

        await until(ready, platform.told)
    yield


async def until(look: Callable[[], Awaitable[Any]], why: Callable[[], str]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := await look()):
        assert time.monotonic() < end, why()[-3000:]
        await asyncio.sleep(0.02)
    return found


@asynccontextmanager
async def over_http(world: World, day: Payday, platform: Platform) -> AsyncIterator[Desk]:
    """The two people's desks, at the API process."""

    def client(key: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=platform.settings.public_url, headers={"authorization": f"Bearer {key}"}, timeout=30
        )

    async with client(day.maker) as maker, client(day.checker) as checker:
        yield Desk(world, day.tenant, maker, checker)


async def test_fifty_kills_lose_nothing_and_double_nothing(
    world_apart: World, server: Server, platform: Platform
) -> None:
    seed = seeded(secrets.randbelow(10**6))
    world, database = world_apart, world_apart.runtime.settings.database_url.rsplit("/", 1)[1]
    day = await payday(world, workers=30, copies=2)
    admin = await psycopg.AsyncConnection.connect(
        server.postgres.admin_dsn(database), autocommit=True, row_factory=dict_row
    )
    hunt = Hunt(platform, admin, random.Random(seed), seed)
    try:
        async with serving(platform), over_http(world, day, platform) as at:
            calculations = await told_with_seed(seed, payday_under_fire(at, hunt))
            print(f"seed {seed}: {calculations} calculations; {dict(hunt.struck)}")
            await told_with_seed(seed, nothing_is_lost_or_doubled(at, admin, calculations))
        logged = platform.told()
        assert '"kind":"payroll.pay"' in logged
        for number in day.numbers:
            assert number not in logged
            assert f"{number[:3]}-{number[3:5]}-{number[5:]}" not in logged
    except BaseException:
        print(platform.told()[-4000:])
        raise
    finally:
        await admin.close()


async def told_with_seed(seed: int, doing: Awaitable[Any]) -> Any:
    try:
        return await doing
    except Exception as error:
        raise AssertionError(f"with BACKOFFICE_TEST_SEED={seed}: {error}") from error


async def payday_under_fire(at: Desk, hunt: Hunt) -> int:
    """Calculate until the calculation's share of the kills is spent, approve, pay; how often it was calculated."""
    run = await at.open()
    calculations = 0
    while hunt.left > OF_PAYMENT:
        accepted = await at.ask(run, "calculate")
        assert accepted.status_code == 202, accepted.text
        assert (
            await hunt.job(ids.decode("job", accepted.json()["id"]), hunt.left - OF_PAYMENT, share=0.8) == "succeeded"
        )
        run = await at.see(run)
        assert (run["status"], run["paycheck_count"]) == ("ready", 60)
        calculations += 1
    run = await at.approved(run)
    accepted = await at.ask(run, "pay")
    assert accepted.status_code == 202, accepted.text
    job_id = ids.decode("job", accepted.json()["id"])
    assert await hunt.job(job_id, hunt.left, share=0.7, latest=LATEST / 4) == "succeeded"
    assert (await at.see(run))["status"] == "paid"
    [stubs] = await at.rows("SELECT id FROM app.job WHERE tenant_id = $1 AND kind = 'payroll.print_stubs'")
    assert await hunt.job(stubs["id"], hunt.left) == "succeeded"
    assert hunt.left == 0, f"{hunt.left} kills were not needed"
    assert sum(hunt.struck.values()) == KILLS
    of_kinds = Counter(kind.split(",")[0] for kind in hunt.struck.elements())
    assert (of_kinds["payroll.calculate"], of_kinds["payroll.pay"] > 1) == (KILLS - OF_PAYMENT, True), hunt.struck
    return calculations


async def nothing_is_lost_or_doubled(at: Desk, admin: Admin, calculations: int) -> None:
    tenant = at.tenant.facts.id
    run = (await at.every("/v1/payroll_runs"))[0]
    assert (run["status"], run["paycheck_count"]) == ("paid", 60)

    jobs = await rows_of(admin, "SELECT kind, state, lease_until FROM app.job WHERE tenant_id = %s", tenant)
    assert Counter(row["kind"] for row in jobs) == {
        "payroll.calculate": calculations,
        "payroll.pay": 1,
        "payroll.print_stubs": 1,
    }
    assert {(row["state"], row["lease_until"]) for row in jobs} == {("succeeded", None)}

    checks = await at.paychecks(run)
    assert len(checks) == 60
    assert {check["payment"] for check in checks.values()} == {"sent"}
    assert len(await rows_of(admin, "SELECT id FROM app.paycheck WHERE tenant_id = %s", tenant)) == 60
    for check in checks.values():
        sums = Counter[str]()
        for line in check["lines"]:
            sums[line["kind"]] += cents(line["amount"])
        assert sums["earning"] == cents(check["gross"])
        assert sums["employee_tax"] == cents(check["employee_taxes"])
        assert sums["employer_tax"] == cents(check["employer_taxes"])
        codes = Counter(
            (line["kind"], line["code"], line["jurisdiction"], line["assignment_id"]) for line in check["lines"]
        )
        assert set(codes.values()) == {1}
    net = sum(cents(check["net"]) for check in checks.values())
    assert net == cents(run["totals"]["net"])

    transactions = await rows_of(admin, "SELECT key FROM app.ledger_transaction WHERE tenant_id = %s", tenant)
    wanted = {f"paycheck:{check['id']}" for check in checks.values()} | {f"bank_file:{run['id']}"}
    assert Counter(row["key"] for row in transactions) == Counter(wanted)
    balance = await at.get("/v1/trial_balance")
    by_code = {line["code"]: cents(line["balance"]) for line in balance["data"]}
    assert by_code["assets.payroll_cash"] == -net
    assert by_code["liabilities.wages_payable"] == 0
    assert sum(by_code.values()) == 0

    of_lines = await rows_of(
        admin,
        "SELECT c.worker_id, l.kind, l.code, l.jurisdiction, sum(l.wages_minor) AS wages, sum(l.amount_minor) AS amount"
        " FROM app.paycheck_line l JOIN app.paycheck c ON c.tenant_id = l.tenant_id AND c.id = l.paycheck_id"
        " WHERE l.tenant_id = %s AND l.kind <> 'earning' GROUP BY 1, 2, 3, 4",
        tenant,
    )
    counted = await rows_of(
        admin,
        "SELECT worker_id, kind, code, jurisdiction, wages_minor AS wages, amount_minor AS amount FROM app.year_to_date"
        " WHERE tenant_id = %s",
        tenant,
    )
    assert Counter(tuple(row.values()) for row in counted) == Counter(tuple(row.values()) for row in of_lines)

    files = await at.every("/v1/documents?kind=bank_file")
    assert [each["status"] for each in files] == ["available"]
    file = nacha_reader.read((await at.download(files[0])).decode())
    paid = {entry.trace: entry.amount for batch in file.batches for entry in batch.entries}
    rows = await rows_of(admin, "SELECT trace_number, amount_minor FROM app.payment WHERE tenant_id = %s", tenant)
    assert paid == {row["trace_number"]: row["amount_minor"] for row in rows}
    stubs = await at.every("/v1/documents?kind=pay_stub")
    assert Counter(each["subject"] for each in stubs) == Counter(check["id"] for check in checks.values())
    assert {each["status"] for each in stubs} == {"available"}

    events = await rows_of(
        admin,
        "SELECT type, object_id, object_sequence FROM app.event WHERE tenant_id = %s ORDER BY object_sequence",
        tenant,
    )
    of_types = Counter(row["type"] for row in events if row["type"].startswith("payroll_run."))
    assert of_types == {
        "payroll_run.created": 1,
        "payroll_run.calculated": calculations,
        "payroll_run.ready": calculations,
        "payroll_run.approved": 1,
        "payroll_run.paid": 1,
    }
    of_run = [row["object_sequence"] for row in events if row["type"].startswith("payroll_run.")]
    assert of_run == list(range(1, len(of_run) + 1))
    available = Counter(row["object_id"] for row in events if row["type"] == "document.available")
    assert (len(available), set(available.values())) == (61, {1})
    ended = Counter(row["type"] for row in events if row["type"].startswith("job."))
    assert ended == {"job.succeeded": calculations + 2}


def cents(body: dict[str, str]) -> int:
    return int(body["amount"].replace(".", ""))
