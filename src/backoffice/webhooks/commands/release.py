"""Put back in line what a pause held, for endpoints that are enabled again; cancel it for those that are deleted."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Integer, any_, bindparam, case, func, null, select, text

from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Tx
from backoffice.webhooks.models import webhook_delivery, webhook_endpoint

MOST = 5_000

_endpoint, _delivery = webhook_endpoint.c, webhook_delivery.c
_OPEN = select(_endpoint.id, _endpoint.deleted_at).where(
    _endpoint.tenant_id == TENANT,
    _endpoint.id == any_(bindparam("endpoints", type_=ARRAY(Id))),
    (_endpoint.status == "enabled") | _endpoint.deleted_at.is_not(None),
)
_first = (
    select(_delivery.id)
    .where(
        _delivery.tenant_id == TENANT,
        _delivery.endpoint_id == bindparam("endpoint", type_=Id),
        text("webhook_delivery.state IN ('held', 'failed')"),  # as the partial index says it
    )
    .order_by(_delivery.sequence)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_RELEASE = (
    webhook_delivery.update()
    .where(_delivery.tenant_id == TENANT, _delivery.id.in_(_first))
    .values(
        state="ready",
        fence=_delivery.fence + 1,
        attempt=case((_delivery.state == "failed", 0), else_=_delivery.attempt),
        run_at=func.clock_timestamp(),
        finished_at=null(),
    )
)
_CANCEL = (
    webhook_delivery.update()
    .where(_delivery.tenant_id == TENANT, _delivery.id.in_(_first))
    .values(state="canceled", fence=_delivery.fence + 1, finished_at=func.clock_timestamp())
)


async def release_stopped(tx: Tx, endpoints: Sequence[UUID]) -> Sequence[UUID]:
    """For the courier: at most 5,000 of each endpoint; the endpoints that got something."""
    return await release(tx, endpoints, most=MOST)


async def release(tx: Tx, endpoints: Sequence[UUID], *, most: int) -> list[UUID]:
    """The oldest first. A delivery that had used up its tries gets all of them again."""
    got = []
    for row in await tx.fetch(_OPEN, endpoints=list(endpoints)):
        deleted = row["deleted_at"] is not None
        moved = await tx.execute(_CANCEL if deleted else _RELEASE, endpoint=row["id"], most=most)
        if moved and not deleted:
            got.append(row["id"])
    return got
