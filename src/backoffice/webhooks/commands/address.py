"""Put claimed deliveries into envelopes, as `bo_app` in their tenant: body, address, secrets in force."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Text, any_, bindparam, case, func, null, select, text

from backoffice.kernel import ids
from backoffice.platform.courier.ports import Claimed, Envelope
from backoffice.platform.crypto import Cell, Sealed, TenantCipher
from backoffice.platform.models import event as event_table
from backoffice.platform.statements import Prepared
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.webhooks.models import webhook_delivery, webhook_endpoint
from backoffice.webhooks.queries.bodies import as_asked, numbered

MOST_PARKED = 5_000
PURPOSE = "webhook_signature"

_endpoint, _delivery, _event = webhook_endpoint.c, webhook_delivery.c, event_table.c
_EVENTS = Prepared(
    select(_event.id, _event.body, _event.traceparent).where(
        _event.tenant_id == TENANT, _event.id == any_(bindparam("events", type_=ARRAY(Id)))
    )
)
_in_overlap = _endpoint.previous_secret_until > func.clock_timestamp()
_ENDPOINTS = Prepared(
    select(
        *(
            _endpoint.id,
            _endpoint.url,
            _endpoint.status,
            _endpoint.health,
            _endpoint.version,
            _endpoint.max_concurrency,
        ),
        *(_endpoint.deleted_at, _endpoint.secret_sealed, _endpoint.payload, _endpoint.api_version),
        case((_in_overlap, _endpoint.previous_secret_sealed)).label("previous"),
    ).where(_endpoint.tenant_id == TENANT, _endpoint.id == any_(bindparam("endpoints", type_=ARRAY(Id))))
)

_waiting = select(_delivery.id).where(
    _delivery.tenant_id == TENANT,
    _delivery.endpoint_id == bindparam("endpoint", type_=Id),
    text("webhook_delivery.state IN ('ready', 'retry_wait')"),  # as the partial index says it
)
_parked = {
    "state": bindparam("to", type_=Text),
    "fence": _delivery.fence + 1,
    "lease_until": null(),
    "worker": null(),
    "finished_at": case((bindparam("to", type_=Text) == "canceled", func.clock_timestamp())),
}
_PARK_WAITING = (
    webhook_delivery.update()
    .where(
        _delivery.tenant_id == TENANT,
        _delivery.id.in_(_waiting.limit(bindparam("most", type_=Integer)).with_for_update(skip_locked=True)),
    )
    .values(_parked)
)
_PARK_CLAIMED = (
    webhook_delivery.update()
    .where(
        _delivery.tenant_id == TENANT,
        _delivery.id == any_(bindparam("claimed", type_=ARRAY(Id))),
        _delivery.endpoint_id == bindparam("endpoint", type_=Id),
        _delivery.state == "leased",
    )
    .values(_parked)
)


async def envelopes(tx: Tx, claimed: Sequence[Claimed]) -> Sequence[Envelope | None]:
    """One for each. None for those of an endpoint that is not enabled: they are held until it is (or canceled, where it
    was deleted), with what else waits for it; and for those whose event is gone."""
    found = await tx.fetch(_ENDPOINTS, endpoints=list({each.lane.endpoint for each in claimed}))
    endpoints = {row["id"]: row for row in found if _is_enabled(row)}
    for row in found:
        if row["id"] not in endpoints:
            mine = [each.id for each in claimed if each.lane.endpoint == row["id"]]
            await park(tx, row["id"], mine, to="held" if row["deleted_at"] is None else "canceled")
    messages = {each.message for each in claimed if each.lane.endpoint in endpoints}
    if not messages:
        return [None] * len(claimed)
    events = {row["id"]: row for row in await tx.fetch(_EVENTS, events=list(messages))}
    cipher = await tx.cipher()
    secrets = {id_: _secrets(cipher, endpoint) for id_, endpoint in endpoints.items()}
    made: list[Envelope | None] = []
    for each in claimed:
        id_ = each.lane.endpoint
        endpoint, event = endpoints.get(id_), events.get(each.message)
        if endpoint is None or event is None:
            made.append(None)
            continue
        envelope = Envelope(
            url=endpoint["url"],
            message_id=ids.encode("event", each.message),
            body=numbered(as_asked(endpoint, event["body"]), each.sequence),
            secrets=secrets[id_],
            most=endpoint["max_concurrency"],
            failing=endpoint["health"] == "failing",
            version=endpoint["version"],
            traceparent=event["traceparent"],
        )
        made.append(envelope)
    return made


async def park(tx: Tx, endpoint: UUID, claimed: Sequence[UUID], *, to: str) -> None:
    """Hold or cancel what waits for an endpoint, at most 5,000 at a time, and the claimed ones."""
    await tx.execute(_PARK_CLAIMED, endpoint=endpoint, claimed=list(claimed), to=to)
    await tx.execute(_PARK_WAITING, endpoint=endpoint, most=MOST_PARKED, to=to)


def _is_enabled(endpoint: Row) -> bool:
    return endpoint["status"] == "enabled" and endpoint["deleted_at"] is None


def _secrets(cipher: TenantCipher, endpoint: Row) -> tuple[str, ...]:
    """Those in force, the newest first."""
    sealed = [("secret", endpoint["secret_sealed"]), ("previous_secret", endpoint["previous"])]
    return tuple(
        cipher.open(Cell("webhook_endpoint", column, endpoint["id"]), Sealed(bytes(token)), purpose=PURPOSE)
        for column, token in sealed
        if token is not None
    )
