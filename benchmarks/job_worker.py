"""A worker of the product that also knows the benchmark's job: it does nothing, so that what is timed is the way."""

from __future__ import annotations

import sys

from backoffice import worker
from backoffice.platform.jobs.kinds import JobPayload
from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun


class Nothing(JobPayload, frozen=True, kw_only=True):
    """A job without work."""

    kind = "benchmark.nothing"
    quiet = True
    number: int


@handles(Nothing)
async def nothing(run: JobRun, payload: Nothing) -> None:
    """Done."""


if __name__ == "__main__":
    sys.exit(worker.main())
