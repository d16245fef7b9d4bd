"""Wall 2: every statement names the tenant of every tenant table it touches. Read from the statement's own syntax.

`recorder` collects what the application's pool sends while the suite runs, with the tenant each transaction was bound
to; `faults(sql)` says which table of a statement is not held to a tenant, and `tenant_parameters(sql)` which of its
parameters are tenants, so that what was sent in them can be compared.
"""

from __future__ import annotations

import functools
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from pglast import ast, enums, parse_sql

from backoffice.platform.connections import Connections

_BOUND_TO = re.compile(r"SET LOCAL app\.tenant_id='([0-9a-f-]{36})'")
_TESTS = str(Path(__file__).parent.parent)
_AND = enums.BoolExprType.AND_EXPR


@dataclass
class Level:
    """One query level: its tenant tables by the name they go by, and what their tenant_id is said to equal."""

    outer: Level | None
    tables: dict[str, str] = field(default_factory=dict)  # alias → table
    others: set[str] = field(default_factory=set)  # subqueries, functions, CTEs
    bound: set[str] = field(default_factory=set)

    def holds(self, alias: str) -> bool:
        if alias in self.tables or alias in self.others:
            return alias in self.bound
        return self.outer is not None and self.outer.holds(alias)


@dataclass
class Reading:
    """What a statement says of tenants."""

    faults: list[str] = field(default_factory=list)
    parameters: set[int] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)


def read(sql: str) -> Reading:
    """Read every statement of `sql`."""
    reading = Reading()
    for raw in parse_sql(sql):
        _statement(raw.stmt, None, reading)
    return reading


def faults(sql: str) -> list[str]:
    """Tenant tables that the statement does not hold to a tenant, and other ways of losing one."""
    return read(sql).faults


def _is(node: Any, *kinds: type[Any]) -> bool:
    return isinstance(node, kinds)


def _statement(node: Any, outer: Level | None, reading: Reading) -> None:
    if _is(node, ast.SelectStmt):
        _select(node, outer, reading)
    elif _is(node, ast.InsertStmt):
        _insert(node, outer, reading)
    elif _is(node, ast.UpdateStmt, ast.DeleteStmt):
        more = node.fromClause if _is(node, ast.UpdateStmt) else node.usingClause
        level = Level(outer)
        _with(node, level, reading)
        conditions = _from([node.relation, *(more or ())], level, reading)
        _bind(level, [*conditions, *_conjuncts(node.whereClause)], reading)
        for target in getattr(node, "targetList", None) or ():
            if target.name == "tenant_id":
                reading.faults.append(f"{node.relation.relname}: sets tenant_id")
        _inside(node, level, reading, skip={"relation", "fromClause", "usingClause", "withClause"})
        _report(level, reading)
    else:  # LOCK, COPY, TRUNCATE, MERGE …: no place to name the tenant
        for relation in _walk(node, ast.RangeVar):
            if relation.schemaname == "app":
                reading.faults.append(f"{relation.relname}: {type(node).__name__} cannot name a tenant")
                reading.tables.add(relation.relname)


def _select(node: Any, outer: Level | None, reading: Reading) -> Level:
    level = Level(outer)
    _with(node, level, reading)
    if node.larg is not None:  # UNION and the like
        for side in (node.larg, node.rarg):
            _select(side, level, reading)
        return level
    conditions = _from(node.fromClause or (), level, reading)
    _bind(level, [*conditions, *_conjuncts(node.whereClause)], reading)
    _inside(node, level, reading, skip={"fromClause", "withClause"})
    _report(level, reading)
    return level


def _insert(node: Any, outer: Level | None, reading: Reading) -> None:
    table = node.relation.relname
    level = Level(outer)
    _with(node, level, reading)
    if node.relation.schemaname == "app":
        reading.tables.add(table)
        columns = [column.name for column in node.cols or ()]
        if "tenant_id" not in columns or node.selectStmt is None:
            reading.faults.append(f"{table}: a row without tenant_id")
        else:
            _inserted(table, columns.index("tenant_id"), node.selectStmt, level, reading)
    elif node.selectStmt is not None:
        _select(node.selectStmt, level, reading)
    conflict = node.onConflictClause
    if conflict is not None:
        for target in conflict.targetList or ():
            if target.name == "tenant_id":
                reading.faults.append(f"{table}: sets tenant_id")
        here = Level(level, tables={table: table, "excluded": table}, bound={table, "excluded"})
        _inside(conflict, here, reading, skip={"infer"})
    here = Level(level, tables={table: table}, bound={table})
    for each in node.returningClause.exprs if node.returningClause is not None else ():
        _inside(each, here, reading, skip=set())


def _inserted(table: str, place: int, source: Any, level: Level, reading: Reading) -> None:
    if source.valuesLists is not None:
        values = [row[place] for row in source.valuesLists]
        _inside(source, level, reading, skip=set())
        inner = level
    else:
        inner = _select(source, level, reading)
        values = [source.targetList[place].val]
    for value in values:
        if not _is_tenant(value, inner, reading):
            reading.faults.append(f"{table}: a row whose tenant_id is not the transaction's")


def _with(node: Any, level: Level, reading: Reading) -> None:
    if node.withClause is not None:
        for cte in node.withClause.ctes:
            _statement(cte.ctequery, level, reading)


def _from(items: Iterable[Any], level: Level, reading: Reading) -> list[tuple[Any, set[str] | None]]:
    """Name what a FROM brings in; its join conditions, each with the names that it can hold (an outer join's
    condition holds only the side that may be missing)."""
    conditions: list[tuple[Any, set[str] | None]] = []
    for item in items:
        if _is(item, ast.RangeVar):
            name = item.alias.aliasname if item.alias is not None else item.relname
            if item.schemaname == "app":
                level.tables[name] = item.relname
                reading.tables.add(item.relname)
            else:
                level.others.add(name)
        elif _is(item, ast.JoinExpr):
            conditions += _from([item.larg], level, reading)
            before = set(level.tables)
            conditions += _from([item.rarg], level, reading)
            inner = item.jointype == enums.JoinType.JOIN_INNER
            right = set(level.tables) - before
            if item.jointype in (enums.JoinType.JOIN_RIGHT, enums.JoinType.JOIN_FULL):
                right = set()
            conditions += [(each, None if inner else right) for each, _ in _conjuncts(item.quals)]
        elif _is(item, ast.RangeSubselect):
            inside = _select(item.subquery, level, reading)
            name = item.alias.aliasname if item.alias is not None else ""
            level.others.add(name)
            if _gives_tenant(item.subquery, inside):
                level.bound.add(name)
        elif _is(item, ast.RangeFunction):
            level.others.add(item.alias.aliasname if item.alias is not None else "")
            _inside(item, level, reading, skip=set())
    return conditions


def _gives_tenant(query: Any, inside: Level) -> bool:
    """Whether a subquery's own column tenant_id is a held one."""
    for target in query.targetList or ():
        value = target.val
        if _is(value, ast.ColumnRef) and value.fields[-1] == ast.String(sval="tenant_id"):
            return inside.holds(_qualifier(value, inside) or "")
    return False


def _conjuncts(node: Any) -> list[tuple[Any, set[str] | None]]:
    if node is None:
        return []
    if _is(node, ast.BoolExpr) and node.boolop == _AND:
        return [each for argument in node.args for each in _conjuncts(argument)]
    return [(node, None)]


def _bind(level: Level, conditions: list[tuple[Any, set[str] | None]], reading: Reading) -> None:
    """Hold names to the tenant until no condition adds another: `a.tenant_id = $1 AND b.tenant_id = a.tenant_id`."""
    while True:
        before = len(level.bound)
        for condition, only in conditions:
            if not (_is(condition, ast.A_Expr) and condition.kind == enums.A_Expr_Kind.AEXPR_OP):
                continue
            if condition.name[-1].sval != "=":
                continue
            for one, other in ((condition.lexpr, condition.rexpr), (condition.rexpr, condition.lexpr)):
                alias = _tenant_column(one, level)
                if alias in level.tables and (only is None or alias in only) and _is_tenant(other, level, reading):
                    level.bound.add(alias)
        if len(level.bound) == before:
            return


def _tenant_column(node: Any, level: Level) -> str:
    if _is(node, ast.ColumnRef) and node.fields[-1] == ast.String(sval="tenant_id"):
        return _qualifier(node, level) or ""
    return ""


def _qualifier(node: Any, level: Level) -> str | None:
    if len(node.fields) > 1:
        return str(node.fields[-2].sval)
    return next(iter(level.tables)) if len(level.tables) == 1 else None


def _is_tenant(node: Any, level: Level, reading: Reading) -> bool:
    while _is(node, ast.TypeCast):
        node = node.arg
    if _is(node, ast.ParamRef):
        reading.parameters.add(node.number)
        return True
    if _is(node, ast.FuncCall):
        return [part.sval for part in node.funcname] == ["app", "current_tenant"]
    alias = _tenant_column(node, level)
    return bool(alias) and level.holds(alias)


def _inside(node: Any, level: Level, reading: Reading, *, skip: set[str]) -> None:
    """Subqueries in conditions, values and results, which see this level's names."""
    if isinstance(node, tuple | list):
        for each in node:
            _inside(each, level, reading, skip=set())
    elif _is(node, ast.SelectStmt) and node.valuesLists is None and not skip:
        _select(node, level, reading)
    elif _is(node, ast.Node):
        for name in node:
            if name not in skip:
                _inside(getattr(node, name), level, reading, skip=set())


def _report(level: Level, reading: Reading) -> None:
    for alias, table in level.tables.items():
        if alias not in level.bound:
            reading.faults.append(f"{table}{'' if alias == table else f' ({alias})'}: no tenant_id equality")


def _walk(node: Any, kind: type[Any]) -> Iterator[Any]:
    if isinstance(node, kind):
        yield node
    if isinstance(node, tuple | list):
        for each in node:
            yield from _walk(each, kind)
    elif _is(node, ast.Node):
        for name in node:
            yield from _walk(getattr(node, name), kind)


# ----------------------------------------------------------------------------------------------------- recording


ON_PURPOSE = "/* names no tenant, on purpose */"
"""What a test of row-level security writes before a statement that must do without wall 2."""


@dataclass
class Recorder:
    """The distinct statements that the application's pools have sent, and the tenants sent in them that were not the
    transaction's."""

    sent: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    foreign: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)  # what tests sent themselves, to look around or to try a wall
    _read: dict[str, Reading] = field(default_factory=dict)

    def watch(self, connection: asyncpg.Connection) -> None:
        """Note what this connection sends, if it signed in as bo_app."""
        state: dict[str, UUID | None] = {"tenant": None}

        def note(query: Any) -> None:
            if query.conn_params.user != "bo_app":
                return
            sql = query.query
            if found := _BOUND_TO.search(sql):
                state["tenant"] = UUID(found[1])
            elif "app." in sql and not sql.startswith(ON_PURPOSE):
                self.sent[sql] += 1
                each = query.args if isinstance(query.args, list) else [query.args]  # a list: `fetchmany`
                for number, args in product(self.reading(sql).parameters, each):
                    if len(args) >= number and args[number - 1] != state["tenant"]:
                        self.foreign.add(sql)

        connection.add_query_logger(note)

    def reading(self, sql: str) -> Reading:
        if sql not in self._read:
            self._read[sql] = read(sql)
        return self._read[sql]

    def products(self) -> list[str]:
        """What the product sent, without what tests sent themselves."""
        return [sql for sql in self.sent if sql not in self.own]

    def faults(self) -> list[str]:
        """Every fault of every statement so far, with the statement."""
        found = [f"{fault} in: {sql}" for sql in self.products() for fault in self.reading(sql).faults]
        foreign = self.foreign - self.own
        return found + [f"a parameter names another tenant than the transaction's in: {sql}" for sql in foreign]


recorder = Recorder()
_open = Connections._open


async def _watched(self: Connections) -> asyncpg.Connection:
    connection = await _open(self)
    recorder.watch(connection)
    return connection


def _noting_own(method: Callable[..., Any]) -> Callable[..., Any]:
    """`method` of a connection, with a note of the statements that a test's own line sends."""

    @functools.wraps(method)
    def called(self: Any, query: str, *args: Any, **more: Any) -> Any:
        frame = sys._getframe(1)
        while frame.f_back is not None and "asyncpg" in frame.f_code.co_filename:
            frame = frame.f_back
        if frame.f_code.co_filename.startswith(_TESTS):
            recorder.own.add(query)
        return method(self, query, *args, **more)

    return called


def install() -> None:
    """From now on every new connection of the application is watched. Once a process."""
    Connections._open = _watched  # type: ignore[method-assign]
    for name in ("execute", "fetch", "fetchrow", "fetchval"):
        setattr(asyncpg.Connection, name, _noting_own(getattr(asyncpg.Connection, name)))
