"""The embedded transport: dramatiq's broker over a table of our own, in a database of its own.

Messages are hints: one that is lost, doubled or late does no harm (the worker repeats tenant, job and fence), so the
table may lose its last moments in a crash (`synchronous_commit = off`). A message stays until its run is over and its
acknowledgment is flushed with the next take; that of a dead worker is offered again."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import dramatiq
import psycopg
from dramatiq.broker import Broker, Consumer, MessageProxy
from dramatiq.errors import ConnectionClosed, QueueNotFound
from dramatiq.middleware import Middleware

from backoffice.platform import pulse
from backoffice.platform.jobs.fairness import Key
from backoffice.platform.jobs.messages import message

CHANNEL: Final = "bo_run"
BEAT_SECONDS: Final = 1.0
POLL_SECONDS: Final = 0.5  # a lost NOTIFY costs at most this
_SETUP_LOCK: Final = 0x626F5F7175657565
_SETUP: Final = (
    "CREATE SCHEMA IF NOT EXISTS transport",
    """CREATE TABLE IF NOT EXISTS transport.message (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, queue text NOT NULL, body bytea NOT NULL, consumer text)
      WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)""",
    "CREATE INDEX IF NOT EXISTS message_free_idx ON transport.message (queue, id) WHERE consumer IS NULL",
    """CREATE TABLE IF NOT EXISTS transport.consumer (
      name text PRIMARY KEY, slots int NOT NULL, seen_at timestamptz NOT NULL) WITH (fillfactor = 50)""",
)
_PUBLISH: Final = """
WITH put AS (INSERT INTO transport.message (queue, body) SELECT %(queue)s, unnest(%(bodies)s::bytea[]))
SELECT pg_notify('bo_run', '')"""
_TAKE: Final = """
WITH gone AS (DELETE FROM transport.message WHERE id = ANY (%(done)s::bigint[])),
     picked AS MATERIALIZED (
       SELECT id FROM transport.message WHERE queue = %(queue)s AND consumer IS NULL
        ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED)
UPDATE transport.message AS m SET consumer = %(consumer)s FROM picked WHERE m.id = picked.id RETURNING m.id, m.body"""
_DONE: Final = "DELETE FROM transport.message WHERE id = ANY (%(done)s::bigint[])"
_GIVE_BACK: Final = """
WITH back AS (UPDATE transport.message SET consumer = NULL WHERE id = ANY (%(ids)s::bigint[]))
SELECT pg_notify('bo_run', '')"""
_BEAT: Final = """
WITH beat AS (INSERT INTO transport.consumer (name, slots, seen_at) VALUES (%(name)s, %(slots)s, clock_timestamp())
  ON CONFLICT (name) DO UPDATE SET slots = excluded.slots, seen_at = excluded.seen_at),
     dead AS (DELETE FROM transport.consumer WHERE seen_at < clock_timestamp() - interval '5 s' AND name <> %(name)s)
UPDATE transport.message AS m SET consumer = NULL
 WHERE m.consumer <> %(name)s AND NOT EXISTS (SELECT FROM transport.consumer c WHERE c.name = m.consumer)"""
_LEAVE: Final = "DELETE FROM transport.consumer WHERE name = %(name)s"
_FREE: Final = """
WITH gone AS (DELETE FROM transport.consumer WHERE name = %(name)s),
     back AS (UPDATE transport.message SET consumer = NULL WHERE consumer = %(name)s)
SELECT pg_notify('bo_run', '')"""
_SLOTS: Final = """
SELECT coalesce(sum(slots), 0)::int FROM transport.consumer WHERE seen_at > clock_timestamp() - interval '3 s'"""


@dataclass(slots=True)
class Outstanding:
    """What this process has taken: it outlives a consumer that lost its connection, as the runs do."""

    held: set[int] = field(default_factory=set)
    done: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def flush(self) -> list[int]:
        """What is over and not told yet."""
        with self.lock:
            done, self.done = self.done, []
            self.held.difference_update(done)
        return done


class PgBroker(Broker):
    """`dsn` signs in as bo_queue. `name` is the worker that consumes. Thread-safe."""

    def __init__(self, dsn: str, *, name: str = "", middleware: list[Middleware] | None = None) -> None:
        super().__init__(middleware=middleware or [])
        self._dsn = dsn
        self.name = name
        self.draining = False
        self.outstanding = Outstanding()
        self._lock = threading.Lock()
        self._sender: psycopg.Connection | None = None
        self._is_set_up = False

    def connect(self) -> psycopg.Connection:
        """A connection of its own in autocommit. ConnectionClosed when the server cannot be reached."""
        with translated():
            connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=2,
                keepalives_idle=2,
                tcp_user_timeout=3000,
                options="-c synchronous_commit=off",
            )
            if not self._is_set_up:
                _set_up(connection)
                self._is_set_up = True
            return connection

    # -- what dramatiq calls, by these names

    def declare_queue(self, queue_name: str) -> None:
        """No table of its own and no delay queue: delays live in the job row."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Send one message. ConnectionClosed."""
        assert delay is None, "a delay is the job's run_at"
        self.emit_before("enqueue", message, delay)
        self._send(message.queue_name, [message.encode()])
        self.emit_after("enqueue", message, delay)
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> Consumer:
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)  # type: ignore[no-untyped-call]
        pulse.turned("broker")
        return PgConsumer(self, queue_name, prefetch, timeout)

    def close(self) -> None:
        with self._lock:
            self._hang_up()

    # -- what the dispatcher and the supervisor call

    def publish(self, batches: Sequence[Sequence[Key]], *, soon: bool) -> None:
        """One statement for all. ConnectionClosed."""
        messages = [message(keys, soon=soon) for keys in batches]
        self._send(messages[0].queue_name, [each.encode() for each in messages])

    def slots(self) -> int:
        """Slots of the consumers seen in the last 3 s. ConnectionClosed."""
        rows = self._execute(_SLOTS, {})
        return int(rows[0][0])

    def free(self, worker: str) -> None:
        """A worker that is known to be dead: offer its messages again. ConnectionClosed."""
        self._execute(_FREE, {"name": worker})

    def _send(self, queue: str, bodies: list[bytes]) -> None:
        self._execute(_PUBLISH, {"queue": queue, "bodies": bodies})

    def _execute(self, statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        with self._lock, translated():
            try:
                if self._sender is None:
                    self._sender = self.connect()
                return self._sender.execute(statement.encode(), parameters).fetchall()
            except psycopg.Error:
                self._hang_up()
                raise

    def _hang_up(self) -> None:
        if self._sender is not None:
            self._sender.close()
            self._sender = None


class PgConsumer(Consumer):
    """Takes messages for one worker, at most `prefetch` at a time, those being run included."""

    def __init__(self, broker: PgBroker, queue: str, prefetch: int, timeout: int) -> None:
        self._broker = broker
        self._queue = queue
        self._prefetch = prefetch
        self._timeout = timeout / 1000
        self._mine = broker.outstanding
        self._taken: deque[_Taken] = deque()
        self._beat_at = 0.0
        self._poll_at = 0.0
        self._connection = broker.connect()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        with translated():
            self._connection.execute(f"LISTEN {CHANNEL}".encode())
            self._beat()

    def __next__(self) -> MessageProxy | None:
        """The next message, or None after the timeout. ConnectionClosed."""
        until = time.monotonic() + self._timeout
        asked = True
        with translated():
            while True:
                if self._taken:
                    return self._taken.popleft()
                now = time.monotonic()
                if now >= self._beat_at:
                    self._beat()
                if asked or now >= self._poll_at or self._mine.done:
                    self._take()
                    if self._taken:
                        continue
                if now >= until:
                    return None
                asked = self._wait(until - now)

    def ack(self, message: MessageProxy) -> None:
        """The message is done with; the next take tells the database."""
        self._finish(message)

    def nack(self, message: MessageProxy) -> None:
        """The same: what becomes of the job stands in its row."""
        self._finish(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Offer to others what was taken and not begun. ConnectionClosed."""
        ids = [each.place for each in messages if isinstance(each, _Taken)]
        ids += [each.place for each in self._taken]
        self._taken.clear()
        with self._mine.lock:
            self._mine.held.difference_update(ids)
        if ids:
            with translated():
                self._connection.execute(_GIVE_BACK.encode(), {"ids": ids})

    def close(self) -> None:
        try:
            with translated():
                if not self._connection.closed:
                    self._connection.execute(_DONE.encode(), {"done": self._mine.flush()})
                    self._connection.execute(_LEAVE.encode(), {"name": self._broker.name})
        finally:
            self._connection.close()
            with self._mine.lock:
                for end in (self._wake_read, self._wake_write):
                    if end >= 0:
                        os.close(end)
                self._wake_read = self._wake_write = -1

    def _finish(self, message: MessageProxy) -> None:
        assert isinstance(message, _Taken)
        with self._mine.lock:
            self._mine.done.append(message.place)
            if self._wake_write >= 0:
                with suppress(BlockingIOError):  # full: it is awake
                    os.write(self._wake_write, b"\0")

    def _take(self) -> None:
        """One round trip: what is done goes, what is free comes."""
        done = self._mine.flush()
        most = 0 if self._broker.draining else max(0, self._prefetch - len(self._mine.held))
        self._poll_at = time.monotonic() + POLL_SECONDS
        if not done and not most:
            return
        try:
            rows = self._connection.execute(
                _TAKE.encode(),
                {"done": done, "queue": self._queue, "most": most, "consumer": self._broker.name},
            ).fetchall()
        except psycopg.Error:
            with self._mine.lock:
                self._mine.done += done
            raise
        for place, body in sorted(rows):
            self._mine.held.add(place)
            self._taken.append(_Taken(place, dramatiq.Message.decode(body)))

    def _beat(self) -> None:
        self._connection.execute(_BEAT.encode(), {"name": self._broker.name, "slots": self._slots()})
        self._beat_at = time.monotonic() + BEAT_SECONDS
        pulse.worked("broker")

    def _slots(self) -> int:
        return 0 if self._broker.draining else self._prefetch

    def _wait(self, seconds: float) -> bool:
        """Until somebody wakes us: an acknowledgment or a NOTIFY. Whether one did."""
        pause = max(0.0, min(seconds, self._beat_at - time.monotonic(), self._poll_at - time.monotonic()))
        readable, _, _ = select.select([self._connection.fileno(), self._wake_read], [], [], pause)
        if self._wake_read in readable:
            os.read(self._wake_read, 4096)
        if self._connection.fileno() in readable:
            pgconn = self._connection.pgconn
            pgconn.consume_input()
            while pgconn.notifies() is not None:
                pass
        return bool(readable)


class _Taken(MessageProxy):
    """A message and its place in the table."""

    def __init__(self, place: int, message: dramatiq.Message[Any]) -> None:
        super().__init__(message)
        self.place = place


@contextmanager
def translated() -> Iterator[None]:
    """The driver's errors as dramatiq knows them, so that it connects again."""
    try:
        yield
    except (psycopg.Error, OSError) as error:
        raise ConnectionClosed(error) from error  # type: ignore[no-untyped-call]


def _set_up(connection: psycopg.Connection) -> None:
    """Make what is missing; two that start at once take turns."""
    connection.execute("SELECT pg_advisory_lock(%s)", (_SETUP_LOCK,))
    try:
        for statement in _SETUP:
            connection.execute(statement.encode())
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (_SETUP_LOCK,))
