"""A worker process: dramatiq's threads over one event loop, one pool and one heartbeat."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import dramatiq
import dramatiq.worker
import uvloop
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread, set_event_loop_thread
from dramatiq.broker import Broker
from dramatiq.middleware import AsyncIO, Middleware
from dramatiq.middleware.middleware import MiddlewareError

from backoffice.platform import logs, pulse
from backoffice.platform.collector import collect_seldom
from backoffice.platform.doorbell import ROOM, ROOM_SOON, open_doorbell
from backoffice.platform.jobs.brokers import declare_run, open_broker
from backoffice.platform.jobs.heartbeat import Heartbeat, worker_name
from backoffice.platform.jobs.messages import QUEUE, Held
from backoffice.platform.jobs.runner import Runner
from backoffice.platform.runtime import open_runtime
from backoffice.platform.settings import INDEX_WALKS, Settings

IDLE_MILLISECONDS = 100
RECONNECT_SECONDS = 0.5
HURRY_SHARE = 0.8  # of the time for draining; what then still runs is given back where it stands
log = logs.get("worker")


class NotOpened(MiddlewareError):  # the only kind of exception that dramatiq lets through here
    """The database, the keys or the storage cannot be opened."""


class Life(Middleware):
    """Opens what the runs need on the worker's event loop, before the first message, and closes it after the last."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._stack = AsyncExitStack()
        self.runner: Runner | None = None
        self.heartbeat: Heartbeat | None = None

    def before_worker_boot(self, broker: Broker, worker: dramatiq.Worker) -> None:
        try:
            _loop().run_coroutine(self._open())
        except Exception as error:
            log.error("not_opened", **logs.error_fields(error))
            raise NotOpened(str(error)) from error

    def after_worker_shutdown(self, broker: Broker, worker: dramatiq.Worker) -> None:
        if self.heartbeat is not None:
            self.heartbeat.close()
        _loop().run_coroutine(self._stack.aclose())

    async def run(self, tenant_id: UUID, jobs: Sequence[Held], soon: bool) -> None:
        """What the actor calls."""
        assert self.runner is not None
        await self.runner.run(tenant_id, jobs, soon=soon)

    async def _open(self) -> None:
        settings = self._settings
        bell = await self._stack.enter_async_context(open_doorbell(settings.dsn("bo_app")))
        runtime = await self._stack.enter_async_context(open_runtime(settings, ring=bell.ring))
        self.heartbeat = Heartbeat(settings.dsn("bo_dispatch", **INDEX_WALKS), settings.lease_seconds)
        self.heartbeat.start()
        self.runner = Runner(
            runtime, self.heartbeat, worker=self._name, on_room=lambda soon: bell.ring(ROOM_SOON if soon else ROOM)
        )
        self._stack.push_async_callback(_ended, asyncio.create_task(pulse.ask(runtime.db)))
        pulse.expect("broker")


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel it, and wait: the loop is stopped soon after, and a question under way would be left without one."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class WorkerProcess:
    """One dramatiq worker. `start`, then `drain`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.name = worker_name()
        self._life = Life(settings, self.name)
        self.broker: Any = open_broker(settings, name=self.name, middleware=[AsyncIO(), self._life])
        declare_run(self.broker, self._life.run)
        # A worker that prefetched more than it can run would hoard while another starves.
        self._worker = dramatiq.Worker(
            self.broker, queues={QUEUE}, worker_threads=settings.worker_threads, worker_timeout=IDLE_MILLISECONDS
        )
        self._worker.queue_prefetch = settings.worker_threads
        dramatiq.worker.CONSUMER_RESTART_DELAY_SECS = RECONNECT_SECONDS

    def start(self) -> None:
        """Open everything and take messages. NotOpened when something cannot be opened."""
        try:
            self._worker.start()
        except NotOpened:
            _loop().stop()  # type: ignore[no-untyped-call]
            set_event_loop_thread(None)
            raise
        log.info("working", worker=self.name, count=self._settings.worker_threads)

    def drain(self) -> None:
        """Take nothing more; finish, or stop at the next step's border; give back what is left when the time is
        nearly up."""
        runner = self._life.runner
        assert runner is not None
        pulse.forget("broker")
        self.broker.draining = True
        loop = _loop().loop
        loop.call_soon_threadsafe(runner.drain)
        seconds = self._settings.drain_seconds
        hurry = threading.Timer(seconds * HURRY_SHARE, lambda: loop.call_soon_threadsafe(runner.hurry))
        hurry.daemon = True
        hurry.start()
        self._worker.stop(timeout=int(seconds * 1000))
        hurry.cancel()
        self.broker.close()


def _loop() -> EventLoopThread:
    thread = get_event_loop_thread()
    assert thread is not None
    return thread


def serve(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT, then drain; a second signal ends the process at once. 0, or 1 when something
    could not be opened. From the main thread."""
    stop = threading.Event()

    def on_signal(number: int, _: Any) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    uvloop.install()  # dramatiq makes its event loop itself
    process = WorkerProcess(settings)
    try:
        process.start()
    except NotOpened:
        return 1
    collect_seldom()
    stop.wait()
    log.info("draining", worker=process.name)
    process.drain()
    return 0
