"""Fixtures of the contract's tests; a conftest takes them in by name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.contract.ground import Ground, made
from tests.contract.maker import Maker, firm
from tests.world import Server, World


@pytest.fixture(scope="module")
def admin_dsn(server: Server) -> str:
    """The superuser's, through the socket: what no request can do, and what a test must see."""
    return server.postgres.admin_dsn("backoffice")


@pytest.fixture(scope="module")
def app(world: World) -> Any:
    return world.application()


@pytest.fixture(scope="module")
def maker(world: World, app: Any, admin_dsn: str, loop: asyncio.AbstractEventLoop) -> Iterator[Maker]:
    """The test tenant of a firm of the module's own."""
    made = loop.run_until_complete(_opened(world, app, admin_dsn))
    yield made
    loop.run_until_complete(made.close())


@dataclass
class Strangers:
    """Who must see nothing of `maker`'s: another firm's test tenant, and the live tenant of the same firm."""

    owner: Maker
    other_firm: Maker
    other_mode: Maker


@pytest.fixture(scope="module")
def strangers(world: World, app: Any, admin_dsn: str, loop: asyncio.AbstractEventLoop) -> Iterator[Strangers]:
    async def opened() -> Strangers:
        ours, theirs = await firm(world), await firm(world)
        made = [Maker(world, tenant, app, admin_dsn) for tenant in (ours.test, theirs.test, ours.live)]
        return Strangers(*[await each.open() for each in made])

    found = loop.run_until_complete(opened())
    yield found
    for each in (found.owner, found.other_firm, found.other_mode):
        loop.run_until_complete(each.close())


@pytest.fixture(scope="session")
def ground(world: World, server: Server, loop: asyncio.AbstractEventLoop) -> Iterator[Ground]:
    """Two tenants with something of everything; nobody changes them."""
    admin_dsn = server.postgres.admin_dsn("backoffice")
    found = loop.run_until_complete(made(world, server, world.application(), admin_dsn))
    yield found
    for each in (found.mine, found.victim):
        loop.run_until_complete(each.close())


async def _opened(world: World, app: Any, admin_dsn: str) -> Maker:
    return await Maker(world, (await firm(world)).test, app, admin_dsn).open()
