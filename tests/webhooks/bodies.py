"""Whether a webhook's body is what the catalogue promises."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs
import msgspec

from backoffice.platform.courier.catalogue import schema
from backoffice.platform.events import CATALOGUE, EventType


def faults(body: bytes | str, kind: EventType | None = None) -> list[str]:
    """What is wrong with an event's JSON text, by the schema of its type; `kind` for one outside the catalogue."""
    told = msgspec.json.decode(body)
    kind = kind or CATALOGUE.get(told.get("type"))
    if kind is None:
        return [f"{told.get('type')} is not in the catalogue"]
    return [f"{error.instance_path}: {error.message}" for error in _validator(kind).iter_errors(told)]


@cache
def _validator(kind: EventType) -> Any:
    return jsonschema_rs.Draft202012Validator(schema(kind), validate_formats=True)
