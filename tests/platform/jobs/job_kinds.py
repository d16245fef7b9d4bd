"""Kinds of jobs for the tests of the engine. An effect is an audit row of the payload's `mark`: it commits with the
job or not at all, and a second one shows."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import numpy as np

from backoffice.kernel.clock import rfc3339
from backoffice.kernel.errors import Problem
from backoffice.platform.jobs.kinds import Band, JobPayload
from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun
from backoffice.platform.tx import Tx


async def effect(tx: Tx, mark: UUID, name: str = "effect") -> str:
    """What a job is for."""
    tx.audit(f"test.{name}", object_type="job", object_id=mark)
    return name


class Once(JobPayload, frozen=True, kw_only=True):
    """One effect, in `finish`. `seconds` it sleeps before; `kill` names the moment at which the worker's process ends
    itself, once (the file `marker` remembers)."""

    kind: ClassVar[str] = "test.once"
    backoff_seconds: ClassVar[float] = 0.05

    mark: UUID
    seconds: float = 0.0
    kill: str = ""
    marker: str = ""


def first_time(marker: str) -> bool:
    """Whether the file is not there yet; it is now. Of two processes that ask at once, one hears yes."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def die(payload: Once, moment: str) -> None:
    """SIGKILL to ourselves at the chosen moment, the first time."""
    if payload.kill == moment and first_time(payload.marker):
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)


@handles(Once)
async def once(run: JobRun, payload: Once) -> None:
    die(payload, "after_claim")
    if payload.seconds:
        await asyncio.sleep(payload.seconds)

    async def command(tx: Tx) -> str:
        told = await effect(tx, payload.mark)
        if payload.kill == "in_effect":
            await tx.flush()
        die(payload, "in_effect")
        return told

    await run.finish(command)
    die(payload, "after_commit")


class Bulk(Once, frozen=True, kw_only=True):
    """The same in the bulk band."""

    kind: ClassVar[str] = "test.bulk"
    band: ClassVar[Band] = "bulk"


@handles(Bulk)
async def bulk(run: JobRun, payload: Bulk) -> None:
    await once(run, payload)


class Interactive(Once, frozen=True, kw_only=True):
    """The same in the interactive band."""

    kind: ClassVar[str] = "test.interactive"
    band: ClassVar[Band] = "interactive"


@handles(Interactive)
async def interactive(run: JobRun, payload: Interactive) -> None:
    await once(run, payload)


class Steps(JobPayload, frozen=True, kw_only=True):
    """`count` steps with an effect each, `seconds` before each; returns what the steps returned."""

    kind: ClassVar[str] = "test.steps"
    backoff_seconds: ClassVar[float] = 0.05

    mark: UUID
    count: int
    seconds: float = 0.0
    fail_before: int = -1  # a step before which the first try fails
    marker: str = ""


@handles(Steps)
async def steps(run: JobRun, payload: Steps) -> list[str]:
    told = []
    for place in range(payload.count):
        if payload.seconds:
            await asyncio.sleep(payload.seconds)
        if place == payload.fail_before and first_time(payload.marker):
            raise RuntimeError("the first try fails here")
        told.append(await run.step(f"step_{place}", effect, payload.mark, f"step_{place}"))
        await run.progress(place + 1, payload.count, "working")
    return told


class Refused(Problem):
    """A refusal that will not change."""

    status = 409
    code = "test_refused"
    title = "The test refuses"


class Passing(Problem):
    """A refusal that may pass."""

    status = 503
    code = "test_passing"
    title = "The test refuses for now"
    retryable = True


class Failing(JobPayload, frozen=True, kw_only=True):
    """Fails always. `how`: "refused", "passing" or "fault"."""

    kind: ClassVar[str] = "test.failing"
    max_attempts: ClassVar[int] = 3
    backoff_seconds: ClassVar[float] = 0.02

    mark: UUID
    how: str


async def put_right(tx: Tx, payload: Failing, status: str) -> None:
    """What a domain does when its job gives up."""
    tx.audit(f"test.unfinished_{status}", object_type="job", object_id=payload.mark)


@handles(Failing, unfinished=put_right)
async def failing(run: JobRun, payload: Failing) -> None:
    await run.step("attempt", _nothing)
    if payload.how == "refused":
        raise Refused("No.")
    if payload.how == "passing":
        raise Passing("Not now.")
    raise RuntimeError("a fault with a secret 900-12-3456 in its text")


async def _nothing(tx: Tx) -> None:
    """A step without effect."""


class Crashing(JobPayload, frozen=True, kw_only=True):
    """Ends its worker's process, always."""

    kind: ClassVar[str] = "test.crashing"

    mark: UUID


@handles(Crashing)
async def crashing(run: JobRun, payload: Crashing) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(60)


class Family(JobPayload, frozen=True, kw_only=True):
    """`children` jobs of kind Once, then one effect when all have ended."""

    kind: ClassVar[str] = "test.family"

    mark: UUID
    children: int
    seconds: float = 0.0
    failing: bool = False


@handles(Family)
async def family(run: JobRun, payload: Family) -> None:
    async def give_birth(tx: Tx) -> None:
        for _ in range(payload.children):
            await tx.start(Once(mark=payload.mark, seconds=payload.seconds), parent_id=run.id)
        if payload.failing:
            await tx.start(Failing(mark=payload.mark, how="refused"), parent_id=run.id)

    await run.step("start", give_birth)
    ended = await run.wait_for_children()

    async def close(tx: Tx) -> dict[str, int]:
        await effect(tx, payload.mark, "family")
        return {"succeeded": ended.succeeded, "failed": ended.failed, "canceled": ended.canceled}

    await run.finish(close)


class Blocking(JobPayload, frozen=True, kw_only=True):
    """Holds the event loop for `seconds` with numpy, then one effect."""

    kind: ClassVar[str] = "test.blocking"

    mark: UUID
    seconds: float


@handles(Blocking)
async def blocking(run: JobRun, payload: Blocking) -> None:
    until = time.monotonic() + payload.seconds
    numbers = np.arange(2_000_000, dtype=np.int64)
    while time.monotonic() < until:
        numbers = np.sort(numbers[::-1])
    await run.finish(effect, payload.mark)


class Slow(JobPayload, frozen=True, kw_only=True):
    """Takes longer than its kind allows."""

    kind: ClassVar[str] = "test.slow"
    deadline_seconds: ClassVar[float] = 0.2
    max_attempts: ClassVar[int] = 1

    mark: UUID


@handles(Slow)
async def slow(run: JobRun, payload: Slow) -> None:
    await asyncio.sleep(30)


class Renamed(JobPayload, frozen=True, kw_only=True):
    """Version 3 of a payload that was `{"who"}` and then `{"whom"}`."""

    kind: ClassVar[str] = "test.renamed"
    version: ClassVar[int] = 3

    mark: UUID


@handles(Renamed, upcasters={1: lambda old: {"whom": old["who"]}, 2: lambda old: {"mark": old["whom"]}})
async def renamed(run: JobRun, payload: Renamed) -> None:
    await run.finish(effect, payload.mark)


class Unknown(JobPayload, frozen=True, kw_only=True):
    """A kind that no worker here handles."""

    kind: ClassVar[str] = "test.unknown"

    mark: UUID


class Recurs(JobPayload, frozen=True, kw_only=True):
    """What a schedule starts: one effect, and as its result the fire time it was told."""

    kind: ClassVar[str] = "test.recurs"

    mark: UUID
    scheduled_for: datetime


@handles(Recurs, schedulable=True)
async def recurs(run: JobRun, payload: Recurs) -> None:
    async def command(tx: Tx) -> str:
        await effect(tx, payload.mark)
        return rfc3339(payload.scheduled_for)

    await run.finish(command)


class Speaking(JobPayload, frozen=True, kw_only=True):
    """Says so many lines, each longer than a line may be."""

    kind: ClassVar[str] = "test.speaking"

    mark: UUID
    lines: int


@handles(Speaking)
async def speaking(run: JobRun, payload: Speaking) -> None:
    for place in range(payload.lines):
        await run.say(f"line {place} " + "x" * 500)
    await run.finish(effect, payload.mark)


class DeployedOld(JobPayload, frozen=True, kw_only=True):
    """What a release knew."""

    kind: ClassVar[str] = "test.deployed"

    mark: UUID
    who: str


class DeployedNew(JobPayload, frozen=True, kw_only=True):
    """The same kind, as the release after it knows it."""

    kind: ClassVar[str] = "test.deployed"
    version: ClassVar[int] = 2

    mark: UUID
    whom: str


def become(release: str) -> None:
    """This process is of the "old" or the "new" release."""

    async def deployed(run: JobRun, payload: DeployedOld | DeployedNew) -> None:
        async def command(tx: Tx) -> str:
            await effect(tx, payload.mark)
            return release

        await run.finish(command)

    if release == "old":
        handles(DeployedOld)(deployed)
    else:
        handles(DeployedNew, upcasters={1: lambda old: {"mark": old["mark"], "whom": old["who"]}})(deployed)
