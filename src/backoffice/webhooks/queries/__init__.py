"""Reads of webhooks."""

from backoffice.webhooks.queries.deliveries import DELIVERIES, deliveries, delivery
from backoffice.webhooks.queries.digests import DIGESTS, digests
from backoffice.webhooks.queries.endpoints import ENDPOINTS, endpoint, endpoint_view, endpoints, find, versions
from backoffice.webhooks.queries.events import EVENTS, MOST_EVENTS, endpoint_events, event, events
from backoffice.webhooks.queries.routing import due, stopped, tenants_with_events

__all__ = [
    "DELIVERIES",
    "DIGESTS",
    "ENDPOINTS",
    "EVENTS",
    "MOST_EVENTS",
    "deliveries",
    "delivery",
    "digests",
    "due",
    "endpoint",
    "endpoint_events",
    "endpoint_view",
    "endpoints",
    "event",
    "events",
    "find",
    "stopped",
    "tenants_with_events",
    "versions",
]
