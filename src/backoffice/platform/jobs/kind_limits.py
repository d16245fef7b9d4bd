"""Limits of one kind of job in one tenant: how many at once, counted from rows, and how many starts a minute, counted
by the leader. Pure; the dispatcher tells what is in flight and what it released.

A leader that has just been elected counts the starts before it from rows (`remember`). What was released and came back
unused (a lost message, a deploy) counts as a start."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Final
from uuid import UUID

from backoffice.platform.jobs.plans import KindLimit

MINUTE: Final = 60.0
HOLD_SECONDS: Final = 0.1
"""For so long a tenant's band is left alone in which everything that could start is at its limit."""


class KindLimits:
    """The book of one leader. `limits`: by tenant, the kinds that its plan limits; tenants without any are absent."""

    def __init__(self) -> None:
        self.limits: Mapping[UUID, Mapping[str, KindLimit]] = {}
        self._live: Counter[tuple[UUID, str]] = Counter()
        self._starts: dict[tuple[UUID, str], deque[float]] = {}
        self._held: dict[tuple[UUID, str], float] = {}

    def count(self, live: Iterable[tuple[UUID, str]]) -> None:
        """What is in flight now: (tenant, kind) of each job."""
        self._live = Counter(each for each in live if each[0] in self.limits)

    def by_minute(self) -> list[tuple[UUID, str]]:
        """Tenants and kinds whose starts are limited."""
        return [
            (tenant, kind)
            for tenant, kinds in self.limits.items()
            for kind, limit in kinds.items()
            if limit.per_minute is not None
        ]

    def remember(self, started: Iterable[tuple[UUID, str, float]]) -> None:
        """What started before this leader: (tenant, kind, when) of each job, on the clock of `now`."""
        for tenant, kind, at in sorted(started, key=itemgetter(2)):
            self._starts.setdefault((tenant, kind), deque()).append(at)

    def room(self, tenant: UUID, now: float, most: int) -> dict[str, int]:
        """The kinds of which fewer than `most` may start, and how many; empty where nothing stands in the way."""
        found = {}
        for kind, limit in self.limits.get(tenant, {}).items():
            room = most if limit.at_once is None else limit.at_once - self._live[tenant, kind]
            if limit.per_minute is not None:
                room = min(room, limit.per_minute - self._lately(tenant, kind, now))
            if room < most:
                found[kind] = max(room, 0)
        return found

    def note(self, tenant: UUID, kinds: Sequence[str], now: float) -> None:
        """Jobs of these kinds were released."""
        limits = self.limits.get(tenant, {})
        for kind in kinds:
            if kind in limits:
                self._live[tenant, kind] += 1
                if limits[kind].per_minute is not None:
                    self._starts.setdefault((tenant, kind), deque()).append(now)

    def hold(self, tenant: UUID, band: str, now: float) -> None:
        """Nothing could start there, although something is due: not worth another look at once."""
        self._held[tenant, band] = now + HOLD_SECONDS

    def held(self, tenant: UUID, band: str, now: float) -> bool:
        until = self._held.get((tenant, band))
        if until is not None and until <= now:
            del self._held[tenant, band]
            until = None
        return until is not None

    def _lately(self, tenant: UUID, kind: str, now: float) -> int:
        starts = self._starts.get((tenant, kind))
        if starts is None:
            return 0
        while starts and starts[0] <= now - MINUTE:
            starts.popleft()
        if not starts:
            del self._starts[tenant, kind]
        return len(starts)
