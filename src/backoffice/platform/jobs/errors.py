"""How a run ends early, and the refusals of a job's verbs."""

from __future__ import annotations

from backoffice.kernel.errors import Problem, StateConflict


class RunEnded(BaseException):
    """The handler must stop here. No `Exception`, so that a handler's `except Exception` does not swallow it."""


class LeaseLost(RunEnded):
    """Another worker has the job, or had it: nothing of this run can be written any more."""


class Canceled(RunEnded):
    """Somebody asked for the job to be canceled; seen at a step's border."""


class Drained(RunEnded):
    """The worker is stopping; the job goes back with its finished steps and no attempt used."""


class Waiting(RunEnded):
    """The job stands in `waiting` until its children are done."""


class PayloadRefused(Problem):
    """The stored payload cannot be read as what the handler takes."""

    status = 500
    code = "job_payload_invalid"
    title = "The job's payload cannot be read"


class JobCrashed(Problem):
    """The worker process died or lost the database three times while it ran this job, without finishing a step."""

    status = 500
    code = "job_crashed"
    title = "The job ended its worker three times"

    def __init__(self) -> None:
        super().__init__("It is not tried again by itself. An operator can retry it when the cause is gone.")


class DeadlinePassed(Problem):
    """A try took longer than its kind allows."""

    status = 503
    code = "job_deadline_passed"
    title = "The job took too long"
    retryable = True


class SchedulePaused(StateConflict):
    """Its work can be started once it is resumed, or as what it is: a job."""

    code = "schedule_paused"
    title = "The schedule is paused"


class AdvanceTooFar(StateConflict):
    """One move of a clock passes at most 400 days; move it in parts."""

    code = "advance_too_far"
    title = "The clock cannot be moved so far at once"


class NotInPlan(Problem):
    """The tenant's plan does not have this kind of job; nothing is stored."""

    status = 403
    code = "not_in_plan"
    title = "The plan does not have this"


class NotCancelable(StateConflict):
    """The job has ended."""

    code = "job_not_cancelable"
    title = "The job has already ended"


class NotRetryable(StateConflict):
    """Only a failed job can be retried."""

    code = "job_not_retryable"
    title = "The job has not failed"
