"""ETag, If-Match, If-None-Match: nobody overwrites what they have not seen (API conventions §4; RFC 9110 §13)."""

from __future__ import annotations

import httpx
import pytest
from tests.contract.maker import Maker, send
from tests.contract.recipes import RECIPES, operations
from tests.contract.snapshot import changed, snapshot

from backoffice import api

OPERATIONS = operations(api.HANDLERS)
GUARDED = sorted(
    name
    for name, operation in OPERATIONS.items()
    if any(each["name"] == "If-Match" for each in operation["parameters"])
)


async def put(maker: Maker, path: str, if_match: str | None) -> httpx.Response:
    headers = {} if if_match is None else {"if-match": if_match}
    return await maker.http.patch(path, json={"first_name": "Bea"}, headers=headers)


async def test_the_version_is_the_etag_and_rises_with_each_change(maker: Maker) -> None:
    worker = await maker.worker()
    path = f"/v1/workers/{worker['id']}"
    assert (await maker.http.get(path)).headers["etag"] == '"v1"'
    first = await put(maker, path, '"v1"')
    assert (first.status_code, first.headers["etag"], first.json()["version"]) == (200, '"v2"', 2)
    stale = await put(maker, path, '"v1"')
    assert (stale.status_code, stale.json()["code"], stale.json()["version"]) == (412, "version_conflict", 2)
    assert (await put(maker, path, None)).status_code == 428
    assert (await put(maker, path, '"v2"')).status_code == 200


@pytest.mark.parametrize("value", ["v1", '"1"', '"v"', '"v1', "*", '"v-1"', '"v1", "v2"', '"v' + "9" * 30 + '"'])
async def test_another_etag_than_ours_cannot_be_read(maker: Maker, value: str) -> None:
    worker = await maker.worker()
    answer = await put(maker, f"/v1/workers/{worker['id']}", value)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("operation", GUARDED)
async def test_without_the_version_it_saw_nobody_changes_anything(maker: Maker, operation: str) -> None:
    """Every operation that asks for If-Match: absent 428, another version 412, and nothing is stored."""
    ask = await RECIPES[operation](maker)
    http = maker.people[ask.by]
    before = snapshot(maker.admin_dsn, maker.tenant.facts.id)
    absent = await http.request(ask.method, ask.path, content=ask.sent(), headers=_without(ask.headers()))
    assert (absent.status_code, absent.json()["code"]) == (428, "if_match_required")
    stale = await http.request(
        ask.method, ask.path, content=ask.sent(), headers={**_without(ask.headers()), "if-match": '"v900"'}
    )
    assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict"), stale.text
    assert stale.json()["version"] == ask.if_match
    assert changed(before, snapshot(maker.admin_dsn, maker.tenant.facts.id)) == []
    assert (await send(http, ask)).status_code < 300


def _without(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "if-match"}


def test_every_change_in_place_and_every_decision_asks_for_the_version() -> None:
    """PATCH, DELETE and approve, cancel, void, pay; not jobs, whose version moves with their progress."""
    asked = set(GUARDED)
    assert len(asked) > 10
    for name, operation in OPERATIONS.items():
        verb = operation["path"].rsplit("/", 1)[-1]
        decides = verb in ("approve", "cancel", "void", "pay") and "{" in operation["path"]
        if operation["method"] in ("PATCH", "DELETE") or (decides and "/jobs/" not in operation["path"]):
            assert name in asked, name


@pytest.mark.parametrize("value", ['"v1"', 'W/"v1"', '"v7", "v1"', "*"])
async def test_what_the_caller_has_is_not_sent_again(maker: Maker, value: str) -> None:
    worker = await maker.worker()
    answer = await maker.http.get(f"/v1/workers/{worker['id']}", headers={"if-none-match": value})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"v1"')
    assert answer.headers["request-id"].startswith("req_")
    assert "ratelimit" in answer.headers


@pytest.mark.parametrize("value", ['"v2"', "v1", '"v11"'])
async def test_what_the_caller_does_not_have_is_sent(maker: Maker, value: str) -> None:
    worker = await maker.worker()
    answer = await maker.http.get(f"/v1/workers/{worker['id']}", headers={"if-none-match": value})
    assert (answer.status_code, answer.json()["id"]) == (200, worker["id"])
