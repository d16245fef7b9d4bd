"""Workers made to measure: each with the jobs, hours, certificates and gaps that a test is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from msgspec import structs
from tests.world import ROOT, Firm, Tenant, World, set_clock

from backoffice.accounts import clocks
from backoffice.accounts.schemas import CreateTestClock
from backoffice.accounts.tenant_file import TenantFile, load
from backoffice.accounts.tenant_file.structs import PaySchedule
from backoffice.people import commands as people
from backoffice.people.schemas import (
    W4,
    Address,
    CreateBankAccount,
    CreateEmployment,
    CreateTaxElection,
    CreateWorker,
    EndEmployment,
    SetOpeningBalance,
    StateCertificate,
)
from backoffice.platform.tx import Tx
from backoffice.staffing import commands as staffing
from backoffice.staffing.schemas import Address as ClientAddress
from backoffice.staffing.schemas import (
    ApproveTimesheets,
    CreateAssignment,
    CreateClient,
    CreateTimesheet,
    Entry,
    RateBody,
    WorkPlace,
)

WEEK = date(2026, 11, 9)
MONDAY = datetime(2026, 11, 16, 14, tzinfo=UTC)
PLACES = {
    "CA": ("Riverside", "92501"),
    "GA": ("Macon", "31201"),
    "IL": ("Peoria", "61602"),
    "IN": ("Gary", "46402"),
    "KS": ("Topeka", "66603"),
    "NJ": ("Trenton", "08608"),
    "NY": ("Buffalo", "14203"),
    "OH": ("Ada", "45810"),
    "PA": ("Ridley Park", "19078"),
    "TX": ("Austin", "78701"),
    "WA": ("Spokane", "99201"),
    "WI": ("Madison", "53703"),
}
SINGLE = W4(version="2020_or_later", filing_status="single")


@dataclass(frozen=True)
class Job:
    """An assignment and its hours from Monday on; "0" is a day without any, `()` a week without a timesheet."""

    rate: str = "20.00"
    state: str = "TX"
    hours: Sequence[str] = ("8", "8", "8", "8", "8")
    city: str | None = None
    locality: str | None = None
    begins: date = date(2026, 1, 5)


@dataclass(frozen=True)
class Hand:
    """One worker."""

    name: str
    jobs: Sequence[Job] = (Job(),)
    home: tuple[str, str] | None = None  # state and city; the first job's otherwise
    locality: str | None = None  # of the home
    last_name: str = "Example"
    w4: W4 | None = SINGLE
    certificate: StateCertificate | None = None
    certificate_of: str | None = None  # its state; the first job's otherwise
    opening: SetOpeningBalance | None = None
    bank: bool = True
    ssn: bool = True
    hired: date | None = date(2026, 1, 5)
    ended: date | None = None
    schedule: str = "weekly"


@dataclass
class Crew:
    """A firm whose test tenant stands at Monday morning, the hours of `WEEK` approved."""

    world: World
    firm: Firm
    workers: dict[str, str] = field(default_factory=dict)  # name → wrk_…
    assignments: dict[str, list[str]] = field(default_factory=dict)  # name → asg_… of each job
    timesheets: dict[str, list[str]] = field(default_factory=dict)
    clock: str = ""
    _client: str = ""

    @property
    def tenant(self) -> Tenant:
        return self.firm.test

    @property
    def maker(self) -> str:
        return self.tenant.keys["marisol-vega"]

    @property
    def checker(self) -> str:
        return self.tenant.keys["theo-lindqvist"]

    async def add(self, *hands: Hand, approved: bool = True) -> None:
        async with self.world.tx(self.tenant) as tx:
            if not self._client:
                address = ClientAddress(line1="1 Sample Street", city="Austin", state="TX", postal_code="78701")
                self._client = (await staffing.create_client(tx, CreateClient(name="Sample Plant", address=address))).id
            for hand in hands:
                await self._add(tx, hand)
        for hand in hands:
            for place, job in enumerate(hand.jobs):
                if job.hours:
                    await self.work(hand.name, WEEK, job.hours, job=place, approved=approved)

    async def work(self, name: str, week: date, hours: Sequence[str], *, job: int = 0, approved: bool = True) -> None:
        """Hours of one assignment in one week, from Monday on."""
        entries = [
            Entry(date=week + timedelta(days=place), hours=each) for place, each in enumerate(hours) if each != "0"
        ]
        async with self.world.tx(self.tenant) as tx:
            sheet = await staffing.create_timesheet(
                tx,
                CreateTimesheet(assignment_id=self.assignments[name][job], week_start=week, entries=entries),
            )
            self.timesheets.setdefault(name, []).append(sheet.id)
            await staffing.submit(tx, sheet.id)
        if approved:
            await self.approve(sheet.id)

    async def approve(self, *timesheets: str) -> None:
        async with self.world.tx(self.tenant) as tx:
            await staffing.approve_many(tx, ApproveTimesheets(timesheet_ids=list(timesheets)))

    async def move_clock(self, to: datetime) -> None:
        async with self.world.tx(self.tenant) as tx:
            await set_clock(tx, to)

    async def _add(self, tx: Tx, hand: Hand) -> None:
        serial = len(self.workers) + 1
        state, city = hand.home or (hand.jobs[0].state, hand.jobs[0].city or PLACES[hand.jobs[0].state][0])
        made = await people.create_worker(
            tx,
            CreateWorker(
                external_id=hand.name,
                first_name="Sam",
                last_name=hand.last_name,
                address=Address(line1="2 Model Road", city=city, state=state, postal_code=PLACES[state][1]),
                residence_locality=hand.locality,
                ssn=f"9{serial % 100:02d}-{serial // 100 + 10:02d}-{4000 + serial:04d}" if hand.ssn else None,
            ),
        )
        self.workers[hand.name] = made.id
        if hand.hired is not None:
            employed = CreateEmployment(hired_on=hand.hired, pay_schedule=hand.schedule)
            employment = await people.hire(tx, made.id, employed)
            if hand.ended is not None:
                await people.end_employment(tx, employment.id, EndEmployment(ended_on=hand.ended))
        if hand.w4 is not None:
            await elect(tx, made.id, hand.w4)
        if hand.certificate is not None:
            told = CreateTaxElection(
                jurisdiction=hand.certificate_of or hand.jobs[0].state,
                effective_from=date(2026, 1, 1),
                state_certificate=hand.certificate,
            )
            await people.create_tax_election(tx, made.id, told)
        if hand.bank:
            await people.create_bank_account(tx, made.id, account(70_100 + serial))
        if hand.opening is not None:
            await people.set_opening_balance(tx, made.id, hand.opening)
        self.assignments[hand.name] = [(await self._assign(tx, made.id, job)).id for job in hand.jobs]

    async def _assign(self, tx: Tx, worker: str, job: Job) -> Any:
        return await staffing.create_assignment(
            tx,
            CreateAssignment(
                worker_id=worker,
                client_id=self._client,
                job_title="Sample Hand",
                pay_rate=RateBody(amount=job.rate),
                bill_rate=RateBody(amount="60.00"),
                work_place=WorkPlace(
                    city=job.city or PLACES[job.state][0],
                    state=job.state,
                    postal_code=PLACES[job.state][1],
                    locality=job.locality,
                ),
                started_on=job.begins,
            ),
        )


def northwind(*, biweekly: bool = False, washington: bool = False) -> TenantFile:
    """Northwind with a biweekly schedule beside the weekly one, or with an unemployment account in Washington."""
    file = load(ROOT / "tenants" / "northwind-staffing")
    if biweekly:
        schedule = PaySchedule(
            frequency="biweekly", workweek_starts="monday", first_period_begins=date(2026, 1, 5), payday_after_days=5
        )
        file = structs.replace(file, pay_schedules={**file.pay_schedules, "biweekly": schedule})
    if washington:
        accounts_ = {**file.employer.state_accounts, "WA": file.employer.state_accounts["TX"]}
        file = structs.replace(file, employer=structs.replace(file.employer, state_accounts=accounts_))
    return file


def account(number: int) -> CreateBankAccount:
    """A fictitious account: the routing number has a valid check digit and no bank."""
    return CreateBankAccount(routing_number="990000013", account_number=f"{number:010d}", kind="checking")


async def elect(tx: Tx, worker: str, form: W4, *, since: date = date(2026, 1, 1)) -> None:
    await people.create_tax_election(tx, worker, CreateTaxElection(jurisdiction="US", effective_from=since, w4=form))


async def crew(
    world: World, *hands: Hand, at: datetime = MONDAY, file: TenantFile | None = None, approved: bool = True
) -> Crew:
    """A new firm with these workers."""
    made = Crew(world, await world.firm(file=file))
    async with world.tx(made.tenant) as tx:
        made.clock = (await clocks.freeze(tx, CreateTestClock(frozen_time=at))).id
    await made.add(*hands, approved=approved)
    return made


def dollars(body: Mapping[str, str]) -> int:
    """A money body in cents."""
    whole, _, rest = body["amount"].partition(".")
    sign = -1 if whole.startswith("-") else 1
    return int(whole) * 100 + sign * int(rest)
