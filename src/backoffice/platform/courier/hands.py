"""What the engine holds: every claimed delivery until its outcome is written, and the outcomes that wait for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from backoffice.platform.courier.lane import Item, Lane
from backoffice.platform.courier.ports import Claimed, LaneKey, Result, Want


@dataclass(slots=True)
class Hands:
    """`held` is counted against the window and kept under lease; `results` are taken by the next flush."""

    first_probe: float
    lanes: dict[LaneKey, Lane] = field(default_factory=dict)
    due: dict[LaneKey, Lane] = field(default_factory=dict)  # those for which something is believed to wait
    troubled: dict[LaneKey, Lane] = field(default_factory=dict)  # all that have just failed, and some that had
    held: dict[UUID, Claimed] = field(default_factory=dict)
    by_tenant: Counter[UUID] = field(default_factory=Counter)
    replays: int = 0  # of those held
    results: list[Result] = field(default_factory=list)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the delivery table is written across tenants, so that our own statements never wait in a circle."""

    def lane(self, key: LaneKey, now: float) -> Lane:
        lane = self.lanes.get(key)
        if lane is None:
            lane = self.lanes[key] = Lane(key, touched_at=now)
            lane.breaker.first_probe = self.first_probe
        return lane

    def is_due(self, key: LaneKey, at: float, now: float, *, replay: bool = False) -> None:
        """Something waits for this lane in the table, and may go at `at`."""
        lane = self.due[key] = self.lane(key, now)
        lane.is_due_within(at, replay=replay)

    def asked(self, want: Want) -> None:
        """It is about to be claimed."""
        lane = self.lanes[want.lane]
        lane.asked(want)
        if not lane.knows_of_work:
            self.due.pop(want.lane, None)

    def suspects(self) -> int:
        """Deliveries in memory for lanes that have just failed."""
        return sum(len(lane.items) for lane in self.troubled.values() if lane.breaker.row)

    def forget_lanes(self, now: float) -> None:
        """Those about which nothing worth knowing is left."""
        for key in [key for key, lane in self.lanes.items() if lane.may_be_forgotten(now)]:
            del self.lanes[key]
        for key in [key for key, lane in self.troubled.items() if not lane.breaker.row or key not in self.lanes]:
            del self.troubled[key]

    def take(self, claimed: Claimed, now: float) -> Item | None:
        """A fresh claim goes into its lane; or straight back (None) where an earlier one of its object, or the endpoint
        as a whole, has failed while the claim was under way."""
        self.held[claimed.id] = claimed
        self.by_tenant[claimed.lane.tenant] += 1
        self.replays += claimed.replay
        lane = self.lane(claimed.lane, now)
        taken = 0.0 if lane.is_left_in_peace(now) else lane.accept(claimed)
        if isinstance(taken, Item):
            return taken
        self.results.append(Result(claimed, "ready", delay=taken))
        return None

    def give_back(self, items: Sequence[Item], delay: float = 0.0) -> None:
        """Unsent; no try is used up."""
        self.results += [Result(item.claimed, "ready", delay=delay) for item in items]

    def forget(self, claimed: Claimed) -> None:
        """It is not ours any more."""
        if self.held.get(claimed.id) is not claimed:  # or it is ours again, by a later claim
            return
        del self.held[claimed.id]
        tenant = claimed.lane.tenant
        self.by_tenant[tenant] -= 1
        self.replays -= claimed.replay
        if not self.by_tenant[tenant]:
            del self.by_tenant[tenant]
