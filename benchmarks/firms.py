"""A big firm out of Northwind's files: each of its people many times, as others who work the same."""

from __future__ import annotations

from datetime import date

from backoffice.kernel.chunks import in_chunks
from backoffice.staffing import commands as staffing
from backoffice.staffing.csv_files import parse_timesheets
from backoffice.staffing.schemas import Address, ApproveTimesheets, CreateAssignment, CreateClient, RateBody, WorkPlace
from benchmarks.stage import Stage, Tenant, as_csv, rows_of

WEEK = date(2026, 11, 9)


async def fill(stage: Stage, tenant: Tenant, workers: int) -> None:
    """So many workers with bank accounts, their assignments and Northwind's week, approved."""
    originals = [row for row in rows_of("workers.csv") if row["bank_account_number"]]
    people = [(place // len(originals), originals[place % len(originals)]) for place in range(workers)]
    await stage.add_workers(tenant, [_person(row, copy, place) for place, (copy, row) in enumerate(people)])
    await _add_clients(stage, tenant)
    copies: dict[str, list[int]] = {}
    for copy, row in people:
        copies.setdefault(row["external_id"], []).append(copy)
    assignments = [
        _renamed(row, copy, "external_id", "worker_external_id")
        for row in rows_of("assignments.csv")
        for copy in copies.get(row["worker_external_id"], ())
    ]
    for chunk in in_chunks(assignments, 100):
        async with stage.tx(tenant) as tx:
            for row in chunk:
                await staffing.create_assignment(tx, _assignment(row))
    sheets = [
        _renamed(row, copy, "external_id", "worker_external_id", "assignment_external_id")
        for row in rows_of("timesheets.csv")
        for copy in copies.get(row["worker_external_id"], ())
    ]
    sheets.sort(key=lambda row: row["worker_external_id"])
    good = parse_timesheets(as_csv(sheets)).rows  # the file has a few honest faults
    for rows in in_chunks(good, 500):
        async with stage.tx(tenant) as tx:
            applied = await staffing.upsert_timesheets(tx, rows)
            assert not applied.faults, applied.faults[:3]
    async with stage.tx(tenant) as tx:
        await staffing.approve_many(tx, ApproveTimesheets(week_start=WEEK))


def _person(row: dict[str, str], copy: int, serial: int) -> dict[str, str]:
    """Another person of the same kind, with a number and an account of their own (areas 900-999 belong to nobody)."""
    return {
        **_renamed(row, copy, "external_id"),
        "email": "",
        "ssn": f"{900 + serial % 100}-{serial // 100 % 99 + 1:02d}-{9999 - serial:04d}",
        "bank_account_number": f"77{serial:08d}",
    }


def _renamed(row: dict[str, str], copy: int, *names: str) -> dict[str, str]:
    return {**row, **{name: f"{row[name]}-{copy}" for name in names}}


async def _add_clients(stage: Stage, tenant: Tenant) -> None:
    async with stage.tx(tenant) as tx:
        for row in rows_of("clients.csv"):
            address = Address(
                line1=row["address_line1"], city=row["city"], state=row["state"], postal_code=row["postal_code"]
            )
            client = CreateClient(
                external_id=row["external_id"], name=row["name"], billing_email=row["billing_email"], address=address
            )
            await staffing.create_client(tx, client)


def _assignment(row: dict[str, str]) -> CreateAssignment:
    return CreateAssignment(
        external_id=row["external_id"],
        worker_id=f"ext:{row['worker_external_id']}",
        client_id=f"ext:{row['client_external_id']}",
        job_title=row["job_title"],
        pay_rate=RateBody(amount=row["pay_rate"]),
        bill_rate=RateBody(amount=row["bill_rate"]),
        work_place=WorkPlace(city=row["work_city"], state=row["work_state"], postal_code=row["work_postal_code"]),
        started_on=date.fromisoformat(row["start_date"]),
    )
