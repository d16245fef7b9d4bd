"""What goes in and comes out of payroll, and the jobs it starts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from backoffice.platform.jobs.kinds import Band, JobPayload
from backoffice.platform.web.bodies import ExternalId, Metadata, MoneyBody, Noun

ScheduleName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,62}$", examples=["weekly"])]


class CreatePayrollRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open a run for one period of a pay schedule. `pay_date` is the schedule's payday when it is left out."""

    external_id: ExternalId | None = None
    pay_schedule: ScheduleName
    period_begin: date
    pay_date: date | None = None
    metadata: Metadata = {}


class RunTotals(msgspec.Struct, frozen=True, kw_only=True):
    gross: MoneyBody
    employee_taxes: MoneyBody
    employer_taxes: MoneyBody
    deductions: MoneyBody
    garnishments: MoneyBody
    net: MoneyBody


class PayrollRun(Noun, kw_only=True):
    """`totals` are those of the last calculation."""

    status: str
    pay_schedule: str
    employer_id: str
    period_begin: date
    period_end: date
    pay_date: date
    created_by: str
    approved_by: str | None
    approved_at: datetime | None
    calculated_at: datetime | None
    paid_at: datetime | None
    paycheck_count: int
    totals: RunTotals


class PaycheckLine(msgspec.Struct, frozen=True, kw_only=True):
    """`kind`: earning, employee_tax, employer_tax, deduction (with its `deduction_id`), garnishment (with its
    `withholding_order_id`). Earnings of an assignment carry its hours and rate, premiums
    (overtime_premium, double_time_premium) the hours they are for and what they come to for each, and each earning the
    first day of its workweek: before the run's period for hours that were approved late."""

    code: str
    kind: str
    jurisdiction: str
    amount: MoneyBody
    assignment_id: str | None = None
    workweek: date | None = None
    hours: str | None = None
    rate: str | None = None
    deduction_id: Annotated[str, Meta(examples=["ded_01m79t1100e008000000000000"])] | None = None
    withholding_order_id: Annotated[str, Meta(examples=["wo_01m79t1100e008000000000000"])] | None = None


class PaycheckNote(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    detail: str


class Paycheck(Noun, kw_only=True):
    payroll_run_id: str
    worker_id: str
    pay_date: date
    gross: MoneyBody
    employee_taxes: MoneyBody
    employer_taxes: MoneyBody
    deductions: MoneyBody
    garnishments: MoneyBody
    net: MoneyBody
    hours: str
    payment: str
    bank_account_id: str | None
    notes: list[PaycheckNote]
    tables: dict[str, str]


class PaycheckDetail(Paycheck, kw_only=True):
    lines: list[PaycheckLine]


class PaymentReturn(msgspec.Struct, frozen=True, kw_only=True):
    """Why and on which day a direct deposit came back: the bank's code (`R02`), what it means, and what to do."""

    code: Annotated[str, Meta(examples=["R02"])]
    reason: str
    returned_on: date
    ask: str


class Payment(Noun, kw_only=True):
    """One direct deposit in one bank file. `status`: sent, returned, retrying (a further file is being made), retried
    (another payment, whose `retry_of` is this one, went out in its place)."""

    status: str
    payroll_run_id: str
    paycheck_id: str
    worker_id: str
    bank_account_id: str
    amount: MoneyBody
    attempt: int
    retry_of: Annotated[str, Meta(examples=["pay_01m79t1100e008000000000000"])] | None
    trace_number: Annotated[str, Meta(examples=["990100020000001"])]
    settles_on: date
    sent_at: datetime
    returned: PaymentReturn | None


class PaycheckComparison(msgspec.Struct, kw_only=True):
    """Why a paycheck's net is not that of another of the same worker. Each entry of `lines` is a line that differs,
    with its `changes`: an input, a row of a table, a version of the law, other steps, each with its `effect_on_net`;
    they sum to `difference`. `tables` are those whose versions differ; `text` is the same for a terminal."""

    compared_to: Annotated[str, Meta(examples=["pchk_01m79t1100e008000000000000"])]
    net_before: MoneyBody
    net_after: MoneyBody
    difference: MoneyBody
    lines: list[dict[str, Any]]
    tables: dict[str, Any]
    text: list[str]


class PaycheckDerivation(msgspec.Struct, kw_only=True):
    """Why each line of a paycheck is what it is: inputs, rule, table row, rounding and citation of every step; `text`
    is the same for a terminal. `tables` are the versions of the law it was read from; `calculated_with` those of the
    calculation, where a later version gives the same numbers. `comparison` is there where `compare_to` asked for it."""

    object: str = "paycheck_derivation"
    paycheck_id: str
    tables: dict[str, str]
    calculated_with: dict[str, str]
    lines: list[dict[str, Any]]
    text: list[str]
    comparison: PaycheckComparison | None = None


class BlockerFix(msgspec.Struct, frozen=True, kw_only=True):
    who: str
    what: str
    api: str | None = None


class Blocker(msgspec.Struct, frozen=True, kw_only=True):
    """`severity` blocking stops the run; a warning does not. `subject` is the id of what it is about."""

    code: str
    subject: str
    severity: str
    detail: str
    fix: BlockerFix
    deadline: datetime | None = None


class BlockerList(msgspec.Struct, kw_only=True):
    object: str = "list"
    data: list[Blocker]
    has_more: bool = False


class TaxLiability(msgspec.Struct, frozen=True, kw_only=True):
    """What is owed to a jurisdiction for a run; `account` is the ledger account that holds it."""

    code: str
    jurisdiction: str
    account: str
    employee: MoneyBody
    employer: MoneyBody
    total: MoneyBody


class TaxLiabilityList(msgspec.Struct, kw_only=True):
    object: str = "list"
    data: list[TaxLiability]
    has_more: bool = False
    total: MoneyBody


class RunWork(JobPayload, frozen=True, kw_only=True):
    """Work on a run. `run_version` is the run's since it stands in the working state: it changes when that ends, so a
    job that is taken up later finds that it is no longer wanted."""

    band: ClassVar[Band] = "interactive"
    run_id: str
    run_version: int


class CalculateRun(RunWork, frozen=True, kw_only=True):
    kind: ClassVar[str] = "payroll.calculate"


class PayRun(RunWork, frozen=True, kw_only=True):
    kind: ClassVar[str] = "payroll.pay"


class RetryPayment(JobPayload, frozen=True, kw_only=True):
    """Send again what came back, to this account. `payment_version` is the payment's since it stands in `retrying`."""

    kind: ClassVar[str] = "payroll.retry_payment"
    band: ClassVar[Band] = "interactive"
    payment_id: str
    payment_version: int
    bank_account_id: str


class ReturnPayment(JobPayload, frozen=True, kw_only=True):
    """A test tenant's bank sends a payment back: nothing, where it has come back before."""

    kind: ClassVar[str] = "payroll.return_payment"
    payment_id: str
    code: str


class PrintStubs(JobPayload, frozen=True, kw_only=True):
    kind: ClassVar[str] = "payroll.print_stubs"
    band: ClassVar[Band] = "bulk"
    run_id: str


class OpenRun(JobPayload, frozen=True, kw_only=True):
    """Open the run of the pay period that ended last before `scheduled_for`."""

    kind: ClassVar[str] = "payroll.open_run"
    pay_schedule: str
    scheduled_for: datetime


class OrderWithheld(msgspec.Struct, kw_only=True):
    """`id` is the order's. What posted paychecks withheld by it: in all, and with a payday in this year of the tenant's
    clock. An order has no total: that it is satisfied is the issuer's to say."""

    id: str
    object: str = "withholding_order_withheld"
    livemode: bool
    paychecks: int
    last_pay_date: date | None
    in_all: MoneyBody
    this_year: MoneyBody


class DeductionWithheld(OrderWithheld, kw_only=True):
    """`id` is the deduction's. `left`: what its goals still want, the nearer one; null without a goal."""

    object: str = "deduction_withheld"
    left: MoneyBody | None
