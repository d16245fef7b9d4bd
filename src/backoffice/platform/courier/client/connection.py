"""One connection: a request, its answer, and whether another may follow."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httptools

from backoffice.platform.courier.client.faults import NoAnswer

READ_LIMIT: Final = 64 * 1024  # of an answer, with its head and whatever 1xx come before it
DRAIN_SECONDS: Final = 1.0  # for the body of a success, which says nothing; only to keep the connection


@dataclass(slots=True)
class Reply:
    """`body` is what came of it, at most `keep` bytes; empty after a success."""

    status: int
    retry_after: str | None
    body: bytes


class Connection(asyncio.Protocol):
    """`on_lost` is told when it is closed, by whom ever. `idle_since` is its pool's to set (the loop's seconds)."""

    def __init__(self, on_lost: Callable[[Connection], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_lost = on_lost
        self._parser: Any = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Reply] | None = None
        self._transport: Any = None
        self.idle_since = 0.0
        self.usable = False
        """Open, and at the end of an answer after which another may follow."""

    async def ask(self, request: bytes, *, keep: int) -> Reply:
        """Send a request that is complete, and wait for the end of its answer until it is `too_late`. With a status the
        answer is known, however its body ends; NoAnswer without one. Unless `usable` after it, the connection is
        closed."""
        if self._transport is None or self._transport.is_closing():
            raise NoAnswer("connection_lost")
        self._begin(keep)
        waiter: asyncio.Future[Reply] = self._loop.create_future()
        self._waiter = waiter
        try:
            self._transport.write(request)
            return await waiter
        finally:
            self._waiter = None
            if self._drain is not None:
                self._drain.cancel()
            if not self.usable:
                self.close()

    def too_late(self) -> None:
        """Wait no longer."""
        self._broken_off("timeout")

    def close(self) -> None:
        """At once, with what is under way."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def _begin(self, keep: int) -> None:
        self._keep = keep
        self._status: int | None = None
        self._retry_after: str | None = None
        self._body = bytearray()
        self._came = 0
        self._drain: asyncio.TimerHandle | None = None
        self._may_follow = self.usable = False

    # -- what the answer says

    def on_message_begin(self) -> None:
        if self._waiter is None or self._waiter.done():  # more than was asked for
            self.usable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 11 and name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 or status == 101:
            self._status = status
            self._may_follow = status != 101 and self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        if not self._accepted and len(self._body) < self._keep:
            self._body += body[: self._keep - len(self._body)]

    def on_message_complete(self) -> None:
        if self._status is None:  # 1xx: the answer is yet to come
            self._retry_after = None
        elif self._waiter is not None and not self._waiter.done():
            self.usable = self._may_follow and not self._transport.is_closing()
            self._answered()

    @property
    def _accepted(self) -> bool:
        return self._status is not None and 200 <= self._status < 300

    def _answered(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            assert self._status is not None
            self._waiter.set_result(Reply(self._status, self._retry_after, bytes(self._body)))

    def _broken_off(self, code: str) -> None:
        """With a status the answer is known, and only its body broke off."""
        if self._waiter is None or self._waiter.done():
            return
        if self._status is not None:
            self._answered()
        else:
            self._waiter.set_exception(NoAnswer(code))

    # -- what the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():  # nobody asked
            self.close()
            return
        self._came += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.usable = False
            self._broken_off("answer_malformed")
        if self._waiter.done():
            return
        if self._came > READ_LIMIT:
            self._broken_off("answer_malformed")
        elif self._accepted and self._drain is None:
            self._drain = self._loop.call_later(DRAIN_SECONDS, self.too_late)

    def connection_lost(self, error: Exception | None) -> None:
        self.usable = False
        self._broken_off("tls_failed" if isinstance(error, ssl.SSLError) else "connection_lost")
        self._on_lost(self)
