"""What payroll tells."""

from __future__ import annotations

from backoffice.payroll.schemas import Payment, PayrollRun
from backoffice.platform.events import event_type

_PATH = "/v1/payroll_runs/{id}"
_PAYMENT = "/v1/payments/{id}"

RUN_CREATED = event_type("payroll_run.created", PayrollRun, _PATH, "A run was opened for a period.", status="draft")
RUN_CALCULATED = event_type(
    "payroll_run.calculated", PayrollRun, _PATH, "Gross to net was calculated for the run.", status="ready"
)
RUN_BLOCKED = event_type(
    "payroll_run.blocked", PayrollRun, _PATH, "Something must be mended before it can be approved.", status="blocked"
)
RUN_READY = event_type(
    "payroll_run.ready", PayrollRun, _PATH, "The run can be approved by a second person.", status="ready"
)
RUN_APPROVED = event_type(
    "payroll_run.approved", PayrollRun, _PATH, "A second person approved the run.", status="approved"
)
RUN_REOPENED = event_type("payroll_run.reopened", PayrollRun, _PATH, "The run was taken back to draft.", status="draft")
RUN_PAID = event_type(
    "payroll_run.paid", PayrollRun, _PATH, "The bank file is made and the ledger is posted.", status="paid"
)
RUN_PAYMENT_FAILED = event_type(
    "payroll_run.payment_failed",
    PayrollRun,
    _PATH,
    "The payment ended before the bank file was made; it can go on.",
    status="approved",
)
RUN_CANCELED = event_type("payroll_run.canceled", PayrollRun, _PATH, "The run will not be paid.", status="canceled")

PAYMENT_RETURNED = event_type(
    "payment.returned",
    Payment,
    _PAYMENT,
    "A direct deposit came back from the bank; the worker has not been paid.",
    status="returned",
)
PAYMENT_RETRIED = event_type(
    "payment.retried",
    Payment,
    _PAYMENT,
    "In place of a payment that came back, this one went out in a further file.",
    status="sent",
)
PAYMENT_RETRY_FAILED = event_type(
    "payment.retry_failed",
    Payment,
    _PAYMENT,
    "What came back could not be sent again; it can be tried once more.",
    status="returned",
)
