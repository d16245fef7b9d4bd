"""What a test stands on: the embedded server, firms made on demand, their keys, HTTP to the application, their jobs."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import httpx
from msgspec import structs

from backoffice.accounts import commands, provision
from backoffice.accounts.tenant_file import TenantFile, load
from backoffice.platform.db import Database
from backoffice.platform.postgres import EmbeddedPostgres
from backoffice.platform.principal import Principal, TenantFacts
from backoffice.platform.runtime import Runtime, new_request_id, open_runtime
from backoffice.platform.settings import Settings
from backoffice.platform.tx import Tx

ROOT = Path(__file__).parent.parent
_EINS = itertools.count(1_000_000)  # an EIN stands in one live tenant only
_RELEASE = """
UPDATE app.job SET state = 'released', fence = fence + 1, lease_until = clock_timestamp() + interval '60 s'
 WHERE (tenant_id, id) IN (
   SELECT tenant_id, id FROM app.job
    WHERE tenant_id = $1 AND state IN ('ready', 'retry_wait') AND run_at <= clock_timestamp() ORDER BY id LIMIT 10)
RETURNING id, fence"""


@dataclass(frozen=True)
class Server:
    """The embedded server of this test process, with the migrated database."""

    postgres: EmbeddedPostgres
    settings: Settings
    empty: str  # a database with the schema and not a row, for whoever plants mistakes into a schema


@dataclass
class Tenant:
    """One tenant of a test's firm, with its people's keys."""

    facts: TenantFacts
    keys: dict[str, str] = field(default_factory=dict)  # person → key with all scopes of their roles

    def system(self, what: str = "test") -> Principal:
        return Principal.system(self.facts, what)


@dataclass
class Firm:
    test: Tenant
    live: Tenant


class World:
    """What a test stands on: the open runtime, and firms made on demand."""

    def __init__(self, runtime: Runtime, control: Database) -> None:
        self.runtime = runtime
        self.control = control

    async def firm(self, *, file: TenantFile | None = None, keys: bool = True) -> Firm:
        """A new firm like Northwind (another slug and EIN), provisioned as the command line does it."""
        file = file or _northwind()
        mark = secrets.token_hex(4)
        file = structs.replace(
            file,
            firm=structs.replace(file.firm, slug=f"firm-{mark}"),
            employer=structs.replace(file.employer, ein=f"00-{next(_EINS):07d}"),
        )
        await provision.apply_firm(self.control, self.runtime, file)
        facts = await provision.tenants_of(self.control, file.firm.slug)
        firm = Firm(Tenant(facts["test"]), Tenant(facts["live"]))
        for tenant in (firm.test, firm.live) if keys else ():
            async with self.runtime.tx(tenant.system("keys_create")) as tx:
                tenant.keys = {person: await self._key(tx, person, None) for person in file.people}
        return firm

    async def key(self, tenant: Tenant, person: str, *, scopes: frozenset[str] | None = None) -> str:
        """A key of a person of the tenant file, by slug."""
        async with self.runtime.tx(tenant.system("keys_create")) as tx:
            return await self._key(tx, person, scopes)

    async def _key(self, tx: Tx, person: str, scopes: frozenset[str] | None) -> str:
        id_ = await person_id(tx, person)
        made = await commands.issue_key(
            tx, id_, self.runtime.peppers, name="test", kind="rk" if scopes else "sk", scopes=scopes
        )
        return str(made.secret)

    @asynccontextmanager
    async def tx(self, tenant: Tenant, *, dry_run: bool = False) -> AsyncIterator[Tx]:
        """A committed transaction of the platform itself in a tenant."""
        async with self.runtime.db.tx(tenant.system(), request_id=new_request_id(), dry_run=dry_run) as tx:
            yield tx
            if not dry_run:
                await self.runtime.db.commit(tx)

    async def work(self, tenant: Tenant, *, most: int = 100_000) -> int:
        """Run this tenant's jobs in this process until none is left, as dispatcher and worker do, or so many have run;
        how many runs."""
        from backoffice.platform.jobs import registry
        from backoffice.platform.jobs.heartbeat import Heartbeat
        from backoffice.platform.jobs.runner import Runner

        registry.load()
        settings = self.runtime.settings
        heartbeat = Heartbeat(settings.dsn("bo_dispatch"), 60)
        heartbeat.start()
        runner = Runner(self.runtime, heartbeat, worker="test")
        dispatch = Database(settings.dsn("bo_dispatch"), size=1)
        await dispatch.open()
        runs = 0
        try:
            while runs < most:
                async with dispatch.untenanted() as connection:
                    rows = await connection.fetch(_RELEASE, tenant.facts.id)
                for row in rows:
                    await runner.run(tenant.facts.id, [(row["id"], row["fence"])])
                    runs += 1
                if not rows:
                    break
            return runs
        finally:
            await dispatch.close()
            heartbeat.close()

    def application(self) -> Any:
        """The application of this world, with what `api.HANDLERS` holds now; it remembers no key."""
        from backoffice.api import build
        from backoffice.platform.web.authenticate import Authenticator

        return build(self.runtime, Authenticator(self.runtime.db, self.runtime.peppers, keep=0))

    @cached_property
    def app(self) -> Any:
        """The application as it is; built once, since that takes an eighth of a second."""
        return self.application()

    def client(self, key: str | None = None, *, app: Any = None) -> httpx.AsyncClient:
        """HTTP to the application in this process, with a key."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app=self.app if app is None else app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers)


@contextmanager
def opened(settings: Settings, loop: asyncio.AbstractEventLoop) -> Iterator[World]:
    """A world in the database of these settings, for the life of the block."""
    stack = open_runtime(settings)
    runtime = loop.run_until_complete(stack.__aenter__())
    control = Database(settings.dsn("bo_migrate"), size=2)
    loop.run_until_complete(control.open())
    yield World(runtime, control)
    loop.run_until_complete(control.close())
    loop.run_until_complete(stack.__aexit__(None, None, None))


@cache
def _northwind() -> TenantFile:
    return load(ROOT / "tenants" / "northwind-staffing")


async def set_clock(tx: Tx, to: datetime) -> None:
    """Put a test tenant's clock at an instant, as if nothing were due on the way."""
    from backoffice.platform.models import test_clock
    from backoffice.platform.tables import TENANT

    moved = test_clock.update().where(test_clock.c.tenant_id == TENANT).values(frozen_time=to)
    assert await tx.execute(moved) == 1
    tx.forget_time()


async def person_id(tx: Tx, slug: str) -> Any:
    from sqlalchemy import select

    from backoffice.accounts.models import person
    from backoffice.platform.tables import TENANT

    id_ = await tx.value(select(person.c.id).where(person.c.tenant_id == TENANT, person.c.slug == slug))
    assert id_ is not None, slug
    return id_
