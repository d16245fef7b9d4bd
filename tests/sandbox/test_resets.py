"""Emptying a test tenant: what goes, what stays, and that nothing of before reaches into what comes after."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from tests.contract.maker import Maker, firm
from tests.rules import catalogue
from tests.sandbox.desk import ADMIN, MAKER, Desk
from tests.world import Server, Tenant, World

from backoffice.documents import jobs as documents
from backoffice.kernel import ids
from backoffice.kernel.errors import NotFound
from backoffice.ledger.models import account
from backoffice.platform.jobs import schedules
from backoffice.platform.jobs.errors import LeaseLost
from backoffice.platform.jobs.run import JobRun
from backoffice.platform.models import audit_event, counter, job, schedule, test_clock
from backoffice.platform.tables import TENANT
from backoffice.sandbox import resets
from backoffice.webhooks.commands import fan_out, write_digest
from backoffice.webhooks.models import webhook_delivery, webhook_endpoint
from backoffice.webhooks.states import OPEN_STATES

STAYS = {table.removeprefix("app.") for table, _ in catalogue.allowed("outlives_reset", 1)}
OF_THE_RESET = {"job", "job_step", "event", "idempotency", "object_sequence"}
NIAGARA = {
    "name": "Niagara",
    "address": {"line1": "12 Sample Street", "city": "Buffalo", "state": "NY", "postal_code": "14203"},
}


def rows(server: Server, tenant: Tenant) -> dict[str, int]:
    """How many rows each table of the database has of a tenant."""
    with psycopg.connect(server.postgres.admin_dsn("backoffice")) as admin:
        counted = " UNION ALL ".join(
            f"SELECT '{table}', count(*) FROM app.{table} WHERE tenant_id = '{tenant.facts.id}'"
            for table in catalogue.tenant_tables(admin)
        )
        return dict(admin.execute(counted.encode()).fetchall())


async def value(world: World, tenant: Tenant, statement: Any) -> Any:
    async with world.tx(tenant) as tx:
        return await tx.value(statement)


async def test_all_goes_but_what_the_tenant_s_file_and_its_people_set_up(world: World, server: Server) -> None:
    """Asked of the catalogue, table by table, in a tenant that has something of everything."""
    made = await firm(world)
    maker = await Maker(world, made.test, world.app, server.postgres.admin_dsn("backoffice")).open()
    await maker.paid_run()
    endpoint, _ = await maker.delivery()
    await maker.digest()
    await maker.finished_bulk_job()
    await maker.opening_balance()
    made.test.keys[ADMIN] = await world.key(made.test, ADMIN)
    live, desk = rows(server, made.live), Desk(world, made.test)
    before = rows(server, made.test)
    assert {table for table, count in before.items() if count} >= {"ledger_entry", "tax_election", "webhook_digest"}
    assert await world.runtime.storage.names(made.test.facts.id)
    was = await desk.ask(ADMIN, "GET", f"/v1/webhook_endpoints/{endpoint['id']}")
    endpoint_id = ids.decode("webhook_endpoint", endpoint["id"])
    numbered = await value(world, made.test, select(webhook_endpoint.c.last_sequence).where(
        webhook_endpoint.c.tenant_id == TENANT, webhook_endpoint.c.id == endpoint_id
    ))  # fmt: skip
    dry = await desk.doors[ADMIN].post("/v1/test/resets?dry_run=true")
    assert (dry.status_code, rows(server, made.test)) == (200, before)

    waits = select(func.count()).where(
        webhook_delivery.c.tenant_id == TENANT,
        webhook_delivery.c.state == any_(literal(list(OPEN_STATES), ARRAY(TEXT))),
    )
    assert await value(world, made.test, waits) > 0
    async with world.tx(made.test) as tx:
        assert not await resets.stop(tx)  # nobody has a job in hand
        assert await tx.value(waits) == 0
    done = await desk.reset()

    left = rows(server, made.test)
    assert {table for table, count in left.items() if count} - OF_THE_RESET == {t for t in STAYS if before[t]}
    assert {table: left[table] for table in STAYS - {"audit_event"}} == {
        table: before[table] for table in STAYS - {"audit_event"}
    }
    assert left["audit_event"] > before["audit_event"]
    assert (left["job"], left["event"]) == (1, 2)
    assert rows(server, made.live) == live
    assert await world.runtime.storage.names(made.test.facts.id) == []
    assert done["result"]["files"] > 0
    told = (await desk.ask(ADMIN, "GET", "/v1/events"))["data"]
    assert [each["type"] for each in told] == ["job.succeeded", "tenant.reset"]
    (effect,) = told[1]["data"]["effects"]
    assert effect["after"]["of"] == done["result"]["rows"] == dry.json()["effects"][0]["after"]["of"]
    # the audit trail says who, and how many rows of what
    audited = select(audit_event.c.actor, audit_event.c.changed).where(
        audit_event.c.tenant_id == TENANT, audit_event.c.action == "tenant.reset"
    )
    async with world.tx(made.test) as tx:
        assert [tuple(row) for row in await tx.fetch(audited)] == [(told[1]["actor"]["id"], done["result"]["rows"])]
    assert told[1]["actor"]["type"] == "person"
    # the front office goes on listening, and counts on
    assert await desk.ask(ADMIN, "GET", f"/v1/webhook_endpoints/{endpoint['id']}") == was
    assert left["webhook_digest"] == 0
    async with world.tx(made.test) as tx:
        while (await fan_out(tx)).more:
            pass
        sent = await tx.fetch(
            select(webhook_delivery.c.sequence)
            .where(webhook_delivery.c.tenant_id == TENANT, webhook_delivery.c.endpoint_id == endpoint_id)
            .order_by(webhook_delivery.c.sequence)
        )
    assert [row["sequence"] for row in sent] == [numbered + 1, numbered + 2]
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    async with world.tx(made.test) as tx:
        await tx.insert(test_clock, id=await tx.new_id(), frozen_time=datetime.now(UTC) + timedelta(days=3))
        tx.forget_time()
        assert endpoint_id is not None
        digest = await write_digest(tx, endpoint_id, tomorrow)
    assert digest is not None
    assert (digest.first_sequence, digest.last_sequence, digest.count) == (numbered + 1, numbered + 2, 2)
    # and asked again, nothing is left to do
    assert "worker" not in (await desk.reset())["result"]["rows"]


async def test_a_played_tenant_is_played_again_with_ids_that_come_again_and_fences_that_do_not(world: World) -> None:
    tenant = (await world.firm()).test
    jobs = select(job.c.id, job.c.fence).where(job.c.tenant_id == TENANT, job.c.kind == "sandbox.build_fixture")
    seen, last = [], None
    for life in ("first", "second"):
        desk = Desk(world, tenant, life)
        await desk.build(7)
        # What outlives a reset gives way where its id comes again.
        key = await desk.ask(ADMIN, "POST", "/v1/api_keys", {"name": life})
        async with world.tx(tenant) as tx:
            seen.append((key["id"], *(await tx.fetch(jobs))))
        done = await desk.reset()
        assert last is None or (await desk.doors[ADMIN].get(f"/v1/jobs/{last}")).status_code == 404
        last = done["id"]
    assert len({row["id"] for _, row in seen}) == 1
    assert len({row["fence"] for _, row in seen}) == len({key for key, _ in seen}) == 2
    due = await value(world, tenant, select(func.min(schedule.c.next_at)).where(schedule.c.tenant_id == TENANT))
    assert due > await value(world, tenant, select(func.now()))  # the dispatcher looks again


async def test_it_is_refused_where_it_must_be_and_repeated_where_it_was_asked(world: World) -> None:
    made = await world.firm()
    async with world.client(made.live.keys[ADMIN]) as http:
        live = await http.post("/v1/test/resets", headers={"idempotency-key": "k"})
        assert (live.status_code, live.json()["code"]) == (409, "test_tenants_only")
    async with world.client(made.test.keys[ADMIN]) as http:
        first, again = [await http.post("/v1/test/resets", headers={"idempotency-key": "k"}) for _ in range(2)]
        other = await http.post("/v1/test/resets", headers={"idempotency-key": "l"})
        assert [each.status_code for each in (first, again, other)] == [202] * 3
        assert len({each.json()["id"] for each in (first, again, other)}) == 1
        early = await http.post(
            "/v1/test/fixtures", json={"name": "staffing_small", "seed": 7}, headers={"idempotency-key": "m"}
        )
        assert (early.status_code, early.json()["code"]) == (409, "tenant_resetting")
        await world.work(made.test)
        client = await Desk(world, made.test).ask(MAKER, "POST", "/v1/clients", NIAGARA)
        late = await http.post("/v1/test/resets", headers={"idempotency-key": "k"})
        assert (late.content, late.headers["idempotent-replayed"]) == (first.content, "true")
        await world.work(made.test)
        assert (await Desk(world, made.test).ask(MAKER, "GET", f"/v1/clients/{client['id']}"))["name"] == "Niagara"


async def test_no_command_reaches_a_live_tenant(world: World) -> None:
    """Not even one that walked past the door: the database is asked first, and again for each append-only table."""
    live = (await world.firm(keys=False)).live
    async with world.tx(live) as tx:
        await tx.insert(account, id=await tx.new_id(), code="x", name="X", kind="asset", currency="USD",
                        normal_side="debit")  # fmt: skip
    with pytest.raises(ValueError, match="only a test tenant"):
        async with world.runtime.db.tx(live.system(), request_id="system:test", alone=True):
            pass
    with pytest.raises(NotFound):
        async with world.tx(live) as tx:
            await resets.wipe(tx)
    assert await value(world, live, select(func.count()).where(account.c.tenant_id == TENANT)) == 1


async def held(world: World, tenant: Tenant, kind: str) -> tuple[UUID, int]:
    """A job of the kind, as a worker holds it."""
    taken = (
        job.update()
        .where(job.c.tenant_id == TENANT, job.c.kind == kind)
        .values(state="running", worker="w", fence=job.c.fence + 1, attempt=1, started_at=func.clock_timestamp(),
                lease_until=func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, 60))
        .returning(job.c.id, job.c.fence)
    )  # fmt: skip
    async with world.tx(tenant) as tx:
        row = await tx.row(taken)
    assert row is not None
    return row["id"], row["fence"]


async def test_what_a_worker_has_in_hand_does_not_reach_over(
    world: World, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = (await world.firm()).test
    desk = Desk(world, tenant)
    started = await desk.doors[ADMIN].post(
        "/v1/test/fixtures", json={"name": "staffing_small", "seed": 7}, headers={"idempotency-key": "f"}
    )
    assert started.status_code == 202
    id_, fence = await held(world, tenant, "sandbox.build_fixture")
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr("backoffice.sandbox.jobs.asyncio", SimpleNamespace(sleep=sleep))
    async with world.tx(tenant) as tx:
        assert await resets.stop(tx)  # by itself, as before the rows go
        stopped = await tx.row(select(job.c.state, job.c.fence, job.c.lease_until).where(
            job.c.tenant_id == TENANT, job.c.id == id_))  # fmt: skip
        assert stopped is not None
        assert tuple(stopped) == ("canceled", fence + 1, None)
        await tx.execute(job.update().where(job.c.tenant_id == TENANT, job.c.id == id_).values(
            state="running", fence=fence, finished_at=None, lease_until=func.clock_timestamp()))  # fmt: skip
    await desk.reset()
    assert paused == [world.runtime.settings.lease_seconds]  # until the worker knows
    run = JobRun(world.runtime, id_, fence, None, 1, tenant.system(), "system:test", None, None)

    async def late(tx: Any) -> None:
        await tx.insert(counter, name="late", next=1)

    with pytest.raises(LeaseLost):
        await run.step("late", late)
    await desk.build(7)  # whose job has the same id
    with pytest.raises(LeaseLost):
        await run.step("later", late)
    late_rows = select(func.count()).where(counter.c.tenant_id == TENANT, counter.c.name == "late")
    assert await value(world, tenant, late_rows) == 0


async def test_it_waits_for_who_writes_and_whoever_comes_waits_for_it(world: World) -> None:
    tenant = (await world.firm()).test
    desk = Desk(world, tenant)
    await desk.ask(MAKER, "POST", "/v1/clients", NIAGARA)
    async with world.runtime.db.tx(tenant.system(), request_id="system:test") as tx:
        await tx.insert(counter, name="written meanwhile", next=1)
        posted = await desk.doors[ADMIN].post("/v1/test/resets", headers={"idempotency-key": "r"})
        working = asyncio.create_task(world.work(tenant))
        await asyncio.sleep(0.3)
        assert not working.done()
        comes = asyncio.create_task(
            desk.doors[MAKER].post("/v1/clients", json=NIAGARA, headers={"idempotency-key": "c"})
        )
        await asyncio.sleep(0.1)
        assert not comes.done()
        await world.runtime.db.commit(tx)
    await working
    assert (await desk.ask(ADMIN, "GET", f"/v1/jobs/{posted.json()['id']}"))["result"]["rows"].items() >= {
        ("client", 1),
        ("counter", 1),
    }
    assert (await comes).status_code == 201
    assert len((await desk.ask(MAKER, "GET", "/v1/clients"))["data"]) == 1


async def test_one_that_died_is_ended_by_the_next_try(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = (await world.firm()).test
    desk = Desk(world, tenant)
    await world.runtime.storage.put(tenant.facts.id, "documents/orphan", b"sealed")
    died: set[str] = set()

    def once(where: str, real: Any) -> Any:
        async def dies(*args: Any) -> Any:
            if where in died:
                return await real(*args)
            died.add(where)
            raise ConnectionError("the worker's machine is gone")

        return dies

    async def again() -> None:
        async with world.tx(tenant) as tx:
            await tx.execute(job.update().where(job.c.tenant_id == TENANT, job.c.state == "retry_wait").values(
                run_at=func.clock_timestamp()))  # fmt: skip
        await world.work(tenant)

    monkeypatch.setattr(resets.schedules, "clock_is_real_again", once("among the rows", schedules.clock_is_real_again))
    monkeypatch.setattr(documents, "drop_unowned", once("before the files", documents.drop_unowned))
    await desk.ask(MAKER, "POST", "/v1/clients", NIAGARA)
    posted = await desk.ask(ADMIN, "POST", "/v1/test/resets")
    assert len((await desk.ask(MAKER, "GET", "/v1/clients"))["data"]) == 1  # none of its rows, or all
    await again()
    assert (await desk.ask(MAKER, "GET", "/v1/clients"))["data"] == []
    after = await desk.ask(MAKER, "POST", "/v1/clients", NIAGARA | {"name": "After"})
    assert await world.runtime.storage.names(tenant.facts.id) == ["documents/orphan"]
    await again()
    done = await desk.ask(ADMIN, "GET", f"/v1/jobs/{posted['id']}")
    assert (done["status"], done["result"]["files"], done["attempt"]) == ("succeeded", 1, 3)
    assert json.dumps(done["result"]["rows"]).count("client") == 1
    assert (await desk.ask(MAKER, "GET", f"/v1/clients/{after['id']}"))["name"] == "After"
