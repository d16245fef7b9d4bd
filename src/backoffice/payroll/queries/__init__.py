"""Reads of payroll."""

from backoffice.payroll.queries.blockers import blockers
from backoffice.payroll.queries.derivation import derivation
from backoffice.payroll.queries.paychecks import PAYCHECKS, paycheck, paychecks
from backoffice.payroll.queries.payments import PAYMENTS, payment, payments
from backoffice.payroll.queries.runs import RUNS, find_run, liabilities, payroll_run, payroll_runs, run_view
from backoffice.payroll.queries.withheld import deduction_withheld, order_withheld

__all__ = [
    "PAYCHECKS",
    "PAYMENTS",
    "RUNS",
    "blockers",
    "deduction_withheld",
    "derivation",
    "find_run",
    "liabilities",
    "order_withheld",
    "paycheck",
    "paychecks",
    "payment",
    "payments",
    "payroll_run",
    "payroll_runs",
    "run_view",
]
