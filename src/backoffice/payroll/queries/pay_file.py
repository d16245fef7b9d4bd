"""The bank file of a run that is being paid. Here, and nowhere else in payroll, account numbers are opened."""

from __future__ import annotations

from sqlalchemy import func, select

from backoffice.accounts import queries as accounts
from backoffice.kernel.dates import day_bounds, local
from backoffice.payroll import models
from backoffice.payroll.bank_file import BankFile, Payee, bank_file
from backoffice.payroll.queries.paychecks import of_run
from backoffice.people import queries as people
from backoffice.platform.crypto import Cell
from backoffice.platform.db import Row, Tx
from backoffice.platform.tables import TENANT

_runs = models.payroll_run


async def pay_file(tx: Tx, run: Row) -> BankFile:
    """The file for a run in `paying`, to the accounts that its paychecks name. As long as the run is being paid it is
    the same: its time is the moment the payment was asked for, which is the run's last change, and no other run of
    the employer can end its payment meanwhile."""
    checks = await of_run(tx, run["id"])
    opened = await people.pay_accounts(tx, [check["bank_account_id"] for check in checks])
    names = await people.full_names(tx, [check["worker_id"] for check in checks])
    cipher = await tx.cipher()
    payees = {}
    for check in checks:
        account = opened[check["bank_account_id"]]
        number = cipher.open(Cell("bank_account", "account", account.id), account.account_sealed, purpose="pay_file")
        payees[check["worker_id"]] = Payee(names[check["worker_id"]], account, number)
    zone = (await accounts.tenant_settings(tx)).time_zone
    made_at = local(zone, run["updated_at"])
    first, last = day_bounds(zone, made_at.date())
    earlier = await tx.value(
        select(func.count()).where(
            _runs.c.tenant_id == TENANT,
            _runs.c.employer_id == run["employer_id"],
            _runs.c.paid_at >= first,
            _runs.c.paid_at < last,
        )
    )
    return bank_file(await accounts.employer(tx), run["pay_date"], made_at, earlier, checks, payees)
