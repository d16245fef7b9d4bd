"""Add an endpoint."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET
from sqlalchemy import func, select

from backoffice.kernel.errors import AlreadyExists, Fault, FaultList
from backoffice.platform import signatures
from backoffice.platform.crypto import Cell
from backoffice.platform.effects import Effect
from backoffice.platform.events import API_VERSION
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx
from backoffice.webhooks import events
from backoffice.webhooks.commands.validate import check_address, check_event_types, check_version
from backoffice.webhooks.errors import TooManyEndpoints
from backoffice.webhooks.models import webhook_endpoint
from backoffice.webhooks.queries.endpoints import endpoint_view, shown
from backoffice.webhooks.schemas import CreateWebhookEndpoint, NewWebhookEndpoint

MOST_ENDPOINTS: Final = 1_000
_endpoint = webhook_endpoint.c
_COUNT = select(func.count()).where(_endpoint.tenant_id == TENANT, _endpoint.deleted_at.is_(None))


async def create_endpoint(tx: Tx, data: CreateWebhookEndpoint) -> NewWebhookEndpoint:
    """The endpoint with its secret, which is shown here and nowhere else. It is sent every matching event that is
    fanned out from now on. ValidationFailed (422), TooManyEndpoints, AlreadyExists for an external_id (409)."""
    faults = FaultList()
    check_address(faults, tx.principal.tenant, data.url)
    check_event_types(faults, data.event_types)
    check_version(faults, data.api_version or API_VERSION)
    faults.raise_if_any()
    if await tx.value(_COUNT) >= MOST_ENDPOINTS:
        raise TooManyEndpoints(f"A tenant has at most {MOST_ENDPOINTS} endpoints; delete one that is not used.")
    id_, secret = await tx.lasting_id(webhook_endpoint), signatures.generate_secret()
    cipher = await tx.cipher()
    row = await tx.insert_or_none(
        webhook_endpoint,
        id=id_,
        url=data.url,
        description=data.description,
        event_types=_unique(data.event_types),
        secret_sealed=cipher.seal(Cell("webhook_endpoint", "secret", id_), secret),
        status="enabled",
        api_version=data.api_version or API_VERSION,
        payload=data.payload,
        ordered=data.ordered,
        max_concurrency=data.max_concurrency,
        external_id=data.external_id,
        metadata=data.metadata,
    )
    if row is None:
        raise AlreadyExists(errors=[Fault("already_in_use", "is another endpoint's", pointer="#/external_id")])
    view = endpoint_view(tx, row)
    effect = Effect(
        kind="webhook_endpoint_created",
        subject=view.id,
        after={"status": "enabled", "event_types": view.event_types},
        message="An address was added that is sent this firm's events from now on.",
    )
    tx.emit(events.CREATED, view, effects=[effect])
    tx.audit("webhook_endpoint.created", object_type="webhook_endpoint", object_id=id_, object_version=1)
    return NewWebhookEndpoint(**shown(tx, row), secret=UNSET if tx.dry_run else secret)


def _unique(event_types: list[str] | None) -> list[str] | None:
    return None if event_types is None else list(dict.fromkeys(event_types))
