"""What webhooks tell about themselves: changes of an endpoint, and whether it can be reached."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from backoffice.platform.events import event_type
from backoffice.platform.web.bodies import Noun


class WebhookEndpointView(Noun, kw_only=True):
    """An endpoint as everybody with the scope sees it: never its secret.

    `event_types` null means all. `status_reason` says why an endpoint receives nothing: `by_request`, `tries_used_up`
    (the last try of a delivery failed) or `gone` (the receiver answered 410). `health` is `failing` from the moment
    deliveries are slowed down until one succeeds."""

    url: Annotated[str, Meta(examples=["https://hooks.example.com/backoffice"])]
    description: str | None
    event_types: list[Annotated[str, Meta(examples=["payroll_run.paid"])]] | None
    status: Annotated[str, Meta(examples=["enabled"])]
    status_reason: Annotated[str, Meta(examples=["by_request"])] | None
    health: Annotated[str, Meta(examples=["healthy"])]
    api_version: Annotated[str, Meta(examples=["2026-11-21"])]
    max_concurrency: int
    previous_secret_until: datetime | None


_PATH = "/v1/webhook_endpoints/{id}"

CREATED = event_type(
    "webhook_endpoint.created", WebhookEndpointView, _PATH, "An endpoint was added; it is sent events from now on."
)
UPDATED = event_type("webhook_endpoint.updated", WebhookEndpointView, _PATH, "An endpoint was changed.")
PAUSED = event_type(
    "webhook_endpoint.paused", WebhookEndpointView, _PATH, "Somebody paused an endpoint; its events are kept for it."
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
)
RECOVERED = event_type(
    "webhook_endpoint.recovered", WebhookEndpointView, _PATH, "An endpoint that was failing accepts deliveries again."
)
