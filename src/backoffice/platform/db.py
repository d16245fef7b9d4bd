"""The one door to the database: who opens a transaction, for which tenant, and how it ends.

`Database.tx(principal)` is one message (BEGIN and the tenant's context), one tenant from first to last statement,
and a rollback unless the one who opened it says `commit`. What is done inside is `tx.py`. Nothing else in the product
says BEGIN, SET or COMMIT (`tests/rules/test_one_door.py`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from backoffice.kernel.errors import Problem
from backoffice.platform.connections import CLOSED, Connections
from backoffice.platform.crypto import Ciphers
from backoffice.platform.jobs import turns
from backoffice.platform.principal import Principal
from backoffice.platform.tx import Tx

_ACTOR = re.compile(r"^[a-z]{2,8}_[0-9a-hjkmnp-tv-z]{26}$|^system:[a-z_]{1,40}$")
CHANNELS = ("bo_keys",)  # bo_keys: a key was revoked; caches are to be emptied
LOST = (asyncpg.PostgresConnectionError, *CLOSED, OSError)  # the line broke
_TIMEOUTS = {  # statement, transaction
    "read": ("2s", "4s"),
    "write": ("5s", "10s"),
    "step": ("60s", "65s"),
    "alone": ("300s", "330s"),
}
# Whoever writes in a test tenant holds this lock with all others who do; who resets it (`alone`) holds it by itself.
# 31 bits of the tenant name it: two tenants of one number wait for each other now and then.
_WRITERS = 0x626F5752
_BY_KEY = (
    "; SET LOCAL enable_seqscan=off; SET LOCAL enable_bitmapscan=off; SET LOCAL plan_cache_mode=force_generic_plan"
)


class Unavailable(Problem):
    """The database cannot be reached or is overloaded. Nothing was done; try again."""

    status = 503
    code = "temporarily_unavailable"
    title = "The service is temporarily unavailable"
    retryable = True

    def __init__(self, detail: str = "Nothing was done. Try again in a moment.") -> None:
        super().__init__(detail, headers={"Retry-After": "2"})


class CommitUncertain(Problem):
    """The connection broke while the transaction was being committed; a retry with the same key tells which."""

    status = 503
    code = "commit_uncertain"
    title = "It is not known whether the request took effect"

    def __init__(self) -> None:
        super().__init__(
            "The connection to the database was lost during the commit. Repeat the request with the same "
            "Idempotency-Key: it runs only if it did not run before.",
            headers={"Retry-After": "2"},
        )


class _Ended:
    """In the place of a transaction's connection before it begins and once it has ended, so that nobody speaks in the
    next one's name."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("the transaction has ended")


_ENDED: Any = _Ended()


def _writers_of(tenant: str) -> int:
    return int(tenant[-8:], 16) & 0x7FFFFFFF


async def _roll_back(connection: asyncpg.Connection, connections: Connections) -> None:
    """A statement that was canceled may still be under way, and BEGIN too: the driver waits for its end, and ROLLBACK
    outside a transaction does no harm."""
    try:
        await connection.execute("ROLLBACK", timeout=2)
    except Exception:
        connection.terminate()
    connections.give(connection)


class _Lent:
    """A connection for the length of a block. Unavailable when none can be had."""

    __slots__ = ("_connection", "_connections")

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def __aenter__(self) -> asyncpg.Connection:
        try:
            self._connection = await self._connections.take(5)
        except (TimeoutError, OSError, asyncpg.PostgresError, *CLOSED) as error:
            raise Unavailable from error
        return self._connection

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        connection = self._connection
        if connection.is_closed() or (kind is None and not connection.is_in_transaction()):
            self._connections.give(connection)
        else:  # whatever happens to the task meanwhile, nobody gets it with a transaction open
            await asyncio.shield(_roll_back(connection, self._connections))


class _Opened(_Lent):
    """A connection in a transaction: BEGIN and the tenant's context in one message. Unavailable when the line breaks
    in it. (A class of its own, because every request opens one: a generator would take twice the time.)"""

    __slots__ = ("_begin", "_tx")

    def __init__(self, connections: Connections, begin: str, tx: Tx) -> None:
        super().__init__(connections)
        self._begin = begin
        self._tx = tx

    async def __aenter__(self) -> Tx:
        connection = await super().__aenter__()
        try:
            await connection.execute(self._begin)
        except BaseException as error:
            await super().__aexit__(type(error))
            if isinstance(error, LOST):
                raise Unavailable from error
            raise
        self._tx.connection = connection
        return self._tx

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._tx.connection = _ENDED
        await super().__aexit__(kind)


class Database:
    """A pool of one login role. `open` before use, `close` after."""

    def __init__(self, dsn: str, *, size: int = 12, ring: Callable[[], None] | None = None) -> None:
        self._dsn = dsn
        self._size = size
        self._connections: Connections | None = None
        self.ring = ring  # called after a commit that left work for the dispatcher or the courier
        self.ciphers: Ciphers | None = None

    async def open(self) -> None:
        self._connections = Connections(self._dsn, self._size)
        await self._connections.open()

    async def close(self) -> None:
        if self._connections is not None:
            await self._connections.close()
            self._connections = None

    def tx(
        self,
        principal: Principal,
        *,
        request_id: str,
        read_only: bool = False,
        dry_run: bool = False,
        traceparent: str | None = None,
        time_class: str = "write",
        ordered: bool = False,
        by_key: bool = False,
        alone: bool = False,
    ) -> AbstractAsyncContextManager[Tx]:
        """A transaction bound to the principal's tenant. It is rolled back unless `await db.commit(tx)` was called.

        Unavailable (503) when no connection can be had. `time_class`: read 2 s, write 5 s, step 60 s. `ordered`: what
        a request or a job writes; in a tenant that is played from a seed, one such after another. `by_key`: its
        statements find rows by their keys, and are planned once, however few rows the table held then. `alone`: of a
        test tenant, while nobody else writes there; Unavailable when the others do not end within the lock's timeout.
        """
        if not _ACTOR.match(principal.actor) or not _ACTOR.match(request_id):
            raise ValueError("actor and request id must be ids")
        tenant = UUID.__str__(principal.tenant.id)  # hexadecimal digits of a number, whatever a subclass makes of it
        statement, whole = _TIMEOUTS["read" if read_only else time_class]
        begin = (
            f"BEGIN {'READ ONLY' if read_only else ''}; SET LOCAL app.tenant_id='{tenant}'; "
            f"SET LOCAL app.actor='{principal.actor}'; SET LOCAL app.request_id='{request_id}'; "
            f"SET LOCAL statement_timeout='{statement}'; SET LOCAL transaction_timeout='{whole}'"
        )
        if by_key:
            begin += _BY_KEY
        if principal.tenant.mode == "test" and not read_only:
            begin += f"; SELECT pg_advisory_xact_lock{'' if alone else '_shared'}({_WRITERS}, {_writers_of(tenant)})"
        elif alone:
            raise ValueError("only a test tenant is anybody's alone")
        if ordered and not alone and principal.tenant.mode == "test":
            begin += f"; SELECT FROM app.test_clock WHERE tenant_id = '{tenant}' AND seed IS NOT NULL FOR NO KEY UPDATE"
        tx = Tx(
            principal=principal,
            request_id=request_id,
            connection=_ENDED,
            dry_run=dry_run,
            traceparent=traceparent,
            ciphers=self.ciphers,
            ordered=ordered,
        )
        return _Opened(self._open_connections(), begin, tx)

    @asynccontextmanager
    async def untenanted(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction without a tenant, for the listed functions of `ctl` (opening a key) and for `bo_dispatch`
        and `bo_queue`, whose roles see no payload. Commits when the block ends well."""
        async with self._connection() as connection:
            await connection.execute("BEGIN")
            yield connection
            await connection.execute("COMMIT")

    async def answers(self) -> bool:
        """Whether the database can be reached and answers."""
        try:
            async with self.autocommit() as connection:
                await connection.fetchval("SELECT 1", timeout=2)
        except (Unavailable, OSError, TimeoutError, asyncpg.PostgresError, *CLOSED):
            return False
        return True

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection outside any transaction: one statement, one commit (heartbeats, listening)."""
        async with self._connection() as connection:
            yield connection

    def _connection(self) -> _Lent:
        return _Lent(self._open_connections())

    def _open_connections(self) -> Connections:
        assert self._connections is not None, "the database is not open"
        return self._connections

    async def commit(self, tx: Tx) -> None:
        """Flush what was said and COMMIT; then ring the doorbell. CommitUncertain when the connection breaks in it."""
        await tx.flush()
        if tx.turn and tx.principal.tenant.mode == "test":
            await turns.next_turn(tx)
        try:
            await tx.connection.execute("COMMIT")
        except (*LOST, asyncpg.OperatorInterventionError) as error:  # an administrator may end a session after it
            raise CommitUncertain from error
        if tx.rang and self.ring is not None:
            self.ring()
        for channel in sorted(tx.announce):
            assert channel in CHANNELS, channel
            await tx.connection.execute(f"NOTIFY {channel}")
