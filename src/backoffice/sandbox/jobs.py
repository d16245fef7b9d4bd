"""What the sandbox does behind the queue."""

from __future__ import annotations

import msgspec

from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun
from backoffice.sandbox import commands
from backoffice.sandbox.companies import company
from backoffice.sandbox.schemas import BuildFixture, Built, Ground


@handles(BuildFixture, preview=commands.preview_build)
async def build_fixture(run: JobRun, payload: BuildFixture) -> Built:
    """The company, part by part; each try goes on where the one before has ended."""
    ground = msgspec.convert(await run.step("ground", commands.ground), Ground)
    made = company(payload, ground)
    parts = commands.parts(made)
    for done, (name, command, args) in enumerate(parts):
        await run.progress(done, len(parts), name)
        await run.step(name, command, *args)
    await run.progress(len(parts), len(parts), "done")
    hours = sum(len(rows) for _, rows in made.weeks)
    return Built(test_clock=payload.clock_id, clients=len(made.clients), workers=len(made.workers), days_of_hours=hours)
