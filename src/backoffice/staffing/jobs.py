"""What staffing does behind the queue: the bulk operation `timesheets.upsert`."""

from __future__ import annotations

from backoffice.platform import bulk
from backoffice.staffing import commands, csv_files

bulk.register(
    bulk.Operation(
        name="timesheets.upsert",
        scope="timesheets:write",
        parse=csv_files.parse_timesheets,
        apply=commands.upsert_timesheets,
        together=lambda row: row.assignment_external_id,  # the days of one timesheet
    )
)
