"""The declared tables are the database's: same columns, keys, indexes, walls and grants, and the migration's file is
what `backoffice db draft` writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.world import Server

from backoffice import migrations, models
from backoffice.platform.migrate import draft

VERSIONS = Path(migrations.__path__[0]) / "versions"
Facts = dict[str, list[tuple[Any, ...]]]
Connection = psycopg.Connection[tuple[Any, ...]]

FACTS = {
    "columns": """SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                         pg_get_expr(d.adbin, d.adrelid)
                    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
                   WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind = 'r'""",
    "constraints": """SELECT c.relname, k.conname, k.contype::text, pg_get_constraintdef(k.oid), k.convalidated
                        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
                       WHERE c.relnamespace = %(schema)s::regnamespace AND k.contype <> 't'""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = %(schema)s",
    "policies": """SELECT tablename, policyname, permissive, cmd, roles::text, qual, with_check FROM pg_policies
                    WHERE schemaname = %(schema)s""",
    "walls": """SELECT relname, relrowsecurity, relforcerowsecurity, relowner::regrole::text FROM pg_class
                 WHERE relnamespace = %(schema)s::regnamespace AND relkind = 'r'""",
    "grants": """SELECT c.relname, NULL, a.grantee::regrole::text, a.privilege_type
                   FROM pg_class c, aclexplode(c.relacl) a
                  WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind = 'r'
                 UNION ALL
                 SELECT c.relname, t.attname, a.grantee::regrole::text, a.privilege_type
                   FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
                  WHERE c.relnamespace = %(schema)s::regnamespace""",
}


def facts(db: Connection, schema: str) -> Facts:
    """Everything that a table's declaration says, as the database has it."""
    return {
        what: sorted(
            (
                tuple(each.replace(f"{schema}.", "app.") if isinstance(each, str) else each for each in row)
                for row in db.execute(query.encode(), {"schema": schema})
            ),
            key=repr,
        )
        for what, query in FACTS.items()
    }


@pytest.fixture
def owner(server: Server) -> Iterator[Connection]:
    with psycopg.connect(server.settings.dsn("bo_migrate")) as connection:
        yield connection
        connection.rollback()


def _declared(db: Connection, extra: str = "") -> tuple[Facts, Facts]:
    """(the migrated tables, the declared ones), the latter made beside them in a transaction to be rolled back."""
    models.load()
    there = facts(db, "app")
    db.execute("ALTER SCHEMA app RENAME TO app_there")
    db.execute("CREATE SCHEMA app")
    db.execute(
        "CREATE FUNCTION app.current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE"
        " AS $$ SELECT current_setting('app.tenant_id')::uuid $$"
    )
    db.execute(draft(None).encode())
    db.execute(extra.encode())
    return there, facts(db, "app")


def differences(there: Facts, declared: Facts) -> list[str]:
    found = []
    for what in FACTS:
        found += [f"{what}: only in the database: {row}" for row in there[what] if row not in declared[what]]
        found += [f"{what}: only declared: {row}" for row in declared[what] if row not in there[what]]
    return found


def test_declared_and_there_are_the_same(owner: Connection) -> None:
    there, declared = _declared(owner)
    assert len(declared["walls"]) > 10
    assert differences(there, declared) == []


@pytest.mark.parametrize(
    "planted",
    [
        "ALTER TABLE app.person ADD COLUMN nickname text",
        "ALTER TABLE app.person ALTER COLUMN email DROP NOT NULL",
        "ALTER TABLE app.person ALTER COLUMN active SET DEFAULT false",
        "ALTER TABLE app.person DROP CONSTRAINT person_tenant_id_email_key",
        "ALTER TABLE app.job DROP CONSTRAINT job_band_check",
        "DROP INDEX app.event_type_idx",
        "ALTER TABLE app.person NO FORCE ROW LEVEL SECURITY",
        "GRANT UPDATE ON app.audit_event TO bo_app",
        "GRANT SELECT (payload) ON app.job TO bo_dispatch",
        "ALTER POLICY tenant_isolation ON app.person TO bo_app",
        "CREATE TABLE app.forgotten (tenant_id uuid)",
    ],
)
def test_a_difference_is_seen(owner: Connection, planted: str) -> None:
    assert differences(*_declared(owner, planted)) != []


def test_the_migration_is_what_draft_writes() -> None:
    models.load()
    assert (VERSIONS / "0001_tables.sql").read_text(encoding="utf-8").strip() == draft(None).strip()


def test_a_database_that_has_all_tables_lacks_none(server: Server) -> None:
    models.load()
    assert draft(server.settings.dsn("bo_migrate")).strip() == ""
