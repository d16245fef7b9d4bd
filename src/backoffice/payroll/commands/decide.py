"""Approve, reopen, cancel: a person decides about a run."""

from __future__ import annotations

from backoffice.accounts import queries as accounts
from backoffice.kernel import ids
from backoffice.kernel.errors import SecondPersonRequired
from backoffice.payroll import events
from backoffice.payroll.commands.moves import NOTHING, drop_paychecks, move, must_allow, tell, totals
from backoffice.payroll.errors import PaymentBegun, RunBlocked
from backoffice.payroll.queries.blockers import run_blockers
from backoffice.payroll.queries.paychecks import payment_begun
from backoffice.payroll.queries.runs import find_run
from backoffice.payroll.reasons import BLOCKING
from backoffice.payroll.schemas import PayrollRun
from backoffice.platform.effects import Effect
from backoffice.platform.tx import Row, Tx
from backoffice.staffing import commands as staffing

APPROVE, PAY = "payroll_run.approve", "payroll_run.pay"  # as a firm's authority.second_person_for names them


async def approve_run(tx: Tx, id_: str, if_version: int) -> PayrollRun:
    """A second person lets the run be paid. SecondPersonRequired (403) for the maker with any key, VersionConflict
    (412), RunNotInState (409), RunBlocked (409) with the list."""
    run = await find_run(tx, id_, lock=True)
    await must_be_another(tx, run, APPROVE)
    await must_go_on(tx, run, "approve", if_version)
    values = {"approved_by": tx.principal.actor, "approved_at": await tx.now()}
    row = await move(tx, run, "approve", "approved", values)
    effect = Effect(
        kind="payroll_approved",
        subject=ids.encode("payroll_run", run["id"]),
        after=totals(row),
        message=f"The payroll for {row['pay_date']} was approved by a second person and can be paid.",
    )
    return tell(tx, events.RUN_APPROVED, row, run["status"], [effect], ("status", "approved_by", "approved_at"))


async def reopen_run(tx: Tx, id_: str, if_version: int) -> PayrollRun:
    """Take a run back to draft, without paychecks; its hours can change again. VersionConflict (412), RunNotInState,
    PaymentBegun (409)."""
    run, row = await _take_back(tx, id_, if_version, "reopen", "draft")
    effect = Effect(
        kind="payroll_reopened",
        subject=ids.encode("payroll_run", run["id"]),
        message=f"The payroll for {row['pay_date']} is a draft again; nothing is paid until it is approved anew.",
    )
    return tell(tx, events.RUN_REOPENED, row, run["status"], [effect], ("status", "totals", "paycheck_count"))


async def cancel_run(tx: Tx, id_: str, if_version: int) -> PayrollRun:
    """End a run that is not paid, without paychecks; its hours can go into another. Errors as `reopen_run`."""
    run, row = await _take_back(tx, id_, if_version, "cancel", "canceled")
    effect = Effect(
        kind="payroll_canceled",
        subject=ids.encode("payroll_run", run["id"]),
        message=f"The payroll for {row['pay_date']} was canceled; nobody is paid by it.",
    )
    return tell(tx, events.RUN_CANCELED, row, run["status"], [effect], ("status", "totals", "paycheck_count"))


async def must_be_another(tx: Tx, run: Row, act: str) -> None:
    """SecondPersonRequired (403) for whoever opened the run, where the firm wants a second person for this act."""
    if act in (await accounts.tenant_settings(tx)).second_person_for and run["created_by"] == tx.principal.actor:
        verb = act.partition(".")[2]
        raise SecondPersonRequired(f"Whoever opened the run cannot {verb} it, with any key. Ask another person.")


async def must_go_on(tx: Tx, run: Row, verb: str, if_version: int) -> None:
    """VersionConflict (412), RunNotInState (409), or RunBlocked (409) with everything that stands against the run's
    next step: also when it stands in `blocked`, and nothing else is what keeps it there."""
    if run["status"] != "blocked" or run["version"] != if_version:
        must_allow(run, verb, if_version)
    blocking = [each for each in await run_blockers(tx, run) if each.severity == BLOCKING]
    if blocking:
        more = f" and {len(blocking) - 1} more" if len(blocking) > 1 else ""
        raise RunBlocked(f"{blocking[0].detail.removesuffix('.')}{more}; see blockers.", extra={"blockers": blocking})
    must_allow(run, verb, if_version)


async def _take_back(tx: Tx, id_: str, if_version: int, verb: str, to: str) -> tuple[Row, Row]:
    """The run as it was, and as it is without approval, paychecks and hours. PaymentBegun when a payment that was
    broken off has posted paychecks: it can only go on."""
    run = await find_run(tx, id_, lock=True)
    must_allow(run, verb, if_version)
    if await payment_begun(tx, run["id"]):
        raise PaymentBegun("Pay the run again: the payment goes on where it was broken off.")
    row = await move(tx, run, verb, to, {**NOTHING, "approved_by": None, "approved_at": None})
    await drop_paychecks(tx, run["id"])
    await staffing.release(tx, run["id"])
    return run, row
