"""Who may start next: virtual time by tenant, charged with slot-seconds over weight.

Pure: the dispatcher tells what is in flight (counted from rows, never remembered) and what is ready, and gets a plan.
By count, a tenant of long jobs would take nearly all slots from one of short jobs; by slot-seconds each has its share.
The tenant with the smallest start time goes first; an idle one keeps no credit (its start time is not before now's)."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Final
from uuid import UUID

BANDS: Final = ("interactive", "normal", "bulk")
FIRST_ESTIMATE: Final = 0.05  # slot-seconds of a job of a tenant that has not run one
SMOOTHING: Final = 0.2
BULK_SHARE: Final = 10  # one slot in ten is kept for bulk
SHORT: Final = 0.05  # slot-seconds: jobs travel together while each, with its company, takes no longer
TOGETHER: Final = 16  # at most so many
NEW_SECONDS: Final = 0.25  # for so long a tenant that had no work is a newcomer
LATELY_SECONDS: Final = 1.0  # for so long room is kept for the next one
QUICK_SHARE: Final = 4  # then quick jobs of the others get one slot in four

Key = tuple[UUID, UUID, int]  # tenant, job, fence


@dataclass(frozen=True, slots=True)
class Limit:
    """A tenant's share and its most jobs in flight."""

    weight: int
    cap: int


@dataclass(frozen=True, slots=True)
class InFlight:
    """A released or running job; `seconds` it has run, None while it waits for a worker."""

    key: Key
    band: str
    seconds: float | None

    @property
    def tenant(self) -> UUID:
        return self.key[0]


@dataclass(frozen=True, slots=True)
class Grant:
    """So many jobs of a band may be released for a tenant."""

    tenant: UUID
    band: str
    count: int


@dataclass(slots=True)
class _Charge:
    paid: float
    seen: float | None = None
    used: float = 0.0  # told to whoever counts


@dataclass(slots=True)
class _Quick:
    """Tenants whose quick jobs leave room for newcomers, and how many of them may still start."""

    tenants: set[UUID]
    left: int

    def takes(self, tenant: UUID) -> bool:
        """Whether one more of the tenant may start; counts it."""
        if tenant in self.tenants:
            self.left -= 1
            return self.left >= 0
        return True


@dataclass(slots=True)
class Fairness:
    """The book of one leader. Losing it costs nothing but a moment of exactness."""

    limits: Mapping[UUID, Limit] = field(default_factory=dict)
    now: float = 0.0
    _time: dict[UUID, float] = field(default_factory=dict)
    _estimate: dict[UUID, float] = field(default_factory=dict)
    _charges: dict[Key, _Charge] = field(default_factory=dict)
    _used: dict[UUID, float] = field(default_factory=dict)
    _together: dict[UUID, int] = field(default_factory=dict)
    _since: dict[UUID, float] = field(default_factory=dict)
    _new: set[UUID] = field(default_factory=set)
    _came: dict[UUID, float] = field(default_factory=dict)

    def gone(self, live: Iterable[InFlight]) -> list[Key]:
        """The jobs that were in flight and are not any more: settle them."""
        there = {each.key for each in live}
        return [key for key in self._charges if key not in there]

    def observe(self, live: Iterable[InFlight]) -> None:
        """Charge what has run longer than it was charged for, so that a long job pays while it runs."""
        for each in live:
            charge = self._charges.setdefault(each.key, _Charge(0.0))
            if each.seconds is not None:
                charge.seen = each.seconds
                self._use(each.tenant, charge, each.seconds)
                if each.seconds > charge.paid:
                    self._pay(each.tenant, each.seconds - charge.paid)
                    charge.paid = each.seconds

    def settle(self, took: Mapping[Key, float | None]) -> None:
        """Jobs left: correct the charge of each to the slot-seconds it took; None when the row does not say (it is to
        be tried again), then to what was last seen. How many of a tenant's travel together follows: twice as many
        while they are quick, half as many when they are not."""
        for key, seconds in took.items():
            self._settle(key, seconds)
        for tenant in {key[0] for key in took}:
            estimate, size = self._estimate.get(tenant, FIRST_ESTIMATE), self._together.get(tenant, 1)
            if estimate < SHORT / 2:
                self._together[tenant] = min(TOGETHER, size * 2)
            elif estimate > SHORT:
                self._together[tenant] = max(1, size // 2)

    def _settle(self, key: Key, seconds: float | None) -> None:
        charge = self._charges.pop(key, None)
        if charge is None:
            return
        real = charge.seen if seconds is None else seconds
        if real is None:
            return  # it came and went unseen, without an end: the estimate stands
        tenant = key[0]
        self._use(tenant, charge, real)
        self._pay(tenant, real - charge.paid)
        before = self._estimate.get(tenant, FIRST_ESTIMATE)
        self._estimate[tenant] = before + SMOOTHING * (real - before)

    @staticmethod
    def in_flight(live: Iterable[InFlight]) -> Counter[UUID]:
        """Jobs in flight by tenant."""
        return Counter(each.tenant for each in live)

    def paid(self) -> Mapping[UUID, float]:
        """Slot-seconds used by tenant since this was last asked."""
        used, self._used = self._used, {}
        return used

    def meet(self, there: Iterable[UUID], now: float) -> set[UUID]:
        """Of the tenants that have work, the newcomers: those that had none a moment ago (`now`: seconds of any
        clock). Who always has work is none, so nobody is passed over for longer than that moment."""
        self._since = {tenant: self._since.get(tenant, now) for tenant in there}
        self._new = {tenant for tenant, since in self._since.items() if now - since < NEW_SECONDS}
        self._came = {tenant: at for tenant, at in self._came.items() if now - at < LATELY_SECONDS}
        self._came |= dict.fromkeys(self._new, now)
        return self._new

    def plan(
        self, *, slots: int, window: int, live: Sequence[InFlight], ready: Mapping[str, Iterable[UUID]]
    ) -> list[Grant]:
        """Whom to release: at most `window` in flight together, no tenant above its cap; interactive before normal
        before bulk, but a tenth of the slots for bulk. Charges an estimate for each; `correct` what was not there."""
        free = window - len(live)
        counts: dict[UUID, int] = {}
        for each in live:
            counts[each.tenant] = counts.get(each.tenant, 0) + 1
        bulk_live = sum(each.band == "bulk" for each in live)
        kept = max(0, max(1, slots // BULK_SHARE) - bulk_live) if slots else 0
        quick = self._quick(slots, live)
        granted: dict[tuple[UUID, str], int] = {}
        for band, most in (("bulk", min(free, kept)), ("interactive", free), ("normal", free), ("bulk", free)):
            waiting = [tenant for tenant in ready.get(band, ()) if tenant in self.limits]
            free -= self._fill(band, waiting, min(most, free), counts, granted, quick)
        return [Grant(tenant, band, count) for (tenant, band), count in granted.items()]

    def correct(self, grant: Grant, released: Sequence[Key]) -> None:
        """Note which jobs a grant became, and take back the charge for those that were not there."""
        estimate = self._estimate.get(grant.tenant, FIRST_ESTIMATE)
        for key in released:
            self._charges[key] = _Charge(estimate)
        self._pay(grant.tenant, -estimate * (grant.count - len(released)))

    def batches(self, released: Sequence[Key]) -> list[Sequence[Key]]:
        """What travels together: quick jobs of one tenant, so that one message, one claim and mostly one ending serve
        several. Slow ones travel alone, and spread over the workers."""
        together: list[Sequence[Key]] = []
        for tenant, group in groupby(released, key=itemgetter(0)):
            size, keys = self._together.get(tenant, 1), list(group)
            together += [keys[start : start + size] for start in range(0, len(keys), size)]
        return together

    def _quick(self, slots: int, live: Sequence[InFlight]) -> _Quick:
        """Quick jobs keep processors and database busy, not slots: with enough of them at once a newcomer's wait at
        each of their steps. While others come as newcomers, there are fewer."""
        tenants = {tenant for tenant, size in self._together.items() if size > 1 and self._came.keys() - {tenant}}
        tenants -= self._new
        return _Quick(tenants, max(TOGETHER, slots // QUICK_SHARE) - sum(each.tenant in tenants for each in live))

    def _fill(
        self, band: str, waiting: list[UUID], most: int, counts: dict[UUID, int],
        granted: dict[tuple[UUID, str], int], quick: _Quick,
    ) -> int:  # fmt: skip
        heap = [self._place(tenant, counts) for tenant in waiting]
        heapq.heapify(heap)
        taken = 0
        while heap and taken < most:
            start, _, tenant = heapq.heappop(heap)
            if counts.get(tenant, 0) >= self.limits[tenant].cap or not quick.takes(tenant):
                continue
            self.now = max(self.now, start)
            self._time[tenant] = start + self._estimate.get(tenant, FIRST_ESTIMATE) / self.limits[tenant].weight
            counts[tenant] = counts.get(tenant, 0) + 1
            granted[tenant, band] = granted.get((tenant, band), 0) + 1
            taken += 1
            heapq.heappush(heap, self._place(tenant, counts))
        return taken

    def _place(self, tenant: UUID, counts: Mapping[UUID, int]) -> tuple[float, float, UUID]:
        start = max(self._time.get(tenant, 0.0), self.now)
        return start, counts.get(tenant, 0) / self.limits[tenant].weight, tenant

    def _use(self, tenant: UUID, charge: _Charge, seconds: float) -> None:
        self._used[tenant] = self._used.get(tenant, 0.0) + seconds - charge.used
        charge.used = seconds

    def _pay(self, tenant: UUID, slot_seconds: float) -> None:
        limit = self.limits.get(tenant)
        if limit is not None:
            self._time[tenant] = self._time.get(tenant, self.now) + slot_seconds / limit.weight
