"""What staffing tells."""

from __future__ import annotations

from backoffice.platform.events import event_type
from backoffice.staffing.schemas import Assignment, Client, Timesheet

_CLIENT, _ASSIGNMENT, _TIMESHEET = "/v1/clients/{id}", "/v1/assignments/{id}", "/v1/timesheets/{id}"

CLIENT_CREATED = event_type("client.created", Client, _CLIENT, "A client was added.", status="active")
CLIENT_UPDATED = event_type("client.updated", Client, _CLIENT, "What is known of a client changed.", status="active")
ASSIGNMENT_CREATED = event_type(
    "assignment.created", Assignment, _ASSIGNMENT, "A worker was assigned to a client.", status="active"
)
ASSIGNMENT_UPDATED = event_type(
    "assignment.updated", Assignment, _ASSIGNMENT, "Rates or place of work changed.", status="active"
)
ASSIGNMENT_ENDED = event_type("assignment.ended", Assignment, _ASSIGNMENT, "An assignment ended.", status="ended")
ASSIGNMENT_HOURS_LATE = event_type(
    "assignment.hours_late",
    Assignment,
    _ASSIGNMENT,
    "No hours of a week that has ended were submitted by the deadline.",
    status="active",
)
TIMESHEET_CREATED = event_type("timesheet.created", Timesheet, _TIMESHEET, "A timesheet was begun.", status="draft")
TIMESHEET_UPDATED = event_type(
    "timesheet.updated", Timesheet, _TIMESHEET, "The hours of a timesheet changed.", status="draft"
)
TIMESHEET_SUBMITTED = event_type(
    "timesheet.submitted", Timesheet, _TIMESHEET, "Hours wait for approval.", status="submitted"
)
TIMESHEET_APPROVED = event_type(
    "timesheet.approved", Timesheet, _TIMESHEET, "Hours are approved and can be paid.", status="approved"
)
TIMESHEET_REJECTED = event_type(
    "timesheet.rejected",
    Timesheet,
    _TIMESHEET,
    "Hours were sent back; they are paid after they are corrected.",
    status="rejected",
)
