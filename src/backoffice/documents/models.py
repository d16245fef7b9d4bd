"""Tables of documents."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, Index, LargeBinary, Text, text

from backoffice.platform.tables import Id, Instant, one_of, tenant_table

STATUSES = ("storing", "available")

document = tenant_table(
    "document",
    Column("key", Text, nullable=False),  # the caller's: stored once
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("subject", Text),  # the outward id of what it is about
    Column("retention_until", Date),
    one_of("status", STATUSES),
    Column("job_id", Id, nullable=False),  # that is storing it, or was the last to; no foreign key: jobs go sooner
    Column("storage_key", Text, nullable=False),
    Column("size_bytes", BigInteger),  # of the clear content, as is the hash
    Column("sha256", LargeBinary),
    CheckConstraint(
        "(status = 'available') = (size_bytes IS NOT NULL) AND (status = 'available') = (sha256 IS NOT NULL)",
        name="available",
    ),
    unique=[("key",)],
    indexes=[("subject", "id"), ("kind", "id")],
)

Index("document_storing_idx", document.c.tenant_id, document.c.job_id,
      postgresql_where=text("status = 'storing'"))  # fmt: skip

document_link = tenant_table(
    "document_link",
    Column("document_id", Id, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),  # database time
    Column("used_at", Instant),  # database time
    noun=False,
    refs=[("document_id", "document")],
)
