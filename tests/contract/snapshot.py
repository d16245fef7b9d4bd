"""What a tenant has, as one number a table: two snapshots are equal when no row was added, changed or removed."""

from __future__ import annotations

from uuid import UUID

import psycopg
from psycopg import sql

Snapshot = dict[str, str]


def snapshot(admin_dsn: str, tenant: UUID, *, ignoring: frozenset[str] = frozenset()) -> Snapshot:
    """Of every table of `app`, found in the catalogue, as the superuser sees it."""
    with psycopg.connect(admin_dsn) as admin:
        tables = [
            name
            for (name,) in admin.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' ORDER BY 1"
            )
            if name not in ignoring
        ]
        one = sql.SQL("SELECT {}, count(*) || ':' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '')"
                      " FROM {} t WHERE t.tenant_id = {}")  # fmt: skip
        whole = sql.SQL(" UNION ALL ").join(
            one.format(sql.Literal(name), sql.Identifier("app", name), sql.Literal(tenant)) for name in tables
        )
        return dict(admin.execute(whole))


def changed(before: Snapshot, after: Snapshot) -> list[str]:
    """The tables that differ."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
