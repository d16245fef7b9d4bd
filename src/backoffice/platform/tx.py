"""One tenant's transaction, as commands see it: reading and writing, its clock and ids, and what happened in it.

Statements are SQLAlchemy Core, compiled once per shape and run on asyncpg. Who opens and ends it is `db.py`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import Executable, Table, bindparam, false, func, literal, select

from backoffice.kernel import ids
from backoffice.kernel.errors import NotFound, VersionConflict
from backoffice.platform import models, outbox
from backoffice.platform.crypto import Ciphers, TenantCipher
from backoffice.platform.effects import Effect
from backoffice.platform.events import Cause, Emitted, EventType
from backoffice.platform.jobs import plans
from backoffice.platform.jobs.kinds import JobPayload
from backoffice.platform.outbox import Started
from backoffice.platform.principal import Principal
from backoffice.platform.statements import Prepared, compile_statement, one_row, unnest
from backoffice.platform.tables import TENANT

Row = Mapping[str, Any]

_clock = models.test_clock.c
_one = select(literal(1).label("one")).subquery()
_NOW = Prepared(
    select(
        func.coalesce(_clock.frozen_time, func.now()).label("now"),
        func.coalesce(_clock.seed.is_not(None) | (_clock.status == "advancing"), false()).label("in_turn"),
        _clock.seed,
    ).select_from(_one.outerjoin(models.test_clock, _clock.tenant_id == TENANT))
)
_DRAW = Prepared(
    models.test_clock.update().where(_clock.tenant_id == TENANT).values(drawn=_clock.drawn + 1).returning(_clock.drawn)
)


class Taken(Exception):
    """A unique key refused a row inside `Tx.savepoint`; `key` is the constraint's name."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(slots=True)
class Tx:
    """One tenant's transaction. Commands read and write through it, and say what happened with `emit`, `start` and
    `audit`; those are written together just before the commit."""

    principal: Principal
    request_id: str
    connection: asyncpg.Connection
    dry_run: bool = False
    traceparent: str | None = None
    ciphers: Ciphers | None = None
    ordered: bool = False  # holds a seeded tenant's place from its first statement, and so may draw its ids
    emitted: list[Emitted] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)
    announce: set[str] = field(default_factory=set)  # channels to notify once this is committed, never within
    _effects: list[Effect] = field(default_factory=list)
    audited: list[dict[str, Any]] = field(default_factory=list)
    _now: datetime | None = None
    in_turn: bool = False  # known after `now`: the tenant's jobs run one after another (`jobs/turns.py`)
    _seed: int | None = None
    _drawn: ids.SeededIds | None = None
    turn: Literal["", "ended", "held"] = ""  # jobs have ended, or were put behind others: the commit looks who is next
    _savepoints: int = 0
    rang: bool = False  # whether a commit should ring the dispatcher's and courier's doorbell

    @property
    def tenant(self) -> UUID:
        return self.principal.tenant.id

    # -- reading and writing

    async def fetch(self, statement: Executable | Prepared, **params: Any) -> list[Row]:
        sql, args = compile_statement(statement, {"tenant": self.tenant, **params})
        rows: list[Row] = await self.connection.fetch(sql, *args)
        return rows

    async def row(self, statement: Executable | Prepared, **params: Any) -> Row | None:
        sql, args = compile_statement(statement, {"tenant": self.tenant, **params})
        row: Row | None = await self.connection.fetchrow(sql, *args)
        return row

    async def value(self, statement: Executable | Prepared, **params: Any) -> Any:
        """The first column of the first row, or None."""
        row = await self.row(statement, **params)
        return None if row is None else next(iter(row.values()))

    async def execute(self, statement: Executable | Prepared, **params: Any) -> int:
        """Runs it; the number of rows it touched."""
        sql, args = compile_statement(statement, {"tenant": self.tenant, **params})
        status: str = await self.connection.execute(sql, *args)
        return int(status.rsplit(" ", 1)[-1]) if status[-1].isdigit() else 0

    async def function(self, name: str, *args: Any) -> list[Row]:
        """Rows of `SELECT * FROM <schema.function>(…)`, one of the listed functions of `ctl`."""
        assert re.fullmatch(r"ctl\.[a-z_]+", name), name
        rows: list[Row] = await self.connection.fetch(
            f"SELECT * FROM {name}({', '.join(f'${i + 1}' for i in range(len(args)))})",  # noqa: S608 - checked name
            *args,
        )
        return rows

    async def insert(self, table: Table, /, **values: Any) -> Row:
        """One new row of this tenant; the row as stored. Adds created_at, updated_at where the table has them."""
        row = await self._insert(table, values, once=False)
        assert row is not None
        return row

    async def insert_or_none(self, table: Table, /, **values: Any) -> Row | None:
        """Insert first and let the database say who won: None when a unique key refused the row."""
        return await self._insert(table, values, once=True)

    async def _insert(self, table: Table, values: Mapping[str, Any], *, once: bool) -> Row | None:
        statement, params = one_row(table, await self._stamped(table, values), once=once)
        return await self.row(statement, **params)

    async def insert_many(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Many rows of one shape in one statement: the columns travel as arrays (`unnest`), so the statement is the
        same for 2 rows and for 100,000."""
        if rows:
            sql, args = unnest([await self._stamped(table, row) for row in rows], table)
            await self.connection.execute(sql, *args)

    async def insert_new(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        """As `insert_many`, without the rows that a unique key refuses; the new ones as stored. Give the rows in the
        order of that key: two who insert the same keys then wait for each other in one order."""
        if not rows:
            return []
        sql, args = unnest([await self._stamped(table, row) for row in rows], table)
        new: list[Row] = await self.connection.fetch(f"{sql} ON CONFLICT DO NOTHING RETURNING *", *args)
        return new

    async def change(
        self,
        table: Table,
        id_: UUID,
        values: Mapping[str, Any],
        *,
        if_version: int | None = None,
        **guard: Any,
    ) -> Row | None:
        """One guarded UPDATE of an object: raises the version, stamps updated_at, returns the new row.

        `guard` names columns and the values they must have now (the state being left): None when they do not.
        NotFound when there is no such row; VersionConflict when `if_version` is given and not the current one.
        """
        current = table.c
        where = [current.tenant_id == TENANT, current.id == bindparam("guard_id", id_, type_=current.id.type)]
        if if_version is not None:
            where.append(current.version == if_version)
        for name, value in guard.items():
            column = current[name]
            where.append(column == func.any(list(value)) if isinstance(value, tuple) else column == value)
        row = await self.row(
            table.update()
            .where(*where)
            .values(**values, version=current.version + 1, updated_at=await self.now())
            .returning(*current)
        )
        if row is not None:
            return row
        there = await self.row(select(current.version).where(current.tenant_id == TENANT, current.id == id_))
        if there is None:
            raise NotFound
        if if_version is not None and there["version"] != if_version:
            raise VersionConflict(there["version"])
        return None

    async def _stamped(self, table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
        stamped = {"tenant_id": self.tenant, **values}
        for column in ("created_at", "updated_at"):
            if column in table.c and column not in stamped:
                stamped[column] = await self.now()
        return stamped

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What is refused inside undoes only what was done inside, and what was said there is not told. Taken when a
        unique key refused a row."""
        told = [(said, len(said)) for said in (self.emitted, self._effects, self.started, self.audited)]
        self._savepoints += 1
        name = f"s{self._savepoints}"
        await self.connection.execute(f"SAVEPOINT {name}")
        try:
            yield
        except Exception as error:
            await self.connection.execute(f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
            for said, length in told:
                del said[length:]
            if isinstance(error, asyncpg.UniqueViolationError):
                raise Taken(error.constraint_name or "") from error
            raise
        await self.connection.execute(f"RELEASE SAVEPOINT {name}")

    # -- time and ids

    async def now(self) -> datetime:
        """The tenant's clock: frozen for a test tenant that froze it, else the transaction's start. In whole
        milliseconds, as events tell it, so that what is shown of an instant finds it again."""
        if self._now is None:
            row = await self.row(_NOW)
            assert row is not None
            at = row["now"].astimezone(UTC)
            self._now = at.replace(microsecond=at.microsecond // 1000 * 1000)
            self.in_turn, self._seed = row["in_turn"], row["seed"]
        return self._now

    def forget_time(self) -> None:
        """The tenant's clock was moved in this transaction."""
        self._now = None

    async def cipher(self) -> TenantCipher:
        """Seals and opens this tenant's values."""
        assert self.ciphers is not None, "this process was given no key store"
        return await self.ciphers.for_tenant(self.tenant)

    async def new_id(self) -> UUID:
        """An id for the tenant's time; in a tenant that is played from a seed, the next one that it gives."""
        now = await self.now()
        if self._seed is None or not self.ordered:
            return ids.new(now)
        if not self._drawn:
            self._drawn = ids.SeededIds(self._seed, await self.value(_DRAW))
        return self._drawn.make(now)

    async def lasting_id(self, table: Table) -> UUID:
        """As `new_id`, for a table that outlives a reset: one by chance where a row from before the reset has the id
        that the seed, which is played again, gives."""
        id_ = await self.new_id()
        there = await self.value(select(table.c.id).where(table.c.tenant_id == TENANT, table.c.id == id_))
        return id_ if there is None else ids.new(await self.now())

    @property
    def seeded(self) -> bool:
        """Whether ids of this transaction come from a seed, and so may come again; known after `now`."""
        return self._seed is not None and self.ordered

    async def leave_seed(self) -> None:
        """What is made in this transaction outlives a reset, and has ids by chance."""
        await self.now()
        self._seed = self._drawn = None

    async def name_request(self) -> str:
        """The id of the request that this transaction is: the one given, or one drawn as all ids of a seeded tenant."""
        await self.now()
        if self._seed is not None and self.ordered:
            self.request_id = ids.encode("request", await self.new_id())
        return self.request_id

    # -- what happened

    def emit(
        self,
        kind: EventType,
        object_: msgspec.Struct,
        *,
        changed: Sequence[str] = (),
        previous: dict[str, Any] | None = None,
        effects: Sequence[Effect] = (),
        cause: Cause | None = None,
        test: bool = False,
    ) -> None:
        """Record that something happened to `object_` (its outward struct, which has an `id`). With `test` nothing has
        happened: it is an example for a receiver, and its body says so."""
        assert isinstance(object_, kind.payload), f"{kind.name} is told with {kind.payload.__name__}"
        object_id = ids.decode(kind.object_type, object_.id)  # type: ignore[attr-defined]
        assert object_id is not None, f"{kind.name}: {object_.id}"  # type: ignore[attr-defined]
        self.emitted.append(Emitted(kind, object_, object_id, changed, previous, effects, cause, test))
        self._effects += effects

    async def start(
        self,
        payload: JobPayload,
        *,
        key: str | None = None,
        due_at: datetime | None = None,
        parent_id: UUID | None = None,
        progress_total: int = 0,
    ) -> UUID:
        """Record a job; the row is the outbox. `key` makes the submit idempotent per kind (the id of the job that
        is there is returned); `due_at` is tenant time. NotInPlan (403) when the tenant's plan lacks the kind."""
        plans.must_have(self.principal.tenant.plan, payload.kind)
        started = Started(await self.new_id(), payload, key, due_at, parent_id, progress_total)
        if key is not None:  # at once, so that the database says who of two was first
            row = await self.insert_or_none(models.job, **outbox.job_row(self, started, await self.now()))
            if row is None:
                job = models.job.c
                there = await self.value(
                    select(job.id).where(job.tenant_id == TENANT, job.kind == payload.kind, job.key == key)
                )
                return UUID(str(there))
            started.written = self.rang = True
            self.turn = "held" if self.in_turn else self.turn
        self.started.append(started)
        return started.id

    def audit(
        self,
        action: str,
        *,
        object_type: str | None = None,
        object_id: UUID | None = None,
        object_version: int | None = None,
        changed: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> None:
        """Record who did what. `changed` holds field names, and values only of fields that are not sensitive."""
        self.audited.append(
            {
                "action": action,
                "object_type": object_type,
                "object_id": object_id,
                "object_version": object_version,
                "changed": dict(changed or {}),
                "reason": reason,
            }
        )

    def effects(self) -> list[Effect]:
        """All effects told so far, in order."""
        return list(self._effects)

    async def flush(self) -> None:
        """Write what was said: audit rows, jobs, events."""
        await outbox.write(self)
