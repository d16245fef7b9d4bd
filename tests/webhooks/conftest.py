"""Fixtures of the webhooks' tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.webhooks.bench import Bench

from backoffice.platform.courier import fanning, loopback
from backoffice.platform.db import Database
from backoffice.platform.settings import INDEX_WALKS


@pytest.fixture
def bench(world: Any, dispatch: Database, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Where a courier finds nothing to do but what the test gives it: others have left thousands of events behind. No
    bell rings for what a test records, so the courier looks often."""
    loopback.configure(True)
    monkeypatch.setattr(fanning, "POLL_SECONDS", 0.05)
    loop.run_until_complete(_put_away(dispatch))
    return Bench(world)


async def _put_away(dispatch: Database) -> None:
    async with dispatch.untenanted() as connection:
        await connection.execute("UPDATE app.event SET fanned_out = true WHERE NOT fanned_out")
        await connection.execute(
            "UPDATE app.webhook_delivery SET state = 'canceled', finished_at = clock_timestamp(), fence = fence + 1,"
            " lease_until = NULL, worker = NULL WHERE state IN ('ready', 'retry_wait', 'leased')"
        )


@pytest.fixture
def settings(server: Any) -> Any:
    return server.settings


@pytest.fixture(scope="session")
def dispatch(server: Any, loop: asyncio.AbstractEventLoop) -> Iterator[Database]:
    """A pool of `bo_dispatch`."""
    db = Database(server.settings.dsn("bo_dispatch", **INDEX_WALKS), size=4)
    loop.run_until_complete(db.open())
    yield db
    loop.run_until_complete(db.close())
