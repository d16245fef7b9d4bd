"""Refusals of staffing."""

from __future__ import annotations

from backoffice.kernel.errors import AlreadyExists, Problem, StateConflict


class ClientExists(AlreadyExists):
    code = "client_exists"
    title = "A client with this external_id exists"


class AssignmentExists(AlreadyExists):
    code = "assignment_exists"
    title = "An assignment with this external_id exists"


class AssignmentEnded(StateConflict):
    code = "assignment_ended"
    title = "The assignment has ended"


class TimesheetExists(AlreadyExists):
    code = "timesheet_exists"
    title = "A timesheet of this week, or with this external_id, exists"


class TimesheetState(StateConflict):
    """`timesheet_status` is where it stands."""

    code = "timesheet_state"
    title = "The timesheet is not in a state that allows this"


class TimesheetInPayrollRun(StateConflict):
    code = "timesheet_in_payroll_run"
    title = "The timesheet is part of a payroll run and does not change any more"


class TimesheetsUnsettled(Problem):
    """A chunk of rows met a writer of the same timesheets; the job tries it again."""

    status = 503
    code = "timesheets_unsettled"
    title = "Somebody else wrote the same timesheets at this moment"
    retryable = True
