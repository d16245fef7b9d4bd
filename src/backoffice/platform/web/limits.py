"""Limits at the edge, per tenant: requests a minute with a fair share for each key, and requests at once.

Counts live in the process: with n API processes a tenant can reach n times its quota, never less than it. Windows are
fixed minutes of the wall clock.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
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

    def hold(self, tenant: UUID, *, write: bool) -> _Hold:
        """`async with`: wait for a slot at most `patience` seconds; ReducedCapacity (503) after that."""
        own = self._tenants.get(tenant)
        if own is None:
            own = self._tenants[tenant] = asyncio.Semaphore(self._per_tenant)
        return _Hold([own] if write else [own, self._reads], self._patience)


class _Hold:
    """The slots of one request, taken in order."""

    __slots__ = ("_held", "_patience", "_wanted")

    def __init__(self, wanted: list[asyncio.Semaphore], patience: float) -> None:
        self._wanted, self._patience = wanted, patience
        self._held: list[asyncio.Semaphore] = []

    async def __aenter__(self) -> None:
        try:
            for semaphore in self._wanted:
                if semaphore.locked():
                    async with asyncio.timeout(self._patience):
                        await semaphore.acquire()
                else:
                    await semaphore.acquire()
                self._held.append(semaphore)
        except BaseException as error:
            self._release()
            if isinstance(error, TimeoutError):
                metrics.POOL_WAITS.labels("reads" if self._held else "tenant").inc()
                raise ReducedCapacity(
                    "Fewer requests at once get through faster; try again in a moment.", headers={"Retry-After": "2"}
                ) from None
            raise

    async def __aexit__(self, *_: object) -> None:
        self._release()

    def _release(self) -> None:
        for semaphore in self._held:
            semaphore.release()
