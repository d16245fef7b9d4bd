"""A preview is the real thing taken back: nothing is stored, and its effects are those of the real call (API
conventions §4 and §9). For every operation that changes something, found in the generated document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import psycopg
import pytest
from tests.contract.maker import Ask, Maker, firm
from tests.contract.recipes import FIXTURE, ONCE, RECIPES, operations
from tests.contract.snapshot import changed, snapshot

from backoffice import api
from backoffice.kernel import ids

MUTATING = sorted(
    name
    for name, operation in operations(api.HANDLERS).items()
    if operation["method"] != "GET" and name not in {"startBulkJob", *ONCE}
)
_ID = re.compile(r"\b([a-z]{2,8})_[0-7][0-9a-hjkmnp-tv-z]{25}\b")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_KEY = re.compile(r"\bbo_[a-z]{2}_(test|live)_\S+")


def told_alike(effects: Iterable[Any]) -> list[str]:
    """Effects without what is new each time: ids that were made, instants of the database's clock, a key's hint."""
    texts = [json.dumps(effect, sort_keys=True) for effect in effects]
    texts = [_KEY.sub("<key>", _INSTANT.sub("<instant>", _ID.sub(r"<\1>", text))) for text in texts]
    return sorted(texts)


# A file is announced when it lies in the storage, which no preview touches: commands do no I/O besides the database.
OUTSIDE = frozenset({"document_available"})


def effects_of(maker: Maker, request_id: str) -> list[Any]:
    """What the events of a request tell, with those of the jobs that it started."""
    with psycopg.connect(maker.admin_dsn) as admin:
        rows = admin.execute(
            "SELECT body FROM app.event WHERE tenant_id = %s AND request_id = %s ORDER BY id",
            (maker.tenant.facts.id, request_id),
        ).fetchall()
    effects = [effect for (body,) in rows for effect in json.loads(body)["data"].get("effects", [])]
    return [effect for effect in effects if effect["kind"] not in OUTSIDE]


# What changes something and means nothing to a front office.
WITHOUT_EFFECTS = {
    "createDownloadLink",
    "retryJob",
    "revealWithholdingOrder",
    "revealWorker",
    "testWebhookEndpoint",
    "triggerTestWebhooks",
}


async def compare(maker: Maker, ask: Ask, *, effects: bool = True) -> None:
    before = snapshot(maker.admin_dsn, maker.tenant.facts.id)
    preview = await maker.ask(ask, dry_run="true")
    assert preview.status_code == 200, preview.text
    assert preview.headers["bo-dry-run"] == "true"
    told = preview.json()
    assert told["object"] == "dry_run"
    assert "secret" not in (told["result"] or {}), "what is shown would not hold"
    assert changed(before, snapshot(maker.admin_dsn, maker.tenant.facts.id)) == []
    real = await maker.ask(ask)
    assert real.status_code < 300, real.text
    assert "bo-dry-run" not in real.headers
    await maker.work()
    assert told_alike(told["effects"]) == told_alike(effects_of(maker, real.headers["request-id"]))
    assert bool(told["effects"]) is effects, "an empty list equals an empty list"


@pytest.mark.parametrize("operation", MUTATING)
async def test_a_preview_stores_nothing_and_tells_what_will_be(maker: Maker, operation: str) -> None:
    await compare(maker, await RECIPES[operation](maker), effects=operation not in WITHOUT_EFFECTS)


async def test_the_preview_of_a_first_clock(maker: Maker) -> None:
    """A tenant has one clock: this one has none yet."""
    other = Maker(maker.world, (await firm(maker.world)).test, maker.app, maker.admin_dsn)
    other._kept["clock"] = {}
    await other.open()
    await compare(other, await RECIPES["createTestClock"](other))
    await other.close()


async def test_the_preview_of_a_whole_company(maker: Maker) -> None:
    """It is built in an empty tenant, which this one is no more."""
    other = Maker(maker.world, (await firm(maker.world)).test, maker.app, maker.admin_dsn)
    other._kept["clock"] = {}
    await other.open()
    async with other.world.tx(other.tenant) as tx:
        await tx.cipher()  # the tenant's key is made with the first thing that it seals
    await compare(other, Ask("POST", "/v1/test/fixtures", FIXTURE))
    await other.close()


async def test_a_bulk_job_is_rehearsed_by_a_job(maker: Maker) -> None:
    """Its dry run has no limit of rows, so it is a job itself; what it tells is what the real one does."""
    effects = []
    worker = await maker.worker()
    await maker.employment(worker)
    assignment = await maker.assignment(worker)
    head = "worker_external_id,assignment_external_id,work_date,hours,external_id"
    row = f"{worker['external_id']},{assignment['external_id']},2026-01-06,7.50,{maker.name('entry')}"
    file = f"{head}\n{row}\n".encode()
    for query in ({"dry_run": "true"}, {}):
        job = await maker.bulk_job()
        start = Ask("POST", f"/v1/bulk_jobs/{job['id']}/start", content=file, media="text/csv", query=dict(query))
        before = snapshot(maker.admin_dsn, maker.tenant.facts.id)
        answer = await maker.ask(start)
        assert answer.status_code == 202, answer.text
        await maker.work()
        told = await maker.get(f"/v1/bulk_jobs/{job['id']}")
        assert told["dry_run"] is bool(query), told
        assert (told["rows"]["total"], told["rows"]["failed"], told["status"]) == (1, 0, "succeeded"), told
        effects.append(told_alike(told["effects"]))
        touched = changed(before, snapshot(maker.admin_dsn, maker.tenant.facts.id))
        assert ("timesheet" in touched) is not bool(query)
    assert effects[0] == effects[1] != []


async def test_a_preview_of_what_would_be_refused_is_refused(maker: Maker) -> None:
    answer = await maker.ask(Ask("POST", "/v1/workers", {"first_name": "Ada"}), dry_run="true")
    assert answer.status_code == 422
    missing = ids.encode("worker", await _new_id(maker))
    answer = await maker.ask(Ask("PATCH", f"/v1/workers/{missing}", {}, if_match=1), dry_run="true")
    assert answer.status_code == 404


async def _new_id(maker: Maker) -> Any:
    async with maker.world.tx(maker.tenant, dry_run=True) as tx:
        return await tx.new_id()


@pytest.mark.parametrize("value", ["yes", "1", "TRUE", ""])
async def test_dry_run_is_true_or_false(maker: Maker, value: str) -> None:
    ask = await RECIPES["createWorker"](maker)
    assert (await maker.ask(ask, dry_run=value)).status_code == 400
    assert (await maker.ask(ask, dry_run="false")).status_code == 201


async def test_a_read_has_no_preview(maker: Maker) -> None:
    answer = await maker.http.get("/v1/tenant", params={"dry_run": "true"})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "dry_run")
