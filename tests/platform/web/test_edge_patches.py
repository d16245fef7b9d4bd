"""PATCH is a JSON Merge Patch (RFC 7396) wherever it is offered: what is absent stays, also within an object; null
removes; what is the same changes nothing and tells nothing (API conventions §1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.contract.maker import Ask, Maker
from tests.contract.recipes import RECIPES, operations
from tests.contract.snapshot import changed, snapshot

from backoffice import api
from backoffice.platform.web.openapi import document

SCHEMAS: dict[str, Any] = document(api.HANDLERS, server="http://api")["components"]["schemas"]
OPERATIONS = operations(api.HANDLERS)
PATCHES = sorted(name for name, each in OPERATIONS.items() if each["method"] == "PATCH")
# Values that are there before the patch and that another may replace.
OTHER = {"line1": "9 Other Road", "line2": "Suite 5", "city": "Albany", "postal_code": "12207", "amount": "30.25"}


def fields(name: str) -> dict[str, Any]:
    schema = OPERATIONS[name]["requestBody"]["content"]["application/json"]["schema"]
    found: dict[str, Any] = SCHEMAS[schema["$ref"].rsplit("/", 1)[-1]]["properties"]
    return found


def merged(value: Any, patch: Any) -> Any:
    """RFC 7396 §2, as it stands there."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, each in patch.items():
        if each is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), each)
    return result


async def patched(maker: Maker, ask: Ask, patch: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The object before and after."""
    before = await maker.get(ask.path)
    answer = await maker.ask(replace(ask, body=patch, if_match=before["version"]))
    assert answer.status_code == 200, answer.text
    after: dict[str, Any] = answer.json()
    assert after == await maker.get(ask.path)
    return before, after


@pytest.mark.parametrize("name", PATCHES)
async def test_what_changes_nothing_tells_nothing(maker: Maker, name: str) -> None:
    ask = await RECIPES[name](maker)
    there = await maker.get(ask.path)
    same = {field: there[field] for field in fields(name) if there.get(field) is not None}
    for patch in ({}, same, {"metadata": {"not-there": None}}):
        before = snapshot(maker.admin_dsn, maker.tenant.facts.id)
        assert await patched(maker, ask, patch) == (there, there)
        assert changed(before, snapshot(maker.admin_dsn, maker.tenant.facts.id)) == [], patch
    stale = await maker.ask(replace(ask, body={}, if_match=there["version"] + 1))
    assert (stale.status_code, stale.json()["version"]) == (412, there["version"])


@pytest.mark.parametrize("name", PATCHES)
async def test_what_is_absent_stays_as_it_is(maker: Maker, name: str) -> None:
    ask = await RECIPES[name](maker)
    tried = 0
    for field in fields(name):
        there = (await maker.get(ask.path)).get(field)
        for member in there if isinstance(there, dict) else ():
            if member in OTHER:
                before, after = await patched(maker, ask, {field: {member: OTHER[member]}})
                assert after[field] == merged(before[field], {field: {member: OTHER[member]}}[field]) != before[field]
                tried += 1
    if "metadata" in fields(name):
        for patch in ({"a": "1", "b": "2"}, {"b": "3"}, {"a": None}, {"c": None}, {}):
            before, after = await patched(maker, ask, {"metadata": patch})
            assert after["metadata"] == merged(before["metadata"], patch)
            tried += 1
    assert tried >= 5
    rest = {"version", "updated_at", *fields(name), *{"name", "status", "total_hours", "submitted_at"}}
    assert {n: v for n, v in after.items() if n not in rest} == {n: v for n, v in before.items() if n not in rest}


@pytest.mark.parametrize("name", PATCHES)
async def test_an_unknown_member_is_refused_by_name(maker: Maker, name: str) -> None:
    ask = await RECIPES[name](maker)
    there = await maker.get(ask.path)
    nested = next((each for each in fields(name) if each != "metadata" and isinstance(there.get(each), dict)), None)
    body: dict[str, Any] = {"colour": "red", "id": "x", "version": 7}
    if nested is not None:
        body[nested] = {"colour": "red"}
    answer = await maker.ask(replace(ask, body=body))
    assert answer.status_code == 422
    assert {each["pointer"] for each in answer.json()["errors"] if each["code"] == "unknown_field"} == {
        *("#/colour", "#/id", "#/version"),
        *([f"#/{nested}/colour"] if nested else []),
    }


async def test_null_removes_what_may_be_missing_and_nothing_else(maker: Maker) -> None:
    ask = await RECIPES["updateWorker"](maker)
    address = {"line2": "Suite 5"}
    await patched(maker, ask, {"email": "ada@example.com", "middle_name": "B", "address": address})
    _, after = await patched(maker, ask, {"email": None, "middle_name": None, "address": {"line2": None}})
    assert (after["email"], after["middle_name"], after["address"]["line2"]) == (None, None, None)
    answer = await maker.ask(replace(ask, body={"first_name": None, "address": None}, if_match=after["version"]))
    assert {each["code"] for each in answer.json()["errors"]} == {"null_not_allowed"}
    assert {each["pointer"] for each in answer.json()["errors"]} == {"#/first_name", "#/address"}
