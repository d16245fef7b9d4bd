"""What the edge does when something breaks: a COMMIT that fails, a database that is gone, a handler with a bug; and
what is logged and traced of every request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import psycopg
import pytest
from tests.contract.maker import ADDRESS, MAKER, Maker
from tests.contract.said import Written, logged
from tests.contract.snapshot import changed, snapshot
from tests.world import World

from backoffice import api
from backoffice.kernel import ids
from backoffice.ledger import models as ledger
from backoffice.platform import logs
from backoffice.platform import models as platform_models
from backoffice.platform.db import Database
from backoffice.platform.web.routes import InTx, post

# --------------------------------------------------------------------------------------------------- planted bugs


class Answer(msgspec.Struct):
    ok: bool = True


@post("/v1/planted/unbalanced", scope="tenant:read", keyed="optional")
async def unbalanced(tx: InTx) -> Answer:
    """Posts a transaction without entries: the deferred check refuses it, at the COMMIT."""
    await tx.insert_many(
        ledger.transaction,
        [
            {
                "id": await tx.new_id(),
                "key": tx.request_id,
                "fingerprint": b"",
                "posted_by": tx.principal.actor,
                "posted_at": await tx.now(),
                "effective_date": (await tx.now()).date(),
                "description": "planted",
                "reverses": None,
                "entry_count": 2,
            }
        ],
    )
    return Answer()


@post("/v1/planted/fault", scope="tenant:read", keyed="optional")
async def fault(tx: InTx) -> Answer:
    """Writes, then breaks."""
    await tx.insert(platform_models.counter, name=tx.request_id, next=1)
    raise RuntimeError("900-55-1234 stands in this text")


@pytest.fixture
def planted(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(api, "HANDLERS", [*api.HANDLERS, unbalanced, fault])
    return world.application()


async def test_a_commit_that_fails_is_rendered_as_a_problem(maker: Maker, planted: Any) -> None:
    before = snapshot(maker.admin_dsn, maker.tenant.facts.id)
    async with maker.world.client(maker.keys[MAKER], app=planted) as http:
        answer = await http.post("/v1/planted/unbalanced", headers={"idempotency-key": "unbalanced"})
    assert answer.status_code == 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["code"], told["request_id"]) == ("internal_fault", answer.headers["request-id"])
    assert "etag" not in answer.headers
    assert changed(before, snapshot(maker.admin_dsn, maker.tenant.facts.id)) == []


async def test_a_bug_is_a_500_that_says_nothing_and_leaves_nothing(maker: Maker, planted: Any) -> None:
    before = snapshot(maker.admin_dsn, maker.tenant.facts.id)
    async with maker.world.client(maker.keys[MAKER], app=planted) as http:
        answer = await http.post("/v1/planted/fault", headers={"idempotency-key": "fault"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_fault")
    assert "900-55-1234" not in answer.text
    assert changed(before, snapshot(maker.admin_dsn, maker.tenant.facts.id)) == []


# -------------------------------------------------------------------------------------------- a line that is cut


class Line:
    """A TCP line to the database that can be cut: at once, or when a text comes by."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._writers: list[asyncio.StreamWriter] = []
        self.cut_at: bytes | None = None
        self.after = b""  # it is let by until this has been seen
        self.port = 0

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if upstream and self.cut_at is not None:
                    if self.after and self.after in data:
                        self.after = b""
                    elif not self.after and self.cut_at in data:
                        self.cut()
                        return
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._to)
        self._writers += [writer, back]
        await asyncio.gather(self._carry(reader, back, True), self._carry(there, writer, False))

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[asyncio.Server]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield server
        finally:
            self.cut()
            server.close()


@asynccontextmanager
async def behind_a_line(world: World, key: str) -> AsyncIterator[tuple[Line, asyncio.Server, httpx.AsyncClient]]:
    """A client of the application, whose database is reached through a line."""
    dsn = replace(world.runtime.settings, socket_dir="").dsn("bo_app")
    parts = urlsplit(dsn)
    line = Line(str(parts.hostname), int(parts.port or 0))
    async with line.open() as server:
        database = Database(dsn.replace(f":{parts.port}/", f":{line.port}/"), size=4)
        database.ciphers = world.runtime.ciphers
        await database.open()
        app = _with(world, database).application()
        try:
            async with world.client(key, app=app) as http:
                yield line, server, http
        finally:
            line.cut()
            await database.close()


def _with(world: World, database: Database) -> World:
    return World(replace(world.runtime, db=database), world.control)


async def test_a_database_that_is_gone_is_a_503(maker: Maker) -> None:
    async with behind_a_line(maker.world, maker.keys[MAKER]) as (line, server, http):
        assert (await http.get("/v1/tenant")).status_code == 200
        server.close()
        line.cut()
        for _ in range(2):
            answer = await http.get("/v1/tenant")
            assert (answer.status_code, answer.json()["code"]) == (503, "temporarily_unavailable"), answer.text
            assert answer.json()["retryable"] is True
            assert int(answer.headers["retry-after"]) >= 1
        ready = await http.get("/readyz")
        assert ready.status_code == 503
        assert (await http.get("/healthz")).status_code == 200


async def test_a_line_that_breaks_in_a_request_does_nothing_by_half(maker: Maker) -> None:
    name = maker.name("cut")
    body = {"external_id": name, "name": "Niagara", "address": ADDRESS}
    before = snapshot(maker.admin_dsn, maker.tenant.facts.id)
    async with behind_a_line(maker.world, maker.keys[MAKER]) as (line, _, http):
        line.cut_at = b"INSERT INTO app.client"
        answer = await http.post("/v1/clients", json=body, headers={"idempotency-key": name})
        assert answer.status_code == 503, answer.text
        assert answer.json()["retryable"] is True
        line.cut_at = None
        assert changed(before, snapshot(maker.admin_dsn, maker.tenant.facts.id)) == []
        again = await http.post("/v1/clients", json=body, headers={"idempotency-key": name})
        assert again.status_code == 201, again.text


async def test_a_line_that_breaks_in_the_commit_says_that_it_does_not_know(maker: Maker) -> None:
    name = maker.name("cut")
    body = {"external_id": name, "name": "Niagara", "address": ADDRESS}
    async with behind_a_line(maker.world, maker.keys[MAKER]) as (line, _, http):
        line.cut_at, line.after = b"COMMIT", b"INSERT INTO app.client"
        answer = await http.post("/v1/clients", json=body, headers={"idempotency-key": name})
        assert (answer.status_code, answer.json()["code"]) == (503, "commit_uncertain"), answer.text
        assert answer.json()["retryable"] is False
        line.cut_at = None
        again = await http.post("/v1/clients", json=body, headers={"idempotency-key": name})
        assert again.status_code == 201
        listed = (await http.get("/v1/clients", params={"external_id": name})).json()["data"]
    assert [each["id"] for each in listed] == [again.json()["id"]]


# --------------------------------------------------------------------------------------------------- what is said


@pytest.fixture
def lines() -> Iterator[Written]:
    with logged() as written:
        yield written


async def test_a_request_is_one_line_with_tenant_request_and_actor(maker: Maker, lines: Written) -> None:
    secret, name = "900-55-4321", "Ermentrude"
    body = {"first_name": name, "last_name": "Said", "address": ADDRESS, "ssn": secret, "birth_date": "1991-02-03"}
    made = await maker.http.post("/v1/workers", json=body, headers={"idempotency-key": name})
    assert made.status_code == 201
    refused = await maker.http.post("/v1/workers", json={**body, "email": secret}, headers={"idempotency-key": "no"})
    assert refused.status_code == 422
    await maker.http.get(f"/v1/workers/ext:{secret}")
    await maker.http.get("/v1/workers", params={"email": secret})
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    requests = [line for line in told if line["event"] == "request"]
    assert len(requests) == 4
    person = ids.decode("person", requests[0]["actor"])
    assert person is not None
    for line, answer in zip(requests, (made, refused), strict=False):
        assert line["request_id"] == answer.headers["request-id"]
        assert line["tenant"] == str(maker.tenant.facts.id)
        assert (line["route"], line["status"], line["method"]) == ("/v1/workers", answer.status_code, "POST")
        assert set(line) <= logs.LOG_FIELDS | {"dropped_fields"}
    for word in (secret, secret.replace("-", ""), name, "Said", "1991-02-03", maker.keys[MAKER], "12 Sample"):
        assert word not in lines.getvalue(), word


async def test_a_bug_is_logged_by_its_place_and_not_by_its_text(maker: Maker, planted: Any, lines: Written) -> None:
    async with maker.world.client(maker.keys[MAKER], app=planted) as http:
        answer = await http.post("/v1/planted/fault")
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    failed = [line for line in told if line["event"] == "request_failed"]
    assert [line["request_id"] for line in failed] == [answer.headers["request-id"]]
    assert failed[0]["error_type"] == "RuntimeError"
    assert "900-55-1234" not in lines.getvalue()


# ----------------------------------------------------------------------------------------------------------- traces


async def traceparent_of_job(maker: Maker, header: str | None) -> str | None:
    run = await maker.run()
    headers = {"idempotency-key": run["id"], **({} if header is None else {"traceparent": header})}
    answer = await maker.http.post(f"/v1/payroll_runs/{run['id']}/calculate", headers=headers)
    assert answer.status_code == 202, answer.text
    with psycopg.connect(maker.admin_dsn) as admin:
        row = admin.execute(
            "SELECT traceparent FROM app.job WHERE id = %s", (ids.decode("job", answer.json()["id"]),)
        ).fetchone()
    assert row is not None
    return None if row[0] is None else str(row[0])


async def test_the_caller_s_trace_goes_on_in_what_the_request_starts(maker: Maker) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    for flags in ("00", "01"):
        found = await traceparent_of_job(maker, f"00-{trace}-00f067aa0ba902b7-{flags}")
        assert found is not None
        assert re.fullmatch(rf"00-{trace}-[0-9a-f]{{16}}-0[01]", found)


@pytest.mark.parametrize("header", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "00-x-y-z", "\xff" * 55])
async def test_a_trace_of_another_form_is_not_taken_over(maker: Maker, header: str) -> None:
    answer = await maker.http.get("/v1/tenant", headers={b"traceparent": header.encode("latin-1")})
    assert answer.status_code == 200
