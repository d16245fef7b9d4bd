"""The dispatcher process: one candidate for leader, and the daily housekeeping, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace

from backoffice.platform import logs, traces
from backoffice.platform.collector import collect_seldom
from backoffice.platform.db import Database
from backoffice.platform.doorbell import ROOM, ROOM_SOON, open_doorbell, open_listener
from backoffice.platform.jobs.brokers import open_broker
from backoffice.platform.jobs.dispatch import Dispatcher
from backoffice.platform.jobs.leaving import leave
from backoffice.platform.jobs.scheduler import Scheduler
from backoffice.platform.runtime import open_runtime
from backoffice.platform.settings import INDEX_WALKS, Settings, SettingsRefused, from_environment

SILENT_SECONDS = 10  # a leader that is stopped or cut off holds the lock so long


async def serve(settings: Settings) -> None:
    """Lead, or stand by to lead, until SIGTERM or SIGINT."""
    # Without waiting for the disk: a release that a crash takes back is made again, under the same fence, and whatever
    # a worker commits upon it takes it along.
    silent = f"{SILENT_SECONDS}s"
    dsn = settings.dsn("bo_dispatch", synchronous_commit="off", idle_session_timeout=silent, **INDEX_WALKS)
    db = Database(dsn, size=3)  # to lead, and to keep the books
    looking = Database(settings.dsn("bo_dispatch"), size=1)
    await db.open()
    await looking.open()
    broker = open_broker(settings, name="dispatcher")
    try:
        async with (
            open_listener(settings.dsn("bo_dispatch"), ROOM, ROOM_SOON) as listener,
            open_doorbell(settings.dsn("bo_app")) as doorbell,
            open_runtime(replace(settings, pool_size=1), ring=doorbell.ring) as runtime,
        ):
            dispatcher = Dispatcher(db, listener, broker, lease_seconds=settings.lease_seconds)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, dispatcher.stop)
            scheduler = Scheduler(looking, runtime, leading=lambda: dispatcher.leading)
            firing = asyncio.create_task(scheduler.run())
            try:
                await dispatcher.run()
            finally:
                firing.cancel()
                await asyncio.gather(firing, return_exceptions=True)
    finally:
        await looking.close()
        await db.close()
        broker.close()


def main() -> int:
    """Entry point: 0 after a stop, 2 when a setting is wrong."""
    try:
        settings = from_environment()
    except SettingsRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 2
    logs.configure("dispatcher", settings.log_level)
    traces.configure("dispatcher", settings.trace_share)
    collect_seldom()
    asyncio.run(serve(settings))
    traces.flush()
    return leave(0)


if __name__ == "__main__":
    sys.exit(main())
