"""Bulk jobs over HTTP: a file goes in, good rows are taken, bad rows come back."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from inline_jobs import job_states, run_waiting_jobs
from sqlalchemy import func, select
from tests.world import ROOT, Firm, World

from backoffice.accounts.bulk import commands, models
from backoffice.kernel.csv_rows import CsvRow
from backoffice.people import queries as people
from backoffice.people.csv_files import WorkerRow
from backoffice.platform import bulk
from backoffice.platform.bulk import Applied
from backoffice.platform.jobs import registry
from backoffice.platform.models import event
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx

FOLDER = ROOT / "tenants" / "northwind-staffing"
HEADER, *LINES = (FOLDER / "workers.csv").read_text(encoding="utf-8").splitlines()
BAD_SSN = LINES[1].replace("902-24-3746", "123-45-6789")


def key() -> dict[str, str]:
    return {"idempotency-key": secrets.token_hex(8)}


async def started(http: httpx.AsyncClient, operation: str, content: str | bytes, *, dry_run: bool = False) -> str:
    made = await http.post("/v1/bulk_jobs", json={"operation": operation, "format": "csv"})
    assert made.status_code == 201, made.text
    path = f"/v1/bulk_jobs/{made.json()['id']}"
    answer = await http.post(
        path + "/start" + ("?dry_run=true" if dry_run else ""),
        content=content.encode() if isinstance(content, str) else content,
        headers={"content-type": "text/csv", **key()},
    )
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['job_id']}"
    assert answer.json()["status"] == "queued"
    return path


async def done(world: World, firm: Firm, http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    await run_waiting_jobs(world, firm.test)
    body: dict[str, Any] = (await http.get(path)).json()
    return body


def lines(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


async def test_good_rows_go_in_and_bad_rows_come_back(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["ines-conceicao"]) as http:
        broken = LINES[2].replace("1981-11-16", "16.11.1981")
        short = LINES[4].rsplit(",", 1)[0]
        path = await started(http, "workers.upsert", lines(LINES[0], BAD_SSN, broken, LINES[3], short))
        job = await done(world, firm, http, path)
        assert (job["status"], job["dry_run"]) == ("succeeded", False)
        assert job["rows"] == {"total": 5, "created": 2, "updated": 0, "unchanged": 0, "failed": 3}
        failed = (await http.get(path + "/rows?status=failed&sort=number")).json()["data"]
        assert [(row["number"], [(e["column"], e["code"]) for e in row["errors"]]) for row in failed] == [
            (3, [("ssn", "ssn_area_not_accepted")]),
            (4, [("birth_date", "not_a_date")]),
            (6, []),
        ]
        assert [row["row_error"] and row["row_error"]["code"] for row in failed] == [
            None,
            None,
            "wrong_number_of_cells",
        ]
        assert failed[2]["row_error"]["detail"]
        good = (await http.get(path + "/rows?status=succeeded&sort=number")).json()["data"]
        assert [(row["number"], row["outcome"]) for row in good] == [(2, "created"), (5, "created")]
        assert (await http.get(f"/v1/workers/{good[0]['object_id']}")).json()["external_id"] == "NW-0001"
        errors = await http.get(path + "/errors.csv")
        assert errors.headers["content-type"] == "text/csv; charset=utf-8"
        text = errors.text.splitlines()
        assert text[0] == HEADER + ",error"
        assert text[1].startswith(BAD_SSN + ",")
        # Corrected, the very same file goes in: its error column is ignored.
        mended = errors.text.replace("123-45-6789", "902-24-3746").replace("16.11.1981", "1981-11-16")
        corrected = "\n".join(mended.splitlines()[:3])
        again = await done(world, firm, http, await started(http, "workers.upsert", corrected))
        assert again["rows"] == {"total": 2, "created": 2, "updated": 0, "unchanged": 0, "failed": 0}
        whole = await done(world, firm, http, await started(http, "workers.upsert", lines(*LINES[:4])))
        assert whole["rows"]["unchanged"] == 4


async def test_numbers_of_people_are_shown_to_the_sender_alone(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["ines-conceicao"]) as http:
        path = await started(http, "workers.upsert", lines(BAD_SSN))
        await done(world, firm, http, path)
        assert "123-45-6789" in (await http.get(path + "/errors.csv")).text
        for other in (path, path + "/rows", "/v1/bulk_jobs"):
            assert "6789" not in (await http.get(other)).text
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        masked = (await http.get(path + "/errors.csv")).text
        assert ",***," in masked
        for number in ("123-45-6789", "2161304765", "2001-02-02"):
            assert number not in masked
    async with world.tx(firm.test) as tx:
        bodies = await tx.fetch(select(event.c.body).where(event.c.tenant_id == TENANT))
        assert not any("6789" in row["body"] for row in bodies)
        kept = await tx.fetch(select(models.bulk_row.c.cells_sealed).where(models.bulk_row.c.tenant_id == TENANT))
        assert not any(b"6789" in bytes(row["cells_sealed"]) for row in kept)


async def test_a_dry_run_is_a_job_that_stores_nothing_else(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["ines-conceicao"]) as http:
        content = lines(LINES[0], BAD_SSN, LINES[3])
        rehearsed = await done(world, firm, http, await started(http, "workers.upsert", content, dry_run=True))
        assert (rehearsed["status"], rehearsed["dry_run"]) == ("succeeded", True)
        assert rehearsed["rows"] == {"total": 3, "created": 2, "updated": 0, "unchanged": 0, "failed": 1}
        assert (await http.get("/v1/workers")).json()["data"] == []
        real = await done(world, firm, http, await started(http, "workers.upsert", content))
        assert real["rows"] == rehearsed["rows"]

        def told(job: dict[str, Any]) -> list[tuple[Any, ...]]:
            return [(e["kind"], e["before"], e["message"]) for e in job["effects"]]

        assert told(real) == told(rehearsed)
        assert len(told(real)) > 8
        first = (await http.get("/v1/workers?sort=number")).json()["data"][0]
        assert first["number"] == 1001  # the rehearsal used up no number
    async with world.tx(firm.test) as tx:
        kinds = [row["type"] for row in await tx.fetch(select(event.c.type).where(event.c.tenant_id == TENANT))]
    assert kinds.count("worker.created") == 2


async def test_hours_of_the_folder_with_their_honest_faults(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        await world_of_northwind(world, firm, http)
        content = (FOLDER / "timesheets.csv").read_bytes()
        path = await started(http, "timesheets.upsert", content)
        job = await done(world, firm, http, path)
        assert job["status"] == "succeeded", job
        failed = (await http.get(path + "/rows?status=failed&sort=number")).json()["data"]
        codes = {fault["code"] for row in failed for fault in row["errors"]}
        assert codes == {"unknown_worker", "hours_out_of_range", "duplicate_row"}
        assert job["rows"]["created"] == job["rows"]["total"] - len(failed) > 280
        sheets = (await http.get("/v1/timesheets?limit=100&include=total_count")).json()
        assert {sheet["status"] for sheet in sheets["data"]} == {"submitted"}
        approved = await http.post("/v1/timesheets/approve", json={"week_start": "2026-11-09"}, headers=key())
        assert approved.json()["approved"] == sheets["total_count"]
        again = await done(world, firm, http, await started(http, "timesheets.upsert", content))
        assert (again["rows"]["unchanged"], again["rows"]["failed"]) == (job["rows"]["created"], len(failed))
        # Approved hours are not changed by a file.
        text = content.decode().splitlines()
        changed = text[0] + "\n" + text[1].replace(",8.00,", ",7.00,")
        refused = await started(http, "timesheets.upsert", changed)
        assert (await done(world, firm, http, refused))["rows"]["failed"] == 1
        row = (await http.get(refused + "/rows")).json()["data"][0]
        assert row["errors"][0]["code"] == "timesheet_approved"


async def test_a_corrected_day_replaces_and_keeps_the_version_before(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["marisol-vega"]) as http:
        await world_of_northwind(world, firm, http, workers=2)
        text = (FOLDER / "timesheets.csv").read_text(encoding="utf-8").splitlines()
        week = [text[0], *[line for line in text if line.startswith("NW-0001,NW-A-0001,")]]
        await done(world, firm, http, await started(http, "timesheets.upsert", "\n".join(week)))
        corrected = [text[0], week[1].replace(",8.00,", ",6.50,")]
        job = await done(world, firm, http, await started(http, "timesheets.upsert", "\n".join(corrected)))
        assert job["rows"]["updated"] == 1
        sheet = (await http.get("/v1/timesheets")).json()["data"][0]
        assert sheet["entries"][0]["hours"] == "6.50"
        versions = (await http.get(f"/v1/timesheets/{sheet['id']}/versions")).json()["data"]
        assert versions[0]["entries"][0]["hours"] == "8.00"
        moved = [text[0], week[1].replace("2026-11-09", "2026-11-15", 1)]  # the same row, on another day
        await done(world, firm, http, await started(http, "timesheets.upsert", "\n".join(moved)))
        sheet = (await http.get("/v1/timesheets")).json()["data"][0]
        days = [entry["date"] for entry in sheet["entries"]]
        assert "2026-11-15" in days
        assert "2026-11-09" not in days


async def test_a_file_that_cannot_be_read_fails_the_job_and_is_not_kept(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["ines-conceicao"]) as http:
        path = await started(http, "workers.upsert", "external_id;first_name\n1;2\n")
        job = await done(world, firm, http, path)
        assert job["status"] == "failed"
        assert job["problem"]["code"] == "csv_file_refused"
        assert job["problem"]["errors"][0]["code"] == "wrong_separator"
        gone = await http.get(path + "/errors.csv")
        assert (gone.status_code, gone.json()["code"]) == (409, "upload_gone")
    assert await uploads(world, firm) == 0
    assert (await job_states(world, firm.test))["bulk.run"] == "dead"


async def test_a_file_without_a_header_shows_nothing_of_its_first_row(world: World) -> None:
    firm = await world.firm()
    shifted = HEADER.replace(",email,", ",901-17-2373,")  # a cell of a person among the names
    async with world.client(firm.test.keys["ines-conceicao"]) as http:
        for content in ("\n".join(LINES[:3]), shifted + "\n" + LINES[0]):
            path = await started(http, "workers.upsert", content)
            job = await done(world, firm, http, path)
            assert job["problem"]["code"] == "csv_file_refused"
            assert "901-17" not in (await http.get(path)).text
            assert "901-17" not in (await http.get(f"/v1/jobs/{job['job_id']}")).text
    async with world.tx(firm.test) as tx:
        bodies = await tx.fetch(select(event.c.body).where(event.c.tenant_id == TENANT))
    assert any("csv_file_refused" in row["body"] for row in bodies)
    assert not any("901-17" in row["body"] or "Wójcik" in row["body"] for row in bodies)


async def test_what_may_not_be_started(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["ines-conceicao"]) as http:
        unknown = await http.post("/v1/bulk_jobs", json={"operation": "clients.drop"})
        assert unknown.json()["errors"][0]["code"] == "unknown_operation"
        path = await started(http, "workers.upsert", lines(LINES[0]))
        csv = {"content-type": "text/csv"}
        twice = await http.post(path + "/start", content=b"x", headers={**csv, **key()})
        assert (twice.status_code, twice.json()["code"]) == (409, "bulk_job_started")
        other = (await http.post("/v1/bulk_jobs", json={"operation": "workers.upsert"})).json()["id"]
        start = f"/v1/bulk_jobs/{other}/start"
        assert (await http.post(start, content=b"", headers={**csv, **key()})).status_code == 400
        assert (await http.post(start, json={}, headers=key())).status_code == 415
        unkeyed = await http.post(start, content=lines(LINES[0]).encode(), headers=csv)
        assert unkeyed.json()["code"] == "idempotency_key_required"
    scopes = frozenset({"bulk_jobs:write", "bulk_jobs:read"})
    async with world.client(await world.key(firm.test, "ines-conceicao", scopes=scopes)) as http:
        narrow = await http.post("/v1/bulk_jobs", json={"operation": "workers.upsert"})
        assert (narrow.status_code, narrow.json()["scope"]) == (403, "workers:write")


async def test_the_file_lies_sealed_and_is_deleted_when_the_job_ends(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["ines-conceicao"]) as http:
        await started(http, "workers.upsert", lines(LINES[0]))
        async with world.tx(firm.test) as tx:
            parts = await tx.fetch(select(models.bulk_upload.c.content).where(models.bulk_upload.c.tenant_id == TENANT))
        assert len(parts) == 1
        assert b"901-17-2373" not in bytes(parts[0]["content"])
        await run_waiting_jobs(world, firm.test)
    assert await uploads(world, firm) == 0
    assert (await job_states(world, firm.test)) == {"bulk.run": "succeeded", "bulk.discard_upload": "scheduled"}


async def test_a_large_file_is_kept_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    firm = await world.firm()
    monkeypatch.setattr(models, "PART_BYTES", 1000)
    async with world.client(firm.test.keys["ines-conceicao"]) as http:
        path = await started(http, "workers.upsert", lines(*LINES[:20]))
        assert await uploads(world, firm) >= 5
        assert (await done(world, firm, http, path))["rows"]["created"] == 20


async def test_a_canceled_job_leaves_no_file_and_says_so(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["ines-conceicao"]) as http:
        path = await started(http, "workers.upsert", lines(LINES[0]))
        job_id = (await http.get(path)).json()["job_id"]
        canceled = await http.post(f"/v1/jobs/{job_id}/cancel", headers=key())
        assert canceled.status_code in (200, 202), canceled.text
        job = await done(world, firm, http, path)
        assert (job["status"], job["rows"]["created"]) == ("canceled", 0)
    assert await uploads(world, firm) == 0


async def test_a_job_that_breaks_goes_on_where_it_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second chunk fails once: the first is not done again, and no row is lost or doubled."""
    firm = await world.firm()
    monkeypatch.setattr(bulk, "CHUNK_ROWS", 5)
    registry.load()
    operation = bulk.find("workers.upsert")
    assert operation is not None
    calls: list[int] = []

    async def apply(tx: Tx, rows: Sequence[CsvRow[WorkerRow]]) -> Applied:
        calls.append(rows[0].number)
        if calls == [2, 7]:
            raise RuntimeError("the machine is tired")
        applied: Applied = await operation.apply(tx, rows)
        return applied

    changed = bulk.Operation(
        name=operation.name, scope=operation.scope, parse=operation.parse, apply=apply, sensitive=operation.sensitive
    )
    monkeypatch.setitem(bulk._operations, operation.name, changed)
    async with world.client(firm.test.keys["ines-conceicao"]) as http:
        path = await started(http, "workers.upsert", lines(*LINES[:12]))
        await run_waiting_jobs(world, firm.test)
        assert (await job_states(world, firm.test))["bulk.run"] == "retry_wait"
        assert (await http.get(path)).json()["rows"]["created"] == 5
        await run_waiting_jobs(world, firm.test, retries=True)
        job = (await http.get(path)).json()
        assert calls == [2, 7, 7, 12]
        assert (job["status"], job["rows"]["created"]) == ("succeeded", 12)
        assert len((await http.get("/v1/workers?limit=100")).json()["data"]) == 12


async def test_after_seven_days_nothing_of_the_file_is_kept(world: World) -> None:
    firm = await world.firm()
    async with world.client(firm.test.keys["dana-whitfield"]) as http:
        clock = await http.post("/v1/test/clocks", json={"frozen_time": "2026-11-16T09:00:00-05:00"})
        path = await started(http, "workers.upsert", lines(BAD_SSN))
        await done(world, firm, http, path)
        assert (await http.get(path + "/errors.csv")).status_code == 200
        to, key = {"to": "2026-11-23T09:00:00-05:00"}, {"idempotency-key": "week"}
        assert (
            await http.post(f"/v1/test/clocks/{clock.json()['id']}/advance", json=to, headers=key)
        ).status_code == 202
        await run_waiting_jobs(world, firm.test)
        gone = await http.get(path + "/errors.csv")
        assert (gone.status_code, gone.json()["code"]) == (409, "upload_gone")
        assert (await http.get(path + "/rows")).json()["data"][0]["errors"][0]["column"] == "ssn"
    assert commands.KEPT.days == 7


async def uploads(world: World, firm: Firm) -> int:
    async with world.tx(firm.test) as tx:
        count: int = await tx.value(
            select(func.count()).select_from(models.bulk_upload).where(models.bulk_upload.c.tenant_id == TENANT)
        )
    return count


async def world_of_northwind(world: World, firm: Firm, http: httpx.AsyncClient, *, workers: int = 60) -> None:
    """Workers by file; clients and assignments object by object, as a front office sends them."""
    await done(world, firm, http, await started(http, "workers.upsert", lines(*LINES[:workers])))
    async with world.tx(firm.test) as tx:
        known = await people.worker_ids(tx, [line.split(",")[0] for line in LINES])
    for row in rows_of("clients.csv"):
        body = {
            "external_id": row["external_id"],
            "name": row["name"],
            "billing_email": row["billing_email"],
            "payment_terms_days": int(row["payment_terms_days"]),
            "address": {
                "line1": row["address_line1"],
                "city": row["city"],
                "state": row["state"],
                "postal_code": row["postal_code"],
            },
        }
        answer = await http.post("/v1/clients", json=body)
        assert answer.status_code == 201, answer.text
    for row in rows_of("assignments.csv"):
        if row["worker_external_id"] not in known:
            continue
        body = {
            "external_id": row["external_id"],
            "worker_id": f"ext:{row['worker_external_id']}",
            "client_id": f"ext:{row['client_external_id']}",
            "job_title": row["job_title"],
            "pay_rate": {"amount": row["pay_rate"], "currency": "USD"},
            "bill_rate": {"amount": row["bill_rate"], "currency": "USD"},
            "work_place": {
                "city": row["work_city"],
                "state": row["work_state"],
                "postal_code": row["work_postal_code"],
            },
            "started_on": row["start_date"],
            "ended_on": row["end_date"] or None,
        }
        answer = await http.post("/v1/assignments", json=body, headers=key())
        assert answer.status_code == 201, answer.text


def rows_of(name: str) -> list[dict[str, str]]:
    import csv

    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
