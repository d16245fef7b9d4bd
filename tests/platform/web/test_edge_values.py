"""Odd values in bodies: whatever stands where a text, a date or an instant stands, the answer is a refusal that names
the field, and never a fault of ours (API conventions §1, §3). Found in the generated document, so that a new field is
tried by itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.maker import Ask, Maker, send
from tests.contract.recipes import ONCE, RECIPES, operations

from backoffice import api
from backoffice.platform.web.openapi import document

SCHEMAS: dict[str, Any] = document(api.HANDLERS, server="http://api")["components"]["schemas"]
OPERATIONS = operations(api.HANDLERS)
Path = tuple[str | int, ...]


def body_of(name: str) -> dict[str, Any] | None:
    """The schema of an operation's body."""
    content = OPERATIONS[name].get("requestBody", {}).get("content", {}).get("application/json")
    return None if content is None else resolved(content["schema"])


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return SCHEMAS[schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema


def is_form(schema: dict[str, Any], form: str) -> bool:
    return any(each.get("format") == form for each in schema.get("anyOf", [schema]))


WITH_BODY = sorted(name for name in OPERATIONS if body_of(name) is not None)
TIMED = [
    (name, field, form)
    for name in WITH_BODY
    for field, schema in (body_of(name) or {})["properties"].items()
    for form in ("date-time", "date")
    if is_form(schema, form)
]
INSTANTS = [
    *("2026-11-16T09:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1999-12-31T23:59:59Z"),
    *("2200-01-01T00:00:00Z", "2026-11-16", "2026-13-16T09:00:00Z", "now", ""),
]
LOOSE = {"integer": ["16", "1", True, 1.5], "boolean": [0, 1, "true", "1"], "string": [1, True]}
EXACT = [
    (name, field, schema["type"])
    for name in WITH_BODY
    for field, schema in (body_of(name) or {})["properties"].items()
    if schema.get("type") in LOOSE
]
NO_DATES = ["2026-02-30", "20260105", "2026-W02-1", "2026-01-05T00:00:00Z", "05/01/2026", "today", ""]
TEXTS: list[Any] = ["\x00", "a\x00b", "\x1f", "", "x" * 50_000, "\u202e", "ext:", "💶", 7, 1.5, None, True, [], {}]


def test_there_are_instants_and_dates() -> None:
    assert {form for *_, form in TIMED} == {"date-time", "date"}
    assert len(TIMED) >= 10


@pytest.mark.parametrize("name", sorted({name for name, *_ in EXACT}))
async def test_a_value_of_another_type_is_refused_by_name(maker: Maker, name: str) -> None:
    """No "16" for 16 and no 0 for false: what is loose in one client is a wrong amount in the next."""
    ask = await RECIPES[name](maker)
    for field, type_ in ((field, type_) for each, field, type_ in EXACT if each == name):
        for value in LOOSE[type_]:
            body = {**(ask.body or {}), field: value}
            answer = await asked(maker, Ask(ask.method, ask.path, body, if_match=ask.if_match, by=ask.by))
            assert answer.status_code == 422, (field, value, answer.text)
            assert f"#/{field}" in [fault["pointer"] for fault in answer.json()["errors"]], (field, value)


@pytest.mark.parametrize(("name", "field", "form"), TIMED)
async def test_what_is_no_day_and_no_instant_is_refused_by_name(maker: Maker, name: str, field: str, form: str) -> None:
    ask = await RECIPES[name](maker)
    for value in INSTANTS if form == "date-time" else NO_DATES:
        body = {**(ask.body or {}), field: value}
        answer = await asked(maker, Ask(ask.method, ask.path, body, if_match=ask.if_match, by=ask.by))
        assert answer.status_code == 422, (value, answer.text)
        assert f"#/{field}" in {each["pointer"] for each in answer.json()["errors"]}, (value, answer.text)


@pytest.mark.parametrize(("name", "field", "form"), [each for each in TIMED if each[2] == "date"])
async def test_the_first_and_the_last_day_there_is_are_no_fault_of_ours(
    maker: Maker, name: str, field: str, form: str
) -> None:
    ask = await RECIPES[name](maker)
    for value in ("0001-01-01", "9999-12-31"):
        body = {**(ask.body or {}), field: value}
        answer = await asked(maker, Ask(ask.method, ask.path, body, if_match=ask.if_match, by=ask.by))
        assert answer.status_code in (200, 409, 422), (value, answer.text)


async def asked(maker: Maker, ask: Ask) -> Any:
    """As a preview, so that whatever is taken leaves the object as it was."""
    return await send(maker.people[ask.by], ask, dry_run="true")


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list) and value:
        yield from leaves(value[0], (*path, 0))
    else:
        yield path


def put(body: Any, path: Path, value: Any) -> Any:
    """The body with another value at a path."""
    changed = copy.deepcopy(body)
    at = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return changed


@pytest.mark.parametrize("name", WITH_BODY)
async def test_no_value_of_a_field_is_a_fault_of_ours(maker: Maker, name: str) -> None:
    ask = await RECIPES[name](maker)
    fields = (body_of(name) or {})["properties"]
    body = {**({"metadata": {"k": "v"}} if "metadata" in fields else {}), **(ask.body or {})}
    for path in leaves(body):
        for value in TEXTS:
            answer = await asked(
                maker, Ask(ask.method, ask.path, put(body, path, value), if_match=ask.if_match, by=ask.by)
            )
            assert answer.status_code < 500, (path, value, answer.text)
    for key in ("\x00", "", "k" * 41):
        if "metadata" in fields:
            answer = await asked(
                maker, Ask(ask.method, ask.path, {**body, "metadata": {key: "v"}}, if_match=ask.if_match, by=ask.by)
            )
            assert answer.status_code == 422, (key, answer.text)


@pytest.mark.parametrize("name", [each for each in WITH_BODY if "metadata" in (body_of(each) or {})["properties"]])
async def test_metadata_has_at_most_fifty_short_texts(maker: Maker, name: str) -> None:
    ask = await RECIPES[name](maker)

    async def refused(metadata: dict[str, Any]) -> bool:
        body = {**ask.body, "metadata": metadata}
        answer = await asked(maker, Ask(ask.method, ask.path, body, if_match=ask.if_match, by=ask.by))
        assert answer.status_code in (200, 422) or name in ONCE, answer.text  # a tenant has one clock
        return bool(answer.status_code == 422)

    assert not await refused({f"k{place}": "v" * 500 for place in range(50)})
    assert await refused({f"k{place}": "v" for place in range(51)})
    assert await refused({"k": "v" * 501})
    assert await refused({"k": 5})
    assert await refused({"k": None}) is (ask.method != "PATCH")


CREATES = [
    name
    for name in WITH_BODY
    if OPERATIONS[name]["method"] == "POST" and "201" in OPERATIONS[name]["responses"]
    if name not in ("testWebhookEndpoint", "triggerTestWebhooks")  # examples of events
]


@pytest.mark.parametrize("name", CREATES)
async def test_whatever_is_created_takes_the_caller_s_own_id(maker: Maker, name: str) -> None:
    """`external_id` of at most 128 characters, shown on the object; given twice, the second is refused by name."""
    ask = await RECIPES[name](maker)
    external = maker.name("own").ljust(128, "x")
    too_long = await asked(maker, Ask(ask.method, ask.path, {**ask.body, "external_id": external + "x"}))
    assert (too_long.status_code, too_long.json()["errors"][0]["pointer"]) == (422, "#/external_id")
    preview = await asked(maker, Ask(ask.method, ask.path, {**ask.body, "external_id": external}))
    if preview.status_code == 409:  # a tenant has one clock, and this one has it
        assert name in ONCE
        return
    assert preview.json()["result"]["external_id"] == external
    made = await maker.done(Ask(ask.method, ask.path, {**ask.body, "external_id": external}))
    again = await RECIPES[name](maker)
    twice = await send(maker.http, Ask(again.method, again.path, {**again.body, "external_id": external}))
    assert (twice.status_code, [each["pointer"] for each in twice.json()["errors"]]) == (409, ["#/external_id"])
    assert made["external_id"] == external


BARE = sorted(
    name for name, each in OPERATIONS.items() if each["method"] in ("POST", "DELETE") and "requestBody" not in each
)


@pytest.mark.parametrize("name", BARE)
async def test_an_operation_that_takes_no_body_refuses_members(maker: Maker, name: str) -> None:
    """Whoever writes `{"note": "…"}` believes that it counts."""
    ask = await RECIPES[name](maker)
    unknown = {"#/note": "unknown_field", "#/dry_run": "unknown_field"}
    for body, faults in (({"note": "x", "dry_run": True}, unknown), (["x"], {"#": "not_an_object"})):
        answer = await asked(maker, replace(ask, body=body))
        assert answer.status_code == 422, answer.text
        assert {each["pointer"]: each["code"] for each in answer.json()["errors"]} == faults
    broken = await asked(maker, replace(ask, content=b"{"))
    assert broken.status_code == 400
    assert (await asked(maker, replace(ask, body={}))).status_code == 200
