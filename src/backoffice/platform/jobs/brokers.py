"""Which transport this installation uses, and the one actor that listens on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

import dramatiq
from dramatiq.middleware import Middleware

from backoffice.platform.jobs.messages import ACTOR, QUEUE, Held
from backoffice.platform.jobs.pg_broker import PgBroker
from backoffice.platform.settings import Settings

if TYPE_CHECKING:
    from backoffice.platform.jobs.rabbitmq_broker import QuorumBroker

AnyBroker: TypeAlias = "PgBroker | QuorumBroker"
Run = Callable[[UUID, "Sequence[Held]", bool], Awaitable[None]]


def open_broker(settings: Settings, *, name: str = "", middleware: list[Middleware] | None = None) -> AnyBroker:
    """RabbitMQ where BACKOFFICE_BROKER_URL names one, else the embedded transport. Connects at first use."""
    if settings.broker_url:
        from backoffice.platform.jobs.rabbitmq_broker import rabbitmq_broker

        return rabbitmq_broker(settings.broker_url, threads=settings.worker_threads, middleware=middleware)
    return PgBroker(settings.dsn("bo_queue"), name=name, middleware=middleware)


def declare_run(broker: AnyBroker, run: Run) -> None:
    """Declare the actor of every job: it hands what the message says to `run` on the worker's event loop."""

    async def run_jobs(tenant_id: str, jobs: list[tuple[str, int]], soon: bool) -> None:
        await run(UUID(tenant_id), [(UUID(job), int(fence)) for job, fence in jobs], soon)

    dramatiq.actor(actor_name=ACTOR, queue_name=QUEUE, broker=broker)(run_jobs)
