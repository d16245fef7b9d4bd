"""One endpoint's lane in memory: how much it is sent at once, in which order, and when it is left in peace. Pure: the
caller brings the time (monotonic seconds) and does what it is told."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from backoffice.platform.courier.ports import Claimed, Envelope, LaneKey, Want

FAILURES_IN_A_ROW: Final = 5
LAST_TRIES: Final = 20
FIRST_PROBE: Final = 30.0
LONGEST_PROBE: Final = 15 * 60.0
AHEAD: Final = 3  # deliveries held in memory per request that may be under way; of replayed ones 1
DEFAULT_MOST: Final = 16
SHORT_HOLD: Final = 1.0  # seconds for which deliveries stay in memory


@dataclass(slots=True)
class Breaker:
    """Opens after 5 failures in a row or when half of the last 20 tries failed; then lets one try through after 30 s,
    and after each failed one waits twice as long, up to 15 minutes. What waits meanwhile uses up no try."""

    first_probe: float = FIRST_PROBE
    row: int = 0
    last: deque[bool] = field(default_factory=lambda: deque(maxlen=LAST_TRIES))
    wait: float = 0.0
    open_until: float | None = None

    @property
    def is_open(self) -> bool:
        return self.open_until is not None

    def succeeded(self) -> None:
        self.reset_if_open()
        self.row = 0
        self.last.append(False)

    def failed(self, now: float) -> bool:
        """Count a failure; whether it opened the breaker just now."""
        self.row += 1
        self.last.append(True)
        was_open = self.is_open
        if was_open:
            if self.open_until is not None and now < self.open_until:
                return False  # one that was under way when it opened
            self.wait = min(self.wait * 2, LONGEST_PROBE)
        elif self.row >= FAILURES_IN_A_ROW or (len(self.last) == LAST_TRIES and sum(self.last) * 2 >= LAST_TRIES):
            self.wait = self.first_probe
        else:
            return False
        self.open_until = now + self.wait
        return not was_open

    def reset_if_open(self) -> None:
        if self.is_open:
            self.row = 0
            self.last.clear()
            self.open_until, self.wait = None, 0.0


@dataclass(slots=True, eq=False, repr=False)  # its lane holds it: a text of it would be of all that waits
class Item:
    """A claimed delivery in memory."""

    lane: Lane
    chain: Chain
    claimed: Claimed
    envelope: Envelope | None = None
    started: bool = False
    ended: bool = False


@dataclass(slots=True, eq=False)
class Chain:
    """The deliveries of one object in memory, in order. `stopped` is set from the moment its first one failed until
    that is written down: whatever joins meanwhile goes back with the same wait, or it would overtake."""

    key: tuple[UUID, bool]
    items: list[Item] = field(default_factory=list)
    stopped: float | None = None


@dataclass(slots=True, eq=False)
class Lane:
    """`used` is the lane's virtual time: slot-seconds so far. `due_at` is when something fresh is believed to wait in
    the table (None: nothing known), `replay_due_at` the same of what is replayed. Of the `limit` requests at once
    replays take one less, so that something fresh finds its way free."""

    key: LaneKey
    breaker: Breaker = field(default_factory=Breaker)
    limit: int = 1
    most: int = DEFAULT_MOST
    in_flight: int = 0
    replays_in_flight: int = 0
    replays_held: int = 0
    used: float = 0.0
    due_at: float | None = None
    replay_due_at: float | None = None
    hold_until: float = 0.0
    version: int | None = None
    failing: bool = False
    touched_at: float = 0.0
    items: dict[UUID, Item] = field(default_factory=dict)
    chains: dict[tuple[UUID, bool], Chain] = field(default_factory=dict)
    sendable: deque[Item] = field(default_factory=deque)
    replayable: deque[Item] = field(default_factory=deque)
    expired: list[Item] = field(default_factory=list)

    # -- claiming

    def wants(self, now: float) -> Want | None:
        """How many more deliveries to claim now; None for none."""
        fresh = self.due_at is not None and self.due_at <= now
        replays = self.replay_due_at is not None and self.replay_due_at <= now
        if not (fresh or replays) or now < self.hold_until:
            return None
        if self.breaker.open_until is not None:
            probe = now >= self.breaker.open_until and not self.items
            return Want(self.key, int(fresh), int(not fresh)) if probe else None
        room, replay_room = self._room()
        want = Want(self.key, room if fresh else 0, replay_room if replays else 0)
        return want if want.most or want.replays else None

    def asked(self, want: Want) -> None:
        """It is about to be claimed: what is told from here on counts for the next time."""
        if want.most:
            self.due_at = None
        if want.replays:
            self.replay_due_at = None

    @property
    def knows_of_work(self) -> bool:
        """Something is believed to wait in the table; of most lanes, most of the time, not."""
        return self.due_at is not None or self.replay_due_at is not None

    def wakes_at(self, now: float) -> float | None:
        """When `wants` may become positive by the passing of time alone; None when it does not hang on time."""
        room, replay_room = self._room() if self.breaker.open_until is None else (1, 1)
        times = [at for at, free in ((self.due_at, room), (self.replay_due_at, replay_room)) if at is not None and free]
        at = max(min(times), self.hold_until, self.breaker.open_until or 0.0) if times else now
        return at if at > now else None

    def _room(self) -> tuple[int, int]:
        """For fresh and for replayed deliveries; neither takes the other's."""
        fresh = len(self.items) - self.replays_held
        return max(0, self.limit * AHEAD - fresh), max(0, self.limit - self.replays_held)

    def is_due_within(self, at: float, *, replay: bool = False) -> None:
        if replay:
            self.replay_due_at = at if self.replay_due_at is None else min(self.replay_due_at, at)
        else:
            self.due_at = at if self.due_at is None else min(self.due_at, at)

    def is_left_in_peace(self, now: float) -> bool:
        """Nothing is sent for so long that nothing should be held either."""
        return now < max(self.breaker.open_until or 0.0, self.hold_until - SHORT_HOLD)

    # -- items

    def accept(self, claimed: Claimed) -> Item | float:
        """Take a claimed delivery in; or the seconds after which it is to be given back, where an earlier one of its
        object has just failed."""
        key = claimed.chain
        chain = self.chains.get(key)
        if chain is None:
            chain = self.chains[key] = Chain(key)
        if chain.stopped is not None:
            return chain.stopped
        item = Item(self, chain, claimed)
        chain.items.append(item)
        self.items[claimed.id] = item
        self.replays_held += claimed.replay
        return item

    def address(self, item: Item, envelope: Envelope, now: float) -> None:
        """The payload has been read: the item may go when it is the first of its object."""
        if item.ended:
            return
        if self.version != envelope.version:
            self.changed(envelope.version)
        item.envelope = envelope
        self.most, self.failing = envelope.most, envelope.failing
        self.limit = min(self.limit, self.most)
        self.touched_at = now
        if item.chain.items[0] is item:
            self._queue(item)

    def changed(self, version: int) -> None:
        """Somebody changed the endpoint: what we learned of it may be wrong now."""
        if self.version is not None:
            self.breaker.reset_if_open()
            self.hold_until = 0.0
        self.version = version

    def next_item(self, now: float) -> Item | None:
        """The next delivery to send, if one may go now; it counts as under way from here on."""
        if self.in_flight >= self.limit or now < self.hold_until:
            return None
        if self.breaker.open_until is not None and (now < self.breaker.open_until or self.in_flight):
            return None
        while self.queued:
            item = self.sendable.popleft() if self.sendable else self.replayable.popleft()
            if item.ended:
                continue
            if item.claimed.lease_ends <= now:  # somebody else may have it
                self.expired += self.drop(item.claimed)
                continue
            item.started = True
            self.in_flight += 1
            self.replays_in_flight += item.claimed.replay
            return item
        return None

    @property
    def queued(self) -> bool:
        """Something is ready to be sent and of a kind that may go."""
        return bool(self.sendable or (self.replayable and self.replays_in_flight < max(1, self.limit - 1)))

    def _queue(self, item: Item) -> None:
        (self.replayable if item.claimed.replay else self.sendable).append(item)

    def delivered(self, item: Item, now: float) -> None:
        """2xx: the breaker closes, twice as much may go at once, the next of the object may follow."""
        self._landed(item, now)
        self.breaker.succeeded()
        self.limit = min(self.limit * 2, self.most)
        chain = item.chain
        del chain.items[0]
        if not chain.items:
            del self.chains[chain.key]
        elif chain.items[0].envelope is not None:
            self._queue(chain.items[0])

    def refused(
        self, item: Item, now: float, *, delay: float, hold: float, slower: bool, ours: bool = False
    ) -> tuple[list[Item], bool]:
        """A failed try: the items of the same object, to be given back with the same `delay`, and whether the breaker
        opened just now. The breaker does not count what is our own fault."""
        self._landed(item, now)
        opened = not ours and self.breaker.failed(now)
        if slower:
            self.limit = max(1, self.limit // 2)
        self.hold_until = max(self.hold_until, now + hold)
        chain = item.chain
        chain.stopped = delay
        back, chain.items = chain.items[1:], []
        for each in back:
            self._forget(each)
        return back, opened

    def unstarted(self) -> list[Item]:
        """Take out everything that is not under way, to be given back."""
        back = [item for item in self.items.values() if not item.started]
        for item in back:
            self._forget(item)
            self._unchain(item)
        self.sendable.clear()
        self.replayable.clear()
        return back

    def drop(self, claimed: Claimed) -> list[Item]:
        """Take out an item that may not be sent, and those of the same object behind it. Nothing when it is not here
        any more, or under way."""
        item = self._item(claimed)
        if item is None or item.started:
            return []
        behind = item.chain.items[item.chain.items.index(item) :]
        for each in behind:
            self._forget(each)
            self._unchain(each)
        return behind

    def take_expired(self) -> list[Item]:
        """Items whose lease ran out while they waited here; they come back by the table."""
        expired, self.expired = self.expired, []
        return expired

    def written(self, claimed: Claimed) -> None:
        """This failed try is in the table, which from now on holds back what follows of its object."""
        chain = self.chains.get(claimed.chain)
        if chain is not None and chain.stopped is not None:
            del self.chains[claimed.chain]

    def _landed(self, item: Item, now: float) -> None:
        self.in_flight -= 1
        self.replays_in_flight -= item.claimed.replay
        self.touched_at = now
        self._forget(item)

    def _forget(self, item: Item) -> None:
        item.ended = True
        if self.items.pop(item.claimed.id, None) is not None:
            self.replays_held -= item.claimed.replay

    def _unchain(self, item: Item) -> None:
        chain = item.chain
        chain.items.remove(item)
        if not chain.items and chain.stopped is None:
            del self.chains[chain.key]

    def _item(self, claimed: Claimed) -> Item | None:
        item = self.items.get(claimed.id)
        return item if item is not None and item.claimed is claimed else None

    def may_be_forgotten(self, now: float) -> bool:
        """Nothing has happened here for so long that what we know of the endpoint is of no use."""
        busy = self.items or self.chains or self.in_flight or self.knows_of_work
        quiet = max(self.hold_until, self.breaker.open_until or 0.0)
        return not busy and quiet < now and now - self.touched_at > LONGEST_PROBE
