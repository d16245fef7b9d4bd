"""Clients: added and changed."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from backoffice.kernel.errors import Fault, FaultList, VersionConflict
from backoffice.kernel.places import STATES
from backoffice.people.schemas import Address, AddressPatch
from backoffice.platform.effects import Effect
from backoffice.platform.tx import Tx
from backoffice.platform.web.bodies import merged_metadata
from backoffice.staffing import events, models, queries
from backoffice.staffing.errors import ClientExists
from backoffice.staffing.schemas import Client, CreateClient, UpdateClient

_clients = models.client
_ADDRESS = {"line1": "address_line1", "line2": "address_line2", "city": "city", "state": "state",
            "postal_code": "postal_code"}  # fmt: skip


async def create_client(tx: Tx, data: CreateClient) -> Client:
    """Add a client. ValidationFailed (422); ClientExists (409) for an external_id that is there."""
    faults = FaultList()
    _check_state(faults, data.address)
    faults.raise_if_any()
    row = await tx.insert_or_none(
        _clients,
        id=await tx.new_id(),
        name=data.name,
        billing_email=data.billing_email,
        payment_terms_days=data.payment_terms_days,
        external_id=data.external_id,
        metadata=data.metadata,
        **_columns(data.address),
    )
    if row is None:
        fault = Fault("already_in_use", "is another client's; change that client instead", pointer="#/external_id")
        raise ClientExists(errors=[fault])
    view = queries.client_view(tx, row)
    message = f"The client {row['name']} was added; workers can be assigned to it."
    tx.emit(events.CLIENT_CREATED, view, effects=[Effect(kind="client_added", subject=view.id, message=message)])
    tx.audit("client.created", object_type="client", object_id=row["id"])
    return view


async def update_client(tx: Tx, id_: str, data: UpdateClient, if_version: int) -> Client:
    """Apply a merge patch; nothing is told when nothing differs. VersionConflict (412); ValidationFailed (422)."""
    before = await queries.record(tx, _clients, "client", id_)
    faults = FaultList()
    wanted: dict[str, Any] = {
        name: getattr(data, name)
        for name in ("name", "billing_email", "payment_terms_days", "status")
        if getattr(data, name) is not UNSET
    }
    if isinstance(data.address, AddressPatch):
        _check_state(faults, data.address)
        wanted |= _columns(data.address)
    faults.raise_if_any()
    if data.metadata is not UNSET:
        wanted["metadata"] = merged_metadata(before["metadata"], data.metadata)
    changed = sorted(name for name, value in wanted.items() if value != before[name])
    if not changed:
        if before["version"] != if_version:
            raise VersionConflict(before["version"])
        return queries.client_view(tx, before)
    row = await tx.change(_clients, before["id"], {name: wanted[name] for name in changed}, if_version=if_version)
    assert row is not None
    view = queries.client_view(tx, row)
    shown = sorted({"address" if name in _ADDRESS.values() else name for name in changed})
    message = f"On file for the client {row['name']} changed: {', '.join(shown)}."
    effect = Effect(kind="client_changed", subject=view.id, after={"fields": shown}, message=message)
    tx.emit(events.CLIENT_UPDATED, view, changed=shown, effects=[effect])
    tx.audit(
        "client.updated",
        object_type="client",
        object_id=row["id"],
        object_version=row["version"],
        changed={"fields": shown},
    )
    return view


def _columns(address: Address | AddressPatch) -> dict[str, Any]:
    given = {column: getattr(address, name) for name, column in _ADDRESS.items()}
    return {column: value for column, value in given.items() if value is not UNSET}


def _check_state(faults: FaultList, address: Address | AddressPatch) -> None:
    if address.state is not UNSET and address.state not in STATES:
        faults.add("#/address/state", "unknown_state", "must be one of the fifty states or DC")
