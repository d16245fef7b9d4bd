"""Reads of payroll."""

from backoffice.payroll.queries.blockers import blockers
from backoffice.payroll.queries.derivation import derivation
from backoffice.payroll.queries.paychecks import PAYCHECKS, paycheck, paychecks
from backoffice.payroll.queries.runs import RUNS, find_run, liabilities, payroll_run, payroll_runs, run_view

__all__ = [
    "PAYCHECKS",
    "RUNS",
    "blockers",
    "derivation",
    "find_run",
    "liabilities",
    "paycheck",
    "paychecks",
    "payroll_run",
    "payroll_runs",
    "run_view",
]
