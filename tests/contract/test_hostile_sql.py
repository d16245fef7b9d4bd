"""Any SQL as bo_app, inside one tenant's transaction: no row of another tenant is seen, none is written. Then each wall
alone, with the others off."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
import pytest
from psycopg import sql
from tests.contract import hostile, identity
from tests.contract.fixtures import Strangers
from tests.contract.maker import Maker, application, firm
from tests.contract.recipes import RECIPES, operations
from tests.contract.snapshot import changed, snapshot
from tests.world import Server, World

from backoffice import api
from backoffice.kernel import ids
from backoffice.platform.db import Database

MARK = "VICTIM"
Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass
class Ground:
    """Two tenants with something of everything, and what an attempt may be told of the other."""

    mine: Maker
    victim: Maker
    facts: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def ground(world: World, app: Any, admin_dsn: str, server: Server, loop: asyncio.AbstractEventLoop) -> Iterator[Ground]:
    async def made() -> Ground:
        both = [await Maker(world, (await firm(world)).test, app, admin_dsn).open() for _ in range(2)]
        mine, victim = both
        for maker in both:
            await maker.paid_run()
            await maker.delivery()
            await maker.finished_bulk_job()
        for _ in range(3):
            worker = await victim.worker(last_name=f"{MARK} Nobody")
            await victim.bank_account(worker)
            await victim.post("/v1/clients", {"name": f"{MARK} Ltd.", "address": worker["address"]})
        key = await victim.api_key()
        with psycopg.connect(admin_dsn, autocommit=True) as admin:
            admin.execute("ANALYZE")
            ein = admin.execute(
                "SELECT ein FROM app.employer WHERE tenant_id = %s", (victim.tenant.facts.id,)
            ).fetchone()
        assert ein is not None
        facts = {
            "mine": mine.tenant.facts.id,
            "victim": victim.tenant.facts.id,
            "worker": ids.decode("worker", worker["id"]),
            "key": ids.decode("api_key", key["id"]),
            "ein": ein[0],
        }
        return Ground(mine, victim, facts)

    found = loop.run_until_complete(made())
    yield found
    for each in (found.mine, found.victim):
        loop.run_until_complete(each.close())


@asynccontextmanager
async def inside(server: Server, tenant: UUID) -> AsyncIterator[tuple[asyncpg.Connection, list[str]]]:
    """A session of bo_app in a transaction bound to a tenant, and what the server tells it beside results."""
    connection = await asyncpg.connect(server.settings.dsn("bo_app"))
    notices: list[str] = []
    connection.add_log_listener(lambda _, message: notices.append(str(message)))
    try:
        await connection.execute(f"BEGIN; SET LOCAL app.tenant_id = '{tenant}'; SET LOCAL statement_timeout = '5s'")
        yield connection, notices
    finally:
        connection.terminate()


async def attempt(connection: asyncpg.Connection, statements: str) -> list[str]:
    """Run the statements of an attempt, up to the first that is refused; everything that came back, as text."""
    told: list[str] = []
    for statement in statements.split(";;"):
        try:
            if statement.startswith("COPY ") and " FROM STDIN" in statement:
                await connection.copy_to_table("counter", schema_name="app", source=io.BytesIO(b"x\n"))
            told += [repr(dict(row)) for row in await connection.fetch(statement)]
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            told.append(
                f"{type(error).__name__}: {error} {getattr(error, 'detail', '')} {getattr(error, 'context', '')}"
            )
            break
    return told


async def written(connection: asyncpg.Connection, victim: UUID) -> str:
    """What the victim has, as this transaction sees it, its own writes included; nothing in one that is aborted."""
    try:
        await connection.execute(f"SET LOCAL app.tenant_id = '{victim}'")
        tables = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' ORDER BY 1"
        )
        hashed = "SELECT '{0}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM app.{0} t"
        rows = await connection.fetch(" UNION ALL ".join(hashed.format(row["relname"]) for row in tables))
        return repr([tuple(row) for row in rows])
    except (asyncpg.PostgresError, asyncpg.InterfaceError):
        return ""  # aborted: nothing of it can be committed


async def seen_and_done(server: Server, ground: Ground, statements: str) -> list[str]:
    """What an attempt has seen of the victim, and whether it has changed anything of the victim's."""
    filled = statements.format(**ground.facts, pid=ground.mine.world.runtime.settings.port)
    victim = ground.facts["victim"]
    async with inside(server, victim) as (connection, _):
        before = await written(connection, victim)
    async with inside(server, ground.facts["mine"]) as (connection, notices):
        told = await attempt(connection, filled)
        await asyncio.sleep(0)
        found = [text[:300] for text in [*told, *notices] if MARK in text and "LIKE 'VICTIM" not in text]
        found += [text[:300] for text in told if str(victim) in text and not _refused(text)]
        after = await written(connection, victim)
    if after not in ("", before):
        found.append("the victim's rows were changed")
    return found


def _refused(text: str) -> bool:
    """The server's refusal may quote the statement; that tells nothing that was not sent."""
    return text.partition(":")[0].endswith("Error")


ATTEMPTS = [(group, name, text) for group, attempts in hostile.GROUPS.items() for name, text in attempts.items()]


def test_there_are_enough_attempts() -> None:
    assert len(ATTEMPTS) + len(hostile.CONTEXT) >= 180


@pytest.mark.parametrize(
    ("group", "name", "statements"), ATTEMPTS, ids=[f"{group}: {name}" for group, name, _ in ATTEMPTS]
)
async def test_attempt(server: Server, ground: Ground, group: str, name: str, statements: str) -> None:
    assert await seen_and_done(server, ground, statements) == [], (group, name)


@pytest.mark.xfail(strict=True, reason="open until the context is sealed: whoever runs any SQL may say who they are")
@pytest.mark.parametrize("name", sorted(hostile.CONTEXT))
async def test_context_switch(server: Server, ground: Ground, name: str) -> None:
    assert await seen_and_done(server, ground, hostile.CONTEXT[name]) == []


async def test_every_table_shows_its_own_tenant_s_rows_alone(server: Server, ground: Ground) -> None:
    """Every table, found in the catalogue: read whole, copied out, counted."""
    async with inside(server, ground.facts["mine"]) as (connection, _):
        tables = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' ORDER BY 1"
        )
        filled = 0
        for (table,) in tables:
            rows = await connection.fetch(f"SELECT tenant_id FROM app.{table}")
            assert {row["tenant_id"] for row in rows} <= {ground.facts["mine"]}, table
            assert await connection.fetchval(f"SELECT count(*) FROM app.{table}") == len(rows)
            out: list[bytes] = []
            await connection.copy_from_table(table, schema_name="app", columns=["tenant_id"], output=_into(out))
            assert set(b"".join(out).split()) <= {str(ground.facts["mine"]).encode()}, table
            filled += bool(rows)
        assert filled > 25


def _into(out: list[bytes]) -> Any:
    async def take(data: bytes) -> None:
        out.append(data)

    return take


# ---------------------------------------------------------------------------------------------------------- oracles


async def refusal(connection: asyncpg.Connection, statement: str, *values: Any) -> tuple[str, str]:
    """How the database refuses a statement, or what it answers, without the values that were sent."""
    await connection.execute("SAVEPOINT s")
    try:
        answer = await connection.execute(statement, *values)
        return "done", str(answer)
    except asyncpg.PostgresError as error:
        text = str(error)
        for value in values:
            text = text.replace(str(value), "?")
        return str(error.sqlstate), text
    finally:
        await connection.execute("ROLLBACK TO SAVEPOINT s")


async def test_keys_tell_no_foreign_row_from_none(server: Server, ground: Ground) -> None:
    """Foreign keys, uniques and upserts answer alike for what another tenant has and for what nobody has."""
    nobody = UUID("00000000-0000-7000-8000-000000000001")
    there = ground.facts["worker"]
    async with inside(server, ground.facts["mine"]) as (connection, _):
        refer = "UPDATE app.bank_account SET worker_id = $1"
        assert await refusal(connection, refer, there) == await refusal(connection, refer, nobody)
        assert (await refusal(connection, refer, there))[0] == "23503"
        count = "INSERT INTO app.counter (tenant_id, name, next) VALUES ($1, $2, 1)"
        for tail in ("", " ON CONFLICT DO NOTHING", " ON CONFLICT (tenant_id, name) DO UPDATE SET next = 2"):
            found = [
                await refusal(connection, count + tail, ground.facts["victim"], name) for name in ("worker", "nothing")
            ]
            assert found[0] == found[1]
            assert found[0][0] == "42501"
        take = "UPDATE app.worker SET id = $1 WHERE id = (SELECT id FROM app.worker ORDER BY id LIMIT 1)"
        one, other = await refusal(connection, take, there), await refusal(connection, take, nobody)
        assert one == other
        for statement in ("DELETE FROM app.worker WHERE id = $1", "UPDATE app.worker SET version = 9 WHERE id = $1"):
            assert await refusal(connection, statement, there) == await refusal(connection, statement, nobody)


async def test_the_same_name_is_free_in_every_tenant(server: Server, ground: Ground) -> None:
    with psycopg.connect(ground.mine.admin_dsn) as admin:
        row = admin.execute(
            "SELECT external_id FROM app.worker WHERE tenant_id = %s AND external_id IS NOT NULL"
            " ORDER BY external_id DESC LIMIT 1",
            (ground.facts["victim"],),
        ).fetchone()
    assert row is not None
    async with inside(server, ground.facts["mine"]) as (connection, _):
        answer = await connection.execute(
            "UPDATE app.worker SET external_id = $1 WHERE id = (SELECT id FROM app.worker ORDER BY id LIMIT 1)", row[0]
        )
    assert answer == "UPDATE 1"


# --------------------------------------------------------------------------------------------------- walls, alone


def foreign_rows(db: Connection, mine: UUID) -> list[str]:
    """Wall 3 alone: tables that show rows of another tenant to a query that names no tenant."""
    found = []
    with db.transaction(force_rollback=True):
        db.execute("SET LOCAL ROLE bo_app")
        db.execute(sql.SQL("SET LOCAL app.tenant_id = {}").format(sql.Literal(str(mine))))
        tables = db.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' ORDER BY 1"
        ).fetchall()
        for (table,) in tables:
            seen = db.execute(sql.SQL("SELECT DISTINCT tenant_id FROM {}").format(sql.Identifier("app", table)))
            found += [table for (tenant,) in seen.fetchall() if tenant != mine]
    return found


def test_row_security_alone(ground: Ground) -> None:
    with psycopg.connect(ground.mine.admin_dsn) as admin:
        assert foreign_rows(admin, ground.facts["mine"]) == []


@pytest.mark.parametrize(
    "planted",
    [
        "CREATE POLICY planted ON app.worker FOR SELECT TO bo_app USING (true)",
        "ALTER POLICY tenant_isolation ON app.worker USING (true)",
        "ALTER TABLE app.worker DISABLE ROW LEVEL SECURITY",
    ],
)
def test_a_planted_policy_is_seen(ground: Ground, planted: str) -> None:
    with psycopg.connect(ground.mine.admin_dsn) as admin:
        admin.execute(planted.encode())
        assert set(foreign_rows(admin, ground.facts["mine"])) == {"worker"}
        admin.rollback()


@pytest.fixture(scope="module")
def unwalled(server: Server, world: World, loop: asyncio.AbstractEventLoop) -> Iterator[World]:
    """The application signed in as a role that may what bo_app may and bypasses every policy; in this test's server
    alone, and gone afterwards."""
    with psycopg.connect(server.postgres.admin_dsn("backoffice"), autocommit=True) as admin:
        admin.execute("CREATE ROLE bo_bypass LOGIN BYPASSRLS PASSWORD 'bypass'")
        admin.execute("GRANT bo_app TO bo_bypass")
        admin.execute("GRANT CONNECT ON DATABASE backoffice TO bo_bypass")
        dsn = server.settings.dsn("bo_app")
        host = dsn.rsplit("@", 1)[1]
        database = Database(f"postgresql://bo_bypass:bypass@{host}", size=12)
        database.ciphers = world.runtime.ciphers
        loop.run_until_complete(database.open())
        try:
            yield World(replace(world.runtime, db=database), world.control)
        finally:
            loop.run_until_complete(database.close())
            admin.execute("DROP OWNED BY bo_bypass")
            admin.execute("DROP ROLE bo_bypass")


@pytest.mark.parametrize("name", sorted(operations(api.HANDLERS)))
async def test_the_query_s_own_tenant_alone(strangers: Strangers, unwalled: World, name: str) -> None:
    """Wall 2 alone: with every policy bypassed, every operation still keeps tenants apart, by what its queries say."""
    owner = strangers.owner
    app = await owner.once("unwalled", lambda: _application(unwalled))
    ask = await RECIPES[name](owner)
    if ask.keyless:
        return
    before = snapshot(owner.admin_dsn, owner.tenant.facts.id)
    stranger = Maker(owner.world, strangers.other_firm.tenant, app, owner.admin_dsn)
    for person, key in strangers.other_firm.keys.items():
        stranger.people[person] = owner.world.client(key, app=app)
    assert await identity.foreign_is_absent(owner, stranger, ask) == []
    assert changed(before, snapshot(owner.admin_dsn, owner.tenant.facts.id)) == []
    await stranger.close()


async def _application(world: World) -> Any:
    return application(world)


def test_the_bypass_is_one(ground: Ground, unwalled: World) -> None:
    """The role of the test above sees every tenant's rows: nothing but the queries stood between."""
    with psycopg.connect(ground.mine.admin_dsn) as admin:
        admin.execute("SET LOCAL ROLE bo_bypass")
        admin.execute(sql.SQL("SET LOCAL app.tenant_id = {}").format(sql.Literal(str(ground.facts["mine"]))))
        row = admin.execute("SELECT count(DISTINCT tenant_id) FROM app.worker").fetchone()
    assert row is not None
    assert row[0] > 1


def test_composite_keys_alone(ground: Ground) -> None:
    """Wall 4 alone: with policies off, a row of one tenant cannot refer to another tenant's row, whatever the key."""
    mine, victim = ground.facts["mine"], ground.facts["victim"]
    tried = 0
    with psycopg.connect(ground.mine.admin_dsn) as admin:
        keys = admin.execute(
            """SELECT c.relname, a.attname, r.relname FROM pg_constraint f
                 JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class r ON r.oid = f.confrelid
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.conkey[2]
                WHERE f.contype = 'f' AND c.relnamespace = 'app'::regnamespace ORDER BY 1, 2"""
        ).fetchall()
        for table, column, other in keys:
            foreign = admin.execute(
                sql.SQL("SELECT id FROM {} WHERE tenant_id = %s LIMIT 1").format(sql.Identifier("app", other)),
                (victim,),
            ).fetchone()
            own = admin.execute(
                sql.SQL("SELECT ctid FROM {} WHERE tenant_id = %s AND {} IS NOT NULL LIMIT 1").format(
                    sql.Identifier("app", table), sql.Identifier(column)
                ),
                (mine,),
            ).fetchone()
            if foreign is None or own is None:
                continue
            refer = sql.SQL("UPDATE {} SET {} = %s WHERE ctid = %s AND tenant_id = %s").format(
                sql.Identifier("app", table), sql.Identifier(column)
            )
            admin.execute("SAVEPOINT s; SET CONSTRAINTS ALL IMMEDIATE")
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                admin.execute(refer, (foreign[0], own[0], mine))
            admin.execute("ROLLBACK TO SAVEPOINT s")
            tried += 1
        admin.rollback()
    assert tried >= 15, f"{tried} of {len(keys)} keys had rows to try"
