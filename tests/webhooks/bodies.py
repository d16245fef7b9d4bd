"""Whether a webhook's body is what the catalogue promises."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs
import msgspec
import psycopg

from backoffice.platform.courier.catalogue import schema
from backoffice.platform.events import CATALOGUE, EventType


def faults(body: bytes | str, kind: EventType | None = None) -> list[str]:
    """What is wrong with an event's JSON text, by the schema of its type; `kind` for one outside the catalogue."""
    told = msgspec.json.decode(body)
    kind = kind or CATALOGUE.get(told.get("type"))
    if kind is None:
        return [f"{told.get('type')} is not in the catalogue"]
    return [f"{error.instance_path}: {error.message}" for error in _validator(kind).iter_errors(told)]


OWN: dict[str, EventType] = {}
"""The kinds of event that tests have of their own, which no catalogue promises: validated by their own schema."""


def own(kind: EventType) -> EventType:
    """Declare a kind of the tests' own."""
    OWN[kind.name] = kind
    return kind


def wrong_events(dsn: str) -> list[str]:
    """What is wrong with any event of a whole database, whoever emitted it: at most one line a type. `dsn` signs in as
    somebody whom no policy stops."""
    from backoffice import api, courier  # the whole product, so that the catalogue is complete

    assert api.HANDLERS
    assert courier.POST
    wrong: dict[str, str] = {}
    with psycopg.connect(dsn) as admin, admin.cursor(name="every_event") as rows:
        for type_, body in rows.execute("SELECT type, body FROM app.event"):
            found = faults(body, OWN.get(type_)) if type_ not in wrong else []
            if found:
                wrong[type_] = f"{type_}: {'; '.join(found[:3])}"
    return sorted(wrong.values())


@cache
def _validator(kind: EventType) -> Any:
    return jsonschema_rs.Draft202012Validator(schema(kind), validate_formats=True)
