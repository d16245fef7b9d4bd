"""Writes of people, one function per verb."""

from __future__ import annotations

from backoffice.people.commands.bank_accounts import close_bank_account, create_bank_account
from backoffice.people.commands.deductions import create_deduction, update_deduction
from backoffice.people.commands.elections import create_tax_election
from backoffice.people.commands.employments import end_employment, hire
from backoffice.people.commands.opening import set_opening_balance
from backoffice.people.commands.orders import create_order, reveal_order, update_order
from backoffice.people.commands.reveal import reveal
from backoffice.people.commands.upsert import upsert_workers
from backoffice.people.commands.workers import create_worker, update_worker

__all__ = [
    "close_bank_account",
    "create_bank_account",
    "create_deduction",
    "create_order",
    "create_tax_election",
    "create_worker",
    "end_employment",
    "hire",
    "reveal",
    "reveal_order",
    "set_opening_balance",
    "update_deduction",
    "update_order",
    "update_worker",
    "upsert_workers",
]
