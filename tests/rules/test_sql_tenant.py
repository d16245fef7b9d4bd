"""Every statement that bo_app sends names the tenant of every tenant table in it (wall 2), and row-level security does
not take an index away from it."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from tests.contract.maker import Maker, firm
from tests.contract.recipes import ONCE, RECIPES, operations
from tests.rules import plans, statements
from tests.rules.statements import faults
from tests.world import Server, World

from backoffice import api

NAMED = [
    "SELECT p.id FROM app.person p WHERE p.tenant_id = $1::UUID AND p.active",
    "SELECT id FROM app.person WHERE tenant_id = $1",
    "SELECT app.person.id FROM app.person WHERE app.person.tenant_id = $1::UUID",
    "SELECT 1 FROM app.person WHERE $1 = tenant_id",
    "SELECT 1 FROM app.person WHERE tenant_id = app.current_tenant()",
    (
        "SELECT 1 FROM app.api_key k JOIN app.person p ON p.tenant_id = k.tenant_id AND p.id = k.person_id"
        " WHERE k.tenant_id = $1"
    ),
    "SELECT 1 FROM app.api_key k LEFT JOIN app.person p ON p.tenant_id = $1 WHERE k.tenant_id = $1",
    "SELECT 1 FROM app.api_key k, app.person p WHERE k.tenant_id = p.tenant_id AND p.tenant_id = $2",
    (
        "SELECT 1 FROM app.api_key k WHERE k.tenant_id = $1 AND EXISTS"
        " (SELECT 1 FROM app.person p WHERE p.tenant_id = k.tenant_id)"
    ),
    "SELECT (SELECT count(*) FROM app.person p WHERE p.tenant_id = $1)",
    "WITH x AS (SELECT id FROM app.person WHERE tenant_id = $1) SELECT * FROM x",
    (
        "SELECT * FROM (SELECT tenant_id, id FROM app.person WHERE tenant_id = $1) x"
        " JOIN app.api_key k ON k.tenant_id = x.tenant_id"
    ),
    "SELECT 1 FROM app.person WHERE tenant_id = $1 UNION ALL SELECT 2 FROM app.job WHERE tenant_id = $1",
    "INSERT INTO app.person (tenant_id, id) VALUES ($1, $2), ($3, $4)",
    "INSERT INTO app.person (tenant_id, id) SELECT $1::uuid, r.* FROM unnest($2::UUID[]) AS r",
    "INSERT INTO app.person (id, tenant_id) SELECT k.id, k.tenant_id FROM app.api_key k WHERE k.tenant_id = $1",
    (
        "INSERT INTO app.object_sequence (tenant_id, last) VALUES ($1, $2) ON CONFLICT (tenant_id, object_id)"
        " DO UPDATE SET last = object_sequence.last + excluded.last RETURNING app.object_sequence.last"
    ),
    "UPDATE app.person SET name = $2 WHERE app.person.tenant_id = $1 RETURNING app.person.id",
    (
        "UPDATE app.person SET name = k.name FROM app.api_key k WHERE k.tenant_id = $1"
        " AND app.person.tenant_id = k.tenant_id"
    ),
    "DELETE FROM app.person WHERE tenant_id = $1 AND id = $2",
    "SELECT * FROM ctl.open_key($1)",
    "SELECT name, firm FROM ctl.tenant_settings()",
]
FORGOTTEN = [
    "SELECT id FROM app.person",
    "SELECT id FROM app.person WHERE id = $1",
    "SELECT id FROM app.person WHERE tenant_id = $1 OR active",
    "SELECT id FROM app.person WHERE NOT tenant_id = $1",
    "SELECT id FROM app.person WHERE tenant_id <> $1",
    "SELECT id FROM app.person WHERE tenant_id > $1",
    "SELECT id FROM app.person WHERE tenant_id IS NOT NULL",
    "SELECT id FROM app.person WHERE tenant_id = ANY ($1)",
    "SELECT id FROM app.person WHERE tenant_id = 'd2719b1c-6f6f-7000-8000-000000000000'",
    "SELECT id FROM app.person WHERE tenant_id = tenant_id",
    "SELECT 1 FROM app.api_key k JOIN app.person p ON p.id = k.person_id WHERE k.tenant_id = $1",
    "SELECT 1 FROM app.api_key k JOIN app.person p ON p.tenant_id = k.tenant_id",
    "SELECT 1 FROM app.api_key k LEFT JOIN app.person p ON k.tenant_id = $1 AND p.tenant_id = $1",
    "SELECT 1 FROM app.api_key k RIGHT JOIN app.person p ON p.tenant_id = $1 WHERE k.tenant_id = $1",
    "SELECT 1 FROM app.api_key k WHERE k.tenant_id = $1 AND EXISTS (SELECT 1 FROM app.person p WHERE p.id = k.id)",
    "SELECT (SELECT count(*) FROM app.person) FROM app.api_key WHERE tenant_id = $1",
    "WITH x AS (SELECT id FROM app.person) SELECT * FROM x",
    "WITH gone AS (DELETE FROM app.job RETURNING id) SELECT * FROM gone",
    "SELECT * FROM (SELECT id FROM app.person) x",
    "SELECT 1 FROM app.person WHERE tenant_id = $1 UNION ALL SELECT 2 FROM app.job",
    "INSERT INTO app.person (id) VALUES ($1)",
    "INSERT INTO app.person (tenant_id, id) VALUES ($1, $2), (gen_random_uuid(), $3)",
    "INSERT INTO app.person (tenant_id, id) SELECT k.tenant_id, k.id FROM app.api_key k",
    "INSERT INTO app.person DEFAULT VALUES",
    (
        "INSERT INTO app.person (tenant_id, id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        " RETURNING (SELECT count(*) FROM app.job)"
    ),
    (
        "INSERT INTO app.counter (tenant_id, name) VALUES ($1, $2) ON CONFLICT (tenant_id, name)"
        " DO UPDATE SET tenant_id = $3"
    ),
    "UPDATE app.person SET name = $1",
    "UPDATE app.person SET tenant_id = $2 WHERE tenant_id = $1",
    "UPDATE app.person SET name = (SELECT name FROM app.api_key LIMIT 1) WHERE tenant_id = $1",
    "UPDATE app.person SET name = k.name FROM app.api_key k WHERE k.id = person.id AND person.tenant_id = $1",
    "DELETE FROM app.person WHERE id = $1",
    "DELETE FROM app.person USING app.job j WHERE person.tenant_id = $1",
    "LOCK TABLE app.person",
    "TRUNCATE app.person",
    "COPY app.person TO STDOUT",
    "MERGE INTO app.person p USING app.job j ON p.id = j.id WHEN MATCHED THEN DO NOTHING",
]


@pytest.mark.parametrize("sql", NAMED)
def test_a_statement_that_names_its_tenant_passes(sql: str) -> None:
    assert faults(sql) == []


@pytest.mark.parametrize("sql", FORGOTTEN)
def test_a_statement_that_forgets_its_tenant_is_seen(sql: str) -> None:
    assert faults(sql) != []


async def test_a_planted_statement_turns_the_recorder_red(server: Server) -> None:
    tenant, other = uuid4(), uuid4()
    recorder = statements.Recorder()
    connection = await asyncpg.connect(server.settings.dsn("bo_app"))
    try:
        recorder.watch(connection)
        await connection.execute(f"BEGIN; SET LOCAL app.tenant_id='{tenant}'")
        await connection.fetch("SELECT id FROM app.person WHERE tenant_id = $1", tenant)
        await asyncio.sleep(0)  # the driver tells its loggers on the next turn of the loop
        assert (len(recorder.sent), recorder.faults()) == (1, [])
        await connection.fetch("SELECT id FROM app.person")
        await asyncio.sleep(0)
        assert recorder.faults() == ["person: no tenant_id equality in: SELECT id FROM app.person"]
        named = "SELECT id FROM app.job WHERE tenant_id = $1"
        await connection.fetch(named, other)
        await asyncio.sleep(0)
        assert recorder.faults()[1:] == [f"a parameter names another tenant than the transaction's in: {named}"]
    finally:
        await connection.close()


async def test_the_pools_of_the_application_are_watched(world: World) -> None:
    tenant = (await world.firm(keys=False)).test
    before = sum(statements.recorder.sent.values())
    async with world.tx(tenant) as tx:
        await tx.now()
    await asyncio.sleep(0)
    assert sum(statements.recorder.sent.values()) > before


async def test_every_operation_and_job_names_its_tenant_and_keeps_its_indexes(world: World, server: Server) -> None:
    """Drives every operation of the API once, and the jobs it starts, then asks of all that was sent."""
    maker = await Maker(
        world, (await firm(world)).test, world.application(), server.postgres.admin_dsn("backoffice")
    ).open()
    for operation in operations(api.HANDLERS):
        answer = await maker.ask(await RECIPES[operation](maker))
        assert answer.status_code < 300 or operation in ONCE, (operation, answer.text)
    await maker.work()
    await maker.close()
    await asyncio.sleep(0)
    sent = [
        sql
        for sql in statements.recorder.products()
        if sql.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"))
    ]
    assert len(sent) > 150
    assert statements.recorder.faults() == []
    with plans.full_database(server) as admin:
        assert plans.differences(admin, sent) == []
        looked_up = [sql for sql in sent if any("tenant_id" in each for each in plans.plan(admin, sql, "bo_app"))]
        assert len(looked_up) > 120, "all but plain inserts go by an index that begins with the tenant"


def test_a_lost_index_is_seen(server: Server) -> None:
    """An index over a type whose operators are not leakproof serves everybody but those under a policy."""
    with plans.full_database(server) as admin:
        admin.execute("ALTER TABLE app.person ADD COLUMN rate numeric")
        admin.execute("UPDATE app.person SET rate = length(slug) + random()")
        admin.execute("CREATE INDEX planted ON app.person (tenant_id, rate)")
        admin.execute("ANALYZE app.person")
        found = plans.differences(
            admin, ["SELECT id FROM app.person WHERE tenant_id = $1::uuid AND rate = $2::numeric"]
        )
    assert len(found) == 1
    assert "planted" in found[0]
