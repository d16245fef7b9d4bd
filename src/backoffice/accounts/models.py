"""Tables of accounts. Firms, tenants and credentials lie in `ctl`, which no tenant's transaction reads directly."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from backoffice.platform.tables import Id, Instant, one_of, tenant_table

FREQUENCIES = ("daily", "weekly", "biweekly", "semimonthly", "monthly", "quarterly", "semiannual", "annual")

person = tenant_table(
    "person",
    Column("slug", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("roles", JSONB, nullable=False),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    unique=[("slug",), ("email",)],
    outlives_reset=True,
)

api_key = tenant_table(
    "api_key",
    Column("person_id", Id, nullable=False),
    Column("name", Text, nullable=False),
    one_of("kind", ("sk", "rk", "pk")),
    Column("hint", Text, nullable=False),
    Column("scopes", JSONB, nullable=False),
    Column("allowed_ips", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("not_after", Instant),
    Column("revoked_at", Instant),
    refs=[("person_id", "person")],
    outlives_reset=True,
)

employer = tenant_table(
    "employer",
    Column("legal_name", Text, nullable=False),
    Column("ein", Text, nullable=False),
    Column("address", JSONB, nullable=False),
    Column("state_accounts", JSONB, nullable=False),
    Column("bank", JSONB, nullable=False),
    Column("offset_account_sealed", LargeBinary),  # the account a balanced ACH file debits
    unique=[("ein",)],
    outlives_reset=True,
)

pay_schedule = tenant_table(
    "pay_schedule",
    Column("name", Text, nullable=False),
    one_of("frequency", FREQUENCIES),
    Column("workweek_starts", SmallInteger, nullable=False),  # 0 = Monday
    Column("first_period_begins", Date, nullable=False),
    Column("payday_after_days", SmallInteger, nullable=False),
    unique=[("name",)],
    outlives_reset=True,
)

tenant_setting = tenant_table(
    "tenant_setting",
    Column("name", Text, nullable=False),
    Column("value", JSONB, nullable=False),
    noun=False,
    key=("name",),
    outlives_reset=True,
)
