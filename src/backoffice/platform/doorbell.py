"""The doorbell between processes: who left work rings after the commit, the dispatcher and the courier listen.

Never a NOTIFY in a business transaction (it takes a lock of the whole database at the commit), and not more than one in
5 ms from a process, unless it is for a newcomer. A ring that is lost costs a poll, nothing more: nobody relies on it.

That a worker has room again rings other bells, which the dispatcher alone hears. In a flood it is said all the time, is
no reason to look who else has work, and can wait for more of its kind; that a newcomer's jobs have ended cannot."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from backoffice.platform import logs
from backoffice.platform.connections import CLOSED

CHANNEL: Final = "bo_jobs"  # there is work
ROOM: Final = "bo_room"
ROOM_SOON: Final = "bo_room_soon"  # for more of a newcomer, who waits for it
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
        self._channels: set[str] = set()
        self._asked = asyncio.Event()
        self._at_once = asyncio.Event()
        self._task = self._loop.create_task(self._ringing())

    def ring(self, channel: str = CHANNEL) -> None:
        """Say that there is work, or room. Returns at once and never fails."""
        self._loop.call_soon_threadsafe(self._ask, channel)

    def _ask(self, channel: str) -> None:
        self._channels.add(channel)
        self._asked.set()
        if channel == ROOM_SOON:
            self._at_once.set()

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
            self._at_once.clear()
            await self._send()
            await _until(self._at_once, COALESCE_SECONDS)

    async def _send(self) -> None:
        channels, self._channels = sorted(self._channels), set()
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self._dsn, timeout=2)
            await self._connection.execute("; ".join(f"NOTIFY {channel}" for channel in channels), timeout=2)
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
    """Hears these bells, on a direct connection that is made again when it is lost. With `presence`, an advisory lock
    that it shares, the doctor sees that somebody listens.

    A ring sets a flag, also while its owner is at work, so that none is lost: look for work, then `wait`."""

    def __init__(self, dsn: str, *channels: str, presence: int | None = None) -> None:
        self._dsn = dsn
        self._channels = channels
        self._presence = presence
        self._rang = asyncio.Event()
        self._news = asyncio.Event()
        self._soon = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._listening())

    async def wait(self, seconds: float) -> bool:
        """Until a ring since the last `wait`, at most so long; whether there was one."""
        await _until(self._rang, seconds)
        return _taken(self._rang)

    async def pause(self, seconds: float) -> None:
        """Until a ring that cannot wait (there is work, or room for a newcomer) since `news` was last asked, at most
        so long."""
        await _until(self._soon, seconds)

    def news(self) -> bool:
        """Whether it was rung that there is work since this was last asked. Ask before looking at anything."""
        self._soon.clear()
        return _taken(self._news)

    def wake(self) -> None:
        """As if it had rung."""
        for flag in (self._rang, self._news, self._soon):
            flag.set()

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
            if self._presence is not None:
                await connection.execute("SELECT pg_advisory_lock_shared($1)", self._presence)
            for channel in self._channels:
                await connection.add_listener(channel, self._heard)
            self.wake()  # what rang while nobody listened
            await lost.wait()
        finally:
            connection.terminate()

    def _heard(self, _connection: Any, _pid: int, channel: str, _payload: object) -> None:
        self._rang.set()
        if channel == CHANNEL:
            self._news.set()
        if channel != ROOM:
            self._soon.set()


async def _until(flag: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await flag.wait()


def _taken(flag: asyncio.Event) -> bool:
    was = flag.is_set()
    flag.clear()
    return was


@asynccontextmanager
async def open_listener(dsn: str, *also: str, presence: int | None = None) -> AsyncIterator[Listener]:
    """A listener for the life of the block: for work, and for these bells."""
    listener = Listener(dsn, CHANNEL, *also, presence=presence)
    try:
        yield listener
    finally:
        await listener.close()
