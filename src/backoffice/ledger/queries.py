"""Reads of the ledger, for its own pages and for other domains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Select, Text, and_, any_, func, literal, select

from backoffice.kernel import ids
from backoffice.kernel.errors import NotFound
from backoffice.ledger import models
from backoffice.ledger.calc import KINDS, Line
from backoffice.ledger.schemas import (
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    LedgerTransactionDetail,
    TrialBalance,
    TrialBalanceLine,
    TrialBalanceTotal,
)
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import MoneyBody, find_id, noun_fields
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page

_accounts, _transactions, _entries = models.account, models.transaction, models.entry
_DAYS = ("gt", "gte", "lt", "lte")


def _of_transactions(condition: Any) -> Any:
    """A condition on transactions as one on their entries."""
    chosen = select(_transactions.c.id).where(_transactions.c.tenant_id == TENANT, condition)
    return _entries.c.transaction_id.in_(chosen)


ACCOUNTS = Listing(
    _accounts,
    filters={
        "code": Filter(_accounts.c.code),
        "kind": Filter(_accounts.c.kind, values=KINDS),
        "currency": Filter(_accounts.c.currency),
    },
    sorts=("code", "created_at"),
)
TRANSACTIONS = Listing(
    _transactions,
    filters={
        "key": Filter(_transactions.c.key),
        "source": Filter(_transactions.c.source),
        "reverses": Filter(_transactions.c.reverses, kind="ledger_transaction"),
        "effective_date": Filter(_transactions.c.effective_date, operators=_DAYS),
        "posted_at": Filter(_transactions.c.posted_at, operators=_DAYS),
    },
    sorts=("effective_date", "posted_at"),
)
ENTRIES = Listing(
    _entries,
    filters={
        "account_id": Filter(_entries.c.account_id, kind="ledger_account"),
        "transaction_id": Filter(_entries.c.transaction_id, kind="ledger_transaction"),
        "source": Filter(_transactions.c.source, through=_of_transactions),
        "effective_date": Filter(_entries.c.effective_date, operators=_DAYS),
    },
    sorts=("effective_date",),
    largest=1000,
)


# ------------------------------------------------------------------------------------------- for other domains


@dataclass(frozen=True, slots=True)
class Totals:
    """What an account was debited and credited in all, in minor units of its currency, both positive."""

    debit_minor: int
    credit_minor: int

    @property
    def balance_minor(self) -> int:
        """Debit > 0."""
        return self.debit_minor - self.credit_minor


async def accounts(tx: Tx, codes: Sequence[str] | None = None) -> dict[str, Row]:
    """Accounts by code: those asked for that exist, or all. Rows have id, code, name, kind, currency, normal_side and
    facts."""
    statement = select(*_accounts.c).where(_accounts.c.tenant_id == TENANT)
    if codes is not None:
        statement = statement.where(_accounts.c.code == any_(literal(list(codes), ARRAY(Text))))
    return {row["code"]: row for row in await tx.fetch(statement.order_by(_accounts.c.code))}


async def totals(tx: Tx, *, as_of: date | None = None, account_ids: Iterable[UUID] | None = None) -> dict[UUID, Totals]:
    """Debits and credits by account, of all that counts up to and including `as_of` (None: all that is posted).
    Accounts without entries are not there."""
    amount = _entries.c.amount_minor
    statement: Select[Any] = select(
        _entries.c.account_id,
        func.coalesce(func.sum(amount).filter(amount > 0), 0).label("debit"),
        func.coalesce(-func.sum(amount).filter(amount < 0), 0).label("credit"),
    ).where(_entries.c.tenant_id == TENANT)
    if as_of is not None:
        statement = statement.where(_entries.c.effective_date <= as_of)
    if account_ids is not None:
        statement = statement.where(_entries.c.account_id == any_(literal(list(account_ids), ARRAY(Id))))
    rows = await tx.fetch(statement.group_by(_entries.c.account_id))
    return {row["account_id"]: Totals(int(row["debit"]), int(row["credit"])) for row in rows}


async def balances(tx: Tx, codes: Sequence[str] | None = None, *, as_of: date | None = None) -> dict[str, int]:
    """Balances by account code in minor units, debit > 0, up to and including `as_of`; 0 for an account without
    entries. Codes that do not exist are not there."""
    known = await accounts(tx, codes)
    found = await totals(tx, as_of=as_of, account_ids=None if codes is None else [row["id"] for row in known.values()])
    none = Totals(0, 0)
    return {code: found.get(row["id"], none).balance_minor for code, row in known.items()}


async def entries_of(tx: Tx, source: str) -> list[Row]:
    """All entries that `source` (`pchk_…`) caused, in order of posting: transaction_id, key, reverses, line,
    account_id, account (its code), amount_minor, currency, effective_date, memo."""
    statement = (
        _lines()
        .add_columns(_transactions.c.key, _transactions.c.reverses)
        .join(
            _transactions,
            and_(_transactions.c.tenant_id == TENANT, _transactions.c.id == _entries.c.transaction_id),
        )
        .where(_transactions.c.source == source)
        .order_by(_entries.c.transaction_id, _entries.c.line)
    )
    return await tx.fetch(statement)


async def transactions_by_key(tx: Tx, keys: Sequence[str]) -> dict[str, Row]:
    """What is posted under these keys: rows of id, key, fingerprint, reverses."""
    wanted = _transactions.c.key == any_(literal(list(keys), ARRAY(Text)))
    columns = (_transactions.c.id, _transactions.c.key, _transactions.c.fingerprint, _transactions.c.reverses)
    rows = await tx.fetch(select(*columns).where(_transactions.c.tenant_id == TENANT, wanted))
    return {row["key"]: row for row in rows}


async def transactions_by_id(tx: Tx, wanted: Sequence[UUID]) -> dict[UUID, Row]:
    """Transactions by id; those that do not exist are not there."""
    chosen = _transactions.c.id == any_(literal(list(wanted), ARRAY(Id)))
    rows = await tx.fetch(select(*_transactions.c).where(_transactions.c.tenant_id == TENANT, chosen))
    return {row["id"]: row for row in rows}


async def lines_of(tx: Tx, transaction_ids: Sequence[UUID]) -> dict[UUID, tuple[Line, ...]]:
    """The lines of transactions, as they were posted."""
    chosen = _entries.c.transaction_id == any_(literal(list(transaction_ids), ARRAY(Id)))
    found: dict[UUID, list[Line]] = {}
    for row in await tx.fetch(_lines().where(chosen).order_by(_entries.c.transaction_id, _entries.c.line)):
        line = Line(row["account"], row["amount_minor"], row["currency"], row["memo"])
        found.setdefault(row["transaction_id"], []).append(line)
    return {id_: tuple(lines) for id_, lines in found.items()}


def _lines() -> Select[Any]:
    return (
        select(*_entries.c, _accounts.c.code.label("account"))
        .select_from(_entries)
        .join(_accounts, and_(_accounts.c.tenant_id == TENANT, _accounts.c.id == _entries.c.account_id))
        .where(_entries.c.tenant_id == TENANT)
    )


# ------------------------------------------------------------------------------------------------ outward views


def account_view(tx: Tx, row: Row) -> LedgerAccount:
    told = {name: row[name] for name in ("code", "name", "kind", "currency", "normal_side", "facts")}
    return LedgerAccount(**noun_fields(tx, "ledger_account", row), **told)


def entry_view(tx: Tx, row: Row) -> LedgerEntry:
    amount = row["amount_minor"]
    return LedgerEntry(
        **_written_once(tx, "ledger_entry", row),
        transaction_id=ids.encode("ledger_transaction", row["transaction_id"]),
        line=row["line"],
        account_id=ids.encode("ledger_account", row["account_id"]),
        side="debit" if amount > 0 else "credit",
        amount=MoneyBody.of(abs(amount), row["currency"]),
        effective_date=row["effective_date"],
        memo=row["memo"],
    )


def _transaction_fields(tx: Tx, row: Row) -> dict[str, Any]:
    told = ("key", "effective_date", "posted_at", "posted_by", "description", "source", "entry_count")
    return {
        **_written_once(tx, "ledger_transaction", row),
        **{name: row[name] for name in told},
        "reverses": _transaction_id(row["reverses"]),
        "reversed_by": _transaction_id(row["reversed_by"]),
    }


def _transaction_id(id_: UUID | None) -> str | None:
    return None if id_ is None else ids.encode("ledger_transaction", id_)


def _written_once(tx: Tx, kind: str, row: Row) -> dict[str, Any]:
    """The fields of a noun that never changes after it was posted."""
    posted = {"created_at": row["posted_at"], "updated_at": row["posted_at"], "version": 1}
    return noun_fields(tx, kind, {**posted, "id": row["id"], "external_id": None, "metadata": {}})


_reversal = _transactions.alias("reversal")
_TRANSACTIONS = select(
    *_transactions.c,
    select(_reversal.c.id)
    .where(_reversal.c.tenant_id == TENANT, _reversal.c.reverses == _transactions.c.id)
    .scalar_subquery()
    .label("reversed_by"),
)
_ENTRIES = select(*_entries.c, _transactions.c.posted_at).join(
    _transactions, and_(_transactions.c.tenant_id == TENANT, _transactions.c.id == _entries.c.transaction_id)
)


async def account_page(tx: Tx, query: Query) -> Page[LedgerAccount]:
    return await page(tx, ACCOUNTS, query, lambda row: account_view(tx, row))


async def account(tx: Tx, id_: str) -> LedgerAccount:
    """One account by id or `ext:` id; NotFound."""
    uuid = await find_id(tx, _accounts, "ledger_account", id_)
    row = await tx.row(select(*_accounts.c).where(_accounts.c.tenant_id == TENANT, _accounts.c.id == uuid))
    if row is None:
        raise NotFound
    return account_view(tx, row)


async def transaction_page(tx: Tx, query: Query) -> Page[LedgerTransaction]:
    return await page(
        tx, TRANSACTIONS, query, lambda row: LedgerTransaction(**_transaction_fields(tx, row)), source=_TRANSACTIONS
    )


async def transaction(tx: Tx, id_: str) -> LedgerTransactionDetail:
    """One transaction with its entries; NotFound."""
    uuid = ids.decode("ledger_transaction", id_)
    if uuid is None:
        raise NotFound
    row = await tx.row(_TRANSACTIONS.where(_transactions.c.tenant_id == TENANT, _transactions.c.id == uuid))
    if row is None:
        raise NotFound
    own = _ENTRIES.where(_entries.c.tenant_id == TENANT, _entries.c.transaction_id == uuid)
    entries = await tx.fetch(own.order_by(_entries.c.line))
    return LedgerTransactionDetail(**_transaction_fields(tx, row), entries=[entry_view(tx, each) for each in entries])


async def entry_page(tx: Tx, query: Query) -> Page[LedgerEntry]:
    return await page(tx, ENTRIES, query, lambda row: entry_view(tx, row), source=_ENTRIES)


async def trial_balance(tx: Tx, as_of: date | None = None) -> TrialBalance:
    """Every account with its totals up to and including `as_of`, by code, and the sums of each currency."""
    found = await totals(tx, as_of=as_of)
    lines: list[TrialBalanceLine] = []
    sums: dict[str, Totals] = {}
    for code, row in (await accounts(tx)).items():
        own, currency = found.get(row["id"], Totals(0, 0)), row["currency"]
        before = sums.get(currency, Totals(0, 0))
        sums[currency] = Totals(before.debit_minor + own.debit_minor, before.credit_minor + own.credit_minor)
        lines.append(
            TrialBalanceLine(
                account_id=ids.encode("ledger_account", row["id"]),
                code=code,
                **{name: row[name] for name in ("name", "kind", "normal_side")},
                debits=MoneyBody.of(own.debit_minor, currency),
                credits=MoneyBody.of(own.credit_minor, currency),
                balance=MoneyBody.of(own.balance_minor, currency),
            )
        )
    return TrialBalance(
        livemode=tx.principal.tenant.livemode,
        as_of=as_of,
        data=lines,
        totals=[
            TrialBalanceTotal(
                debits=MoneyBody.of(each.debit_minor, name), credits=MoneyBody.of(each.credit_minor, name)
            )
            for name, each in sorted(sums.items())
        ],
    )
