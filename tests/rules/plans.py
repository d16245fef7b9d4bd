"""Does row-level security cost a statement its index? Plans of what the application sends, under `bo_app` and under a
role that bypasses the policies, on tables that are full enough for an index to matter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from tests.world import Server

from backoffice.platform.migrate import migrate
from backoffice.platform.postgres import copy_database, drop_database

DATABASE = "backoffice_plans"
ROWS, TENANTS = 1_000, 20
Connection = psycopg.Connection[tuple[Any, ...]]
_COLUMN = re.compile(r"\(([a-z_0-9]+) (?:=|<|>|<=|>=|IS)")
_VALUES = {
    "uuid": "md5('{column}' || i)::uuid",
    "text": "md5('{column}' || i)",
    "smallint": "i %% 100",
    "integer": "i",
    "bigint": "i",
    "numeric": "i",
    "boolean": "i %% 2 = 0",
    "date": "date '2026-01-01' + i %% 365",
    "timestamp with time zone": "timestamptz '2026-01-01Z' + i * interval '1 minute'",
    "bytea": "sha256(('{column}' || i)::bytea)",
    "jsonb": "'{{}}'::jsonb",
}


@contextmanager
def full_database(server: Server) -> Iterator[Connection]:
    """A superuser's connection to a migrated database in which every tenant table has ROWS rows of TENANTS tenants,
    and in which a role `bo_bypass` may do what bo_app may, without policies; both are gone afterwards.

    What the rows say does not matter, so constraints are taken off first; indexes and policies stay."""
    copy_database(server.postgres, "template0", DATABASE)
    try:
        url = urlsplit(server.settings.database_url)._replace(path=f"/{DATABASE}").geturl()
        migrate(replace(server.settings, database_url=url).dsn("bo_migrate"))
        with psycopg.connect(server.postgres.admin_dsn(DATABASE), autocommit=True) as admin:
            admin.execute("SET session_replication_role = replica")
            tables = [name for (name,) in admin.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' ORDER BY 1"
            )]  # fmt: skip
            for table in tables:
                _fill(admin, table)
            admin.execute("ANALYZE")
            admin.execute("BEGIN")  # the role is never committed: no other test sees it
            admin.execute("CREATE ROLE bo_bypass BYPASSRLS")
            admin.execute("GRANT USAGE ON SCHEMA app, ref, ctl TO bo_bypass")
            admin.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO bo_bypass")
            admin.execute("GRANT EXECUTE ON FUNCTION app.current_tenant TO bo_bypass")
            admin.execute("SET LOCAL enable_seqscan = off")  # small tables are read whole otherwise
            admin.execute("SET LOCAL app.tenant_id = 'd2719b1c-6f6f-7000-8000-000000000000'")
            yield admin
            admin.execute("ROLLBACK")
    finally:
        drop_database(server.postgres, DATABASE)


def _fill(admin: Connection, table: str) -> None:
    for (constraint,) in admin.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('c', 'f')", (f"app.{table}",)
    ).fetchall():
        admin.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {} CASCADE").format(
                sql.Identifier("app", table), sql.Identifier(constraint)
            )
        )
    columns = admin.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (f"app.{table}",),
    ).fetchall()
    values = [
        f"md5('tenant' || i %% {TENANTS})::uuid" if name == "tenant_id" else _VALUES[kind].format(column=name)
        for name, kind in columns
    ]
    statement = (
        f"INSERT INTO app.{table} SELECT {', '.join(values)} FROM generate_series(1, %s) i ON CONFLICT DO NOTHING"
    )
    admin.execute(statement.encode(), (ROWS,))


def indexes(plan: Any) -> list[str]:
    """The indexes a plan uses, each with the columns it looks up in it, and the tables it reads whole."""
    found = []
    if "Index Name" in plan:
        columns = sorted(set(_COLUMN.findall(plan.get("Index Cond", ""))))
        found.append(f"{plan['Index Name']}({', '.join(columns)})")
    elif plan.get("Node Type") == "Seq Scan":
        found.append(f"the whole of {plan['Relation Name']}")
    for child in plan.get("Plans", ()):
        found += indexes(child)
    return sorted(found)


def plan(admin: Connection, statement: str, role: str) -> list[str]:
    """The indexes that `role` would use for a statement with parameters."""
    admin.execute(f"SET LOCAL ROLE {role}".encode())
    try:
        explained = psycopg.ClientCursor(admin)
        explained.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {statement}".replace("%", "%%").encode())
        row = explained.fetchone()
        assert row is not None
        told = row[0] if isinstance(row[0], list) else json.loads(row[0])
        return indexes(told[0]["Plan"])
    finally:
        admin.execute("RESET ROLE")


def differences(admin: Connection, statements: Iterable[str]) -> list[str]:
    """Statements for which bo_app uses other indexes than a role without policies."""
    found = []
    for statement in statements:
        walled, free = (plan(admin, statement, role) for role in ("bo_app", "bo_bypass"))
        if walled != free:
            found.append(f"bo_app uses {walled}, without policies it would be {free}: {statement}")
    return found
