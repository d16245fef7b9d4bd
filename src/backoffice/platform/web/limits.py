"""Limits at the edge, per tenant: requests a minute with a fair share for each key, and requests at once.

Counts live in the process: with n API processes a tenant can reach n times its quota, never less than it. Windows are
fixed minutes of the wall clock.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import time
from uuid import UUID

from backoffice.kernel.errors import Problem
from backoffice.platform import metrics
from backoffice.platform.principal import Principal
from backoffice.platform.web.problems import QuotaExceeded, ReducedCapacity

WINDOW = 60


@dataclass(slots=True)
class _Window:
    minute: int
    used: int = 0
    by_key: dict[UUID | None, int] = field(default_factory=dict)


class Quotas:
    """Counts requests by tenant, policy ("tenant", "write") and key."""

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._windows: dict[tuple[UUID, str], _Window] = {}

    def take(self, principal: Principal, *, write: bool) -> tuple[dict[str, str], Problem | None]:
        """Count one request. The RateLimit headers, and the refusal if a quota is used up (nothing is counted then)."""
        now = self._clock()
        minute, left = int(now // WINDOW), WINDOW - now % WINDOW
        facts = principal.tenant
        policies = {"tenant": facts.requests_per_minute} | ({"write": facts.writes_per_minute} if write else {})
        windows = {}
        for name in policies:
            window = self._windows.get((facts.id, name))
            if window is None or window.minute != minute:
                window = self._windows[facts.id, name] = _Window(minute)
            windows[name] = window
        violated = [name for name, quota in policies.items() if self._used_up(windows[name], quota, principal.key_id)]
        if not violated:
            for window in windows.values():
                window.used += 1
                window.by_key[principal.key_id] = window.by_key.get(principal.key_id, 0) + 1
        tightest = min(policies, key=lambda name: policies[name] - windows[name].used)
        seconds = math.ceil(left)
        headers = {
            "RateLimit-Policy": (
                f'"tenant";q={facts.requests_per_minute};w={WINDOW},"write";q={facts.writes_per_minute};w={WINDOW}'
            ),
            "RateLimit": f'"{tightest}";r={max(0, policies[tightest] - windows[tightest].used)};t={seconds}',
        }
        if not violated:
            return headers, None
        return headers, QuotaExceeded(
            f"The quota of {policies[violated[0]]} requests in {WINDOW} seconds is used up; "
            f"go on in {seconds} seconds.",
            headers={"Retry-After": str(seconds)},
            extra={"violated-policies": violated},
        )

    @staticmethod
    def _used_up(window: _Window, quota: int, key: UUID | None) -> bool:
        if window.used >= quota:
            return True
        # Once half is used, no key may take more than its share, so that one runaway script leaves room for others.
        share = quota / max(1, len(window.by_key | {key: 0}))
        return window.used * 2 >= quota and window.by_key.get(key, 0) >= max(share, quota / 2)


class Slots:
    """How many requests run at once: per tenant at most max(2, pool/4), and reads leave a fifth of the pool free for
    calls that change something."""

    def __init__(self, pool: int, patience: float = 2.0) -> None:
        self._per_tenant = max(2, pool // 4)
        self._reads = asyncio.Semaphore(max(1, pool - max(1, pool // 5)))
        self._tenants: dict[UUID, asyncio.Semaphore] = {}
        self._patience = patience

    @asynccontextmanager
    async def hold(self, tenant: UUID, *, write: bool) -> AsyncIterator[None]:
        """Wait for a slot at most `patience` seconds; ReducedCapacity (503) after that."""
        own = self._tenants.setdefault(tenant, asyncio.Semaphore(self._per_tenant))
        semaphores = [own] if write else [own, self._reads]
        held: list[asyncio.Semaphore] = []
        try:
            for semaphore in semaphores:
                if semaphore.locked():
                    try:
                        await asyncio.wait_for(semaphore.acquire(), self._patience)
                    except TimeoutError:
                        metrics.POOL_WAITS.labels("tenant" if semaphore is own else "reads").inc()
                        raise ReducedCapacity(
                            "Fewer requests at once get through faster; try again in a moment.",
                            headers={"Retry-After": "2"},
                        ) from None
                else:
                    await semaphore.acquire()
                held.append(semaphore)
            yield
        finally:
            for semaphore in held:
                semaphore.release()
