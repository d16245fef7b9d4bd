"""Starts what may start, a few in each turn of the event loop: whoever waits for the database, a fresh event on its way
above all, gets the answer between two turns, and a turn with hundreds of requests in it would be long."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from backoffice.platform.courier.lane import Item

AT_ONCE: Final = 16
Start = tuple[Item, bool]


class Starts:
    """Calls `begin(item, suspect)` for each that is added: what is fresh before what is replayed, each in the
    order it came."""

    def __init__(self, begin: Callable[[Item, bool], None]) -> None:
        self._begin = begin
        self._fresh: deque[Start] = deque()
        self._replays: deque[Start] = deque()
        self._turning = False

    def add(self, item: Item, suspect: bool) -> None:
        (self._replays if item.claimed.replay else self._fresh).append((item, suspect))
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def clear(self) -> None:
        """Start nothing more."""
        self._fresh.clear()
        self._replays.clear()

    def _turn(self) -> None:
        for _ in range(min(AT_ONCE, len(self._fresh) + len(self._replays))):
            self._begin(*(self._fresh or self._replays).popleft())
        self._turning = bool(self._fresh or self._replays)
        if self._turning:
            asyncio.get_running_loop().call_soon(self._turn)
