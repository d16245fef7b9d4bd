"""Statements: SQLAlchemy Core, compiled once per shape, with the arguments asyncpg takes. Runs nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import ClauseElement, Executable, Table, bindparam, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.util import LRUCache

from backoffice.platform.crypto import Sealed
from backoffice.platform.tables import TENANT

_DIALECT = asyncpg_dialect.dialect()  # type: ignore[no-untyped-call]
_compiled: LRUCache[Any, Any] = LRUCache(2_000)


class Prepared:
    """A statement of a hot read: compiled once, at its first use. To build a statement anew and find its compiled form
    by its shape takes 200 µs for a wide table; this takes two."""

    __slots__ = ("_constants", "_names", "_sql", "_statement")

    def __init__(self, statement: Executable) -> None:
        self._statement: Any = statement
        self._sql: str | None = None

    def bound(self, params: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """SQL and positional arguments."""
        if self._sql is None:
            compiled = self._statement.compile(dialect=_DIALECT)
            self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
            self._constants: dict[str, Any] = compiled.construct_params(_check=False)
            self._sql = compiled.string
        given = {**self._constants, **params}
        return self._sql, [_stored(given[name]) for name in self._names]


@cache
def by_id(table: Table) -> Prepared:
    """The read of one row by its id: `await tx.row(by_id(table), id=…)`."""
    given = bindparam("id", type_=table.c.id.type)
    return Prepared(select(*table.c).where(table.c.tenant_id == TENANT, table.c.id == given))


def one_row(table: Table, row: Mapping[str, Any], *, once: bool) -> tuple[Executable | Prepared, dict[str, Any]]:
    """The INSERT of a row, which returns it as stored, and its parameters. `once`: or nothing, when a unique key
    refuses it. Compiled once for each set of columns, unless the database is to figure one of the values."""
    if any(isinstance(value, ClauseElement) for value in row.values()):
        return _insert(table, row, once=once), {}
    return _insert_of(table, tuple(row), once=once), {f"new_{name}": value for name, value in row.items()}


@cache
def _insert_of(table: Table, names: tuple[str, ...], *, once: bool) -> Prepared:
    values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    return Prepared(_insert(table, values, once=once))


def _insert(table: Table, values: Mapping[str, Any], *, once: bool) -> Executable:
    inserted = insert(table).values(values)
    return (inserted.on_conflict_do_nothing() if once else inserted).returning(*table.c)


def compile_statement(statement: Executable | Prepared, params: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """SQL and positional arguments. The compiled form is kept by the statement's shape, as SQLAlchemy's own execution
    keeps it; none of its result or bind processing runs, asyncpg's types are ours."""
    if isinstance(statement, Prepared):
        return statement.bound(params)
    kept: Any = statement  # Executable does not say that it can be compiled
    compiled, extracted, _, _ = kept._compile_w_cache(_DIALECT, compiled_cache=_compiled, column_keys=[])
    bound = compiled.construct_params(dict(params), extracted_parameters=extracted, _check=False)
    return compiled.string, [_stored(bound[name]) for name in compiled.positiontup or ()]


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _stored(value: Any) -> Any:
    return value.token if isinstance(value, Sealed) else value


def unnest(stamped: Sequence[Mapping[str, Any]], table: Table) -> tuple[str, list[Any]]:
    """INSERT of many rows of one shape, whose columns travel as arrays: the same statement for 2 rows and 100,000.
    Every row has its tenant_id, and all have the same."""
    names = [name for name in stamped[0] if name != "tenant_id"]
    # JSON travels as text: the driver would take a list of JSON arrays for an array of more dimensions.
    as_text = {name for name in names if isinstance(table.c[name].type, JSONB)}
    types = ["text" if n in as_text else table.c[n].type.compile(dialect=_DIALECT) for n in names]
    arrays = ", ".join(f"${place}::{type_}[]" for place, type_ in enumerate(types, start=2))
    listed = ", ".join(f'"{name}"' for name in names)
    chosen = ", ".join(f'rows."{name}"::jsonb' if name in as_text else f'rows."{name}"' for name in names)
    sql = (
        f"INSERT INTO app.{table.name} (tenant_id, {listed}) "  # noqa: S608 - names of our own tables
        f"SELECT $1::uuid, {chosen} FROM unnest({arrays}) AS rows({listed})"
    )
    columns = ([_json(row[n]) if n in as_text else _stored(row[n]) for row in stamped] for n in names)
    return sql, [stamped[0]["tenant_id"], *columns]
