"""What accounts does behind the queue: bulk jobs, and the housekeeping of every tenant."""

from __future__ import annotations

from itertools import count

from backoffice.accounts.bulk.jobs import discard_upload, run_bulk_job
from backoffice.accounts.schemas import Tidy
from backoffice.platform.jobs.kinds import Recurring
from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun
from backoffice.platform.web import idempotency

__all__ = ["discard_upload", "run_bulk_job", "tidy"]

ANSWERS_AT_ONCE = 1000


@handles(Tidy, recurring=[Recurring(name="platform-tidy", rule="daily at 03:10")])
async def tidy(run: JobRun, payload: Tidy) -> int:
    """Delete the stored answers that can no longer be asked for, in parts; how many."""
    deleted = 0
    for part in count():
        gone = await run.step(f"answers_{part}", idempotency.forget_expired, ANSWERS_AT_ONCE)
        deleted += gone
        if gone < ANSWERS_AT_ONCE:
            break
    return deleted
