"""The published catalogue of events: one JSON Schema (2020-12) with an example for each type, made from the code."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from backoffice.kernel import ids
from backoffice.platform.courier import examples
from backoffice.platform.effects import Effect
from backoffice.platform.events import API_VERSION, EventType

_ID = "^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"
_INSTANT = {"type": "string", "format": "date-time"}
CUT = {
    "description": "The object where the whole would be over 20 kB, or where the endpoint asks for ids alone.",
    "type": "object",
    "required": ["id", "object", "object_url"],
    "properties": {name: {"type": "string"} for name in ("id", "object", "object_url")},
    "additionalProperties": False,
}


def schema(kind: EventType) -> dict[str, Any]:
    """The JSON Schema of a webhook's body of this type, complete in itself, with an example."""
    (object_, effect), parts = msgspec.json.schema_components([kind.payload, Effect], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.name,
        "description": kind.means,
        **body(kind, object_, effect, {"$ref": "#/$defs/Cut"}),
        "examples": [example(kind)],
        "$defs": {**dict(sorted(parts.items())), "Cut": CUT},
    }


def body(kind: EventType, object_: Any, effect: Any, cut: Any) -> dict[str, Any]:
    """The schema of a body, from those of its parts. `sequence` is there in webhooks and in the events of one endpoint,
    and absent where events are read without one."""
    properties = {
        "id": {"type": "string", "pattern": _ID.format(prefix="evt"), "description": "The same in every try."},
        "type": {"const": kind.name},
        "timestamp": _INSTANT,
        "api_version": {"type": "string", "format": "date"},
        "livemode": {"type": "boolean"},
        "sequence": {"type": "integer", "minimum": 1, "description": "Rises by exactly 1 per endpoint."},
        "object_sequence": {"type": "integer", "minimum": 1, "description": "Rises by exactly 1 per object."},
        "request_id": {"type": "string"},
        "actor": _closed(
            {"type": {"enum": ["person", "system"]}, "id": {"type": "string"}, "api_key": {"type": "string"}},
            optional=("api_key",),
        ),
        "test": {"const": True, "description": "An example that somebody asked for: nothing has happened."},
        "data": _closed(
            {
                "object": {"anyOf": [object_, cut]},
                "changed": {"type": "array", "items": {"type": "string"}},
                "previous": {"type": "object"},
                "effects": {"type": "array", "items": effect},
            },
            optional=("previous",),
        ),
    }
    return _closed(properties, optional=("sequence", "test"))


def example(kind: EventType) -> dict[str, Any]:
    """A webhook's body of this type."""
    return {
        "id": examples.id_of("event"),
        "type": kind.name,
        "timestamp": examples.MOMENT,
        "api_version": API_VERSION,
        "livemode": False,
        "sequence": 48211,
        "object_sequence": 7,
        "request_id": examples.id_of("request"),
        "actor": {"type": "person", "id": examples.id_of("person"), "api_key": examples.id_of("api_key")},
        "data": {"object": _object(kind), "changed": [], "effects": []},
    }


def example_object(kind: EventType, id_: UUID, *, livemode: bool) -> msgspec.Struct:
    """The example of the object that an event of this type is about, under an id of its own."""
    told = _object(kind)
    told |= {"id": ids.encode(kind.object_type, id_), **({"livemode": livemode} if "livemode" in told else {})}
    made: msgspec.Struct = msgspec.convert(told, kind.payload)
    return made


def _object(kind: EventType) -> dict[str, Any]:
    told: dict[str, Any] = examples.example(kind.payload, kind.object_type)
    return told if kind.status is None else {**told, "status": kind.status}


def _closed(properties: dict[str, Any], *, optional: tuple[str, ...]) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}
