"""`tenant_table`: the only way a table of the schema `app` comes into being, and the DDL that walls it off.

A table is declared once, here in Python; `ddl(table)` writes the exact SQL (keys that carry the tenant, forced
row-level security, the one policy, grants), which a migration freezes as a file. `tests/rules/test_catalogue.py`
asks the database whether it is so, and whether models and database agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.schema import CreateIndex, CreateTable

METADATA = MetaData(
    schema="app",
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    },
)
TENANT = bindparam("tenant", type_=UUID(as_uuid=True))
"""The tenant of the transaction; the executor fills it in. Every query names it (wall 2)."""

Instant = DateTime(timezone=True)
Id = UUID(as_uuid=True)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What `bo_dispatch` may do with a table: it sees routing columns of all tenants and never a payload."""

    select: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    insert: tuple[str, ...] = ()


def one_of(name: str, values: Iterable[str], *, default: str | None = None, nullable: bool = False) -> Column[str]:
    """A text column held to a list of words by a CHECK (an enum's operators are not leakproof)."""
    listed = ", ".join(f"'{value}'" for value in values)
    return Column(
        name,
        Text,
        CheckConstraint(f"{name} IN ({listed})", name=name),
        nullable=nullable,
        server_default=None if default is None else text(f"'{default}'"),
    )


def tenant_table(
    name: str,
    *columns: Column[Any] | CheckConstraint,
    noun: bool = True,
    key: Sequence[str] = ("id",),
    unique: Sequence[Sequence[str]] = (),
    refs: Sequence[tuple[str, str]] = (),
    indexes: Sequence[Sequence[str] | Index] = (),
    append_only: bool = False,
    outlives_reset: bool = False,
    dispatch: Dispatch | None = None,
    sealer: Sequence[str] = (),
) -> Table:
    """Declare `app.<name>`.

    - `noun`: an object clients see; adds external_id, metadata, version, created_at, updated_at.
    - `key`: the primary key after tenant_id; a key of ("id",) adds the column.
    - `unique`, `indexes`: column lists, without tenant_id, which is put first (an `Index` of its own must start
      with tenant_id itself).
    - `refs`: (column, table); composite foreign keys, each with its index.
    - `append_only`: `bo_app` may SELECT and INSERT only.
    - `outlives_reset`: its rows stay when a test tenant is reset (`platform/wiping.py`); all others go.
    - `dispatch`: the columns of `bo_dispatch`; `sealer`: privileges of `bo_sealer` on the whole table.
    """
    head: list[Column[Any]] = [Column("tenant_id", Id, nullable=False)]
    if tuple(key) == ("id",):
        head.append(Column("id", Id, nullable=False, server_default=text("uuidv7()")))
    tail: list[Column[Any]] = []
    uniques = [tuple(columns_) for columns_ in unique]
    if noun:
        tail = [
            Column("external_id", Text, CheckConstraint("length(external_id) <= 128", name="external_id")),
            Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
            Column("version", BigInteger, nullable=False, server_default=text("1")),
            Column("created_at", Instant, nullable=False),
            Column("updated_at", Instant, nullable=False),
        ]
        uniques.append(("external_id",))
    table = Table(
        name,
        METADATA,
        *head,
        *columns,
        *tail,
        PrimaryKeyConstraint("tenant_id", *key),
        *(UniqueConstraint("tenant_id", *columns_) for columns_ in uniques),
        *(
            ForeignKeyConstraint(["tenant_id", column], [f"app.{other}.tenant_id", f"app.{other}.id"])
            for column, other in refs
        ),
        info={
            "append_only": append_only,
            "outlives_reset": outlives_reset,
            "dispatch": dispatch,
            "sealer": tuple(sealer),
        },
    )
    covered = [("tenant_id", *columns_) for columns_ in uniques] + [("tenant_id", *key)]
    covered += [("tenant_id", *columns_) for columns_ in indexes if not isinstance(columns_, Index)]
    for column, _ in refs:
        if not any(index[:2] == ("tenant_id", column) for index in covered):
            named = text(f"{column} IS NOT NULL") if table.c[column].nullable else None
            Index(None, table.c.tenant_id, table.c[column], postgresql_where=named)
    for index in indexes:
        if isinstance(index, Index):
            table.append_constraint(index)
        else:
            Index(None, table.c.tenant_id, *(table.c[column] for column in index))
    return table


def ddl(table: Table) -> list[str]:
    """The statements that create the table and its walls, in order."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    name = f"app.{table.name}"
    info = table.info
    rights = "SELECT, INSERT" if info["append_only"] else "SELECT, INSERT, UPDATE, DELETE"
    current = "tenant_id = app.current_tenant()"
    policy = f"CREATE POLICY tenant_isolation ON {name} FOR ALL TO bo_app, bo_export"
    statements = [str(CreateTable(table).compile(dialect=dialect)).strip()]
    statements += [
        str(CreateIndex(index).compile(dialect=dialect))
        for index in sorted(table.indexes, key=lambda index: str(index.name))
    ]
    statements += [
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
        policy + f" USING ({current}) WITH CHECK ({current})",
        f"GRANT {rights} ON {name} TO bo_app",
        f"GRANT SELECT ON {name} TO bo_export",
    ]
    if info["append_only"] and not info["outlives_reset"]:  # what bo_app may not delete, a reset empties as bo_reset
        test = "tenant_id = ctl.test_tenant()"
        statements += [
            f"CREATE POLICY reset ON {name} FOR ALL TO bo_reset USING ({test}) WITH CHECK (false)",
            f"GRANT SELECT (tenant_id), DELETE ON {name} TO bo_reset",
        ]
    dispatch: Dispatch | None = info["dispatch"]
    if dispatch is not None:
        statements.append(f"CREATE POLICY dispatch ON {name} FOR ALL TO bo_dispatch USING (true) WITH CHECK (true)")
        statements += [
            f"GRANT {right} ({', '.join(columns)}) ON {name} TO bo_dispatch"
            for right, columns in (
                ("SELECT", dispatch.select),
                ("UPDATE", dispatch.update),
                ("INSERT", dispatch.insert),
            )
            if columns
        ]
    if info["sealer"]:
        statements.append(f"CREATE POLICY sealer ON {name} FOR ALL TO bo_sealer USING (true) WITH CHECK (true)")
        statements.append(f"GRANT {', '.join(info['sealer'])} ON {name} TO bo_sealer")
    return statements
