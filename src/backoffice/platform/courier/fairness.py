"""Who is served next: by virtual time, charged with the seconds a request held its slot. Pure.

By seconds and not by count: a receiver that takes 15 s a request would otherwise hold as many slots as one that takes
5 ms gets requests. An idle lane keeps no credit. Lanes that have just failed share half of the window at most, so that
any number of hanging receivers leaves the other half to those that answer. What is replayed gets what is left once
everything fresh that asks has its share, and a quarter of the window at most, and of what is claimed at once: what is
fresh meanwhile waits for the end of that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from backoffice.platform.courier.lane import Lane
from backoffice.platform.courier.ports import LaneKey, Want


@dataclass(slots=True)
class Fairness:
    """`window` is how many deliveries may be in memory, `round` how many are claimed at once; `now_used` the virtual
    time of the lane that has had least of those that ask."""

    window: int
    round: int = 1_000_000
    now_used: float = 0.0

    def choose(
        self,
        lanes: Collection[Lane],
        now: float,
        *,
        held: int,
        by_tenant: Mapping[UUID, int],
        replays: int = 0,
        suspects: int = 0,
    ) -> list[Want]:
        """What to claim for those of `lanes` that ask. `held` deliveries are in memory already, `replays` of them
        replayed, `suspects` for lanes that have just failed, `by_tenant` of each tenant: of two lanes that have used as
        much, the one whose tenant holds less comes first."""
        asking: list[tuple[float, int, Lane, Want]] = []
        for lane in lanes:
            want = lane.wants(now)
            if want is not None:
                lane.used = max(lane.used, self.now_used)
                asking.append((lane.used, by_tenant.get(lane.key.tenant, 0), lane, want))
        if not asking:
            return []
        free = min(self.window - held, self.round)
        of_suspects = self.window // 2 - suspects
        asking.sort(key=lambda each: each[:2])
        self.now_used = asking[0][0]
        share = max(1, free // len(asking))  # evenly, as far as it goes round
        fresh: dict[LaneKey, int] = {}
        replayed: dict[LaneKey, int] = {}
        of_replays = min(self.window // 4 - replays, self.round // 4)
        for granted_to in (fresh, replayed):
            for _, _, lane, want in asking:
                granted = (
                    min(want.most, share, free) if granted_to is fresh else min(want.replays, share, free, of_replays)
                )
                if lane.breaker.row:
                    granted = min(granted, of_suspects)
                    of_suspects -= max(granted, 0)
                if granted > 0:
                    granted_to[lane.key] = granted
                    free -= granted
                    of_replays -= granted if granted_to is replayed else 0
        return [
            Want(lane.key, fresh.get(lane.key, 0), replayed.get(lane.key, 0))
            for _, _, lane, _ in asking
            if lane.key in fresh or lane.key in replayed
        ]
