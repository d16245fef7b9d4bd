"""Events: the catalogue of what can be told, and the body that is told (API conventions §8).

A domain declares its events in its `events.py`; `tx.emit` records one in the transaction that made it true.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from backoffice.kernel import ids
from backoffice.kernel.clock import rfc3339
from backoffice.platform.effects import Effect
from backoffice.platform.principal import Principal

API_VERSION = "2026-11-21"
BODY_LIMIT = 20_000  # bytes; above it the object is cut to ids and an address
_GRAMMAR = re.compile(r"^[a-z][a-z_]*\.[a-z][a-z_]*$")


@dataclass(frozen=True, slots=True)
class EventType:
    """`name` is `resource.past_tense`; `payload` is the outward struct of the object it is about; `path` is where
    that object is read, with `{id}`."""

    name: str
    payload: type[msgspec.Struct]
    path: str
    means: str

    @property
    def object_type(self) -> str:
        return self.name.split(".", 1)[0]


CATALOGUE: dict[str, EventType] = {}


def event_type(name: str, payload: type[msgspec.Struct], path: str, means: str) -> EventType:
    """Declare an event type once; the catalogue is published in OpenAPI and as JSON Schemas."""
    assert _GRAMMAR.match(name), name
    assert name not in CATALOGUE, f"{name} is declared twice"
    CATALOGUE[name] = EventType(name, payload, path, means)
    return CATALOGUE[name]


@dataclass(slots=True)
class Emitted:
    """One event of a transaction, before it is written."""

    kind: EventType
    object: msgspec.Struct
    object_id: UUID
    changed: Sequence[str] = ()
    previous: dict[str, Any] | None = None
    effects: Sequence[Effect] = field(default_factory=tuple)


def body(
    emitted: Emitted, *, id_: UUID, at: datetime, object_sequence: int, principal: Principal, request_id: str
) -> str:
    """The JSON text of an event, without `sequence`, which each endpoint's delivery adds."""
    head = {
        "id": ids.encode("event", id_),
        "type": emitted.kind.name,
        "timestamp": rfc3339(at),
        "api_version": API_VERSION,
        "livemode": principal.tenant.livemode,
        "object_sequence": object_sequence,
        "request_id": request_id,
        "actor": principal.actor_body(),
    }
    data: dict[str, Any] = {"object": emitted.object, "changed": list(emitted.changed)}
    if emitted.previous is not None:
        data["previous"] = emitted.previous
    data["effects"] = list(emitted.effects)
    encoded = msgspec.json.encode({**head, "data": data})
    if len(encoded) > BODY_LIMIT:
        outward = msgspec.to_builtins(emitted.object)
        data["object"] = {
            "id": outward["id"],
            "object": outward["object"],
            "object_url": emitted.kind.path.format(id=outward["id"]),
        }
        encoded = msgspec.json.encode({**head, "data": data})
    for most in (20, 5, 0):  # many effects: the reader finds them in the object
        if len(encoded) > BODY_LIMIT:
            data["effects"] = data["effects"][:most]
            encoded = msgspec.json.encode({**head, "data": data})
    return encoded.decode()
