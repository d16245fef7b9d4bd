"""What the sandbox does behind the queue."""

from __future__ import annotations

import asyncio

import msgspec

from backoffice.documents import jobs as documents
from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun
from backoffice.sandbox import commands, resets
from backoffice.sandbox.companies import company
from backoffice.sandbox.schemas import BuildFixture, Built, Ground, Reset, ResetTenant


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


@handles(ResetTenant, preview=resets.preview)
async def reset_tenant(run: JobRun, payload: ResetTenant) -> Reset:
    """Stop what runs, then delete the rows in one transaction, then the files that they named. A run that ends between
    goes on there."""
    if await run.step("stop", resets.stop):  # whoever lost a lease is told within its length, and puts no file later
        await asyncio.sleep(run.runtime.settings.lease_seconds)
    rows = await run.step_alone("wipe", resets.wipe)
    return Reset(rows=rows, files=await documents.drop_unowned(run))
