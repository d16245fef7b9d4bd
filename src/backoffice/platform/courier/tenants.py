"""Transactions of the courier in a tenant: as `bo_app`, in the name of `system:courier`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from backoffice.kernel.errors import NotFound
from backoffice.platform.principal import Principal, TenantFacts
from backoffice.platform.runtime import Runtime, new_request_id
from backoffice.platform.tx import Tx

_MOST = 20_000


class Tenants:
    """Opens them, and remembers what never changes of a tenant: its id, its firm and its mode."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._known: dict[UUID, TenantFacts] = {}

    async def facts(self, tenant: UUID) -> TenantFacts:
        """NotFound when there is no such tenant."""
        known = self._known.get(tenant)
        if known is None:
            known = await self._runtime.tenant(tenant)
            if known is None:
                raise NotFound
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[tenant] = known
        return known

    @asynccontextmanager
    async def tx(self, tenant: UUID) -> AsyncIterator[Tx]:
        """Committed when the block ends well."""
        principal = Principal.system(await self.facts(tenant), "courier")
        db = self._runtime.db
        async with db.tx(principal, request_id=new_request_id()) as tx:
            yield tx
            await db.commit(tx)
