"""Writes of staffing, one function per verb."""

from __future__ import annotations

from backoffice.staffing.commands.assignments import create_assignment, end_assignment, update_assignment
from backoffice.staffing.commands.clients import create_client, update_client
from backoffice.staffing.commands.decisions import approve, approve_many, reject
from backoffice.staffing.commands.runs import lock_for_run, release
from backoffice.staffing.commands.timesheets import create_timesheet, submit, update_timesheet
from backoffice.staffing.commands.upsert import upsert_timesheets

__all__ = [
    "approve",
    "approve_many",
    "create_assignment",
    "create_client",
    "create_timesheet",
    "end_assignment",
    "lock_for_run",
    "reject",
    "release",
    "submit",
    "update_assignment",
    "update_client",
    "update_timesheet",
    "upsert_timesheets",
]
