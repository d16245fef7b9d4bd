"""Connections that are asked or wait for their next request, and the one way to ask."""

from __future__ import annotations

import asyncio
from typing import Final

from backoffice.platform.courier.client.connection import Connection, Reply
from backoffice.platform.courier.client.deadline import LAST_LOOK, within
from backoffice.platform.courier.client.dialing import Dialer
from backoffice.platform.courier.client.faults import NoAnswer, ProxyUnreachable, code_of
from backoffice.platform.courier.client.target import Origin

IDLE_SECONDS: Final = 4.0  # receivers close idle connections from 5 s on; a POST that meets a closed one fails


class Pool:
    """How many connections there are is for the caller to limit. `total` and `connect` are seconds: of a request from
    its first step to the end of its answer, and of opening a connection within it. One timer looks after all of them:
    a timer for each request would cost as much as reading its answer."""

    def __init__(self, dialer: Dialer, *, total: float, connect: float) -> None:
        self._dialer = dialer
        self._total = total
        self._connect = min(connect, total)
        self._idle: dict[Origin, list[Connection]] = {}
        self._by_age: dict[Connection, Origin] = {}  # those that wait, the longest idle first
        self._asked: dict[Connection, float] = {}  # the loop's time by which the answer must be there
        self._loop = asyncio.get_running_loop()
        self._looked = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, origin: Origin, request: bytes, *, keep: int) -> Reply:
        """Send the bytes once and wait for the answer, of whose body at most `keep` bytes are kept. NoAnswer,
        ProxyUnreachable."""
        until = self._loop.time() + self._total
        connection = self._take(origin)
        if connection is None:
            try:
                async with within(self._connect):
                    connection = await self._dialer.open(origin, self._lost)
            except OSError as error:
                if isinstance(error, TimeoutError) and await self._dialer.proxy_is_silent():
                    raise ProxyUnreachable("it does not answer") from error
                raise NoAnswer(code_of(error)) from error
        self._asked[connection] = until
        if self._timer is None:
            self._timer = self._loop.call_later(LAST_LOOK, self._look)
        try:
            reply = await connection.ask(request, keep=keep)
        finally:
            del self._asked[connection]
        if connection.usable:
            self._put(origin, connection)
        return reply

    def close(self) -> None:
        """Those that wait. One under way ends with its request, or when that is late."""
        for connection in list(self._by_age):
            self._drop(connection)

    def _take(self, origin: Origin) -> Connection | None:
        """The one used last, so that the rest may fall idle."""
        waiting = self._idle.get(origin)
        while waiting:
            connection = waiting[-1]
            if connection.usable and connection.idle_since + IDLE_SECONDS > self._loop.time():
                self._forget(connection)
                return connection
            self._drop(connection)
        return None

    def _put(self, origin: Origin, connection: Connection) -> None:
        connection.idle_since = self._loop.time()
        self._idle.setdefault(origin, []).append(connection)
        self._by_age[connection] = origin

    def _look(self) -> None:
        """Give up what was late at the last look already, since when all that had come was read; close what has been
        idle for too long."""
        now = self._loop.time()
        for connection in [connection for connection, until in self._asked.items() if until <= self._looked]:
            connection.too_late()
        while self._by_age and (oldest := next(iter(self._by_age))).idle_since <= now - IDLE_SECONDS:
            self._drop(oldest)
        self._looked = now
        self._timer = self._loop.call_later(LAST_LOOK, self._look) if self._asked or self._by_age else None

    def _lost(self, connection: Connection) -> None:
        if connection in self._by_age:
            self._forget(connection)

    def _drop(self, connection: Connection) -> None:
        self._forget(connection)
        connection.close()

    def _forget(self, connection: Connection) -> None:
        origin = self._by_age.pop(connection)
        waiting = self._idle[origin]
        if waiting[-1] is connection:
            waiting.pop()
        else:
            waiting.remove(connection)
        if not waiting:
            del self._idle[origin]
