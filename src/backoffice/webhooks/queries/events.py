"""The tenant's events, as they were sent, for 90 days after they were recorded."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from sqlalchemy import BigInteger, Integer, Interval, bindparam, func, literal, select

from backoffice.kernel import ids
from backoffice.kernel.errors import BadRequest, Fault, NotFound
from backoffice.platform.events import CATALOGUE, nearest
from backoffice.platform.models import event as event_table
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page
from backoffice.webhooks.models import webhook_delivery
from backoffice.webhooks.queries.bodies import as_asked, numbered
from backoffice.webhooks.queries.endpoints import find
from backoffice.webhooks.schemas import EventView

KEPT = timedelta(days=90)
MOST_EVENTS = 1000

_event, _delivery = event_table.c, webhook_delivery.c
kept = _event.recorded_at > func.clock_timestamp() - literal(KEPT, Interval(native=True))
EVENTS = Listing(
    event_table,
    filters={
        "type": Filter(_event.type),
        "object_type": Filter(_event.object_type),
        "request_id": Filter(_event.request_id),
        "created_at": Filter(_event.occurred_at, operators=("gt", "gte", "lt", "lte")),
    },
    largest=MOST_EVENTS,
)
_ONE = select(_event.body).where(_event.tenant_id == TENANT, _event.id == bindparam("event", type_=Id), kept)
_AFTER = (
    select(_delivery.sequence, _event.body)
    .join(event_table, (_event.tenant_id == TENANT) & (_event.id == _delivery.event_id))
    .where(
        _delivery.tenant_id == TENANT,
        _delivery.endpoint_id == bindparam("endpoint", type_=Id),
        _delivery.sequence > bindparam("after", type_=BigInteger),
        kept,
    )
    .order_by(_delivery.sequence)
    .limit(bindparam("most", type_=Integer))
)


def _view(row: Row) -> EventView:
    return msgspec.json.decode(row["body"], type=EventView)


async def events(tx: Tx, query: Query) -> Page[EventView]:
    """BadRequest for a type that no event has: such a list would be empty for ever."""
    for name, _, text in query.where:
        if name == "type" and text not in CATALOGUE:
            told = f"is not a type of event; {nearest(text, list(CATALOGUE))}"
            fault = Fault("unknown_event_type", told, parameter="type")
            raise BadRequest("The query has invalid parameters.", errors=[fault])
    return await page(tx, EVENTS, query, _view, narrow=[kept])


async def event(tx: Tx, text: str) -> EventView:
    """NotFound also for one that is older than 90 days."""
    row = await tx.row(_ONE, event=ids.decode("event", text))
    if row is None:
        raise NotFound
    return _view(row)


async def endpoint_events(tx: Tx, endpoint: str, *, after: int, most: int) -> Page[EventView]:
    """What one endpoint was or will be sent, as it is sent, by `sequence` from `after` + 1 on, whatever became of the
    deliveries: how a receiver fills a gap. The next page starts after the last `sequence` of this one."""
    found = await find(tx, endpoint)
    rows = await tx.fetch(_AFTER, endpoint=found["id"], after=after, most=most + 1)
    views = [
        msgspec.json.decode(numbered(as_asked(found, row["body"]), row["sequence"]), type=EventView)
        for row in rows[:most]
    ]
    return Page(data=views, has_more=len(rows) > most)
