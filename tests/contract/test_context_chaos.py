"""Thousands of transactions of several tenants over few connections, with cancellations, exceptions and killed
backends at seeded moments: a transaction sees its own tenant's rows and no others, and without a context there are
none. `make chaos` runs a million."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
import pytest
from sqlalchemy import select
from tests.rules.statements import ON_PURPOSE
from tests.scale import at_scale
from tests.world import Server, Tenant, World

from backoffice.kernel.errors import Problem
from backoffice.platform import models
from backoffice.platform.db import LOST, Database
from backoffice.platform.runtime import new_request_id
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx

TRANSACTIONS = at_scale(10_000, 1_000_000)
TENANTS, TASKS = 4, 24
OWN = f"{ON_PURPOSE} SELECT DISTINCT tenant_id FROM app.counter"
CONTEXT = "SELECT current_setting('app.tenant_id', true)"
COUNTER = models.counter
NO_CONTEXT = ("42704", "22P02")  # never set, or empty after a commit

FAULTS = {
    "none": 50,
    "exception": 8,
    "refused statement": 6,
    "refused in a savepoint": 6,
    "canceled": 14,
    "killed within": 2,
    "killed while idle": 1,
    "without a context": 13,
}


class Planned(Exception):
    """Raised by a transaction that was to fail."""


@dataclass
class Chaos:
    """What happened, and what must not have."""

    db: Database
    tenants: list[Tenant]
    admin: psycopg.Connection[Any]
    choose: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    foreign: list[str] = field(default_factory=list)
    committed: dict[UUID, set[str]] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)
    pids: set[int] = field(default_factory=set)
    killed: int = 0

    def kill(self, pid: int) -> None:
        self.killed += self.admin.execute("SELECT pg_terminate_backend(%s)", (pid,)).fetchone() == (True,)
        self.pids.discard(pid)

    async def look(self, tx: Tx) -> None:
        """Every row this transaction can see is its own tenant's, and so is the context."""
        mine = tx.tenant
        for row in await tx.connection.fetch(OWN):
            if row["tenant_id"] != mine:
                self.foreign.append(f"{mine} saw rows of {row['tenant_id']}")
        if await tx.connection.fetchval(CONTEXT) != str(mine):
            self.foreign.append(f"{mine} is in another context")

    async def without(self) -> None:
        """A connection outside any tenant's transaction shows nothing: it raises."""
        try:
            async with self.db.autocommit() as connection:
                rows = await connection.fetch(OWN)
                self.foreign.append(f"{len(rows)} rows without a context")
        except asyncpg.PostgresError as error:
            if error.sqlstate not in NO_CONTEXT:
                raise

    async def transaction(self, number: int, tenant: Tenant, fault: str) -> None:
        """One transaction that adds a row, with what goes wrong in it."""
        name = f"chaos-{number}"
        if fault == "without a context":
            await self.without()
            return
        if fault == "killed while idle" and self.pids:
            self.kill(self.choose.choice(sorted(self.pids)))
        async with self.db.tx(tenant.system(), request_id=new_request_id()) as tx:
            pid = tx.connection.get_server_pid()
            self.pids.add(pid)
            await self.look(tx)
            await tx.insert(COUNTER, name=name, next=number)
            self.undone.add(name)
            if fault == "exception":
                raise Planned
            if fault == "refused statement":
                await tx.connection.execute("SELECT 1 / 0")
            if fault == "refused in a savepoint":
                with suppress(asyncpg.DivisionByZeroError):
                    async with tx.savepoint():
                        await tx.connection.execute("SELECT 1 / 0")
            if fault == "killed within":
                self.kill(pid)
            await self.look(tx)
            self.undone.discard(name)
            await self.db.commit(tx)
            self.committed[tenant.facts.id].add(name)

    async def one(self, number: int) -> None:
        tenant, fault = self.choose.choice(self.tenants), self.choose.choices(list(FAULTS), list(FAULTS.values()))[0]
        task = asyncio.ensure_future(self.transaction(number, tenant, fault))
        if fault == "canceled":
            for _ in range(self.choose.randrange(40)):
                await asyncio.sleep(0)
            task.cancel()
        try:
            await task
            outcome = "done"
        except asyncio.CancelledError:
            outcome = "canceled"
        except (Planned, asyncpg.PostgresError, *LOST, Problem) as error:
            outcome = type(error).__name__
        self.counts[f"{fault}: {outcome}"] += 1

    async def run(self, transactions: int) -> None:
        numbers = iter(range(transactions))

        async def worker() -> None:
            for number in numbers:
                await self.one(number)

        await asyncio.gather(*(worker() for _ in range(TASKS)))


@asynccontextmanager
async def chaos(server: Server, world: World, *, connections: int, seed: int) -> AsyncIterator[Chaos]:
    tenants = [(await world.firm(keys=False)).test for _ in range(TENANTS)]
    db = Database(server.settings.dsn("bo_app"), size=connections)
    await db.open()
    with psycopg.connect(server.postgres.admin_dsn("backoffice"), autocommit=True) as admin:
        made = Chaos(db, tenants, admin, random.Random(seed), committed={each.facts.id: set() for each in tenants})
        try:
            yield made
        finally:
            await db.close()


@pytest.mark.large
@pytest.mark.parametrize(("connections", "share"), [(6, 0.8), (1, 0.2)], ids=["few connections", "one connection"])
async def test_chaos(server: Server, world: World, connections: int, share: float) -> None:
    transactions = int(TRANSACTIONS * share)
    async with chaos(server, world, connections=connections, seed=2026 + connections) as made:
        await made.run(transactions)
        assert made.foreign == []
        assert sum(made.counts.values()) == transactions
        kinds = {kind.split(":")[0] for kind in made.counts}
        assert kinds == set(FAULTS)
        assert made.counts["none: done"] > transactions * 0.35
        assert made.counts["canceled: canceled"] > transactions * 0.05
        assert made.killed > transactions * 0.01
        assert made.counts["killed within: done"] == 0
        assert made.counts["without a context: done"] > transactions * 0.1
        assert sum(map(len, made.committed.values())) > transactions * 0.35
        with psycopg.connect(server.postgres.admin_dsn("backoffice")) as admin:
            there: dict[UUID, set[str]] = {each.facts.id: set() for each in made.tenants}
            for tenant, name in admin.execute(
                "SELECT tenant_id, name FROM app.counter WHERE name LIKE 'chaos-%%' AND tenant_id = ANY (%s)",
                ([each.facts.id for each in made.tenants],),
            ):
                there[tenant].add(name)
        for tenant, names in made.committed.items():
            assert names <= there[tenant], "what was committed is there, in its own tenant"
        assert made.undone.isdisjoint(set().union(*there.values())), "what was not committed is not"
        # And afterwards every connection of the pool is whole.
        for tenant_ in made.tenants:
            async with made.db.tx(tenant_.system(), request_id=new_request_id(), read_only=True) as tx:
                rows = await tx.fetch(select(COUNTER.c.tenant_id).where(COUNTER.c.tenant_id == TENANT))
                assert {row["tenant_id"] for row in rows} <= {tenant_.facts.id}


async def test_a_lost_context_would_be_seen(server: Server, world: World) -> None:
    """The same look at a connection whose context was changed underneath: it is told."""
    async with chaos(server, world, connections=1, seed=1) as made:
        mine, other = made.tenants[:2]
        async with made.db.tx(other.system(), request_id=new_request_id()) as tx:
            await tx.insert(COUNTER, name="chaos", next=1)
            await made.db.commit(tx)
        async with made.db.tx(mine.system(), request_id=new_request_id()) as tx:
            await made.look(tx)
            assert made.foreign == []
            await tx.connection.execute(f"{ON_PURPOSE} SET LOCAL app.tenant_id = '{other.facts.id}'")
            await made.look(tx)
    assert len(made.foreign) == 2
