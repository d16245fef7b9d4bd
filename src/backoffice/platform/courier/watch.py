"""What looks at the tables by itself: they are the truth, and hints can be missed. Leases that ran out, deliveries that
became due, endpoints that somebody enabled or changed; and our own leases, which are extended while we work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from uuid import UUID

from backoffice.kernel.chunks import in_chunks
from backoffice.platform.courier import measures
from backoffice.platform.courier.hands import Hands
from backoffice.platform.courier.lane import Lane
from backoffice.platform.courier.ports import Claimed, LaneKey, Post
from backoffice.platform.courier.tenants import Tenants
from backoffice.platform.db import Database

EXTENDED_AT_ONCE = 100


class Watch:
    """`on_new(tenant, endpoints)` is told of deliveries that may go now; `wake` of lanes that may claim; `pump(lane)`
    starts what may start."""

    def __init__(
        self,
        dispatch: Database,
        tenants: Tenants,
        post: Post,
        hands: Hands,
        *,
        on_new: Callable[[UUID, Sequence[UUID]], None],
        wake: Callable[[], None],
        pump: Callable[[Lane], None],
        scan: float,
        look: float,
        lease: float,
    ) -> None:
        self._dispatch = dispatch
        self._tenants = tenants
        self._post = post
        self._hands = hands
        self._on_new = on_new
        self._wake = wake
        self._pump = pump
        self._scan = scan
        self._look = look
        self._lease = lease

    async def scan_round(self) -> None:
        """Sweep, and believe the table about what is due and when."""
        async with self._hands.writing, self._dispatch.autocommit() as connection:
            await self._post.sweep(connection)
        async with self._dispatch.autocommit() as connection:
            due = await self._post.due(connection)
        now = monotonic()
        for key, in_seconds, replay in due:
            self._hands.is_due(key, now + max(0.0, in_seconds), now, replay=replay)
        self._wake()
        lanes = self._hands.lanes
        for lane in list(lanes.values()):
            self._pump(lane)
        self._hands.forget_lanes(now)
        measures.HELD.set(len(self._hands.held))
        measures.LANES.set(len(lanes))
        measures.BREAKERS_OPEN.set(sum(lane.breaker.is_open for lane in lanes.values()))
        await asyncio.sleep(self._scan)

    async def look_round(self) -> None:
        """Endpoints that were enabled again get what was held for them; those left in peace are tried at once when
        somebody changed them."""
        await asyncio.sleep(self._look)
        async with self._dispatch.autocommit() as connection:
            stopped = await self._post.stopped(connection)
        for tenant, endpoints in _by_tenant(stopped):
            async with self._tenants.tx(tenant) as tx:
                released = await self._post.release_stopped(tx, endpoints)
            self._on_new(tenant, released)
        now = monotonic()
        quiet = [key for key, lane in self._hands.lanes.items() if lane.breaker.is_open or lane.hold_until > now]
        for tenant, endpoints in _by_tenant(quiet):
            async with self._tenants.tx(tenant) as tx:
                versions = await self._post.versions(tx, endpoints)
            for endpoint, version in versions.items():
                lane = self._hands.lane(LaneKey(tenant, endpoint), now)
                if lane.version is not None and lane.version != version:
                    lane.changed(version)
                    self._on_new(tenant, [endpoint])

    async def lease_round(self) -> None:
        """Extend the leases that have less than two thirds left. What is not ours any more is let go, unless its
        request is under way: its outcome will then change nothing."""
        await asyncio.sleep(self._lease / 4)
        soon = monotonic() + self._lease * 2 / 3
        ending = [claimed for claimed in self._hands.held.values() if claimed.lease_ends < soon]
        for chunk in in_chunks(ending, EXTENDED_AT_ONCE):  # what is fresh waits for no more than these
            await self._extend(chunk)

    async def _extend(self, ending: Sequence[Claimed]) -> None:
        async with self._hands.writing:
            now = monotonic()
            held = [claimed for claimed in ending if self._hands.held.get(claimed.id) is claimed]
            async with self._dispatch.autocommit() as connection:
                ours = await self._post.extend(connection, held, self._lease)
        for claimed in held:
            if claimed.id in ours:
                claimed.lease_ends = now + self._lease
            elif (lane := self._hands.lanes.get(claimed.lane)) is not None:
                for lost in lane.drop(claimed):
                    self._hands.forget(lost.claimed)


def _by_tenant(keys: Sequence[LaneKey]) -> list[tuple[UUID, list[UUID]]]:
    by_tenant: dict[UUID, list[UUID]] = {}
    for key in keys:
        by_tenant.setdefault(key.tenant, []).append(key.endpoint)
    return list(by_tenant.items())
