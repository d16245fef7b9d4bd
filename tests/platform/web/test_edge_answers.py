"""What an answer carries: its version, its coding, its quota, where the work it started can be seen (API conventions
§1, §4, §6, §7)."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import sys
from typing import Any

import brotli
import httpx
import pytest
from tests.contract.maker import ADDRESS, Ask, Maker, send
from tests.contract.recipes import RECIPES, operations

from backoffice import api
from backoffice.platform.web import encodings
from backoffice.platform.web.edge import path_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

OPERATIONS = operations(api.HANDLERS)
READS = sorted(name for name, each in OPERATIONS.items() if each["method"] == "GET")
LISTS = {handler.fn.__name__.replace("_", "") for handler in api.HANDLERS if handler.opt.get("listing") is not None}
LISTS |= {"listwebhookendpointevents"}
FILES = {"openDownload", "getBulkErrors"}
NOUN = {"id", "object", "livemode", "created_at", "updated_at", "version", "metadata"}
WRITTEN = {"listEvents", "listWebhookEndpointEvents", "listWebhookDeliveries", "listWebhookDigests", "listBulkRows"}
# What has an address and is no object: nobody makes, changes or removes it through the API. §8 says what an event has.
READ_OUT = {
    *("getTenant", "getTrialBalance", "getPaycheckDerivation", "listPayrollRunBlockers", "listTimesheetVersions"),
    *("listPayrollRunTaxLiabilities", "getEvent", "getWebhookDelivery", "getJobLogs", "getJobWhy"),
    *("getDeductionWithheld", "getWithholdingOrderWithheld"),
}


# ------------------------------------------------------------------------------------------- objects and their versions


@pytest.mark.parametrize("name", [each for each in READS if each.lower() not in LISTS and each not in FILES])
async def test_a_single_object_says_its_version_and_is_not_sent_twice(maker: Maker, name: str) -> None:
    ask = await RECIPES[name](maker)
    answer = await send(maker.http, ask)
    told = answer.json()
    if name in READ_OUT:
        etag = answer.headers["etag"].removeprefix("W/")  # where the body was packed
        assert etag == f'"h{hashlib.sha256(answer.content).hexdigest()[:32]}"'
    else:
        assert set(told) >= NOUN
        assert answer.headers["etag"] == f'"v{told["version"]}"'
    again = await maker.http.get(ask.path, params=ask.query, headers={"if-none-match": answer.headers["etag"]})
    if name != "getTenant":  # it says what time it is
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", sorted(each for each in READS if each.lower() in LISTS))
async def test_the_objects_of_a_list_are_those_that_are_read_alone(maker: Maker, name: str) -> None:
    ask = await RECIPES[name](maker)
    answer = await send(maker.http, ask)
    told = answer.json()
    assert "etag" not in answer.headers
    assert (told["object"], set(told)) == ("list", {"object", "data", "has_more", "next_cursor"})
    if name not in WRITTEN:
        for each in told["data"]:
            assert set(each) >= NOUN - ({"updated_at"} if name.startswith("listLedger") else set()), each


# ------------------------------------------------------------------------------------------------------------- quotas


async def test_every_answer_to_a_key_says_what_is_left(maker: Maker) -> None:
    worker = await maker.worker()
    path = f"/v1/workers/{worker['id']}"
    answers = [
        await maker.http.get(path),
        await maker.http.get(path, headers={"if-none-match": '"v1"'}),
        await maker.http.get(path, headers={"api-version": "2019-01-01"}),
        await maker.http.get(path, headers={"accept": "text/html"}),
        await maker.http.get("/v1/workers/%00"),
        await maker.http.get("/v1/nowhere"),
        await maker.http.options("/v1/workers"),
        await maker.http.delete("/v1/workers"),
        await maker.http.post("/v1/workers", content=b"{", headers={"content-type": "application/json"}),
        await maker.http.post("/v1/workers?dry_run=maybe"),
        await maker.http.post("/v1/workers", content=b"x" * ((1 << 20) + 1)),
        await maker.http.patch(path, json={}),
    ]
    assert [each.status_code for each in answers] == [200, 304, 406, 406, 404, 404, 204, 405, 400, 400, 413, 428]
    for each in answers:
        assert each.headers["ratelimit-policy"].startswith('"tenant";q=')
        assert each.headers["ratelimit"].split(";")[0] in ('"tenant"', '"write"')
        assert each.headers["api-version"] == "2026-11-21"
        assert each.headers["request-id"].startswith("req_")


# --------------------------------------------------------------------------------------------------------- media types


@pytest.mark.parametrize(
    ("accept", "accepted"),
    [
        (None, True),
        ("", True),
        ("*/*", True),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/*;q=0.1", True),
        ("text/html, application/json;q=0.9, */*;q=0", True),
        ("text/html,*/*;q=0.5", True),
        ("text/html", False),
        ("application/xml, text/*", False),
        ("application/json;q=0", False),
        ("*/*, application/json;q=0", False),
        ("application/json;q=much", False),
    ],
)
async def test_a_media_type_that_is_not_offered_is_refused(maker: Maker, accept: str | None, accepted: bool) -> None:
    headers = {} if accept is None else {"accept": accept}
    answer = await maker.http.get("/v1/tenant", headers=headers)
    if accepted:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["code"]) == (406, "media_type_not_offered")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_file_is_answered_as_what_it_is(maker: Maker) -> None:
    download = await RECIPES["openDownload"](maker)
    answer = await maker.http.get(download.path, headers={"accept": "application/pdf"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    rows = await RECIPES["getBulkErrors"](maker)
    assert (await maker.http.get(rows.path, headers={"accept": "text/csv"})).status_code == 200
    assert (await maker.http.get(rows.path, headers={"accept": "application/json"})).status_code == 406


async def test_a_body_in_a_coding_is_refused_as_that(maker: Maker) -> None:
    body = gzip.compress(json.dumps({"first_name": "A", "last_name": "B", "address": ADDRESS}).encode())
    headers = {"content-type": "application/json", "content-encoding": "gzip", "idempotency-key": "packed"}
    answer = await maker.http.post("/v1/workers", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type_not_supported")
    assert answer.headers["accept-encoding"] == "identity"


# ------------------------------------------------------------------------------------------------------------- codings


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("deflate, gzip, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip;q=1.0, br;q=0.8", "gzip"),
        ("*", "zstd"),
        ("*;q=0.1, gzip;q=0", "zstd"),
        ("zstd;q=0, br;q=0, *", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.5, identity;q=0.9", None),
        ("snappy", None),
        ("gzip;q=lots", None),
    ],
)
def test_the_coding_that_a_caller_likes_best(header: str | None, coding: str | None) -> None:
    assert encodings.coding(header) == coding


OPEN = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": zstd.decompress}


async def raw(http: httpx.AsyncClient, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """The answer with the bytes as they were sent."""
    async with http.stream("GET", path, headers=headers) as answer:
        return answer, b"".join([chunk async for chunk in answer.aiter_raw()])


@pytest.mark.parametrize("coding", sorted(encodings.CODINGS))
async def test_a_long_answer_is_made_smaller_for_who_asks(maker: Maker, coding: str) -> None:
    for _ in range(5):
        await maker.client()
    path = "/v1/clients?limit=100&sort=id"
    plain, whole = await raw(maker.http, path, **{"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    answer, sent = await raw(maker.http, path, **{"accept-encoding": coding})
    assert answer.headers["content-encoding"] == coding
    assert answer.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert int(answer.headers["content-length"]) == len(sent) < len(whole)
    assert OPEN[coding](sent) == whole


async def test_what_is_short_or_names_its_bytes_goes_as_it_is(maker: Maker) -> None:
    metadata = {f"key-{place}": "value " * 20 for place in range(20)}
    body = {"first_name": "A", "last_name": "B", "address": ADDRESS, "metadata": metadata}
    made = await maker.http.post(
        "/v1/workers", json=body, headers={"idempotency-key": "long", "accept-encoding": "gzip"}
    )
    assert (made.status_code, len(made.content) > encodings.SMALLEST) == (201, True)
    assert (made.headers["etag"], "content-encoding" in made.headers) == ('"v1"', False)
    short = await maker.http.get("/v1/tenant", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in short.headers
    paycheck = await maker.paycheck()
    path = f"/v1/paychecks/{paycheck['id']}/derivation"
    hashed = await maker.http.get(path, headers={"accept-encoding": "gzip"})
    assert (hashed.headers["content-encoding"], hashed.headers["etag"][:4]) == ("gzip", 'W/"h')
    again = await maker.http.get(path, headers={"accept-encoding": "gzip", "if-none-match": hashed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_download_is_not_packed(maker: Maker) -> None:
    download = await RECIPES["openDownload"](maker)
    answer = await maker.http.get(download.path, headers={"accept-encoding": "gzip"})
    assert len(answer.content) > encodings.SMALLEST
    assert "content-encoding" not in answer.headers


# ------------------------------------------------------------------------------------------------ callers' own names


@pytest.mark.parametrize(
    "name", ["BH-1", "BH 88", "2026/11/w1", "a/employments", "ü€💶", "50%", "%2F", "a?b#c&d", "ext:", "."]
)
async def test_an_object_is_found_by_whatever_its_caller_calls_it(maker: Maker, name: str) -> None:
    external = f"{name}{maker.name('x')}"
    worker = await maker.worker(external_id=external)
    path = "/v1/workers/ext:" + httpx.QueryParams({"": external}).__str__()[1:].replace("+", "%20")
    found = await maker.http.get(path)
    assert (found.status_code, found.json().get("id")) == (200, worker["id"]), found.text
    assert (await maker.http.get(f"{path}/employments")).status_code == 200
    missing = await maker.http.get(f"{path}x")
    assert (missing.status_code, missing.json()["instance"]) == (404, f"{path}x")
    for _ in range(2):
        await maker.bank_account(worker)
    page = await maker.http.get(f"{path}/bank_accounts", params={"limit": 1})
    following = await maker.http.get(page.headers["link"].removeprefix("<").partition(">")[0])
    assert (following.status_code, len(following.json()["data"])) == (200, 1), following.text
    assert following.json()["data"] != page.json()["data"]


def test_only_an_encoded_slash_stays_in_its_name() -> None:
    assert path_of(b"/v1/workers/ext:a%2fb%2Fc%20d/employments") == "/v1/workers/ext:a\x1fb\x1fc d/employments"


# ------------------------------------------------------------------------------------------------------------ waiting


async def starting(maker: Maker, prefer: str, ask: Ask, *, work: bool = True) -> httpx.Response:
    """Send it with a preference, and let its job run meanwhile."""
    sent = asyncio.create_task(
        maker.http.request(
            ask.method, ask.path, content=ask.sent(), headers={**ask.headers(), "prefer": prefer}, params=ask.query
        )
    )
    while work and not sent.done():
        await maker.work()
        await asyncio.sleep(0.02)
    return await sent


async def test_what_starts_a_job_says_where_it_is(maker: Maker) -> None:
    for name in ("calculatePayrollRun", "startBulkJob", "payPayrollRun"):
        answer = await send(maker.http, await RECIPES[name](maker))
        assert answer.status_code == 202
        assert answer.headers["retry-after"] == "2"
        told = answer.json()
        assert answer.headers["location"] == f"/v1/jobs/{told.get('job_id') or told['id']}"
        assert (await maker.get(answer.headers["location"]))["object"] == "job"
        assert "preference-applied" not in answer.headers
        await maker.work()


async def test_who_wants_to_wait_is_answered_with_the_end(maker: Maker) -> None:
    answer = await starting(maker, "wait=10", await RECIPES["calculatePayrollRun"](maker))
    told = answer.json()
    assert (answer.status_code, told["object"], told["status"]) == (200, "job", "succeeded")
    assert answer.headers["preference-applied"] == "wait=10"
    assert answer.headers["etag"] == f'"v{told["version"]}"'
    assert not {"location", "retry-after"} & set(answer.headers)
    assert told == await maker.get(f"/v1/jobs/{told['id']}")


async def test_who_waits_for_a_file_gets_its_bulk_job(maker: Maker) -> None:
    answer = await starting(maker, 'respond-async, wait="9"', await RECIPES["startBulkJob"](maker))
    told = answer.json()
    assert (answer.status_code, told["object"], told["status"]) == (200, "bulk_job", "succeeded"), answer.text
    assert answer.headers["preference-applied"] == "respond-async, wait=9"
    assert told["rows"]["total"] > 0


async def test_who_waits_too_short_is_answered_with_the_beginning(maker: Maker) -> None:
    ask = await RECIPES["calculatePayrollRun"](maker)
    answer = await starting(maker, "wait=0", ask, work=False)
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["preference-applied"] == "wait=0"
    await maker.work()


@pytest.mark.parametrize("prefer", ["respond-async", "handling=lenient, respond-async;x=y"])
async def test_who_wants_no_wait_is_told_so(maker: Maker, prefer: str) -> None:
    answer = await starting(maker, prefer, await RECIPES["calculatePayrollRun"](maker), work=False)
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    await maker.work()


@pytest.mark.parametrize("prefer", ["wait", "wait=soon", "wait=-1", "return=minimal", "respond-asynchronously"])
async def test_another_preference_is_let_be(maker: Maker, prefer: str) -> None:
    answer = await starting(maker, prefer, await RECIPES["calculatePayrollRun"](maker), work=False)
    assert (answer.status_code, "preference-applied" in answer.headers) == (202, False)
    await maker.work()


async def test_nobody_waits_longer_than_ten_seconds(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def wait(principal: Any, body: bytes, seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(maker.app, "_wait", wait)
    answer = await starting(maker, "wait=86400", await RECIPES["calculatePayrollRun"](maker), work=False)
    assert (answer.status_code, waited, answer.headers["preference-applied"]) == (202, [10.0], "wait=10")
    await maker.work()


async def test_a_header_in_two_lines_is_one_list(maker: Maker) -> None:
    worker = await maker.worker()
    lines = [("if-none-match", '"v7"'), ("if-none-match", '"v1"')]
    assert (await maker.http.get(f"/v1/workers/{worker['id']}", headers=lines)).status_code == 304
    keys = [("idempotency-key", "one"), ("idempotency-key", "two")]
    body = {"first_name": "A", "last_name": "B", "address": ADDRESS}
    assert (await maker.http.post("/v1/workers", json=body, headers=keys)).status_code == 400
