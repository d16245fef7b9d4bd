"""Nothing that waits is sent any more: the tenant is about to be emptied."""

from __future__ import annotations

from typing import Final

from sqlalchemy import any_, func, literal, null
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx
from backoffice.webhooks.models import webhook_delivery
from backoffice.webhooks.states import OPEN_STATES

_delivery = webhook_delivery.c
_DROP: Final = (
    webhook_delivery.update()
    .where(_delivery.tenant_id == TENANT, _delivery.state == any_(literal(list(OPEN_STATES), ARRAY(TEXT))))
    .values(
        state="canceled",
        fence=_delivery.fence + 1,
        lease_until=null(),
        worker=null(),
        finished_at=func.clock_timestamp(),
    )
)


async def drop_deliveries(tx: Tx) -> int:
    """Cancel what is on its way; how many. What the courier has in hand may still arrive, and its outcome is not
    written: the fence has risen."""
    return await tx.execute(_DROP)
