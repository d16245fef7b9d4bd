"""Open connections of one login role, lent for one transaction each.

Leaner than the driver's own pool, which makes two tasks and a timer for each loan: here a loan of an idle connection
is one pop from a list. Of one event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

import asyncpg
import msgspec

CLOSED = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What the driver says of a connection that is closed, and of one whose server has just died and that it has not closed
yet ("cannot switch to state …")."""
OPEN_SECONDS = 5.0
IDLE_SECONDS = 60.0


def says_closed(error: BaseException) -> bool:
    """Whether the driver says that the connection is gone; an InterfaceError that is a ValueError means a wrong
    argument."""
    return isinstance(error, CLOSED) and not isinstance(error, ValueError)


class Connections:
    """At most `size` connections; the one used last is lent first, so that the rest may fall idle and be closed."""

    def __init__(self, dsn: str, size: int) -> None:
        self._dsn = dsn
        self._size = size
        self._idle: list[tuple[asyncpg.Connection, float]] = []  # with the time of their return
        self._opened = 0  # idle, lent, and being opened
        self._waiting: deque[asyncio.Future[asyncpg.Connection | None]] = deque()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def open(self) -> None:
        """Open the first one, so that a wrong address is told at once."""
        self.give(await self.take(OPEN_SECONDS))
        self._timer = self._loop.call_later(IDLE_SECONDS / 2, self._close_idle)

    async def take(self, seconds: float) -> asyncpg.Connection:
        """A connection outside any transaction. TimeoutError when none is free in time; what connecting raises."""
        while True:
            while self._idle:
                connection = self._idle.pop()[0]
                if not connection.is_closed():
                    return connection
                self._opened -= 1
            if self._closed:
                raise asyncpg.InterfaceError("the connections are closed")
            if self._opened < self._size:
                return await self._open()
            given = await self._next_given(seconds)
            if given is not None:
                return given

    def give(self, connection: asyncpg.Connection) -> None:
        """Return one: to who waits longest, or to the idle."""
        if self._closed:
            connection.terminate()
        if connection.is_closed():
            self._opened -= 1
            self._pass_on(None)
        elif not self._pass_on(connection):
            self._idle.append((connection, self._loop.time()))

    async def close(self) -> None:
        """Close what is idle, and the rest when it is returned."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while self._pass_on(None):
            pass
        idle, self._idle = self._idle, []
        for connection, _ in idle:
            with suppress(asyncpg.PostgresError, *CLOSED, OSError, TimeoutError):
                await connection.close(timeout=1)
        self._opened -= len(idle)

    async def _open(self) -> asyncpg.Connection:
        self._opened += 1
        connection = None
        try:
            connection = await asyncpg.connect(self._dsn, timeout=OPEN_SECONDS)
            await connection.set_type_codec(
                "jsonb",
                schema="pg_catalog",
                encoder=lambda value: msgspec.json.encode(value).decode(),
                decoder=msgspec.json.decode,
            )
        except BaseException as error:
            if connection is not None:
                connection.terminate()
            self._opened -= 1
            self._pass_on(None)
            if isinstance(error, FileNotFoundError):  # as a port where nobody listens
                raise ConnectionRefusedError("nobody listens at its socket") from error
            raise
        return connection

    async def _next_given(self, seconds: float) -> asyncpg.Connection | None:
        """The next connection that is returned, or None when there is room for a new one."""
        waiter: asyncio.Future[asyncpg.Connection | None] = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():  # given at the moment we gave up
                given = waiter.result()
                if given is None:
                    self._pass_on(None)
                else:
                    self.give(given)
            raise

    def _pass_on(self, connection: asyncpg.Connection | None) -> bool:
        """To the first who still waits; False when nobody does."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def _close_idle(self) -> None:
        old = self._loop.time() - IDLE_SECONDS
        kept = [(connection, at) for connection, at in self._idle if at > old]
        for connection, at in self._idle:
            if at <= old:
                connection.terminate()
        self._opened -= len(self._idle) - len(kept)
        self._idle = kept
        self._timer = self._loop.call_later(IDLE_SECONDS / 2, self._close_idle)
