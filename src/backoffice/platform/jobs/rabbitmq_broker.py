"""RabbitMQ as transport: dramatiq's broker on one quorum queue, every message confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import local
from typing import Any, Final

import pika
import pika.exceptions
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Middleware

from backoffice.platform import pulse
from backoffice.platform.jobs.fairness import Key
from backoffice.platform.jobs.messages import QUEUE, message
from backoffice.platform.jobs.rabbitmq_line import TIMEOUT_SECONDS, Line

HEARTBEAT_SECONDS: Final = 20
ARGUMENTS: Final = {"x-queue-type": "quorum"}
INTERNAL_ERROR: Final = 541  # AMQP 0-9-1: the server gave up on its own queue


class QuorumBroker(RabbitmqBroker):
    """No delay and no dead-letter queue: both live in the job row. `threads` is what each worker's consumer runs."""

    def __init__(self, parameters: pika.URLParameters, *, threads: int, middleware: list[Middleware] | None) -> None:
        super().__init__(confirm_delivery=True, middleware=middleware or [])
        self.parameters = parameters
        self._threads = threads
        self._to_renew: set[str] = set()
        self._of_thread = local()
        self._lines: set[Line] = set()

    # -- what dramatiq calls

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.queues_pending.add(queue_name)
            self.emit_after("declare_queue", queue_name)
        if ensure:
            self._ensure_queue(queue_name)  # type: ignore[no-untyped-call]

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        pulse.turned("broker")
        return QuorumConsumer(self, queue_name, super().consume(queue_name, prefetch, timeout))

    def renew(self, queue_name: str) -> None:
        """The queue has lost its members (a node that was killed soon after it was declared): make it anew at the
        next use. What was in it comes back with its leases."""
        self._to_renew.add(queue_name)
        self.queues_pending.add(queue_name)

    def _declare_queue(self, queue_name: str) -> Any:
        if queue_name in self._to_renew:
            self.channel.queue_delete(queue=queue_name)
            self._to_renew.discard(queue_name)
        return super()._declare_queue(queue_name)  # type: ignore[no-untyped-call]

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return ARGUMENTS

    def _declare_dq_queue(self, queue_name: str) -> None:
        """None is used."""

    def _declare_xq_queue(self, queue_name: str) -> None:
        """None is used."""

    # -- what the dispatcher and the supervisor call

    def publish(self, batches: Sequence[Sequence[Key]], *, soon: bool) -> None:
        """All leave together, and each is confirmed by a majority. ConnectionClosed: some may be there."""
        bodies = [message(keys, soon=soon).encode() for keys in batches]
        with self._line() as line:
            line.send(bodies)

    def slots(self) -> int:
        """Slots of the consumers the broker knows. ConnectionClosed."""
        with self._line() as line:
            return line.consumers() * self._threads

    @contextmanager
    def _line(self) -> Iterator[Line]:
        """This thread's; a new one after whatever went wrong. ConnectionClosed."""
        line: Line | None = getattr(self._of_thread, "line", None)
        try:
            if line is None:
                line = self._of_thread.line = Line(self.parameters, QUEUE, ARGUMENTS)
                self._lines.add(line)
                line.open()
            yield line
        except Exception as error:  # whatever the broker's client raises
            self._of_thread.line = None
            if line is not None:
                self._hang_up(line)
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]

    def _hang_up(self, line: Line) -> None:
        self._lines.discard(line)
        with suppress(Exception):  # it may be past closing
            line.close()

    def close(self) -> None:
        for line in list(self._lines):
            self._hang_up(line)
        super().close()

    def free(self, worker: str) -> None:
        """Nothing to do: the broker sees the connection go and offers again what was not acknowledged."""


class QuorumConsumer(Consumer):
    """The library's consumer; it notices a queue that cannot be served any more."""

    def __init__(self, broker: QuorumBroker, queue_name: str, inner: Consumer) -> None:
        self._broker = broker
        self._queue_name = queue_name
        self._inner = inner

    def __next__(self) -> MessageProxy | None:
        try:
            found = next(self._inner)
        except ConnectionClosed as closed:
            if getattr(closed.message, "reply_code", None) == INTERNAL_ERROR:
                self._broker.renew(self._queue_name)
            raise
        pulse.worked("broker")
        return found

    def ack(self, message: MessageProxy) -> None:
        self._inner.ack(message)

    def nack(self, message: MessageProxy) -> None:
        self._inner.nack(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        self._inner.requeue(messages)

    def close(self) -> None:
        self._inner.close()


def rabbitmq_broker(url: str, *, threads: int = 1, middleware: list[Middleware] | None = None) -> QuorumBroker:
    """A broker for `amqp://` or `amqps://`. Every call has a timeout of its own."""
    parameters = pika.URLParameters(url)
    parameters.heartbeat = HEARTBEAT_SECONDS
    parameters.socket_timeout = TIMEOUT_SECONDS
    parameters.stack_timeout = TIMEOUT_SECONDS
    parameters.blocked_connection_timeout = TIMEOUT_SECONDS
    return QuorumBroker(parameters, threads=threads, middleware=middleware)
