"""What staffing does behind the queue: the bulk operation `timesheets.upsert`, and the deadline of time sheets."""

from __future__ import annotations

import msgspec

from backoffice.kernel.chunks import in_chunks
from backoffice.platform import bulk
from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun
from backoffice.staffing import commands, csv_files
from backoffice.staffing.schemas import CheckTimesheets, LateHours

bulk.register(
    bulk.Operation(
        name="timesheets.upsert",
        scope="timesheets:write",
        parse=csv_files.parse_timesheets,
        apply=commands.upsert_timesheets,
        together=lambda row: row.assignment_external_id,  # the days of one timesheet
    )
)


@handles(CheckTimesheets, schedulable=True, preview=commands.preview_late)
async def check_timesheets(run: JobRun, payload: CheckTimesheets) -> LateHours:
    """Who is late is found once; a run that was broken off goes on telling."""
    late = msgspec.convert(await run.step("find", commands.find_late, payload), LateHours)
    for number, part in enumerate(in_chunks(late.assignments, commands.TOLD_AT_ONCE)):
        await run.step(f"tell:{number}", commands.tell_late, late.week_start, part)
    return late
