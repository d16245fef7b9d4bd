"""Batches of tenants run side by side, and one tenant's trouble is its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from tests.webhooks.bench import until

from backoffice.platform.courier.fanning import FanOut
from backoffice.platform.courier.ports import FannedOut

A, B = UUID(int=1), UUID(int=2)


class House:
    """Tenants with events, what their batches do (a number of events, or what they raise) and when they may end."""

    def __init__(self, **batches: Any) -> None:
        self.waiting: list[UUID] = [A, B]
        self.batches: dict[UUID, Any] = {A: batches["a"], B: batches["b"]}
        self.may_end = {A: asyncio.Event(), B: asyncio.Event()}
        self.begun: list[UUID] = []
        self.told: list[UUID] = []
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1

    async def wait(self, _: float) -> bool:
        return True

    @asynccontextmanager
    async def tx(self, tenant: UUID) -> AsyncIterator[UUID]:
        yield tenant

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[None]:
        yield None

    async def tenants_with_events(self, _: Any) -> Sequence[UUID]:
        return self.waiting

    async def fan_out(self, tenant: Any) -> FannedOut:
        self.begun.append(tenant)
        await self.may_end[tenant].wait()
        did = self.batches[tenant]
        if isinstance(did, Exception):
            raise did
        return FannedOut([tenant], did, False)

    def courier(self) -> FanOut:
        post = SimpleNamespace(tenants_with_events=self.tenants_with_events, fan_out=self.fan_out)
        me: Any = self
        return FanOut(me, me, post, me, lambda tenant, _: self.told.append(tenant))  # type: ignore[arg-type]


async def test_a_long_batch_holds_up_nobody_else_and_what_came_meanwhile_is_looked_for_again() -> None:
    house = House(a=5_000, b=1)
    fanning = house.courier()
    house.may_end[B].set()
    await fanning.round()
    await until(lambda: house.told == [B])
    await fanning.round()
    await until(lambda: house.told == [B, B])
    assert house.begun == [A, B, B], "one batch of a tenant at a time"
    assert house.wakes == 0
    house.may_end[A].set()
    await until(lambda: house.told == [B, B, A])
    assert house.wakes == 1, "it was seen with events while its batch was under way"


async def test_when_every_batch_fails_the_round_does_and_one_alone_is_told() -> None:
    house = House(a=OSError("a"), b=OSError("b"))
    fanning = house.courier()
    for tenant in (A, B):
        house.may_end[tenant].set()
    await fanning.round()
    await until(lambda: len(house.begun) == 2)
    with pytest.raises(OSError, match="a"):
        await fanning.round()
    house.batches[B] = 1
    await fanning.round()
    await until(lambda: len(house.begun) == 4)
    await fanning.round()  # of the last batches only one failed
    assert house.told == [B]


async def test_what_is_under_way_ends_when_the_courier_stops() -> None:
    house = House(a=1, b=1)
    fanning = house.courier()
    await fanning.round()
    await until(lambda: len(house.begun) == 2)
    await fanning.stop()
    for tenant in (A, B):
        house.may_end[tenant].set()
    await asyncio.sleep(0)
    assert house.told == []
