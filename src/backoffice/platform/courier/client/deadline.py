"""Deadlines that are just to the other side: what came while our own loop stood still is read before they pass."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

LAST_LOOK: Final = 0.1  # seconds; a loop runs the timers that are due before it reads, however long it stood still


class Deadline:
    """Calls `passed` at the loop's time `at`, after a last look at what has come, unless cancelled before."""

    __slots__ = ("_handle", "_loop", "_passed")

    def __init__(self, loop: asyncio.AbstractEventLoop, at: float, passed: Callable[[], None]) -> None:
        self._loop = loop
        self._passed = passed
        self._handle = loop.call_at(at, self._reached)

    def _reached(self) -> None:
        self._handle = self._loop.call_later(LAST_LOOK, self._passed)

    def cancel(self) -> None:
        self._handle.cancel()


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """TimeoutError for a body that takes longer."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as scope:
        deadline = Deadline(loop, loop.time() + seconds, lambda: scope.reschedule(loop.time()))
        try:
            yield
        finally:
            deadline.cancel()
