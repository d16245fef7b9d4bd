"""The dispatcher: releases what is due, fairly, and takes back what its worker lost. The only sender of messages.

One leader, by an advisory lock on the connection it works with: whoever loses the connection has lost the lock with
it. A tick counts what is in flight from the table, grants, releases (one statement for each tenant, committed), and
then publishes. What is published and lost, or never published, comes back when its lease runs out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import Final, Protocol, TypeVar
from uuid import UUID

import asyncpg

from backoffice.platform import logs, metrics, pulse
from backoffice.platform.connections import CLOSED
from backoffice.platform.db import Database, Unavailable
from backoffice.platform.doorbell import Listener
from backoffice.platform.jobs import plans, routing
from backoffice.platform.jobs.bookkeeping import Bookkeeping
from backoffice.platform.jobs.fairness import BANDS, Fairness, Grant, InFlight, Key, Limit
from backoffice.platform.jobs.kind_limits import KindLimits
from backoffice.platform.jobs.states import LEASED

T = TypeVar("T")

LEADER_LOCK: Final = 0x626F5F6469737061
_ELECT: Final = "SELECT pg_try_advisory_lock($1)"
_STAND_DOWN: Final = "SELECT pg_advisory_unlock_all()"
ELECTION_SECONDS: Final = 0.25
POLL_SECONDS: Final = 0.25  # a lost ring costs at most this
LIMITS_SECONDS: Final = 1.0
SLOTS_SECONDS: Final = 1.0
BROKER_SECONDS: Final = 5.0  # less than what the server allows a silent leader
SCAN_LEAST_SECONDS: Final = 0.002
SCAN_SECONDS: Final = 0.05  # without word of new work: for what is due by the clock alone
PACE_LEAST_SECONDS, PACE_SECONDS = 0.001, 0.010
SCAN_SHARE: Final = 5  # between two looks for ready tenants passes five times what the last one took
LOOK_AHEAD: Final = (100, 2000)  # jobs looked at past those of a kind at its limit: a little, and if need be more
_DATABASE_LOST = (Unavailable, asyncpg.PostgresError, *CLOSED, OSError, TimeoutError)
log = logs.get("dispatcher")


class Transport(Protocol):
    """What the dispatcher needs of a broker. Blocking; any exception means that nothing may have been sent."""

    def publish(self, batches: Sequence[Sequence[Key]], *, soon: bool) -> None:
        """Send one message for each batch of one tenant's releases, and return when the broker has them all. `soon`:
        more of the tenant may wait for their end."""

    def slots(self) -> int:
        """How many jobs the living workers can run at once."""


def window(slots: int) -> int:
    """How many jobs may be in flight: what runs, and half as much that waits at the workers' door."""
    return max(slots + 2, ceil(slots * 1.5)) if slots else 0


class Dispatcher:
    """One candidate for leader. `run` until `stop`; `leading` says whether it is the one. `clock` tells seconds."""

    def __init__(
        self, db: Database, listener: Listener, transport: Transport, *, lease_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._db = db
        self._listener = listener
        self._transport = transport
        self._lease = lease_seconds
        self._clock = clock
        self._sweep_seconds = max(0.05, min(1.0, lease_seconds / 5))
        self._broker_thread = _one_thread()
        self._stopping = False
        self.leading = False
        self._fairness = Fairness()
        self._kinds = KindLimits()
        for state in LEASED:
            metrics.SWEPT.labels(state)  # from the start, so that its first rise is one
        self._books = Bookkeeping(db)
        self._remembers = False  # what started before it led
        self._ready: dict[str, set[UUID]] = {band: set() for band in BANDS}
        self._slots = 0
        self._due: dict[str, float] = {}
        self._news = True  # there is new work to look for
        self._scan_from = 0.0

    def stop(self) -> None:
        """End after the present tick. From the event loop."""
        self._stopping = True
        self._listener.wake()

    async def run(self) -> None:
        """Stand for election, lead, and again, until told to stop."""
        pulse.expect("lead")
        while not self._stopping:
            try:
                await self._stand()
            except _DATABASE_LOST as error:
                pulse.turned("lead")
                log.warning("database_lost", **logs.error_fields(error))
            self.leading = False
            metrics.LEADING.set(0)
            pulse.forget("broker")
            if not self._stopping:
                await asyncio.sleep(ELECTION_SECONDS)
        self._books.stop()
        self._broker_thread.shutdown(wait=False)

    async def _stand(self) -> None:
        async with self._db.autocommit() as connection:
            try:
                await self._lead_when_elected(connection)
                await connection.execute(_STAND_DOWN)
            except BaseException:
                connection.terminate()  # the lock goes with the connection
                raise

    async def _lead_when_elected(self, connection: asyncpg.Connection) -> None:
        while not await connection.fetchval(_ELECT, LEADER_LOCK):
            if self._stopping:
                return
            pulse.worked("lead")  # by standing by
            await asyncio.sleep(ELECTION_SECONDS)
        self._begin()
        while not self._stopping:
            await self._tick(connection)
            pulse.worked("lead")

    def _begin(self) -> None:
        self.leading = True
        metrics.LEADING.set(1)
        pulse.expect("broker")
        self._fairness = Fairness()
        self._kinds = KindLimits()
        self._remembers = False
        self._ready = {band: set() for band in BANDS}
        self._due = {}
        self._news = True
        log.info("leading")

    # -- one tick

    async def _tick(self, connection: asyncpg.Connection) -> None:
        if self._is_due("sweep", self._sweep_seconds):
            await self._sweep(connection)
        if self._is_due("limits", LIMITS_SECONDS):
            await self._read_limits(connection)
        if self._is_due("slots", SLOTS_SECONDS if self._slots else POLL_SECONDS):
            await self._count_slots()
        self._news = self._listener.news() or self._news
        look_at = self._scan_from if self._news else self._due.get("scan", 0.0)
        scanned = self._clock() >= look_at
        if scanned:
            self._news = False
            await self._scan(connection)
        live = await self._in_flight(connection)
        gone = self._fairness.gone(live)
        released = await self._release(connection, live)
        self._books.settle(self._fairness, live, gone)
        self._books.measure()
        if released:
            # What ends meanwhile is replaced together; new work, perhaps of who had none, and room for a newcomer do
            # not wait for it.
            await asyncio.sleep(PACE_LEAST_SECONDS)
            await self._listener.pause(PACE_SECONDS - PACE_LEAST_SECONDS)
        else:
            # Nothing could start: wait for a ring, or for what is due next. When the scan was put off, until it is.
            pause = POLL_SECONDS if scanned else max(0.0, look_at - self._clock())
            await self._listener.wait(min(pause, self._sweep_seconds))

    def _is_due(self, what: str, every: float) -> bool:
        now = self._clock()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every
        return True

    async def _read_limits(self, connection: asyncpg.Connection) -> None:
        rows = await connection.fetch(routing.LIMITS)
        self._fairness.limits = {row["tenant_id"]: Limit(row["weight"], row["max_in_flight"]) for row in rows}
        named = {row["tenant_id"]: plans.find(row["plan"]) for row in rows}
        self._kinds.limits = {tenant: plan.kinds for tenant, plan in named.items() if plan and plan.kinds}
        limited = [] if self._remembers else self._kinds.by_minute()
        if limited:
            tenants, kinds = (list(part) for part in zip(*limited, strict=True))
            started, now = await connection.fetch(routing.STARTED_LATELY, tenants, kinds), self._clock()
            self._kinds.remember((row["tenant_id"], row["kind"], now - row["ago"]) for row in started)
        self._remembers = True

    async def _sweep(self, connection: asyncpg.Connection) -> None:
        for row in await connection.fetch(routing.SWEEP):
            self._news = True
            metrics.SWEPT.labels(row["state"]).inc()
            log.warning("lease_ran_out", tenant=str(row["tenant_id"]), job_id=str(row["id"]), state=row["state"])

    async def _count_slots(self) -> None:
        try:
            self._slots = await self._in_broker_thread(self._transport.slots)
            pulse.worked("broker")
        except Exception as error:  # whatever a broker's client raises: without it there is nobody to release to
            pulse.turned("broker")
            log.warning("broker_lost", **logs.error_fields(error))
            self._slots = 0

    async def _scan(self, connection: asyncpg.Connection) -> None:
        began = self._clock()
        rows = await connection.fetch(routing.READY, list(self._fairness.limits))
        self._ready = {band: set() for band in BANDS}
        for row in rows:
            if not self._kinds.held(row["tenant_id"], row["band"], began):
                self._ready[row["band"]].add(row["tenant_id"])
        now = self._clock()
        self._scan_from = now + max(SCAN_LEAST_SECONDS, SCAN_SHARE * (now - began))
        self._due["scan"] = max(self._scan_from, now + SCAN_SECONDS)

    async def _in_flight(self, connection: asyncpg.Connection) -> list[InFlight]:
        rows = await connection.fetch(routing.LIVE)
        live = [InFlight((row["tenant_id"], row["id"], row["fence"]), row["band"], row["seconds"]) for row in rows]
        self._kinds.count((row["tenant_id"], row["kind"]) for row in rows)
        return live

    async def _release(self, connection: asyncpg.Connection, live: list[InFlight]) -> bool:
        new = self._fairness.meet({each.tenant for each in live}.union(*self._ready.values()), self._clock())
        grants = self._fairness.plan(slots=self._slots, window=window(self._slots), live=live, ready=self._ready)
        first = await self._release_all(connection, [grant for grant in grants if grant.tenant in new], soon=True)
        then = await self._release_all(connection, [grant for grant in grants if grant.tenant not in new], soon=False)
        return first or then

    async def _release_all(self, connection: asyncpg.Connection, grants: Sequence[Grant], *, soon: bool) -> bool:
        released: list[Key] = []
        try:
            for grant in grants:
                released += await self._release_one(connection, grant)
        finally:
            if released:  # also when the database was lost half-way: what is committed should not wait for its lease
                await self._publish(connection, released, soon=soon)
        return bool(released)

    async def _release_one(self, connection: asyncpg.Connection, grant: Grant) -> list[Key]:
        rows = await self._released(connection, grant)
        keys = [(grant.tenant, row["id"], row["fence"]) for row in rows]
        self._fairness.correct(grant, keys)
        if len(rows) < grant.count:
            self._ready[grant.band].discard(grant.tenant)
        for row in rows:
            metrics.RELEASE_SECONDS.observe(max(0.0, row["waited"]))
        return keys

    async def _released(self, connection: asyncpg.Connection, grant: Grant) -> list[asyncpg.Record]:
        now = self._clock()
        asked = (grant.tenant, grant.band, grant.count, self._lease)
        room = self._kinds.room(grant.tenant, now, grant.count)
        rows: list[asyncpg.Record] = await connection.fetch(routing.RELEASE, *asked) if not room else []
        if room:
            for look in LOOK_AHEAD:
                within = (look, list(room), list(room.values()))
                rows = rows or await connection.fetch(routing.RELEASE_WITHIN, *asked, *within)
            if not rows and grant.band in await self._bands(connection, grant.tenant):
                self._kinds.hold(grant.tenant, grant.band, now)
        self._kinds.note(grant.tenant, [row["kind"] for row in rows], now)
        return rows

    @staticmethod
    async def _bands(connection: asyncpg.Connection, tenant: UUID) -> set[str]:
        return {row["band"] for row in await connection.fetch(routing.READY, [tenant])}

    async def _publish(self, connection: asyncpg.Connection, keys: list[Key], *, soon: bool) -> None:
        try:
            batches = self._fairness.batches(keys)
            await self._in_broker_thread(lambda: self._transport.publish(batches, soon=soon))
        except Exception as error:  # whatever a broker's client raises
            log.warning("publish_failed", count=len(keys), **logs.error_fields(error))
            self._slots = 0  # release nothing more until it answers
            tenants, jobs, fences = (list(part) for part in zip(*keys, strict=True))
            await connection.execute(routing.TAKE_BACK, tenants, jobs, fences)

    async def _in_broker_thread(self, call: Callable[[], T]) -> T:
        """TimeoutError when the broker does not answer: the thread that waits for it is left behind with its
        connection, for a client may wait for ever, and the next call gets another."""
        try:
            async with asyncio.timeout(BROKER_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._broker_thread, call)
        except TimeoutError:
            self._broker_thread.shutdown(wait=False)
            self._broker_thread = _one_thread()
            raise


def _one_thread() -> ThreadPoolExecutor:
    """One, so that a broker's connection stays with the thread that opened it."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="broker")
