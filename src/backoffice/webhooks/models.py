"""Tables of webhooks: endpoints, one delivery per event and endpoint, one row per attempt."""

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
from sqlalchemy.dialects.postgresql import JSONB

from backoffice.platform.tables import Dispatch, Id, Instant, one_of, tenant_table
from backoffice.webhooks.states import DELIVERY_STATES, ENDPOINT_STATUSES, HEALTHS, PAYLOADS, STATUS_REASONS, TURNS

_DB_NOW = text("clock_timestamp()")
_ZERO = text("0")

webhook_endpoint = tenant_table(
    "webhook_endpoint",
    Column("url", Text, nullable=False),
    Column("description", Text),
    Column("event_types", JSONB),  # names and `resource.*`; NULL means all
    Column("secret_sealed", LargeBinary, nullable=False),
    Column("previous_secret_sealed", LargeBinary),
    Column("previous_secret_until", Instant),  # database time
    one_of("status", ENDPOINT_STATUSES, default="enabled"),
    one_of("status_reason", STATUS_REASONS, nullable=True),
    one_of("health", HEALTHS, default="healthy"),
    Column("api_version", Text, nullable=False),
    Column("last_sequence", BigInteger, nullable=False, server_default=_ZERO),
    one_of("payload", PAYLOADS, default="full"),
    Column("ordered", Boolean, nullable=False, server_default=text("true")),  # per object
    Column("max_concurrency", SmallInteger, nullable=False, server_default=text("16")),
    Column("deleted_at", Instant),  # tenant clock; the row stays while its deliveries are kept
    CheckConstraint("(status = 'enabled') = (status_reason IS NULL)", name="reason"),
    CheckConstraint("(previous_secret_sealed IS NULL) = (previous_secret_until IS NULL)", name="overlap"),
    CheckConstraint("max_concurrency BETWEEN 1 AND 64", name="max_concurrency"),
    outlives_reset=True,
)

webhook_delivery = tenant_table(
    "webhook_delivery",
    Column("endpoint_id", Id, nullable=False),
    Column("event_id", Id, nullable=False),
    Column("sequence", BigInteger, nullable=False),  # rises by exactly 1 per endpoint, given at fan-out
    Column("object_key", Id, nullable=False),  # deliveries of one endpoint with the same key go out in order
    one_of("state", DELIVERY_STATES),
    one_of("turn", TURNS, default="fresh"),
    Column("attempt", SmallInteger, nullable=False, server_default=_ZERO),  # tries recorded
    Column("fence", BigInteger, nullable=False, server_default=_ZERO),  # raised by claim, record and sweep
    Column("lease_until", Instant),
    Column("worker", Text),
    Column("run_at", Instant, nullable=False, server_default=_DB_NOW),  # database time: not sent before
    Column("finished_at", Instant),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("(lease_until IS NOT NULL) = (state = 'leased')", name="lease"),
    CheckConstraint("(worker IS NOT NULL) = (state = 'leased')", name="worker"),
    CheckConstraint("(finished_at IS NOT NULL) = (state IN ('delivered', 'failed', 'canceled'))", name="finished"),
    noun=False,
    unique=[("event_id", "endpoint_id"), ("endpoint_id", "sequence")],
    refs=[("endpoint_id", "webhook_endpoint"), ("event_id", "event")],
    dispatch=Dispatch(
        select=(
            *(
                "id",
                "tenant_id",
                "endpoint_id",
                "event_id",
                "object_key",
                "sequence",
                "state",
                "run_at",
                "attempt",
                "fence",
            ),
            *("lease_until", "worker", "finished_at", "turn"),
        ),
        update=("state", "attempt", "fence", "lease_until", "worker", "run_at", "finished_at"),
    ),
)
# What may be sent, by endpoint and time, and what is replayed behind it; what holds back a later event of its object;
# leases; what a pause holds.
Index("webhook_delivery_due_idx", webhook_delivery.c.tenant_id, webhook_delivery.c.endpoint_id,
      webhook_delivery.c.run_at, webhook_delivery.c.sequence,
      postgresql_where=text("state IN ('ready', 'retry_wait') AND turn = 'fresh'"))  # fmt: skip
Index("webhook_delivery_replay_idx", webhook_delivery.c.tenant_id, webhook_delivery.c.endpoint_id,
      webhook_delivery.c.run_at, webhook_delivery.c.sequence,
      postgresql_where=text("state IN ('ready', 'retry_wait') AND turn <> 'fresh'"))  # fmt: skip
Index("webhook_delivery_order_idx", webhook_delivery.c.tenant_id, webhook_delivery.c.endpoint_id,
      webhook_delivery.c.object_key, webhook_delivery.c.sequence,
      postgresql_where=text("state IN ('ready', 'leased', 'retry_wait')"))  # fmt: skip
Index("webhook_delivery_lease_idx", webhook_delivery.c.tenant_id, webhook_delivery.c.lease_until,
      postgresql_where=text("state = 'leased'"))  # fmt: skip
Index("webhook_delivery_stopped_idx", webhook_delivery.c.tenant_id, webhook_delivery.c.endpoint_id,
      webhook_delivery.c.sequence, postgresql_where=text("state IN ('held', 'failed')"))  # fmt: skip

webhook_attempt = tenant_table(
    "webhook_attempt",
    Column("delivery_id", Id, nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("at", Instant, nullable=False, server_default=_DB_NOW),
    Column("status", SmallInteger),
    Column("milliseconds", Integer, nullable=False),
    Column("error_code", Text),
    Column("request_url", Text),  # these three by bo_app, for what was not 2xx; at most 4 kB each
    Column("request_body", Text),
    Column("response_body", Text),
    # No foreign key: its check costs half of an attempt's write, and `record` writes attempts of the deliveries alone
    # that it has updated in the same statement.
    noun=False,
    indexes=[("delivery_id", "attempt")],
    dispatch=Dispatch(insert=("tenant_id", "delivery_id", "attempt", "status", "milliseconds", "error_code")),
)

webhook_digest = tenant_table(
    "webhook_digest",
    Column("endpoint_id", Id, nullable=False),
    Column("day", Date, nullable=False),
    Column("first_sequence", BigInteger),  # NULL where nothing was numbered
    Column("last_sequence", BigInteger, nullable=False),  # of this day, or of the days before where it had nothing
    Column("count", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("(first_sequence IS NULL) = (count = 0)", name="first"),
    CheckConstraint("count = 0 OR count = last_sequence - first_sequence + 1", name="count"),
    noun=False,
    unique=[("endpoint_id", "day")],
    refs=[("endpoint_id", "webhook_endpoint")],
    append_only=True,
)
