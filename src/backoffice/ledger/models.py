"""Tables of the ledger. All three are append-only: `bo_app` may insert and read them, nothing else.

Their zero-sum triggers are in `migrations/versions/0001_ledger.sql`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from backoffice.ledger.calc import KINDS, MAX_LINES, SIDES
from backoffice.platform.tables import Id, Instant, one_of, tenant_table

_CURRENCY = "currency ~ '^[A-Z]{3}$'"

account = tenant_table(
    "ledger_account",
    Column("code", Text, nullable=False),
    Column("name", Text, nullable=False),
    one_of("kind", KINDS),
    Column("currency", Text, CheckConstraint(_CURRENCY, name="currency"), nullable=False),
    one_of("normal_side", SIDES),
    Column("facts", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    unique=[("code",)],
    append_only=True,
)

transaction = tenant_table(
    "ledger_transaction",
    Column("key", Text, nullable=False),  # the caller's: posted once
    Column("fingerprint", LargeBinary, nullable=False),  # of everything that was said under the key
    Column("effective_date", Date, nullable=False),  # when it counts
    Column("posted_at", Instant, nullable=False),  # when it was written (tenant clock)
    Column("posted_by", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("source", Text),  # the outward id of what caused it
    Column("reverses", Id),
    Column(
        "entry_count",
        SmallInteger,
        CheckConstraint(f"entry_count BETWEEN 2 AND {MAX_LINES}", name="entry_count"),
        nullable=False,
    ),
    noun=False,
    unique=[("key",), ("reverses",)],
    refs=[("reverses", "ledger_transaction")],
    indexes=[("effective_date", "id"), ("source", "id")],
    append_only=True,
)

entry = tenant_table(
    "ledger_entry",
    Column("transaction_id", Id, nullable=False),
    # 1, 2, 3 … Together with the trigger on this table the unique key closes a transaction to later entries.
    Column("line", SmallInteger, CheckConstraint("line >= 1", name="line"), nullable=False),
    Column("account_id", Id, nullable=False),
    Column("amount_minor", BigInteger, CheckConstraint("amount_minor <> 0", name="amount_minor"), nullable=False),
    Column("currency", Text, CheckConstraint(_CURRENCY, name="currency"), nullable=False),
    Column("effective_date", Date, nullable=False),  # the transaction's, so that a balance reads one index
    Column("memo", Text),
    noun=False,
    unique=[("transaction_id", "line")],
    refs=[("transaction_id", "ledger_transaction"), ("account_id", "ledger_account")],
    indexes=[("account_id", "effective_date")],
    append_only=True,
)
