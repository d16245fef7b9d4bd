"""Starts one job a day in every tenant, beside the dispatcher and while that leads: which tenants there are is asked
as `bo_dispatch`, the job is started as `bo_app` in its tenant's own transaction.

A day begins in every tenant at another minute, so that they do not all start at once, and is of the database's clock:
a test tenant's may stand still for years. Its date is the job's key, so it may be started twice and is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from backoffice.kernel import ids
from backoffice.platform import logs
from backoffice.platform.db import CommitUncertain, Database, Unavailable
from backoffice.platform.jobs import routing
from backoffice.platform.jobs.kinds import JobPayload
from backoffice.platform.principal import Principal
from backoffice.platform.runtime import Runtime

LOOK_SECONDS: Final = 60.0
DAY: Final = timedelta(days=1)
_NOW: Final = "SELECT clock_timestamp()"
_LOST: Final = (Unavailable, CommitUncertain, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
log = logs.get("daily")


class Daily:
    """`dispatch` signs in as `bo_dispatch`, the runtime as `bo_app`; `leading` says whether it is our turn."""

    def __init__(
        self, dispatch: Database, runtime: Runtime, payload: JobPayload, *, leading: Callable[[], bool]
    ) -> None:
        self._dispatch = dispatch
        self._runtime = runtime
        self._payload = payload
        self._leading = leading
        self._started: dict[UUID, date] = {}

    async def run(self) -> None:
        """Look every minute, until canceled."""
        while True:
            if self._leading():
                try:
                    await self.look()
                except _LOST as error:
                    log.warning("database_lost", **logs.error_fields(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Start what has not been started for today. A tenant has its first such day a day after it was made."""
        async with self._dispatch.autocommit() as connection:
            now: datetime = await connection.fetchval(_NOW)
            tenants = [row["tenant_id"] for row in await connection.fetch(routing.LIMITS)]
        for tenant_id in tenants:
            day = day_of(tenant_id, now)
            if self._started.get(tenant_id) == day or ids.made_at(tenant_id) > now - DAY:
                continue
            facts = await self._runtime.tenant(tenant_id)
            if facts is not None:
                async with self._runtime.tx(Principal.system(facts, "daily")) as tx:
                    await tx.start(self._payload, key=day.isoformat())
            self._started[tenant_id] = day


def day_of(tenant_id: UUID, now: datetime) -> date:
    """The day that it is for this tenant: it begins at one of the day's 86,400 seconds (UTC)."""
    return (now - timedelta(seconds=tenant_id.int % 86_400)).date()
