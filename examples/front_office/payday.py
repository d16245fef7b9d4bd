"""A staffing firm's payday, played over the public API by its front office.

    FRONT_OFFICE_KEYS='{"integrator": "bo_sk_test_…", "maker": [...two keys...], "checker": "…"}' \\
        python payday.py --api http://127.0.0.1:8000 --firm tenants/northwind-staffing --out files

It knows the API, its keys and the firm's files; of the platform's inside it knows nothing. `maker` are two keys of the
person who makes the run, `checker` is another person's. With `--json` every line is for a program (`telling.py`).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bank_file
import story
from public_api import BackOffice, Refused
from receiver import Receiver
from telling import Telling

NOW = "2026-11-16T09:00:00-05:00"  # Monday, nine in the morning in New York
WEEK = "2026-11-09"
EVENTS = [
    "timesheet.approved",
    "payroll_run.created",
    "payroll_run.calculated",
    "payroll_run.blocked",
    "payroll_run.ready",
    "payroll_run.approved",
    "payroll_run.paid",
    "document.available",
    "job.failed",
]
MENDED = {"routing_number": "990300014", "account_number": "5520418836", "kind": "checking"}  # no bank has this prefix
SHOWN = 12  # effects of a preview that are printed
PATIENCE = 60.0


class Mailbox(Receiver):
    """The reference receiver, counting what it was sent."""

    def __init__(self, events: Path, api: str, key: str) -> None:
        super().__init__(events, api, key)
        self.events_file = events
        self.delivered: set[str] = set()  # ids of events that came as webhooks with a good signature
        self.verified = 0
        self.rejected = 0
        self._counting = threading.Lock()

    def receive(self, body: bytes, headers: dict[str, str]) -> int:
        status = super().receive(body, headers)
        with self._counting:
            if status < 300:
                self.verified += 1
                self.delivered.add(json.loads(body)["id"])
            else:
                self.rejected += 1
        return status

    def events(self) -> list[dict[str, Any]]:
        """What was delivered, verified and written down."""
        if not self.events_file.exists():
            return []
        kept = [json.loads(line) for line in self.events_file.read_text(encoding="utf-8").splitlines()]
        return [event for event in kept if event["id"] in self.delivered]


class Payday:
    """The five chapters that the front office plays; each uses what those before have found out."""

    def __init__(self, tell: Telling, api: str, keys: dict[str, Any], firm: Path, out: Path) -> None:
        self.tell, self.firm, self.out = tell, firm, out
        self.integrator = BackOffice(api, keys["integrator"])
        self.maker, self.maker_again = (BackOffice(api, key) for key in keys["maker"])
        self.checker = BackOffice(api, keys["checker"])
        self.mailbox = Mailbox(out / "events.jsonl", api, keys["integrator"])
        self.run_id = ""
        self.paychecks: list[dict[str, Any]] = []

    # -- 1

    def import_files(self) -> None:
        tell = self.tell
        tell.step(1, "The firm's files go in")
        tenant = self.integrator.get("/v1/tenant")
        clock = self.integrator.post("/v1/test/clocks", {"frozen_time": NOW}).body
        now = self.integrator.get("/v1/tenant")["now"]
        tell.say(f"{tenant['firm_name']}, tenant {tenant['name']}: its clock is frozen at {now} ({clock['id']})")
        self.mailbox.start()
        self.mailbox.register(EVENTS)
        tell.say(f"webhooks go to {self.mailbox.url} ({self.mailbox.endpoint_id})")
        tell.fact("tenant", {"now": now, "livemode": tenant["livemode"]})
        self._clients()
        workers = self._bulk("workers.upsert", "workers.csv")
        tell.fact("workers", workers["rows"])
        self._assignments()
        hours = self._bulk("timesheets.upsert", "timesheets.csv")
        refused = [
            {"row": row["number"], **fault}
            for row in self.integrator.pages(f"/v1/bulk_jobs/{hours['id']}/rows", status="failed", sort="number")
            for fault in row["errors"] or [{"column": "the row", **row["row_error"]}]
        ]
        for fault in refused:
            tell.say(f"row {fault['row']}, {fault['column']}: {fault['detail']} [{fault['code']}]")
        file = self.out / "timesheets_to_correct.csv"
        file.write_bytes(self.integrator.read(f"/v1/bulk_jobs/{hours['id']}/errors.csv").body)
        tell.say(f"the refused rows, with an error column, to correct and send again: {file}")
        tell.fact("timesheets", {"rows": hours["rows"], "refused": refused})

    def _clients(self) -> None:
        rows = self._rows("clients.csv")
        for done, row in enumerate(rows, start=1):
            self.integrator.post(
                "/v1/clients",
                {
                    "external_id": row["external_id"],
                    "name": row["name"],
                    "billing_email": row["billing_email"],
                    "address": {
                        "line1": row["address_line1"],
                        "city": row["city"],
                        "state": row["state"],
                        "postal_code": row["postal_code"],
                    },
                    "payment_terms_days": int(row["payment_terms_days"]),
                },
            )
            self.tell.bar("clients", done, len(rows))
        self.tell.fact("clients", len(rows))

    def _assignments(self) -> None:
        rows = self._rows("assignments.csv")
        for done, row in enumerate(rows, start=1):
            self.integrator.post(
                "/v1/assignments",
                {
                    "external_id": row["external_id"],
                    "worker_id": f"ext:{row['worker_external_id']}",
                    "client_id": f"ext:{row['client_external_id']}",
                    "job_title": row["job_title"],
                    "pay_rate": {"amount": row["pay_rate"]},
                    "bill_rate": {"amount": row["bill_rate"]},
                    "work_place": {
                        "city": row["work_city"],
                        "state": row["work_state"],
                        "postal_code": row["work_postal_code"],
                    },
                    "started_on": row["start_date"],
                    **({"ended_on": row["end_date"]} if row["end_date"] else {}),
                },
            )
            self.tell.bar("assignments", done, len(rows))
        self.tell.fact("assignments", len(rows))

    def _bulk(self, operation: str, name: str) -> dict[str, Any]:
        """Send a whole file, and wait until every row was taken or refused."""
        what = operation.partition(".")[0]
        total = len(self._rows(name))
        made = self.integrator.post("/v1/bulk_jobs", {"operation": operation}).body
        self.integrator.post(f"/v1/bulk_jobs/{made['id']}/start", file=(self.firm / name).read_bytes())
        path = f"/v1/bulk_jobs/{made['id']}"

        def watch(job: dict[str, Any]) -> None:
            counts = job["rows"]
            self.tell.bar(what, sum(counts[each] for each in ("created", "updated", "unchanged", "failed")), total)

        ended = self.integrator.ended(path, watch=watch)
        counts = ended["rows"]
        good = counts["created"] + counts["updated"] + counts["unchanged"]
        self.tell.say(f"{name}: {good} of {counts['total']} rows went in, {counts['failed']} refused ({made['id']})")
        return ended

    def _rows(self, name: str) -> list[dict[str, str]]:
        with (self.firm / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    # -- 2

    def calculate(self) -> None:
        tell = self.tell
        tell.step(2, "From hours to net pay")
        approved = self.maker.post("/v1/timesheets/approve", {"week_start": WEEK}).body
        tell.say(f"{approved['approved']} timesheets with {approved['total_hours']} hours are approved")
        sheets = list(self.maker.pages("/v1/timesheets", week_start=WEEK, status="approved"))
        workers = sorted({sheet["worker_id"] for sheet in sheets})
        tell.fact("hours", {"timesheets": approved["approved"], "total": approved["total_hours"], "workers": workers})
        run = self.maker.post("/v1/payroll_runs", {"pay_schedule": "weekly", "period_begin": WEEK}).body
        self.run_id = run["id"]
        tell.say(f"a run for {run['period_begin']} to {run['period_end']}, paid on {run['pay_date']}: {run['id']}")
        before = self._blockers()
        for blocker in before:
            tell.say(f"{blocker['severity']}: {blocker['detail']} ({blocker['subject']}) [{blocker['code']}]")
            if blocker["code"] == "no_bank_account":
                path = f"/v1/workers/{blocker['subject']}/bank_accounts"
                account = self.integrator.post(path, MENDED).body
                tell.say(f"mended through the API: {account['id']}, …{account['account_last4']}")
        tell.fact("blockers", {"before": before, "after": self._blockers()})
        path = f"/v1/payroll_runs/{run['id']}/calculate"
        preview = self.maker.post(path, dry_run=True).body
        for effect in preview["effects"][:SHOWN]:
            tell.say(f"preview: {effect['message']}")
        tell.fact("preview", preview["effects"])
        job = self.maker.post(path).body
        tell.say(f"calculating behind the queue: {job['id']}")
        tell.fact("calculation", {"job": job["id"], "run": run["id"]})
        ended = self.maker.ended(f"/v1/jobs/{job['id']}", watch=self._bar("gross to net"))
        run = self.maker.get(f"/v1/payroll_runs/{run['id']}")
        self.paychecks = list(self.maker.pages("/v1/paychecks", payroll_run_id=run["id"]))
        tell.say(f"{run['paycheck_count']} paychecks, net {run['totals']['net']['amount']} USD: {run['status']}")
        tell.fact("calculated", {"job": ended, "run": run, "paychecks": self.paychecks})

    def _blockers(self) -> list[dict[str, Any]]:
        return list(self.maker.get(f"/v1/payroll_runs/{self.run_id}/blockers")["data"])

    def _bar(self, name: str) -> Callable[[dict[str, Any]], None]:
        def watch(job: dict[str, Any]) -> None:
            if job["progress"]["total"]:
                self.tell.bar(name, job["progress"]["done"], job["progress"]["total"])

        return watch

    # -- 3

    def explain(self, external_id: str) -> None:
        tell = self.tell
        tell.step(3, "Why one worker's net pay is what it is")
        worker = self.maker.get(f"/v1/workers/ext:{external_id}")
        found = next(each for each in self.paychecks if each["worker_id"] == worker["id"])
        paycheck = self.maker.get(f"/v1/paychecks/{found['id']}")
        derived = self.maker.get(f"/v1/paychecks/{found['id']}/derivation")
        name = f"{worker['first_name']} {worker['last_name']}"
        tell.say(f"{name} ({worker['id']}), {paycheck['hours']} hours, paycheck {paycheck['id']}")
        for line in derived["text"]:
            tell.say(line)
        tell.fact("derivation", {"paycheck": paycheck, "derived": derived})

    # -- 4

    def pay(self) -> None:
        tell = self.tell
        tell.step(4, "A second person, then the money")
        path = f"/v1/payroll_runs/{self.run_id}"
        refusals = []
        for api, which in ((self.maker, "first"), (self.maker_again, "second")):
            try:
                api.post(f"{path}/approve", if_match=api.read(path).etag)
            except Refused as refused:
                refusals.append({"key": which, "status": refused.status, "code": refused.code})
                tell.say(f"the maker's {which} key: {refused}")
        tell.fact("refusals", refusals)
        approved = self.checker.post(f"{path}/approve", if_match=self.checker.read(path).etag).body
        tell.say(f"approved by {approved['approved_by']}; the maker is {approved['created_by']}")
        job = self.maker.post(f"{path}/pay", if_match=self.maker.read(path).etag).body
        ended = self.maker.ended(f"/v1/jobs/{job['id']}", watch=self._bar("paying"))
        run = self.maker.get(path)
        tell.say(f"{run['status']}: {run['paycheck_count']} workers, {run['totals']['net']['amount']} USD net")
        tell.fact("paid", {"job": ended, "run": run})
        self._bank_file()
        self._stubs(run["paycheck_count"])
        self._ledger()

    def _bank_file(self) -> None:
        document = next(self.maker.pages("/v1/documents", kind="bank_file", subject=self.run_id))
        content = self._download(document)
        file = self.out / document["file_name"]
        file.write_bytes(content)
        read = bank_file.read(content)
        self.tell.say(f"bank file {document['id']}: {read.entries} credits, {_money(read.total)} USD, {file}")
        self.tell.fact("bank_file", vars(read))

    def _stubs(self, expected: int) -> None:
        folder = self.out / "pay_stubs"
        folder.mkdir(exist_ok=True)
        until = time.monotonic() + PATIENCE
        stubs: list[dict[str, Any]] = []
        while len(stubs) < expected and time.monotonic() < until:
            stubs = list(self.maker.pages("/v1/documents", kind="pay_stub", status="available"))
            self.tell.bar("pay stubs printed", len(stubs), expected)
            time.sleep(0.2)
        saved = []
        for done, document in enumerate(stubs, start=1):
            content = self._download(document)
            (folder / document["file_name"]).write_bytes(content)
            pdf = content.startswith(b"%PDF-") and b"%%EOF" in content[-64:]
            saved.append({"paycheck": document["subject"], "pdf": pdf, "size": len(content)})
            self.tell.bar("pay stubs fetched", done, len(stubs))
        self.tell.say(f"{len(saved)} pay stubs as PDF: {folder}")
        self.tell.fact("stubs", saved)

    def _download(self, document: dict[str, Any]) -> bytes:
        link = self.maker.post(f"/v1/documents/{document['id']}/download_link").body
        return self.maker.fetch(link["url"])

    def _ledger(self) -> None:
        liabilities = self.maker.get(f"/v1/payroll_runs/{self.run_id}/tax_liabilities")
        balance = self.maker.get("/v1/trial_balance")
        transactions = list(self.maker.pages("/v1/ledger_transactions"))
        entries = list(self.maker.pages("/v1/ledger_entries"))
        (self.out / "trial_balance.json").write_text(json.dumps(balance, indent=2) + "\n", encoding="utf-8")
        (self.out / "tax_liabilities.json").write_text(json.dumps(liabilities, indent=2) + "\n", encoding="utf-8")
        codes = {line["account_id"]: line["code"] for line in balance["data"]}
        with (self.out / "ledger_entries.csv").open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow(["effective_date", "transaction_id", "line", "account", "side", "amount"])
            for entry in reversed(entries):
                out.writerow(
                    [
                        *(entry["effective_date"], entry["transaction_id"], entry["line"]),
                        *(codes[entry["account_id"]], entry["side"], entry["amount"]["amount"]),
                    ]
                )
        totals = balance["totals"][0]
        self.tell.say(
            f"ledger: {len(transactions)} transactions, {len(entries)} entries, "
            f"debits {totals['debits']['amount']} = credits {totals['credits']['amount']} USD"
        )
        self.tell.say(f"owed to {len(liabilities['data'])} tax accounts: {liabilities['total']['amount']} USD")
        self.tell.fact("liabilities", liabilities)
        self.tell.fact("trial_balance", balance)
        self.tell.fact("ledger", {"transactions": transactions, "entries": len(entries)})

    # -- 5

    def listen(self) -> None:
        tell = self.tell
        tell.step(5, "The same day, told by the webhooks alone")
        expected = len(self.paychecks) + 1  # stubs and the bank file
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            arrived = self.mailbox.events()
            documents = sum(event["type"] == "document.available" for event in arrived)
            tell.bar("documents announced", min(documents, expected), expected)
            paid = any(event["type"] == "payroll_run.paid" for event in arrived)
            if paid and documents >= expected and not self.mailbox.inbox.ahead:
                break
            time.sleep(0.1)
        arrived = self.mailbox.events()
        tell.say(f"{self.mailbox.verified} webhooks came, {len(arrived)} events; every signature verified")
        for line in story.tell(arrived):
            tell.say(line)
        tell.fact(
            "webhooks",
            {
                "verified": self.mailbox.verified,
                "rejected": self.mailbox.rejected,
                "events": [
                    {name: event[name] for name in ("id", "type", "sequence", "object_sequence")} for event in arrived
                ],
            },
        )
        self.mailbox.stop()


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def main() -> int:
    """Exit status 0 when the day was played to its end; 1 when the API refused something that it should not."""
    arguments = argparse.ArgumentParser(description="Play a firm's payday over the public API.")
    arguments.add_argument("--api", required=True)
    arguments.add_argument("--firm", type=Path, required=True, help="the folder with the CSV files")
    arguments.add_argument("--out", type=Path, required=True, help="where files and events are put")
    arguments.add_argument("--explain", default="NW-0003", help="whose net pay is derived, by external_id")
    arguments.add_argument("--json", action="store_true", help="tell in JSON lines")
    given = arguments.parse_args()
    tell = Telling(as_json=given.json)
    given.out.mkdir(mode=0o700, parents=True, exist_ok=True)
    day = Payday(tell, given.api, json.loads(os.environ["FRONT_OFFICE_KEYS"]), given.firm, given.out)
    try:
        day.import_files()
        day.calculate()
        day.explain(given.explain)
        day.pay()
        day.listen()
    except Refused as refused:
        tell.say(f"refused: {refused}")
        for fault in refused.problem.get("errors", []):
            tell.say(f"  {fault.get('pointer') or fault.get('parameter')}: {fault['detail']} [{fault['code']}]")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
