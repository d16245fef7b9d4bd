"""Delete events that nobody can read any more, with their deliveries and every try of those."""

from __future__ import annotations

from sqlalchemy import ARRAY, Integer, Interval, Text, any_, bindparam, exists, func, literal, select

from backoffice.platform.models import event as event_table
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Tx
from backoffice.webhooks.models import webhook_attempt, webhook_delivery
from backoffice.webhooks.queries.events import KEPT
from backoffice.webhooks.states import OPEN_STATES

_event, _delivery, _attempt = event_table.c, webhook_delivery.c, webhook_attempt.c
_open = any_(literal(list(OPEN_STATES), ARRAY(Text)))
_these = any_(bindparam("these", type_=ARRAY(Id)))
_OLD = (
    select(_event.id)
    .where(
        _event.tenant_id == TENANT,
        _event.recorded_at <= func.clock_timestamp() - literal(KEPT, Interval(native=True)),
        _event.fanned_out,
        ~exists().where(_delivery.tenant_id == TENANT, _delivery.event_id == _event.id, _delivery.state == _open),
    )
    .order_by(_event.recorded_at)
    .limit(bindparam("most", type_=Integer))
)
_DELIVERIES = (
    webhook_delivery.delete().where(_delivery.tenant_id == TENANT, _delivery.event_id == _these).returning(_delivery.id)
)
_ATTEMPTS = webhook_attempt.delete().where(_attempt.tenant_id == TENANT, _attempt.delivery_id == _these)
_EVENTS = event_table.delete().where(_event.tenant_id == TENANT, _event.id == _these)


async def forget_events(tx: Tx, most: int) -> int:
    """At most `most` events recorded more than 90 days ago (database time); how many. What a paused endpoint was kept
    waiting for goes with them; one with a delivery under way stays until that has ended."""
    old = [row["id"] for row in await tx.fetch(_OLD, most=most)]
    if old:
        deliveries = [row["id"] for row in await tx.fetch(_DELIVERIES, these=old)]
        await tx.execute(_ATTEMPTS, these=deliveries)
        await tx.execute(_EVENTS, these=old)
    return len(old)
