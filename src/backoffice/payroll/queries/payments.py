"""Payments: what went to the bank, and what came back."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from backoffice.kernel import ids
from backoffice.kernel.dates import day_bounds, local
from backoffice.kernel.errors import NotFound
from backoffice.payroll import models
from backoffice.payroll.returns import REASONS, remedy
from backoffice.payroll.schemas import Payment, PaymentReturn
from backoffice.payroll.states import PAYMENT_STATES
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import MoneyBody, find_id, noun_fields
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page

_payments, _runs = models.payment, models.payroll_run

PAYMENTS = Listing(
    _payments,
    filters={
        "status": Filter(_payments.c.status, operators=("in",), values=PAYMENT_STATES),
        "payroll_run_id": Filter(_payments.c.run_id, kind="payroll_run"),
        "paycheck_id": Filter(_payments.c.paycheck_id, kind="paycheck"),
        "worker_id": Filter(_payments.c.worker_id, kind="worker"),
        "settles_on": Filter(_payments.c.settles_on, operators=("gt", "gte", "lt", "lte")),
    },
    sorts=("created_at",),
)


def payment_view(tx: Tx, row: Row) -> Payment:
    """The outward form of a payment."""
    code, id_, worker = row["return_code"], ids.encode("payment", row["id"]), ids.encode("worker", row["worker_id"])
    returned = None
    if code is not None:
        ask = remedy(code, worker, id_)
        returned = PaymentReturn(code=code, reason=REASONS[code].means, returned_on=row["returned_on"], ask=ask)
    return Payment(
        **noun_fields(tx, "payment", row),
        **{name: row[name] for name in ("status", "attempt", "trace_number", "settles_on", "sent_at")},
        payroll_run_id=ids.encode("payroll_run", row["run_id"]),
        paycheck_id=ids.encode("paycheck", row["paycheck_id"]),
        worker_id=worker,
        bank_account_id=ids.encode("bank_account", row["bank_account_id"]),
        amount=MoneyBody.of(row["amount_minor"]),
        retry_of=None if row["retry_of"] is None else ids.encode("payment", row["retry_of"]),
        returned=returned,
    )


async def find_payment(tx: Tx, id_: str, *, lock: bool = False) -> Row:
    """The row of a payment by its id or `ext:` name. NotFound."""
    payment_id = await find_id(tx, _payments, "payment", id_)
    statement = select(*_payments.c).where(_payments.c.tenant_id == TENANT, _payments.c.id == payment_id)
    row = await tx.row(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound
    return row


async def payment(tx: Tx, id_: str) -> Payment:
    return payment_view(tx, await find_payment(tx, id_))


async def payments(tx: Tx, query: Query) -> Page[Payment]:
    return await page(tx, PAYMENTS, query, lambda row: payment_view(tx, row))


async def dead_ends(tx: Tx, account_ids: Collection[UUID]) -> dict[UUID, str]:
    """Accounts whose last deposit came back with a code after which the next one would too: the code by account."""
    back, later = _payments.c, _payments.alias("later").c
    rows = await tx.fetch(
        select(back.bank_account_id, back.return_code)
        .where(
            back.tenant_id == TENANT,
            back.return_code.is_not(None),
            back.bank_account_id == any_(literal(list(account_ids), ARRAY(Id))),
            ~select(later.id)
            .where(
                later.tenant_id == TENANT,
                later.bank_account_id == back.bank_account_id,
                later.sent_at > back.sent_at,
                later.return_code.is_(None),
            )
            .exists(),
        )
        .order_by(back.sent_at, back.id)
    )
    codes = {row["bank_account_id"]: row["return_code"] for row in rows}
    return {id_: code for id_, code in codes.items() if not REASONS[code].same_account}


async def run_being_paid(tx: Tx) -> UUID | None:
    """A run whose payment is under way."""
    found = select(_runs.c.id).where(_runs.c.tenant_id == TENANT, _runs.c.status == "paying")
    id_: UUID | None = await tx.value(found.limit(1))
    return id_


async def payment_being_retried(tx: Tx) -> UUID | None:
    """A payment that is being sent again."""
    found = select(_payments.c.id).where(_payments.c.tenant_id == TENANT, _payments.c.status == "retrying")
    id_: UUID | None = await tx.value(found.limit(1))
    return id_


async def files_before(tx: Tx, zone: str, at: Row) -> int:
    """How many bank files the tenant made on the local day on which `at`, a run or payment, last changed."""
    first, last = day_bounds(zone, local(zone, at["updated_at"]).date())
    runs = select(func.count()).where(_runs.c.tenant_id == TENANT, _runs.c.paid_at >= first, _runs.c.paid_at < last)
    again = select(func.count()).where(
        _payments.c.tenant_id == TENANT,
        _payments.c.attempt > 1,
        _payments.c.sent_at >= first,
        _payments.c.sent_at < last,
    )
    return int(await tx.value(select(runs.scalar_subquery() + again.scalar_subquery())))
