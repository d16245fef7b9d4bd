"""What every process opens at its start and closes at its end: the database as `bo_app`, keys, storage."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from backoffice.kernel import clock, ids
from backoffice.platform import models
from backoffice.platform.crypto import Ciphers, DataKeyRow, FileKeyStore, Peppers
from backoffice.platform.db import Database
from backoffice.platform.principal import Principal, TenantFacts
from backoffice.platform.settings import Settings, SettingsRefused
from backoffice.platform.storage import Storage
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx
from backoffice.platform.web import lists


@dataclass(slots=True)
class Runtime:
    """The open parts of a process."""

    settings: Settings
    db: Database
    ciphers: Ciphers
    peppers: Peppers
    storage: Storage

    async def tenant(self, tenant_id: UUID) -> TenantFacts | None:
        """The facts of a tenant named in a message or a link, or None when there is no such tenant."""
        async with self.db.untenanted() as connection:
            row = await connection.fetchrow("SELECT * FROM ctl.tenant_by_id($1)", tenant_id)
        if row is None:
            return None
        limits = {name: row[name] for name in ("requests_per_minute", "writes_per_minute")}
        return TenantFacts(id=row["tenant_id"], mode=row["mode"], firm=row["firm"], plan=row["plan"], **limits)

    @asynccontextmanager
    async def tx(self, principal: Principal, *, read_only: bool = False) -> AsyncIterator[Tx]:
        """A transaction for the command line: committed when the block ends well."""
        async with self.db.tx(principal, request_id=new_request_id(), read_only=read_only) as tx:
            yield tx
            await self.db.commit(tx)


def new_request_id() -> str:
    return ids.encode("request", ids.new(clock.wall()))


def derived_key(settings: Settings, purpose: str) -> bytes:
    """A key of its own for one purpose (cursors, download links), derived from the newest pepper: a rotation ends the
    cursors and links that are out, which live a day at most."""
    versions = _pepper_versions(settings)
    return hashlib.blake2b(versions[max(versions)], digest_size=32, person=purpose.encode()[:16]).digest()


def peppers(settings: Settings) -> Peppers:
    """The peppers by version. SettingsRefused when the text is not `1:secret[,2:secret]` or a single secret, or a
    secret is too short."""
    versions = _pepper_versions(settings)
    try:
        return Peppers(versions)
    except ValueError as error:
        raise SettingsRefused(f"BACKOFFICE_PEPPER cannot be used: {error}") from None


def _pepper_versions(settings: Settings) -> dict[int, bytes]:
    if ":" not in settings.pepper:
        return {1: settings.pepper.encode()}
    parts = [part.partition(":") for part in settings.pepper.split(",")]
    if not all(version.strip().isdecimal() for version, _, _ in parts):  # what is there instead may be the secret
        raise SettingsRefused("BACKOFFICE_PEPPER must read 1:secret, or 2:new,1:old while one replaces the other")
    return {int(version): secret.encode() for version, _, secret in parts}


@asynccontextmanager
async def open_runtime(settings: Settings, *, ring: Callable[[], None] | None = None) -> AsyncIterator[Runtime]:
    """Open everything, and close it in reverse order. Unavailable when the database cannot be reached."""
    db = Database(settings.dsn("bo_app"), size=settings.pool_size, ring=ring)
    await db.open()
    try:
        keystore = FileKeyStore(settings.state / "keys.json")

        def system(tenant_id: UUID) -> Principal:
            # Asked in the middle of another transaction, which a reset may be waiting for; it waits for no reset in
            # its turn, and that leaves keys alone.
            return Principal.system(TenantFacts(id=tenant_id, mode="live"), "data_keys")

        async def load(tenant_id: UUID) -> Sequence[DataKeyRow]:
            key = models.data_key.c
            async with db.tx(system(tenant_id), request_id="system:data_keys", read_only=True) as tx:
                rows = await tx.fetch(select(key.key_version, key.wrapped, key.state).where(key.tenant_id == TENANT))
            return [(row["key_version"], bytes(row["wrapped"]), row["state"]) for row in rows]

        async def store(tenant_id: UUID, version: int, wrapped: bytes) -> None:
            async with db.tx(system(tenant_id), request_id="system:data_keys") as tx:
                await tx.insert_or_none(models.data_key, key_version=version, wrapped=wrapped)
                await db.commit(tx)

        ciphers = Ciphers(keystore, load, store)
        db.ciphers = ciphers
        lists.configure(derived_key(settings, "cursors"))
        yield Runtime(settings, db, ciphers, peppers(settings), Storage.open(settings.storage_url))
    finally:
        await db.close()
