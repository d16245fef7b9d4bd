"""One record, or a page of them, as people outside see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import Table, select

from backoffice.kernel import ids
from backoffice.kernel.errors import NotFound
from backoffice.people.queries import any_of
from backoffice.people.schemas import Address
from backoffice.platform.statements import by_id
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import find_id, noun_fields
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page
from backoffice.staffing import models
from backoffice.staffing.schemas import (
    Assignment,
    Client,
    Entry,
    RateBody,
    Timesheet,
    TimesheetVersion,
    TimesheetVersions,
    WorkPlace,
)
from backoffice.staffing.states import STATUSES
from backoffice.staffing.units import hours_text, rate_text

_clients, _assignments, _timesheets = models.client, models.assignment, models.timesheet
_entries, _versions = models.timesheet_entry, models.timesheet_version
_RANGE = ("gt", "gte", "lt", "lte")

CLIENTS = Listing(
    _clients,
    filters={
        "status": Filter(_clients.c.status, values=models.CLIENT_STATUSES),
        "name": Filter(_clients.c.name),
        "external_id": Filter(_clients.c.external_id, operators=("in", "exists")),
    },
    sorts=("name", "created_at"),
)
ASSIGNMENTS = Listing(
    _assignments,
    filters={
        "worker_id": Filter(_assignments.c.worker_id, kind="worker"),
        "client_id": Filter(_assignments.c.client_id, kind="client"),
        "status": Filter(_assignments.c.status, values=models.ASSIGNMENT_STATUSES),
        "work_state": Filter(_assignments.c.work_state, operators=("in",)),
        "started_on": Filter(_assignments.c.started_on, operators=_RANGE),
        "external_id": Filter(_assignments.c.external_id, operators=("in", "exists")),
    },
    sorts=("started_on", "created_at"),
)
TIMESHEETS = Listing(
    _timesheets,
    filters={
        "status": Filter(_timesheets.c.status, values=STATUSES, operators=("in", "ne")),
        "assignment_id": Filter(_timesheets.c.assignment_id, kind="assignment"),
        "worker_id": Filter(_timesheets.c.worker_id, kind="worker"),
        "week_start": Filter(_timesheets.c.week_start, operators=_RANGE),
        "payroll_run_id": Filter(_timesheets.c.payroll_run_id, kind="payroll_run", operators=("exists",)),
        "external_id": Filter(_timesheets.c.external_id, operators=("in", "exists")),
    },
    sorts=("week_start", "created_at"),
)


def client_view(tx: Tx, row: Row) -> Client:
    return Client(
        **noun_fields(tx, "client", row),
        name=row["name"],
        billing_email=row["billing_email"],
        address=Address(
            line1=row["address_line1"],
            line2=row["address_line2"],
            city=row["city"],
            state=row["state"],
            postal_code=row["postal_code"],
        ),
        payment_terms_days=row["payment_terms_days"],
        status=row["status"],
    )


async def client(tx: Tx, id_: str) -> Client:
    return client_view(tx, await record(tx, _clients, "client", id_))


async def clients(tx: Tx, query: Query) -> Page[Client]:
    return await page(tx, CLIENTS, query, lambda row: client_view(tx, row))


def assignment_view(tx: Tx, row: Row) -> Assignment:
    return Assignment(
        **noun_fields(tx, "assignment", row),
        worker_id=ids.encode("worker", row["worker_id"]),
        client_id=ids.encode("client", row["client_id"]),
        job_title=row["job_title"],
        pay_rate=RateBody(amount=rate_text(row["pay_rate_micros"])),
        bill_rate=RateBody(amount=rate_text(row["bill_rate_micros"])),
        work_place=WorkPlace(
            city=row["work_city"],
            state=row["work_state"],
            postal_code=row["work_postal_code"],
            locality=row["work_locality"],
        ),
        started_on=row["started_on"],
        ended_on=row["ended_on"],
        status=row["status"],
    )


async def assignment(tx: Tx, id_: str) -> Assignment:
    return assignment_view(tx, await record(tx, _assignments, "assignment", id_))


async def assignments(tx: Tx, query: Query) -> Page[Assignment]:
    return await page(tx, ASSIGNMENTS, query, lambda row: assignment_view(tx, row))


def timesheet_view(tx: Tx, row: Row, entries: Sequence[Row]) -> Timesheet:
    run = row["payroll_run_id"]
    return Timesheet(
        **noun_fields(tx, "timesheet", row),
        assignment_id=ids.encode("assignment", row["assignment_id"]),
        worker_id=ids.encode("worker", row["worker_id"]),
        week_start=row["week_start"],
        status=row["status"],
        total_hours=hours_text(row["total_hundredths"]),
        entries=[
            Entry(date=each["work_date"], hours=hours_text(each["hundredths"]), external_id=each["external_id"])
            for each in entries
        ],
        submitted_at=row["submitted_at"],
        approved_at=row["approved_at"],
        approved_by=row["approved_by"],
        rejected_reason=row["rejected_reason"],
        payroll_run_id=None if run is None else ids.encode("payroll_run", run),
    )


async def entries_of(tx: Tx, timesheet_ids: Iterable[UUID]) -> Mapping[UUID, list[Row]]:
    """The entries of each timesheet by day; timesheets without any are left out. One statement."""
    rows = await tx.fetch(
        select(*_entries.c)
        .where(_entries.c.tenant_id == TENANT, any_of(_entries.c.timesheet_id, timesheet_ids))
        .order_by(_entries.c.timesheet_id, _entries.c.work_date)
    )
    found: dict[UUID, list[Row]] = {}
    for row in rows:
        found.setdefault(row["timesheet_id"], []).append(row)
    return found


async def timesheet_views(tx: Tx, rows: Sequence[Row]) -> list[Timesheet]:
    """One statement, however many rows."""
    entries = await entries_of(tx, [row["id"] for row in rows])
    return [timesheet_view(tx, row, entries.get(row["id"], [])) for row in rows]


async def timesheet(tx: Tx, id_: str) -> Timesheet:
    return (await timesheet_views(tx, [await record(tx, _timesheets, "timesheet", id_)]))[0]


async def timesheets(tx: Tx, query: Query) -> Page[Timesheet]:
    found = await page(tx, TIMESHEETS, query, lambda row: row)
    views = await timesheet_views(tx, found.data)
    return Page(data=views, has_more=found.has_more, next_cursor=found.next_cursor, total_count=found.total_count)


async def timesheet_versions(tx: Tx, id_: str) -> TimesheetVersions:
    """What the timesheet said before each change, oldest first."""
    sheet = await record(tx, _timesheets, "timesheet", id_)
    rows = await tx.fetch(
        select(*_versions.c)
        .where(_versions.c.tenant_id == TENANT, _versions.c.timesheet_id == sheet["id"])
        .order_by(_versions.c.version)
    )
    return TimesheetVersions(
        data=[
            TimesheetVersion(
                version=row["version"],
                status=row["status"],
                entries=[
                    Entry(
                        date=date.fromisoformat(each["date"]),
                        hours=hours_text(each["hundredths"]),
                        external_id=each["external_id"],
                    )
                    for each in row["entries"]
                ],
                replaced_by=row["actor"],
                replaced_at=row["replaced_at"],
            )
            for row in rows
        ]
    )


async def record(tx: Tx, table: Table, kind: str, text: str) -> Row:
    """The row that an id or `ext:…` names; NotFound."""
    id_ = await find_id(tx, table, kind, text)
    row = await tx.row(by_id(table), id=id_)
    if row is None:
        raise NotFound
    return row
