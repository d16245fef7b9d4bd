"""An event's stored body as one endpoint is sent it: pure."""

from __future__ import annotations

from typing import Any

import msgspec

from backoffice.platform.event_versions import as_of
from backoffice.platform.events import API_VERSION, CATALOGUE, cut
from backoffice.platform.tx import Row
from backoffice.webhooks.events import DIGEST

_MARK = ',"object_sequence":'


def as_asked(endpoint: Row, body: str) -> str:
    """The body as the endpoint's version tells it; where the endpoint asks for ids alone, with the object cut to its
    ids and where it is read, and nothing told of its values. A digest is told whole: numbers and hashes, of nobody."""
    if endpoint["payload"] == "full" and endpoint["api_version"] == API_VERSION:
        return body
    told: dict[str, Any] = as_of(endpoint["api_version"], msgspec.json.decode(body))
    if endpoint["payload"] == "ids" and told["type"] != DIGEST.name:
        kind = CATALOGUE.get(told["type"])
        path = kind.path if kind is not None else f"/v1/events/{told['id']}"
        told["data"] = {"object": cut(told["data"]["object"], path), "changed": told["data"]["changed"], "effects": []}
    return msgspec.json.encode(told).decode()


def numbered(body: str, sequence: int) -> bytes:
    """The event with its number at this endpoint. Before the mark stand only values of our own making, so its first
    occurrence is the member of the event itself."""
    head, mark, tail = body.partition(_MARK)
    assert mark, "an event has an object_sequence"
    return f'{head},"sequence":{sequence}{mark}{tail}'.encode()
