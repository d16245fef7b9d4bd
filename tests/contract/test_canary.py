"""Canaries: a Social Security number, bank numbers, a birth date, keys and secrets are pushed through every door, and
then looked for in everything that is written down or told: logs, events, webhooks, queue messages, audit, problems,
metrics, the database as a dump and as raw files, the stored documents."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from msgspec import structs
from psycopg import sql
from tests.contract.maker import ADDRESS, CHECKER, FIRST_WEEK, MAKER, ROUTING, Ask, Maker
from tests.contract.said import logged
from tests.world import ROOT, Server, World

from backoffice.accounts.tenant_file import load
from backoffice.kernel import ids
from backoffice.platform import metrics
from backoffice.platform.jobs.messages import message

SSN, TYPO = "907-31-5526", "907-31-55263"  # the second is what somebody mistyped: no SSN, and yet not to be told
ACCOUNT, OFFSET, BAD_ACCOUNT = "7309155182642", "6617309155183", "73091551826421999999"
BORN = "1973-09-28"
BULK_SSN, BULK_ACCOUNT, BULK_BORN = "908-42-6637", "8420266371955", "1974-10-29"
REFUSED_SSN = "666-42-6638"  # of an area that no tenant takes
PASSWORD = "hunter2-Vq9xK-not-a-real-one"


@dataclass
class Told:
    """What was said, by channel; and the canaries, by name."""

    maker: Maker
    canaries: dict[str, str] = field(default_factory=dict)
    channels: dict[str, list[bytes]] = field(default_factory=dict)
    answers: list[httpx.Response] = field(default_factory=list)
    job_ids: list[str] = field(default_factory=list)

    def say(self, channel: str, *parts: str | bytes) -> None:
        found = self.channels.setdefault(channel, [])
        found += [part.encode() if isinstance(part, str) else part for part in parts]


def forms(canary: str) -> list[bytes]:
    """How a canary might stand somewhere: as it is, digits alone, in base64, in hexadecimal, in UTF-16."""
    plain = {canary, canary.replace("-", "")} if canary != BORN else {canary}
    found = [form.encode() for form in plain if len(form) >= 8]
    found += [base64.b64encode(form)[:-4] for form in list(found) if len(form) > 9]
    found += [form.hex().encode() for form in list(found[: len(plain)])]
    return [*found, canary.encode("utf-16-le")]


def leaks(haystacks: list[bytes], canaries: dict[str, str]) -> list[str]:
    """Which canaries stand in what was said, and where about."""
    found = []
    for name, canary in canaries.items():
        for form in forms(canary):
            for haystack in haystacks:
                place = haystack.find(form)
                if place >= 0:
                    found.append(f"{name}: …{haystack[max(0, place - 60) : place]!r}")
                    break
    return found


# ---------------------------------------------------------------------------------------------------------- doors


async def http(told: Told, method: str, path: str, body: Any = None, *, secret: bool = False, **more: Any) -> Any:
    """A request whose answer is looked at; `secret`: it is where a secret is shown, once and on purpose."""
    answer = await told.maker.ask(Ask(method, path, body, **more))
    if not secret:
        told.answers.append(answer)
    return answer.json() if answer.content and "json" in answer.headers["content-type"] else {}


async def push(told: Told) -> None:
    """Through every door: right, wrong, and in the wrong place."""
    person = {"first_name": "Ada", "last_name": "Canary", "address": ADDRESS, "ssn": SSN, "birth_date": BORN}
    worker = await http(told, "POST", "/v1/workers", person)
    path = f"/v1/workers/{worker['id']}"
    await http(told, "POST", "/v1/workers", {**person, "external_id": "preview"}, query={"dry_run": "true"})
    for wrong in (
        {**person, "ssn": TYPO},
        {**person, "ssn": [SSN], "email": SSN, "phone": ACCOUNT},
        {**person, "birth_date": SSN},
        {**person, "ssn": REFUSED_SSN},
        {"ssn": SSN, "nickname": PASSWORD},
        {**person, "address": {**ADDRESS, "state": SSN, "postal_code": ACCOUNT}},
        SSN,
        [person],
    ):
        await http(told, "POST", "/v1/workers", wrong)
    await http(told, "POST", "/v1/workers", None, content=f'{{"ssn": "{SSN}", '.encode())
    changed = await http(told, "PATCH", path, {"ssn": SSN, "birth_date": BORN}, if_match=worker["version"])
    await http(told, "PATCH", path, {"ssn": TYPO}, if_match=changed["version"])
    await http(told, "GET", path)
    await http(told, "GET", "/v1/workers")
    await http(told, "GET", "/v1/workers", query={"email": SSN})
    reveal = {"fields": ["ssn", "birth_date", "bank_account_number"], "purpose": "w2_correction"}
    await http(told, "POST", f"{path}/reveal", {**reveal, "purpose": SSN})
    await http(told, "POST", f"{path}/reveal", reveal, query={"dry_run": "true"})
    account = {"routing_number": ROUTING, "account_number": ACCOUNT, "kind": "checking"}
    await http(told, "POST", f"{path}/bank_accounts", account)
    for wrong in ({**account, "account_number": BAD_ACCOUNT}, {**account, "routing_number": ACCOUNT, "kind": SSN}):
        await http(told, "POST", f"{path}/bank_accounts", wrong)
    shown = await http(told, "POST", f"{path}/reveal", reveal, secret=True)
    assert (shown["ssn"], shown["bank_account_number"]) == (SSN, ACCOUNT), "the canaries went in"
    await http(told, "GET", f"{path}/bank_accounts")
    await keys(told)
    await webhooks(told)
    await bulk(told)
    await payday(told, worker)
    for each in ("/v1/events", "/v1/jobs", "/v1/documents", "/v1/paychecks", "/v1/ledger_entries", "/v1/bulk_jobs"):
        await http(told, "GET", each, query={"limit": "100"})


async def keys(told: Told) -> None:
    body = {"name": "canary", "kind": "sk", "scopes": ["tenant:read"]}
    made = await http(told, "POST", "/v1/api_keys", body, secret=True)
    told.canaries["a key"] = made["secret"]
    told.canaries["the caller's own key"] = told.maker.keys[MAKER]
    async with told.maker.world.client(made["secret"], app=told.maker.app) as narrow:
        told.answers += [await narrow.get("/v1/tenant"), await narrow.get("/v1/workers")]
        told.answers.append(await narrow.get("/v1/tenant", headers={"authorization": f"Bearer {PASSWORD}"}))
        told.answers.append(await narrow.get("/v1/tenant", headers={"authorization": f"Basic {PASSWORD}"}))
    await http(told, "GET", "/v1/api_keys")
    await http(told, "POST", f"/v1/api_keys/{made['id']}/revoke", {}, if_match=made["version"])


async def webhooks(told: Told) -> None:
    url = "https://hooks.example.com/backoffice"
    endpoint = await http(told, "POST", "/v1/webhook_endpoints", {"url": url}, secret=True)
    told.canaries["a webhook's secret"] = endpoint["secret"]
    path = f"/v1/webhook_endpoints/{endpoint['id']}"
    rotated = await http(told, "POST", f"{path}/rotate_secret", {}, secret=True)
    told.canaries["its next secret"] = rotated["secret"]
    await http(told, "POST", "/v1/webhook_endpoints", {"url": f"https://me:{PASSWORD}@hooks.example.com/x"})
    await http(told, "GET", path)
    await http(told, "GET", "/v1/webhook_endpoints")


async def bulk(told: Told) -> None:
    """A file with a good row, a bad one that holds the same numbers, and a file that is none at all."""
    text = (ROOT / "tenants" / "northwind-staffing" / "workers.csv").read_text(encoding="utf-8").splitlines()
    head, first = text[0].split(","), dict(zip(text[0].split(","), text[1].split(","), strict=True))
    mine = {"ssn": BULK_SSN, "bank_account_number": BULK_ACCOUNT, "birth_date": BULK_BORN}
    good = {**first, **mine, "external_id": "canary-good"}
    bad = {**good, "external_id": "canary-bad", "state": "XX", "ssn": REFUSED_SSN, "bank_routing_number": BULK_ACCOUNT}
    file = "\n".join([",".join(head), *(",".join(row[name] for name in head) for row in (good, bad))]).encode()
    for content in (file, f"ssn\n{BULK_SSN}\n".encode()):
        for query in ({"dry_run": "true"}, {}):
            job = await http(told, "POST", "/v1/bulk_jobs", {"operation": "workers.upsert"})
            start = f"/v1/bulk_jobs/{job['id']}/start"
            await http(told, "POST", start, None, content=content, media="text/csv", query=dict(query))
            await told.maker.work()
            await http(told, "GET", f"/v1/bulk_jobs/{job['id']}")
            await http(told, "GET", f"/v1/bulk_jobs/{job['id']}/rows")
    answer = await told.maker.ask(Ask("GET", f"/v1/bulk_jobs/{job['id']}/errors.csv"))
    assert answer.status_code in (200, 409)


async def payday(told: Told, worker: Any) -> None:
    """Paid to the canary's account: bank file and stub are made, and fetched by their one-time links."""
    maker = told.maker
    hired = {"hired_on": "2026-01-05", "pay_schedule": "weekly"}
    await http(told, "POST", f"/v1/workers/{worker['id']}/employments", hired)
    await http(told, "POST", f"/v1/workers/{worker['id']}/tax_elections", maker.w4())
    sheet = await maker.submitted(await maker.assignment(worker), FIRST_WEEK)
    await maker.post(f"/v1/timesheets/{sheet['id']}/approve", if_match=sheet["version"], by=CHECKER)
    run = await http(told, "POST", "/v1/payroll_runs", maker.run_body(FIRST_WEEK))
    path = f"/v1/payroll_runs/{run['id']}"
    await http(told, "POST", f"{path}/calculate")
    await maker.work()
    run = await http(told, "GET", path)
    run = await http(told, "POST", f"{path}/approve", if_match=run["version"], by=CHECKER)
    await http(told, "POST", f"{path}/pay", if_match=run["version"])
    await maker.work()
    run = await http(told, "GET", path)
    assert run["status"] == "paid", run
    for document in (await http(told, "GET", "/v1/documents"))["data"]:
        link = await http(told, "POST", f"/v1/documents/{document['id']}/download_link", secret=True)
        file = await maker.http.get("/v1/downloads/" + link["url"].rsplit("/", 1)[-1])
        assert file.status_code == 200
        if document["kind"] == "bank_file":
            assert ACCOUNT.encode() in file.content, "the bank is told the account"
        told.canaries[f"a link of {document['kind']}"] = link["url"].rsplit("/", 1)[-1]


@pytest.fixture(scope="module")
def told(world: World, server: Server, app: Any, admin_dsn: str, loop: asyncio.AbstractEventLoop) -> Iterator[Told]:
    """Everything, after every door was used."""

    async def done() -> Told:
        file = load(ROOT / "tenants" / "northwind-staffing")
        bank = structs.replace(file.bank, balanced=True, offset_account_number=OFFSET)
        firm = await world.firm(file=structs.replace(file, bank=bank), keys=False)
        maker = await Maker(world, firm.test, app, admin_dsn).open()
        found = Told(
            maker,
            {
                "SSN": SSN,
                "mistyped SSN": TYPO,
                "SSN in bulk": BULK_SSN,
                "refused SSN": REFUSED_SSN,
                "account": ACCOUNT,
                "account in bulk": BULK_ACCOUNT,
                "offset account": OFFSET,
                "wrong account": BAD_ACCOUNT,
                "birth date": BORN,
                "birth date in bulk": BULK_BORN,
                "password": PASSWORD,
            },
        )
        await push(found)
        await maker.delivery()
        return found

    with logged() as lines:
        found = loop.run_until_complete(done())
    found.say("logs", lines.getvalue())
    _collect(found, server)
    yield found
    loop.run_until_complete(found.maker.close())


def _collect(told: Told, server: Server) -> None:
    tenant = told.maker.tenant.facts.id
    told.say("metrics", metrics.text())
    for answer in told.answers:
        told.say("problems" if answer.status_code >= 400 else "answers", answer.content, str(answer.headers))
    with psycopg.connect(told.maker.admin_dsn, autocommit=True) as admin:
        for channel, table in {
            "events and webhooks": "event",
            "audit": "audit_event",
            "jobs": "job",
            "job steps": "job_step",
            "idempotency": "idempotency",
            "deliveries": "webhook_delivery",
            "attempts": "webhook_attempt",
        }.items():
            rows = admin.execute(
                sql.SQL("SELECT t::text FROM {} t WHERE tenant_id = %s").format(sql.Identifier("app", table)), (tenant,)
            ).fetchall()
            told.say(channel, *(row[0] for row in rows))
        for id_, fence in admin.execute("SELECT id, fence FROM app.job WHERE tenant_id = %s", (tenant,)):
            told.say("queue messages", message([(tenant, id_, fence)]).encode())
        told.say("dump", *_dump(admin))
        admin.execute("CHECKPOINT")
    told.say("raw files", *_files(server.postgres.state))
    told.say("stored documents", *_files(Path(server.settings.storage_url)))
    told.say("key store", *_files(server.settings.state))


def _dump(admin: psycopg.Connection[Any]) -> list[bytes]:
    """Every row of every table of ours, as a data dump has it."""
    found = []
    tables = admin.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND n.nspname IN ('app', 'ctl', 'ref', 'seal', 'migrations', 'public')"
    ).fetchall()
    for schema, table in tables:
        out = io.BytesIO()
        with admin.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(schema, table))) as copy:
            for data in copy:
                out.write(data)
        found.append(out.getvalue())
    return found


def _files(folder: Path) -> list[bytes]:
    """Every file below a folder: for the server's, data, write-ahead log and its own log."""
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]


CHANNELS = (
    *("logs", "metrics", "problems", "answers", "events and webhooks", "audit", "jobs", "job steps", "idempotency"),
    *("deliveries", "attempts", "queue messages", "dump", "raw files", "stored documents", "key store"),
)


@pytest.mark.parametrize("channel", CHANNELS)
def test_no_canary_stands_in(told: Told, channel: str) -> None:
    assert leaks(told.channels.get(channel, []), told.canaries) == []


def test_there_was_something_to_look_at(told: Told) -> None:
    """Every channel was used; a look into nothing proves nothing."""
    empty = {channel for channel in CHANNELS if sum(map(len, told.channels.get(channel, []))) == 0}
    assert empty <= {"attempts"}, empty
    assert b'"event":"request"' in told.channels["logs"][0] or b'"event": "request"' in told.channels["logs"][0]
    assert len(told.channels["problems"]) > 20
    assert sum(map(len, told.channels["raw files"])) > 10_000_000


@pytest.mark.parametrize(
    "planted",
    [
        f"worker {SSN} was made".encode(),
        SSN.replace("-", "").encode(),
        base64.b64encode(ACCOUNT.encode()),
        ACCOUNT.encode().hex().encode(),
        b"\x00\x01" + SSN.encode("utf-16-le"),
        f"born {BORN}".encode(),
    ],
)
def test_a_planted_canary_is_found(planted: bytes) -> None:
    assert leaks([b"nothing", planted], {"SSN": SSN, "account": ACCOUNT, "birth date": BORN}) != []


def test_a_canary_in_a_plain_column_is_found(told: Told) -> None:
    """The dump is one: a value that is written in clear is in it."""
    with psycopg.connect(told.maker.admin_dsn) as admin:
        admin.execute(
            "INSERT INTO app.counter (tenant_id, name, next) VALUES (%s, %s, 1)", (told.maker.tenant.facts.id, SSN)
        )
        assert leaks(_dump(admin), {"SSN": SSN}) != []
        admin.rollback()


def test_what_is_masked_is_masked(told: Told) -> None:
    """The last four digits are told, and no more."""
    worker = next(each.json() for each in told.answers if each.request.url.path == "/v1/workers" and each.is_success)
    assert worker["ssn_last4"] == SSN[-4:]
    assert worker["birth_date_on_file"] is True
    assert ids.decode("worker", worker["id"]) is not None
