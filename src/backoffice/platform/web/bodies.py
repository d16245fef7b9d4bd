"""Shapes that every domain's bodies share, and the one way to find an object by the id a caller wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Table, bindparam, select

from backoffice.kernel import ids
from backoffice.kernel.errors import FaultList, NotFound
from backoffice.kernel.money import Money, format_minor, parse_minor
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx

ExternalId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]*$")]
Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]
_MetadataKey = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\x00]*$")]
_MetadataValue = Annotated[str, Meta(max_length=500, pattern=r"^[^\x00]*$")]
Metadata = Annotated[dict[_MetadataKey, _MetadataValue], Meta(max_length=50)]
MetadataPatch = Annotated[dict[_MetadataKey, _MetadataValue | None], Meta(max_length=100)]
"""A merge patch of metadata; null removes a key."""
Instant = Annotated[datetime, Meta(tz=True, examples=["2026-11-21T12:00:00Z"])]
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class MoneyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`{"amount": "1234.56", "currency": "USD"}`: a decimal string, never a float."""

    amount: Annotated[str, Meta(pattern=r"^-?(0|[1-9][0-9]{0,11})\.[0-9]{2}$", examples=["1234.56"])]
    currency: Annotated[str, Meta(pattern=r"^USD$", examples=["USD"])] = "USD"

    @classmethod
    def of(cls, minor: int, currency: str = "USD") -> MoneyBody:
        return cls(amount=format_minor(minor), currency=currency)

    def money(self) -> Money:
        return Money(parse_minor(self.amount), self.currency)


class Noun(msgspec.Struct, kw_only=True):
    """What every object outside has."""

    id: str
    object: str
    livemode: bool
    created_at: datetime
    updated_at: datetime
    version: int
    external_id: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


def noun_fields(tx: Tx, kind: str, row: Row) -> dict[str, Any]:
    """The fields of `Noun` for a row of a noun's table."""
    return {
        "id": ids.encode(kind, row["id"]),
        "object": kind,
        "livemode": tx.principal.tenant.livemode,
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "version": row["version"],
        "external_id": row["external_id"],
        "metadata": row["metadata"],
    }


async def find_id(tx: Tx, table: Table, kind: str, text: str) -> UUID:
    """The UUID for `wrk_01…` or `ext:BH-88231`. NotFound for anything that is not this tenant's."""
    if "\x00" in text:  # no text of PostgreSQL's
        raise NotFound
    if text.startswith("ext:"):
        found = await tx.value(
            select(table.c.id).where(table.c.tenant_id == TENANT, table.c.external_id == bindparam("ext")),
            ext=text[4:].replace("\x1f", "/"),  # as the edge writes a slash within a name
        )
    else:
        found = ids.decode(kind, text)
    if found is None:
        raise NotFound
    assert isinstance(found, UUID)
    return found


def check_instant(faults: FaultList, pointer: str, at: datetime) -> None:
    """Adds a fault for an instant that is too far away to count with (ids, leases and periods lie around it)."""
    if not _EARLIEST <= at < _LATEST:
        faults.add(pointer, "out_of_range", "must lie in the years 2000 to 2199")


def merged_metadata(current: dict[str, str], patch: Any) -> dict[str, str]:
    """A merge patch of metadata (RFC 7396): null removes a key. ValidationFailed above 50 keys."""
    merged = {**current, **patch}
    merged = {name: value for name, value in merged.items() if value is not None}
    if len(merged) > 50:
        faults = FaultList()
        faults.add("#/metadata", "too_many_keys", "metadata may have at most 50 keys")
        faults.raise_if_any()
    return merged


__all__ = [
    "UNSET",
    "ExternalId",
    "Instant",
    "Metadata",
    "MetadataPatch",
    "MoneyBody",
    "Noun",
    "Text",
    "UnsetType",
    "check_instant",
    "find_id",
    "merged_metadata",
    "noun_fields",
]
