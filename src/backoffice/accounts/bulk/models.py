"""Tables of bulk jobs.

The uploaded file lies here, sealed, in parts of at most 1 MiB, and not in object storage: it is there if and only if
the transaction that recorded the job committed, so nothing is orphaned by a rollback and a command stays free of other
input and output. The price is up to 64 MiB of write-ahead log for an upload; it is deleted when the job ends.
"""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Integer, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from backoffice.accounts.bulk.states import STATUSES
from backoffice.platform.tables import Id, Instant, one_of, tenant_table

FORMATS = ("csv",)
ROW_STATUSES = ("succeeded", "failed")
PART_BYTES = 1 << 20
_ZERO = text("0")

bulk_job = tenant_table(
    "bulk_job",
    Column("operation", Text, nullable=False),
    one_of("format", FORMATS),
    one_of("status", STATUSES, default="created"),
    Column("dry_run", Boolean, nullable=False, server_default=text("false")),
    Column("job_id", Id),  # no foreign key: the job's row is written last in its transaction
    Column("sent_by", Id),  # the person who started it: bad rows come back in clear to nobody else
    Column("header", JSONB),
    Column("total", Integer, nullable=False, server_default=_ZERO),
    Column("created", Integer, nullable=False, server_default=_ZERO),
    Column("updated", Integer, nullable=False, server_default=_ZERO),
    Column("unchanged", Integer, nullable=False, server_default=_ZERO),
    Column("failed", Integer, nullable=False, server_default=_ZERO),
    Column("effects", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("problem", JSONB),
    Column("finished_at", Instant),
    CheckConstraint("(finished_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'canceled'))", name="finished"),
    CheckConstraint("status = 'created' OR job_id IS NOT NULL", name="job"),
    refs=[("sent_by", "person")],
    indexes=[("status", "id")],
)

bulk_upload = tenant_table(
    "bulk_upload",
    Column("bulk_job_id", Id, nullable=False),
    Column("part", SmallInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    CheckConstraint(f"octet_length(content) <= {PART_BYTES}", name="content"),
    noun=False,
    key=("bulk_job_id", "part"),
    refs=[("bulk_job_id", "bulk_job")],
)

bulk_row = tenant_table(
    "bulk_row",
    Column("bulk_job_id", Id, nullable=False),
    Column("number", Integer, nullable=False),
    one_of("status", ROW_STATUSES),
    Column("outcome", Text),
    Column("object_id", Text),
    Column("errors", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("cells_sealed", LargeBinary),
    noun=False,
    unique=[("bulk_job_id", "number")],
    refs=[("bulk_job_id", "bulk_job")],
    indexes=[("bulk_job_id", "status", "id")],
)
