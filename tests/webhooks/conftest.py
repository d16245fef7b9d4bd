"""Fixtures of the webhooks' tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.webhooks.bench import Bench

from backoffice.platform.courier import loopback
from backoffice.platform.db import Database


@pytest.fixture
def bench(world: Any) -> Bench:
    loopback.configure(True)
    return Bench(world)


@pytest.fixture
def settings(server: Any) -> Any:
    return server.settings


@pytest.fixture(scope="session")
def dispatch(server: Any, loop: asyncio.AbstractEventLoop) -> Iterator[Database]:
    """A pool of `bo_dispatch`."""
    db = Database(server.settings.dsn("bo_dispatch"), size=4)
    loop.run_until_complete(db.open())
    yield db
    loop.run_until_complete(db.close())
