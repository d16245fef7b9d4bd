"""Refusals of payroll."""

from __future__ import annotations

from backoffice.kernel.errors import Problem, StateConflict


class RunNotInState(StateConflict):
    code = "payroll_run_state"
    title = "The run is not in a state that allows this"


class WorkNotWanted(StateConflict):
    """For a job that comes too late: its run has left the working state it was started for."""

    code = "work_not_wanted"
    title = "The run no longer waits for this job"


class RunBlocked(Problem):
    """`blockers` is the list that `GET …/blockers` answers; each says who can mend it and how."""

    status = 409
    code = "blocked"
    title = "Something must be mended before the run can go on"


class PeriodTaken(Problem):
    status = 409
    code = "period_taken"
    title = "Another run covers this period of the schedule"


class LawChanged(Problem):
    status = 409
    code = "law_changed"
    title = "The tables of law have changed since this paycheck was calculated"


class PaymentBegun(StateConflict):
    code = "payment_begun"
    title = "Paychecks of the run are posted"
