"""Change an endpoint."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from msgspec import UNSET
from sqlalchemy import bindparam, select

from backoffice.kernel.errors import AlreadyExists, Fault, FaultList, VersionConflict
from backoffice.platform.effects import Effect
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import merged_metadata
from backoffice.webhooks import events
from backoffice.webhooks.commands.validate import check_address, check_event_types, check_version
from backoffice.webhooks.events import WebhookEndpointView
from backoffice.webhooks.models import webhook_endpoint
from backoffice.webhooks.queries.endpoints import endpoint_view, find
from backoffice.webhooks.schemas import UpdateWebhookEndpoint

_PLAIN = ("url", "description", "event_types", "payload", "ordered", "max_concurrency", "api_version", "external_id")
_TOLD = ("url", "event_types", "payload", "ordered", "max_concurrency", "api_version")
_endpoint = webhook_endpoint.c
_TAKEN = select(_endpoint.id).where(
    _endpoint.tenant_id == TENANT,
    _endpoint.external_id == bindparam("external_id"),
    _endpoint.id != bindparam("endpoint", type_=Id),
)


async def update_endpoint(tx: Tx, text: str, data: UpdateWebhookEndpoint, if_version: int) -> WebhookEndpointView:
    """What is given replaces what is there; from the next request on the new address is used. NotFound,
    ValidationFailed, VersionConflict, AlreadyExists."""
    current = await find(tx, text)
    wanted = await _values(tx, current, data)
    values = {name: value for name, value in wanted.items() if value != current[name]}
    if not values:
        if current["version"] != if_version:
            raise VersionConflict(current["version"])
        return endpoint_view(tx, current)
    row = await tx.change(webhook_endpoint, current["id"], values, if_version=if_version)
    assert row is not None
    view, changed = endpoint_view(tx, row), list(values)
    told = {name: current[name] for name in changed if name in _TOLD}
    effect = Effect(
        kind="webhook_endpoint_updated",
        subject=view.id,
        before=told,
        after={name: row[name] for name in told},
        message="An address that is sent this firm's events was changed.",
    )
    tx.emit(events.UPDATED, view, changed=changed, previous=told, effects=[effect])
    tx.audit(
        "webhook_endpoint.updated",
        object_type="webhook_endpoint",
        object_id=current["id"],
        object_version=row["version"],
        changed={"fields": changed},
    )
    return view


async def _values(tx: Tx, current: Row, data: UpdateWebhookEndpoint) -> dict[str, Any]:
    values = {name: given for name in _PLAIN if (given := getattr(data, name)) is not UNSET}
    faults = FaultList()
    if "url" in values:
        check_address(faults, tx.principal.tenant, values["url"])
    if "event_types" in values:
        check_event_types(faults, values["event_types"])
        if values["event_types"]:
            values["event_types"] = list(dict.fromkeys(values["event_types"]))
    if "api_version" in values:
        check_version(faults, values["api_version"])
    faults.raise_if_any()
    if data.metadata is not UNSET:
        values["metadata"] = merged_metadata(current["metadata"], data.metadata)
    if values.get("external_id") is not None and await _is_taken(tx, values["external_id"], current["id"]):
        raise AlreadyExists(errors=[Fault("already_in_use", "is another endpoint's", pointer="#/external_id")])
    return values


async def _is_taken(tx: Tx, external_id: str, but: UUID) -> bool:
    return await tx.value(_TAKEN, external_id=external_id, endpoint=but) is not None
