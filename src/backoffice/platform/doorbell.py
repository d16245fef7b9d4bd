"""The doorbell between processes: who left work rings after the commit, the dispatcher and the courier listen.

Never a NOTIFY in a business transaction (it takes a lock of the whole database at the commit), and never more than one
in 5 ms from a process. A ring that is lost costs a poll, nothing more: nobody relies on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from backoffice.platform import logs
from backoffice.platform.connections import CLOSED

CHANNEL: Final = "bo_jobs"
COALESCE_SECONDS: Final = 0.005
RECONNECT_SECONDS: Final = 0.2
_LOST = (asyncpg.PostgresError, *CLOSED, OSError, TimeoutError)
log = logs.get("doorbell")


class Doorbell:
    """Rings on a connection of its own, opened at the first ring. Of one event loop; `ring` may be called from other
    threads too."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._loop = asyncio.get_running_loop()
        self._connection: asyncpg.Connection | None = None
        self._asked = asyncio.Event()
        self._task = self._loop.create_task(self._ringing())

    def ring(self) -> None:
        """Say that there is work. Returns at once and never fails."""
        self._loop.call_soon_threadsafe(self._asked.set)

    async def close(self) -> None:
        """Send what was asked for, and hang up."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if self._asked.is_set():
            await self._send()
        if self._connection is not None:
            self._connection.terminate()

    async def _ringing(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._send()
            await asyncio.sleep(COALESCE_SECONDS)

    async def _send(self) -> None:
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self._dsn, timeout=2)
            await self._connection.execute(f"NOTIFY {CHANNEL}", timeout=2)
        except _LOST as error:
            log.warning("doorbell_failed", **logs.error_fields(error))
            if self._connection is not None:
                self._connection.terminate()
                self._connection = None


@asynccontextmanager
async def open_doorbell(dsn: str) -> AsyncIterator[Doorbell]:
    """A doorbell for the life of the block; give its `ring` to `Database(ring=…)`."""
    bell = Doorbell(dsn)
    try:
        yield bell
    finally:
        await bell.close()


class Listener:
    """Hears the doorbell, on a direct connection that is made again when it is lost.

    A ring sets a flag, also while its owner is at work, so that none is lost: look for work, then `wait`."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._rang = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._listening())

    async def wait(self, seconds: float) -> bool:
        """Until a ring since the last `wait`, at most so long; whether there was one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rang.wait()
        rang = self._rang.is_set()
        self._rang.clear()
        return rang

    def wake(self) -> None:
        """As if it had rung."""
        self._rang.set()

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _listening(self) -> None:
        while True:
            try:
                await self._listen_once()
            except _LOST as error:
                log.warning("listening_failed", **logs.error_fields(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        lost = asyncio.Event()
        connection = await asyncpg.connect(self._dsn, timeout=2)
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._heard)
            self._rang.set()  # what rang while nobody listened
            await lost.wait()
        finally:
            connection.terminate()

    def _heard(self, *_: Any) -> None:
        self._rang.set()


@asynccontextmanager
async def open_listener(dsn: str) -> AsyncIterator[Listener]:
    """A listener for the life of the block."""
    listener = Listener(dsn)
    try:
        yield listener
    finally:
        await listener.close()
