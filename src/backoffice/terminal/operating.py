"""What the operator's commands stand on: the open runtime, and the control database for what no tenant may see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from backoffice.accounts import provision
from backoffice.local.place import open_place
from backoffice.platform import logs
from backoffice.platform.db import Database
from backoffice.platform.principal import TenantFacts
from backoffice.platform.runtime import Runtime, open_runtime
from backoffice.platform.settings import Settings
from backoffice.terminal.refusals import Refused

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Operator:
    """`control` signs in as bo_migrate: firms and tenants; `runtime` as bo_app, one tenant a transaction."""

    runtime: Runtime
    control: Database

    async def tenant(self, written: str) -> TenantFacts:
        """The tenant written as `firm/name`, such as northwind-staffing/test. Refused with those that are there."""
        firm, _, name = written.partition("/")
        there = await provision.tenants_of(self.control, firm)
        if name not in there:
            known = ", ".join(f"{firm}/{each}" for each in sorted(there))
            raise Refused(
                f"There is no tenant {written!r}. "
                + (
                    f"{firm} has {known}."
                    if known
                    else f"No firm {firm!r} has been applied: `backoffice tenants apply`."
                )
            )
        return there[name]


@asynccontextmanager
async def operating(settings: Settings) -> AsyncIterator[Operator]:
    """Open both; closed at the end."""
    control = Database(settings.dsn("bo_migrate"), size=2)
    async with open_runtime(settings) as runtime:
        await control.open()
        try:
            yield Operator(runtime, control)
        finally:
            await control.close()


def operate(act: Callable[[Operator], Awaitable[R]]) -> R:
    """Run `act` on this machine's platform, starting the embedded PostgreSQL for as long as it takes."""

    async def run(settings: Settings) -> R:
        async with operating(settings) as operator:
            return await act(operator)

    logs.configure("cli", "error")
    with open_place() as place:
        return asyncio.run(run(place.settings))
