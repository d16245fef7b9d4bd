"""What comes out of the ledger."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from backoffice.platform.web.bodies import MoneyBody, Noun


class LedgerAccount(Noun, kw_only=True):
    """An account of the chart. `normal_side` is the side on which it grows; `facts` say what it is for."""

    code: str
    name: str
    kind: str
    currency: str
    normal_side: str
    facts: dict[str, str]


class LedgerEntry(Noun, kw_only=True):
    """One line of a transaction; `amount` is positive, `side` says which way."""

    transaction_id: str
    line: int
    account_id: str
    side: str
    amount: MoneyBody
    effective_date: date
    memo: str | None


class LedgerTransaction(Noun, kw_only=True):
    """A balanced transaction. `effective_date` is when it counts, `posted_at` when it was written; `source` is the id
    of what caused it; `reverses` the transaction that it undoes, `reversed_by` the one that undoes it."""

    key: str
    effective_date: date
    posted_at: datetime
    posted_by: str
    description: str
    source: str | None
    reverses: str | None
    reversed_by: str | None
    entry_count: int


class LedgerTransactionDetail(LedgerTransaction, kw_only=True):
    """A transaction with its entries, in the order of their lines."""

    entries: list[LedgerEntry]


class TrialBalanceLine(msgspec.Struct, kw_only=True):
    """One account: what was debited and credited in all, and the difference (debit > 0)."""

    account_id: str
    code: str
    name: str
    kind: str
    normal_side: str
    debits: MoneyBody
    credits: MoneyBody
    balance: MoneyBody


class TrialBalanceTotal(msgspec.Struct, kw_only=True):
    """The sums of one currency; they are equal."""

    debits: MoneyBody
    credits: MoneyBody


class TrialBalance(msgspec.Struct, kw_only=True):
    """Every account with its totals up to and including `as_of` (null: all that is posted)."""

    object: str = "trial_balance"
    livemode: bool
    as_of: date | None
    data: list[TrialBalanceLine]
    totals: list[TrialBalanceTotal]
