"""The second firm: it works beside the first, and is shown nothing of it."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from backoffice.demo.facts import Foreign
from backoffice.demo.refusal import DemoRefused
from backoffice.kernel import ids
from backoffice.platform.api_client import Answer, ApiClient

PATHS = {
    # kind of id: where one is read
    "person": "/v1/people/{id}",
    "api_key": "/v1/api_keys/{id}",
    "test_clock": "/v1/test/clocks/{id}",
    "event": "/v1/events/{id}",
    "job": "/v1/jobs/{id}",
    "schedule": "/v1/schedules/{id}",
    "bulk_job": "/v1/bulk_jobs/{id}",
    "worker": "/v1/workers/{id}",
    "employment": "/v1/employments/{id}",
    "bank_account": "/v1/bank_accounts/{id}",
    "tax_election": "/v1/tax_elections/{id}",
    "deduction": "/v1/deductions/{id}",
    "withholding_order": "/v1/withholding_orders/{id}",
    "opening_balance": "/v1/opening_balances/{id}",
    "client": "/v1/clients/{id}",
    "assignment": "/v1/assignments/{id}",
    "timesheet": "/v1/timesheets/{id}",
    "payroll_run": "/v1/payroll_runs/{id}",
    "paycheck": "/v1/paychecks/{id}",
    "payment": "/v1/payments/{id}",
    "ledger_account": "/v1/ledger_accounts/{id}",
    "ledger_transaction": "/v1/ledger_transactions/{id}",
    "document": "/v1/documents/{id}",
    "webhook_endpoint": "/v1/webhook_endpoints/{id}",
    "webhook_delivery": "/v1/webhook_deliveries/{id}",
}
WAIT_SECONDS = 30.0
_KINDS = {prefix: kind for kind, prefix in ids.PREFIXES.items()}
_ID = re.compile(r"\b([a-z]{2,8})_[0-7][0-9a-hjkmnp-tv-z]{25}\b")


def ids_in(lines: Iterable[str]) -> list[str]:
    """Every id in a text that names an object which can be read, each once, in the order of appearance."""
    found = [match for line in lines for match in _ID.finditer(line)]
    return list(dict.fromkeys(each[0] for each in found if _KINDS.get(each[1]) in PATHS))


def import_workers(api: ApiClient, folder: Path) -> None:
    """Harbor brings its own workers, by the same door. DemoRefused when that does not work."""
    made = _good(_post(api, "/v1/bulk_jobs", b'{"operation": "workers.upsert"}', "application/json"))
    path = f"/v1/bulk_jobs/{made['id']}"
    _good(_post(api, f"{path}/start", (folder / "workers.csv").read_bytes(), "text/csv"))
    until = time.monotonic() + WAIT_SECONDS
    while (job := _good(api.request("GET", path)))["status"] in ("created", "queued", "running"):
        if time.monotonic() > until:
            raise DemoRefused(f"Harbor's workers were not imported within {WAIT_SECONDS:.0f} s.")
        time.sleep(0.05)
    if job["status"] != "succeeded":
        raise DemoRefused(f"Harbor's workers were not imported: {job['status']}.")


def external_ids(folder: Path) -> list[str]:
    """Of the workers in a firm's file."""
    with (folder / "workers.csv").open(encoding="utf-8-sig", newline="") as file:
        return [row["external_id"] for row in csv.DictReader(file)]


def workers_seen(api: ApiClient) -> list[str]:
    """External ids of all workers that a key is shown."""
    seen: list[str] = []
    query = [("limit", "100")]
    while True:
        page = _good(api.request("GET", "/v1/workers", query=query))
        seen += [row["external_id"] for row in page["data"]]
        if not page["has_more"]:
            return seen
        query = [("limit", "100"), ("cursor", page["next_cursor"])]


def look(id_: str, *, owner: ApiClient, stranger: ApiClient) -> Foreign:
    """Ask for one of the owner's objects with both keys, and with the stranger's for one that never was."""
    kind = _KINDS[id_.partition("_")[0]]
    path = PATHS[kind].format(id=id_)
    never = PATHS[kind].format(id=ids.encode(kind, ids.new(datetime(2026, 11, 16, tzinfo=UTC))))
    answer = stranger.request("GET", path)
    same = _plain(answer) == _plain(stranger.request("GET", never))
    return Foreign(id_, path, owner.request("GET", path).status, answer.status, same)


def _plain(answer: Answer) -> tuple[int, Any]:
    """What an answer says, without what must differ: the request's own id and path."""
    body = answer.json()
    return answer.status, {name: value for name, value in body.items() if name not in ("request_id", "instance")}


def _post(api: ApiClient, path: str, body: bytes, media: str) -> Answer:
    return api.request("POST", path, body=body, media=media, headers={"Idempotency-Key": str(uuid4())})


def _good(answer: Answer) -> Any:
    if not answer.ok:
        raise DemoRefused(f"Harbor was refused: {answer.status} {answer.body.decode(errors='replace')[:300]}")
    return answer.json()
