"""A few in each turn of the loop, what is fresh first."""

from __future__ import annotations

import asyncio
from uuid import UUID

from backoffice.platform.courier.lane import Chain, Item, Lane
from backoffice.platform.courier.ports import Claimed, LaneKey, Turn
from backoffice.platform.courier.starts import AT_ONCE, Starts

LANE = Lane(LaneKey(UUID(int=1), UUID(int=2)))


def item(number: int, turn: Turn) -> Item:
    return Item(
        LANE,
        Chain((UUID(int=9), False)),
        Claimed(LANE.key, UUID(int=number), UUID(int=9), UUID(int=9), number, 0, 1, turn),
    )


async def test_fresh_ones_go_first_and_no_turn_starts_more_than_its_share() -> None:
    begun: list[int] = []
    starts = Starts(lambda each, _: begun.append(each.claimed.sequence))
    for number in range(40):
        starts.add(item(number, "again"), False)
    for number in range(100, 120):
        starts.add(item(number, "fresh"), False)
    turns = []
    while len(begun) < 60:
        before = len(begun)
        await asyncio.sleep(0)
        turns.append(len(begun) - before)
    assert begun == [*range(100, 120), *range(40)]
    assert max(turns) == AT_ONCE
    starts.add(item(1, "fresh"), False)
    starts.clear()
    await asyncio.sleep(0)
    assert len(begun) == 60
