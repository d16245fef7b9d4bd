"""The published catalogue of events: one JSON Schema (2020-12) with an example for each type, made from the code."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from backoffice.kernel import ids
from backoffice.platform.courier import examples
from backoffice.platform.effects import Effect
from backoffice.platform.events import API_VERSION, CATALOGUE, EventType

_ID = "^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"
_INSTANT = {"type": "string", "format": "date-time"}
_CUT = {
    "description": "The object where the whole would be over 20 kB: read it at `object_url`.",
    "type": "object",
    "required": ["id", "object", "object_url"],
    "properties": {name: {"type": "string"} for name in ("id", "object", "object_url")},
    "additionalProperties": False,
}


def schema(kind: EventType) -> dict[str, Any]:
    """The JSON Schema of a webhook's body of this type. `sequence` is there in webhooks and in the events of one
    endpoint, and absent where events are read without one."""
    (object_, effect), parts = msgspec.json.schema_components([kind.payload, Effect], ref_template="#/$defs/{name}")
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
                "object": {"anyOf": [object_, {"$ref": "#/$defs/Cut"}]},
                "changed": {"type": "array", "items": {"type": "string"}},
                "previous": {"type": "object"},
                "effects": {"type": "array", "items": effect},
            },
            optional=("previous",),
        ),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.name,
        "description": kind.means,
        **_closed(properties, optional=("sequence", "test")),
        "examples": [example(kind)],
        "$defs": {**dict(sorted(parts.items())), "Cut": _CUT},
    }


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
        "data": {"object": examples.example(kind.payload, kind.object_type), "changed": [], "effects": []},
    }


def example_object(kind: EventType, id_: UUID, *, livemode: bool) -> msgspec.Struct:
    """The example of the object that an event of this type is about, under an id of its own."""
    told = examples.example(kind.payload, kind.object_type)
    told |= {"id": ids.encode(kind.object_type, id_), **({"livemode": livemode} if "livemode" in told else {})}
    made: msgspec.Struct = msgspec.convert(told, kind.payload)
    return made


def write(folder: Path, kinds: Iterable[EventType] | None = None) -> list[Path]:
    """Write `<type>.json` for each type (all of the catalogue; import the domains first) and remove those of types that
    are no more. Returns the files, sorted; the same code gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for kind in CATALOGUE.values() if kinds is None else kinds:
        encoded = msgspec.json.format(msgspec.json.encode(schema(kind)), indent=2)
        files[folder / f"{kind.name}.json"] = encoded + b"\n"
    for stale in set(folder.glob("*.json")) - set(files):
        stale.unlink()
    for path, content in files.items():
        path.write_bytes(content)
    return sorted(files)


def _closed(properties: dict[str, Any], *, optional: tuple[str, ...]) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}
