"""Every door through which a canary can be pushed: right, wrong, and in the wrong place."""

from __future__ import annotations

from typing import Any

from tests.contract.canary import (
    ACCOUNT,
    BAD_ACCOUNT,
    BORN,
    BULK_ACCOUNT,
    BULK_BORN,
    BULK_SSN,
    CASE,
    PASSWORD,
    REFUSED_SSN,
    SSN,
    TYPO,
    Told,
)
from tests.contract.maker import ADDRESS, CHECKER, FIRST_WEEK, MAKER, ROUTING, Ask
from tests.world import ROOT


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
    order = {"kind": "creditor", "case_number": CASE, "percent": "0.01", "served_on": "2026-01-05"}
    for wrong in ({**order, "served_on": CASE}, {**order, "kind": "debt"}, {**order, "case_number": [CASE]}):
        await http(told, "POST", f"{path}/withholding_orders", wrong)
    served = await http(told, "POST", f"{path}/withholding_orders", order)
    of_it = f"/v1/withholding_orders/{served['id']}"
    await http(told, "PATCH", of_it, {"arrears_over_12_weeks": True}, if_match=served["version"])
    shown = await http(told, "POST", f"{of_it}/reveal", {"purpose": "order_remittance"}, secret=True)
    assert shown["case_number"] == CASE, "the canary went in"
    await http(told, "GET", f"{path}/withholding_orders")
    await keys(told)
    await webhooks(told)
    await bulk(told)
    await payday(told, worker)
    for each in (
        "/v1/events",
        "/v1/jobs",
        "/v1/documents",
        "/v1/paychecks",
        "/v1/payments",
        "/v1/ledger_entries",
        "/v1/bulk_jobs",
    ):
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
