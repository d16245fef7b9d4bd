"""What the leader counts and charges beside its ticks, so that no release waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg

from backoffice.platform import logs, metrics
from backoffice.platform.connections import CLOSED
from backoffice.platform.db import Database, Unavailable
from backoffice.platform.jobs import routing
from backoffice.platform.jobs.fairness import Fairness, InFlight, Key

DEPTH_LEAST_SECONDS: Final = 1.0
DEPTH_SHARE: Final = 100  # between two counts of all that waits passes a hundred times what the last one took
_DATABASE_LOST = (Unavailable, asyncpg.PostgresError, *CLOSED, OSError, TimeoutError)
log = logs.get("dispatcher")


class Bookkeeping:
    """Of one leader, on connections of its own. What cannot be done now is done next time, or not missed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._depth_at = 0.0

    def settle(self, book: Fairness, live: Sequence[InFlight], gone: Sequence[Key]) -> None:
        """Charge what is in flight, and what has left it, with the slot-seconds it took. At the tick's leisure: what
        is still under way is asked for again by the next tick."""
        running = sum(each.seconds is not None for each in live)
        metrics.QUEUE_DEPTH.labels("running").set(running)
        metrics.QUEUE_DEPTH.labels("released").set(len(live) - running)
        book.observe(live)
        metrics.show_shares(book.in_flight(live), book.paid())
        if gone:
            self._start("settle", lambda: self._settle(book, gone))

    def measure(self) -> None:
        """Count all that waits, now and then."""
        if time.monotonic() >= self._depth_at:
            self._start("measure", self._measure)

    def stop(self) -> None:
        """Leave what is under way."""
        for task in self._under_way.values():
            task.cancel()

    def _start(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        if what not in self._under_way:
            task = self._under_way[what] = asyncio.create_task(self._done(what, work))
            task.add_done_callback(lambda _: self._under_way.pop(what))

    @staticmethod
    async def _done(what: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except _DATABASE_LOST as error:
            log.warning("not_counted", phase=what, **logs.error_fields(error))

    async def _settle(self, book: Fairness, gone: Sequence[Key]) -> None:
        tenants, jobs, fences = (list(part) for part in zip(*gone, strict=True))
        async with self._db.autocommit() as connection:
            rows = await connection.fetch(routing.SETTLED, tenants, jobs, fences)
        took = {(row["tenant_id"], row["id"], row["fence"]): row["seconds"] for row in rows}
        book.settle({key: took.get(key) for key in gone})

    async def _measure(self) -> None:
        began = time.monotonic()
        self._depth_at = began + DEPTH_LEAST_SECONDS
        async with self._db.autocommit() as connection:
            rows = await connection.fetch(routing.QUEUED)
        metrics.QUEUE_DEPTH.labels("queued").set(sum(row["jobs"] for row in rows))
        metrics.QUEUE_DEPTH.labels("later").set(sum(row["later"] for row in rows))
        for row in rows:
            metrics.QUEUE_AGE.labels(row["band"]).set(row["oldest"])
        ended = time.monotonic()
        self._depth_at = ended + max(DEPTH_LEAST_SECONDS, DEPTH_SHARE * (ended - began))
