"""Remove an endpoint. The row stays, unseen, for the deliveries that name it; what waits for it is canceled."""

from __future__ import annotations

from backoffice.platform.effects import Effect
from backoffice.platform.tx import Tx
from backoffice.webhooks import events
from backoffice.webhooks.models import webhook_endpoint
from backoffice.webhooks.queries.endpoints import endpoint_view, find


async def delete_endpoint(tx: Tx, text: str, if_version: int) -> None:
    """Nothing is sent to it any more, its secrets are gone at once, and its external_id is free. NotFound,
    VersionConflict."""
    current = await find(tx, text)
    view = endpoint_view(tx, current)
    values = {
        "deleted_at": await tx.now(),
        "external_id": None,
        "secret_sealed": b"",
        "previous_secret_sealed": None,
        "previous_secret_until": None,
    }
    row = await tx.change(webhook_endpoint, current["id"], values, if_version=if_version)
    assert row is not None
    effect = Effect(
        kind="webhook_endpoint_deleted",
        subject=view.id,
        before={"status": current["status"]},
        message="This address is not sent events any more; what waited for it is not sent.",
    )
    tx.emit(events.DELETED, view, effects=[effect])
    tx.audit(
        "webhook_endpoint.deleted",
        object_type="webhook_endpoint",
        object_id=current["id"],
        object_version=row["version"],
    )
