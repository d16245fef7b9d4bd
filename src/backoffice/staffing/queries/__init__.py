"""Reads of staffing: views of its own pages, and what payroll and billing ask."""

from __future__ import annotations

from backoffice.staffing.queries.payday import approved_hours, assignment_places, open_timesheets
from backoffice.staffing.queries.records import (
    ASSIGNMENTS,
    CLIENTS,
    TIMESHEETS,
    assignment,
    assignment_view,
    assignments,
    client,
    client_view,
    clients,
    entries_of,
    record,
    timesheet,
    timesheet_versions,
    timesheet_view,
    timesheet_views,
    timesheets,
)

__all__ = [
    "ASSIGNMENTS",
    "CLIENTS",
    "TIMESHEETS",
    "approved_hours",
    "assignment",
    "assignment_places",
    "assignment_view",
    "assignments",
    "client",
    "client_view",
    "clients",
    "entries_of",
    "open_timesheets",
    "record",
    "timesheet",
    "timesheet_versions",
    "timesheet_view",
    "timesheet_views",
    "timesheets",
]
