"""Writes of the sandbox: a made-up company, part by part, and what the world outside does to a test tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from backoffice.accounts import clocks
from backoffice.accounts import queries as accounts
from backoffice.kernel.csv_rows import CsvRow
from backoffice.kernel.dates import local_date
from backoffice.kernel.errors import FaultList, NotFound
from backoffice.payroll import commands as payroll
from backoffice.payroll import queries as payroll_queries
from backoffice.payroll.returns import DEPOSIT_CODES
from backoffice.people import commands as people
from backoffice.people import queries as people_queries
from backoffice.people.csv_files import WorkerRow
from backoffice.platform.bulk import Applied
from backoffice.platform.jobs import queries as job_queries
from backoffice.platform.jobs.view import JobView
from backoffice.platform.jobs.view import view as job_view
from backoffice.platform.tx import Tx
from backoffice.sandbox import resets
from backoffice.sandbox.companies import PLACES, Company, company
from backoffice.sandbox.errors import FixtureNotPossible, SimulationNotOffered, TenantNotEmpty
from backoffice.sandbox.schemas import BuildFixture, CreateTestFixture, Ground, RunTestSimulation, TestSimulation
from backoffice.staffing import commands as staffing
from backoffice.staffing.csv_files import TimesheetRow
from backoffice.staffing.schemas import ApproveTimesheets, CheckTimesheets, CreateAssignment, CreateClient

BEGINS: Final = datetime(2026, 1, 26, 14, tzinfo=UTC)  # a Monday: where a tenant's clock is frozen that has none
OFFERED: Final = ("payment_return", "timesheet_late")
LATER: Final = {  # what the API's conventions name besides → the part of the product that would have to be there
    "funding_fail": "the funding of payrolls, which is not there yet: a client firm is not debited",
    "background_check_complete": "background checks, which are not there yet",
    "invoice_paid": "invoicing, which is not there yet",
    "filing_reject": "tax filing, which is not there yet",
}


async def create(tx: Tx, data: CreateTestFixture) -> JobView:
    """Give the tenant its seed, and start to build the company. 409: TestTenantsOnly where the clock is the real one,
    TenantResetting, TenantNotEmpty, ClockSeeded, ClockAdvancing, FixtureNotPossible."""
    await clocks.must_be_movable(tx)
    await resets.must_be_over(tx)
    if await people_queries.has_workers(tx):
        raise TenantNotEmpty("It has workers. Reset it first: POST /v1/test/resets.")
    clock = await clocks.seed(tx, data.seed, BEGINS)
    await ground(tx)
    job_id = await tx.start(BuildFixture(name=data.name, seed=data.seed, clock_id=clock.id))
    tx.audit("test_fixture.created", changed={"name": data.name, "seed": data.seed})
    await tx.flush()
    return job_view(tx.principal, await job_queries.get(tx, job_id))


async def simulate(tx: Tx, simulation: str, data: RunTestSimulation) -> TestSimulation:
    """Let it happen, by the way that the real thing would take. NotFound for a name that means nothing, and for an
    object; 409: SimulationNotOffered for a name whose time has not come, TestTenantsOnly in a live tenant,
    PaymentNotInState; ValidationFailed (422) for a code that no deposit comes back with, or an unknown pay schedule."""
    offered = ", ".join(OFFERED)
    if simulation in LATER:
        raise SimulationNotOffered(f"{simulation} needs {LATER[simulation]}. There is: {offered}.")
    if simulation not in OFFERED:
        raise NotFound(f"There is no simulation of this name; there is: {offered}.")
    came = await (_payment_return if simulation == "payment_return" else _timesheet_late)(tx, data)
    return TestSimulation(livemode=tx.principal.tenant.livemode, simulation=simulation, **came)


async def _payment_return(tx: Tx, data: RunTestSimulation) -> dict[str, Any]:
    faults = FaultList()
    if data.payment_id is None:
        faults.add("#/payment_id", "required", "must name a payment that was sent; GET /v1/payments?status=sent")
    if data.code not in DEPOSIT_CODES:
        faults.add("#/code", "unknown_return_code", f"must be what deposits come back with: {', '.join(DEPOSIT_CODES)}")
    faults.raise_if_any()
    assert data.payment_id is not None
    assert data.code is not None
    payment = await payroll_queries.payment(tx, data.payment_id)  # what is not there is absent in a live tenant too
    await clocks.must_be_movable(tx)
    return {"payment": await payroll.return_payment(tx, payment.id, data.code)}


async def _timesheet_late(tx: Tx, data: RunTestSimulation) -> dict[str, Any]:
    await clocks.must_be_movable(tx)
    due = CheckTimesheets(pay_schedule=data.pay_schedule or "", scheduled_for=await tx.now())
    await staffing.find_late(tx, due)  # refuses here what the job would
    job_id = await tx.start(due)
    tx.audit("test_simulation.timesheet_late", changed={"pay_schedule": due.pay_schedule})
    await tx.flush()
    return {"job": job_view(tx.principal, await job_queries.get(tx, job_id))}


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
