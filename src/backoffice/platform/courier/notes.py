"""What follows from an outcome beside the delivery itself: the endpoint's own state, and what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from backoffice.platform.courier.lane import Lane
from backoffice.platform.courier.loops import insist
from backoffice.platform.courier.ports import Exchange, Post
from backoffice.platform.courier.tenants import Tenants

EVERY_SECONDS = 0.05
MOST_KEPT = 10_000  # while they cannot be written


class Notes:
    """Writes as `bo_app`, one tenant a transaction. `ring` is called when new events may have come of it."""

    def __init__(self, tenants: Tenants, post: Post, ring: Callable[[], None]) -> None:
        self._tenants = tenants
        self._post = post
        self._ring = ring
        self._exchanges: list[tuple[UUID, Exchange]] = []

    def add(self, tenant: UUID, exchange: Exchange) -> None:
        """Have a failed try's words written soon. They are for people to read: a crash may lose them."""
        self._exchanges.append((tenant, exchange))

    async def round(self) -> None:
        await asyncio.sleep(EVERY_SECONDS)
        await self.write()

    async def write(self) -> None:
        taken, self._exchanges = self._exchanges, []
        by_tenant: dict[UUID, list[Exchange]] = {}
        for tenant, exchange in taken:
            by_tenant.setdefault(tenant, []).append(exchange)
        try:
            for tenant in list(by_tenant):
                async with self._tenants.tx(tenant) as tx:
                    await self._post.note_exchanges(tx, by_tenant[tenant])
                del by_tenant[tenant]
        except BaseException:
            if len(self._exchanges) < MOST_KEPT:
                self._exchanges += [(tenant, exchange) for tenant in by_tenant for exchange in by_tenant[tenant]]
            raise

    async def stop(self, lane: Lane, *, gone: bool) -> None:
        """The endpoint gets nothing more. Returns when that is written."""
        command = self._post.gone if gone else self._post.give_up

        async def once() -> None:
            async with self._tenants.tx(lane.key.tenant) as tx:
                await command(tx, lane.key.endpoint)

        await insist("stop_endpoint", once)
        self._ring()

    async def failing(self, lane: Lane) -> None:
        await self._health(lane, self._post.failing)

    async def recovered(self, lane: Lane) -> None:
        await self._health(lane, self._post.recovered)

    async def _health(self, lane: Lane, command: Callable[..., Awaitable[int | None]]) -> None:
        async def once() -> None:
            async with self._tenants.tx(lane.key.tenant) as tx:
                version = await command(tx, lane.key.endpoint)
            if version is not None and lane.version is not None and version == lane.version + 1:
                lane.version = version  # our own change is no reason to think again

        await insist("health", once)
        self._ring()
