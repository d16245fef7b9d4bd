"""What webhooks do behind the queue."""

from __future__ import annotations

from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun
from backoffice.webhooks import commands
from backoffice.webhooks.schemas import Replay


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
