"""Pause an endpoint, and enable one that gets nothing."""

from __future__ import annotations

from backoffice.platform.effects import Effect
from backoffice.platform.tx import Tx
from backoffice.webhooks import events
from backoffice.webhooks.commands.release import release
from backoffice.webhooks.errors import EndpointAlreadyEnabled, EndpointNotEnabled
from backoffice.webhooks.events import WebhookEndpointView
from backoffice.webhooks.models import webhook_endpoint
from backoffice.webhooks.queries.endpoints import endpoint_view, find
from backoffice.webhooks.states import ENDPOINT_MOVES

AT_ONCE = 1_000  # deliveries released in the request itself; the courier releases the rest


async def pause_endpoint(tx: Tx, text: str) -> WebhookEndpointView:
    """Nothing more is sent until it is enabled; its events are numbered and kept. EndpointNotEnabled (409)."""
    current = await find(tx, text)
    leaves, to = ENDPOINT_MOVES["pause"]
    values = {"status": to, "status_reason": "by_request"}
    row = await tx.change(webhook_endpoint, current["id"], values, status=leaves[0])
    if row is None:
        raise EndpointNotEnabled(f"The endpoint is {current['status']}; only an enabled one can be paused.")
    view = endpoint_view(tx, row)
    effect = Effect(
        kind="webhook_deliveries_paused",
        subject=view.id,
        before={"status": leaves[0]},
        after={"status": to},
        message="Deliveries to this address are paused. Its events are kept and sent in order once it is enabled.",
    )
    tx.emit(events.PAUSED, view, changed=["status"], previous={"status": leaves[0]}, effects=[effect])
    tx.audit(
        "webhook_endpoint.paused",
        object_type="webhook_endpoint",
        object_id=row["id"],
        object_version=row["version"],
    )
    return view


async def enable_endpoint(tx: Tx, text: str) -> WebhookEndpointView:
    """What was kept is sent, in order, with all its tries again. EndpointAlreadyEnabled (409)."""
    current = await find(tx, text)
    if current["status"] == "enabled":
        raise EndpointAlreadyEnabled("Nothing has to be done.")
    values = {"status": ENDPOINT_MOVES["enable"][1], "status_reason": None}
    row = await tx.change(webhook_endpoint, current["id"], values, status=current["status"])
    if row is None:
        raise EndpointAlreadyEnabled("Somebody enabled it a moment ago.")
    await release(tx, [row["id"]], most=AT_ONCE)
    view = endpoint_view(tx, row)
    effect = Effect(
        kind="webhook_deliveries_resumed",
        subject=view.id,
        before={"status": current["status"]},
        after={"status": "enabled"},
        message="Deliveries to this address go on; what was kept for it is sent first.",
    )
    previous = {"status": current["status"]}
    tx.emit(events.ENABLED, view, changed=["status"], previous=previous, effects=[effect])
    tx.audit(
        "webhook_endpoint.enabled",
        object_type="webhook_endpoint",
        object_id=row["id"],
        object_version=row["version"],
    )
    return view
