"""Lists: signed cursors, a total order, nothing skipped or repeated while others insert (API conventions §5)."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import operator
import random
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import pytest
from tests.contract.fixtures import Strangers
from tests.contract.maker import Maker
from tests.contract.recipes import RECIPES

from backoffice import api
from backoffice.kernel import clock
from backoffice.platform.web import lists

LISTED = {handler.fn.__name__: handler for handler in api.HANDLERS if handler.opt.get("listing") is not None}


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


async def page(maker: Maker, path: str, **query: Any) -> dict[str, Any]:
    answer = await maker.http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def walk(maker: Maker, path: str, **query: Any) -> list[str]:
    """All ids of a list, page by page."""
    found: list[str] = []
    cursor = None
    for _ in range(500):
        told = await page(maker, path, **query, **({"cursor": cursor} if cursor else {}))
        assert len(told["data"]) <= query["limit"]
        found += [each.get("id") or str(each.get("number")) for each in told["data"]]
        cursor = told["next_cursor"]
        assert told["has_more"] is (cursor is not None)
        if cursor is None:
            return found
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("name", sorted(LISTED))
async def test_every_list_in_every_order_ends_and_says_everything_once(maker: Maker, name: str) -> None:
    """Page by page is the same as in one; the cursor's order is total, also where a sort's values are the same (the
    tenant's clock stands still)."""
    ask = await RECIPES[camel(name)](maker)
    listing = LISTED[name].opt["listing"]
    for sort in sorted({*listing.sorts, "id"}):
        for direction in ("", "-"):
            whole = await page(maker, ask.path, **ask.query, sort=direction + sort, limit=listing.largest)
            ids = [each.get("id") or str(each.get("number")) for each in whole["data"]]
            walked = await walk(maker, ask.path, limit=max(1, len(ids) // 7), **ask.query, sort=direction + sort)
            assert walked[: len(ids)] == ids
            assert whole["has_more"] is (len(walked) > len(ids))
            assert len(set(walked)) == len(walked) > 0, (name, whole)


@pytest.mark.parametrize("name", sorted(LISTED))
def test_a_list_is_sorted_by_columns_that_are_never_null(name: str) -> None:
    """A cursor names the last value seen, and nothing comes before or after NULL."""
    listing = LISTED[name].opt["listing"]
    assert [sort for sort in listing.sorts if listing.table.c[sort].nullable] == []


async def test_nothing_is_skipped_or_repeated_while_others_insert(maker: Maker) -> None:
    choose = random.Random(2026)
    there = {(await maker.client())["id"] for _ in range(25)}
    for sort in ("-id", "id", "-created_at", "created_at"):
        seen: list[str] = []
        cursor = None
        while True:
            query = {"limit": choose.randint(1, 7), "sort": sort, **({"cursor": cursor} if cursor else {})}
            told, *_ = await asyncio.gather(
                page(maker, "/v1/clients", **query), *(maker.client() for _ in range(choose.randint(0, 1)))
            )
            seen += [each["id"] for each in told["data"]]
            cursor = told["next_cursor"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)), sort
        assert there <= set(seen), sort
        there |= set(seen)


async def test_the_link_header_names_the_next_page(maker: Maker) -> None:
    for _ in range(3):
        await maker.client()
    answer = await maker.http.get("/v1/clients", params={"limit": 1, "status": "active"})
    link = answer.headers["link"]
    assert link.startswith("<")
    assert link.endswith('>; rel="next"')
    following = await maker.http.get(link[1:].split(">")[0])
    assert following.status_code == 200
    assert following.json()["data"][0]["id"] != answer.json()["data"][0]["id"]


async def test_a_total_is_counted_only_when_asked_for(maker: Maker) -> None:
    await maker.client()
    assert "total_count" not in await page(maker, "/v1/clients", limit=1)
    told = await page(maker, "/v1/clients", limit=1, include="total_count")
    assert told["total_count"] == len(await walk(maker, "/v1/clients", limit=100))


# ------------------------------------------------------------------------------------------------------- cursors


async def cursor_of(maker: Maker, **query: Any) -> str:
    for _ in range(2):
        await maker.client()
    told = await page(maker, "/v1/clients", limit=1, **query)
    return str(told["next_cursor"])


async def refused(maker: Maker, path: str, cursor: str, **query: Any) -> None:
    answer = await maker.http.get(path, params={"cursor": cursor, "limit": 1, **query})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid"), answer.text


async def test_a_cursor_belongs_to_its_list_filter_and_sort(maker: Maker) -> None:
    cursor = await cursor_of(maker, status="active", sort="-created_at")
    good = await maker.http.get("/v1/clients", params={"cursor": cursor, "status": "active", "sort": "-created_at"})
    assert good.status_code == 200
    await refused(maker, "/v1/clients", cursor)
    await refused(maker, "/v1/clients", cursor, status="active")
    await refused(maker, "/v1/clients", cursor, status="inactive", sort="-created_at")
    await refused(maker, "/v1/clients", cursor, status="active", sort="created_at")
    await refused(maker, "/v1/workers", cursor, status="active", sort="-created_at")


async def test_a_cursor_belongs_to_its_tenant(strangers: Strangers) -> None:
    cursor = await cursor_of(strangers.owner)
    for stranger in (strangers.other_firm, strangers.other_mode):
        await refused(stranger, "/v1/clients", cursor)


async def test_a_changed_cursor_is_refused(maker: Maker) -> None:
    cursor = await cursor_of(maker)
    choose = random.Random(7)
    for _ in range(60):
        place = choose.randrange(2, len(cursor))
        other = choose.choice([each for each in "abcXYZ019-_" if each != cursor[place]])
        changed = cursor[:place] + other + cursor[place + 1 :]
        if base64.urlsafe_b64decode(changed[2:] + "===") != base64.urlsafe_b64decode(cursor[2:] + "==="):
            await refused(maker, "/v1/clients", changed)


@pytest.mark.parametrize("cursor", ["", "c_", "c_!!", "x", "c_" + "A" * 500, "ü", "c_" + "A" * 22, "\x00", "c_ \n"])
async def test_what_is_no_cursor_is_refused(maker: Maker, cursor: str) -> None:
    await refused(maker, "/v1/clients", cursor)


async def test_a_cursor_lives_a_day(maker: Maker) -> None:
    """Made by hand, with the key that signs them: what is a day and a second old is refused, what is younger is not."""
    cursor = await cursor_of(maker)
    raw = base64.urlsafe_b64decode(cursor[2:] + "=" * (-len(cursor[2:]) % 4))
    _, print_, told, last = msgspec.json.decode(raw[16:])

    def aged(seconds: int) -> str:
        payload = msgspec.json.encode([int(clock.wall().timestamp()) - seconds, print_, told, last])
        mac = hmac.digest(lists._signing_key, payload, "sha256")[:16]
        return "c_" + base64.urlsafe_b64encode(mac + payload).decode().rstrip("=")

    assert (await maker.http.get("/v1/clients", params={"cursor": aged(86_000)})).status_code == 200
    await refused(maker, "/v1/clients", aged(86_401))


# ------------------------------------------------------------------------------------------------------- filters


async def test_all_faults_of_a_query_are_told_at_once(maker: Maker) -> None:
    answer = await maker.http.get(
        "/v1/clients", params={"limit": "0", "sort": "colour", "include": "everything", "status": "asleep"}
    )
    assert answer.status_code == 400
    assert {each["parameter"] for each in answer.json()["errors"]} == {"limit", "sort", "include", "status"}
    unknown = await maker.http.get("/v1/clients", params={"colour": "red", "shade[gte]": "1", "limit": "5"})
    assert unknown.status_code == 400
    assert {each["parameter"] for each in unknown.json()["errors"]} == {"colour", "shade[gte]"}


@pytest.mark.parametrize("limit", ["0", "-1", "101", "1.5", "", "ten", "٣", "1" * 40])
async def test_a_limit_is_one_to_a_hundred(maker: Maker, limit: str) -> None:
    assert (await maker.http.get("/v1/clients", params={"limit": limit})).status_code == 400


@pytest.mark.parametrize("name", sorted(LISTED))
async def test_every_filter_answers_whatever_it_is_given(maker: Maker, name: str) -> None:
    """A list or a refusal, never a fault of ours; an id that is not there is an empty list."""
    ask = await RECIPES[camel(name)](maker)
    listing = LISTED[name].opt["listing"]
    for parameter in sorted(listing.parameters()):
        for value in ("", "x", "\x00", "ü,ö", "9" * 30):
            answer = await maker.http.get(ask.path, params={**ask.query, parameter: value})
            assert answer.status_code in (200, 400), (parameter, value, answer.text)


# What a filter is called where it is not called as the field of the object, and how an object says it.
NOT_A_FIELD = {
    ("list_assignments", "work_state"): lambda each: each["work_place"]["state"],
    ("list_workers", "state"): lambda each: each["address"]["state"],
    ("list_events", "object_type"): lambda each: each["data"]["object"]["object"],
    ("list_events", "created_at"): lambda each: each["timestamp"],
    ("list_ledger_entries", "source"): None,  # of its transaction; tests/ledger asks for it
}
SHOWN: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def comparable(value: Any) -> Any:
    """Instants as instants, since they may be written with or without fractions of a second."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return datetime.fromisoformat(value)
    return value


def written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("name", sorted(LISTED))
async def test_every_filter_and_operator_keeps_what_it_says(maker: Maker, name: str) -> None:
    """Against the whole list, read in the test: each filter with each value that is there, by each operator."""
    ask = await RECIPES[camel(name)](maker)
    listing = LISTED[name].opt["listing"]
    whole = (await page(maker, ask.path, **ask.query, limit=listing.largest))["data"]
    tried = 0
    for filter_, declared in listing.filters.items():
        reads = NOT_A_FIELD.get((name, filter_), lambda each, field=filter_: each[field])
        if reads is None:
            continue
        values = {json.dumps(found): found for each in whole if (found := reads(each)) is not None}
        for value in list(values.values())[:4]:
            asked = {filter_: written(value)} | {
                f"{filter_}[{each}]": written(value) for each in declared.operators if each not in ("in", "exists")
            }
            for parameter, text in asked.items():
                word = parameter.partition("[")[2].rstrip("]") or "eq"
                told = await page(maker, ask.path, **{**ask.query, parameter: text}, limit=listing.largest)
                right = [each for each in whole if reads(each) is not None
                         and SHOWN[word](comparable(reads(each)), comparable(value))]  # fmt: skip
                assert told["data"] == right, (parameter, text)
                tried += 1
        if "in" in declared.operators:
            some = list(values.values())[:2]
            told = await page(maker, ask.path, **{f"{filter_}[in]": ",".join(map(written, some))}, limit=100)
            assert told["data"] == [each for each in whole if reads(each) in some], filter_
            tried += 1
        if "exists" in declared.operators:
            for there in (True, False):
                told = await page(maker, ask.path, **{f"{filter_}[exists]": written(there)}, limit=listing.largest)
                assert told["data"] == [each for each in whole if (reads(each) is not None) is there], filter_
                tried += 1
    assert tried >= len([each for each in listing.filters if NOT_A_FIELD.get((name, each), each) is not None]), name


def test_every_operator_is_offered_somewhere() -> None:
    offered = {
        each for handler in LISTED.values() for f in handler.opt["listing"].filters.values() for each in f.operators
    }
    assert offered == {"gt", "gte", "lt", "lte", "in", "ne", "exists"}


def test_pages_are_as_large_as_promised() -> None:
    largest = {name: handler.opt["listing"].largest for name, handler in LISTED.items()}
    assert {name for name, most in largest.items() if most == 1000} == {"list_events", "list_ledger_entries"}
    assert set(largest.values()) == {100, 1000}


async def test_without_a_limit_a_page_has_twenty_five(maker: Maker) -> None:
    for _ in range(26):
        await maker.client()
    told = await page(maker, "/v1/clients")
    assert (len(told["data"]), told["has_more"]) == (25, True)


@pytest.mark.parametrize(
    ("path", "parameter", "value"),
    [
        ("/v1/timesheets", "worker_id", "garbage"),
        ("/v1/timesheets", "worker_id", "ext:BH-1"),
        ("/v1/timesheets", "worker_id", "cli_01jd7k3m9v2q4x8a0c5e6g7h1n"),
        ("/v1/workers", "created_at[gte]", "0001-01-01T00:00:00+14:00"),
        ("/v1/workers", "created_at[lt]", "9999-12-31T23:59:59-12:00"),
        ("/v1/workers", "created_at[gte]", "2026-11-22T12:00:00"),
        ("/v1/workers", "created_at[gte]", "2026-W47-6T12:00:00Z"),
        ("/v1/workers", "number", "--5"),
        ("/v1/workers", "number", "٣"),
        ("/v1/assignments", "started_on", "20261121"),
        ("/v1/trial_balance", "as_of", "20261121"),
        ("/v1/jobs", "status", "dead"),
    ],
)
async def test_a_value_of_another_form_is_refused_by_name(maker: Maker, path: str, parameter: str, value: str) -> None:
    """Never an empty list that looks like an answer, and nothing of the value said back."""
    answer = await maker.http.get(path, params={parameter: value})
    assert answer.status_code == 400, answer.text
    [fault] = answer.json()["errors"]
    assert (fault["parameter"], value in fault["detail"]) == (parameter, False)


@pytest.mark.parametrize("name", ["limit", "sort", "cursor", "include"])
async def test_what_can_mean_one_thing_is_given_once(maker: Maker, name: str) -> None:
    value = {"limit": "5", "sort": "id", "cursor": "c_x", "include": "total_count"}[name]
    answer = await maker.http.get("/v1/clients", params=[(name, value), (name, value)])
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, name)
