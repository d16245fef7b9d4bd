"""A load of HTTP/1.1 requests over connections that are kept open. Lean, so that on two cores the client takes little
from what it measures: one buffer, no parsing beyond the status and the length."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

ALL_SECONDS = 300
LATE_SECONDS = 20
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Load:
    """What came of it. `seconds` is how long the whole took, `took` each request."""

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)  # status → how many, of those that are not 200
    last_refusal: bytes = b""

    @property
    def rate(self) -> float:
        return len(self.took) / self.seconds

    def at(self, share: float) -> float:
        """Seconds within which this share of the requests was answered."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class _Connection(asyncio.Protocol):
    """Sends the next request when the last one is answered, until `stop` says so."""

    def __init__(self, requests: Sequence[bytes], first: int, step: int, load: Load, budget: list[int]) -> None:
        self._requests, self._next, self._step = requests, first, step
        self._load, self._budget = load, budget
        self._buffer = b""
        self._need = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not declared as such
        self._send()

    def _send(self) -> None:
        if self._budget[0] <= 0:
            self._transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self._budget[0] -= 1
        self._began = perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += self._step

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._need:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._buffer, 0, end)
            self._need = end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < self._need:
            return
        self._load.took.append(perf_counter() - self._began)
        if self._buffer[9:12] != b"200":
            status = int(self._buffer[9:12])
            self._load.refused[status] = self._load.refused.get(status, 0) + 1
            self._load.last_refusal = self._buffer[: self._need]
        self._buffer, self._need = b"", 0
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionResetError(f"the server closed the connection ({error})"))


def get(path: str, key: str | None = None, **headers: str) -> bytes:
    """The bytes of a GET."""
    lines = [f"GET {path} HTTP/1.1", "host: 127.0.0.1"]
    lines += [f"authorization: Bearer {key}"] if key else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def send(
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    count: int | None = None,
    seconds: float | None = None,
) -> Load:
    """Requests taken in turn from `requests`, over so many connections at once: `count` of them, or for `seconds`.
    TimeoutError when an answer takes longer than 20 s beyond that, or all take longer than 300 s."""
    load, budget, loop = Load(), [count if count is not None else 1 << 40], asyncio.get_running_loop()
    began = perf_counter()
    opened = [
        await loop.create_connection(
            lambda first=number: _Connection(requests, first, connections, load, budget),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        for number in range(connections)
    ]
    try:
        if seconds is not None:
            await asyncio.sleep(seconds)
            budget[0] = 0
        async with asyncio.timeout(LATE_SECONDS if seconds is not None else ALL_SECONDS):
            await asyncio.gather(*(protocol.done for _, protocol in opened))
    finally:
        for transport, _ in opened:
            transport.close()
    load.seconds = perf_counter() - began
    return load
