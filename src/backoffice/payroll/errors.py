"""Refusals of payroll."""

from __future__ import annotations

from backoffice.kernel.errors import Fix, Problem, StateConflict


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


class PaymentNotInState(StateConflict):
    """What has come back can be sent again, once; what is on its way can come back."""

    code = "payment_state"
    title = "The payment is not in a state that allows this"


class AccountNotFit(StateConflict):
    """The worker has no account, or the one that the payment came back from."""

    code = "account_not_fit"
    title = "The payment would come back again"
    remedy = Fix(
        "the front office", "Put the worker's right account on file.", "POST /v1/workers/{worker_id}/bank_accounts"
    )


class PaymentUnderWay(StateConflict):
    """The files of an employer are made one after another."""

    code = "payment_under_way"
    title = "Another payment of the employer is being made"
    remedy = Fix("caller", "Wait until its job has ended, and ask again.")


class PaymentBegun(StateConflict):
    code = "payment_begun"
    title = "Paychecks of the run are posted"
