"""Fires schedules in time, beside the dispatcher and while that leads: sees as `bo_dispatch` which are due, and fires
each as `bo_app` in its tenant's own transaction. A loop of its own, so that midnight in ten thousand tenants holds no
release up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

import asyncpg

from backoffice.platform import logs
from backoffice.platform.connections import CLOSED
from backoffice.platform.db import CommitUncertain, Database, Unavailable
from backoffice.platform.jobs import schedules
from backoffice.platform.principal import Principal
from backoffice.platform.runtime import Runtime

LOOK_SECONDS: Final = 1.0
LOOK_SHARE: Final = 100  # a look at many schedules takes at most a hundredth of the time
AT_ONCE: Final = 200
PUT_OFF_SECONDS: Final = 60.0
_DUE: Final = "SELECT tenant_id, id FROM app.schedule WHERE next_at <= clock_timestamp() ORDER BY next_at, id LIMIT $1"
_DATABASE_LOST = (Unavailable, CommitUncertain, asyncpg.PostgresConnectionError, *CLOSED,
                  asyncpg.OperatorInterventionError, OSError, TimeoutError)  # fmt: skip
log = logs.get("scheduler")


class Scheduler:
    """`dispatch` signs in as `bo_dispatch`, the runtime as `bo_app`; `leading` says whether it is our turn."""

    def __init__(self, dispatch: Database, runtime: Runtime, *, leading: Callable[[], bool]) -> None:
        self._dispatch = dispatch
        self._runtime = runtime
        self._leading = leading
        self._put_off: dict[UUID, float] = {}

    async def run(self) -> None:
        """Look and fire, until canceled."""
        while True:
            pause = LOOK_SECONDS
            if self._leading():
                try:
                    pause = await self.look()
                except _DATABASE_LOST as error:
                    log.warning("database_lost", **logs.error_fields(error))
            await asyncio.sleep(pause)

    async def look(self) -> float:
        """Fire what is due; the seconds until the next look. One that cannot be fired is put off, and holds up no
        other."""
        began = time.monotonic()
        self._put_off = {id_: until for id_, until in self._put_off.items() if until > began}
        async with self._dispatch.autocommit() as connection:
            rows = await connection.fetch(_DUE, AT_ONCE + len(self._put_off))
        pause = max(LOOK_SECONDS, LOOK_SHARE * (time.monotonic() - began))
        due = [row for row in rows if row["id"] not in self._put_off]
        for row in due:
            try:
                await self._fire(row["tenant_id"], row["id"])
            except _DATABASE_LOST:
                raise
            except Exception as error:
                self._put_off[row["id"]] = time.monotonic() + PUT_OFF_SECONDS
                log.error(
                    "schedule_not_fired",
                    tenant=str(row["tenant_id"]),
                    schedule=str(row["id"]),
                    **logs.error_fields(error),
                )
        return 0.0 if len(due) >= AT_ONCE else pause

    async def _fire(self, tenant_id: UUID, schedule_id: UUID) -> None:
        facts = await self._runtime.tenant(tenant_id)
        if facts is None:
            return
        principal = Principal.system(facts, "schedule")
        async with self._runtime.db.tx(principal, request_id="system:schedule") as tx:
            count = await schedules.fire(tx, schedule_id)
            await self._runtime.db.commit(tx)
        log.info("schedule_fired", tenant=str(tenant_id), count=count)
