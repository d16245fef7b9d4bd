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
    """`on_new(tenant, endpoints)` is told what got deliveries. A ring starts a round; a poll does as well. A round does
    not wait for the batches it began, so that one tenant's thousands hold up nobody else's event."""

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
        self._under_way: dict[UUID, asyncio.Task[None]] = {}
        self._seen_again: set[UUID] = set()  # had events while their batch was under way, perhaps after it looked
        self._went_well = False
        self._faults: list[Exception] = []

    async def round(self) -> None:
        await self._listener.wait(POLL_SECONDS)
        self._judge()
        async with self._dispatch.autocommit() as connection:
            waiting = await self._post.tenants_with_events(connection)
        for tenant in waiting:
            if tenant in self._under_way:
                self._seen_again.add(tenant)
            else:
                self._under_way[tenant] = asyncio.create_task(self._batch(tenant))

    async def stop(self) -> None:
        """Break off what is under way: it is done again by whoever comes next."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _batch(self, tenant: UUID) -> None:
        try:
            async with self._turns:
                async with self._tenants.tx(tenant) as tx:
                    done = await self._post.fan_out(tx)
                pulse.worked("fan_out")  # one of very many batches, perhaps
                self._went_well = True
                measures.FANNED_OUT.inc(done.events)
                if done.endpoints:
                    self._on_new(tenant, done.endpoints)
            if done.more or tenant in self._seen_again:
                self._listener.wake()
        except Exception as fault:
            self._faults.append(fault)
        finally:
            del self._under_way[tenant]
            self._seen_again.discard(tenant)

    def _judge(self) -> None:
        """Of the batches that ended since the last round: one tenant's trouble must not slow down the others; when it
        is everybody's, the round fails."""
        faults, self._faults = self._faults, []
        went_well, self._went_well = self._went_well, False
        if faults and not went_well:
            raise faults[0]
        for fault in faults:
            measures.FAULTS.labels("fan_out").inc()
            log.warning("fan_out_failed", **logs.error_fields(fault))
