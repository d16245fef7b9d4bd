"""A worker of the product that also knows the benchmark's jobs: they do nothing, so that what is timed is the way."""

from __future__ import annotations

import asyncio
import sys

from backoffice import worker
from backoffice.platform.jobs.kinds import JobPayload
from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun


class Nothing(JobPayload, frozen=True, kw_only=True):
    """A job without work, whose end is told to nobody."""

    kind = "benchmark.nothing"
    quiet = True
    number: int


class Told(JobPayload, frozen=True, kw_only=True):
    """A job without work, whose end is an event."""

    kind = "benchmark.told"
    number: int


class Brief(JobPayload, frozen=True, kw_only=True):
    """A job that takes 100 ms of a slot and nearly nothing of a processor."""

    kind = "benchmark.brief"
    quiet = True


@handles(Nothing)
async def nothing(run: JobRun, payload: Nothing) -> None:
    """Done."""


@handles(Told)
async def told(run: JobRun, payload: Told) -> None:
    """Done."""


@handles(Brief)
async def brief(run: JobRun, payload: Brief) -> None:
    """A short wait."""
    await asyncio.sleep(0.1)


if __name__ == "__main__":
    sys.exit(worker.main())
