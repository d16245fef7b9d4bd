"""Give an endpoint a new secret; for a while both sign."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec import UNSET
from sqlalchemy import Interval, func, literal, null

from backoffice.platform import signatures
from backoffice.platform.crypto import Cell, Sealed
from backoffice.platform.effects import Effect
from backoffice.platform.tx import Tx
from backoffice.webhooks import events
from backoffice.webhooks.commands.address import PURPOSE
from backoffice.webhooks.models import webhook_endpoint
from backoffice.webhooks.queries.endpoints import endpoint_view, find, shown
from backoffice.webhooks.schemas import NewWebhookEndpoint, RotateSecret


async def rotate_secret(tx: Tx, text: str, data: RotateSecret) -> NewWebhookEndpoint:
    """The endpoint with its new secret. The one before it signs as well until the overlap ends, by database time; an
    older one still in overlap ends now. NotFound."""
    current = await find(tx, text)
    id_, secret = current["id"], signatures.generate_secret()
    cipher = await tx.cipher()
    cell = Cell("webhook_endpoint", "secret", id_)
    overlap = timedelta(hours=data.overlap_hours)
    previous: Any = null()
    until: Any = null()
    if overlap:
        old = cipher.open(cell, Sealed(bytes(current["secret_sealed"])), purpose=PURPOSE)
        previous = cipher.seal(Cell("webhook_endpoint", "previous_secret", id_), old)
        until = func.clock_timestamp() + literal(overlap, Interval(native=True))
    values = {
        "secret_sealed": cipher.seal(cell, secret),
        "previous_secret_sealed": previous,
        "previous_secret_until": until,
    }
    row = await tx.change(webhook_endpoint, id_, values, if_version=current["version"])
    assert row is not None
    view = endpoint_view(tx, row)
    effect = Effect(
        kind="webhook_secret_rotated",
        subject=view.id,
        effective_at=row["previous_secret_until"],
        message=f"This address has a new secret; the one before it is valid for {data.overlap_hours} more hours.",
        ask="Put the new secret into the receiver before the old one ends.",
    )
    tx.emit(events.SECRET_ROTATED, view, changed=["previous_secret_until"], effects=[effect])
    tx.audit(
        "webhook_endpoint.secret_rotated",
        object_type="webhook_endpoint",
        object_id=id_,
        object_version=row["version"],
        changed={"overlap_hours": data.overlap_hours},
    )
    return NewWebhookEndpoint(**shown(tx, row), secret=UNSET if tx.dry_run else secret)
