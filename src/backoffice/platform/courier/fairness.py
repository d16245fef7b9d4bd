"""Who is served next: by virtual time, charged with the seconds a request held its slot. Pure.

By seconds and not by count: a receiver that takes 15 s a request would otherwise hold as many slots as one that takes
5 ms gets requests. An idle lane keeps no credit. Lanes that have just failed share half of the window at most, so that
any number of hanging receivers leaves the other half to those that answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from backoffice.platform.courier.lane import Lane
from backoffice.platform.courier.ports import Want


@dataclass(slots=True)
class Fairness:
    """`window` is how many deliveries may be in memory, `round` how many are claimed at once; `now_used` the virtual
    time of the lane that has had least of those that ask."""

    window: int
    round: int = 1_000_000
    now_used: float = 0.0

    def choose(self, lanes: Collection[Lane], now: float, *, held: int, by_tenant: Mapping[UUID, int]) -> list[Want]:
        """What to claim. `held` deliveries are in memory already, `by_tenant` of each tenant: of two lanes that have
        used as much, the one whose tenant holds less comes first."""
        asking: list[tuple[float, int, Lane, int]] = []
        for lane in lanes:
            most = lane.wants(now)
            if most:
                lane.used = max(lane.used, self.now_used)
                asking.append((lane.used, by_tenant.get(lane.key.tenant, 0), lane, most))
        free = min(self.window - held, self.round)
        suspects = self.window // 2 - sum(len(lane.items) for lane in lanes if lane.breaker.row)
        if not asking:
            return []
        asking.sort(key=lambda each: each[:2])
        self.now_used = asking[0][0]
        share = max(1, free // len(asking))  # evenly, as far as it goes round
        wants: list[Want] = []
        for _, _, lane, most in asking:
            granted = min(most, share, free)
            if lane.breaker.row:
                granted = min(granted, suspects)
                suspects -= max(granted, 0)
            if granted > 0:
                wants.append(Want(lane.key, granted))
                free -= granted
        return wants

    @staticmethod
    def charge(lane: Lane, seconds: float) -> None:
        lane.used += seconds
