"""Tables of staffing. Rates are micro-dollars an hour, hours are hundredths: exact integers both."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, Integer, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from backoffice.platform.tables import Id, Instant, one_of, tenant_table
from backoffice.staffing.states import STATUSES

CLIENT_STATUSES = ("active", "inactive")
ASSIGNMENT_STATUSES = ("active", "ended")
DAY_HUNDREDTHS = 2400

client = tenant_table(
    "client",
    Column("name", Text, nullable=False),
    Column("billing_email", Text),
    Column("address_line1", Text, nullable=False),
    Column("address_line2", Text),
    Column("city", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("postal_code", Text, nullable=False),
    Column("payment_terms_days", SmallInteger, nullable=False, server_default=text("30")),
    one_of("status", CLIENT_STATUSES, default="active"),
    CheckConstraint("payment_terms_days BETWEEN 0 AND 365", name="payment_terms_days"),
    indexes=[("name", "id")],
)

assignment = tenant_table(
    "assignment",
    Column("worker_id", Id, nullable=False),
    Column("client_id", Id, nullable=False),
    Column("job_title", Text, nullable=False),
    Column("pay_rate_micros", BigInteger, nullable=False),
    Column("bill_rate_micros", BigInteger, nullable=False),
    Column("work_state", Text, nullable=False),
    Column("work_city", Text, nullable=False),
    Column("work_postal_code", Text, nullable=False),
    Column("work_locality", Text),  # a name of the jurisdiction set, or "none"
    Column("started_on", Date, nullable=False),
    Column("ended_on", Date),
    one_of("status", ASSIGNMENT_STATUSES, default="active"),
    CheckConstraint("pay_rate_micros > 0 AND bill_rate_micros >= 0", name="rates"),
    CheckConstraint("ended_on >= started_on", name="ended_on"),
    CheckConstraint("status <> 'ended' OR ended_on IS NOT NULL", name="ended"),
    refs=[("worker_id", "worker"), ("client_id", "client")],
    indexes=[("status", "id")],
)

# The hours of one assignment in one workweek of the employer. `worker_id` is the assignment's.
timesheet = tenant_table(
    "timesheet",
    Column("assignment_id", Id, nullable=False),
    Column("worker_id", Id, nullable=False),
    Column("week_start", Date, nullable=False),
    one_of("status", STATUSES, default="draft"),
    Column("total_hundredths", Integer, nullable=False, server_default=text("0")),
    Column("submitted_at", Instant),
    Column("approved_at", Instant),
    Column("approved_by", Text),
    Column("rejected_reason", Text),
    Column("payroll_run_id", Id),  # the run that counts these hours; they do not change while it is set
    CheckConstraint("(approved_at IS NOT NULL) = (status = 'approved')", name="approved"),
    CheckConstraint("status <> 'submitted' OR submitted_at IS NOT NULL", name="submitted"),
    CheckConstraint("payroll_run_id IS NULL OR status = 'approved'", name="payroll_run"),
    unique=[("assignment_id", "week_start")],
    refs=[("assignment_id", "assignment"), ("worker_id", "worker")],
    indexes=[("week_start", "status"), ("status", "id"), ("payroll_run_id",)],
)

timesheet_entry = tenant_table(
    "timesheet_entry",
    Column("timesheet_id", Id, nullable=False),
    Column("work_date", Date, nullable=False),
    Column("hundredths", SmallInteger, nullable=False),
    Column("external_id", Text, CheckConstraint("length(external_id) <= 128", name="external_id")),
    CheckConstraint(f"hundredths BETWEEN 1 AND {DAY_HUNDREDTHS}", name="hundredths"),
    noun=False,
    key=("timesheet_id", "work_date"),
    unique=[("external_id",)],
    refs=[("timesheet_id", "timesheet")],
    indexes=[("work_date",)],
)

# What a timesheet said before a change: `version` is the timesheet's own at that time.
timesheet_version = tenant_table(
    "timesheet_version",
    Column("timesheet_id", Id, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("entries", JSONB, nullable=False),
    Column("actor", Text, nullable=False),  # who made the change that replaced it
    Column("request_id", Text, nullable=False),
    Column("replaced_at", Instant, nullable=False),
    noun=False,
    key=("timesheet_id", "version"),
    refs=[("timesheet_id", "timesheet")],
    append_only=True,
)
