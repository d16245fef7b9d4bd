"""Fan-out: finds tenants with new events and has each handed to its endpoints, one transaction a tenant and batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from backoffice.platform import logs, pulse
from backoffice.platform.courier import measures
from backoffice.platform.courier.ports import Post
from backoffice.platform.courier.tenants import Tenants
from backoffice.platform.db import Database
from backoffice.platform.doorbell import Listener

POLL_SECONDS = 0.25
AT_ONCE = 4  # tenants; each gets one batch before any gets a second
log = logs.get("courier")


class FanOut:
    """`on_new(tenant, endpoints)` is told what got deliveries. A ring starts a round; a poll does as well."""

    def __init__(
        self,
        dispatch: Database,
        tenants: Tenants,
        post: Post,
        listener: Listener,
        on_new: Callable[[UUID, Sequence[UUID]], None],
    ) -> None:
        self._listener = listener
        self._dispatch = dispatch
        self._tenants = tenants
        self._post = post
        self._on_new = on_new
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def round(self) -> None:
        await self._listener.wait(POLL_SECONDS)
        async with self._dispatch.untenanted() as connection:
            waiting = await self._post.tenants_with_events(connection)
        outcomes = await asyncio.gather(*(self._batch(tenant) for tenant in waiting), return_exceptions=True)
        faults = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if faults and len(faults) == len(outcomes):
            raise faults[0]
        for fault in faults:  # one tenant's trouble must not slow down the others
            measures.FAULTS.labels("fan_out").inc()
            log.warning("fan_out_failed", **logs.error_fields(fault))

    async def _batch(self, tenant: UUID) -> None:
        async with self._turns:
            async with self._tenants.tx(tenant) as tx:
                done = await self._post.fan_out(tx)
            pulse.worked("fan_out")  # one of very many batches, perhaps
            measures.FANNED_OUT.inc(done.events)
            if done.endpoints:
                self._on_new(tenant, done.endpoints)
            if done.more:
                self._listener.wake()
