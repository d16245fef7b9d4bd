"""How the checks ask: connection, rows, the lists of what is let through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

HERE = Path(__file__).parent.parent
SCHEMAS = ("app", "ref", "ctl", "seal", "migrations", "public")
OWN = ("app", "ref", "ctl", "seal")


def allowed(name: str, columns: int) -> list[tuple[str, ...]]:
    """The lines of `allow_<name>.txt`: `columns` words, then the reason, which may not be missing."""
    found = []
    for line in (HERE / f"allow_{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            row = tuple(line.split(maxsplit=columns))
            assert len(row) == columns + 1, f"allow_{name}.txt: a reason is missing: {line}"
            found.append(row)
    return found


def rows(db: Connection, query: str, **params: Any) -> list[tuple[Any, ...]]:
    return db.execute(query.encode(), {"schemas": list(SCHEMAS), "own": list(OWN), **params}).fetchall()


def tenant_tables(db: Connection) -> list[str]:
    return [
        name
        for (name,) in rows(
            db,
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'p')"
            " ORDER BY 1",
        )
    ]


def who(role: str) -> str:
    return f"CASE WHEN {role} = 0 THEN 'PUBLIC' ELSE pg_get_userbyid({role}) END"
