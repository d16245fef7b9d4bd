"""/v1/webhook_endpoints, /v1/webhook_deliveries and /v1/events."""

from __future__ import annotations

from litestar.params import FromPath, FromQuery, JSONBody

from backoffice.platform.jobs.view import JobView
from backoffice.platform.web.lists import Page
from backoffice.platform.web.routes import IfMatch, InTx, Listed, delete, get, patch, post
from backoffice.webhooks import commands, queries
from backoffice.webhooks.events import WebhookDigestView, WebhookEndpointView
from backoffice.webhooks.schemas import (
    CreateWebhookEndpoint,
    EventView,
    NewWebhookEndpoint,
    ReplayDeliveries,
    RotateSecret,
    SendTestEvent,
    UpdateWebhookEndpoint,
    WebhookDeliveryView,
)

READ, WRITE = "webhook_endpoints:read", "webhook_endpoints:write"
_ONE = "/v1/webhook_endpoints/{endpoint_id:str}"
_FROM_SEQUENCE = {
    "after_sequence": {"type": "integer", "minimum": 0, "maximum": 2**62, "default": 0},
    "limit": {"type": "integer", "minimum": 1, "maximum": queries.MOST_EVENTS, "default": 100},
}


@post("/v1/webhook_endpoints", scope=WRITE, keyed="optional")
async def create_webhook_endpoint(tx: InTx, data: JSONBody[CreateWebhookEndpoint]) -> NewWebhookEndpoint:
    """Add an address that is sent events; its secret is in this answer and nowhere else."""
    return await commands.create_endpoint(tx, data)


@get("/v1/webhook_endpoints", scope=READ, listing=queries.ENDPOINTS)
async def list_webhook_endpoints(tx: InTx, listed: Listed) -> Page[WebhookEndpointView]:
    """The tenant's endpoints."""
    return await queries.endpoints(tx, listed)


@get(_ONE, scope=READ)
async def get_webhook_endpoint(tx: InTx, endpoint_id: FromPath[str]) -> WebhookEndpointView:
    """One endpoint."""
    return await queries.endpoint(tx, endpoint_id)


@patch(_ONE, scope=WRITE)
async def update_webhook_endpoint(
    tx: InTx, endpoint_id: FromPath[str], data: JSONBody[UpdateWebhookEndpoint], if_match: IfMatch
) -> WebhookEndpointView:
    """Change address, filter or description."""
    return await commands.update_endpoint(tx, endpoint_id, data, if_match)


@delete(_ONE, scope=WRITE)
async def delete_webhook_endpoint(tx: InTx, endpoint_id: FromPath[str], if_match: IfMatch) -> None:
    """Remove an endpoint; what waits for it is not sent."""
    await commands.delete_endpoint(tx, endpoint_id, if_match)


@post(f"{_ONE}/rotate_secret", scope=WRITE, keyed="optional", status=200)
async def rotate_webhook_endpoint_secret(
    tx: InTx, endpoint_id: FromPath[str], data: JSONBody[RotateSecret]
) -> NewWebhookEndpoint:
    """Make a new secret; the one before it signs as well until the overlap ends."""
    return await commands.rotate_secret(tx, endpoint_id, data)


@post(f"{_ONE}/pause", scope=WRITE, keyed="optional", status=200)
async def pause_webhook_endpoint(tx: InTx, endpoint_id: FromPath[str]) -> WebhookEndpointView:
    """Send nothing until it is enabled; events are kept."""
    return await commands.pause_endpoint(tx, endpoint_id)


@post(f"{_ONE}/enable", scope=WRITE, keyed="optional", status=200)
async def enable_webhook_endpoint(tx: InTx, endpoint_id: FromPath[str]) -> WebhookEndpointView:
    """Send again, what was kept first."""
    return await commands.enable_endpoint(tx, endpoint_id)


@post(f"{_ONE}/replay", scope=WRITE, status=202)
async def replay_webhook_endpoint(tx: InTx, endpoint_id: FromPath[str], data: JSONBody[ReplayDeliveries]) -> JobView:
    """Send events again, with the ids and numbers they have, behind what is fresh; a job, of any number of them."""
    return await commands.replay_endpoint(tx, endpoint_id, data)


@post(f"{_ONE}/test", scope=WRITE, keyed="optional")
async def test_webhook_endpoint(
    tx: InTx, endpoint_id: FromPath[str], data: JSONBody[SendTestEvent]
) -> WebhookDeliveryView:
    """Send an example of an event to this endpoint, whatever its filter: signed, numbered and marked `"test": true`."""
    return await commands.test_endpoint(tx, endpoint_id, data)


@post("/v1/test/webhooks/trigger", scope=WRITE, keyed="optional")
async def trigger_test_webhooks(tx: InTx, data: JSONBody[SendTestEvent]) -> EventView:
    """Send an example of an event, marked `"test": true`, to every endpoint of a test tenant that asks for its type."""
    return await commands.trigger(tx, data)


@get(f"{_ONE}/digests", scope=READ, listing=queries.DIGESTS)
async def list_webhook_digests(tx: InTx, endpoint_id: FromPath[str], listed: Listed) -> Page[WebhookDigestView]:
    """What an endpoint was sent, day by day: numbers, count and a hash chain, to prove that nothing is missing."""
    return await queries.digests(tx, endpoint_id, listed)


@get(f"{_ONE}/events", scope="events:read", query=_FROM_SEQUENCE)
async def list_webhook_endpoint_events(
    tx: InTx, endpoint_id: FromPath[str], after_sequence: FromQuery[int] = 0, limit: FromQuery[int] = 100
) -> Page[EventView]:
    """What an endpoint was or will be sent, from a `sequence` on: fills a receiver's gap."""
    return await queries.endpoint_events(tx, endpoint_id, after=after_sequence, most=limit)


@get(f"{_ONE}/deliveries", scope=READ, listing=queries.DELIVERIES)
async def list_webhook_deliveries(tx: InTx, endpoint_id: FromPath[str], listed: Listed) -> Page[WebhookDeliveryView]:
    """The delivery log of an endpoint: every event with its tries."""
    return await queries.deliveries(tx, endpoint_id, listed)


@get("/v1/webhook_deliveries/{delivery_id:str}", scope=READ)
async def get_webhook_delivery(tx: InTx, delivery_id: FromPath[str]) -> WebhookDeliveryView:
    """What became of one event at one endpoint."""
    return await queries.delivery(tx, delivery_id)


@get("/v1/events", scope="events:read", listing=queries.EVENTS)
async def list_events(tx: InTx, listed: Listed) -> Page[EventView]:
    """The tenant's events of the last 90 days, the newest first."""
    return await queries.events(tx, listed)


@get("/v1/events/{event_id:str}", scope="events:read")
async def get_event(tx: InTx, event_id: FromPath[str]) -> EventView:
    """One event."""
    return await queries.event(tx, event_id)


handlers = [
    create_webhook_endpoint,
    list_webhook_endpoints,
    get_webhook_endpoint,
    update_webhook_endpoint,
    delete_webhook_endpoint,
    rotate_webhook_endpoint_secret,
    pause_webhook_endpoint,
    enable_webhook_endpoint,
    replay_webhook_endpoint,
    test_webhook_endpoint,
    trigger_test_webhooks,
    list_webhook_digests,
    list_webhook_endpoint_events,
    list_webhook_deliveries,
    get_webhook_delivery,
    list_events,
    get_event,
]
