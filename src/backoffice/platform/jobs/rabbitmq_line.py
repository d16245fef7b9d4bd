"""The dispatcher's line to RabbitMQ: messages that leave together and are confirmed together.

A quorum queue confirms a message once a majority has it on disk, and pika's blocking channel waits for that before the
next may leave: 64 messages, 64 waits. So this is pika's other connection, whose loop runs while a call is under way.
Whoever asks for the consumers every second keeps its heartbeat going."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import pika
import pika.exceptions
from pika.spec import Basic

TIMEOUT_SECONDS: Final = 5.0
GOODBYE_SECONDS: Final = 0.5
_KEPT: Final = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent.value)


class Line:
    """A connection that has declared its queue. Of one thread. Each call raises AMQPError for what went wrong, also
    when no answer came in time, and then the line is of no more use than to be closed."""

    def __init__(self, parameters: pika.URLParameters, queue: str, arguments: Mapping[str, Any]) -> None:
        self._queue = queue
        self._arguments = dict(arguments)
        self._outcome: Any = None
        self._waiting = False
        self._sent = 0
        self._unconfirmed: set[int] = set()
        self._connection = pika.SelectConnection(
            parameters,
            on_open_callback=self._answered,
            on_open_error_callback=self._lost,
            on_close_callback=self._lost,
        )

    def open(self) -> None:
        """Connect, and make the queue where it is missing."""
        self._wait(TIMEOUT_SECONDS)
        self._channel = self._ask(lambda answered: self._connection.channel(on_open_callback=answered))
        self._channel.add_on_close_callback(self._lost)
        self._channel.add_on_return_callback(self._returned)
        self._ask(lambda answered: self._channel.confirm_delivery(self._confirmed, answered))
        self.consumers()

    def send(self, bodies: Sequence[bytes]) -> None:
        """All of them, in this order; returns when the broker has confirmed each. When it raises, some may be there."""
        if not bodies:
            return  # nothing would be confirmed
        self._unconfirmed = {self._sent + number for number, _ in enumerate(bodies, start=1)}
        self._sent += len(bodies)
        self._ask(lambda _: self._publish(bodies))

    def consumers(self) -> int:
        """How many take from the queue, which is made where it is missing."""
        declare = self._channel.queue_declare
        answer = self._ask(
            lambda answered: declare(self._queue, durable=True, arguments=self._arguments, callback=answered)
        )
        return int(answer.method.consumer_count)

    def close(self) -> None:
        """Say goodbye, and hang up when nobody answers. Not while another thread waits on this line."""
        if self._waiting:
            return
        connection = self._connection
        if not (connection.is_closed or connection.is_closing):
            self._outcome = None
            connection.close()
            with suppress(pika.exceptions.AMQPError):  # that it is closed, or that nobody answered
                self._wait(GOODBYE_SECONDS)
        connection.ioloop.close()

    # -- one question at a time

    def _ask(self, ask: Callable[[Callable[[Any], None]], object]) -> Any:
        self._outcome = None
        ask(self._answered)
        return self._wait(TIMEOUT_SECONDS)

    def _wait(self, seconds: float) -> Any:
        loop = self._connection.ioloop
        late = loop.call_later(seconds, lambda: self._answered(pika.exceptions.AMQPError("no answer in time")))
        self._waiting = True
        try:
            while self._outcome is None:
                loop.start()
        finally:
            self._waiting = False
        loop.remove_timeout(late)
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def _publish(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self._channel.basic_publish("", self._queue, body, _KEPT, mandatory=True)

    # -- what pika calls

    def _answered(self, outcome: Any) -> None:
        if self._outcome is None:
            self._outcome = outcome
        self._connection.ioloop.stop()

    def _lost(self, _connection_or_channel: object, reason: BaseException) -> None:
        self._answered(reason if isinstance(reason, pika.exceptions.AMQPError) else pika.exceptions.AMQPError(reason))

    def _returned(self, *message: object) -> None:
        self._answered(pika.exceptions.UnroutableError([message]))

    def _confirmed(self, frame: Any) -> None:
        answer = frame.method
        if isinstance(answer, Basic.Nack):
            self._answered(pika.exceptions.NackError([answer]))
        upto = answer.delivery_tag
        self._unconfirmed -= {tag for tag in self._unconfirmed if tag <= upto} if answer.multiple else {upto}
        if not self._unconfirmed:
            self._answered(frame)
