"""How much the courier does at once, and for how long it waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backoffice.platform.courier.lane import FIRST_PROBE
from backoffice.platform.courier.sender import CONNECT_SECONDS, TOTAL_SECONDS
from backoffice.platform.courier.verdict import WAITS


@dataclass(frozen=True, slots=True)
class Options:
    """Seconds, and how much at once. `slots` are requests under way; `window` deliveries in memory, `round` of them
    claimed in one transaction (outcomes wait for its end); `readers` transactions that read payloads, and half as many
    more that read those of replays; `proxy` see `Sender`."""

    lease: float = 10.0
    drain: float = 30.0
    flush: float = 0.010
    scan: float = 1.0
    look: float = 5.0  # for endpoints that somebody enabled or changed
    total: float = TOTAL_SECONDS
    connect: float = CONNECT_SECONDS
    waits: Sequence[float] = WAITS
    first_probe: float = FIRST_PROBE
    ours_again: float = 5.0  # after a fault on our side
    slots: int = 1024
    window: int = 2048
    round: int = 400
    readers: int = 4
    proxy: str | None = None
