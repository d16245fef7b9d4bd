"""What the tests' processes run: `worker` and `dispatcher` are the real ones, with the tests' kinds of jobs and an end
of their own at the moment that KILL_AT names (once: the file KILL_MARKER remembers); `submit TENANT MARK` commits a job
and is killed before it can ring the doorbell."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dramatiq.broker import Broker, MessageProxy
from dramatiq.middleware import Middleware
from tests.platform.jobs import job_kinds  # registers the handlers

from backoffice import dispatcher
from backoffice.accounts import jobs as account_jobs  # noqa: F401 - registers what moves clocks
from backoffice.platform import logs
from backoffice.platform.jobs import dispatch, process, runner
from backoffice.platform.jobs.leaving import leave
from backoffice.platform.jobs.messages import Held
from backoffice.platform.principal import Principal, TenantFacts
from backoffice.platform.runtime import new_request_id, open_runtime
from backoffice.platform.settings import Settings, from_environment


def die_once() -> None:
    if job_kinds.first_time(os.environ["KILL_MARKER"]):
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)


class DieBeforeAck(Middleware):
    def before_ack(self, broker: Broker, message: MessageProxy) -> None:
        die_once()


class Mortal(runner.Runner):
    async def _claim(self, facts: TenantFacts, jobs: Sequence[Held]) -> Any:
        die_once()
        return await super()._claim(facts, jobs)


class MortalProcess(process.WorkerProcess):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.broker.add_middleware(DieBeforeAck())


class DiesBeforePublish(dispatch.Dispatcher):
    async def _publish(self, connection: Any, keys: list[Any], *, soon: bool) -> None:
        die_once()
        await super()._publish(connection, keys, soon=soon)


class Doubling(dispatch.Dispatcher):
    """Every message twice and in another order."""

    async def _publish(self, connection: Any, keys: list[Any], *, soon: bool) -> None:
        twice = keys * 2
        random.shuffle(twice)
        await super()._publish(connection, twice, soon=soon)


def serve_worker(settings: Settings, moment: str) -> int:
    if moment == "before_claim":
        process.Runner = Mortal  # type: ignore[attr-defined]
    elif moment == "before_ack":
        process.WorkerProcess = MortalProcess  # type: ignore[misc]
    return process.serve(settings)


async def serve_dispatcher(settings: Settings, moment: str) -> None:
    kinds = {"before_publish": DiesBeforePublish, "double": Doubling}
    dispatcher.Dispatcher = kinds.get(moment, dispatch.Dispatcher)  # type: ignore[attr-defined]
    await dispatcher.serve(settings)


async def submit(settings: Settings, tenant: str, mark: str) -> None:
    """A request whose process dies after its commit."""
    facts = TenantFacts(id=UUID(tenant), mode="test")

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async with (
        open_runtime(settings, ring=die) as runtime,
        runtime.db.tx(Principal.system(facts, "test"), request_id=new_request_id()) as tx,
    ):
        await tx.start(job_kinds.Once(mark=UUID(mark)))
        await runtime.db.commit(tx)


def main(argv: list[str]) -> None:
    settings = from_environment()
    what, *arguments = argv
    job_kinds.become(os.environ.get("RELEASE", "new"))
    moment = os.environ.get("KILL_AT", "")
    logs.configure(what, settings.log_level)
    if what == "worker":
        sys.exit(leave(serve_worker(settings, moment)))
    asyncio.run(submit(settings, *arguments) if what == "submit" else serve_dispatcher(settings, moment))
