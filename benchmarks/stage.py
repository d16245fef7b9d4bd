"""The platform of a benchmark: a PostgreSQL of its own as it is set up by default (it syncs to disk), firms like
Northwind, and the product's real processes, started and ended here."""

from __future__ import annotations

import csv
import io
import json
import time
import urllib.request
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from uuid import UUID

import psycopg
from msgspec import structs
from sqlalchemy import select

from backoffice.accounts import clocks, models, provision
from backoffice.accounts import commands as accounts
from backoffice.accounts.schemas import CreateTestClock
from backoffice.accounts.tenant_file import load
from backoffice.kernel.chunks import in_chunks
from backoffice.local.place import Place, open_place
from backoffice.local.processes import free_port, freeing, units
from backoffice.people import commands as people
from backoffice.people.csv_files import parse_workers
from backoffice.platform import logs
from backoffice.platform.db import Database
from backoffice.platform.postgres import throwaway_state
from backoffice.platform.principal import Principal, TenantFacts
from backoffice.platform.runtime import Runtime, new_request_id, open_runtime
from backoffice.platform.settings import Settings
from backoffice.platform.supervisor import Supervisor, Unit
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx

ROOT = Path(__file__).parent.parent
NORTHWIND = ROOT / "tenants" / "northwind-staffing"
MONDAY = datetime(2026, 11, 16, 14, tzinfo=UTC)  # nine in the morning in New York
START_SECONDS = 60.0
Rows = list[dict[str, str]]


def rows_of(file: str) -> Rows:
    """A CSV file of Northwind's folder."""
    with (NORTHWIND / file).open(encoding="utf-8") as text:
        return list(csv.DictReader(text))


def as_csv(rows: Rows) -> bytes:
    """The rows as a file, as a front office would send it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@dataclass
class Tenant:
    """A tenant of a benchmark, with a key of each person it asked for."""

    facts: TenantFacts
    keys: dict[str, str] = field(default_factory=dict)


@dataclass
class Stage:
    """An open platform: `runtime` is this process's own, the product's processes run beside it."""

    place: Place
    runtime: Runtime
    control: Database

    @property
    def settings(self) -> Settings:
        return self.place.settings

    async def firm(
        self, slug: str, *people_: str, jobs_in_flight: int | None = None, frozen: bool = True
    ) -> dict[str, Tenant]:
        """A firm like Northwind, without its limits on requests: its tenants by name, the test tenants' clocks frozen
        at Monday 2026-11-16 09:00 New York unless told otherwise, with a key for each of `people_`. `jobs_in_flight`:
        else its plan's."""
        file = load(NORTHWIND)
        number = zlib.crc32(slug.encode()) % 10_000_000
        limits = {"requests_per_minute": 1_000_000, "writes_per_minute": 1_000_000, "jobs_in_flight": jobs_in_flight}
        environments = {
            name: structs.replace(each, limits=structs.replace(each.limits, **limits))
            for name, each in file.environments.items()
        }
        file = structs.replace(
            file,
            firm=structs.replace(file.firm, slug=slug),
            employer=structs.replace(file.employer, ein=f"00-{number:07d}"),
            environments=environments,
        )
        await provision.apply_firm(self.control, self.runtime, file)
        tenants = {
            name: Tenant(facts) for name, facts in (await provision.tenants_of(self.control, file.firm.slug)).items()
        }
        for tenant in tenants.values():
            async with self.tx(tenant) as tx:
                if frozen and tenant.facts.mode == "test":
                    await clocks.freeze(tx, CreateTestClock(frozen_time=MONDAY))
                for slug_ in people_:
                    tenant.keys[slug_] = await self._key(tx, slug_)
        return tenants

    def bare_tenants(self, count: int, weight: Callable[[], int], *, jobs_in_flight: int) -> list[Tenant]:
        """Test tenants with nobody in them, each of a firm of its own: quickly made, enough for jobs."""
        made = []
        quotas = {"requests_per_minute": 1_000, "writes_per_minute": 1_000}
        with psycopg.connect(self.settings.dsn("bo_migrate")) as connection:
            for number in range(count):
                slug = f"bare-{number}"
                firm = {"slug": slug, "legal_name": slug, "display_name": slug}
                what = {"name": "test", "mode": "test", "plan": "standard", "weight": weight(), "facts": {}, **quotas}
                what["max_in_flight"] = jobs_in_flight
                row = connection.execute(
                    "SELECT ctl.apply_tenant(%s::jsonb, %s::jsonb)", (json.dumps(firm), json.dumps(what))
                ).fetchone()
                assert row is not None
                made.append(Tenant(TenantFacts(id=row[0], mode="test", firm=slug, plan="standard")))
        return made

    async def _key(self, tx: Tx, slug: str) -> str:
        person = models.person.c
        id_ = await tx.value(select(person.id).where(person.tenant_id == TENANT, person.slug == slug))
        return str((await accounts.issue_key(tx, id_, self.runtime.peppers, name="benchmark", kind="sk")).secret)

    @asynccontextmanager
    async def tx(self, tenant: Tenant) -> AsyncIterator[Tx]:
        """A committed transaction of the platform itself."""
        principal = Principal.system(tenant.facts, "benchmark")
        db = self.runtime.db
        async with db.tx(principal, request_id=new_request_id(), time_class="step") as tx:
            yield tx
            await db.commit(tx)

    async def add_workers(self, tenant: Tenant, rows: Rows) -> list[UUID]:
        """Import workers as `workers.upsert` does; their ids, in no order."""
        parsed = parse_workers(as_csv(rows))
        assert not parsed.faults, parsed.faults[:3]
        for chunk in in_chunks(parsed.rows, 100):
            async with self.tx(tenant) as tx:
                applied = await people.upsert_workers(tx, chunk)
                assert not applied.faults, applied.faults[:3]
        from backoffice.people.models import worker

        async with self.tx(tenant) as tx:
            return [row["id"] for row in await tx.fetch(select(worker.c.id).where(worker.c.tenant_id == TENANT))]


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A platform from nothing, gone at the end; about two seconds."""
    logs.configure("benchmark", "error")
    with throwaway_state() as state, open_place({}, state=state) as place:
        async with open_runtime(place.settings) as runtime:
            control = Database(place.settings.dsn("bo_migrate"), size=2)
            await control.open()
            try:
                yield Stage(place, runtime, control)
            finally:
                await control.close()


@contextmanager
def processes(stage_: Stage, *names: str, workers: int = 1, **changes: Any) -> Iterator[tuple[Settings, Supervisor]]:
    """The product's processes of these names, with changed settings and a free port, until the end of the block; they
    are ready when it begins. Their log lines go to files beside the database."""
    port = free_port()
    settings = replace(stage_.settings, port=port, public_url=f"http://127.0.0.1:{port}", **changes)
    logs_ = stage_.place.state / f"logs-{port}"
    wanted = [unit for unit in units(settings, workers=workers, logs=logs_) if unit.name in names]
    with Supervisor(wanted, freeing(settings)) as supervisor:
        try:
            if "api" in names:
                wait_for(port, "/readyz")
            yield settings, supervisor
        except (TimeoutError, AssertionError) as error:
            for file in sorted(logs_.glob("*.log")):
                error.add_note(f"{file.name}: {file.read_text()[-600:]}")
            raise


@contextmanager
def other_server(module: str, env: Mapping[str, str], ask: str) -> Iterator[tuple[int, int]]:
    """A server that is not the product, `python -m benchmarks.<module>`; its port and process id."""
    import sys

    port = free_port()
    unit = Unit(module, [sys.executable, "-m", f"benchmarks.{module}"], {**env, "PORT": str(port)})
    with Supervisor([unit]) as supervisor:
        wait_for(port, ask)
        yield port, supervisor.pids(module)[0]


def wait_for(port: int, path: str) -> None:
    """Until a server answers 200. TimeoutError after a minute."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            if time.monotonic() > until:
                raise TimeoutError(f"nothing answers on port {port} after {START_SECONDS:.0f} s") from None
            time.sleep(0.05)
