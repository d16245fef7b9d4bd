"""Bank files that are being made. Here, and nowhere else in payroll, account numbers are opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select

from backoffice.accounts import queries as accounts
from backoffice.kernel.calendars import FEDERAL_RESERVE, add_business_days
from backoffice.kernel.dates import local, local_date
from backoffice.payroll import models
from backoffice.payroll.bank_file import BankFile, Payee, bank_file
from backoffice.payroll.queries.paychecks import of_run
from backoffice.payroll.queries.payments import files_before
from backoffice.people import queries as people
from backoffice.platform.crypto import Cell
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx

_checks = models.paycheck


async def pay_file(tx: Tx, run: Row) -> BankFile:
    """The file for a run in `paying`, to the accounts that its paychecks name. As long as the run is being paid it is
    the same: its time is the moment the payment was asked for, which is the run's last change, and nothing else of
    the employer's can be paid meanwhile."""
    return await _file(tx, run, run["pay_date"], await of_run(tx, run["id"]))


async def retry_file(tx: Tx, payment: Row, account_id: Any) -> BankFile:
    """The file of one payment in `retrying`, to this account; it settles on the next banking day. The same as long as
    the payment is being retried, for the same reasons."""
    zone = (await accounts.tenant_settings(tx)).time_zone
    check = await tx.row(
        select(_checks.c.id, _checks.c.worker_id, _checks.c.number, _checks.c.net_minor).where(
            _checks.c.tenant_id == TENANT, _checks.c.id == payment["paycheck_id"]
        )
    )
    assert check is not None
    settles_on = add_business_days(local_date(zone, payment["updated_at"]), 1, FEDERAL_RESERVE)
    return await _file(tx, payment, settles_on, [{**check, "bank_account_id": account_id}])


async def _file(tx: Tx, asked: Row, pay_date: date, checks: Sequence[Mapping[str, Any]]) -> BankFile:
    """`asked`: the run or payment whose last change is the moment the file was asked for."""
    opened = await people.pay_accounts(tx, [check["bank_account_id"] for check in checks])
    names = await people.full_names(tx, [check["worker_id"] for check in checks])
    cipher = await tx.cipher()
    payees = {}
    for check in checks:
        account = opened[check["bank_account_id"]]
        number = cipher.open(Cell("bank_account", "account", account.id), account.account_sealed, purpose="pay_file")
        payees[check["worker_id"]] = Payee(names[check["worker_id"]], account, number)
    zone = (await accounts.tenant_settings(tx)).time_zone
    earlier = await files_before(tx, zone, asked)
    return bank_file(await accounts.employer(tx), pay_date, local(zone, asked["updated_at"]), earlier, checks, payees)
