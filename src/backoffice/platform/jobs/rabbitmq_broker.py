"""RabbitMQ as transport: dramatiq's broker on one quorum queue, every message confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pika
import pika.exceptions
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Middleware

from backoffice.platform.jobs.fairness import Key
from backoffice.platform.jobs.messages import QUEUE, message

HEARTBEAT_SECONDS: Final = 20
TIMEOUT_SECONDS: Final = 5


class QuorumBroker(RabbitmqBroker):
    """No delay and no dead-letter queue: both live in the job row. `threads` is what each worker's consumer runs."""

    def __init__(self, parameters: pika.URLParameters, *, threads: int, middleware: list[Middleware] | None) -> None:
        super().__init__(confirm_delivery=True, middleware=middleware or [])
        self.parameters = parameters
        self._threads = threads

    # -- what dramatiq calls

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.queues_pending.add(queue_name)
            self.emit_after("declare_queue", queue_name)
        if ensure:
            self._ensure_queue(queue_name)  # type: ignore[no-untyped-call]

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return {"x-queue-type": "quorum"}

    def _declare_dq_queue(self, queue_name: str) -> None:
        """None is used."""

    def _declare_xq_queue(self, queue_name: str) -> None:
        """None is used."""

    # -- what the dispatcher and the supervisor call

    def publish(self, keys: Sequence[Key]) -> None:
        """Each is confirmed by a majority before the next. ConnectionClosed."""
        for key in keys:
            self.enqueue(message(key))

    def slots(self) -> int:
        """Slots of the consumers the broker knows. ConnectionClosed."""
        try:
            self.declare_queue(QUEUE, ensure=True)
            answer = self.channel.queue_declare(queue=QUEUE, passive=True)
        except (pika.exceptions.AMQPError, OSError) as error:
            self.queues_pending.add(QUEUE)
            del self.connection
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
        return int(answer.method.consumer_count) * self._threads

    def free(self, worker: str) -> None:
        """Nothing to do: the broker sees the connection go and offers again what was not acknowledged."""


def rabbitmq_broker(url: str, *, threads: int = 1, middleware: list[Middleware] | None = None) -> QuorumBroker:
    """A broker for `amqp://` or `amqps://`. Every call has a timeout of its own."""
    parameters = pika.URLParameters(url)
    parameters.heartbeat = HEARTBEAT_SECONDS
    parameters.socket_timeout = TIMEOUT_SECONDS
    parameters.stack_timeout = TIMEOUT_SECONDS
    parameters.blocked_connection_timeout = TIMEOUT_SECONDS
    return QuorumBroker(parameters, threads=threads, middleware=middleware)
