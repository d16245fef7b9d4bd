"""Connections that wait for their next request, and the one way to ask."""

from __future__ import annotations

import asyncio
from typing import Final

from backoffice.platform.courier.client.connection import Connection, Reply
from backoffice.platform.courier.client.deadline import within
from backoffice.platform.courier.client.dialing import Dialer
from backoffice.platform.courier.client.faults import NoAnswer, ProxyUnreachable, code_of
from backoffice.platform.courier.client.target import Origin

IDLE_SECONDS: Final = 4.0  # receivers close idle connections from 5 s on; a POST that meets a closed one fails
_LOOK_SECONDS: Final = 1.0


class Pool:
    """How many connections there are is for the caller to limit. `total` and `connect` are seconds: of a request from
    its first step to the end of its answer, and of opening a connection within it."""

    def __init__(self, dialer: Dialer, *, total: float, connect: float) -> None:
        self._dialer = dialer
        self._total = total
        self._connect = min(connect, total)
        self._idle: dict[Origin, list[Connection]] = {}
        self._by_age: dict[Connection, Origin] = {}  # those that wait, the longest idle first
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

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
        reply = await connection.ask(request, until=until, keep=keep)
        if connection.usable:
            self._put(origin, connection)
        return reply

    def close(self) -> None:
        """Those that wait. One under way ends with its request."""
        if self._timer is not None:
            self._timer.cancel()
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
        if self._timer is None:
            self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Close what has been idle for too long."""
        old = self._loop.time() - IDLE_SECONDS
        while self._by_age and (oldest := next(iter(self._by_age))).idle_since <= old:
            self._drop(oldest)
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._look) if self._by_age else None

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
