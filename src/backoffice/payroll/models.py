"""Tables of payroll. Amounts are cents, hours are hundredths, rates are millionths of a dollar."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Date, Index, Integer, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from backoffice.payroll.states import PAYMENT_STATES, STATES
from backoffice.platform.tables import Id, Instant, one_of, tenant_table

# Posted to the ledger, sent in a bank file; come back, until it is sent again.
PAYMENTS = ("pending", "posted", "sent", "returned")
TAXES = ("employee_tax", "employer_tax")  # the kinds of line that are owed to a jurisdiction, by who pays
WITHHELD = ("deduction", "garnishment")  # what is taken from the worker for somebody else
_ZERO = text("0")
_NET = "gross_minor - employee_taxes_minor - deductions_minor - garnishments_minor = net_minor"

payroll_run = tenant_table(
    "payroll_run",
    one_of("status", STATES, default="draft"),
    Column("pay_schedule", Text, nullable=False),
    Column("frequency", Text, nullable=False),
    Column("workweek_starts", SmallInteger, nullable=False),
    Column("employer_id", Id, nullable=False),
    Column("period_begin", Date, nullable=False),
    Column("period_end", Date, nullable=False),
    Column("pay_date", Date, nullable=False),
    Column("created_by", Text, nullable=False),  # the maker: a person, or the platform
    Column("approved_by", Text),
    Column("approved_at", Instant),
    Column("calculated_at", Instant),
    Column("paid_at", Instant),
    Column("paycheck_count", Integer, nullable=False, server_default=_ZERO),
    Column("gross_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("employee_taxes_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("employer_taxes_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("deductions_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("garnishments_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("net_minor", BigInteger, nullable=False, server_default=_ZERO),
    CheckConstraint("period_begin <= period_end AND period_end <= pay_date", name="dates"),
    CheckConstraint(_NET, name="net"),
    CheckConstraint("status NOT IN ('approved', 'paying', 'paid') OR approved_by IS NOT NULL", name="approved"),
    CheckConstraint("(paid_at IS NOT NULL) = (status = 'paid')", name="paid"),
    indexes=[("status", "id"), ("pay_date", "id")],
)
# A period of a schedule is paid once; a canceled run leaves room for another.
Index(
    "payroll_run_period_idx",
    payroll_run.c.tenant_id, payroll_run.c.pay_schedule, payroll_run.c.period_begin,
    unique=True, postgresql_where=text("status <> 'canceled'"),
)  # fmt: skip

paycheck = tenant_table(
    "paycheck",
    Column("run_id", Id, nullable=False),
    Column("worker_id", Id, nullable=False),
    Column("number", Integer, nullable=False),  # the worker's number, the individual id in the bank file
    Column("bank_account_id", Id),  # where it goes; said anew when the payment begins
    Column("pay_date", Date, nullable=False),
    Column("gross_minor", BigInteger, nullable=False),
    Column("employee_taxes_minor", BigInteger, nullable=False),
    Column("employer_taxes_minor", BigInteger, nullable=False),
    Column("deductions_minor", BigInteger, nullable=False),
    Column("garnishments_minor", BigInteger, nullable=False),
    Column("net_minor", BigInteger, nullable=False),
    Column("hours_hundredths", Integer, nullable=False),
    Column("inputs", JSONB, nullable=False),  # what the calculation was told: enough to repeat it
    Column("notes", JSONB, nullable=False),
    Column("tables", JSONB, nullable=False),  # name → version of the law used
    one_of("payment", PAYMENTS, default="pending"),
    CheckConstraint(_NET, name="net"),
    unique=[("run_id", "worker_id")],
    refs=[("run_id", "payroll_run"), ("worker_id", "worker"), ("bank_account_id", "bank_account")],
)

paycheck_line = tenant_table(
    "paycheck_line",
    Column("paycheck_id", Id, nullable=False),
    Column("line", SmallInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("jurisdiction", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("wages_minor", BigInteger),  # of a tax: the wages subject to it, before any cap
    Column("programme", Boolean, nullable=False),
    Column("assignment_id", Id),
    Column("workweek", Date),  # of an earning: the first day of the week it was earned in
    Column("hours_hundredths", Integer),
    Column("rate_micros", BigInteger),
    Column("deduction_id", Id),  # of a deduction or a garnishment: the record that it is taken for
    Column("withholding_order_id", Id),
    CheckConstraint(
        "(kind <> 'deduction' OR deduction_id IS NOT NULL)"
        " AND (kind <> 'garnishment' OR withholding_order_id IS NOT NULL)",
        name="record",
    ),
    noun=False,
    key=("paycheck_id", "line"),
    refs=[
        ("paycheck_id", "paycheck"),
        ("assignment_id", "assignment"),
        ("deduction_id", "deduction"),
        ("withholding_order_id", "withholding_order"),
    ],
)

# One entry of a bank file: a paycheck's direct deposit. What came back and went out again is another row.
payment = tenant_table(
    "payment",
    one_of("status", PAYMENT_STATES, default="sent"),
    Column("run_id", Id, nullable=False),
    Column("paycheck_id", Id, nullable=False),
    Column("worker_id", Id, nullable=False),
    Column("bank_account_id", Id, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("retry_of", Id),  # the payment that came back, of which this is the next attempt
    Column("trace_number", Text, nullable=False),
    Column("settles_on", Date, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("return_code", Text),
    Column("returned_on", Date),
    CheckConstraint("amount_minor > 0", name="amount"),
    CheckConstraint("attempt = 1 OR (attempt > 1 AND retry_of IS NOT NULL)", name="attempt"),
    CheckConstraint(
        "(return_code IS NOT NULL) = (status <> 'sent') AND (returned_on IS NOT NULL) = (status <> 'sent')",
        name="returned",
    ),
    unique=[("paycheck_id", "attempt"), ("retry_of",)],
    refs=[
        ("run_id", "payroll_run"),
        ("paycheck_id", "paycheck"),
        ("worker_id", "worker"),
        ("bank_account_id", "bank_account"),
        ("retry_of", "payment"),
    ],
    indexes=[("status", "id")],
)

# Few come back: what did is found by its account without the rest.
Index("payment_returned_idx", payment.c.tenant_id, payment.c.bank_account_id,
      postgresql_where=text("return_code IS NOT NULL"))  # fmt: skip

# What paid runs of a year add up to: the sums of their lines of taxes, deductions and garnishments.
year_to_date = tenant_table(
    "year_to_date",
    Column("employer_id", Id, nullable=False),
    Column("worker_id", Id, nullable=False),
    Column("year", SmallInteger, nullable=False),
    one_of("kind", (*TAXES, *WITHHELD)),
    Column("code", Text, nullable=False),
    Column("jurisdiction", Text, nullable=False),
    Column("wages_minor", BigInteger, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    noun=False,
    key=("employer_id", "worker_id", "year", "kind", "code", "jurisdiction"),
    refs=[("employer_id", "employer"), ("worker_id", "worker")],
)
