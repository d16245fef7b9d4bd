"""How an answer leaves: its head and body in one piece, and never a head that waits for a body that does not come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvicorn

from backoffice.platform.web.one_write import OneWrite

_START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]}
_BODY = {"type": "http.response.body", "body": b"body"}


class Wire(asyncio.Transport):
    """What was written, piece by piece."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.pieces: list[bytes] = []
        self.closed_after: int | None = None

    def write(self, data: Any) -> None:
        assert self.closed_after is None
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed_after is not None

    def close(self) -> None:
        self.closed_after = len(self.pieces)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def _told(app: Callable[..., Coroutine[Any, Any, None]], request: bytes, *, turns: int = 20) -> Wire:
    """The wire after a request was answered by `app`."""
    config = uvicorn.Config(app, http=OneWrite, lifespan="off", log_config=None, access_log=False)
    config.load()
    wire = Wire()
    protocol = OneWrite(config=config, server_state=uvicorn.server.ServerState(), app_state={})
    protocol.connection_made(wire)
    protocol.data_received(request)
    for _ in range(turns):
        await asyncio.sleep(0)
    closed = wire.closed_after
    protocol.connection_lost(None)
    wire.closed_after = closed
    return wire


def _asked(method: str = "GET", *headers: str) -> bytes:
    return "\r\n".join([f"{method} / HTTP/1.1", "host: a", *headers, "", ""]).encode()


async def test_head_and_body_leave_in_one_piece() -> None:
    async def app(_: Any, __: Any, send: Any) -> None:
        await send(_START)
        await send(_BODY)

    wire = await _told(app, _asked() + _asked())
    assert [piece.startswith(b"HTTP/1.1 200 OK\r\n") and piece.endswith(b"\r\n\r\nbody") for piece in wire.pieces] == [
        True,
        True,
    ]


async def test_a_head_does_not_wait_for_a_body_that_takes_its_time() -> None:
    slow = asyncio.Event()

    async def app(_: Any, __: Any, send: Any) -> None:
        await send(_START)
        await slow.wait()
        await send(_BODY)

    [head] = (await _told(app, _asked())).pieces
    assert head.endswith(b"content-length: 4\r\n\r\n")


@pytest.mark.parametrize("headers", [[], ["connection: close"]])
async def test_an_answer_without_a_body_leaves(headers: list[str]) -> None:
    async def app(_: Any, __: Any, send: Any) -> None:
        await send({**_START, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    for method in ("HEAD", "GET"):
        wire = await _told(app, _asked(method, *headers))
        assert b"".join(wire.pieces).endswith(b"\r\n\r\n")
        assert wire.closed_after == (len(wire.pieces) if headers else None)


async def test_what_is_streamed_arrives_in_order() -> None:
    async def app(_: Any, __: Any, send: Any) -> None:
        await send({**_START, "headers": []})
        for piece in (b"one\r\n\r\n", b"two", b"three\r\n\r\n"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    told = b"".join((await _told(app, _asked())).pieces)
    assert told.endswith(b"7\r\none\r\n\r\n\r\n3\r\ntwo\r\n9\r\nthree\r\n\r\n\r\n0\r\n\r\n")
