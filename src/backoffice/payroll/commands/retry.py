"""Send again what came back: in a bank file of its own, to the account that is the worker's now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backoffice.accounts import queries as accounts
from backoffice.documents import commands as documents
from backoffice.documents.schemas import Stored
from backoffice.kernel import ids
from backoffice.kernel.errors import SecondPersonRequired, VersionConflict
from backoffice.ledger import commands as ledger
from backoffice.payroll import chart, events, models
from backoffice.payroll.bank_file import BankFile
from backoffice.payroll.commands.decide import APPROVE
from backoffice.payroll.commands.moves import ended
from backoffice.payroll.commands.payments import send
from backoffice.payroll.errors import AccountNotFit, PaymentNotInState, PaymentUnderWay, WorkNotWanted
from backoffice.payroll.queries.pay_file import retry_file
from backoffice.payroll.queries.payments import find_payment, payment_being_retried, payment_view, run_being_paid
from backoffice.payroll.returns import REASONS
from backoffice.payroll.schemas import RetryPayment
from backoffice.people import queries as people
from backoffice.people.schemas import PayAccount
from backoffice.platform.effects import FRONT_OFFICE_AND_WORKER, Effect
from backoffice.platform.jobs import queries as jobs
from backoffice.platform.jobs.view import JobView
from backoffice.platform.jobs.view import view as job_view
from backoffice.platform.tx import Row, Tx


async def start_retry(tx: Tx, id_: str, if_version: int) -> JobView:
    """Queue a further bank file for a payment that came back. SecondPersonRequired (403) for whoever put the account
    on file that the money would go to, VersionConflict (412); 409: PaymentNotInState, AccountNotFit, and
    PaymentUnderWay while another file of the employer is being made."""
    await accounts.hold_employer(tx)
    row = await find_payment(tx, id_, lock=True)
    account = (await people.active_accounts(tx, [row["worker_id"]])).get(row["worker_id"])
    second = APPROVE in (await accounts.tenant_settings(tx)).second_person_for
    if account is not None and second and account.created_by == tx.principal.actor:
        raise SecondPersonRequired("Whoever put the account on file cannot send the money there, with any key.")
    if row["version"] != if_version:
        raise VersionConflict(row["version"])
    if row["status"] != "returned":
        raise PaymentNotInState(f"The payment is {row['status']}; only one that came back can be sent again.")
    to = _fit(row, account)
    await _must_be_alone(tx)
    changed = await tx.change(models.payment, row["id"], {"status": "retrying"}, status="returned")
    assert changed is not None
    tx.audit(
        "payment.retry",
        object_type="payment",
        object_id=row["id"],
        object_version=changed["version"],
        changed={"status": "retrying"},
    )
    job_id = await tx.start(
        RetryPayment(
            payment_id=ids.encode("payment", row["id"]),
            payment_version=changed["version"],
            bank_account_id=ids.encode("bank_account", to.id),
        )
    )
    await tx.flush()
    return job_view(tx.principal, await jobs.get(tx, job_id))


async def build_retry_file(tx: Tx, payload: RetryPayment) -> BankFile:
    """The bank file, the same text whenever this job asks for it. Opens the account number; nothing is kept.
    AccountNotFit (409) when the account is the worker's no more."""
    row = await _wanted(tx, payload)
    account = (await people.active_accounts(tx, [row["worker_id"]])).get(row["worker_id"])
    if account is None or ids.encode("bank_account", account.id) != payload.bank_account_id:
        raise AccountNotFit(
            "The account it was to go to is not the worker's any more; have it sent to the one that is."
        )
    return await retry_file(tx, row, account.id)


async def finish_retry(tx: Tx, payload: RetryPayment, file: BankFile, stored: Sequence[Stored]) -> dict[str, Any]:
    """Another payment went out: its file can be fetched and cash is posted. All or nothing."""
    row = await _wanted(tx, payload)
    await documents.record(tx, stored)
    account_id = ids.decode("bank_account", payload.bank_account_id)
    check_id = ids.encode("paycheck", row["paycheck_id"])
    new = {
        **{name: row[name] for name in ("run_id", "paycheck_id", "worker_id", "amount_minor")},
        "bank_account_id": account_id,
        "attempt": row["attempt"] + 1,
        "retry_of": row["id"],
        "trace_number": file.traces[check_id],
        "settles_on": file.settles_on,
    }
    [sent] = await send(tx, [new])
    before = await tx.change(models.payment, row["id"], {"status": "retried"}, status="retrying")
    now_to = {"payment": "sent", "bank_account_id": account_id}
    check = await tx.change(models.paycheck, row["paycheck_id"], now_to, payment="returned")
    assert before is not None
    assert check is not None
    view = payment_view(tx, await find_payment(tx, ids.encode("payment", sent["id"])))
    await ledger.post(tx, [chart.retry_posting(view.id, file.settles_on, row["amount_minor"])])
    effect = Effect(
        kind="payment_retried",
        subject=view.worker_id,
        before={"payment": "returned"},
        after={"payment": "sent", "amount": view.amount, "settles_on": file.settles_on.isoformat()},
        visible_to=FRONT_OFFICE_AND_WORKER,
        message=(
            f"The deposit of {view.amount.amount} {view.amount.currency} to worker {check['number']} that came back on "
            f"{row['returned_on']} was sent again and is paid on {file.settles_on}."
        ),
    )
    tx.emit(events.PAYMENT_RETRIED, view, effects=[effect])
    tx.audit(
        "payment.finish_retry", object_type="payment", object_id=sent["id"], changed={"retry_of": payload.payment_id}
    )
    documents_ = [ids.encode("document", each.document_id) for each in stored]
    return {"payment": view.id, "bank_file": next(iter(documents_), None)}


async def abandon_retry(tx: Tx, payload: RetryPayment, status: str) -> None:
    """The job ended without success: the payment has come back as before."""
    try:
        row = await _wanted(tx, payload)
    except WorkNotWanted:
        return
    changed = await tx.change(models.payment, row["id"], {"status": "returned"}, status="retrying")
    assert changed is not None
    view = payment_view(tx, changed)
    effect = Effect(
        kind="payment_retry_ended",
        subject=view.worker_id,
        message=f"The payment was not sent again: its job {ended(status)} before the bank file was made.",
        ask="Mend what the job's problem names and have it sent again.",
    )
    previous = {"status": "retrying"}
    tx.emit(events.PAYMENT_RETRY_FAILED, view, changed=("status",), previous=previous, effects=[effect])
    tx.audit(
        "payment.abandon_retry",
        object_type="payment",
        object_id=row["id"],
        object_version=changed["version"],
        changed={"status": "returned"},
    )


async def preview_retry(tx: Tx, payload: RetryPayment) -> None:
    """Inside a dry run; the bank file is built and thrown away."""
    await finish_retry(tx, payload, await build_retry_file(tx, payload), [])


def _fit(row: Row, account: PayAccount | None) -> PayAccount:
    """The account, if the payment would not come back from it again."""
    if account is None:
        raise AccountNotFit("The worker has no bank account on file.")
    if account.id == row["bank_account_id"] and not REASONS[row["return_code"]].same_account:
        why = REASONS[row["return_code"]].means
        raise AccountNotFit(f"It came back from the account ending in {account.account_last4}: {why}.")
    return account


async def _must_be_alone(tx: Tx) -> None:
    run = await run_being_paid(tx)
    if run is not None:
        raise PaymentUnderWay(f"{ids.encode('payroll_run', run)} is being paid.")
    payment = await payment_being_retried(tx)
    if payment is not None:
        raise PaymentUnderWay(f"{ids.encode('payment', payment)} is being sent again.")


async def _wanted(tx: Tx, payload: RetryPayment) -> Row:
    """The payment, which still waits for this very job. WorkNotWanted (409)."""
    row = await find_payment(tx, payload.payment_id)
    if row["status"] != "retrying" or row["version"] != payload.payment_version:
        raise WorkNotWanted(f"The payment is {row['status']}. To send it again, ask anew, on the payment.")
    return row
