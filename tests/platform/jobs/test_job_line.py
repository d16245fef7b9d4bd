"""The dispatcher's line to RabbitMQ: a release leaves together, and whatever goes wrong on the way is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pika
import pytest
from dramatiq.errors import ConnectionClosed
from tests.platform.jobs.amqp_relay import Relay
from tests.platform.jobs.rabbit_node import RabbitNode, free_port
from tests.platform.jobs.test_job_transport import batches

from backoffice.platform.jobs import rabbitmq_line
from backoffice.platform.jobs.fairness import Key
from backoffice.platform.jobs.messages import QUEUE
from backoffice.platform.jobs.rabbitmq_broker import QuorumBroker, rabbitmq_broker

pytestmark = pytest.mark.rabbitmq
RELEASE = 64


@pytest.fixture
def relay(rabbit: RabbitNode) -> Iterator[Relay]:
    with closing(Relay(rabbit.port)) as made:
        yield made


@pytest.fixture
def sender(rabbit: RabbitNode, relay: Relay) -> Iterator[QuorumBroker]:
    """A broker that sends through the relay, to a queue that is empty."""
    with closing(rabbitmq_broker(relay.url)) as broker:
        broker.slots()
        _channel(rabbit, "queue_purge")
        yield broker


def _channel(rabbit: RabbitNode, verb: str) -> None:
    with closing(pika.BlockingConnection(pika.URLParameters(rabbit.url))) as connection:
        getattr(connection.channel(), verb)(QUEUE)


def _taken(rabbit: RabbitNode, sent: list[list[Key]]) -> tuple[list[str], list[str]]:
    """What lies in the queue until these have all come: their jobs, and those of other messages; each in order."""
    wanted = {str(batch[0][1]) for batch in sent}
    found: list[str] = []
    until = time.monotonic() + 5
    with closing(rabbitmq_broker(rabbit.url)) as broker:
        broker.declare_queue(QUEUE)
        with closing(broker.consume(queue_name=QUEUE, prefetch=1000, timeout=100)) as consumer:
            while not wanted <= set(found) and time.monotonic() < until:
                if (message := next(consumer)) is not None:
                    found.append(message.args[1][0][0])
                    consumer.ack(message)
    return [job for job in found if job in wanted], [job for job in found if job not in wanted]


def _jobs(sent: list[list[Key]]) -> list[str]:
    return [str(batch[0][1]) for batch in sent]


def test_the_messages_of_a_release_are_under_way_together(
    rabbit: RabbitNode, relay: Relay, sender: QuorumBroker
) -> None:
    """Nothing is heard of the broker before the last has left: who waited for the first would wait for ever."""
    sent = batches(RELEASE)
    relay.held_until = RELEASE
    sender.publish(sent, soon=False)
    assert relay.published == RELEASE
    assert _taken(rabbit, sent) == (_jobs(sent), [])
    sender.publish([], soon=False)
    assert relay.published == RELEASE


@pytest.mark.parametrize("fault", ["refused", "lost", "silent", "unroutable"])
def test_what_is_not_confirmed_is_told_and_the_next_release_goes_through(
    rabbit: RabbitNode, relay: Relay, sender: QuorumBroker, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    match fault:
        case "refused":
            relay.refusing = True
        case "lost":
            relay.cut_at = RELEASE // 2
        case "silent":
            monkeypatch.setattr(rabbitmq_line, "TIMEOUT_SECONDS", 0.3)
            relay.held_until = RELEASE + 1
        case "unroutable":
            _channel(rabbit, "queue_delete")
    failed, sent = batches(RELEASE), batches(RELEASE)
    began = time.monotonic()
    with pytest.raises(ConnectionClosed):
        sender.publish(failed, soon=False)
    assert time.monotonic() - began < 3
    relay.calm()
    sender.publish(sent, soon=False)
    came, others = _taken(rabbit, sent)
    assert came == _jobs(sent)
    assert others == _jobs(failed)[: len(others)]  # taken back and released again, these come twice
    assert len(others) <= {"unroutable": 0, "lost": RELEASE // 2 - 1}.get(fault, RELEASE)


def test_a_line_on_which_a_thread_waits_is_left_to_it(rabbit: RabbitNode, relay: Relay, sender: QuorumBroker) -> None:
    """The dispatcher leaves such a thread behind when it ends."""
    sent = batches(1)
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(sender.slots).result(5)  # its own line
        relay.held_until = 2
        waiting = thread.submit(sender.publish, sent, soon=False)
        until = time.monotonic() + 5
        while not relay.published and time.monotonic() < until:
            time.sleep(0.01)
        sender.close()
        relay.calm()
        waiting.result(5)
    assert _taken(rabbit, sent) == (_jobs(sent), [])


def test_a_broker_that_cannot_be_reached_says_so() -> None:
    with closing(rabbitmq_broker(f"amqp://guest:guest@127.0.0.1:{free_port()}")) as broker:
        began = time.monotonic()
        for call in (broker.slots, lambda: broker.publish(batches(1), soon=False)):
            with pytest.raises(ConnectionClosed):
                call()
        assert time.monotonic() - began < 3
