"""Each wall alone, with the others off: row-level security, the tenant in every query, the composite keys (tenancy and
security §1)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from litestar.params import FromPath
from psycopg import sql
from tests.contract import hostile, identity
from tests.contract.fixtures import Strangers
from tests.contract.ground import Ground, outcome
from tests.contract.maker import Ask, Maker
from tests.contract.recipes import KEYLESS, RECIPES, operations
from tests.contract.snapshot import changed, snapshot
from tests.rules.statements import ON_PURPOSE
from tests.world import Server, World

from backoffice import api
from backoffice.kernel.errors import NotFound
from backoffice.platform.db import Database
from backoffice.platform.web.bodies import find_id
from backoffice.platform.web.routes import InTx, get, post
from backoffice.staffing import models

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def bypass(server: Server) -> Iterator[str]:
    """The address of a role that may what bo_app may and bypasses every policy; in this test's server alone, and gone
    afterwards."""
    with psycopg.connect(server.postgres.admin_dsn("backoffice"), autocommit=True) as admin:
        admin.execute("CREATE ROLE bo_bypass LOGIN BYPASSRLS PASSWORD 'bypass'")
        admin.execute("GRANT bo_app TO bo_bypass")
        admin.execute("GRANT CONNECT ON DATABASE backoffice TO bo_bypass")
        try:
            yield "postgresql://bo_bypass:bypass@" + server.settings.dsn("bo_app").rsplit("@", 1)[1]
        finally:
            admin.execute("DROP OWNED BY bo_bypass")
            admin.execute("DROP ROLE bo_bypass")


# ------------------------------------------------------------------------------------------- 3 row-level security


def foreign_rows(db: Connection, mine: UUID, role: str = "bo_app") -> list[str]:
    """Tables that show rows of another tenant to a query that names no tenant."""
    found = []
    with db.transaction(force_rollback=True):
        db.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        db.execute(sql.SQL("SET LOCAL app.tenant_id = {}").format(sql.Literal(str(mine))))
        tables = db.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' ORDER BY 1"
        ).fetchall()
        for (table,) in tables:
            seen = db.execute(sql.SQL("SELECT DISTINCT tenant_id FROM {}").format(sql.Identifier("app", table)))
            found += [table for (tenant,) in seen.fetchall() if tenant != mine]
    return found


def test_row_security_alone(ground: Ground, bypass: str) -> None:
    with psycopg.connect(ground.mine.admin_dsn) as admin:
        assert foreign_rows(admin, ground.facts["mine"]) == []
        assert len(foreign_rows(admin, ground.facts["mine"], "bo_bypass")) > 25, "there was something to be kept apart"


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


async def test_attempts_are_seen_where_row_security_is_off(ground: Ground, bypass: str) -> None:
    """What the attempts of `test_hostile_sql.py` come to without it, so that each is known to be one."""
    groups = ("reads", "leaky functions", "shadows", "writes")
    attempts = {name: text for group in groups for name, text in hostile.GROUPS[group].items()}
    silent = set()
    for name, text in attempts.items():
        made = await outcome(ground, text, dsn=bypass)
        if not made.found and hostile.as_it_should(name, made.refused):
            silent.add(name)
    assert silent == hostile.SILENT_WITHOUT_ROW_SECURITY


# ------------------------------------------------------------------------------------------ 2 the query's own tenant


@pytest.fixture(scope="module")
def unwalled(bypass: str, world: World, loop: asyncio.AbstractEventLoop) -> Iterator[Any]:
    """The application signed in as the role that bypasses every policy, with what is in `api.HANDLERS` when asked."""
    database = Database(bypass, size=12)
    database.ciphers = world.runtime.ciphers
    loop.run_until_complete(database.open())
    try:
        yield World(replace(world.runtime, db=database), world.control)
    finally:
        loop.run_until_complete(database.close())


async def without_policies(strangers: Strangers, app: Any, ask: Ask) -> list[str]:
    """What is wrong with the answers to a stranger of an application for which no policy holds."""
    owner = strangers.owner
    before = snapshot(owner.admin_dsn, owner.tenant.facts.id)
    stranger = Maker(owner.world, strangers.other_firm.tenant, app, owner.admin_dsn)
    for person, key in strangers.other_firm.keys.items():
        stranger.people[person] = owner.world.client(key, app=app)
    wrong = await identity.foreign_is_absent(owner, stranger, ask)
    await stranger.close()
    touched = changed(before, snapshot(owner.admin_dsn, owner.tenant.facts.id))
    return wrong + [f"wrote to {table}" for table in touched]


@pytest.mark.parametrize("name", sorted(set(operations(api.HANDLERS)) - KEYLESS))
async def test_the_query_s_own_tenant_alone(strangers: Strangers, unwalled: World, name: str) -> None:
    """With every policy bypassed, every operation still keeps tenants apart, by what its queries say."""
    app = await strangers.owner.once("unwalled", lambda: _application(unwalled))
    assert await without_policies(strangers, app, await RECIPES[name](strangers.owner)) == []


async def _application(world: World) -> Any:
    return world.application()


READS = f"{ON_PURPOSE} SELECT name FROM app.client WHERE id = $1"
WRITES = f"{ON_PURPOSE} UPDATE app.client SET name = 'Taken' WHERE id = $1 RETURNING name"


@pytest.mark.parametrize(("verb", "statement"), [(get, READS), (post, WRITES)], ids=["read", "write"])
async def test_a_missing_where_is_seen(
    strangers: Strangers, unwalled: World, monkeypatch: pytest.MonkeyPatch, verb: Any, statement: str
) -> None:
    """An operation whose statement names the object and not its tenant: without policies it gives it to anybody."""

    async def forgetful(tx: InTx, client_id: FromPath[str]) -> dict[str, Any]:
        """A client, whosever it is."""
        rows = await tx.connection.fetch(statement, await find_id(tx, models.client, "client", client_id))
        if not rows:
            raise NotFound
        return dict(rows[0])

    scope = "clients:read" if verb is get else "clients:write"
    more = {} if verb is get else {"keyed": "none"}
    monkeypatch.setattr(
        api, "HANDLERS", [*api.HANDLERS, verb("/v1/planted/{client_id:str}", scope=scope, **more)(forgetful)]
    )
    client = await strangers.owner.client()
    ask = Ask("GET" if verb is get else "POST", f"/v1/planted/{client['id']}")
    assert await without_policies(strangers, unwalled.application(), ask) != []
    assert await without_policies(strangers, strangers.owner.world.application(), ask) == [], "wall 3 stands"


# ------------------------------------------------------------------------------------------------ 4 composite keys


def test_composite_keys_alone(ground: Ground) -> None:
    """With policies off, a row of one tenant cannot refer to another tenant's row, whatever the key."""
    mine, victim = ground.facts["mine"], ground.facts["victim"]
    untried = set()
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
                sql.SQL("SELECT ctid FROM {} WHERE tenant_id = %s LIMIT 1").format(sql.Identifier("app", table)),
                (mine,),
            ).fetchone()
            if foreign is None or own is None:
                untried.add(f"{table}.{column}")
                continue
            refer = sql.SQL("UPDATE {} SET {} = %s WHERE ctid = %s AND tenant_id = %s").format(
                sql.Identifier("app", table), sql.Identifier(column)
            )
            admin.execute("SAVEPOINT s; SET CONSTRAINTS ALL IMMEDIATE")
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                admin.execute(refer, (foreign[0], own[0], mine))
            admin.execute("ROLLBACK TO SAVEPOINT s")
        admin.rollback()
    assert untried == set(), f"{len(untried)} of {len(keys)} keys had no rows to try"
