"""An endpoint keeps the version of payloads that it was made with."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from tests.webhooks.bench import TOLD, Bench, couriers, verified
from tests.webhooks.test_http import Door, key_of

from backoffice.platform import event_versions
from backoffice.platform.events import API_VERSION
from backoffice.platform.models import event
from backoffice.platform.tables import TENANT

OLD, OLDER = "2026-05-01", "2025-01-01"


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two made-up versions before today's: in OLD a number was a `count`, in OLDER it was written as text."""
    monkeypatch.setattr(event_versions, "VERSIONS", [OLDER, OLD, API_VERSION])
    monkeypatch.setattr(event_versions, "_STEPS", {})

    def counted(data: dict[str, Any]) -> dict[str, Any]:
        told = dict(data["object"])
        return {**data, "object": {"count": told.pop("number"), **told}}

    def written(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "object": {**data["object"], "count": str(data["object"]["count"])}}

    event_versions.told_before(OLD, TOLD.name, counted)
    event_versions.told_before(OLDER, TOLD.name, written)


async def test_each_endpoint_is_sent_its_own_version_and_what_is_stored_stays(
    world: Any, bench: Bench, settings: Any, older: None
) -> None:
    firm = await world.firm()
    call = Door(world.client(await key_of(world, firm.test)))
    async with bench.receiver() as today, bench.receiver() as old, bench.receiver() as oldest, couriers(settings):
        current = await bench.endpoint(firm.test, today.url)
        pinned = await bench.endpoint(firm.test, old.url, api_version=OLD)
        eldest = await bench.endpoint(firm.test, oldest.url, api_version=OLDER)
        assert [each.api_version for each in (current, pinned, eldest)] == [API_VERSION, OLD, OLDER]
        for each in (current, pinned, eldest):
            await bench.hears_only_told(firm.test, each.id)
        await bench.tell(firm.test, 7)
        bodies = [
            verified((await receiver.until(1))[0], endpoint.secret)
            for receiver, endpoint in ((today, current), (old, pinned), (oldest, eldest))
        ]
        assert [body["api_version"] for body in bodies] == [API_VERSION, OLD, OLDER]
        assert [body["data"]["object"].get("number") for body in bodies] == [7, None, None]
        assert [body["data"]["object"].get("count") for body in bodies] == [None, 7, "7"]
        assert [list(body) for body in bodies] == [list(bodies[0])] * 3
        (stored,) = [body for body in await stored_bodies(world, firm.test) if body["type"] == TOLD.name]
        assert (stored["api_version"], stored["data"]) == (API_VERSION, bodies[0]["data"])
        listed = await call("GET", f"/v1/webhook_endpoints/{pinned.id}/events?limit=1")
        assert listed["data"][0] == bodies[1]  # a gap is filled with what was sent

        path = f"/v1/webhook_endpoints/{pinned.id}"
        moved = await call("PATCH", path, {"api_version": API_VERSION}, **{"if-match": '"v1"'})
        assert moved["api_version"] == API_VERSION
        await bench.tell(firm.test, 8)
        later = verified((await old.until(2))[1], pinned.secret)
    assert (later["api_version"], later["data"]["object"]["number"]) == (API_VERSION, 8)


async def stored_bodies(world: Any, tenant: Any) -> list[dict[str, Any]]:
    async with world.tx(tenant) as tx:
        return [
            msgspec.json.decode(row["body"])
            for row in await tx.fetch(select(event.c.body).where(event.c.tenant_id == TENANT))
        ]


def test_what_was_recorded_before_a_version_came_is_told_as_it_was(older: None) -> None:
    body = {"type": TOLD.name, "api_version": OLDER, "data": {"object": {"count": "7"}}}
    assert event_versions.as_of(OLD, body) == body


async def test_a_version_that_is_not_there_is_refused(world: Any, bench: Bench) -> None:
    firm = await world.firm()
    call = Door(world.client(await key_of(world, firm.test)))
    url = "https://hooks.example.com/a"
    made = await call("POST", "/v1/webhook_endpoints", {"url": url, "api_version": API_VERSION}, status=201)
    wrong = [
        await call("POST", "/v1/webhook_endpoints", {"url": url, "api_version": OLD}, status=422),
        await call(
            "PATCH", f"/v1/webhook_endpoints/{made['id']}", {"api_version": OLD}, status=422, **{"if-match": '"v1"'}
        ),
    ]
    for told in wrong:
        (fault,) = told["errors"]
        assert (fault["pointer"], fault["code"]) == ("#/api_version", "unknown_api_version")
        assert API_VERSION in fault["detail"]
    (only,) = (await call("GET", "/v1/webhook_endpoints"))["data"]
    assert (only["id"], only["api_version"], only["version"]) == (made["id"], API_VERSION, 1)
