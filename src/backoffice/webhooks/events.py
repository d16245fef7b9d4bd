"""What webhooks tell about themselves: changes of an endpoint, and whether it can be reached."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from backoffice.platform.events import event_type
from backoffice.platform.web.bodies import Noun


class WebhookEndpointView(Noun, kw_only=True):
    """An endpoint as everybody with the scope sees it: never its secret.

    `event_types` null means all. `status_reason` says why an endpoint receives nothing: `by_request`, `tries_used_up`
    (the last try of a delivery failed) or `gone` (the receiver answered 410). `health` is `failing` from the moment
    deliveries are slowed down until one succeeds. With the `payload` `ids` it is sent an object's id and address in
    place of the object; `ordered` keeps the events of one object in order; `api_version` is that of what it is sent."""

    url: Annotated[str, Meta(examples=["https://hooks.example.com/backoffice"])]
    description: str | None
    event_types: list[Annotated[str, Meta(examples=["payroll_run.paid"])]] | None
    status: Annotated[str, Meta(examples=["enabled"])]
    status_reason: Annotated[str, Meta(examples=["by_request"])] | None
    health: Annotated[str, Meta(examples=["healthy"])]
    api_version: Annotated[str, Meta(examples=["2026-11-21"])]
    payload: Annotated[str, Meta(examples=["full"])]
    ordered: bool
    max_concurrency: int
    previous_secret_until: datetime | None


class WebhookDigestView(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint was sent on a day (UTC): the numbers from `first_sequence` (null for none) to `last_sequence`,
    and the hash after them. `hash` starts from `previous_hash` (64 zeros before the first) and is, for each event in
    turn, the hexadecimal SHA-256 of `<hash>:<sequence>:<event id>`."""

    id: str
    object: str
    livemode: bool
    created_at: datetime
    endpoint_id: str
    day: date
    first_sequence: int | None
    last_sequence: int
    count: int
    hash: Annotated[str, Meta(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])]
    previous_hash: Annotated[str, Meta(examples=["0" * 64])]


class WebhookEndpointDigest(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint a digest is about, and the digest."""

    id: str
    object: str = "webhook_endpoint"
    digest: WebhookDigestView


_PATH = "/v1/webhook_endpoints/{id}"

CREATED = event_type(
    "webhook_endpoint.created", WebhookEndpointView, _PATH, "An endpoint was added; it is sent events from now on."
)
UPDATED = event_type("webhook_endpoint.updated", WebhookEndpointView, _PATH, "An endpoint was changed.")
PAUSED = event_type(
    "webhook_endpoint.paused",
    WebhookEndpointView,
    _PATH,
    "Somebody paused an endpoint; its events are kept for it.",
    status="paused",
)
ENABLED = event_type(
    "webhook_endpoint.enabled", WebhookEndpointView, _PATH, "An endpoint is sent events again, the kept ones first."
)
SECRET_ROTATED = event_type(
    "webhook_endpoint.secret_rotated",
    WebhookEndpointView,
    _PATH,
    "An endpoint has a new secret; for a while both sign.",
)
REPLAYED = event_type(
    "webhook_endpoint.replayed",
    WebhookEndpointView,
    _PATH,
    "Deliveries of an endpoint are sent again, under the ids and numbers they have.",
)
DIGEST = event_type(
    "webhook_endpoint.digest",
    WebhookEndpointDigest,
    f"{_PATH}/digests",
    "What this endpoint was sent on a day, as a count and a hash to compare; goes to the endpoint it is about alone.",
)
DELETED = event_type(
    "webhook_endpoint.deleted", WebhookEndpointView, _PATH, "An endpoint was removed; what waited for it is not sent."
)
FAILING = event_type(
    "webhook_endpoint.failing", WebhookEndpointView, _PATH, "An endpoint refuses deliveries; they are slowed down."
)
DISABLED = event_type(
    "webhook_endpoint.disabled",
    WebhookEndpointView,
    _PATH,
    "Deliveries to an endpoint stopped: it answered 410, or the last try of a delivery failed. Its events are kept.",
    status="disabled",
)
RECOVERED = event_type(
    "webhook_endpoint.recovered", WebhookEndpointView, _PATH, "An endpoint that was failing accepts deliveries again."
)
