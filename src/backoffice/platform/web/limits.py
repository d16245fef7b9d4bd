"""Limits at the edge, per tenant: requests a minute with a fair share for each key, and requests at once.

Counts live in the process: with n API processes a tenant can reach n times its quota, never less than it. Windows are
fixed minutes of the wall clock.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
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


Headers = list[tuple[bytes, bytes]]


@cache
def _policy(tenant: int, write: int) -> tuple[bytes, bytes]:
    return b"ratelimit-policy", f'"tenant";q={tenant};w={WINDOW},"write";q={write};w={WINDOW}'.encode()


class Quotas:
    """Counts requests by tenant, policy ("tenant", "write") and key."""

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._windows: dict[tuple[UUID, str], _Window] = {}

    def take(self, principal: Principal, *, write: bool) -> tuple[Headers, Problem | None]:
        """Count one request. The RateLimit headers, and the refusal if a quota is used up (nothing is counted then)."""
        now = self._clock()
        minute, seconds = int(now // WINDOW), math.ceil(WINDOW - now % WINDOW)
        facts, key = principal.tenant, principal.key_id
        counted = [("tenant", facts.requests_per_minute, self._window(facts.id, "tenant", minute))]
        if write:
            counted.append(("write", facts.writes_per_minute, self._window(facts.id, "write", minute)))
        violated = [(name, quota) for name, quota, window in counted if self._used_up(window, quota, key)]
        if not violated:
            for _, _, window in counted:
                window.used += 1
                window.by_key[key] = window.by_key.get(key, 0) + 1
        left, tightest = min((quota - window.used, name) for name, quota, window in counted)
        headers = [
            _policy(facts.requests_per_minute, facts.writes_per_minute),
            (b"ratelimit", f'"{tightest}";r={max(0, left)};t={seconds}'.encode()),
        ]
        if not violated:
            return headers, None
        return headers, QuotaExceeded(
            f"The quota of {violated[0][1]} requests in {WINDOW} seconds is used up; go on in {seconds} seconds.",
            headers={"Retry-After": str(seconds)},
            extra={"violated-policies": [name for name, _ in violated]},
        )

    def _window(self, tenant: UUID, policy: str, minute: int) -> _Window:
        window = self._windows.get((tenant, policy))
        if window is None or window.minute != minute:
            window = self._windows[tenant, policy] = _Window(minute)
        return window

    @staticmethod
    def _used_up(window: _Window, quota: int, key: UUID | None) -> bool:
        if window.used >= quota:
            return True
        if window.used * 2 < quota:
            return False
        # Once half is used, no key may take more than its share, so that one runaway script leaves room for others.
        share = quota / max(1, len(window.by_key | {key: 0}))
        return window.by_key.get(key, 0) >= max(share, quota / 2)


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
