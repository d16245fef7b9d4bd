"""What webhooks does behind the queue: it forgets what is older than anybody may ask for."""

from __future__ import annotations

from backoffice.platform.jobs.run import JobRun
from backoffice.platform.jobs.tidying import forgets, in_parts
from backoffice.webhooks import commands


@forgets("events")
async def forget_events(run: JobRun) -> int:
    return await in_parts(run, "events", commands.forget_events)
