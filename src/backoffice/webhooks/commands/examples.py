"""Send an example of an event, marked as one: to one endpoint, or, in a test tenant, to all that ask for its type.

It is told like any event: recorded, numbered, signed, logged and tried again. Its body says `"test": true`, and it is
about an object that is nowhere else."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import bindparam, select

from backoffice.accounts import queries as accounts
from backoffice.accounts.errors import TestTenantsOnly
from backoffice.kernel import ids
from backoffice.kernel.errors import FaultList
from backoffice.platform.courier.catalogue import example_object
from backoffice.platform.events import CATALOGUE
from backoffice.platform.models import event as event_table
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Tx
from backoffice.webhooks.commands.fan_out import delivery_of
from backoffice.webhooks.commands.validate import check_event_type
from backoffice.webhooks.errors import EndpointNotEnabled
from backoffice.webhooks.models import webhook_delivery, webhook_endpoint
from backoffice.webhooks.queries.deliveries import delivery
from backoffice.webhooks.queries.endpoints import find
from backoffice.webhooks.queries.events import event
from backoffice.webhooks.schemas import EventView, SendTestEvent, WebhookDeliveryView

_endpoint, _event = webhook_endpoint.c, event_table.c
_OF_OBJECT = select(_event.id).where(_event.tenant_id == TENANT, _event.object_id == bindparam("object", type_=Id))
_NUMBER = (  # the lock that fan-out takes
    webhook_endpoint.update()
    .where(_endpoint.tenant_id == TENANT, _endpoint.id == bindparam("endpoint", type_=Id))
    .values(last_sequence=_endpoint.last_sequence + 1)
    .returning(_endpoint.id, _endpoint.status, _endpoint.ordered, _endpoint.last_sequence)
)
_MARK = (
    event_table.update()
    .where(_event.tenant_id == TENANT, _event.id == bindparam("event", type_=Id))
    .values(fanned_out=True)
)


async def test_endpoint(tx: Tx, text: str, data: SendTestEvent) -> WebhookDeliveryView:
    """The delivery of an example to this endpoint alone, whatever its filter. NotFound, ValidationFailed (422),
    EndpointNotEnabled (409)."""
    current = await find(tx, text)
    about = await _tell(tx, data.type)
    endpoint = await tx.row(_NUMBER, endpoint=current["id"])
    assert endpoint is not None
    if endpoint["status"] != "enabled":
        raise EndpointNotEnabled(f"The endpoint is {endpoint['status']}; enable it first.")
    event_id = await tx.value(_OF_OBJECT, object=about)
    await tx.execute(_MARK, event=event_id)
    row = delivery_of(endpoint, event_id, about, endpoint["last_sequence"], await tx.now())
    await tx.insert(webhook_delivery, **row)
    tx.audit(
        "webhook_endpoint.tested",
        object_type="webhook_endpoint",
        object_id=current["id"],
        object_version=current["version"],
        changed={"type": data.type},
    )
    return await delivery(tx, ids.encode("webhook_delivery", row["id"]))


async def trigger(tx: Tx, data: SendTestEvent) -> EventView:
    """An example as an event of the tenant's, which goes to every endpoint that asks for its type. ValidationFailed
    (422), TestTenantsOnly (409)."""
    if (await accounts.tenant_settings(tx)).clock != "movable":  # the fact that makes a tenant a place to try things
        raise TestTenantsOnly("Use POST /v1/webhook_endpoints/{id}/test, which sends to one endpoint.")
    about = await _tell(tx, data.type)
    event_id = await tx.value(_OF_OBJECT, object=about)
    tx.audit("event.triggered", object_type="event", object_id=event_id, changed={"type": data.type})
    return await event(tx, ids.encode("event", event_id))


async def _tell(tx: Tx, type_: str) -> UUID:
    """Record an example of an event; the id of the object it is about."""
    faults = FaultList()
    check_event_type(faults, "#/type", type_)
    faults.raise_if_any()
    kind, about = CATALOGUE[type_], await tx.new_id()
    tx.emit(kind, example_object(kind, about, livemode=tx.principal.tenant.livemode), test=True)
    await tx.flush()
    return about
