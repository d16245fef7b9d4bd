"""Sum up what an endpoint was sent on a day, so that its owner can prove that nothing is missing.

A digest covers every number from where the one before it ended to the last that was given on its day (UTC, by the
tenant's clock). So digests have no holes between them, whatever was late or left out. It is told to the endpoint it is
about as an event with a number of its own, which the next digest covers."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, Integer, bindparam, func, select

from backoffice.kernel import ids
from backoffice.platform.effects import Effect
from backoffice.platform.tables import TENANT, Id, Instant
from backoffice.platform.tx import Row, Tx
from backoffice.webhooks import calc, events
from backoffice.webhooks.errors import DayNotOver
from backoffice.webhooks.events import WebhookDigestView, WebhookEndpointDigest
from backoffice.webhooks.models import webhook_delivery, webhook_digest, webhook_endpoint
from backoffice.webhooks.queries.digests import digest_view
from backoffice.webhooks.schemas import StartDigests, WriteDigest

AT_ONCE = 10_000
_endpoint, _delivery, _digest = webhook_endpoint.c, webhook_delivery.c, webhook_digest.c
_LOCK = (
    select(_endpoint.id, _endpoint.version, _endpoint.last_sequence)
    .where(
        _endpoint.tenant_id == TENANT, _endpoint.id == bindparam("endpoint", type_=Id), _endpoint.deleted_at.is_(None)
    )
    .with_for_update(key_share=True)
)
_NEWEST = (
    select(*_digest)
    .where(_digest.tenant_id == TENANT, _digest.endpoint_id == bindparam("endpoint", type_=Id))
    .order_by(_digest.day.desc())
    .limit(1)
)
_ON_DAY = select(*_digest).where(
    _digest.tenant_id == TENANT,
    _digest.endpoint_id == bindparam("endpoint", type_=Id),
    _digest.day == bindparam("day", type_=_digest.day.type),
)
_of_endpoint = (_delivery.tenant_id == TENANT, _delivery.endpoint_id == bindparam("endpoint", type_=Id))
_FIRST = select(func.min(_delivery.sequence)).where(*_of_endpoint)
_LAST = select(func.max(_delivery.sequence)).where(
    *_of_endpoint,
    _delivery.sequence > bindparam("after", type_=BigInteger),
    _delivery.created_at < bindparam("end", type_=Instant),
)
_SENT = (
    select(_delivery.sequence, _delivery.event_id)
    .where(
        *_of_endpoint,
        _delivery.sequence > bindparam("after", type_=BigInteger),
        _delivery.sequence <= bindparam("last", type_=BigInteger),
    )
    .order_by(_delivery.sequence)
    .limit(bindparam("most", type_=Integer))
)
_ENDPOINTS = (
    select(_endpoint.id)
    .where(
        _endpoint.tenant_id == TENANT,
        _endpoint.deleted_at.is_(None),
        # made after this moment: before a clock was set back, or before a reset
        (_endpoint.created_at < bindparam("end", type_=Instant))
        | (_endpoint.created_at > bindparam("now", type_=Instant)),
    )
    .order_by(_endpoint.id)
)


async def start_digests(tx: Tx, payload: StartDigests) -> dict[str, int]:
    """A `webhooks.digest` for each endpoint and the day that ended last. Asked again for the same day it starts
    nothing."""
    today = payload.scheduled_for.astimezone(UTC).date()
    rows = await tx.fetch(_ENDPOINTS, end=_midnight(today), now=await tx.now())
    for row in rows:
        day = today - timedelta(days=1)
        endpoint = ids.encode("webhook_endpoint", row["id"])
        await tx.start(WriteDigest(endpoint_id=endpoint, day=day), key=f"{endpoint}:{day}")
    return {"endpoints": len(rows)}


async def write_digest(tx: Tx, endpoint: UUID, day: date) -> WebhookDigestView | None:
    """The digest of a day, written now or before. None where the endpoint is deleted, or a later day was summed up
    already, which then covers this one too. DayNotOver (409)."""
    if await tx.now() < _midnight(day + timedelta(days=1)):
        raise DayNotOver(f"{day} is not over by the tenant's clock.")
    locked = await tx.row(_LOCK, endpoint=endpoint)  # numbers are given under the same lock
    there = await tx.row(_ON_DAY, endpoint=endpoint, day=day)
    if there is not None:
        return digest_view(tx, there)
    newest = await tx.row(_NEWEST, endpoint=endpoint)
    if locked is None or (newest is not None and newest["day"] > day):
        return None
    row = await tx.insert(webhook_digest, id=await tx.new_id(), **await _summed_up(tx, locked, day, newest))
    view = digest_view(tx, row)
    subject = ids.encode("webhook_endpoint", endpoint)
    effect = Effect(
        kind="webhook_digest_written",
        subject=subject,
        after={"day": str(day), "count": view.count, "hash": view.hash},
        message=f"{view.count} events were numbered for this address on {day}; compare their hash with your own.",
    )
    tx.emit(events.DIGEST, WebhookEndpointDigest(id=subject, digest=view), effects=[effect])
    tx.audit(
        "webhook_endpoint.digest_written",
        object_type="webhook_endpoint",
        object_id=endpoint,
        object_version=locked["version"],
        changed={"day": str(day), "count": view.count},
    )
    return view


async def _summed_up(tx: Tx, locked: Row, day: date, newest: Row | None) -> dict[str, object]:
    endpoint = locked["id"]
    if newest is None:  # the numbers of before a reset are gone, and their digests with them
        first = await tx.value(_FIRST, endpoint=endpoint)
        before, hash_ = locked["last_sequence"] if first is None else first - 1, calc.FIRST
    else:
        before, hash_ = newest["last_sequence"], newest["hash"]
    end = _midnight(day + timedelta(days=1))
    last = await tx.value(_LAST, endpoint=endpoint, after=before, end=end) or before
    after, previous = before, hash_
    while after < last:
        rows = await tx.fetch(_SENT, endpoint=endpoint, after=after, last=last, most=AT_ONCE)
        hash_ = calc.chained(hash_, [(row["sequence"], ids.encode("event", row["event_id"])) for row in rows])
        after = rows[-1]["sequence"]
    return {
        "endpoint_id": endpoint,
        "day": day,
        "first_sequence": before + 1 if last > before else None,
        "last_sequence": last,
        "count": last - before,
        "hash": hash_,
        "previous_hash": previous,
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
