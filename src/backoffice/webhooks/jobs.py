"""What webhooks do behind the queue: replays, digests, and forgetting what is older than anybody may ask for."""

from __future__ import annotations

from backoffice.kernel import ids
from backoffice.platform.jobs.kinds import Recurring
from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun
from backoffice.platform.jobs.tidying import forgets, in_parts
from backoffice.webhooks import commands
from backoffice.webhooks.schemas import Replay, StartDigests, WriteDigest


@handles(Replay)
async def replay(run: JobRun, payload: Replay) -> dict[str, int]:
    """Make deliveries due again, in parts; the courier sends them."""
    moved, number = 0, 0
    after: int | None = 0
    while after is not None:
        batch = await run.step(f"batch:{number}", commands.replay_batch, payload, after)
        moved, number, after = moved + batch["moved"], number + 1, batch["last"]
        await run.progress(moved, max(moved, payload.deliveries), "deliveries are due again")
    return {"deliveries": moved}


@handles(StartDigests, recurring=[Recurring(name="webhook-digests", rule="daily at 00:10")])
async def digests(run: JobRun, payload: StartDigests) -> None:
    """The digests of the day that has just ended."""
    await run.finish(commands.start_digests, payload)


@handles(WriteDigest)
async def digest(run: JobRun, payload: WriteDigest) -> None:
    """One day of one endpoint."""
    endpoint = ids.decode("webhook_endpoint", payload.endpoint_id)
    assert endpoint is not None
    await run.finish(commands.write_digest, endpoint, payload.day)


@forgets("events")
async def forget_events(run: JobRun) -> int:
    return await in_parts(run, "events", commands.forget_events)
