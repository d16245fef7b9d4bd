"""Two tenants with something of everything, and how somebody is watched who may run any SQL in one of them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
from tests.contract.maker import MAKER, Maker, firm
from tests.world import Server, World

from backoffice.kernel import ids

MARK = "VICTIM"
_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' ORDER BY 1"
_HASHED = (
    "SELECT '{0}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM app.{0} t WHERE tenant_id = '{1}'"
)
_KEYS = "SELECT key_id, last_used_at FROM ctl.key_usage() ORDER BY key_id"
_OPENS = "SELECT key_id, scopes FROM ctl.open_key($1)"


@dataclass
class Ground:
    """`facts` are what attempts may name; `untouched` is what the victim has, before the next of them."""

    server: Server
    mine: Maker
    victim: Maker
    facts: dict[str, Any]
    secret: bytes  # the HMAC of a key of the victim's, which no attempt knows
    untouched: str = ""

    async def look(self) -> None:
        """Take what the victim has now for `untouched`."""
        async with inside(self.dsn, self.facts["victim"]) as (connection, _):
            self.untouched = await written(connection, self)
        assert self.untouched

    @property
    def dsn(self) -> str:
        return self.server.settings.dsn("bo_app")


async def made(world: World, server: Server, app: Any, admin_dsn: str) -> Ground:
    mine, victim = [await Maker(world, (await firm(world)).test, app, admin_dsn).open() for _ in range(2)]
    for maker in (mine, victim):
        await maker.paid_run()
        await maker.delivery()
        await maker.digest()
        await maker.finished_bulk_job()
        await maker.started_bulk_job()
        await maker.opening_balance()
        await maker.post(f"/v1/documents/{(await maker.document())['id']}/download_link")
    for _ in range(3):
        worker = await victim.worker(last_name=f"{MARK} Nobody")
        await victim.bank_account(worker)
        await victim.post("/v1/clients", {"name": f"{MARK} Ltd.", "address": worker["address"]})
    key = await victim.api_key()
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute("ANALYZE")
        ein = admin.execute("SELECT ein FROM app.employer WHERE tenant_id = %s", (victim.tenant.facts.id,)).fetchone()
    assert ein is not None
    facts = {
        "mine": mine.tenant.facts.id,
        "victim": victim.tenant.facts.id,
        "worker": ids.decode("worker", worker["id"]),
        "key": ids.decode("api_key", key["id"]),
        "ein": ein[0],
    }
    ground = Ground(server, mine, victim, facts, world.runtime.peppers.for_storage(victim.keys[MAKER]))
    await ground.look()
    return ground


@asynccontextmanager
async def inside(dsn: str, tenant: UUID) -> AsyncIterator[tuple[asyncpg.Connection, list[str]]]:
    """A session in a transaction bound to a tenant, and what the server tells it beside results."""
    connection = await asyncpg.connect(dsn)
    notices: list[str] = []
    connection.add_log_listener(lambda _, message: notices.append(str(message)))
    try:
        await connection.execute(f"BEGIN; SET LOCAL app.tenant_id = '{tenant}'; SET LOCAL statement_timeout = '5s'")
        yield connection, notices
    finally:
        connection.terminate()


async def written(connection: asyncpg.Connection, ground: Ground) -> str:
    """What the victim has, as this connection sees it, its own writes included: every row, when its keys were used, and
    that they open. Nothing when the transaction is aborted: nothing of it can be committed."""
    victim = ground.facts["victim"]
    try:
        if not connection.is_in_transaction():  # the attempt has ended its own
            await connection.execute("BEGIN")
        await connection.execute(f"SET LOCAL app.tenant_id = '{victim}'")
        tables = await connection.fetch(_TABLES)
        rows = await connection.fetch(" UNION ALL ".join(_HASHED.format(row["relname"], victim) for row in tables))
        rows += await connection.fetch(_KEYS)
        rows += await connection.fetch(_OPENS, ground.secret)
        return repr([tuple(row) for row in rows])
    except (asyncpg.PostgresError, asyncpg.InterfaceError):
        return ""


@dataclass
class Outcome:
    """What came of an attempt: all that was told, as text; what of it was the victim's; and how it was refused."""

    told: list[str]
    found: list[str]
    refused: str = ""  # the SQLSTATE


async def outcome(ground: Ground, statements: str, *, dsn: str | None = None) -> Outcome:
    """Run the statements of an attempt inside one's own tenant, up to the first that is refused."""
    victim = str(ground.facts["victim"])
    async with other_session(ground) as pid, inside(dsn or ground.dsn, ground.facts["mine"]) as (connection, notices):
        made = await _attempt(connection, statements.format(**ground.facts, pid=pid), f"{victim}\tplanted\t1\n")
        await asyncio.sleep(0)  # the driver hands out notices on the next turn of the loop
        made.found += [text[:300] for text in [*made.told, *notices] if MARK in text and f"LIKE '{MARK}" not in text]
        # The server's refusal may quote the statement; that tells nothing that was not sent.
        told = made.told[:-1] if made.refused else made.told
        made.found += [text[:300] for text in told if victim in text]
        if await written(connection, ground) not in ("", ground.untouched):
            made.found.append("what is the victim's was changed")
    return made


@asynccontextmanager
async def other_session(ground: Ground) -> AsyncIterator[int]:
    """The process number of a session of the victim's, which must be there afterwards as well."""
    async with inside(ground.dsn, ground.facts["victim"]) as (connection, _):
        yield connection.get_server_pid()
        assert await connection.fetchval("SELECT 1") == 1


async def _attempt(connection: asyncpg.Connection, statements: str, row: str) -> Outcome:
    made = Outcome([], [])
    for statement in statements.split(";;"):
        try:
            if " FROM STDIN" in statement:
                await connection.copy_to_table("counter", schema_name="app", source=io.BytesIO(row.encode()))
            else:
                made.told += [repr(dict(row)) for row in await connection.fetch(statement)]
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            made.refused = str(getattr(error, "sqlstate", None) or type(error).__name__)
            more = (getattr(error, "detail", "") or "", getattr(error, "context", "") or "")
            made.told.append(f"{type(error).__name__}: {error} {' '.join(more)}")
            break
    return made
