"""From a key to a principal: check the CRC, then look up the HMAC, then trust the row (tenancy and security §5).

Answers are kept for at most `keep` seconds and dropped when a revocation is announced. Unknown, revoked and malformed
keys are one answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import ip_network
from time import monotonic

import asyncpg

from backoffice.kernel import ids
from backoffice.platform import apikeys, logs
from backoffice.platform.connections import CLOSED
from backoffice.platform.crypto import Peppers
from backoffice.platform.db import Database, Unavailable
from backoffice.platform.principal import Principal, TenantFacts
from backoffice.platform.web.problems import Unauthorized

_KEPT_AT_MOST = 10_000
log = logs.get("keys")


class Authenticator:
    """Opens keys for one API process."""

    def __init__(
        self, db: Database, peppers: Peppers, *, keep: float = 5.0, clock: Callable[[], float] = monotonic
    ) -> None:
        self._db = db
        self._peppers = peppers
        self._keep = keep
        self._clock = clock
        self._known: dict[bytes, tuple[float, Principal, bytes]] = {}  # until when, who, the HMAC that is stored
        self._used: set[bytes] = set()

    async def principal(self, header: str | None, address: str | None = None) -> Principal:
        """The principal of an `Authorization` header. Unauthorized when there is no valid key in it, or when it may
        not be used from that address: whoever stole a key learns nothing of it."""
        found = await self._opened(header)
        if not found.may_come_from(address):
            log.warning("key_from_elsewhere", tenant=str(found.tenant.id), actor=found.actor, key_id=str(found.key_id))
            raise Unauthorized
        return found

    async def _opened(self, header: str | None) -> Principal:
        scheme, _, key = (header or "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer":
            raise Unauthorized
        candidates = self._peppers.candidates(key)
        digest = candidates[0]
        known = self._known.get(digest)
        now = self._clock()
        if known is not None and known[0] > now:
            self._used.add(known[2])
            return known[1]
        if apikeys.parse(key) is None:
            raise Unauthorized
        async with self._db.autocommit() as connection:  # one statement, so one round trip
            for candidate in candidates:
                row = await connection.fetchrow("SELECT * FROM ctl.open_key($1)", candidate)
                if row is not None:
                    break
        if row is None:
            raise Unauthorized
        principal = Principal(
            tenant=TenantFacts(
                id=row["tenant_id"],
                mode=row["mode"],
                firm=row["firm"],
                plan=row["plan"],
                requests_per_minute=row["requests_per_minute"],
                writes_per_minute=row["writes_per_minute"],
            ),
            actor=ids.encode("person", row["person_id"]),
            scopes=frozenset(row["scopes"]),
            person_id=row["person_id"],
            key_id=row["key_id"],
            api_version=row["api_version"],
            allowed_from=tuple(map(ip_network, row["allowed_ips"])),
        )
        if self._keep > 0:
            if len(self._known) >= _KEPT_AT_MOST:
                self._known.clear()
            self._known[digest] = (now + self._keep, principal, candidate)
        self._used.add(candidate)
        return principal

    def forget(self) -> None:
        """Drop what is kept; called when a revocation is announced."""
        self._known.clear()

    async def note_use(self) -> None:
        """Write `last_used_at` of the keys seen since the last call, in one statement, by their HMACs."""
        used, self._used = self._used, set()
        if used:
            async with self._db.untenanted() as connection:
                await connection.execute("SELECT ctl.key_used($1)", sorted(used))

    async def stay_current(self, dsn: str) -> None:
        """Run beside the server: drop what is kept when a revocation is announced, and whenever the line was down;
        note the use of keys every ten seconds. Ends when it is canceled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(dsn))
            tasks.create_task(self._note_regularly())

    async def _listen(self, dsn: str) -> None:
        while True:
            try:
                connection = await asyncpg.connect(dsn, timeout=5)
                try:
                    self.forget()  # what was announced while nobody listened
                    await connection.add_listener("bo_keys", lambda *_: self.forget())
                    closed = asyncio.Event()
                    connection.add_termination_listener(lambda *_, closed=closed: closed.set())
                    await closed.wait()
                finally:
                    await connection.close(timeout=1)
            except (OSError, asyncpg.PostgresError, *CLOSED, TimeoutError) as error:
                log.warning("listening_interrupted", **logs.error_fields(error))
                await asyncio.sleep(1)

    async def _note_regularly(self) -> None:
        while True:
            await asyncio.sleep(10)
            try:
                await self.note_use()
            except (Unavailable, OSError, asyncpg.PostgresError, *CLOSED) as error:
                log.warning("key_use_not_noted", **logs.error_fields(error))
