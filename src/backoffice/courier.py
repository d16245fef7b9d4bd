"""The courier process: hands events to the endpoints that asked for them and sends them, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
from dataclasses import replace

import uvloop

from backoffice.platform import logs, traces
from backoffice.platform.collector import collect_seldom
from backoffice.platform.courier import loopback
from backoffice.platform.courier.engine import Engine
from backoffice.platform.courier.options import Options
from backoffice.platform.courier.ports import COURIER_LOCK, Post
from backoffice.platform.db import Database
from backoffice.platform.doorbell import open_listener
from backoffice.platform.runtime import open_runtime
from backoffice.platform.settings import INDEX_WALKS, Settings, SettingsRefused, from_environment
from backoffice.webhooks import commands, queries

POST = Post(
    tenants_with_events=queries.tenants_with_events,
    fan_out=commands.fan_out,
    due=queries.due,
    stopped=queries.stopped,
    claim=commands.claim,
    record=commands.record,
    extend=commands.extend,
    sweep=commands.sweep,
    envelopes=commands.envelopes,
    release_stopped=commands.release_stopped,
    versions=queries.versions,
    note_exchanges=commands.note_exchanges,
    give_up=commands.give_up,
    gone=commands.gone,
    failing=commands.failing,
    recovered=commands.recovered,
)
_DISPATCH_CONNECTIONS = 4
_FILES = 65_536


async def serve(settings: Settings, *, stop: asyncio.Event | None = None, options: Options | None = None) -> None:
    """Deliver until `stop` (or SIGTERM or SIGINT, where none is given); requests under way are finished first."""
    if stop is None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    loopback.configure(settings.loopback_webhooks)
    options = options or Options(lease=settings.lease_seconds, drain=max(1.0, settings.drain_seconds - 1))
    options = replace(options, proxy=settings.webhook_proxy)
    dsn = settings.dsn("bo_dispatch", **INDEX_WALKS)
    dispatch = Database(dsn, size=_DISPATCH_CONNECTIONS)
    async with contextlib.AsyncExitStack() as stack:
        await dispatch.open()
        stack.push_async_callback(dispatch.close)
        listener = await stack.enter_async_context(open_listener(dsn, presence=COURIER_LOCK))
        runtime = await stack.enter_async_context(open_runtime(settings))
        await Engine(runtime, dispatch, POST, listener, options).run(stop)


def main() -> int:
    """Entry point: 0 after a stop, 2 when a setting is wrong."""
    try:
        settings = from_environment()
    except SettingsRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 2
    logs.configure("courier", settings.log_level)
    traces.configure("courier", settings.trace_share)
    _open_many_files()
    collect_seldom()
    uvloop.run(serve(settings))
    return 0


def _open_many_files() -> None:
    """A socket for every receiver: take as many files as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
