"""What is under way beside the courier's loops."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from backoffice.platform import logs

log = logs.get("courier")


class Tasks:
    """Begun and left to themselves; one that fails is told."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._done)

    async def cancel(self) -> None:
        """All of them; returns when they have ended."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", **logs.error_fields(error))
