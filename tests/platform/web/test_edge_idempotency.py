"""Safe retries: the stored answer and its effect are one (API conventions §4)."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import httpx
import psycopg
import pytest
from tests.contract.fixtures import Strangers
from tests.contract.maker import ADDRESS, Maker
from tests.contract.recipes import ONCE, RECIPES, operations
from tests.contract.snapshot import changed, snapshot

from backoffice import api
from backoffice.platform.web import idempotency

OPERATIONS = operations(api.HANDLERS)
PATH = "/v1/workers"
PERSON = {"first_name": "Ada", "last_name": "Once", "address": ADDRESS}


async def create(
    maker: Maker, key: str | None, body: dict[str, Any] | bytes | None = None, **query: str
) -> httpx.Response:
    headers = {"content-type": "application/json"} | ({} if key is None else {"idempotency-key": key})
    if isinstance(body, bytes):
        return await maker.http.post(PATH, content=body, headers=headers, params=query)
    return await maker.http.post(PATH, json=PERSON if body is None else body, headers=headers, params=query)


def stored(maker: Maker, key: str) -> int:
    with psycopg.connect(maker.admin_dsn) as admin:
        row = admin.execute(
            "SELECT count(*) FROM app.idempotency WHERE tenant_id = %s AND key = %s", (maker.tenant.facts.id, key)
        ).fetchone()
    assert row is not None
    return int(row[0])


async def test_twenty_at_once_take_effect_once(maker: Maker) -> None:
    key, name = secrets.token_hex(8), maker.name("raced")
    before = snapshot(maker.admin_dsn, maker.tenant.facts.id)
    answers = await asyncio.gather(*(create(maker, key, {**PERSON, "external_id": name}) for _ in range(20)))
    fresh = [each for each in answers if each.status_code == 201 and "idempotent-replayed" not in each.headers]
    replayed = [each for each in answers if each.headers.get("idempotent-replayed") == "true"]
    running = [each for each in answers if each.status_code == 409]
    assert (len(fresh), len(fresh) + len(replayed) + len(running)) == (1, 20)
    assert {each.json()["code"] for each in running} <= {"idempotency_in_progress"}
    assert all(int(each.headers["retry-after"]) >= 1 and each.json()["retryable"] for each in running)
    assert {each.content for each in replayed} <= {fresh[0].content}
    listed = (await maker.http.get(PATH, params={"external_id": name})).json()["data"]
    assert [each["id"] for each in listed] == [fresh[0].json()["id"]]
    after = snapshot(maker.admin_dsn, maker.tenant.facts.id)
    counts = {table: int(after[table].split(":")[0]) - int(before[table].split(":")[0]) for table in after}
    assert (counts["worker"], counts["idempotency"], counts["event"]) == (1, 1, 1)


async def test_a_replay_is_the_same_byte_for_byte(maker: Maker) -> None:
    key = secrets.token_hex(8)
    first = await create(maker, key)
    again = await create(maker, key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    for name in ("content-type", "etag", "api-version", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["request-id"] != first.headers["request-id"]


async def test_the_same_json_written_otherwise_is_the_same_request(maker: Maker) -> None:
    key = secrets.token_hex(8)
    home = b'{"line1":"1 Way","city":"Buffalo","state":"NY","postal_code":"14203"}'
    one = b'{"first_name":"Ada","last_name":"Once","address":' + home + b"}"
    two = b'{ "address" : ' + home + b',\n"last_name":"Once", "first_name": "\\u0041da" }'
    assert (await create(maker, key, one)).status_code == 201
    again = await create(maker, key, two)
    assert (again.status_code, again.headers.get("idempotent-replayed")) == (201, "true")


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (b'{"a":1,"b":[true,null]}', b'{ "b" : [true, null], "a" : 1.0 }', True),
        (b'{"a":100}', b'{"a":1e2}', True),
        (b'{"a":0.1}', b'{"a":1.0e-1}', True),
        (b'{"a":"\xc3\xa9"}', b'{"a":"\\u00e9"}', True),
        (b'{"a":1}', b'{"a":"1"}', False),
        (b'{"a":[1,2]}', b'{"a":[2,1]}', False),
        (b'{"a":9007199254740993}', b'{"a":9007199254740992}', False),
        (b'{"a":null}', b"{}", False),
        (b"", b"{}", False),
        (b"not json ", b"not json", False),
    ],
)
def test_two_ways_to_write_a_body_are_one_request(one: bytes, two: bytes, same: bool) -> None:
    """RFC 8785, as far as two writings of one value go."""
    assert (idempotency.fingerprint(one, "", "v") == idempotency.fingerprint(two, "", "v")) is same


def test_query_and_version_belong_to_the_request() -> None:
    prints = {idempotency.fingerprint(b"{}", query, version) for query in ("", "a=1") for version in ("v1", "v2")}
    assert len(prints) == 4


@pytest.mark.parametrize("other", [{**PERSON, "last_name": "Twice"}, {**PERSON, "metadata": {"a": "b"}}])
async def test_another_body_under_the_same_key_is_refused(maker: Maker, other: dict[str, Any]) -> None:
    key = secrets.token_hex(8)
    assert (await create(maker, key)).status_code == 201
    before = snapshot(maker.admin_dsn, maker.tenant.facts.id)
    refused = await create(maker, key, other)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert changed(before, snapshot(maker.admin_dsn, maker.tenant.facts.id)) == []


async def test_a_twin_that_is_still_running_answers_409(maker: Maker) -> None:
    key = secrets.token_hex(8)
    async with maker.world.tx(maker.tenant) as tx:
        await idempotency.begin(tx, f"POST {PATH}", key, b"")
        waiting = await create(maker, key)
    assert (waiting.status_code, waiting.json()["code"]) == (409, "idempotency_in_progress")
    assert waiting.headers["retry-after"] == "1"
    assert (await create(maker, key)).status_code == 201


async def test_a_refusal_leaves_nothing_and_the_retry_runs(maker: Maker) -> None:
    key = secrets.token_hex(8)
    before = snapshot(maker.admin_dsn, maker.tenant.facts.id)
    assert (await create(maker, key, {"first_name": "Ada"})).status_code == 422
    assert (await create(maker, key, b"{")).status_code == 400
    assert changed(before, snapshot(maker.admin_dsn, maker.tenant.facts.id)) == []
    mended = await create(maker, key)
    assert mended.status_code == 201
    assert "idempotent-replayed" not in mended.headers


async def test_a_dry_run_takes_no_notice_of_the_key(maker: Maker) -> None:
    key = secrets.token_hex(8)
    assert (await create(maker, key, {**PERSON, "last_name": "Previewed"}, dry_run="true")).status_code == 200
    assert stored(maker, key) == 0
    assert (await create(maker, key)).status_code == 201
    assert (await create(maker, key, {**PERSON, "last_name": "Previewed"}, dry_run="true")).status_code == 200


async def test_another_tenant_s_key_is_nobody_s(strangers: Strangers) -> None:
    """Fault 20: the same key with the same body, and with another, is new in every tenant; its answer is its own."""
    key = secrets.token_hex(8)
    mine = await create(strangers.owner, key)
    for stranger, body in ((strangers.other_firm, None), (strangers.other_mode, {**PERSON, "last_name": "Other"})):
        theirs = await create(stranger, key, body)
        assert (theirs.status_code, theirs.headers.get("idempotent-replayed")) == (201, None), theirs.text
        assert theirs.json()["id"] != mine.json()["id"]
        assert stored(stranger, key) == 1
    again = await create(strangers.owner, key)
    assert (again.content, again.headers["idempotent-replayed"]) == (mine.content, "true")


async def test_a_key_belongs_to_a_path(maker: Maker) -> None:
    key = secrets.token_hex(8)
    assert (await create(maker, key)).status_code == 201
    other = await maker.http.post(
        "/v1/clients", json={"name": "Niagara", "address": ADDRESS}, headers={"idempotency-key": key}
    )
    assert (other.status_code, other.headers.get("idempotent-replayed")) == (201, None)
    assert stored(maker, key) == 2


async def test_after_thirty_days_a_key_is_new(maker: Maker) -> None:
    key = secrets.token_hex(8)
    first = await create(maker, key)
    with psycopg.connect(maker.admin_dsn) as admin:
        kept = admin.execute(
            "SELECT round(extract(epoch FROM expires_at - clock_timestamp()) / 86400) FROM app.idempotency"
            " WHERE key = %s",
            (key,),
        ).fetchone()
        assert kept is not None
        assert int(kept[0]) == 30
        admin.execute("UPDATE app.idempotency SET expires_at = clock_timestamp() WHERE key = %s", (key,))
    again = await create(maker, key, {**PERSON, "last_name": "Later"})
    assert (again.status_code, again.headers.get("idempotent-replayed")) == (201, None)
    assert again.json()["id"] != first.json()["id"]
    assert stored(maker, key) == 1


# Whatever moves money, files, hires, bills or starts a job; a name that is not here may leave the key out.
REQUIRED = {
    *("createWorker", "createEmployment", "createBankAccount", "createAssignment", "approveTimesheets"),
    *("createPayrollRun", "calculatePayrollRun", "approvePayrollRun", "payPayrollRun", "reopenPayrollRun"),
    *("cancelPayrollRun", "startBulkJob", "retryJob", "replayWebhookEndpoint", "runScheduleNow"),
    *("advanceTestClock", "createTestFixture", "retryPayment", "runTestSimulation"),
    *("createTestReset", "createDeduction", "createWithholdingOrder"),
}


@pytest.mark.parametrize("operation", sorted(name for name, each in OPERATIONS.items() if each["method"] == "POST"))
async def test_what_must_not_be_done_twice_asks_for_a_key(maker: Maker, operation: str) -> None:
    declared = {each["name"]: each["required"] for each in OPERATIONS[operation]["parameters"]}
    assert declared.get("Idempotency-Key", False) is (operation in REQUIRED)
    if "202" in OPERATIONS[operation]["responses"]:
        assert operation in REQUIRED
    ask = await RECIPES[operation](maker)
    headers = {name: value for name, value in ask.headers().items() if name != "idempotency-key"}
    before = snapshot(maker.admin_dsn, maker.tenant.facts.id)
    answer = await maker.people[ask.by].request(ask.method, ask.path, content=ask.sent(), headers=headers)
    if operation not in REQUIRED:
        assert answer.status_code != 400, answer.text
        return
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")
    assert changed(before, snapshot(maker.admin_dsn, maker.tenant.facts.id)) == []


@pytest.mark.parametrize(
    "operation",
    sorted(
        name
        for name, each in OPERATIONS.items()
        if any(parameter["name"] == "Idempotency-Key" for parameter in each["parameters"])
    ),
)
async def test_every_operation_that_takes_a_key_answers_a_retry_alike(maker: Maker, operation: str) -> None:
    """Status, body and the headers that belong to the answer, byte for byte, and nothing is done again."""
    if operation in ONCE:  # this tenant has it; another operation of the same kind stands for it
        return
    ask = await RECIPES[operation](maker)
    headers = {**ask.headers(), "idempotency-key": secrets.token_hex(12)}
    http = maker.people[ask.by]
    first = await http.request(ask.method, ask.path, content=ask.sent(), headers=headers)
    assert 200 <= first.status_code < 300, first.text
    between = snapshot(maker.admin_dsn, maker.tenant.facts.id)
    again = await http.request(ask.method, ask.path, content=ask.sent(), headers=headers)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    differ = {"request-id", "ratelimit", "idempotent-replayed"}
    assert {n: v for n, v in again.headers.items() if n not in differ} == {
        n: v for n, v in first.headers.items() if n not in differ
    }
    assert again.headers["idempotent-replayed"] == "true"
    assert changed(between, snapshot(maker.admin_dsn, maker.tenant.facts.id)) == []
    await maker.work()


async def test_a_required_key_that_is_missing_is_asked_for(maker: Maker) -> None:
    refused = await create(maker, None)
    assert (refused.status_code, refused.json()["code"]) == (400, "idempotency_key_required")


@pytest.mark.parametrize("key", ['"unclosed', '"a"b', "two words", '""', "k" * 256, '"' + "k" * 256 + '"', "käse"])
async def test_a_key_of_another_form_is_refused(maker: Maker, key: str) -> None:
    headers = {"idempotency-key": key.encode("utf-8")}
    refused = await maker.http.post(PATH, json=PERSON, headers=headers)  # type: ignore[arg-type]
    assert refused.status_code == 400, refused.text


@pytest.mark.parametrize("pair", [('"plain"', "plain"), ('"with \\"quotes\\""', None), ("k" * 255, None)])
async def test_a_structured_string_and_a_bare_token_are_keys(maker: Maker, pair: tuple[str, str | None]) -> None:
    mark = secrets.token_hex(4)
    quoted = pair[0].replace("plain", f"plain-{mark}") if pair[1] else pair[0]
    first = await maker.http.post(
        "/v1/clients", json={"name": "N", "address": ADDRESS}, headers={"idempotency-key": quoted}
    )
    assert first.status_code == 201, first.text
    again = f"plain-{mark}" if pair[1] else quoted
    replayed = await maker.http.post(
        "/v1/clients", json={"name": "N", "address": ADDRESS}, headers={"idempotency-key": again}
    )
    assert replayed.headers.get("idempotent-replayed") == "true"


async def test_the_stored_answer_is_sealed(maker: Maker) -> None:
    """It may hold a key's secret, which nobody can read again, not even from the database."""
    key = secrets.token_hex(8)
    made = await maker.http.post("/v1/api_keys", json={"name": "kept"}, headers={"idempotency-key": key})
    secret = made.json()["secret"]
    again = await maker.http.post("/v1/api_keys", json={"name": "kept"}, headers={"idempotency-key": key})
    assert again.json()["secret"] == secret
    with psycopg.connect(maker.admin_dsn) as admin:
        row = admin.execute("SELECT i::text, body FROM app.idempotency i WHERE key = %s", (key,)).fetchone()
    assert row is not None
    assert secret not in row[0]
    assert secret.encode() not in bytes(row[1])
