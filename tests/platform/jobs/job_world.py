"""What the tests of the job engine stand on: real worker and dispatcher processes, and tenants made on demand."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import asyncpg
import pika
import psycopg
from tests.platform.jobs.mother import Child, Mother
from tests.platform.jobs.rabbit_node import RabbitNode

from backoffice.platform.db import Unavailable
from backoffice.platform.jobs import lease as lease_of_job
from backoffice.platform.jobs import queries, routing
from backoffice.platform.jobs.heartbeat import Heartbeat, worker_name
from backoffice.platform.jobs.kinds import JobPayload
from backoffice.platform.jobs.runner import Runner
from backoffice.platform.postgres import EmbeddedPostgres
from backoffice.platform.principal import Principal, TenantFacts
from backoffice.platform.runtime import Runtime, new_request_id
from backoffice.platform.settings import Settings, to_environment
from backoffice.platform.tx import Row, Tx


@dataclass
class Processes:
    """The processes a test started; what is left is ended with it."""

    mother: Mother
    settings: Settings
    log: Path
    running: list[Child] = field(default_factory=list)

    def start(self, what: str, *arguments: str, **extra: str) -> Child:
        process = self.mother.start([what, *arguments], {**to_environment(self.settings), **extra}, self.log)
        self.running.append(process)
        return process

    def worker(self, **extra: str) -> Child:
        return self.start("worker", **extra)

    def dispatcher(self, **extra: str) -> Child:
        return self.start("dispatcher", **extra)

    def said(self, event: str) -> int:
        """How often an event stands in the logs."""
        return len(re.findall(rf'"event":\s*"{event}"', self.told()))

    async def ready(self, place: Place, workers: int) -> None:
        """Until so many workers take messages and a dispatcher leads."""

        async def look() -> bool:
            dead = [process.pid for process in self.running if process.poll() is not None]
            assert not dead, self.told()[-3000:]
            return self.said("working") >= workers and self.said("leading") >= 1

        await until(look, 60)

    def end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()

    def told(self) -> str:
        """The log lines of all processes."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@dataclass
class Tenant:
    """A tenant, and what a test does in it."""

    runtime: Runtime
    facts: TenantFacts
    actor: str = "system:test"

    @property
    def principal(self) -> Principal:
        return Principal(tenant=self.facts, actor=self.actor, scopes=frozenset({"*"}))

    @asynccontextmanager
    async def tx(self) -> AsyncIterator[Tx]:
        async with self.runtime.db.tx(self.principal, request_id=new_request_id()) as tx:
            yield tx
            await self.runtime.db.commit(tx)

    async def start(self, *payloads: JobPayload, **how: Any) -> list[UUID]:
        async with self.tx() as tx:
            return [await tx.start(payload, **how) for payload in payloads]

    async def job(self, job_id: UUID) -> Row:
        async with self.tx() as tx:
            return await queries.get(tx, job_id)

    async def states(self) -> Counter[str]:
        async with self.tx() as tx:
            rows = await tx.connection.fetch("SELECT state FROM app.job WHERE tenant_id = $1", self.facts.id)
        return Counter(row["state"] for row in rows)

    async def effects(self, *names: str) -> Counter[UUID]:
        """How often each mark had its effect."""
        async with self.tx() as tx:
            rows = await tx.connection.fetch(
                "SELECT object_id FROM app.audit_event WHERE tenant_id = $1 AND action = ANY ($2::text[])",
                self.facts.id,
                [f"test.{name}" for name in names or ("effect",)],
            )
        return Counter(row["object_id"] for row in rows)

    async def events(self) -> list[dict[str, Any]]:
        async with self.tx() as tx:
            rows = await tx.connection.fetch(
                "SELECT body FROM app.event WHERE tenant_id = $1 ORDER BY id", self.facts.id
            )
        return [json.loads(row["body"]) for row in rows]

    async def until(self, job_id: UUID, *states: str, seconds: float = 15) -> Row:
        """The row once the job is in one of the states."""
        row: Row = await until(lambda: self._in(job_id, states), seconds)
        return row

    async def _in(self, job_id: UUID, states: tuple[str, ...]) -> Row | None:
        row = await self.job(job_id)
        return row if row["state"] in states else None

    async def all_ended(self, seconds: float = 30) -> Counter[str]:
        """The states once no job is open."""

        async def look() -> Counter[str] | None:
            states = await self.states()
            return None if set(states) - {"succeeded", "dead", "canceled"} else states

        found: Counter[str] = await until(look, seconds)
        return found


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 15) -> Any:
    """What `look` says once it says something; a database that is just away says nothing."""
    end = time.monotonic() + seconds
    while True:
        with suppress(Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError):
            if found := await look():
                return found
        assert time.monotonic() < end, f"nothing within {seconds} s"
        await asyncio.sleep(0.01)


class Place:
    """A server with the schema, and the runtime of the test's own process."""

    def __init__(self, postgres: EmbeddedPostgres, settings: Settings, runtime: Runtime) -> None:
        self.postgres = postgres
        self.settings = settings
        self.runtime = runtime

    def tenant(self, *, mode: str = "test", weight: int = 1, cap: int = 1000, plan: str = "standard") -> Tenant:
        """A new tenant of a new firm."""
        firm = {"slug": f"firm-{secrets.token_hex(6)}", "legal_name": "Test", "display_name": "Test"}
        what = {
            "name": "t", "mode": mode, "plan": plan, "requests_per_minute": 1000, "writes_per_minute": 1000,
            "weight": weight, "max_in_flight": cap, "facts": {},
        }  # fmt: skip
        with psycopg.connect(self.settings.dsn("bo_migrate")) as connection:
            row = connection.execute(
                "SELECT ctl.apply_tenant(%s::jsonb, %s::jsonb)", (json.dumps(firm), json.dumps(what))
            ).fetchone()
        assert row is not None
        return Tenant(self.runtime, TenantFacts(id=row[0], mode=mode, firm=firm["slug"], plan=plan))  # type: ignore[arg-type]

    def admin(self, statement: str, *, database: str = "backoffice") -> list[Any]:
        """A statement of the superuser, for looking and for doing harm."""
        with psycopg.connect(self.postgres.admin_dsn(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def leased(self) -> int:
        return int(self.admin("SELECT count(*) FROM app.job WHERE lease_until IS NOT NULL")[0][0])


class Transport(Protocol):
    """What a test does to a broker."""

    def settle(self) -> None: ...
    def down(self) -> None: ...
    def up(self) -> None: ...
    def wipe(self) -> None: ...
    def count(self) -> int: ...


class PostgresTransport:
    """The embedded transport, in its own database."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def settle(self) -> None:
        """Ready to be taken down."""

    def down(self) -> None:
        """Nobody gets in, and who is in gets out."""
        self._place.admin("ALTER DATABASE backoffice_queue ALLOW_CONNECTIONS false", database="postgres")
        self._place.admin(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'backoffice_queue'",
            database="postgres",
        )

    def up(self) -> None:
        self._place.admin("ALTER DATABASE backoffice_queue ALLOW_CONNECTIONS true", database="postgres")

    def wipe(self) -> None:
        self._truncate("transport.message")

    def forget(self) -> None:
        """The messages, and who takes them."""
        self._truncate("transport.message, transport.consumer")

    def _truncate(self, tables: str) -> None:
        if self._place.admin("SELECT to_regclass('transport.message')", database="backoffice_queue")[0][0]:
            self._place.admin(f"TRUNCATE {tables}", database="backoffice_queue")

    def count(self) -> int:
        return int(self._place.admin("SELECT count(*) FROM transport.message", database="backoffice_queue")[0][0])


class RabbitTransport:
    """A RabbitMQ node."""

    def __init__(self, node: RabbitNode) -> None:
        self._node = node

    def settle(self) -> None:
        self._node.settle()

    def down(self) -> None:
        self._node.kill()

    def up(self) -> None:
        self._node.start()

    def wipe(self) -> None:
        with self._channel() as channel:
            channel.queue_purge("run")

    def count(self) -> int:
        with self._channel() as channel:
            return int(channel.queue_declare("run", passive=True).method.message_count)

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(self._node.url))
        try:
            yield connection.channel()
        finally:
            connection.close()


class Bench:
    """A runner of this process and a hand that releases: what the dispatcher and a worker do, step by step."""

    def __init__(self, place: Place, connection: asyncpg.Connection, heartbeat: Heartbeat) -> None:
        self.place = place
        self.connection = connection
        self.heartbeat = heartbeat
        self.runner = Runner(place.runtime, heartbeat, worker=worker_name())

    @classmethod
    async def open(cls, place: Place) -> Bench:
        dsn = place.settings.dsn("bo_dispatch")
        heartbeat = Heartbeat(dsn, place.settings.lease_seconds)
        heartbeat.start()
        return cls(place, await asyncpg.connect(dsn), heartbeat)

    async def close(self) -> None:
        self.heartbeat.close()
        await self.connection.close()

    async def release(self, tenant: Tenant, *, lease: float = 1.0, most: int = 100) -> list[tuple[UUID, int]]:
        """Release what is ready: (job, fence)."""
        released = []
        for band in ("interactive", "normal", "bulk"):
            rows = await self.connection.fetch(routing.RELEASE, tenant.facts.id, band, most, lease)
            released += [(row["id"], row["fence"]) for row in rows]
        return released

    async def round(self, tenant: Tenant) -> int:
        """Release and run what is ready; how many."""
        released = await self.release(tenant)
        if released:
            await self.runner.run(tenant.facts.id, released)
        return len(released)

    async def drain(self, tenant: Tenant, seconds: float = 10) -> Counter[str]:
        """Rounds until no job is open."""
        end = time.monotonic() + seconds
        while True:
            await self.round(tenant)
            states = await tenant.states()
            if not set(states) - {"succeeded", "dead", "canceled"}:
                return states
            assert time.monotonic() < end, states
            await asyncio.sleep(0.01)

    async def sweep(self) -> list[tuple[UUID, str]]:
        """The leases that ran out, and the states they ran out in."""
        return [(row["id"], row["state"]) for row in await self.connection.fetch(routing.SWEEP)]

    async def claim(self, tenant: Tenant, job: UUID, fence: int, *, lease: float = 1.0) -> Row | None:
        """A claim alone, as a worker that then does nothing."""
        async with tenant.tx() as tx:
            held = [(job, fence)]
            rows = await lease_of_job.claim(tx, held, worker="elsewhere:1", lease=timedelta(seconds=lease))
            return rows[0] if rows else None


def marks(count: int) -> list[UUID]:
    """Names for effects."""
    return [uuid4() for _ in range(count)]


def with_settings(processes: Processes, **changes: Any) -> Processes:
    """The same place, other settings."""
    processes.settings = replace(processes.settings, **changes)
    return processes
