"""Refusals are RFC 9457 problems that say all that is wrong, under a request id, and nothing about anybody (API
conventions §3, §11)."""

from __future__ import annotations

import json
import re
import secrets
from html import escape
from typing import Any

import httpx
import pytest
from tests.contract.maker import ADDRESS, Maker
from tests.contract.recipes import operations

from backoffice import api
from backoffice.kernel import ids
from backoffice.kernel.errors import Problem
from backoffice.platform.web.problem_pages import catalogue

OPERATIONS = operations(api.HANDLERS)
PROBLEM = {"type", "title", "status", "detail", "instance", "code", "request_id", "retryable"}


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert set(told) >= PROBLEM, told
    assert told["status"] == status
    assert told["request_id"] == answer.headers["request-id"]
    assert re.fullmatch(r"[a-z][a-z0-9_]+", told["code"])
    assert told["type"] == f"http://127.0.0.1:8000/problems/{told['code']}"
    return told


async def test_every_request_has_an_id_of_its_own(maker: Maker) -> None:
    answers = [await maker.http.get("/v1/tenant", headers={"request-id": "req_mine"}) for _ in range(5)]
    found = {each.headers["request-id"] for each in answers}
    assert len(found) == 5
    assert all(ids.decode("request", each) for each in found)


async def test_every_answer_carries_version_and_stays_out_of_caches(maker: Maker) -> None:
    for answer in (await maker.http.get("/v1/tenant"), await maker.http.get("/v1/nowhere")):
        assert answer.headers["api-version"] == "2026-11-21"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_unknown_version_is_refused_with_the_list(maker: Maker) -> None:
    told = problem(await maker.http.get("/v1/tenant", headers={"api-version": "2019-01-01"}), 406)
    assert (told["code"], told["versions"]) == ("unknown_api_version", ["2026-11-21"])
    known = await maker.http.get("/v1/tenant", headers={"api-version": "2026-11-21"})
    assert known.status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer bo_sk_test_" + "0" * 36,
        "Bearer bo_sk_test_EXAMPLEonlyEXAMPLEonlyEXAMPLE01YEiuC",  # a right checksum, nobody's key
        "Bearer bo_sk_live_EXAMPLEonlyEXAMPLEonlyEXAMPLE01YEiuD",
        "Bearer " + "x" * 5000,
        "Bearer \x00",
    ],
)
async def test_without_a_valid_key_there_is_one_answer(maker: Maker, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header.encode()}
    async with maker.world.client(None, app=maker.app) as http:
        answer = await http.get("/v1/workers", headers=headers)  # type: ignore[arg-type]
        told = problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert told["code"] == "unauthorized"


async def test_all_faults_of_a_body_are_told_at_once(maker: Maker) -> None:
    body = {"first_name": "", "last_name": 7, "email": "nobody", "address": {"state": "New York"}, "colour": "red"}
    headers = {"idempotency-key": "faults"}
    told = problem(await maker.http.post("/v1/workers", json=body, headers=headers), 422)
    found = {each["pointer"] for each in told["errors"]}
    assert found >= {
        *("#/first_name", "#/last_name", "#/email", "#/colour"),
        *("#/address/state", "#/address/line1", "#/address/city", "#/address/postal_code"),
    }
    assert len(told["errors"]) == len(found)
    assert all(each["code"] and each["detail"] for each in told["errors"])


async def test_a_refusal_never_says_back_what_was_sent(maker: Maker) -> None:
    secret = "900-55-1234"
    bodies: list[Any] = [
        {"first_name": "Ada", "last_name": "B", "address": ADDRESS, "ssn": secret + "9"},
        {"first_name": secret, "last_name": 5, "address": ADDRESS},
        {"first_name": "Ada", "last_name": "B", "address": {**ADDRESS, "state": secret}, "birth_date": secret},
        {"first_name": ["A", secret]},
        [secret],
        secret,
    ]
    for body in bodies:
        answer = await maker.http.post("/v1/workers", json=body, headers={"idempotency-key": "quiet"})
        assert answer.status_code == 422
        assert secret not in answer.text


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"\xff\xfe", 400),
        (b'{"first_name": "\xff"}', 400),
        (b'{"first_name": NaN}', 400),
        (b'{"first_name": "a\\u0000b", "last_name": "B"}', 422),
        (b'{"first_name": "\\ud800", "last_name": "B"}', 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 50_000, 400),
        (b'{"first_name": 1e999}', 400),
        (b'{"first_name": "A", "first_name": "B"}', 422),
    ],
)
async def test_a_body_that_is_no_body(maker: Maker, content: bytes, status: int) -> None:
    headers = {"content-type": "application/json", "idempotency-key": "body"}
    answer = await maker.http.post("/v1/workers", content=content, headers=headers)
    problem(answer, status)


@pytest.mark.parametrize(
    "media", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/json5", "json", ""]
)
async def test_another_media_type_is_refused(maker: Maker, media: str) -> None:
    headers = {"content-type": media, "idempotency-key": "media"}
    answer = await maker.http.post("/v1/workers", content=b'{"first_name": "A"}', headers=headers)
    told = problem(answer, 415)
    assert told["code"] == "media_type_not_supported"


@pytest.mark.parametrize(
    "media", ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"]
)
async def test_json_is_json_however_it_is_written(maker: Maker, media: str) -> None:
    worker = await maker.worker()
    headers = {"content-type": media, "if-match": '"v1"'}
    path = f"/v1/workers/{worker['id']}"
    assert (await maker.http.patch(path, content=b'{"first_name":"Bea"}', headers=headers)).status_code == 200


async def test_every_unknown_parameter_is_named(maker: Maker) -> None:
    told = problem(await maker.http.get("/v1/tenant", params={"a": "1", "b": "2"}), 400)
    assert [each["parameter"] for each in told["errors"]] == ["a", "b"]
    worker = await maker.worker()
    assert (await maker.http.get(f"/v1/workers/{worker['id']}?expand=client")).status_code == 400
    told = problem(await maker.http.get("/v1/workers?limit=0&fields=id&status[gt]=a&sort=age&status=no"), 400)
    assert [(each["parameter"], each["code"]) for each in told["errors"]] == [
        ("fields", "unknown_parameter"), ("status[gt]", "unknown_parameter"),
        ("limit", "out_of_range"), ("sort", "not_allowed"), ("status", "invalid"),
    ]  # fmt: skip


# ---------------------------------------------------------------------------------------------- paths and methods


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/", "/v2/workers", "/v1/workers/", "/v1//workers", "/v1/workers/a/b/c"]
)
async def test_a_path_that_is_not_there(maker: Maker, path: str) -> None:
    answer = await maker.http.get(path)
    assert answer.status_code in (200, 404)  # a closing slash may be let through
    if answer.status_code == 404:
        assert problem(answer, 404)["code"] == "not_found"


@pytest.mark.parametrize(
    "text",
    [
        *("%00", "wrk_%00", "%ff", "%c3%28", "%", "%zz", "..%2f..", "ext:%00", "ext:", "ext:%ff", "%F0%9F%92%A9"),
        *("wrk_" + "z" * 26, "wrk_" + "0" * 25, "a" * 3000, "ext:" + "x" * 3000, "wrk_01jd7k3m9v2q4x8a0c5e6g7h1n%0a"),
    ],
)
async def test_an_id_of_any_form_is_not_there(maker: Maker, text: str) -> None:
    """Whatever stands where an id stands: there is no such object; never a fault of ours."""
    asks = [("GET", "/v1/workers/{}"), ("GET", "/v1/workers/{}/employments"), ("PATCH", "/v1/clients/{}")]
    for method, path in [*asks, ("POST", "/v1/timesheets/{}/submit")]:
        url = httpx.URL("http://api").copy_with(raw_path=path.format(text).encode())
        headers = {"if-match": '"v1"', "content-type": "application/json", "idempotency-key": secrets.token_hex(8)}
        content = b"{}" if method == "PATCH" else None
        answer = await maker.http.request(method, url, headers=headers, content=content)
        assert answer.status_code in (400, 404), (method, answer.status_code, answer.text)
        problem(answer, answer.status_code)


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")
PATHS: dict[str, set[str]] = {}
for _each in OPERATIONS.values():
    PATHS.setdefault(_each["path"], set()).add(_each["method"])


@pytest.mark.parametrize("path", sorted(PATHS))
async def test_a_method_that_is_not_offered_says_which_are(maker: Maker, path: str) -> None:
    offered = PATHS[path]
    concrete = re.sub(r"{\w+}", "wrk_01jd7k3m9v2q4x8a0c5e6g7h1n", path)
    for method in METHODS:
        if method in PATHS[path] or (method in ("HEAD", "OPTIONS")):
            continue
        answer = await maker.http.request(method, concrete)
        if answer.status_code == 404 and "/downloads/" in path:
            continue  # a link that does not open is not there, whatever is asked of it
        assert answer.status_code == 405, (method, path, answer.text)
        problem(answer, 405)
        assert {each.strip() for each in answer.headers["allow"].split(",")} - {"HEAD", "OPTIONS"} == offered


@pytest.mark.parametrize("path", ["/v1/workers", "/v1/tenant", "/v1/workers/wrk_01jd7k3m9v2q4x8a0c5e6g7h1n"])
async def test_options_says_what_is_offered(maker: Maker, path: str) -> None:
    answer = await maker.http.options(path)
    assert answer.status_code in (200, 204), answer.text
    template = re.sub(r"wrk_\w+", "{worker_id}", path)
    assert {each.strip() for each in answer.headers["allow"].split(",")} - {"HEAD"} == PATHS[template] | {"OPTIONS"}


async def test_a_refused_scope_is_written_down_and_says_nothing_of_the_path_s_text(maker: Maker) -> None:
    key = await maker.world.key(maker.tenant, "marisol-vega", scopes=frozenset({"tenant:read"}))
    async with maker.world.client(key, app=maker.app) as narrow:
        for text in ("wrk_nothing", "%ff", "ext:900-55-1234"):
            url = httpx.URL("http://api").copy_with(raw_path=f"/v1/workers/{text}".encode())
            told = problem(await narrow.get(url), 403)
            assert (told["code"], told["scope"]) == ("scope_missing", "workers:read")
    async with maker.world.tx(maker.tenant) as tx:
        rows = await tx.connection.fetch(
            "SELECT reason FROM app.audit_event WHERE tenant_id = $1 AND action = 'request.refused'",
            maker.tenant.facts.id,
        )
    assert len(rows) >= 3
    assert "900-55-1234" not in json.dumps([row["reason"] for row in rows])


# ------------------------------------------------------------------------------------------------------ sentences


async def test_a_refusal_that_somebody_can_mend_says_who_and_how(maker: Maker) -> None:
    worker = await maker.worker()
    path, key = f"/v1/workers/{worker['id']}", {"idempotency-key": "mended"}
    new = {"first_name": "A", "last_name": "B", "address": ADDRESS}
    assert (await maker.http.post("/v1/workers", json=new, headers=key)).status_code == 201
    refusals = [
        await maker.http.get(path, headers={"authorization": "Bearer nothing"}),
        await maker.http.get(path, headers={"api-version": "2020-01-01"}),
        await maker.http.patch(path, json={}),
        await maker.http.patch(path, json={}, headers={"if-match": '"v9"'}),
        await maker.http.post("/v1/workers", json=new),
        await maker.http.post("/v1/workers", json={**new, "last_name": "C"}, headers=key),
    ]
    narrow = await maker.world.key(maker.tenant, "marisol-vega", scopes=frozenset({"tenant:read"}))
    async with maker.world.client(narrow, app=maker.app) as http:
        refusals.append(await http.get(path))
    run = await maker.ready_run()
    approve = {"if-match": f'"v{run["version"]}"', "idempotency-key": "maker"}
    refusals.append(await maker.http.post(f"/v1/payroll_runs/{run['id']}/approve", headers=approve))
    codes = ["unauthorized", "unknown_api_version", "if_match_required", "version_conflict"]
    codes += ["idempotency_key_required", "idempotency_key_reused", "scope_missing", "second_person_required"]
    assert [each.json()["code"] for each in refusals] == codes
    for each in refusals:
        told = problem(each, each.status_code)
        assert told["fix"]["who"]
        assert told["fix"]["what"].endswith(".")
        assert told["detail"] != told["title"]


async def test_a_path_or_method_that_is_not_there_says_what_is(maker: Maker) -> None:
    nowhere = problem(await maker.http.get("/v1/wrkers"), 404)
    unknown = problem(await maker.http.get("/v1/workers/wrk_01jd7k3m9v2q4x8a0c5e6g7h1n"), 404)
    assert nowhere["code"] == unknown["code"] == "not_found"
    assert "path" in nowhere["detail"]
    assert "id" in unknown["detail"]
    method = problem(await maker.http.delete("/v1/workers"), 405)
    assert {"GET", "POST"} <= set(re.findall(r"[A-Z]+", method["detail"]))
    query = problem(await maker.http.get("/v1/webhook_endpoints/we_x/events?after_sequence=a&limit=0&x=1"), 400)
    assert [(each["parameter"], each["code"]) for each in query["errors"]] == [
        ("x", "unknown_parameter"),
        ("after_sequence", "out_of_range"),
        ("limit", "out_of_range"),
    ]
    assert query["errors"][0]["detail"] == "is not a parameter here; there are: after_sequence, limit"
    assert query["errors"][2]["detail"] == "must be a whole number from 1 to 1000"
    twice = problem(await maker.http.get("/v1/webhook_endpoints/we_x/events?limit=5&limit=6"), 400)
    assert [(each["parameter"], each["code"]) for each in twice["errors"]] == [("limit", "repeated")]


@pytest.mark.parametrize(
    ("body", "pointer", "code", "sentence"),
    [
        ({"first_name": 7}, "#/first_name", "wrong_type", "must be a string"),
        ({"first_name": "a\nb"}, "#/first_name", "malformed", "must not hold control characters"),
        ({"first_name": ""}, "#/first_name", "too_short", "must have at least 1 character"),
        ({"first_name": "x" * 61}, "#/first_name", "too_long", "must have at most 60 characters"),
        ({"first_name": None}, "#/first_name", "null_not_allowed", "must not be null; leave the field out instead"),
        ({"email": "nobody"}, "#/email", "malformed", 'must be a text such as "ada@example.com"'),
        ({"email": 7}, "#/email", "wrong_type", 'must be a string such as "ada@example.com"'),
        ({"birth_date": "01/02/1990"}, "#/birth_date", "not_a_date", 'must be a date such as "2026-11-21"'),
        ({"birth_date": 19900102}, "#/birth_date", "not_a_date", 'must be a date such as "2026-11-21"'),
        ({"address": "here"}, "#/address", "not_an_object", "must be a JSON object"),
        ({"metadata": []}, "#/metadata", "wrong_type", "must be an object"),
        ({"metadata": {"k" * 41: "v"}}, "#/metadata", "too_long", "each name in it must have at most 40 characters"),
        ({"metadata": {"k/~": 1}}, "#/metadata/k~1~0", "wrong_type", "must be a string"),
        (
            {"metadata": dict.fromkeys(map(str, range(51)), "")},
            "#/metadata",
            "too_long",
            "must have at most 50 members",
        ),
        ({"ssn": 900123456}, "#/ssn", "wrong_type", 'must be a string such as "900-12-3456"'),
    ],
)
async def test_a_fault_is_a_sentence_that_says_what_would_be_right(
    maker: Maker, body: dict[str, Any], pointer: str, code: str, sentence: str
) -> None:
    whole = {"first_name": "Ada", "last_name": "B", "address": ADDRESS, **body}
    told = problem(await maker.http.post("/v1/workers", json=whole, headers={"idempotency-key": "said"}), 422)
    assert told["errors"] == [{"pointer": pointer, "code": code, "detail": sentence}]


async def test_words_and_numbers_that_may_stand_are_named(maker: Maker) -> None:
    key = await maker.api_key()
    path, headers = f"/v1/api_keys/{key['id']}/revoke", {"if-match": '"v1"'}
    told = problem(await maker.http.post(path, json={"keep_days": 8}, headers=headers), 422)
    assert told["errors"] == [{"pointer": "#/keep_days", "code": "out_of_range", "detail": "must be at most 7"}]
    told = problem(await maker.http.post("/v1/api_keys", json={"name": "x", "kind": "pk"}), 422)
    assert told["errors"] == [{"pointer": "#/kind", "code": "not_allowed", "detail": "must be one of: rk, sk"}]
    told = problem(await maker.http.post("/v1/test/clocks", json={"frozen_time": "2026-11-16T09:00:00"}), 422)
    assert told["errors"][0]["code"] == "not_an_instant"
    assert told["errors"][0]["detail"].endswith("with its time zone")


async def test_json_that_breaks_off_says_where(maker: Maker) -> None:
    headers = {"content-type": "application/json", "idempotency-key": "broken"}
    told = problem(await maker.http.post("/v1/workers", content=b'{"ssn": 900-55-1234}', headers=headers), 400)
    assert "byte 11" in told["detail"]
    assert "900-55" not in json.dumps(told)


# ---------------------------------------------------------------------------------------------------------- pages


async def test_the_type_of_a_problem_is_a_page_for_everybody(maker: Maker) -> None:
    async with maker.world.client(None, app=maker.app) as http:
        refused = await http.get("/v1/workers")
        page = await http.get(refused.json()["type"].removeprefix("http://127.0.0.1:8000"))
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert page.headers["content-security-policy"] == "default-src 'none'"
        assert refused.json()["title"] in page.text
        assert refused.json()["fix"]["api"] in page.text
        listed = await http.get("/problems")
        for code, each in catalogue().items():
            told = await http.get(f"/problems/{code}")
            assert told.status_code == 200
            assert escape(each.title) in told.text
            assert f'href="/problems/{code}"' in listed.text
        for nothing in ("/problems/nothing", "/problems/<b>", "/problems/a/b"):
            missing = await http.get(nothing)
            assert (missing.status_code, "<b>" in missing.text) == (404, False)


def test_every_refusal_has_a_code_of_its_own_a_title_and_a_status() -> None:
    known = catalogue()
    assert len(known) > 50
    for code, each in known.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]+", code)
        assert each.title[0].isupper()
        assert not each.title.endswith(".")
        assert each.status in (400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429, 500, 503), code
    given = [each for each in below(Problem) if "code" in vars(each) and each.__module__.startswith("backoffice.")]
    assert len({each.code for each in given}) == len(given)
    assert {each.title for each in given if "title" not in vars(each)} == set()


def below(kind: type[Problem]) -> list[type[Problem]]:
    return [each for sub in kind.__subclasses__() for each in (sub, *below(sub))]
