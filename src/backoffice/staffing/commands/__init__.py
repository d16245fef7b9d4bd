"""Writes of staffing, one function per verb."""

from __future__ import annotations

from backoffice.staffing.commands.assignments import create_assignment, end_assignment, update_assignment
from backoffice.staffing.commands.clients import create_client, update_client
from backoffice.staffing.commands.decisions import approve, approve_many, reject
from backoffice.staffing.commands.late import TOLD_AT_ONCE, find_late, preview_late, tell_late
from backoffice.staffing.commands.runs import lock_for_run, release
from backoffice.staffing.commands.timesheets import create_timesheet, submit, update_timesheet
from backoffice.staffing.commands.upsert import upsert_timesheets

__all__ = [
    "TOLD_AT_ONCE",
    "approve",
    "approve_many",
    "create_assignment",
    "create_client",
    "create_timesheet",
    "end_assignment",
    "find_late",
    "lock_for_run",
    "preview_late",
    "reject",
    "release",
    "submit",
    "tell_late",
    "update_assignment",
    "update_client",
    "update_timesheet",
    "upsert_timesheets",
]
