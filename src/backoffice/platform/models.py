"""Tables of the platform: jobs, events, idempotent answers, counters, audit, data keys, clocks."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from backoffice.platform.tables import Dispatch, Id, Instant, one_of, tenant_table

JOB_STATES = ("scheduled", "ready", "released", "running", "succeeded", "retry_wait", "waiting", "canceled", "dead")
BANDS = ("interactive", "normal", "bulk")
_FALSE = text("false")
_ZERO = text("0")
_DB_NOW = text("clock_timestamp()")

job = tenant_table(
    "job",
    Column("kind", Text, nullable=False),
    Column("kind_version", SmallInteger, nullable=False),
    Column("key", Text),  # idempotent submit: one job per (kind, key)
    one_of("band", BANDS),
    one_of("state", JOB_STATES),
    Column("payload", JSONB, nullable=False),
    Column("result", JSONB),
    Column("problem", JSONB),
    Column("actor", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("traceparent", Text),
    Column("parent_id", Id),
    Column("run_at", Instant, nullable=False, server_default=_DB_NOW),  # database time: not released before
    Column("due_at", Instant),  # tenant time: what a moved clock makes due
    Column("deadline_at", Instant),
    Column("attempt", SmallInteger, nullable=False, server_default=_ZERO),
    Column("max_attempts", SmallInteger, nullable=False),
    Column("crashes", SmallInteger, nullable=False, server_default=_ZERO),
    Column("fence", BigInteger, nullable=False, server_default=_ZERO),
    Column("lease_until", Instant),
    Column("worker", Text),
    Column("started_at", Instant),  # database time, of the present or last try
    Column("finished_at", Instant),  # database time
    Column("began_at", Instant),  # tenant time of the first try
    Column("cancel_requested", Boolean, nullable=False, server_default=_FALSE),
    Column("progress_done", Integer, nullable=False, server_default=_ZERO),
    Column("progress_total", Integer, nullable=False, server_default=_ZERO),
    Column("progress_text", Text),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    CheckConstraint("(lease_until IS NOT NULL) = (state IN ('released', 'running'))", name="lease"),
    CheckConstraint("(finished_at IS NOT NULL) = (state IN ('succeeded', 'canceled', 'dead'))", name="finished"),
    CheckConstraint("state <> 'running' OR (worker IS NOT NULL AND started_at IS NOT NULL)", name="running"),
    noun=False,
    refs=[("parent_id", "job")],
    dispatch=Dispatch(
        select=(
            *("id", "tenant_id", "kind", "band", "state", "run_at", "deadline_at", "attempt", "crashes", "fence"),
            *("lease_until", "worker", "started_at", "finished_at", "cancel_requested"),
        ),
        update=("state", "attempt", "crashes", "fence", "lease_until", "worker", "run_at", "started_at", "finished_at"),
    ),
)
# Release looks for what may start, the sweeper for leases that ran out; both across tenants, so by state first
# inside a partial index whose leading column is still the tenant.
Index("job_ready_idx", job.c.tenant_id, job.c.band, job.c.run_at, job.c.id,
      postgresql_where=text("state IN ('scheduled', 'ready', 'retry_wait')"))  # fmt: skip
Index("job_leased_idx", job.c.tenant_id, job.c.lease_until, postgresql_where=text("state IN ('released', 'running')"))
Index("job_open_children_idx", job.c.tenant_id, job.c.parent_id,
      postgresql_where=text("parent_id IS NOT NULL AND finished_at IS NULL"))  # fmt: skip
Index("job_kind_key_key", job.c.tenant_id, job.c.kind, job.c.key, unique=True, postgresql_where=text("key IS NOT NULL"))
Index("job_ended_idx", job.c.tenant_id, job.c.finished_at, postgresql_where=text("finished_at IS NOT NULL"))
Index("job_waiting_idx", job.c.tenant_id, postgresql_where=text("state = 'waiting'"))
Index("job_due_idx", job.c.tenant_id, job.c.due_at, postgresql_where=text("state = 'scheduled'"))

job_step = tenant_table(
    "job_step",
    Column("job_id", Id, nullable=False),
    Column("name", Text, nullable=False),
    Column("result", JSONB),
    Column("finished_at", Instant, nullable=False, server_default=_DB_NOW),
    noun=False,
    key=("job_id", "name"),
    refs=[("job_id", "job")],
)

TRY_OUTCOMES = ("retried", "failed", "canceled", "crashed", "given_back", "waiting")

# How each try ended, and what its handler said. A try that succeeded, or still runs, stands in the job itself, so that
# a job that goes well writes nothing here. Database time throughout.
job_log = tenant_table(
    "job_log",
    Column("job_id", Id, nullable=False),
    Column("fence", BigInteger, nullable=False),  # of the try
    Column("at", Instant, nullable=False, server_default=_DB_NOW),
    one_of("outcome", TRY_OUTCOMES, nullable=True),  # none: a line that was said
    Column("error_code", Text),
    Column("started_at", Instant),
    Column("worker", Text),
    Column("said", Text),
    CheckConstraint("(outcome IS NULL) = (said IS NOT NULL)", name="said"),
    noun=False,
    refs=[("job_id", "job")],
    dispatch=Dispatch(insert=("tenant_id", "job_id", "fence", "outcome", "started_at", "worker")),
)

schedule = tenant_table(
    "schedule",
    Column("name", Text, nullable=False),
    one_of("source", ("tenant_file", "platform")),
    one_of("status", ("active", "paused"), default="active"),
    Column("rule", Text, nullable=False),  # as kernel.recurrence reads it
    Column("time_zone", Text, nullable=False),
    one_of("catch_up", ("none", "one", "all")),
    Column("catch_up_limit", SmallInteger, nullable=False, server_default=text("1")),
    Column("kind", Text, nullable=False),
    Column("kind_version", SmallInteger, nullable=False),
    one_of("band", BANDS),
    Column("max_attempts", SmallInteger, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("due_at", Instant),  # tenant time of the next fire; none while paused
    Column("next_at", Instant),  # database time of the same; none while paused and where the tenant's clock stands
    Column("fired_at", Instant),  # tenant time for which it fired last
    CheckConstraint("status = 'active' OR (due_at IS NULL AND next_at IS NULL)", name="paused"),
    CheckConstraint("next_at IS NULL OR due_at IS NOT NULL", name="next"),
    unique=[("name",)],
    indexes=[("next_at",)],
    outlives_reset=True,
    dispatch=Dispatch(select=("tenant_id", "id", "next_at")),
)

event = tenant_table(
    "event",
    Column("type", Text, nullable=False),
    Column("object_type", Text, nullable=False),
    Column("object_id", Id, nullable=False),
    Column("object_sequence", BigInteger, nullable=False),
    Column("body", Text, nullable=False),  # the payload as sent, rendered once; a delivery splices in `sequence`
    Column("actor", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("traceparent", Text),
    Column("occurred_at", Instant, nullable=False),  # tenant clock
    Column("recorded_at", Instant, nullable=False, server_default=_DB_NOW),
    Column("fanned_out", Boolean, nullable=False, server_default=_FALSE),
    noun=False,
    unique=[("object_id", "object_sequence")],
    dispatch=Dispatch(select=("tenant_id", "id", "fanned_out"), update=("fanned_out",)),
)
Index("event_fan_out_idx", event.c.tenant_id, event.c.id, postgresql_where=text("NOT fanned_out"))
Index("event_type_idx", event.c.tenant_id, event.c.type, event.c.id)
Index("event_recorded_idx", event.c.tenant_id, event.c.recorded_at)  # what is old enough to go

object_sequence = tenant_table(
    "object_sequence",
    Column("object_id", Id, nullable=False),
    Column("last", BigInteger, nullable=False),
    noun=False,
    key=("object_id",),
)

counter = tenant_table(
    "counter",
    Column("name", Text, nullable=False),
    Column("next", BigInteger, nullable=False),
    noun=False,
    key=("name",),
)

idempotency = tenant_table(
    "idempotency",
    Column("scope", Text, nullable=False),  # method and path
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("expires_at", Instant, nullable=False),  # database time
    noun=False,
    key=("scope", "key"),
    indexes=[("expires_at",)],
)

audit_event = tenant_table(
    "audit_event",
    Column("at", Instant, nullable=False, server_default=_DB_NOW),
    Column("actor", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("key_id", Id),
    Column("grant_id", Text),
    Column("request_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object_type", Text),
    Column("object_id", Id),
    Column("object_version", BigInteger),
    Column("changed", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("reason", Text),
    noun=False,
    append_only=True,
    outlives_reset=True,
    indexes=[("object_id", "id"), ("request_id",)],
    sealer=("SELECT",),
)

Index("audit_event_revealed_idx", audit_event.c.tenant_id, audit_event.c.actor, audit_event.c.at,
      postgresql_where=text("action = 'worker.revealed'"))  # fmt: skip

data_key = tenant_table(
    "data_key",
    Column("key_version", SmallInteger, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    one_of("state", ("active", "retired"), default="active"),
    Column("created_at", Instant, nullable=False, server_default=_DB_NOW),
    noun=False,
    key=("key_version",),
    outlives_reset=True,
)

test_clock = tenant_table(
    "test_clock",
    Column("frozen_time", Instant, nullable=False),
    one_of("status", ("ready", "advancing"), default="ready"),
    Column("advancing_to", Instant),
    Column("job_id", Id),  # what moves it, or moved it last
    Column("seed", BigInteger),  # what the tenant's ids are drawn from; none: they are random
    Column("drawn", BigInteger, nullable=False, server_default=_ZERO),  # transactions that drew ids
    CheckConstraint("(status = 'advancing') = (advancing_to IS NOT NULL)", name="advancing"),
    Column("one", Boolean, CheckConstraint("one", name="one"), nullable=False, server_default=text("true")),
    unique=[("one",)],  # a tenant has one clock
)
