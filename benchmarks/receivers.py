"""Many webhook receivers in one process, as cheap as they can be: every loopback address of HOSTS answers 200 at once,
except where the path is `/hang`, which answers nothing. `GET /` on 127.0.0.1 tells what came since it was last asked:
webhook ids, and the monotonic seconds (of the machine, so that processes can compare) at which each was complete."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import msgspec
import uvloop

HOSTS = [f"127.0.{1 + number // 200}.{1 + number % 200}" for number in range(1_000)]
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_HEAD_END, _LENGTH, _ID = b"\r\n\r\n", b"Content-Length: ", b"webhook-id: "
came: list[tuple[str, float]] = []


class Receiver(asyncio.Protocol):
    """One connection; its requests come one after the other, with a body whose length is told."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head = self._data.find(_HEAD_END)
        if head < 0:
            return
        if self._data.startswith(b"GET"):
            told = msgspec.json.encode(came)
            came.clear()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told) + told)
        else:
            length = self._data.index(_LENGTH) + len(_LENGTH)
            if len(self._data) < head + 4 + int(self._data[length : self._data.index(b"\r", length)]):
                return
            if not self._data.startswith(b"POST /hang"):
                self._transport.write(_OK)
                id_ = self._data.index(_ID) + len(_ID)
                came.append((self._data[id_ : self._data.index(b"\r", id_)].decode(), time.monotonic()))
        self._data = b""


async def serve(port: int) -> None:
    await asyncio.get_running_loop().create_server(Receiver, ["127.0.0.1", *HOSTS], port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(os.environ["PORT"])))
