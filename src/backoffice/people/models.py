"""Tables of people."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    text,
)

from backoffice.platform.tables import Id, Instant, one_of, tenant_table

WORKER_STATUSES = ("active", "inactive")
W4_VERSIONS = ("2020_or_later", "2019_or_earlier")
FILING_STATUSES = ("single", "married_filing_jointly", "married_filing_separately", "head_of_household")
# A field of a state's certificate → its column. Rates are millionths, amounts cents; null: the form does not say.
STATE_FORM = {
    **{name: name for name in ("allowances", "secondary_allowances", "dependent", "first_time_dependent", "adopted")},
    **{name: f"{name}_millionths" for name in ("elected_rate", "local_rate", "county_rate")},
    **{
        name: f"{name}_minor"
        for name in ("elected_annual_credit", "elected_annual_exemption", "additional_withholding")
    },
    "status": "state_status",
    "exempt": "exempt",
}
FEDERAL = "US"
ACCOUNT_KINDS = ("checking", "savings")
ACCOUNT_STATUSES = ("active", "closed")
_ZERO = text("0")
_FALSE = text("false")

worker = tenant_table(
    "worker",
    Column("number", BigInteger, nullable=False),
    Column("first_name", Text, nullable=False),
    Column("middle_name", Text),
    Column("last_name", Text, nullable=False),
    Column("email", Text),
    Column("phone", Text),
    Column("address_line1", Text, nullable=False),
    Column("address_line2", Text),
    Column("city", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("postal_code", Text, nullable=False),
    Column("residence_locality", Text),  # a name of the jurisdiction set, or NO_LOCALITY
    Column("ssn_sealed", LargeBinary),
    Column("ssn_bidx", LargeBinary),
    Column("ssn_last4", Text),
    Column("birth_date_sealed", LargeBinary),
    one_of("status", WORKER_STATUSES, default="active"),
    CheckConstraint("(ssn_sealed IS NULL) = (ssn_bidx IS NULL)", name="ssn"),
    CheckConstraint("(ssn_sealed IS NULL) = (ssn_last4 IS NULL)", name="ssn_last4"),
    unique=[("number",), ("ssn_bidx",)],
    indexes=[("status", "id"), ("last_name", "id"), ("email",), ("created_at", "id")],
)

employment = tenant_table(
    "employment",
    Column("worker_id", Id, nullable=False),
    Column("employer_id", Id, nullable=False),
    Column("pay_schedule_id", Id, nullable=False),
    Column("job_title", Text),
    Column("hired_on", Date, nullable=False),
    Column("ended_on", Date),
    CheckConstraint("ended_on >= hired_on", name="ended_on"),
    refs=[("worker_id", "worker"), ("employer_id", "employer"), ("pay_schedule_id", "pay_schedule")],
)
# A worker has one employment at a time with an employer, whoever asks first.
Index("employment_open_key", employment.c.tenant_id, employment.c.worker_id, employment.c.employer_id,
      unique=True, postgresql_where=text("ended_on IS NULL"))  # fmt: skip

# One row per certificate as signed: never changed, followed by a later one. `jurisdiction` is US for Form W-4, else the
# state whose own certificate it is; the columns of the other form are null.
tax_election = tenant_table(
    "tax_election",
    Column("worker_id", Id, nullable=False),
    Column("jurisdiction", Text, nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("signed_on", Date),
    one_of("w4_version", W4_VERSIONS, nullable=True),
    one_of("filing_status", FILING_STATUSES, nullable=True),
    Column("step2_checkbox", Boolean, nullable=False, server_default=_FALSE),
    Column("step3_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("step4a_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("step4b_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("step4c_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("exempt", Boolean, nullable=False, server_default=_FALSE),
    Column("nonresident_alien", Boolean, nullable=False, server_default=_FALSE),
    Column("state_status", Text),  # a key of the state's own table
    Column("allowances", SmallInteger, nullable=False, server_default=_ZERO),
    Column("secondary_allowances", SmallInteger, nullable=False, server_default=_ZERO),
    Column("dependent", SmallInteger),
    Column("first_time_dependent", SmallInteger),
    Column("adopted", SmallInteger),
    Column("elected_rate_millionths", Integer),
    Column("local_rate_millionths", Integer),
    Column("county_rate_millionths", Integer),
    Column("elected_annual_credit_minor", BigInteger),
    Column("elected_annual_exemption_minor", BigInteger),
    Column("additional_withholding_minor", BigInteger),
    CheckConstraint(
        "(jurisdiction = 'US') = (w4_version IS NOT NULL) AND (jurisdiction = 'US') = (filing_status IS NOT NULL)"
        " AND (jurisdiction <> 'US' OR (state_status IS NULL AND secondary_allowances = 0 AND num_nonnulls(dependent,"
        " first_time_dependent, adopted, elected_rate_millionths, local_rate_millionths, county_rate_millionths,"
        " elected_annual_credit_minor, elected_annual_exemption_minor, additional_withholding_minor) = 0))",
        name="form",
    ),
    CheckConstraint("length(jurisdiction) = 2", name="jurisdiction"),
    CheckConstraint(
        "step3_minor >= 0 AND step4a_minor >= 0 AND step4b_minor >= 0 AND step4c_minor >= 0"
        " AND allowances >= 0 AND secondary_allowances >= 0 AND dependent >= 0 AND first_time_dependent >= 0"
        " AND adopted >= 0 AND elected_rate_millionths >= 0 AND local_rate_millionths >= 0"
        " AND county_rate_millionths >= 0 AND elected_annual_credit_minor >= 0"
        " AND elected_annual_exemption_minor >= 0 AND additional_withholding_minor >= 0",
        name="amounts",
    ),
    refs=[("worker_id", "worker")],
    indexes=[("worker_id", "jurisdiction", "effective_from", "id")],
    append_only=True,
)

bank_account = tenant_table(
    "bank_account",
    Column("worker_id", Id, nullable=False),
    Column("routing_number", Text, nullable=False),
    Column("account_sealed", LargeBinary, nullable=False),
    Column("account_bidx", LargeBinary, nullable=False),
    Column("account_last4", Text, nullable=False),
    one_of("kind", ACCOUNT_KINDS),
    Column("holder_name", Text, nullable=False),
    one_of("status", ACCOUNT_STATUSES, default="active"),
    Column("created_by", Text, nullable=False),  # a person, or the platform: another one releases money that came back
    Column("closed_at", Instant),
    CheckConstraint("(closed_at IS NOT NULL) = (status = 'closed')", name="closed"),
    refs=[("worker_id", "worker")],
    indexes=[("account_bidx",)],
)
# Net pay goes to one account: a worker has at most one that is active.
Index("bank_account_active_key", bank_account.c.tenant_id, bank_account.c.worker_id,
      unique=True, postgresql_where=text("status = 'active'"))  # fmt: skip

# What a worker agreed to have taken from each paycheck. Codes are words of the law of payroll, as at the batch door.
_ONE_MEASURE = "amount_minor >= 0 AND percent_millionths BETWEEN 0 AND 1000000"
deduction = tenant_table(
    "deduction",
    Column("worker_id", Id, nullable=False),
    Column("code", Text, nullable=False),
    Column("amount_minor", BigInteger),
    Column("percent_millionths", Integer),
    Column("effective_from", Date, nullable=False),
    Column("effective_until", Date),  # the last payday on which it is taken
    Column("total_goal_minor", BigInteger),  # it ends when so much is taken in all, or in a year until the next
    Column("yearly_goal_minor", BigInteger),
    CheckConstraint(f"num_nonnulls(amount_minor, percent_millionths) = 1 AND {_ONE_MEASURE}", name="measure"),
    CheckConstraint("effective_until >= effective_from", name="effective_until"),
    CheckConstraint("total_goal_minor > 0 AND yearly_goal_minor > 0", name="goals"),
    refs=[("worker_id", "worker")],
    indexes=[("worker_id", "effective_from", "id")],
)

# An order on wages as served. The case number names a family or a debt: it is sealed, and its end is shown.
withholding_order = tenant_table(
    "withholding_order",
    Column("worker_id", Id, nullable=False),
    Column("kind", Text, nullable=False),
    Column("case_number_sealed", LargeBinary, nullable=False),
    Column("case_number_last4", Text, nullable=False),
    Column("payee_name", Text),
    Column("amount_minor", BigInteger),
    Column("percent_millionths", Integer),
    Column("supports_other_family", Boolean, nullable=False, server_default=_FALSE),
    Column("arrears_over_12_weeks", Boolean, nullable=False, server_default=_FALSE),
    Column("dependents", SmallInteger),
    Column("served_on", Date, nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("effective_until", Date),
    CheckConstraint(f"num_nonnulls(amount_minor, percent_millionths) <= 1 AND {_ONE_MEASURE}", name="measure"),
    CheckConstraint("dependents >= 0", name="dependents"),
    CheckConstraint("effective_from >= served_on AND effective_until >= effective_from", name="effective"),
    refs=[("worker_id", "worker")],
    indexes=[("worker_id", "effective_from", "id")],
)

opening_balance = tenant_table(
    "opening_balance",
    Column("worker_id", Id, nullable=False),
    Column("employer_id", Id, nullable=False),
    Column("year", SmallInteger, nullable=False),
    Column("gross_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("social_security_wages_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("medicare_wages_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("futa_wages_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("elective_deferrals_minor", BigInteger, nullable=False, server_default=_ZERO),
    CheckConstraint(
        "gross_minor >= 0 AND social_security_wages_minor >= 0 AND futa_wages_minor >= 0"
        " AND elective_deferrals_minor >= 0"
        " AND medicare_wages_minor >= social_security_wages_minor",
        name="wages",
    ),
    unique=[("worker_id", "employer_id", "year")],
    refs=[("worker_id", "worker"), ("employer_id", "employer")],
)

opening_balance_state = tenant_table(
    "opening_balance_state",
    Column("opening_balance_id", Id, nullable=False),
    Column("state", Text, nullable=False),
    Column("wages_minor", BigInteger, nullable=False),
    CheckConstraint("wages_minor >= 0", name="wages"),
    noun=False,
    key=("opening_balance_id", "state"),
    refs=[("opening_balance_id", "opening_balance")],
)

# What a state's programme (CA_SDI, NY_PFL …) has counted and taken from the worker this year.
opening_balance_programme = tenant_table(
    "opening_balance_programme",
    Column("opening_balance_id", Id, nullable=False),
    Column("code", Text, nullable=False),
    Column("wages_minor", BigInteger, nullable=False, server_default=_ZERO),
    Column("amount_minor", BigInteger, nullable=False, server_default=_ZERO),
    CheckConstraint("wages_minor >= 0 AND amount_minor >= 0", name="amounts"),
    noun=False,
    key=("opening_balance_id", "code"),
    refs=[("opening_balance_id", "opening_balance")],
)
