"""Any SQL as bo_app, inside one tenant's transaction: no row of another tenant is seen, none is written
(tenancy and security §11)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import psycopg
import pytest
from tests.contract import hostile
from tests.contract.ground import Ground, inside, outcome

ATTEMPTS = [(group, name, text) for group, attempts in hostile.GROUPS.items() for name, text in attempts.items()]


def test_there_are_enough_attempts_each_with_a_name_of_its_own() -> None:
    names = [name for _, name, _ in ATTEMPTS] + sorted(hostile.CONTEXT)
    assert len(set(names)) == len(names) >= 180
    assert set(hostile.REFUSED_OTHERWISE) <= set(names)


@pytest.mark.parametrize(
    ("group", "name", "statements"), ATTEMPTS, ids=[f"{group}: {name}" for group, name, _ in ATTEMPTS]
)
async def test_attempt(ground: Ground, group: str, name: str, statements: str) -> None:
    made = await outcome(ground, statements)
    assert made.found == [], (group, name)
    assert hostile.as_it_should(name, made.refused), made.told[-1]


@pytest.mark.xfail(strict=True, reason="open until the context is sealed: whoever runs any SQL may say who they are")
@pytest.mark.parametrize("name", sorted(hostile.CONTEXT))
async def test_context_switch(ground: Ground, name: str) -> None:
    try:
        assert (await outcome(ground, hostile.CONTEXT[name])).found == []
    finally:  # what came of it is no finding of the attempts after it
        await ground.look()


async def test_what_is_done_to_a_key_would_be_seen(ground: Ground) -> None:
    """Who knows the HMAC of another tenant's key can note its use, so the look at `ctl` has eyes."""
    used = f"SELECT ctl.key_used(ARRAY['\\x{ground.secret.hex()}'::bytea])"
    assert (await outcome(ground, used)).found == ["what is the victim's was changed"]


_ACCOUNT = (
    "INSERT INTO app.ledger_account (tenant_id, code, name, kind, currency, normal_side, created_at, updated_at)"
    " VALUES ('{0}', 'planted', 'Planted', 'asset', 'USD', 'debit', now(), now())"
)


async def test_a_live_tenant_is_not_reset_by_any_sql(ground: Ground) -> None:
    """Also by who says that he is in it: the function looks what kind of tenant it is, and so does the policy."""
    with psycopg.connect(ground.mine.admin_dsn) as admin:
        row = admin.execute(
            "SELECT l.id FROM ctl.tenant l JOIN ctl.tenant t USING (firm_id) WHERE t.id = %s AND l.mode = 'live'",
            (ground.facts["mine"],),
        ).fetchone()
        assert row is not None
        live = row[0]
        admin.execute(f"SET LOCAL app.tenant_id = '{live}'".encode())
        admin.execute(_ACCOUNT.format(live).encode())
        admin.execute("SET LOCAL ROLE bo_reset")  # the policy alone, without the function
        assert admin.execute("DELETE FROM app.ledger_account").rowcount == 0
        assert admin.execute(f"DELETE FROM app.ledger_account WHERE tenant_id = '{live}'".encode()).rowcount == 0
        admin.execute(f"SET LOCAL app.tenant_id = '{ground.facts['mine']}'".encode())
        assert admin.execute("DELETE FROM app.ledger_entry").rowcount > 0  # it has eyes
        admin.rollback()
    for switch in (f"SET LOCAL app.tenant_id = '{live}'", f"SELECT set_config('app.tenant_id', '{live}', true)"):
        async with inside(ground.dsn, ground.facts["mine"]) as (connection, _):
            await connection.execute(switch)
            await connection.execute(_ACCOUNT.format(live))
            assert (await refusal(connection, "SELECT ctl.wipe('ledger_account')"))[0] == "42501"
            assert (await refusal(connection, "SELECT ctl.wipe('audit_event')"))[0] == "42501"
            assert await connection.fetchval("SELECT ctl.test_tenant()") is None
            assert await connection.fetchval("SELECT count(*) FROM app.ledger_account WHERE code = 'planted'") == 1


async def test_every_table_shows_its_own_tenant_s_rows_alone(ground: Ground) -> None:
    """Every table, found in the catalogue: read whole, copied out, counted."""
    async with inside(ground.dsn, ground.facts["mine"]) as (connection, _):
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


async def test_keys_tell_no_foreign_row_from_none(ground: Ground) -> None:
    """Foreign keys, uniques and upserts answer alike for what another tenant has and for what nobody has."""
    nobody = UUID("00000000-0000-7000-8000-000000000001")
    there = ground.facts["worker"]
    async with inside(ground.dsn, ground.facts["mine"]) as (connection, _):
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


async def test_the_same_name_is_free_in_every_tenant(ground: Ground) -> None:
    with psycopg.connect(ground.mine.admin_dsn) as admin:
        row = admin.execute(
            "SELECT external_id FROM app.worker WHERE tenant_id = %s AND external_id IS NOT NULL"
            " ORDER BY external_id DESC LIMIT 1",
            (ground.facts["victim"],),
        ).fetchone()
    assert row is not None
    async with inside(ground.dsn, ground.facts["mine"]) as (connection, _):
        answer = await connection.execute(
            "UPDATE app.worker SET external_id = $1 WHERE id = (SELECT id FROM app.worker ORDER BY id LIMIT 1)", row[0]
        )
    assert answer == "UPDATE 1"
