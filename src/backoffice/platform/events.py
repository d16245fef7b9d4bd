"""Events: the catalogue of what can be told, and the body that is told (API conventions §8).

A domain declares its events in its `events.py`; `tx.emit` records one in the transaction that made it true.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from uuid import UUID

import msgspec

from backoffice.kernel import ids
from backoffice.kernel.clock import rfc3339
from backoffice.platform.effects import Effect
from backoffice.platform.principal import Principal

API_VERSION = "2026-11-21"
BODY_LIMIT = 20_000 - 32  # bytes; above it the object is cut to ids and an address; the rest is room for `sequence`
_GRAMMAR = re.compile(r"^[a-z][a-z_]*\.[a-z][a-z_]*$")


@dataclass(frozen=True, slots=True)
class EventType:
    """`name` is `resource.past_tense`; `payload` is the outward struct of the object it is about; `path` is where
    that object is read, with `{id}`; `status` is what examples say of it, where it has one."""

    name: str
    payload: type[msgspec.Struct]
    path: str
    means: str
    status: str | None = None

    @property
    def object_type(self) -> str:
        return resource(self.name)


CATALOGUE: dict[str, EventType] = {}


def resource(type_: str) -> str:
    """The first part of a type, which names the kind of object it is about."""
    return type_.split(".", 1)[0]


def nearest(name: str, offered: Sequence[str]) -> str:
    """A hint for a name that is not there: the closest of those that are, the same resource's first, or all where
    there are few."""
    same = [each for each in offered if resource(each) == resource(name)]
    close = get_close_matches(name, same, n=3, cutoff=0.3) or get_close_matches(name, offered, n=3, cutoff=0.55)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"there are {', '.join(sorted(offered))}" if len(offered) <= 20 else "see the catalogue of events"


def event_type(
    name: str, payload: type[msgspec.Struct], path: str, means: str, *, status: str | None = None
) -> EventType:
    """Declare an event type once; the catalogue is published in OpenAPI and as JSON Schemas."""
    assert _GRAMMAR.match(name), name
    assert name not in CATALOGUE, f"{name} is declared twice"
    CATALOGUE[name] = EventType(name, payload, path, means, status)
    return CATALOGUE[name]


@dataclass(frozen=True, slots=True)
class Cause:
    """Who and what an event goes back to, where that is not its transaction's own: several jobs may end in one."""

    principal: Principal
    request_id: str
    traceparent: str | None


@dataclass(slots=True)
class Emitted:
    """One event of a transaction, before it is written."""

    kind: EventType
    object: msgspec.Struct
    object_id: UUID
    changed: Sequence[str] = ()
    previous: dict[str, Any] | None = None
    effects: Sequence[Effect] = field(default_factory=tuple)
    cause: Cause | None = None
    test: bool = False  # an example that somebody asked for; nothing happened


def cut(object_: dict[str, Any], path: str) -> dict[str, str]:
    """An outward object cut to its ids and where it is read."""
    return {"id": object_["id"], "object": object_["object"], "object_url": path.format(id=object_["id"])}


def body(emitted: Emitted, *, id_: UUID, at: datetime, object_sequence: int, cause: Cause) -> str:
    """The JSON text of an event, without `sequence`, which each endpoint's delivery adds."""
    head = {
        "id": ids.encode("event", id_),
        "type": emitted.kind.name,
        "timestamp": rfc3339(at),
        "api_version": API_VERSION,
        "livemode": cause.principal.tenant.livemode,
        "object_sequence": object_sequence,
        "request_id": cause.request_id,
        "actor": cause.principal.actor_body(),
        **({"test": True} if emitted.test else {}),
    }
    data: dict[str, Any] = {"object": emitted.object, "changed": list(emitted.changed)}
    if emitted.previous is not None:
        data["previous"] = emitted.previous
    data["effects"] = list(emitted.effects)
    encoded = msgspec.json.encode({**head, "data": data})
    if len(encoded) > BODY_LIMIT:
        data["object"] = cut(msgspec.to_builtins(emitted.object), emitted.kind.path)
        encoded = msgspec.json.encode({**head, "data": data})
    for most in (20, 5, 0):  # many effects: the reader finds them in the object
        if len(encoded) > BODY_LIMIT:
            data["effects"] = data["effects"][:most]
            encoded = msgspec.json.encode({**head, "data": data})
    return encoded.decode()
