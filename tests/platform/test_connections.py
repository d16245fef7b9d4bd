"""The connections of a process: lent, returned, waited for, broken; and no transaction that outlives its task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest
from tests.world import Server, World

from backoffice.platform.connections import Connections
from backoffice.platform.db import Database
from backoffice.platform.principal import Principal
from backoffice.platform.runtime import new_request_id


@asynccontextmanager
async def connections(server: Server, size: int) -> AsyncIterator[Connections]:
    made = Connections(server.settings.dsn("bo_app"), size)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def test_the_one_used_last_is_lent_first(server: Server, world: World) -> None:
    async with connections(server, 3) as made:
        first, second = await made.take(1), await made.take(1)
        made.give(second)
        made.give(first)
        assert await made.take(1) is first
        assert await made.take(1) is second


async def test_who_waits_longest_gets_the_next(server: Server, world: World) -> None:
    async with connections(server, 1) as made:
        lent = await made.take(1)
        waiting = [asyncio.create_task(made.take(5)) for _ in range(2)]
        await asyncio.sleep(0)
        made.give(lent)
        assert await waiting[0] is lent
        assert not waiting[1].done()
        made.give(lent)
        assert await waiting[1] is lent
        with pytest.raises(TimeoutError):
            await made.take(0.01)
        made.give(lent)
        assert await made.take(1) is lent


async def test_one_that_broke_makes_room_for_who_waits(server: Server, world: World) -> None:
    async with connections(server, 1) as made:
        lent = await made.take(1)
        waiting = asyncio.create_task(made.take(5))
        await asyncio.sleep(0)
        lent.terminate()
        made.give(lent)
        fresh = await waiting
        assert fresh is not lent
        assert await fresh.fetchval("SELECT 1") == 1
        fresh.terminate()
        made.give(fresh)
        assert await (await made.take(1)).fetchval("SELECT 1") == 1


async def test_one_who_gives_up_waiting_takes_nothing_along(server: Server, world: World) -> None:
    async with connections(server, 1) as made:
        lent = await made.take(1)
        waiting = asyncio.create_task(made.take(5))
        await asyncio.sleep(0)
        made.give(lent)
        waiting.cancel()  # in the same step in which it was given one
        with suppress(asyncio.CancelledError):
            made.give(await waiting)
        assert await made.take(0.5) is lent


async def test_closed_connections_are_lent_no_more(server: Server, world: World) -> None:
    made = Connections(server.settings.dsn("bo_app"), 1)
    await made.open()
    lent = await made.take(1)
    waiting = asyncio.create_task(made.take(5))
    await asyncio.sleep(0)
    await made.close()
    with pytest.raises(asyncpg.InterfaceError):
        await waiting
    made.give(lent)
    assert lent.is_closed()


async def test_what_is_canceled_leaves_no_transaction_behind(server: Server, world: World) -> None:
    """At 40 moments of a transaction's life; the one connection is then lent without a trace of it."""
    firm = await world.firm(keys=False)
    db = Database(server.settings.dsn("bo_app"), size=1)
    await db.open()

    async def work() -> None:
        principal = Principal.system(firm.test.facts, "test")
        async with db.tx(principal, request_id=new_request_id()) as tx:
            await tx.connection.fetchval("SELECT pg_sleep(0.002)")
            await db.commit(tx)

    try:
        for moment in range(40):
            task = asyncio.create_task(work())
            await asyncio.sleep(moment / 10_000)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with db.autocommit() as connection:
                assert not connection.is_in_transaction()
                assert not await connection.fetchval("SELECT current_setting('app.tenant_id', true)")
    finally:
        await db.close()


async def test_a_transaction_that_has_ended_speaks_no_more(server: Server, world: World) -> None:
    firm = await world.firm(keys=False)
    async with world.tx(firm.test) as tx:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        await tx.connection.execute("SELECT 1")
