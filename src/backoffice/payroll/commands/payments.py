"""A direct deposit goes out, and may come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backoffice.accounts import queries as accounts
from backoffice.kernel import ids
from backoffice.kernel.calendars import FEDERAL_RESERVE, on_or_after
from backoffice.kernel.dates import local_date
from backoffice.ledger import commands as ledger
from backoffice.payroll import chart, events, models
from backoffice.payroll.errors import PaymentNotInState
from backoffice.payroll.queries.payments import find_payment, payment_view
from backoffice.payroll.returns import FIXED, REASONS, comes_back_at
from backoffice.payroll.schemas import Payment, ReturnPayment
from backoffice.people import queries as people
from backoffice.platform.effects import FRONT_OFFICE_AND_WORKER, Effect
from backoffice.platform.tx import Row, Tx


async def send(tx: Tx, payments: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Record what went out in a bank file; the rows. In a test tenant, whose bank is played, what goes to an account
    whose number has a fixed end will come back, on the day on which a bank would send it back."""
    now = await tx.now()
    rows = [{"id": await tx.new_id(), "status": "sent", "sent_at": now, **each} for each in payments]
    await tx.insert_many(models.payment, rows)
    settings = await accounts.tenant_settings(tx)
    if settings.clock != "movable":
        return rows
    there = await people.pay_accounts(tx, [row["bank_account_id"] for row in rows])
    for row in rows:
        code = FIXED.get(there[row["bank_account_id"]].account_last4)
        if code is not None:
            due = comes_back_at(settings.time_zone, row["settles_on"])
            await tx.start(ReturnPayment(payment_id=ids.encode("payment", row["id"]), code=code), due_at=due)
    return rows


async def return_payment(tx: Tx, id_: str, code: str) -> Payment:
    """A payment has come back, with a code of `returns.REASONS`: today, or on the day it was to settle. The money is
    cash again and owed to the worker. NotFound; PaymentNotInState (409) unless it is on its way."""
    row = await find_payment(tx, id_, lock=True)
    if row["status"] != "sent":
        raise PaymentNotInState(f"The payment is {row['status']}; only one that was sent can come back.")
    return await _take_back(tx, row, code)


async def return_if_sent(tx: Tx, payload: ReturnPayment) -> dict[str, str]:
    """As `return_payment`, unless it has come back already."""
    row = await find_payment(tx, payload.payment_id, lock=True)
    if row["status"] == "sent":
        await _take_back(tx, row, payload.code)
        return {"status": "returned"}
    return {"status": row["status"]}


async def _take_back(tx: Tx, row: Row, code: str) -> Payment:
    today = local_date((await accounts.tenant_settings(tx)).time_zone, await tx.now())
    on = on_or_after(max(today, row["settles_on"]), FEDERAL_RESERVE)
    values = {"status": "returned", "return_code": code, "returned_on": on}
    changed = await tx.change(models.payment, row["id"], values, status="sent")
    check = await tx.change(models.paycheck, row["paycheck_id"], {"payment": "returned"}, payment="sent")
    assert changed is not None
    assert check is not None
    view = payment_view(tx, changed)
    assert view.returned is not None
    await ledger.post(tx, [chart.return_posting(view.id, on, row["amount_minor"], code)])
    account = (await people.pay_accounts(tx, [row["bank_account_id"]]))[row["bank_account_id"]]
    told = {"payment": "returned", "amount": view.amount, "code": code, "returned_on": on.isoformat()}
    effect = Effect(
        kind="payment_returned",
        subject=view.worker_id,
        before={"payment": "sent"},
        after=told,
        visible_to=FRONT_OFFICE_AND_WORKER,
        message=(
            f"The deposit of {view.amount.amount} {view.amount.currency} to worker {check['number']}, to the account "
            f"ending in {account.account_last4}, came back on {on}: {REASONS[code].means} ({code}). The worker has not "
            "been paid; the money is in the payroll account and owed to the worker."
        ),
        ask=view.returned.ask,
    )
    changes, before = ("status", "returned"), {"status": "sent"}
    tx.emit(events.PAYMENT_RETURNED, view, changed=changes, previous=before, effects=[effect])
    tx.audit(
        "payment.return",
        object_type="payment",
        object_id=row["id"],
        object_version=changed["version"],
        changed={"status": "returned", "code": code},
    )
    return view
