"""What comes in and goes out at the doors of webhooks."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from backoffice.platform.effects import Effect
from backoffice.platform.jobs.kinds import Band, JobPayload
from backoffice.platform.web.bodies import ExternalId, Metadata, MetadataPatch
from backoffice.webhooks.events import WebhookEndpointView

Url = Annotated[str, Meta(min_length=1, max_length=2048, examples=["https://hooks.example.com/backoffice"])]
Description = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f]*$")]
EventTypes = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=100, examples=["payroll_run.paid", "timesheet.*"])]],
    Meta(max_length=100),
]
Payload = Annotated[Literal["full", "ids"], Meta(examples=["full"])]
Concurrency = Annotated[int, Meta(ge=1, le=64)]
ApiVersion = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-11-21"])]


class CreateWebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`event_types`: names, or `resource.*` for all of one resource; absent or null means all events.
    `payload`: `full` sends the whole object, `ids` its id and address alone (a digest is whole). `ordered`: the events
    of one object one after the other, each when the one before it was taken; false sends whatever is there, at once.
    `api_version`: of what it is sent; absent or null means the current one, which the endpoint keeps until somebody
    changes it."""

    url: Url
    description: Description | None = None
    event_types: EventTypes | None = None
    payload: Payload = "full"
    ordered: bool = True
    max_concurrency: Concurrency = 16
    api_version: ApiVersion | None = None
    external_id: ExternalId | None = None
    metadata: Metadata = msgspec.field(default_factory=dict)


class UpdateWebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A merge patch: what is absent stays as it is."""

    url: Url | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    event_types: EventTypes | UnsetType | None = UNSET
    payload: Payload | UnsetType = UNSET
    ordered: bool | UnsetType = UNSET
    max_concurrency: Concurrency | UnsetType = UNSET
    api_version: ApiVersion | UnsetType = UNSET
    external_id: ExternalId | UnsetType | None = UNSET
    metadata: MetadataPatch | UnsetType = UNSET


class RotateSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For `overlap_hours` every webhook carries two signatures, one by each secret; 0 ends the old one at once."""

    overlap_hours: Annotated[int, Meta(ge=0, le=168)] = 24


class ReplayDeliveries(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sent again, by one of three: `event_ids`; every event from an instant (inclusive) to another (exclusive;
    absent: until now), by the events' own `timestamp`; or with `undelivered` all that this endpoint has not taken."""

    event_ids: Annotated[list[str], Meta(min_length=1, max_length=1000)] | None = None
    from_: datetime | None = msgspec.field(default=None, name="from")
    to: datetime | None = None
    undelivered: bool = False


class Replay(JobPayload, frozen=True, kw_only=True):
    """Sends deliveries of an endpoint again; of those numbered up to `up_to` when it was asked for."""

    kind: ClassVar[str] = "webhooks.replay"
    band: ClassVar[Band] = "bulk"
    endpoint_id: str
    up_to: int
    deliveries: int
    event_ids: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None


class SendTestEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The type of event of which an example is sent."""

    type: Annotated[str, Meta(min_length=1, max_length=100, examples=["payroll_run.paid"])]


class WriteDigest(JobPayload, frozen=True, kw_only=True):
    """Sums up one day of one endpoint."""

    kind: ClassVar[str] = "webhooks.digest"
    band: ClassVar[Band] = "bulk"
    endpoint_id: str
    day: date


class StartDigests(JobPayload, frozen=True, kw_only=True):
    """Starts a `webhooks.digest` for each endpoint and the UTC day that ended last before `scheduled_for`."""

    kind: ClassVar[str] = "webhooks.digests"
    band: ClassVar[Band] = "bulk"
    quiet: ClassVar[bool] = True

    scheduled_for: datetime


class NewWebhookEndpoint(WebhookEndpointView, kw_only=True):
    """A created endpoint, or one with a new secret: the only two times the secret is shown. A preview makes none that
    would hold, and shows none."""

    secret: Annotated[str, Meta(examples=["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"])] | UnsetType = UNSET


class EventData(msgspec.Struct, frozen=True, kw_only=True):
    """`object` is the whole object, or its `id`, `object` and `object_url` where the whole would be over 20 kB."""

    object: dict[str, Any]
    changed: list[str]
    previous: dict[str, Any] | UnsetType = UNSET
    effects: list[Effect]


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it was sent. `sequence`, the number among the events of one endpoint, is there only when the events
    of one endpoint are asked for; `test` only, and then true, for an example that somebody asked for."""

    id: str
    type: str
    timestamp: Annotated[str, Meta(examples=["2026-11-16T14:00:00.000Z"], extra_json_schema={"format": "date-time"})]
    api_version: str
    livemode: bool
    sequence: int | UnsetType = UNSET
    object_sequence: int
    request_id: str
    actor: dict[str, str]
    test: Literal[True] | UnsetType = UNSET
    data: EventData


class AttemptRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is cut to 4,000 bytes."""

    url: str
    body: str


class AttemptResponse(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is cut to 4,000 bytes, and null for a success, whose answer is not kept."""

    status: int
    body: str | None


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One try. `error_code` says why there is no answer (`timeout`, `connect_failed` …) or what was wrong with it;
    `request` is kept for tries that failed, `response` is null where there was none."""

    attempt: int
    at: datetime
    milliseconds: int
    error_code: str | None
    request: AttemptRequest | None
    response: AttemptResponse | None


class WebhookDeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one event at one endpoint. `status`: ready, leased (being sent), retry_wait, held (the endpoint is
    paused), delivered, failed (all tries used up, or refused for good), canceled (the endpoint was deleted)."""

    id: str
    object: str
    livemode: bool
    created_at: datetime
    endpoint_id: str
    event_id: str
    event_type: str
    sequence: int
    status: str
    next_attempt_at: datetime | None
    finished_at: datetime | None
    attempts: list[AttemptView]
