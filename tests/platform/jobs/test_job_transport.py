"""Both brokers as dramatiq sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from dramatiq.errors import ConnectionClosed
from tests.platform.jobs.job_world import Place, PostgresTransport
from tests.platform.jobs.rabbit_node import RabbitNode

from backoffice.local.processes import freeing
from backoffice.platform.jobs.brokers import AnyBroker
from backoffice.platform.jobs.fairness import Key
from backoffice.platform.jobs.heartbeat import worker_name
from backoffice.platform.jobs.messages import QUEUE
from backoffice.platform.jobs.pg_broker import PgBroker
from backoffice.platform.jobs.rabbitmq_broker import rabbitmq_broker

Open = Callable[[str], AnyBroker]


@pytest.fixture(params=["postgres", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def brokers(request: pytest.FixtureRequest, place: Place) -> Iterator[Open]:
    """Opens brokers of one kind, by the name of their worker; the queue is empty before and after."""
    opened: list[AnyBroker] = []

    def open_one(name: str) -> AnyBroker:
        if request.param == "postgres":
            made: AnyBroker = PgBroker(place.settings.dsn("bo_queue"), name=name)
        else:
            node: RabbitNode = request.getfixturevalue("rabbit")
            made = rabbitmq_broker(node.url, threads=2)
        made.declare_queue(QUEUE)
        opened.append(made)
        return made

    def empty() -> None:
        if request.param == "postgres":  # also what a dead worker of another test holds
            PostgresTransport(place).wipe()
            return
        broker = open_one("sweeper")
        consumer = broker.consume(queue_name=QUEUE, prefetch=100, timeout=200)
        while (message := next(consumer)) is not None:
            consumer.ack(message)
        consumer.close()

    open_one("first").slots()  # makes what is missing
    empty()
    yield open_one
    empty()
    for broker in opened:
        broker.close()


def batches(count: int, jobs: int = 1) -> list[list[Key]]:
    """So many messages of so many jobs of a tenant each."""
    return [[(tenant, uuid4(), number) for _ in range(jobs)] for number in range(count) for tenant in [uuid4()]]


def take(consumer: object, count: int, seconds: float = 5) -> list[object]:
    """Messages, one by one, until there are so many or time is up."""
    taken: list[object] = []
    until = time.monotonic() + seconds
    while len(taken) < count and time.monotonic() < until:
        message = next(consumer)  # type: ignore[call-overload]
        if message is not None:
            taken.append(message)
    return taken


def test_what_is_published_arrives_in_order_and_once(brokers: Open) -> None:
    sender, receiver = brokers("a"), brokers("b")
    consumer = receiver.consume(queue_name=QUEUE, prefetch=100, timeout=100)
    sent = [*batches(20), *batches(10, jobs=3)]
    sender.publish(sent[:10], soon=False)
    sender.publish(sent[10:], soon=True)
    got = take(consumer, 30)
    told = [
        [str(batch[0][0]), [[str(job), fence] for _, job, fence in batch], place >= 10]
        for place, batch in enumerate(sent)
    ]
    assert [list(message.args) for message in got] == told  # type: ignore[attr-defined]
    for message in got:
        consumer.ack(message)  # type: ignore[arg-type]
    assert next(consumer) is None
    consumer.close()


def test_a_consumer_holds_no_more_than_its_prefetch(brokers: Open) -> None:
    sender, receiver, other = brokers("a"), brokers("b"), brokers("c")
    sender.publish(batches(10), soon=False)
    consumer = receiver.consume(queue_name=QUEUE, prefetch=2, timeout=100)
    got = take(consumer, 3, 1)
    assert len(got) == 2
    second = other.consume(queue_name=QUEUE, prefetch=100, timeout=100)
    rest = take(second, 8)
    assert len(rest) == 8
    consumer.ack(got[0])  # type: ignore[arg-type]
    for each in (consumer, second):
        each.close()


def test_slots_are_those_of_living_consumers(brokers: Open) -> None:
    watcher, receiver = brokers("watcher"), brokers("b")
    until = time.monotonic() + 8  # a consumer of an earlier test may linger a moment
    while watcher.slots() != 0 and time.monotonic() < until:
        time.sleep(0.1)
    assert watcher.slots() == 0
    consumer = receiver.consume(queue_name=QUEUE, prefetch=2, timeout=50)
    next(consumer)
    assert watcher.slots() == 2
    consumer.close()
    until = time.monotonic() + 5
    while watcher.slots() != 0 and time.monotonic() < until:
        time.sleep(0.05)
    assert watcher.slots() == 0


def test_a_consumer_that_leaves_gives_back_what_it_did_not_begin(brokers: Open) -> None:
    sender, receiver, other = brokers("a"), brokers("b"), brokers("c")
    sender.publish(batches(4), soon=False)
    consumer = receiver.consume(queue_name=QUEUE, prefetch=4, timeout=100)
    got = take(consumer, 4)
    consumer.ack(got[0])  # type: ignore[arg-type]
    consumer.requeue(got[1:])  # type: ignore[arg-type]
    consumer.close()
    second = other.consume(queue_name=QUEUE, prefetch=4, timeout=100)
    assert len(take(second, 4, 2)) == 3
    second.close()


def test_the_messages_of_a_dead_worker_are_offered_again(place: Place) -> None:
    dsn = place.settings.dsn("bo_queue")
    pid = 1 << 30  # none that there is
    sender, dead, other = (PgBroker(dsn, name=name) for name in ("a", worker_name(pid), "other"))
    for broker in (sender, dead, other):
        broker.declare_queue(QUEUE)
    sender.publish(batches(2), soon=False)
    lost = dead.consume(queue_name=QUEUE, prefetch=2, timeout=100)
    assert len(take(lost, 2)) == 2
    consumer = other.consume(queue_name=QUEUE, prefetch=2, timeout=100)
    assert next(consumer) is None
    freeing(place.settings)("worker", pid)  # as the supervisor does
    got = take(consumer, 2, 2)
    assert len(got) == 2
    for message in got:
        consumer.ack(message)  # type: ignore[arg-type]
    for each in (consumer, lost):
        each.close()
    for broker in (sender, dead, other):
        broker.close()


@pytest.mark.moment
def test_a_broker_that_cannot_be_reached_says_so() -> None:
    broker = PgBroker("postgresql://bo_queue:x@127.0.0.1:1/backoffice_queue")
    broker.declare_queue(QUEUE)
    began = time.monotonic()
    for call in (
        broker.slots,
        lambda: broker.publish(batches(1), soon=False),
        lambda: broker.consume(queue_name=QUEUE),
    ):
        with pytest.raises(ConnectionClosed):
            call()
    assert time.monotonic() - began < 3
    with pytest.raises(AssertionError, match="run_at"):
        broker.enqueue(None, delay=1000)  # type: ignore[arg-type]


def test_the_queues_login_reaches_its_own_database_only(place: Place) -> None:
    import psycopg

    dsn = place.settings.dsn("bo_queue").replace("/backoffice_queue", "/backoffice")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(dsn)


@pytest.mark.rabbitmq
def test_a_queue_that_lost_its_members_is_made_anew(rabbit: RabbitNode) -> None:
    """A node that is killed soon after the declaration cannot serve the queue any more; messages are only hints."""
    broker = rabbitmq_broker(rabbit.url, threads=2)
    broker.declare_queue(QUEUE)
    broker.publish(batches(3), soon=False)
    broker.renew(QUEUE)
    consumer = broker.consume(queue_name=QUEUE, prefetch=10, timeout=100)
    assert next(consumer) is None
    sent = batches(2)
    broker.publish(sent, soon=False)
    got = take(consumer, 2)
    assert [message.args[1][0][0] for message in got] == [str(batch[0][1]) for batch in sent]  # type: ignore[attr-defined]
    for message in got:
        consumer.ack(message)  # type: ignore[arg-type]
    consumer.close()
    broker.close()
