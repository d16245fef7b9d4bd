"""Hand new events to the endpoints that asked for them, each with the endpoint's next number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Integer, Text, any_, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import insert

from backoffice.kernel import ids
from backoffice.platform.courier.ports import FannedOut
from backoffice.platform.events import resource
from backoffice.platform.models import event as event_table
from backoffice.platform.statements import Prepared
from backoffice.platform.tables import TENANT, Id, Instant
from backoffice.platform.tx import Row, Tx
from backoffice.webhooks.events import DIGEST
from backoffice.webhooks.models import webhook_delivery, webhook_endpoint

MOST_EVENTS = 500
MOST_DELIVERIES = 5_000

_endpoint, _event = webhook_endpoint.c, event_table.c
_mine = (_endpoint.tenant_id == TENANT) & _endpoint.deleted_at.is_(None)
_LOCK = Prepared(
    select(_endpoint.id, _endpoint.status, _endpoint.event_types, _endpoint.last_sequence, _endpoint.ordered)
    .where(_mine)
    .order_by(_endpoint.id)
    .with_for_update(key_share=True)
)
_NEW = Prepared(
    select(
        *(_event.id, _event.type, _event.object_id, _event.object_sequence),
        select(func.count()).select_from(webhook_endpoint).where(_mine).scalar_subquery().label("endpoints"),
    )
    .where(_event.tenant_id == TENANT, ~_event.fanned_out)
    .order_by(_event.id)
    .limit(bindparam("most", type_=Integer))
)
_object = (
    func.unnest(bindparam("objects", type_=ARRAY(Id)), bindparam("firsts", type_=ARRAY(BigInteger)))
    .table_valued(column("object_id", Id), column("first", BigInteger))
    .render_derived(name="object")
)
_EARLIER = Prepared(
    select(_event.id, _event.type, _event.object_id, _event.object_sequence)
    .join(_object, (_event.object_id == _object.c.object_id) & (_event.object_sequence < _object.c.first))
    .where(_event.tenant_id == TENANT, ~_event.fanned_out)
)
_number = (
    func.unnest(bindparam("endpoints", type_=ARRAY(Id)), bindparam("lasts", type_=ARRAY(BigInteger)))
    .table_valued(column("id", Id), column("last", BigInteger))
    .render_derived(name="number")
)
_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(("id", "endpoint_id", "event_id", "object_key"), Id),
    "sequence": BigInteger,
    "state": Text,
    "created_at": Instant,
}
_delivery = (
    func.unnest(*(bindparam(f"{name}s", type_=ARRAY(type_)) for name, type_ in _COLUMNS.items()))
    .table_valued(*(column(name, type_) for name, type_ in _COLUMNS.items()))
    .render_derived(name="delivery")
)
_inserted = insert(webhook_delivery).from_select(["tenant_id", *_COLUMNS], select(TENANT, *_delivery.c)).cte("inserted")
_counted = (
    webhook_endpoint.update()
    .where(_endpoint.tenant_id == TENANT, _endpoint.id == _number.c.id)
    .values(last_sequence=_number.c.last)
    .cte("counted")
)
_TELL = Prepared(  # what is new for each endpoint, how far its numbers have come, and which events are done with
    event_table.update()
    .where(_event.tenant_id == TENANT, _event.id == any_(bindparam("events", type_=ARRAY(Id))))
    .values(fanned_out=True)
    .add_cte(_inserted, _counted)
)


def matches(event_types: Sequence[str] | None, type_: str) -> bool:
    """Whether an endpoint with this filter is sent events of this type."""
    if event_types is None:
        return True
    return type_ in event_types or f"{resource(type_)}.*" in event_types


async def fan_out(tx: Tx) -> FannedOut:
    """One batch. The tenant's endpoints are locked first, so that two couriers take turns: numbers rise by exactly 1
    per endpoint, and a rollback takes them back with the deliveries. A digest goes to the endpoint it is about."""
    endpoints = await tx.fetch(_LOCK)
    most = max(1, min(MOST_EVENTS, MOST_DELIVERIES // max(1, len(endpoints))))
    new = await tx.fetch(_NEW, most=most)
    if not new:
        return FannedOut([], 0, False)
    if new[0]["endpoints"] != len(endpoints):  # one was added since, and events after it are in `new` already
        endpoints = await tx.fetch(_LOCK)
    more = len(new) == most
    if more:
        new = [*new, *await _earlier(tx, new)]
    now = await tx.now()
    last = {endpoint["id"]: endpoint["last_sequence"] for endpoint in endpoints}
    deliveries: list[Mapping[str, Any]] = []
    reached: set[UUID] = set()
    for event in in_order(new):
        for endpoint in endpoints:
            id_ = endpoint["id"]
            if not matches(endpoint["event_types"], event["type"]):
                continue
            if event["type"] == DIGEST.name and event["object_id"] != id_:
                continue
            last[id_] += 1
            if endpoint["status"] == "enabled":
                reached.add(id_)
            deliveries.append(delivery_of(endpoint, event["id"], event["object_id"], last[id_], now))
    moved = [endpoint["id"] for endpoint in endpoints if last[endpoint["id"]] != endpoint["last_sequence"]]
    columns = {f"{name}s": [delivery[name] for delivery in deliveries] for name in _COLUMNS}
    counted = {"endpoints": moved, "lasts": [last[id_] for id_ in moved]}
    await tx.execute(_TELL, events=[event["id"] for event in new], **columns, **counted)
    return FannedOut(sorted(reached), len(new), more)


def delivery_of(endpoint: Row, event: UUID, about: UUID, sequence: int, now: datetime) -> dict[str, Any]:
    """The row of a new delivery. Where the endpoint asks for no order, it is an order of its own."""
    id_ = ids.new(now)
    return {
        "id": id_,
        "endpoint_id": endpoint["id"],
        "event_id": event,
        "sequence": sequence,
        "object_key": about if endpoint["ordered"] else id_,
        "state": "ready" if endpoint["status"] == "enabled" else "held",
        "created_at": now,
    }


async def _earlier(tx: Tx, new: Sequence[Row]) -> list[Row]:
    """Events of the same objects that come before those of a full batch, though their ids are higher (an id is of the
    transaction's start, an object's number of its end)."""
    firsts: dict[UUID, int] = {}
    for event in new:
        known = firsts.get(event["object_id"])
        firsts[event["object_id"]] = event["object_sequence"] if known is None else min(known, event["object_sequence"])
    taken = {event["id"] for event in new}
    found = await tx.fetch(_EARLIER, objects=list(firsts), firsts=list(firsts.values()))
    return [event for event in found if event["id"] not in taken]


def in_order(events: Sequence[Row]) -> list[Row]:
    """By id, but those of one object, in the places they have, by their number."""
    by_id = sorted(events, key=lambda event: event["id"])
    of_object: dict[UUID, list[Row]] = {}
    for event in by_id:
        of_object.setdefault(event["object_id"], []).append(event)
    turns = {
        object_id: iter(sorted(group, key=lambda event: event["object_sequence"]))
        for object_id, group in of_object.items()
    }
    return [next(turns[event["object_id"]]) for event in by_id]
