"""The dispatcher process: one candidate for leader, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys

from backoffice.platform import logs, traces
from backoffice.platform.db import Database
from backoffice.platform.doorbell import open_listener
from backoffice.platform.jobs.brokers import open_broker
from backoffice.platform.jobs.dispatch import Dispatcher
from backoffice.platform.jobs.leaving import leave
from backoffice.platform.settings import Settings, SettingsRefused, from_environment

SILENT_SECONDS = 10  # a leader that is stopped or cut off holds the lock so long


async def serve(settings: Settings) -> None:
    """Lead, or stand by to lead, until SIGTERM or SIGINT."""
    # Without waiting for the disk: a release that a crash takes back is made again, under the same fence, and whatever
    # a worker commits upon it takes it along.
    dsn = settings.dsn("bo_dispatch", synchronous_commit="off", idle_session_timeout=f"{SILENT_SECONDS}s")
    db = Database(dsn, size=2)
    await db.open()
    broker = open_broker(settings, name="dispatcher")
    try:
        async with open_listener(settings.dsn("bo_dispatch")) as listener:
            dispatcher = Dispatcher(db, listener, broker, lease_seconds=settings.lease_seconds)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, dispatcher.stop)
            await dispatcher.run()
    finally:
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
    asyncio.run(serve(settings))
    traces.flush()
    return leave(0)


if __name__ == "__main__":
    sys.exit(main())
