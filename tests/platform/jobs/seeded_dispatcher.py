"""The dispatcher of the simulator: the real one, with a clock and a broker of the seed's, beside a second opinion on
who is a newcomer. What it leaves lying, it must have a reason for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from backoffice.platform.jobs.dispatch import Dispatcher, T, window
from backoffice.platform.jobs.fairness import LATELY_SECONDS, NEW_SECONDS, Grant, InFlight, Key, Limit

SLOTS = 2
WINDOW = window(SLOTS)
CAP = 3
LEASE_SECONDS = 60.0  # leases run out when the simulator says so
TOGETHER = 2  # instead of sixteen: so many quick jobs may be in flight beside newcomers
Publish = Callable[[Sequence[Sequence[Key]], bool], None]


class Died(BaseException):
    """The dispatcher was killed."""


class SeededDispatcher(Dispatcher):
    """One leader, for tenants of which some are known for quick jobs."""

    def __init__(self, tenants: Mapping[UUID, bool], clock: Callable[[], float], publish: Publish) -> None:
        nobody: Any = None
        super().__init__(nobody, nobody, self, lease_seconds=LEASE_SECONDS, clock=clock)
        self._publish_there = publish
        self._fairness.limits = dict.fromkeys(tenants, Limit(1, CAP))
        self._looks: list[tuple[float, set[UUID], set[UUID]]] = []
        self.released: list[Key] = []
        self._told_rest, self._wrong = False, ""
        self.failed = False
        for tenant, quick in tenants.items():
            self._learn(tenant, 0.001 if quick else 0.2)

    def _learn(self, tenant: UUID, seconds: float) -> None:
        for number in range(5):
            key = (tenant, UUID(int=number), 1)
            self._fairness.correct(Grant(tenant, "normal", 1), [key])
            self._fairness.settle({key: seconds})

    async def turn(
        self, connection: asyncpg.Connection, live: list[InFlight], ready: Collection[UUID],
        took: Mapping[Key, float],
    ) -> None:  # fmt: skip
        """Ticks until nothing more can start; `released` is what was. Died."""
        self._fairness.settle({key: took.get(key) for key in self._fairness.gone(live)})
        self._slots, self.failed = SLOTS, False
        self._ready["normal"] = set(ready)
        self.released = []
        while not self.failed:
            self._look(live)
            held = self._held()
            before = sum(each.tenant in held for each in live)
            self._told_rest, earlier = False, len(self.released)
            going = await self._release(connection, live)
            assert not self._wrong, self._wrong  # said here: what a broker raises, the dispatcher takes for an outage
            self._fairness.observe(live)
            live = [*live, *(InFlight(key, "normal", None) for key in self.released[earlier:])]
            beside = sum(each.tenant in held for each in live)
            assert beside <= max(TOGETHER, before), "quick jobs take the room of newcomers"
            if not going:
                break

    async def _release_one(self, connection: asyncpg.Connection, grant: Grant) -> list[Key]:
        keys = await super()._release_one(connection, grant)
        self.released += keys
        return keys

    async def _in_broker_thread(self, call: Callable[[], T]) -> T:
        return call()

    # -- the broker

    def publish(self, batches: Sequence[Sequence[Key]], *, soon: bool) -> None:
        """As the seed wills. What is sent soon is newcomers' and comes first."""
        tenants = {key[0] for batch in batches for key in batch}
        if (soon and tenants - self._new) or (not soon and tenants & self._new):
            self._wrong = "a newcomer is not told as one, or another is"
        if soon and self._told_rest:
            self._wrong = "a newcomer came after the rest"
        self._told_rest = not soon
        try:
            self._publish_there(batches, soon)
        except Exception:
            self.failed = True
            raise

    def slots(self) -> int:
        return SLOTS

    # -- the second opinion: from all looks so far, and not from what the book remembers

    @property
    def _new(self) -> set[UUID]:
        return self._looks[-1][2]

    def _look(self, live: Sequence[InFlight]) -> None:
        now, there = self._clock(), {each.tenant for each in live}.union(*self._ready.values())
        new = set()
        for tenant in there:
            since = now
            for at, others, _ in reversed(self._looks):
                if tenant not in others:
                    break
                since = at
            if now - since < NEW_SECONDS:
                new.add(tenant)
        self._looks.append((now, there, new))

    def _held(self) -> set[UUID]:
        """Tenants whose quick jobs have to leave room: another came lately as a newcomer, and they are none."""
        lately = set().union(*(new for at, _, new in self._looks if self._clock() - at < LATELY_SECONDS))
        quick = {tenant for tenant in self._fairness.limits if self._is_quick(tenant)}
        return {tenant for tenant in quick if tenant not in self._new and lately - {tenant}}

    def _is_quick(self, tenant: UUID) -> bool:
        return len(self._fairness.batches([(tenant, UUID(int=number), 1) for number in range(2)])) == 1

    def left(self, tenant: UUID, live: Sequence[InFlight]) -> str:
        """Why ready jobs of a tenant may lie there after a turn; empty when nothing speaks for it."""
        counts = Counter(each.tenant for each in live)
        held = self._held()
        if len(live) >= WINDOW:
            return "the window is full"
        if counts[tenant] >= CAP:
            return "at its cap"
        return "beside newcomers" if tenant in held and sum(counts[each] for each in held) >= TOGETHER else ""
