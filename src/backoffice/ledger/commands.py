"""Writes of the ledger: accounts that are there from now on, transactions that are posted once, reversals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backoffice.kernel import ids
from backoffice.kernel.errors import Fault, NotFound
from backoffice.ledger import models, queries
from backoffice.ledger.calc import Account, Line, Posting, account_faults, negated, posting_faults
from backoffice.ledger.errors import AccountDiffers, AlreadyReversed, PostingKeyReused, PostingRefused
from backoffice.platform.tx import Tx

__all__ = ["Account", "Line", "Posting", "Reversal", "ensure_accounts", "post", "reverse", "reverse_many"]


@dataclass(frozen=True, slots=True)
class Reversal:
    """Undo a transaction: its entries again, with debit and credit exchanged."""

    transaction_id: UUID
    key: str
    effective_date: date
    description: str


async def ensure_accounts(tx: Tx, accounts: Sequence[Account]) -> dict[str, UUID]:
    """Make these accounts where they are missing; ids by code. Safe to repeat and to race.

    An account never changes: AccountDiffers when one of a code is there with another kind, currency, side or facts
    (a name that differs is let be: the first stays). PostingRefused for accounts that cannot be."""
    faults = account_faults(accounts)
    if faults:
        raise PostingRefused(faults)
    wanted = {account.code: account for account in accounts}
    there = await queries.accounts(tx, list(wanted))
    missing = [wanted[code] for code in sorted(wanted.keys() - there.keys())]  # one order of locks for everybody
    if missing:
        new = await tx.insert_new(
            models.account,
            [
                {
                    **{name: getattr(each, name) for name in ("code", "name", "kind", "currency", "normal_side")},
                    "id": await tx.new_id(),
                    "facts": dict(each.facts),
                }
                for each in missing
            ],
        )
        there = await queries.accounts(tx, list(wanted))
        for row in new:
            tx.audit("ledger_account.created", object_type="ledger_account", object_id=row["id"])
    faults = [
        Fault("differs", f"is {there[each.code][name]} there, not {told}", pointer=f"#/{place}/{field}")
        for place, each in enumerate(accounts)
        for field, name, told in (
            ("kind", "kind", each.kind),
            ("currency", "currency", each.currency),
            ("side", "normal_side", each.normal_side),
            ("facts", "facts", dict(each.facts)),
        )
        if there[each.code][name] != told
    ]
    if faults:
        raise AccountDiffers("Choose another code, or say what the account already is.", errors=faults)
    return {code: row["id"] for code, row in there.items()}


async def post(tx: Tx, postings: Sequence[Posting]) -> dict[str, UUID]:
    """Post transactions, any number in the same few statements; their ids by key.

    What is already posted under a key is left as it is when it is the same, and PostingKeyReused when it is not. Two
    that post one key at once: the second waits for the first and finds it posted. PostingRefused with all faults for
    what is no double entry, AlreadyReversed for a second reversal. Accounts must be there (`ensure_accounts`)."""
    codes = sorted({line.account for posting in postings for line in posting.lines})
    accounts = await queries.accounts(tx, codes)
    faults = posting_faults(postings, {code: row["currency"] for code, row in accounts.items()})
    if faults:
        raise PostingRefused(faults)
    chosen = _by_key(postings)
    if not chosen:
        return {}
    new = await _insert_transactions(tx, chosen)
    skipped = [posting for key, posting in chosen.items() if key not in new]
    old = await _already_posted(tx, skipped) if skipped else {}
    entries = [
        {
            "id": await tx.new_id(),
            "transaction_id": new[posting.key],
            "line": number,
            "account_id": accounts[line.account]["id"],
            "amount_minor": line.amount_minor,
            "currency": line.currency,
            "effective_date": posting.effective_date,
            "memo": line.memo,
        }
        for posting in chosen.values()
        if posting.key in new
        for number, line in enumerate(posting.booked, start=1)
    ]
    await tx.insert_many(models.entry, entries)
    if new:
        only = next(iter(new.values())) if len(new) == 1 else None
        counts = {"transactions": len(new), "entries": len(entries)}
        tx.audit("ledger_transaction.posted", object_type="ledger_transaction", object_id=only, changed=counts)
    return {**old, **new}


async def reverse(tx: Tx, transaction_id: UUID, *, key: str, effective_date: date, description: str) -> UUID:
    """Undo one transaction by its exact opposite; the id of the reversal. NotFound; otherwise as `reverse_many`."""
    reversal = Reversal(transaction_id, key, effective_date, description)
    return (await reverse_many(tx, [reversal]))[key]


async def reverse_many(tx: Tx, reversals: Sequence[Reversal]) -> dict[str, UUID]:
    """Undo transactions, any number in the same few statements; ids of the reversals by key. Each keeps the source of
    what it undoes. A reversal can itself be reversed.

    NotFound for a transaction that is not there, AlreadyReversed for one that is undone under another key,
    PostingKeyReused as in `post`."""
    wanted = [reversal.transaction_id for reversal in reversals]
    originals = await queries.transactions_by_id(tx, wanted)
    if len(originals) < len(set(wanted)):
        raise NotFound
    lines = await queries.lines_of(tx, wanted)
    postings = [
        Posting(
            key=reversal.key,
            effective_date=reversal.effective_date,
            description=reversal.description,
            lines=negated(lines[reversal.transaction_id]),
            source=originals[reversal.transaction_id]["source"],
            reverses=reversal.transaction_id,
        )
        for reversal in reversals
    ]
    return await post(tx, postings)


def _by_key(postings: Sequence[Posting]) -> dict[str, Posting]:
    """The postings by key, in order of key, so that two batches that share keys wait for each other in one order."""
    chosen: dict[str, Posting] = {}
    for posting in sorted(postings, key=lambda each: each.key):
        before = chosen.setdefault(posting.key, posting)
        if before is not posting and before.fingerprint() != posting.fingerprint():
            raise PostingKeyReused(f"The key {posting.key} stands twice in one batch, for two different transactions.")
    return chosen


async def _insert_transactions(tx: Tx, chosen: Mapping[str, Posting]) -> dict[str, UUID]:
    """The ids of those whose key was free."""
    now = await tx.now()
    rows = await tx.insert_new(
        models.transaction,
        [
            {
                "id": await tx.new_id(),
                "key": key,
                "fingerprint": posting.fingerprint(),
                "effective_date": posting.effective_date,
                "posted_at": now,
                "posted_by": tx.principal.actor,
                "description": posting.description,
                "source": posting.source,
                "reverses": posting.reverses,
                "entry_count": len(posting.booked),
            }
            for key, posting in chosen.items()
        ],
    )
    return {row["key"]: row["id"] for row in rows}


async def _already_posted(tx: Tx, postings: Sequence[Posting]) -> dict[str, UUID]:
    """The ids of what is there under these keys, provided it is the same."""
    there = await queries.transactions_by_key(tx, [posting.key for posting in postings])
    for posting in postings:
        row = there.get(posting.key)
        if row is None:  # not the key was taken, but the transaction that it would reverse
            raise AlreadyReversed(f"{ids.encode('ledger_transaction', posting.reverses or UUID(int=0))} is reversed.")
        if bytes(row["fingerprint"]) != posting.fingerprint():
            raise PostingKeyReused(f"Under the key {posting.key} stands a transaction with other facts or entries.")
    return {key: row["id"] for key, row in there.items()}
