"""The dispatcher process: one candidate for leader, and the daily housekeeping, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from backoffice.accounts.schemas import Tidy
from backoffice.platform import logs, traces
from backoffice.platform.db import Database
from backoffice.platform.doorbell import open_listener
from backoffice.platform.jobs.brokers import open_broker
from backoffice.platform.jobs.daily import Daily
from backoffice.platform.jobs.dispatch import Dispatcher
from backoffice.platform.jobs.leaving import leave
from backoffice.platform.runtime import open_runtime
from backoffice.platform.settings import Settings, SettingsRefused, from_environment

SILENT_SECONDS = 10  # a leader that is stopped or cut off holds the lock so long


async def serve(settings: Settings) -> None:
    """Lead, or stand by to lead, until SIGTERM or SIGINT."""
    dsn = settings.dsn("bo_dispatch")
    db = Database(with_settings(dsn, idle_session_timeout=f"{SILENT_SECONDS}s"), size=2)
    looking = Database(dsn, size=1)
    await db.open()
    broker = open_broker(settings, name="dispatcher")
    try:
        await looking.open()
        async with open_listener(dsn) as listener, open_runtime(replace(settings, pool_size=1)) as runtime:
            dispatcher = Dispatcher(db, listener, broker, lease_seconds=settings.lease_seconds)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, dispatcher.stop)
            daily = asyncio.create_task(Daily(looking, runtime, Tidy(), leading=lambda: dispatcher.leading).run())
            try:
                await dispatcher.run()
            finally:
                daily.cancel()
                await asyncio.gather(daily, return_exceptions=True)
    finally:
        await looking.close()
        await db.close()
        broker.close()


def with_settings(dsn: str, **settings: str) -> str:
    """The driver passes what it does not know in a URL's query on to the server, for the session."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *settings.items()])))


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
