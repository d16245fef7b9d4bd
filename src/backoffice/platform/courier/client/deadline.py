"""Deadlines that are just to the other side: what came while our own loop stood still is read before they pass."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

LAST_LOOK: Final = 0.1  # seconds; a loop runs the timers that are due before it reads, however long it stood still


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """TimeoutError for a body that takes longer."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle
    async with asyncio.timeout(None) as scope:

        def give_up() -> None:
            scope.reschedule(loop.time())

        def last_look() -> None:
            nonlocal timer
            timer = loop.call_later(LAST_LOOK, give_up)

        timer = loop.call_later(seconds, last_look)
        try:
            yield
        finally:
            timer.cancel()
