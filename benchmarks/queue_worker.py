"""A worker of one of the queues that ours is compared with: `python -m benchmarks.queue_worker <queue> <dsn or url>
<file>`. Its job does nothing but count, in the file, at this process's place, for whoever waits."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import uvloop

CONCURRENCY = 16
Count = Callable[[], None]


async def procrastinate(dsn: str, count: Count) -> None:
    import procrastinate as library

    app = library.App(connector=library.PsycopgConnector(conninfo=dsn))

    @app.task(name="nothing")
    async def nothing(number: int) -> None:
        count()

    async with app.open_async():
        await app.run_worker_async(concurrency=CONCURRENCY, install_signal_handlers=False)


async def pgqueuer(dsn: str, count: Count) -> None:
    import asyncpg
    from pgqueuer import AsyncpgDriver, Job, PgQueuer

    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(dsn)))

    @queue.entrypoint("nothing")
    async def nothing(job: Job) -> None:
        count()

    await queue.run(batch_size=CONCURRENCY)


def plain_dramatiq(url: str, count: Count) -> None:
    import dramatiq
    from dramatiq.brokers.rabbitmq import RabbitmqBroker

    broker = RabbitmqBroker(url=url, confirm_delivery=True)

    @dramatiq.actor(actor_name="nothing", broker=broker)
    def nothing(number: int) -> None:
        count()

    dramatiq.Worker(broker, worker_threads=CONCURRENCY).start()
    signal.pause()


def counter(file: Path, place: int) -> Count:
    """Adds one to the number at a place of the file."""
    with file.open("r+b") as opened:
        numbers = memoryview(mmap.mmap(opened.fileno(), 0)).cast("q")
    lock = threading.Lock()

    def count() -> None:
        with lock:
            numbers[place] += 1

    return count


def main() -> None:
    queue, where, file = sys.argv[1:]
    count = counter(Path(file), int(os.environ["BACKOFFICE_UNIT_NUMBER"]))
    if queue == "dramatiq":
        plain_dramatiq(where, count)
    else:
        uvloop.run({"procrastinate": procrastinate, "pgqueuer": pgqueuer}[queue](where, count))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    main()
