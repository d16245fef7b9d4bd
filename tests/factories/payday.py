"""Northwind on the Monday after its week: workers, assignments, hours, from the firm's own files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, date, datetime

from msgspec import structs
from tests.world import ROOT, Firm, Tenant, World

from backoffice.accounts import clocks
from backoffice.accounts.schemas import CreateTestClock
from backoffice.kernel.chunks import in_chunks
from backoffice.kernel.csv_rows import CsvRow
from backoffice.people import commands as people
from backoffice.people.csv_files import WorkerRow, parse_workers
from backoffice.staffing import commands as staffing
from backoffice.staffing.csv_files import TimesheetRow, parse_timesheets
from backoffice.staffing.schemas import Address, ApproveTimesheets, CreateAssignment, CreateClient, RateBody, WorkPlace

WEEK = date(2026, 11, 9)
MONDAY = datetime(2026, 11, 16, 14, tzinfo=UTC)  # nine in the morning in New York
FOLDER = ROOT / "tenants" / "northwind-staffing"


@dataclass
class Payday:
    """A firm whose test tenant stands at Monday morning, hours approved unless told otherwise."""

    firm: Firm
    workers: int
    numbers: frozenset[str]  # the SSNs and account numbers of these workers

    @property
    def tenant(self) -> Tenant:
        return self.firm.test

    @property
    def maker(self) -> str:
        return self.tenant.keys["marisol-vega"]

    @property
    def checker(self) -> str:
        return self.tenant.keys["theo-lindqvist"]


async def payday(
    world: World, *, workers: int | None = None, copies: int = 1, approved: bool = True, bank_for_all: bool = True
) -> Payday:
    """The first `workers` of Northwind (all 60 by default) with their assignments and the week's good hours, each
    `copies` times, as different people who work the same."""
    firm = await world.firm()
    tenant = firm.test
    parsed = parse_workers((FOLDER / "workers.csv").read_bytes())
    rows = [row for row in parsed.rows if bank_for_all is False or row.record.bank_account is not None][:workers]
    known = {row.record.external_id for row in rows}
    rows += [_other(row, copy, len(rows) * copy + place) for copy in range(1, copies) for place, row in enumerate(rows)]
    async with world.tx(tenant) as tx:
        await clocks.freeze(tx, CreateTestClock(frozen_time=MONDAY))
    for chunk in in_chunks(rows, 100):
        async with world.tx(tenant) as tx:
            applied = await people.upsert_workers(tx, chunk)
            assert not applied.faults, applied.faults
    async with world.tx(tenant) as tx:
        for each in csv.DictReader((FOLDER / "clients.csv").open(encoding="utf-8")):
            await staffing.create_client(
                tx,
                CreateClient(
                    external_id=each["external_id"],
                    name=each["name"],
                    billing_email=each["billing_email"],
                    address=Address(
                        line1=each["address_line1"],
                        city=each["city"],
                        state=each["state"],
                        postal_code=each["postal_code"],
                    ),
                ),
            )
        for each in csv.DictReader((FOLDER / "assignments.csv").open(encoding="utf-8")):
            if each["worker_external_id"] in known:
                for copy in range(copies):
                    await staffing.create_assignment(tx, _assignment(each, _mark(copy)))
    sheets = [
        CsvRow(row.number, structs.replace(row.record, **_renamed(row.record, copy)))
        for row in parse_timesheets((FOLDER / "timesheets.csv").read_bytes()).rows
        if row.record.worker_external_id in known
        for copy in range(copies)
    ]
    for chunk in in_chunks(sorted(sheets, key=lambda row: row.record.worker_external_id), 500):
        async with world.tx(tenant) as tx:
            applied = await staffing.upsert_timesheets(tx, chunk)
            assert not applied.faults, applied.faults
    if approved:
        async with world.tx(tenant) as tx:
            await staffing.approve_many(tx, ApproveTimesheets(week_start=WEEK))
    accounts_ = {row.record.bank_account.account_number for row in rows if row.record.bank_account is not None}
    return Payday(firm, len(rows), frozenset(accounts_ | {row.record.ssn for row in rows}))


def _mark(copy: int) -> str:
    return f"-{copy}" if copy else ""


def _other(row: CsvRow[WorkerRow], copy: int, serial: int) -> CsvRow[WorkerRow]:
    """Another person of the same kind: a name, a number and an account of their own."""
    who, account = row.record, row.record.bank_account
    return CsvRow(
        row.number,
        structs.replace(
            who,
            external_id=who.external_id + _mark(copy),
            ssn=f"{900 + serial % 100}{serial // 100 % 99 + 1:02d}{9999 - serial:04d}",
            email=None,
            bank_account=account and structs.replace(account, account_number=f"77{serial:08d}"),
        ),
    )


def _renamed(record: TimesheetRow, copy: int) -> dict[str, str]:
    names = ("worker_external_id", "assignment_external_id", "external_id")
    return {name: getattr(record, name) + _mark(copy) for name in names}


def _assignment(each: dict[str, str], mark: str) -> CreateAssignment:
    return CreateAssignment(
        external_id=each["external_id"] + mark,
        worker_id=f"ext:{each['worker_external_id']}{mark}",
        client_id=f"ext:{each['client_external_id']}",
        job_title=each["job_title"],
        pay_rate=RateBody(amount=each["pay_rate"]),
        bill_rate=RateBody(amount=each["bill_rate"]),
        work_place=WorkPlace(city=each["work_city"], state=each["work_state"], postal_code=each["work_postal_code"]),
        started_on=date.fromisoformat(each["start_date"]),
    )
