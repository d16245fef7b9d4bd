"""Keeps the leases of this process's running jobs, from a thread and a connection of its own: work in the event loop,
numpy included, does not stop it. And, for the supervisor, frees the leases of a process that has died."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from dataclasses import dataclass
from uuid import UUID

import psycopg

from backoffice.platform import logs
from backoffice.platform.doorbell import CHANNEL
from backoffice.platform.jobs import routing
from backoffice.platform.jobs.run import JobRun

RETRY_SECONDS = 0.1  # after a beat that could not be told
log = logs.get("heartbeat")


def worker_name(pid: int | None = None) -> str:
    """The name under which a worker process of this machine holds leases."""
    return f"{socket.gethostname()}:{os.getpid() if pid is None else pid}"


def free_leases(dsn: str, worker: str) -> int:
    """Give back at once what a dead process held, instead of waiting for its leases: how many jobs. `dsn` signs in
    as bo_dispatch. Each counts as a crash."""
    with psycopg.connect(dsn, autocommit=True, connect_timeout=2) as connection:
        freed = connection.execute(routing.FREE, {"worker": worker}).rowcount
        if freed:
            connection.execute(f"NOTIFY {CHANNEL}".encode())
    return freed


@dataclass(slots=True, eq=False)
class _Held:
    run: JobRun
    task: asyncio.Task[object]
    loop: asyncio.AbstractEventLoop
    until: float  # monotonic: past it, the handler has outlived its deadline and its lease may run out
    missed: bool = False

    @property
    def job(self) -> tuple[UUID, UUID]:
        """Tenants that are played from the same seed have jobs of the same id."""
        return self.run.principal.tenant.id, self.run.id


class Heartbeat(threading.Thread):
    """Every third of the lease: extend all, read the cancel flags, and stop the runs whose lease is lost."""

    def __init__(self, dsn: str, lease_seconds: float) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._dsn = dsn
        self._lease = lease_seconds
        self._held: dict[JobRun, _Held] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._connection: psycopg.Connection | None = None

    def hold(self, run: JobRun, task: asyncio.Task[object], seconds: float) -> None:
        """Keep the lease of a run that was just claimed, for at most `seconds`. From its event loop."""
        held = _Held(run, task, asyncio.get_running_loop(), time.monotonic() + seconds + self._lease)
        with self._lock:
            self._held[run] = held

    def drop(self, run: JobRun) -> None:
        """The run is over."""
        with self._lock:
            self._held.pop(run, None)

    def close(self) -> None:
        """Stop beating."""
        self._closing.set()
        self.join(timeout=5)

    def run(self) -> None:
        pause = self._lease / 3
        while not self._closing.wait(pause):
            try:
                pause = self._lease / 3 if self._beat() else min(RETRY_SECONDS, self._lease / 10)
            except psycopg.Error as error:
                log.warning("heartbeat_failed", **logs.error_fields(error))
                self._hang_up()
                pause = min(RETRY_SECONDS, self._lease / 10)
        self._hang_up()

    def _beat(self) -> bool:
        """False when a row could not be told because it was locked: try again soon."""
        now = time.monotonic()
        with self._lock:
            held = [each for each in self._held.values() if each.until > now]
        if not held:
            return True
        connection = self._connect()
        told = connection.execute(routing.BEAT, {**_keys(held), "lease": self._lease}).fetchall()
        flags = {(row[0], row[1]): row[2] for row in told}
        missing = [each for each in held if each.job not in flags]
        for each in held:
            if flags.get(each.job):
                each.run.cancel_requested = True
            each.missed = each.missed and each.job not in flags
        if not missing:
            return True
        there = {(row[0], row[1]) for row in connection.execute(routing.STILL_HELD, _keys(missing)).fetchall()}
        for each in missing:
            if each.job in there:
                continue  # its own step is being written
            if each.missed:
                self._lose(each)
            each.missed = True  # once may be a run that is just ending
        return False

    def _lose(self, held: _Held) -> None:
        def stop() -> None:
            if not held.run.ended and not held.run.lost:
                held.run.lost = True
                held.task.cancel()

        with self._lock:
            if self._held.pop(held.run, None) is None:
                return
        held.loop.call_soon_threadsafe(stop)

    def _connect(self) -> psycopg.Connection:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._dsn, autocommit=True, connect_timeout=2, keepalives_idle=2, tcp_user_timeout=3000
            )
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _keys(held: list[_Held]) -> dict[str, object]:
    return {
        "tenants": [each.run.principal.tenant.id for each in held],
        "ids": [each.run.id for each in held],
        "fences": [each.run.fence for each in held],
    }
