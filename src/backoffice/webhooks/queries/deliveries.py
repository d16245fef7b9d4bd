"""The delivery log of an endpoint: each event, what became of it, and every try with request, answer and timing."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, any_, bindparam, select

from backoffice.kernel import ids
from backoffice.kernel.errors import NotFound
from backoffice.platform.models import event as event_table
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page
from backoffice.webhooks.models import webhook_attempt, webhook_delivery
from backoffice.webhooks.queries.endpoints import find
from backoffice.webhooks.schemas import AttemptRequest, AttemptResponse, AttemptView, WebhookDeliveryView
from backoffice.webhooks.states import DELIVERY_STATES

_delivery, _attempt, _event = webhook_delivery.c, webhook_attempt.c, event_table.c
DELIVERIES = Listing(
    webhook_delivery,
    filters={
        "status": Filter(_delivery.state, values=DELIVERY_STATES),
        "event_id": Filter(_delivery.event_id, kind="event"),
        "sequence": Filter(_delivery.sequence, operators=("gt", "gte", "lt", "lte")),
        "created_at": Filter(_delivery.created_at, operators=("gt", "gte", "lt", "lte")),
    },
    sorts=("sequence",),
)
_WITH_TYPE = (
    select(*_delivery, _event.type.label("event_type"))
    .join(event_table, (_event.tenant_id == TENANT) & (_event.id == _delivery.event_id))
    .where(_delivery.tenant_id == TENANT)
)
_ONE = _WITH_TYPE.where(_delivery.id == bindparam("delivery", type_=Id))
_ATTEMPTS = (
    select(*_attempt)
    .where(_attempt.tenant_id == TENANT, _attempt.delivery_id == any_(bindparam("deliveries", type_=ARRAY(Id))))
    .order_by(_attempt.at, _attempt.id)
)


async def deliveries(tx: Tx, endpoint: str, query: Query) -> Page[WebhookDeliveryView]:
    found = await find(tx, endpoint)
    rows = await page(
        tx, DELIVERIES, query, lambda row: row, source=_WITH_TYPE, narrow=[_delivery.endpoint_id == found["id"]]
    )
    views = await _views(tx, rows.data)
    return Page(data=views, has_more=rows.has_more, next_cursor=rows.next_cursor, total_count=rows.total_count)


async def delivery(tx: Tx, text: str) -> WebhookDeliveryView:
    row = await tx.row(_ONE, delivery=ids.decode("webhook_delivery", text))
    if row is None:
        raise NotFound
    return (await _views(tx, [row]))[0]


async def _views(tx: Tx, rows: Sequence[Row]) -> list[WebhookDeliveryView]:
    attempts: dict[UUID, list[AttemptView]] = {row["id"]: [] for row in rows}
    for attempt in await tx.fetch(_ATTEMPTS, deliveries=list(attempts)) if rows else ():
        attempts[attempt["delivery_id"]].append(_attempt_view(attempt))
    return [
        WebhookDeliveryView(
            id=ids.encode("webhook_delivery", row["id"]),
            object="webhook_delivery",
            livemode=tx.principal.tenant.livemode,
            created_at=row["created_at"],
            endpoint_id=ids.encode("webhook_endpoint", row["endpoint_id"]),
            event_id=ids.encode("event", row["event_id"]),
            event_type=row["event_type"],
            sequence=row["sequence"],
            status=row["state"],
            next_attempt_at=row["run_at"] if row["state"] in ("ready", "retry_wait") else None,
            finished_at=row["finished_at"],
            attempts=attempts[row["id"]],
        )
        for row in rows
    ]


def _attempt_view(row: Row) -> AttemptView:
    url, status = row["request_url"], row["status"]
    return AttemptView(
        attempt=row["attempt"],
        at=row["at"],
        milliseconds=row["milliseconds"],
        error_code=row["error_code"],
        request=None if url is None else AttemptRequest(url=url, body=row["request_body"]),
        response=None if status is None else AttemptResponse(status=status, body=row["response_body"]),
    )
