"""Send deliveries again, on demand.

A replay is the same delivery once more: the same `webhook-id`, the same `sequence`, all its tries, and the time of the
new try in the signature. It makes no number of its own, so it leaves no gap and fills none. It stands behind everything
fresh of its endpoint (`states.TURNS`). What was never taken keeps its place among the events of its object; what had
been taken is a repeat, which the receiver drops or takes anew, and which no other event waits for.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Integer, Text, any_, bindparam, case, func, null, select

from backoffice.kernel import ids
from backoffice.kernel.errors import FaultList, Fix
from backoffice.platform.effects import Effect
from backoffice.platform.jobs import queries as jobs
from backoffice.platform.jobs.view import JobView
from backoffice.platform.jobs.view import view as job_view
from backoffice.platform.models import event as event_table
from backoffice.platform.tables import TENANT, Id, Instant
from backoffice.platform.tx import Row, Tx
from backoffice.webhooks import events
from backoffice.webhooks.errors import EndpointNotEnabled
from backoffice.webhooks.models import webhook_delivery, webhook_endpoint
from backoffice.webhooks.queries.endpoints import endpoint_view, find
from backoffice.webhooks.queries.events import kept
from backoffice.webhooks.schemas import Replay, ReplayDeliveries

AT_ONCE = 1_000
UNDELIVERED = ("failed", "held", "retry_wait")  # what is ready or leased is on its way
_delivery, _event, _endpoint = webhook_delivery.c, event_table.c, webhook_endpoint.c
_of_endpoint = (_delivery.tenant_id == TENANT, _delivery.endpoint_id == bindparam("endpoint", type_=Id))
_SENT = (
    select(_delivery.event_id)
    .join(event_table, (_event.tenant_id == TENANT) & (_event.id == _delivery.event_id))
    .where(*_of_endpoint, _delivery.event_id == any_(bindparam("events", type_=ARRAY(Id))), kept)
)
_AGAIN = {
    "state": "ready",
    "turn": case((_delivery.state == "delivered", "again"), (_delivery.turn == "again", "again"), else_="late"),
    "fence": _delivery.fence + 1,
    "attempt": 0,
    "run_at": func.now(),  # one moment for a batch, whose order is then that of its numbers
    "finished_at": null(),
}


async def replay_endpoint(tx: Tx, text: str, data: ReplayDeliveries) -> JobView:
    """Queue the replay; its effect, also in a dry run, says how many deliveries it is about. NotFound,
    ValidationFailed, EndpointNotEnabled (409)."""
    current = await find(tx, text)
    await _check(tx, current, data)
    if current["status"] != "enabled":
        raise EndpointNotEnabled(
            f"The endpoint is {current['status']}, so nothing is sent to it.",
            fix=Fix("front_office", "Enable it: what was kept is then sent by itself.",
                    f"POST /v1/webhook_endpoints/{text}/enable"),
        )  # fmt: skip
    payload = Replay(
        endpoint_id=ids.encode("webhook_endpoint", current["id"]),
        up_to=current["last_sequence"],
        deliveries=0,
        event_ids=None if data.event_ids is None else tuple(data.event_ids),
        since=data.from_,
        until=data.to,
    )
    count = await tx.value(select(func.count()).select_from(_chosen(payload).subquery()), **_given(payload))
    payload = msgspec.structs.replace(payload, deliveries=count)
    job_id = await tx.start(payload, progress_total=count)
    effect = Effect(
        kind="webhook_deliveries_replayed",
        subject=payload.endpoint_id,
        after={"deliveries": count},
        message=f"{count} deliveries to this address are sent again, behind what is fresh.",
    )
    tx.emit(events.REPLAYED, endpoint_view(tx, current), effects=[effect])
    tx.audit(
        "webhook_endpoint.replayed",
        object_type="webhook_endpoint",
        object_id=current["id"],
        object_version=current["version"],
        changed={"deliveries": count},
    )
    await tx.flush()
    return job_view(tx.principal, await jobs.get(tx, job_id))


async def replay_batch(tx: Tx, payload: Replay, after: int) -> dict[str, int | None]:
    """Make up to 1,000 deliveries with numbers above `after` due again. `moved` is how many, `last` the highest number
    among them, or None when there are no more. What is on its way meanwhile is left alone."""
    first = (
        _chosen(payload)
        .where(_delivery.sequence > bindparam("after", type_=BigInteger))
        .order_by(_delivery.sequence)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True, of=webhook_delivery)
    )
    move = (
        webhook_delivery.update()
        .where(_delivery.tenant_id == TENANT, _delivery.id.in_(first))
        .values(_AGAIN)
        .returning(_delivery.sequence)
    )
    moved = await tx.fetch(move, **_given(payload), after=after, most=AT_ONCE)
    full = len(moved) == AT_ONCE
    return {"moved": len(moved), "last": max(row["sequence"] for row in moved) if full else None}


def _chosen(payload: Replay) -> Any:
    """The ids of the deliveries that a replay is about, as a statement."""
    where: list[ColumnElement[bool]] = [
        *_of_endpoint,
        _delivery.sequence <= bindparam("up_to", type_=BigInteger),
        _delivery.state == any_(bindparam("states", type_=ARRAY(Text))),
        kept,
    ]
    if payload.event_ids is not None:
        where.append(_delivery.event_id == any_(bindparam("events", type_=ARRAY(Id))))
    if payload.since is not None:
        where.append(_event.occurred_at >= bindparam("since", type_=Instant))
        if payload.until is not None:
            where.append(_event.occurred_at < bindparam("until", type_=Instant))
    join = (_event.tenant_id == TENANT) & (_event.id == _delivery.event_id)
    return select(_delivery.id).join(event_table, join).where(*where)


def _given(payload: Replay) -> dict[str, Any]:
    """The parameters of `_chosen`."""
    named = payload.event_ids is not None or payload.since is not None
    given: dict[str, Any] = {
        "endpoint": ids.decode("webhook_endpoint", payload.endpoint_id),
        "up_to": payload.up_to,
        "states": ["delivered", *UNDELIVERED] if named else list(UNDELIVERED),
    }
    if payload.event_ids is not None:
        given["events"] = [ids.decode("event", text) for text in payload.event_ids]
    if payload.since is not None:
        given["since"] = payload.since
        if payload.until is not None:
            given["until"] = payload.until
    return given


async def _check(tx: Tx, endpoint: Row, data: ReplayDeliveries) -> None:
    faults = FaultList()
    given = [
        ("event_ids", data.event_ids is not None),
        ("from", data.from_ is not None),
        ("undelivered", data.undelivered),
    ]
    chosen = [name for name, is_given in given if is_given]
    if not chosen and data.to is None:
        faults.add("#", "nothing_chosen", "say what to send again: event_ids, from (and to), or undelivered")
    for name in chosen if len(chosen) > 1 else ():
        faults.add(f"#/{name}", "one_of", "give one of event_ids, from (and to) and undelivered")
    if data.to is not None and data.from_ is None:
        faults.add("#/from", "required", "to needs a from")
    for name, at in (("from", data.from_), ("to", data.to)):
        if at is not None and at.tzinfo is None:
            faults.add(f"#/{name}", "not_an_instant", "must carry a time zone, such as 2026-11-21T12:00:00Z")
    if not faults.faults and data.from_ is not None and data.to is not None and data.to <= data.from_:
        faults.add("#/to", "out_of_range", "must be after from")
    if data.event_ids is not None:
        await _check_events(tx, endpoint["id"], data.event_ids, faults)
    faults.raise_if_any()


async def _check_events(tx: Tx, endpoint: UUID, texts: list[str], faults: FaultList) -> None:
    asked = [ids.decode("event", text) for text in texts]
    known = {id_ for id_ in asked if id_ is not None}
    sent = {row["event_id"] for row in await tx.fetch(_SENT, endpoint=endpoint, events=sorted(known))}
    seen: set[UUID] = set()
    for place, id_ in enumerate(asked):
        if id_ is None or id_ not in sent:
            told = "this endpoint was sent no such event in the last 90 days"
            faults.add(f"#/event_ids/{place}", "not_sent_here", told)
        elif id_ in seen:
            faults.add(f"#/event_ids/{place}", "duplicate", "is named twice")
        else:
            seen.add(id_)
