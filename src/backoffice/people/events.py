"""What people tells."""

from __future__ import annotations

from backoffice.people.schemas import BankAccount, Employment, OpeningBalance, TaxElection, Worker
from backoffice.people.withholding_schemas import Deduction, WithholdingOrder
from backoffice.platform.events import event_type

WORKER_CREATED = event_type("worker.created", Worker, "/v1/workers/{id}", "A worker was added.", status="active")
WORKER_UPDATED = event_type(
    "worker.updated", Worker, "/v1/workers/{id}", "What is known of a worker changed.", status="active"
)
EMPLOYMENT_CREATED = event_type(
    "employment.created", Employment, "/v1/employments/{id}", "A worker was hired by the tenant's employer."
)
EMPLOYMENT_UPDATED = event_type(
    "employment.updated", Employment, "/v1/employments/{id}", "The job title or pay schedule of an employment changed."
)
EMPLOYMENT_ENDED = event_type("employment.ended", Employment, "/v1/employments/{id}", "An employment ended.")
TAX_ELECTION_CREATED = event_type(
    "tax_election.created", TaxElection, "/v1/tax_elections/{id}", "A signed withholding certificate is on file."
)
BANK_ACCOUNT_CREATED = event_type(
    "bank_account.created",
    BankAccount,
    "/v1/bank_accounts/{id}",
    "A worker's net pay goes to this account now.",
    status="active",
)
BANK_ACCOUNT_CLOSED = event_type(
    "bank_account.closed",
    BankAccount,
    "/v1/bank_accounts/{id}",
    "An account no longer receives net pay.",
    status="closed",
)
OPENING_BALANCE_SET = event_type(
    "opening_balance.set",
    OpeningBalance,
    "/v1/opening_balances/{id}",
    "What was paid earlier in the year, before payroll moved here, is on file.",
)
DEDUCTION_CREATED = event_type(
    "deduction.created", Deduction, "/v1/deductions/{id}", "A deduction is taken from a worker's paychecks."
)
DEDUCTION_UPDATED = event_type(
    "deduction.updated", Deduction, "/v1/deductions/{id}", "A deduction was changed or given its last day."
)
WITHHOLDING_ORDER_CREATED = event_type(
    "withholding_order.created",
    WithholdingOrder,
    "/v1/withholding_orders/{id}",
    "An order on wages is withheld from a worker's paychecks.",
)
WITHHOLDING_ORDER_UPDATED = event_type(
    "withholding_order.updated",
    WithholdingOrder,
    "/v1/withholding_orders/{id}",
    "An order on wages was changed or given its last day.",
)
