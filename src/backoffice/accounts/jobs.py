"""What accounts does behind the queue: bulk jobs, and the housekeeping of every tenant."""

from __future__ import annotations

from backoffice.accounts import clocks, commands
from backoffice.accounts.bulk.jobs import discard_upload, run_bulk_job
from backoffice.accounts.schemas import MoveClock, Tidy
from backoffice.platform import logs
from backoffice.platform.jobs import forgetting
from backoffice.platform.jobs.kinds import Recurring
from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun
from backoffice.platform.jobs.tidying import forgetful, forgets, in_parts
from backoffice.platform.web import idempotency

__all__ = ["advance_clock", "discard_upload", "forget_answers", "forget_jobs", "run_bulk_job", "tidy"]
log = logs.get("tidy")


@handles(Tidy, recurring=[Recurring(name="platform-tidy", rule="daily at 03:10")])
async def tidy(run: JobRun, payload: Tidy) -> None:
    """Forget, in every domain, what its time is over for. The result says how many of what."""
    gone = {what: await forget(run) for what, forget in forgetful().items()}
    await run.finish(commands.note_tidied, gone)
    log.info("tidied", count=sum(gone.values()))


@handles(MoveClock, preview=clocks.preview_move, unfinished=clocks.stopped)
async def advance_clock(run: JobRun, payload: MoveClock) -> None:
    """From instant to instant. It runs once for each, and holds no worker between them."""
    await run.stand_by(clocks.next_instant, run.id, payload)
    await run.finish(clocks.arrive, payload)


@forgets("answers")
async def forget_answers(run: JobRun) -> int:
    return await in_parts(run, "answers", idempotency.forget_expired)


@forgets("jobs")
async def forget_jobs(run: JobRun) -> int:
    return await in_parts(run, "jobs", forgetting.forget_jobs)
