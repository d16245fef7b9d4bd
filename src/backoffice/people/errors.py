"""Refusals of people."""

from __future__ import annotations

from backoffice.kernel.errors import AlreadyExists, Fix, Problem, StateConflict


class WorkerExists(AlreadyExists):
    code = "worker_exists"
    title = "A worker with this external_id or Social Security number exists"


class EmploymentOpen(StateConflict):
    code = "employment_open"
    title = "The worker is employed already"


class EmploymentEnded(StateConflict):
    code = "employment_ended"
    title = "The employment has ended"


class BankAccountExists(AlreadyExists):
    code = "bank_account_exists"
    title = "This is the worker's bank account already"


class BankAccountClosed(StateConflict):
    code = "bank_account_closed"
    title = "The bank account is closed"


class RevealLimitReached(Problem):
    """A person has seen many numbers in an hour: one after the other is how a whole firm's are carried off."""

    status = 429
    code = "reveal_limit_reached"
    title = "Too many numbers were revealed to one person within an hour"
    remedy = Fix(
        "administrator of the firm",
        "See in the audit trail what was revealed and what for, and end the person's keys if it was somebody else.",
        "POST /v1/api_keys/{id}/revoke",
    )

    def __init__(self, most: int, seconds: int) -> None:
        super().__init__(
            f"A person may see {most} numbers of workers an hour, the next in {seconds} seconds. This is recorded.",
            headers={"Retry-After": str(seconds)},
        )
