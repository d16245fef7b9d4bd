"""Endpoints as they are seen outside. A deleted one is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, any_, bindparam, select

from backoffice.kernel.errors import NotFound
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import find_id, noun_fields
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page
from backoffice.webhooks.events import WebhookEndpointView
from backoffice.webhooks.models import webhook_endpoint
from backoffice.webhooks.states import ENDPOINT_STATUSES, HEALTHS

_endpoint = webhook_endpoint.c
_FIND = select(*_endpoint).where(
    _endpoint.tenant_id == TENANT, _endpoint.id == bindparam("endpoint", type_=Id), _endpoint.deleted_at.is_(None)
)
_VERSIONS = select(_endpoint.id, _endpoint.version).where(
    _endpoint.tenant_id == TENANT, _endpoint.id == any_(bindparam("endpoints", type_=ARRAY(Id)))
)
_SHOWN = (
    *("url", "description", "event_types", "status", "status_reason", "health", "api_version", "payload"),
    *("ordered", "max_concurrency", "previous_secret_until"),
)
ENDPOINTS = Listing(
    webhook_endpoint,
    filters={
        "status": Filter(_endpoint.status, values=ENDPOINT_STATUSES),
        "health": Filter(_endpoint.health, values=HEALTHS),
        "created_at": Filter(_endpoint.created_at, operators=("gt", "gte", "lt", "lte")),
    },
    sorts=("created_at",),
)


def shown(tx: Tx, row: Row) -> dict[str, Any]:
    """The fields of `WebhookEndpointView` for a row."""
    return {**noun_fields(tx, "webhook_endpoint", row), **{name: row[name] for name in _SHOWN}}


def endpoint_view(tx: Tx, row: Row) -> WebhookEndpointView:
    return WebhookEndpointView(**shown(tx, row))


async def find(tx: Tx, text: str) -> Row:
    """The row for `we_…` or `ext:…`. NotFound."""
    id_ = await find_id(tx, webhook_endpoint, "webhook_endpoint", text)
    row = await tx.row(_FIND, endpoint=id_)
    if row is None:
        raise NotFound
    return row


async def endpoint(tx: Tx, text: str) -> WebhookEndpointView:
    return endpoint_view(tx, await find(tx, text))


async def endpoints(tx: Tx, query: Query) -> Page[WebhookEndpointView]:
    return await page(tx, ENDPOINTS, query, lambda row: endpoint_view(tx, row), narrow=[_endpoint.deleted_at.is_(None)])


async def versions(tx: Tx, endpoints_: Sequence[UUID]) -> Mapping[UUID, int]:
    """The version of each endpoint, by id."""
    return {row["id"]: row["version"] for row in await tx.fetch(_VERSIONS, endpoints=list(endpoints_))}
