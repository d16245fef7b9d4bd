"""Jobs that do nothing through ours and through other queues, in the same run, on the same server, each with two
workers: from the first record to the last end. What each keeps of a job differs, and stands in the table: ours records
the job, releases it fairly, leases it under a fence and keeps how it ended."""

from __future__ import annotations

import asyncio
import mmap
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import psycopg
from psycopg.conninfo import conninfo_to_dict

from backoffice.platform.doorbell import open_doorbell
from backoffice.platform.supervisor import Supervisor, Unit
from benchmarks import jobs, machine
from benchmarks.jobs import AT_ONCE, WORKERS
from benchmarks.stage import Stage, stage

TITLE = "Job engine beside other queues"
WARM_UP = 500
ALL_SECONDS = 120.0
Enqueue = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Figure:
    """Of one queue."""

    rate: float
    micros: float  # CPU of the workers, a job
    keeps: str


async def run(*, count: int = 8_000) -> str:
    """The section of the results."""
    stamp = machine.stamp("dramatiq", "procrastinate", "pgqueuer")
    figures: dict[str, Figure] = {}
    async with stage() as here, open_doorbell(here.settings.dsn("bo_app")) as bell:
        here.runtime.db.ring = bell.ring
        figures["ours, embedded transport"] = await _ours(here, "embedded", count)
        figures["procrastinate"] = await _procrastinate(here, count)
        figures["pgqueuer"] = await _pgqueuer(here, count)
        if shutil.which("rabbitmq-server"):
            with jobs.rabbitmq() as node:
                settings = replace(here.settings, broker_url=node.url)
                place = replace(here.place, settings=settings)
                figures["ours, RabbitMQ"] = await _ours(replace(here, place=place), "rabbit", count)
                figures["plain dramatiq, RabbitMQ"] = await _dramatiq(node.url, count)
    ours = next(iter(figures.values())).rate
    lines = [
        f"{stamp}\n",
        f"{count:,} jobs, recorded {AT_ONCE} at a time; {WORKERS} workers.\n",
        "| queue | jobs/s | ours = 1 | CPU of the workers a job | what stands in a table of a job |",
        "|---|---:|---:|---:|---|",
    ]
    for name, each in figures.items():
        lines.append(f"| {name} | {each.rate:,.0f} | {each.rate / ours:.2f} | {each.micros:.0f} µs | {each.keeps} |")
    if not shutil.which("rabbitmq-server"):
        lines.append("\nRabbitMQ is not on this machine: neither ours nor plain dramatiq was measured on it.")
    return "\n".join(lines)


async def _ours(here: Stage, name: str, count: int) -> Figure:
    with jobs.processes(here) as supervisor:
        rate, micros = await jobs.whole_path(here, supervisor, name, count)
    return Figure(rate, micros["worker"], "all: payload, tries, lease, fence, result, who and why")


async def _procrastinate(here: Stage, count: int) -> Figure:
    import procrastinate

    dsn = _database(here, "procrastinate")
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        task = app.configure_task("nothing", allow_unknown=True)

        async def enqueue(number: int) -> None:
            await task.batch_defer_async(*({"number": each} for each in range(number)))

        async with _workers("procrastinate", dsn) as measured:
            return await measured(enqueue, count, "payload, tries, when it was begun and ended")


async def _pgqueuer(here: Stage, count: int) -> Figure:
    import asyncpg
    from pgqueuer import AsyncpgDriver, Queries

    dsn = _database(here, "pgqueuer")
    connection = await asyncpg.connect(dsn)
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()

    async def enqueue(number: int) -> None:
        await queries.enqueue(["nothing"] * number, [b"1"] * number, [0] * number)

    async with _workers("pgqueuer", dsn) as measured:
        figure = await measured(enqueue, count, "payload while it waits; then a line of its log")
    await connection.close()
    return figure


async def _dramatiq(url: str, count: int) -> Figure:
    import dramatiq
    from dramatiq.brokers.rabbitmq import RabbitmqBroker

    broker = RabbitmqBroker(url=url, confirm_delivery=True)  # type: ignore[no-untyped-call]
    broker.declare_queue("default")

    def send(number: int) -> None:
        for each in range(number):
            broker.enqueue(dramatiq.Message("default", "nothing", (each,), {}, {}))

    async with _workers("dramatiq", url) as measured:
        figure = await measured(lambda number: asyncio.to_thread(send, number), count, "nothing")
    broker.close()
    return figure


@asynccontextmanager
async def _workers(queue: str, where: str) -> AsyncIterator[Callable[[Enqueue, int, str], Awaitable[Figure]]]:
    """Two processes of another queue, and what measures them."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(8 * WORKERS))
        file.flush()
        done = memoryview(mmap.mmap(file.fileno(), 0)).cast("q")
        argv = [sys.executable, "-m", "benchmarks.queue_worker", queue, where, file.name]
        with Supervisor([Unit(queue, argv, count=WORKERS)]) as supervisor:
            pids = supervisor.pids(queue)

            async def all_done(number: int) -> None:
                until = time.monotonic() + ALL_SECONDS
                while sum(done) < number:
                    assert time.monotonic() < until, f"{queue}: {sum(done)} of {number} after {ALL_SECONDS:.0f} s"
                    await asyncio.sleep(0.02)

            async def measured(enqueue: Enqueue, count: int, keeps: str) -> Figure:
                await enqueue(WARM_UP)
                await all_done(WARM_UP)
                before, began = sum(map(machine.cpu_seconds, pids)), time.perf_counter()
                for _ in range(0, count, AT_ONCE):
                    await enqueue(AT_ONCE)
                await all_done(WARM_UP + count)
                seconds = time.perf_counter() - began
                return Figure(count / seconds, (sum(map(machine.cpu_seconds, pids)) - before) / count * 1e6, keeps)

            yield measured


def _database(here: Stage, name: str) -> str:
    """A database of its own on the same server, and the URL of a role that owns it."""
    assert here.place.embedded is not None
    admin = here.place.embedded.admin_dsn()
    password = secrets.token_hex(16)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE bench_{name} LOGIN PASSWORD '{password}'".encode())
        connection.execute(f"CREATE DATABASE bench_{name} OWNER bench_{name}".encode())
    at = conninfo_to_dict(admin)
    return f"postgresql://bench_{name}:{password}@/bench_{name}?host={at['host']}&port={at['port']}"
