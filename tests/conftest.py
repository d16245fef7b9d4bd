"""One embedded PostgreSQL a test process, migrated once; a firm with tenants of its own for each test (`world.py`).

Tests commit for real: tenants isolate them from each other, as they isolate firms. Nothing of ours is mocked. When all
have run, every event that any of them (or a process of theirs) emitted is held against its published schema.
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace

import hypothesis
import pytest
import uvloop
from tests import stalls
from tests.machine import lacks
from tests.rules import statements
from tests.scale import CHAOS
from tests.webhooks.bodies import wrong_events
from tests.world import Server, World, opened

from backoffice.platform.migrate import migrate
from backoffice.platform.postgres import (
    THROWAWAY,
    EmbeddedPostgres,
    bootstrap,
    copy_database,
    drop_database,
    role_passwords,
    throwaway_state,
)
from backoffice.platform.settings import Settings
from backoffice.platform.state import StateDirectory

# A busy machine is no fault of the code under test. The same tree plays the same examples; `make chaos` others.
hypothesis.settings.register_profile(
    "backoffice", deadline=None, derandomize=not CHAOS, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("backoffice")


statements.install()  # before the first connection of the run, whatever test makes it
stalls.watch()


@pytest.fixture(scope="session", autouse=True)
def every_statement_of_the_run_names_its_tenant() -> Iterator[None]:
    """Fails at the end of the run (of each xdist worker's) on any statement that bo_app sent without its tenant."""
    yield
    assert statements.recorder.faults() == []


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(stalls)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test marked with what this machine lacks is skipped by name, or fails where BACKOFFICE_TEST_REQUIRE names it
    (commas between)."""
    required = os.environ.get("BACKOFFICE_TEST_REQUIRE", "").split(",")
    for name, reason in lacks().items():
        for item in items if name not in required else ():
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def collections_are_short() -> Iterator[None]:
    """What a module leaves behind is looked through once and then never again: among all that thousands of tests leave,
    a full collection stands still for a second, in the middle of a test of time."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with throwaway_state() as state, EmbeddedPostgres(state, settings=THROWAWAY) as postgres:
        passwords = role_passwords(StateDirectory(state))
        bootstrap(postgres, passwords)
        address = postgres.start()
        settings = Settings(
            database_url=f"postgresql://{address.host}:{address.port}/backoffice",
            queue_url=f"postgresql://{address.host}:{address.port}/backoffice_queue",
            passwords=passwords,
            broker_url=None,
            state=tmp_path_factory.mktemp("state"),
            pepper=secrets.token_hex(32),
            storage_url=str(tmp_path_factory.mktemp("objects")),
            lease_seconds=2.0,
            drain_seconds=5.0,
            worker_threads=2,
            loopback_webhooks=True,
            trace_share=0.0,
            socket_dir=str(address.socket_dir),
            key_cache_seconds=0.0,
            log_level="error",
        )
        migrate(settings.dsn("bo_migrate"))
        copy_database(postgres, "backoffice", "backoffice_empty")
        yield Server(postgres, settings, "backoffice_empty")
        wrong = wrong_events(postgres.admin_dsn("backoffice"))
        assert not wrong, "events that are not what their published schemas say:\n" + "\n".join(wrong)


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop for the whole run: pools belong to a loop."""
    made = uvloop.new_event_loop()
    yield made
    made.close()


@pytest.fixture(scope="session")
def world(server: Server, loop: asyncio.AbstractEventLoop) -> Iterator[World]:
    with opened(server.settings, loop) as found:
        yield found


@pytest.fixture
def world_apart(server: Server, loop: asyncio.AbstractEventLoop) -> Iterator[World]:
    """A world in a database of the test's own: a dispatcher sees every tenant's jobs, also those that other tests left
    unfinished, and a job that another test left leased takes up its place."""
    name = f"backoffice_{secrets.token_hex(4)}"
    copy_database(server.postgres, server.empty, name)
    base = server.settings.database_url.rsplit("/", 1)[0]
    try:
        with opened(replace(server.settings, database_url=f"{base}/{name}"), loop) as found:
            yield found
    finally:
        drop_database(server.postgres, name)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """`async def test_…` runs on the one loop; no plugin needed."""
    if not asyncio.iscoroutinefunction(pyfuncitem.obj):
        return None
    loop = pyfuncitem.funcargs.get("loop") or pyfuncitem._request.getfixturevalue("loop")
    names = pyfuncitem._fixtureinfo.argnames
    given = {name: pyfuncitem.funcargs[name] for name in names}
    usual = 120 if pyfuncitem.get_closest_marker("kills") is None else 300
    loop.run_until_complete(asyncio.wait_for(pyfuncitem.obj(**given), None if CHAOS else usual))
    return True
