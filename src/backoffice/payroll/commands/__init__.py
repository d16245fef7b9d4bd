"""Writes of payroll, one file per verb."""

from backoffice.payroll.commands.calculate import (
    abandon_calculation,
    calculate_workers,
    finish_calculation,
    parts_of,
    prepare_calculation,
    preview_calculation,
    start_calculation,
)
from backoffice.payroll.commands.decide import approve_run, cancel_run, reopen_run
from backoffice.payroll.commands.open import open_due_run, open_run
from backoffice.payroll.commands.pay import (
    abandon_payment,
    build_bank_file,
    finish_payment,
    post_paychecks,
    prepare_payment,
    preview_payment,
    start_payment,
)
from backoffice.payroll.commands.payments import return_if_sent, return_payment
from backoffice.payroll.commands.retry import (
    abandon_retry,
    build_retry_file,
    finish_retry,
    preview_retry,
    start_retry,
)

__all__ = [
    "abandon_calculation",
    "abandon_payment",
    "abandon_retry",
    "approve_run",
    "build_bank_file",
    "build_retry_file",
    "calculate_workers",
    "cancel_run",
    "finish_calculation",
    "finish_payment",
    "finish_retry",
    "open_due_run",
    "open_run",
    "parts_of",
    "post_paychecks",
    "prepare_calculation",
    "prepare_payment",
    "preview_calculation",
    "preview_payment",
    "preview_retry",
    "reopen_run",
    "return_if_sent",
    "return_payment",
    "start_calculation",
    "start_payment",
    "start_retry",
]
