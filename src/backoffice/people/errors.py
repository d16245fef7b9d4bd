"""Refusals of people."""

from __future__ import annotations

from backoffice.kernel.errors import AlreadyExists, StateConflict


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
