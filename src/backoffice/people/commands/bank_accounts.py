"""Bank accounts: where a worker's net pay goes. One is active; a new one takes its place."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select

from backoffice.kernel import routing_numbers
from backoffice.kernel.errors import AlreadyExists, Fault, StateConflict, ValidationFailed
from backoffice.people import events, models, queries
from backoffice.people.commands.facts import label
from backoffice.people.errors import BankAccountClosed, BankAccountExists
from backoffice.people.schemas import BankAccount, CreateBankAccount
from backoffice.platform.crypto import Cell, TenantCipher
from backoffice.platform.effects import FRONT_OFFICE_AND_WORKER, Effect
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx

_accounts = models.bank_account


async def create_bank_account(tx: Tx, worker_id: str, data: CreateBankAccount) -> BankAccount:
    """Pay a worker to this account from now on; the active one is closed. ValidationFailed (422) for a routing number
    whose check digit is wrong; BankAccountExists (409) when it is the active one."""
    return await open_account(tx, await queries.record(tx, models.worker, "worker", worker_id), data)


async def open_account(tx: Tx, worker: Row, data: CreateBankAccount) -> BankAccount:
    """As `create_bank_account`, for a row read in this transaction."""
    if not routing_numbers.is_well_formed(data.routing_number):
        detail = "must be nine digits whose last checks the others; compare it with a check or the bank's letter"
        raise ValidationFailed([Fault("wrong_check_digit", detail, pointer="#/routing_number")])
    cipher = await tx.cipher()
    index = cipher.blind_index("bank_account", data.account_number)
    before = await active_account(tx, worker["id"])
    if before is not None:
        if is_same(before, data, index):
            raise BankAccountExists("Net pay goes to this account already.")
        await _close(tx, before["id"], label(worker))
    row = await tx.insert_or_none(_accounts, **account_values(tx, cipher, await tx.new_id(), worker, data))
    if row is None:
        if await active_account(tx, worker["id"]) is not None:
            raise StateConflict("Another bank account was added at the same moment; read it and try again.")
        raise AlreadyExists(errors=[Fault("already_in_use", "is another account's", pointer="#/external_id")])
    return tell_opened(tx, worker, row, before)


def account_values(tx: Tx, cipher: TenantCipher, id_: UUID, worker: Row, data: CreateBankAccount) -> dict[str, Any]:
    """The columns of a new account."""
    return {
        "id": id_,
        "worker_id": worker["id"],
        "routing_number": data.routing_number,
        "account_sealed": cipher.seal(Cell("bank_account", "account", id_), data.account_number),
        "account_bidx": cipher.blind_index("bank_account", data.account_number),
        "account_last4": data.account_number[-4:],
        "kind": data.kind,
        "holder_name": data.holder_name or _full_name(worker),
        "created_by": tx.principal.actor,
        "external_id": data.external_id,
        "metadata": data.metadata,
    }


def tell_opened(tx: Tx, worker: Row, row: Row, before: Row | None) -> BankAccount:
    view = queries.bank_account_view(tx, row)
    effect = Effect(
        kind="pay_account_changed",
        subject=view.worker_id,
        before=None if before is None else {"bank_account_last4": before["account_last4"]},
        after={"bank_account_last4": row["account_last4"]},
        visible_to=FRONT_OFFICE_AND_WORKER,
        message=f"Net pay of {label(worker)} goes to the account ending in {row['account_last4']} from now on.",
    )
    tx.emit(events.BANK_ACCOUNT_CREATED, view, effects=[effect])
    tx.audit("bank_account.created", object_type="bank_account", object_id=row["id"])
    return view


async def close_bank_account(tx: Tx, id_: str) -> BankAccount:
    """Pay nothing more to this account. BankAccountClosed (409) when it is closed."""
    account = await queries.record(tx, _accounts, "bank_account", id_)
    worker = await queries.record(tx, models.worker, "worker", queries.bank_account_view(tx, account).worker_id)
    return await _close(tx, account["id"], label(worker))


async def active_account(tx: Tx, worker_id: UUID) -> Row | None:
    """The active account, locked until the transaction ends."""
    return await tx.row(
        select(*_accounts.c)
        .where(_accounts.c.tenant_id == TENANT, _accounts.c.worker_id == worker_id, _accounts.c.status == "active")
        .with_for_update()
    )


def is_same(row: Row, data: CreateBankAccount, index: bytes) -> bool:
    same = row["routing_number"] == data.routing_number and row["kind"] == data.kind
    return same and bytes(row["account_bidx"]) == index


async def _close(tx: Tx, account_id: UUID, whose: str) -> BankAccount:
    values = {"status": "closed", "closed_at": await tx.now()}
    row = await tx.change(_accounts, account_id, values, status="active")
    if row is None:
        raise BankAccountClosed
    view = queries.bank_account_view(tx, row)
    effect = Effect(
        kind="pay_account_closed",
        subject=view.worker_id,
        before={"bank_account_last4": row["account_last4"]},
        visible_to=FRONT_OFFICE_AND_WORKER,
        message=f"Net pay of {whose} no longer goes to the account ending in {row['account_last4']}.",
    )
    tx.emit(events.BANK_ACCOUNT_CLOSED, view, changed=["status"], previous={"status": "active"}, effects=[effect])
    tx.audit("bank_account.closed", object_type="bank_account", object_id=account_id, object_version=row["version"])
    return view


def _full_name(worker: Row) -> str:
    return " ".join(worker[name] for name in ("first_name", "middle_name", "last_name") if worker[name])
