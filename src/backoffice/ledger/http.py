"""/v1/ledger_accounts, /v1/ledger_transactions, /v1/ledger_entries and /v1/trial_balance: reads. Domains post."""

from __future__ import annotations

from datetime import date

import msgspec
from litestar.params import FromPath, FromQuery

from backoffice.kernel.errors import BadRequest, Fault
from backoffice.ledger import queries
from backoffice.ledger.schemas import (
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    LedgerTransactionDetail,
    TrialBalance,
)
from backoffice.platform.web.lists import Page
from backoffice.platform.web.routes import InTx, Listed, get


@get("/v1/ledger_accounts", scope="ledger:read", listing=queries.ACCOUNTS)
async def list_ledger_accounts(tx: InTx, listed: Listed) -> Page[LedgerAccount]:
    """The chart of accounts."""
    return await queries.account_page(tx, listed)


@get("/v1/ledger_accounts/{account_id:str}", scope="ledger:read")
async def get_ledger_account(tx: InTx, account_id: FromPath[str]) -> LedgerAccount:
    """One account."""
    return await queries.account(tx, account_id)


@get("/v1/ledger_transactions", scope="ledger:read", listing=queries.TRANSACTIONS)
async def list_ledger_transactions(tx: InTx, listed: Listed) -> Page[LedgerTransaction]:
    """What was posted, without its entries."""
    return await queries.transaction_page(tx, listed)


@get("/v1/ledger_transactions/{transaction_id:str}", scope="ledger:read")
async def get_ledger_transaction(tx: InTx, transaction_id: FromPath[str]) -> LedgerTransactionDetail:
    """One transaction with its entries."""
    return await queries.transaction(tx, transaction_id)


@get("/v1/ledger_entries", scope="ledger:read", listing=queries.ENTRIES)
async def list_ledger_entries(tx: InTx, listed: Listed) -> Page[LedgerEntry]:
    """Entries of an account, of a transaction, or of what caused them; up to 1,000 a page."""
    return await queries.entry_page(tx, listed)


@get("/v1/trial_balance", scope="ledger:read", query={"as_of": {"type": "string", "format": "date"}})
async def get_trial_balance(tx: InTx, as_of: FromQuery[str | None] = None) -> TrialBalance:
    """Every account with its totals, up to and including the effective date `as_of`."""
    return await queries.trial_balance(tx, _day(as_of))


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else msgspec.convert(text, date)
    except msgspec.ValidationError:
        fault = Fault("not_a_date", "must be a date such as 2026-11-21", parameter="as_of")
        raise BadRequest("The query has invalid parameters.", errors=[fault]) from None


handlers: list[object] = [
    list_ledger_accounts,
    get_ledger_account,
    list_ledger_transactions,
    get_ledger_transaction,
    list_ledger_entries,
    get_trial_balance,
]
