"""Data keys by tenant: made once, unwrapped when needed, kept in memory for ten minutes at most."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

from backoffice.platform.crypto.errors import KeyStoreFault
from backoffice.platform.crypto.keystore import KeyStore
from backoffice.platform.crypto.tenant import KEY_BYTES, MAX_VERSION, Observe, TenantCipher

INDEX_ROOT: Final = 0  # version 0 is the root of the blind indexes, never a DEK
LONGEST_STAY: Final = 600.0  # seconds

DataKeyRow = tuple[int, bytes, str]  # version, wrapped, state: `active` (seals and opens) or `retired` (opens)
Load = Callable[[UUID], Awaitable[Sequence[DataKeyRow]]]
Store = Callable[[UUID, int, bytes], Awaitable[None]]


class Ciphers:
    """Hands out `TenantCipher`s.

    `load(tenant_id)` reads `(version, wrapped, state)` of `app.data_key`. `store(tenant_id, version, wrapped)` inserts
    a row with state `active`, ON CONFLICT DO NOTHING. Both must run in short transactions of their own: a key that a
    rolled-back transaction took with it would leave values that nobody can open. After storing, the rows are read
    again and only what the database holds is used, so two processes that meet at a new tenant agree."""

    def __init__(
        self,
        keys: KeyStore,
        load: Load,
        store: Store,
        *,
        observe: Observe | None = None,
        stay: float = LONGEST_STAY,
        clock: Callable[[], float] = time.monotonic,
        most: int = 4096,
    ) -> None:
        if not 0 <= stay <= LONGEST_STAY:
            raise ValueError("data keys stay in memory for at most 600 seconds")
        self._keys = keys
        self._load = load
        self._store = store
        self._observe = observe
        self._stay = stay
        self._clock = clock
        self._most = most
        self._kept: dict[UUID, tuple[float, TenantCipher]] = {}
        self._locks: dict[UUID, asyncio.Lock] = {}

    async def for_tenant(self, tenant_id: UUID) -> TenantCipher:
        """The tenant's cipher, with its first keys made when there are none.

        KeyMissing, KeyDestroyed, CannotOpen or KeyStoreFault when its keys cannot be unwrapped."""
        kept = self._kept.get(tenant_id)
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        lock = self._locks.setdefault(tenant_id, asyncio.Lock())
        async with lock:  # a burst of requests unwraps once
            kept = self._kept.get(tenant_id)
            if kept is not None and kept[0] > self._clock():
                return kept[1]
            try:
                return await self._fetch(tenant_id)
            finally:
                self._locks.pop(tenant_id, None)

    async def rotate(self, tenant_id: UUID) -> int:
        """A new DEK that seals from now on (yearly, or after 2³⁰ values); returns its version. Other processes follow
        within ten minutes; the older keys go on opening."""
        self.forget(tenant_id)
        await self._fetch(tenant_id)  # a key store that cannot open the old keys must not get a new one
        rows = await self._load(tenant_id)
        version = max(version for version, _, _ in rows) + 1
        if version > MAX_VERSION:
            raise KeyStoreFault("the tenant has used up its key versions")
        await self._store(tenant_id, version, await self._keys.wrap(tenant_id, version, os.urandom(KEY_BYTES)))
        self.forget(tenant_id)
        return version

    def forget(self, tenant_id: UUID | None = None) -> None:
        """Drop the unwrapped keys of one tenant, or of all."""
        if tenant_id is None:
            self._kept.clear()
        else:
            self._kept.pop(tenant_id, None)

    async def _fetch(self, tenant_id: UUID) -> TenantCipher:
        until = self._clock() + self._stay  # from before the read, so that ten minutes are ten minutes
        rows = await self._complete(tenant_id)
        deks: dict[int, bytes] = {}
        root = b""
        for version, wrapped, _ in rows:
            key = await self._keys.unwrap(tenant_id, version, bytes(wrapped))
            if version == INDEX_ROOT:
                root = key
            else:
                deks[version] = key
        active = [version for version, _, state in rows if version != INDEX_ROOT and state == "active"]
        if not active:
            raise KeyStoreFault("no data key of this tenant is active; rotate its keys")
        cipher = TenantCipher(tenant_id, deks, max(active), index_root=root, observe=self._observe)
        while len(self._kept) >= self._most:
            self._kept.pop(next(iter(self._kept)))
        self._kept[tenant_id] = (until, cipher)
        return cipher

    async def _complete(self, tenant_id: UUID) -> Sequence[DataKeyRow]:
        """The tenant's rows. A tenant without any gets its index root and then its first DEK; a tenant that has DEKs
        but no root is damaged and gets no new one, which would make every look-up miss."""
        rows = await self._load(tenant_id)
        versions = {version for version, _, _ in rows}
        if INDEX_ROOT in versions and len(versions) > 1:
            return rows
        if versions - {INDEX_ROOT}:
            raise KeyStoreFault("the tenant's data keys lack version 0, the root of its look-ups: restore that row")
        for version in (INDEX_ROOT, 1):
            if version not in versions:
                await self._store(tenant_id, version, await self._keys.wrap(tenant_id, version, os.urandom(KEY_BYTES)))
        rows = await self._load(tenant_id)
        if {version for version, _, _ in rows} < {INDEX_ROOT, 1}:
            raise KeyStoreFault("a new data key was stored but cannot be read back: store must commit")
        return rows
