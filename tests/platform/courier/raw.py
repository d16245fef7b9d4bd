"""Receivers below HTTP: each says byte for byte what a test tells it to, and keeps what it was sent."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from backoffice.platform import signatures
from backoffice.platform.courier.ports import Envelope
from backoffice.platform.courier.sender import Sender

SECRET = signatures.generate_secret()
BODY = b'{"id":"evt_1"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def envelope(url: str) -> Envelope:
    return Envelope(url, "evt_1", BODY, (SECRET,), 16, False, 1)


@asynccontextmanager
async def sender(**more: Any) -> AsyncIterator[Sender]:
    made = Sender(**{"total": 2.0, "connect": 1.0} | more)
    try:
        yield made
    finally:
        await made.close()


@dataclass
class Raw:
    """`connections` is how many were opened; `requests` the heads of what came over any of them."""

    url: str = ""
    connections: int = 0
    open: int = 0
    requests: list[bytes] = field(default_factory=list)


Say = Callable[[int, asyncio.StreamWriter], Awaitable[bytes | None]]


@asynccontextmanager
async def receiver(say: bytes | Say, context: ssl.SSLContext | None = None) -> AsyncIterator[Raw]:
    """Answers each request with these bytes, or with what `say(number of the request from 1, writer)` returns; for None
    it hangs up."""
    raw = Raw()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw.connections += 1
        raw.open += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                raw.requests.append(await reader.readuntil(b"\r\n\r\n"))
                assert await reader.readexactly(len(BODY)) == BODY
                answer = say if isinstance(say, bytes) else await say(len(raw.requests), writer)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        raw.open -= 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    raw.url = f"{'https' if context else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield raw
    finally:
        server.close()
