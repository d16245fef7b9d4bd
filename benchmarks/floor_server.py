"""The floor under the hot read: a bare ASGI function, one statement on asyncpg, JSON by msgspec. No key, no limits, no
transaction of its own, no log: it answers whoever asks, for the one tenant its sessions are bound to."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import uvicorn

_SQL = "SELECT {columns} FROM app.worker WHERE worker.tenant_id = $1 AND worker.id = $2"
_HEADERS = [(b"content-type", b"application/json")]


class Floor:
    """`GET /<uuid of a worker>`."""

    def __init__(self, dsn: str, tenant: UUID, columns: str) -> None:
        self._dsn, self._tenant, self._sql = dsn, tenant, _SQL.format(columns=columns)
        self._pool: asyncpg.Pool | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._pool is None:
            bound = {"app.tenant_id": str(self._tenant)}
            self._pool = await asyncpg.create_pool(self._dsn, min_size=8, max_size=8, server_settings=bound)
        if scope["path"] == "/":
            await self._answer(send, b"ok")
            return
        async with self._pool.acquire() as connection:
            row = await connection.fetchrow(self._sql, self._tenant, UUID(scope["path"][1:]))
        await self._answer(send, msgspec.json.encode(dict(row)))

    async def _answer(self, send: Any, body: bytes) -> None:
        headers = [*_HEADERS, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    floor = Floor(os.environ["DSN"], UUID(os.environ["TENANT"]), os.environ["COLUMNS"])
    uvicorn.run(
        floor, host="127.0.0.1", port=int(os.environ["PORT"]), loop="uvloop", http="httptools",
        lifespan="off", access_log=False, log_level="warning",
    )  # fmt: skip
