"""What the courier learns of an endpoint: it fails, it is well again, it is gone, it was given up."""

from __future__ import annotations

from uuid import UUID

from backoffice.platform.effects import Effect
from backoffice.platform.events import EventType
from backoffice.platform.tx import Tx
from backoffice.webhooks import events
from backoffice.webhooks.models import webhook_endpoint
from backoffice.webhooks.queries.endpoints import endpoint_view
from backoffice.webhooks.states import ENDPOINT_MOVES

_FIX_AND_ENABLE = "Repair the receiver, then enable the endpoint: its events were kept."


async def give_up(tx: Tx, endpoint: UUID) -> None:
    """The last try of a delivery failed: the endpoint is paused, its events are kept, its owners are told."""
    await _stop(
        tx, endpoint, "give_up", "tries_used_up", "All tries of a delivery to this address failed; it is paused."
    )


async def gone(tx: Tx, endpoint: UUID) -> None:
    """The receiver answered 410: it is disabled until somebody enables it."""
    await _stop(tx, endpoint, "gone", "gone", "This address answered 410 Gone; nothing more is sent to it.")


async def _stop(tx: Tx, endpoint: UUID, move: str, reason: str, message: str) -> None:
    (leaves,), to = ENDPOINT_MOVES[move]
    values = {"status": to, "status_reason": reason, "health": "failing"}
    row = await tx.change(webhook_endpoint, endpoint, values, status=leaves, deleted_at=None)
    if row is None:  # somebody paused, disabled or deleted it meanwhile
        return
    view = endpoint_view(tx, row)
    effect = Effect(
        kind="webhook_deliveries_stopped",
        subject=view.id,
        before={"status": leaves},
        after={"status": to},
        message=message,
        ask=_FIX_AND_ENABLE,
    )
    tx.emit(events.DISABLED, view, changed=["status"], previous={"status": leaves}, effects=[effect])
    tx.audit(
        "webhook_endpoint.disabled",
        object_type="webhook_endpoint",
        object_id=endpoint,
        object_version=row["version"],
        changed={"status": to},
        reason=reason,
    )


async def failing(tx: Tx, endpoint: UUID) -> int | None:
    """Deliveries are slowed down; the endpoint's new version, or None when it was known to fail."""
    message = "This address refuses deliveries or does not answer; they are slowed down and tried again."
    return await _health(tx, endpoint, events.FAILING, "healthy", "failing", message, "Look at the receiver.")


async def recovered(tx: Tx, endpoint: UUID) -> int | None:
    """A delivery succeeded again; the endpoint's new version, or None when it was known to be well."""
    message = "This address accepts deliveries again; what waited is sent."
    return await _health(tx, endpoint, events.RECOVERED, "failing", "healthy", message, None)


async def _health(
    tx: Tx, endpoint: UUID, kind: EventType, before: str, after: str, message: str, ask: str | None
) -> int | None:
    row = await tx.change(webhook_endpoint, endpoint, {"health": after}, health=before, deleted_at=None)
    if row is None:
        return None
    view = endpoint_view(tx, row)
    effect = Effect(
        kind="webhook_endpoint_health",
        subject=view.id,
        before={"health": before},
        after={"health": after},
        message=message,
        ask=ask,
    )
    tx.emit(kind, view, changed=["health"], previous={"health": before}, effects=[effect])
    tx.audit(kind.name, object_type="webhook_endpoint", object_id=endpoint, object_version=row["version"])
    return int(row["version"])
