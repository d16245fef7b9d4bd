"""Approve, reopen, cancel: a person decides about a run."""

from __future__ import annotations

from backoffice.accounts import queries as accounts
from backoffice.kernel import ids
from backoffice.kernel.errors import SecondPersonRequired
from backoffice.payroll import events
from backoffice.payroll.commands.moves import move, tell, totals
from backoffice.payroll.errors import PaymentBegun, RunBlocked
from backoffice.payroll.queries.blockers import hours_of_run, run_blockers
from backoffice.payroll.queries.paychecks import payment_begun
from backoffice.payroll.queries.runs import find_run
from backoffice.payroll.schemas import PayrollRun
from backoffice.platform.db import Row, Tx
from backoffice.platform.effects import Effect
from backoffice.staffing import commands as staffing

APPROVE = "payroll_run.approve"


async def approve_run(tx: Tx, id_: str, if_version: int) -> PayrollRun:
    """A second person lets the run be paid. SecondPersonRequired (403) for the maker with any key, RunBlocked (409)
    with the list, RunNotInState (409), VersionConflict (412)."""
    run = await find_run(tx, id_, lock=True)
    if APPROVE in (await accounts.tenant_settings(tx)).second_person_for and run["created_by"] == tx.principal.actor:
        raise SecondPersonRequired("Whoever opened the run cannot approve it, with any key. Ask another person.")
    blocking = [
        each
        for each in await run_blockers(tx, run, await hours_of_run(tx, run, free=False))
        if each.severity == "blocking"
    ]
    if blocking:
        raise RunBlocked(extra={"blockers": blocking})
    values = {"approved_by": tx.principal.actor, "approved_at": await tx.now()}
    row = await move(tx, run["id"], "approve", "approved", values, if_version=if_version)
    effect = Effect(
        kind="payroll_approved",
        subject=ids.encode("payroll_run", run["id"]),
        after=totals(row),
        message=f"The payroll for {row['pay_date']} was approved by a second person and can be paid.",
    )
    return tell(tx, events.RUN_APPROVED, row, run["status"], [effect], ("status", "approved_by", "approved_at"))


async def reopen_run(tx: Tx, id_: str, if_version: int) -> PayrollRun:
    """Take a run back to draft; its hours can change again. RunNotInState (409), VersionConflict (412)."""
    run = await _not_begun(tx, id_)
    values = {"approved_by": None, "approved_at": None}
    row = await move(tx, run["id"], "reopen", "draft", values, if_version=if_version)
    await staffing.release(tx, run["id"])
    effect = Effect(
        kind="payroll_reopened",
        subject=ids.encode("payroll_run", run["id"]),
        message=f"The payroll for {row['pay_date']} is a draft again; nothing is paid until it is approved anew.",
    )
    return tell(tx, events.RUN_REOPENED, row, run["status"], [effect])


async def cancel_run(tx: Tx, id_: str, if_version: int) -> PayrollRun:
    """End a run that is not paid; its hours can go into another. RunNotInState (409), VersionConflict (412)."""
    run = await _not_begun(tx, id_)
    values = {"approved_by": None, "approved_at": None}
    row = await move(tx, run["id"], "cancel", "canceled", values, if_version=if_version)
    await staffing.release(tx, run["id"])
    effect = Effect(
        kind="payroll_canceled",
        subject=ids.encode("payroll_run", run["id"]),
        message=f"The payroll for {row['pay_date']} was canceled; nobody is paid by it.",
    )
    return tell(tx, events.RUN_CANCELED, row, run["status"], [effect])


async def _not_begun(tx: Tx, id_: str) -> Row:
    """The run, locked. PaymentBegun when a payment that was broken off has posted paychecks: it can only go on."""
    run = await find_run(tx, id_, lock=True)
    if await payment_begun(tx, run["id"]):
        raise PaymentBegun("Pay the run again: the payment goes on where it was broken off.")
    return run
