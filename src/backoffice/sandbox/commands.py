"""Writes of the sandbox: a made-up company, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from backoffice.accounts import clocks
from backoffice.accounts import queries as accounts
from backoffice.kernel.csv_rows import CsvRow
from backoffice.kernel.dates import local_date
from backoffice.people import commands as people
from backoffice.people import queries as people_queries
from backoffice.people.csv_files import WorkerRow
from backoffice.platform.bulk import Applied
from backoffice.platform.db import Tx
from backoffice.platform.jobs import queries as job_queries
from backoffice.platform.jobs.view import JobView
from backoffice.platform.jobs.view import view as job_view
from backoffice.sandbox.companies import PLACES, Company, company
from backoffice.sandbox.errors import FixtureNotPossible, TenantNotEmpty
from backoffice.sandbox.schemas import BuildFixture, CreateTestFixture, Ground
from backoffice.staffing import commands as staffing
from backoffice.staffing.csv_files import TimesheetRow
from backoffice.staffing.schemas import ApproveTimesheets, CreateAssignment, CreateClient

BEGINS: Final = datetime(2026, 1, 26, 14, tzinfo=UTC)  # a Monday: where a tenant's clock is frozen that has none


async def create(tx: Tx, data: CreateTestFixture) -> JobView:
    """Give the tenant its seed, and start to build the company. 409: ClockNotMovable where the clock is the real one,
    TenantNotEmpty, ClockSeeded, ClockAdvancing, FixtureNotPossible."""
    await clocks.must_be_movable(tx)
    if await people_queries.has_workers(tx):
        raise TenantNotEmpty("It has workers. Ask for another test tenant.")
    clock = await clocks.seed(tx, data.seed, BEGINS)
    await ground(tx)
    job_id = await tx.start(BuildFixture(name=data.name, seed=data.seed, clock_id=clock.id))
    tx.audit("test_fixture.created", changed={"name": data.name, "seed": data.seed})
    await tx.flush()
    return job_view(tx.principal, await job_queries.get(tx, job_id))


async def ground(tx: Tx) -> Ground:
    """What the company is built upon, taken once: the clock may move afterwards. FixtureNotPossible (409)."""
    schedules = [each for each in await accounts.pay_schedules(tx) if each.frequency == "weekly"]
    states = sorted((await accounts.employer(tx)).state_accounts)
    if not schedules or not PLACES.keys() & set(states):
        raise FixtureNotPossible(
            f"It needs a weekly pay schedule, and an employer in one of {', '.join(PLACES)}; see the tenant's file."
        )
    settings = await accounts.tenant_settings(tx)
    today = local_date(settings.time_zone, await tx.now())
    monday = today - timedelta(days=today.weekday())
    return Ground(monday=monday, states=states, pay_schedule=schedules[0].name)


async def add_clients(tx: Tx, clients: Sequence[CreateClient]) -> None:
    for client in clients:
        await staffing.create_client(tx, client)


async def add_workers(tx: Tx, workers: Sequence[WorkerRow]) -> None:
    """FixtureNotPossible when the tenant's rules refuse one."""
    _all_good(await people.upsert_workers(tx, _rows(workers)))


async def add_assignments(tx: Tx, assignments: Sequence[CreateAssignment]) -> None:
    for assignment in assignments:
        await staffing.create_assignment(tx, assignment)


async def add_hours(tx: Tx, week: date, hours: Sequence[TimesheetRow], approve: bool) -> None:
    """Submit a week's hours, and approve them if told so."""
    _all_good(await staffing.upsert_timesheets(tx, _rows(hours)))
    if approve:
        await staffing.approve_many(tx, ApproveTimesheets(week_start=week))


async def preview_build(tx: Tx, payload: BuildFixture) -> None:
    """The whole of it inside a dry run."""
    made = company(payload, await ground(tx))
    for _, command, args in parts(made):
        await command(tx, *args)


def parts(made: Company) -> list[tuple[str, Any, tuple[Any, ...]]]:
    """What is done one after another: name, command, its arguments."""
    last = len(made.weeks) - 1
    return [
        ("clients", add_clients, (made.clients,)),
        ("workers", add_workers, (made.workers,)),
        ("assignments", add_assignments, (made.assignments,)),
        *(
            (f"hours of {week}", add_hours, (week, hours, place < last))
            for place, (week, hours) in enumerate(made.weeks)
        ),
    ]


def _rows(records: Sequence[Any]) -> list[CsvRow[Any]]:
    return [CsvRow(number, record) for number, record in enumerate(records, start=1)]


def _all_good(applied: Applied) -> None:
    if applied.faults:
        fault = applied.faults[0]
        raise FixtureNotPossible(f"The tenant's rules refuse {fault.column}: {fault.detail}")
