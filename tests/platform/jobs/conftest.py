"""A PostgreSQL of its own for the job engine: it is stopped, wiped and killed here."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.platform.jobs.job_world import (
    Bench,
    Place,
    PostgresTransport,
    Processes,
    RabbitTransport,
    Transport,
    with_settings,
)
from tests.platform.jobs.mother import Mother
from tests.platform.jobs.rabbit_node import RabbitNode

from backoffice.platform.doorbell import open_doorbell
from backoffice.platform.migrate import migrate
from backoffice.platform.postgres import THROWAWAY, EmbeddedPostgres, bootstrap, role_passwords, throwaway_state
from backoffice.platform.runtime import Runtime, open_runtime
from backoffice.platform.settings import Settings
from backoffice.platform.state import StateDirectory


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory, loop: asyncio.AbstractEventLoop) -> Iterator[Place]:
    with throwaway_state() as state, EmbeddedPostgres(state, settings=THROWAWAY) as postgres:
        passwords = role_passwords(StateDirectory(state))
        bootstrap(postgres, passwords)
        address = postgres.start()
        base = f"postgresql://{address.host}:{address.port}"
        settings = Settings(
            database_url=f"{base}/backoffice",
            queue_url=f"{base}/backoffice_queue",
            passwords=passwords,
            broker_url=None,
            state=tmp_path_factory.mktemp("job_state"),
            pepper="1:" + secrets.token_hex(32),
            storage_url=str(tmp_path_factory.mktemp("job_objects")),
            lease_seconds=1.0,
            drain_seconds=4.0,
            worker_threads=2,
            trace_share=0.0,
            socket_dir=str(address.socket_dir),
            log_level="info",
        )
        migrate(settings.dsn("bo_migrate"))
        stack = AsyncExitStack()

        async def open_all() -> Runtime:
            bell = await stack.enter_async_context(open_doorbell(settings.dsn("bo_app")))
            return await stack.enter_async_context(open_runtime(settings, ring=bell.ring))

        yield Place(postgres, settings, loop.run_until_complete(open_all()))
        loop.run_until_complete(stack.aclose())


@pytest.fixture(scope="package")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    node = RabbitNode(tmp_path_factory.mktemp("rabbit"))
    try:
        node.start()
        node.declare()
        yield node
    finally:
        node.end()


@pytest.fixture(params=["postgres", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def transport(request: pytest.FixtureRequest, place: Place, processes: Processes) -> Transport:
    """Each of the two transports, and the test's processes on it."""
    if request.param == "postgres":
        return PostgresTransport(place)
    node: RabbitNode = request.getfixturevalue("rabbit")
    with_settings(processes, broker_url=node.url)
    return RabbitTransport(node)


@pytest.fixture(scope="package")
def mother() -> Iterator[Mother]:
    made = Mother()
    yield made
    made.close()


@pytest.fixture
def processes(mother: Mother, place: Place, tmp_path: Path) -> Iterator[Processes]:
    """Real processes on the embedded transport; the jobs a test leaves behind are gone with it."""
    made = Processes(mother, place.settings, tmp_path / "processes.log")
    yield made
    made.end()
    sys.stderr.write(made.told()[-4000:])  # shown where the test failed


@pytest.fixture
def bench(place: Place, loop: asyncio.AbstractEventLoop) -> Iterator[Bench]:
    """A runner in this process, and releases by hand: no broker, no dispatcher."""
    made = loop.run_until_complete(Bench.open(place))
    yield made
    loop.run_until_complete(made.close())


@pytest.fixture(autouse=True)
def _nothing_left(place: Place) -> Iterator[None]:
    """The jobs a test leaves behind are gone with it, and what the transport knows of workers it killed."""
    yield
    PostgresTransport(place).forget()
    place.admin("TRUNCATE app.job, app.job_step, app.job_log, app.schedule")
