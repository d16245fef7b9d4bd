"""What stands against a run's next step: its approval while it is worked on, its payment once it is approved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from uuid import UUID

import msgspec
from sqlalchemy import select

from backoffice.accounts import queries as accounts
from backoffice.kernel import ids
from backoffice.kernel.calendars import FEDERAL_RESERVE, add_business_days
from backoffice.kernel.dates import Period, instant, local_date
from backoffice.payroll import calc, models
from backoffice.payroll.assembly import Inputs, differences, in_the_year, on_top_of_its_year
from backoffice.payroll.queries.assessment import Assessed, Hours, assess, hours_of_run, on_schedule
from backoffice.payroll.queries.paychecks import of_run, paid_to_date
from backoffice.payroll.queries.payments import dead_ends
from backoffice.payroll.queries.runs import find_run
from backoffice.payroll.queries.withheld import taken_before
from backoffice.payroll.reasons import BLOCKING, Reason, account_came_back, no_bank_account
from backoffice.payroll.schemas import Blocker, BlockerFix, BlockerList
from backoffice.payroll.withheld import NOTHING_TAKEN
from backoffice.people import queries as people
from backoffice.people.schemas import PayProfile
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.staffing import queries as staffing

# The bank wants the file two banking days before payday, by five in the afternoon.
_BANK_DAYS, _BANK_TIME = 2, time(17)
_checks, _runs = models.paycheck, models.payroll_run


async def blockers(tx: Tx, id_: str) -> BlockerList:
    """Blockers of a run, blocking ones first."""
    found = await run_blockers(tx, await find_run(tx, id_))
    return BlockerList(data=sorted(found, key=lambda each: (each.severity != BLOCKING, each.code, each.subject)))


async def run_blockers(tx: Tx, run: Row) -> list[Blocker]:
    """Everything that stands against the run's next step, as things are now; nothing does when it has no next step."""
    if run["status"] == "approved":
        return await _payment_blockers(tx, run)
    if run["status"] not in ("draft", "calculating", "blocked", "ready"):
        return []
    hours = await hours_of_run(tx, run, free=True)
    assessed = await assess(tx, run, hours)
    found = await approval_blockers(tx, run, hours, assessed)
    if run["status"] == "ready":
        checks = {check["worker_id"]: check for check in await of_run(tx, run["id"])}
        found += await _told(tx, run, {id_: _outdated(run, checks.get(id_), each) for id_, each in assessed.items()})
    return found


async def approval_blockers(tx: Tx, run: Row, hours: Hours, assessed: Mapping[UUID, Assessed]) -> list[Blocker]:
    """What stands against the approval of a run with these hours, of the run itself and of the workers assessed."""
    run_id = ids.encode("payroll_run", run["id"])
    of_run_itself = await _payday_reasons(tx, run)
    if not hours:
        of_run_itself.append(
            Reason("no_hours", "There are no approved hours in the period.", "front_office", "Approve timesheets.",
                   "POST /v1/timesheets/approve")
        )  # fmt: skip
    found = await _about(tx, run, {run_id: of_run_itself})
    found += await _told(tx, run, {id_: list(each.reasons) for id_, each in assessed.items()})
    found += await _told(tx, run, await _came_back(tx, {id_: each.profile for id_, each in assessed.items()}))
    open_ = await staffing.open_timesheets(tx, run["period_begin"], run["period_end"])
    period = Period(run["period_begin"], run["period_end"])
    ours = await on_schedule(tx, run, {sheet.worker_id for sheet in open_}, period)
    waiting = {
        ids.encode("timesheet", sheet.id): [
            Reason(
                "timesheet_not_approved",
                f"A timesheet of the week from {sheet.week_start} is {sheet.status}; its hours are not in this run.",
                "front_office", "Approve it and calculate again; once this run is paid, the next one pays for them.",
                "POST /v1/timesheets/approve", severity="warning",
            )
        ]
        for sheet in open_
        if sheet.worker_id in ours
    }  # fmt: skip
    return found + await _about(tx, run, waiting)


def not_calculated(run: Row) -> Reason:
    """A worker with hours in the run and no paycheck, against whom nothing stands any more."""
    return _calculate_again(run, "The worker has hours in the run and no paycheck yet.")


async def missing_accounts(tx: Tx, run: Row, worker_ids: list[UUID]) -> list[Blocker]:
    """`no_bank_account` of each of these workers."""
    return await _told(tx, run, {id_: [no_bank_account(_worker(id_))] for id_ in worker_ids})


async def file_deadline(tx: Tx, pay_date: date) -> datetime:
    """Until when the bank file can go out for this payday."""
    zone = (await accounts.tenant_settings(tx)).time_zone
    return instant(zone, add_business_days(pay_date, -_BANK_DAYS, FEDERAL_RESERVE), _BANK_TIME)


def _outdated(run: Row, check: Row | None, now: Assessed) -> list[Reason]:
    """Why a paycheck is no longer what a calculation would make of it."""
    if now.blocked:
        return []  # that is said already
    if check is None or now.pay is None or now.result is None:
        return [not_calculated(run)]
    changed = differences(msgspec.convert(check["inputs"], Inputs), now.pay.inputs)
    if check["tables"] != now.tables:
        changed.append("the tables of law")
    account = now.profile.bank_account
    if account is not None and account.id != check["bank_account_id"]:
        changed.append("the bank account")
    return [_calculate_again(run, f"Since the calculation changed: {', '.join(changed)}.")] if changed else []


def _calculate_again(run: Row, detail: str) -> Reason:
    return Reason(
        "calculation_outdated", detail, "front_office", "Calculate the run again.",
        f"POST /v1/payroll_runs/{ids.encode('payroll_run', run['id'])}/calculate",
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------- payment


async def _payment_blockers(tx: Tx, run: Row) -> list[Blocker]:
    """What stands against the payment of an approved run. A payment that has begun can only go on, so that nothing
    stands against it but an account that is not there."""
    checks = await of_run(tx, run["id"])
    workers = [check["worker_id"] for check in checks]
    profiles = await people.pay_profiles(tx, workers, run["pay_date"])
    if any(check["payment"] != "pending" for check in checks):
        return await missing_accounts(tx, run, [id_ for id_ in workers if profiles[id_].bank_account is None])
    paid = await paid_to_date(tx, run["employer_id"], workers, run["pay_date"].year)
    inputs = {check["worker_id"]: msgspec.convert(check["inputs"], Inputs) for check in checks}
    deductions = {id_: told_then.deductions for id_, told_then in inputs.items() if told_then.deductions}
    taken = await taken_before(tx, run["employer_id"], deductions, run["pay_date"])
    tables = calc.Tables.load()
    found: dict[UUID, list[Reason]] = {}
    for check in checks:
        id_ = check["worker_id"]
        profile, told = profiles[id_], found.setdefault(id_, [])
        if profile.bank_account is None:
            told.append(no_bank_account(_worker(id_)))
        elif profile.bank_account.id != check["bank_account_id"]:
            told.append(
                _reopen(run, "bank_account_changed", "The worker's bank account is not the one that was approved.")
            )
        then = inputs[id_]
        now = on_top_of_its_year(then, profile.opening, paid.get(id_, {}), taken.get(id_, NOTHING_TAKEN), tables)
        if in_the_year(now) != in_the_year(then.check):
            told.append(
                _reopen(run, "year_to_date_changed",
                        "The worker's year-to-date changed since the calculation, by another run or opening amounts.")
            )  # fmt: skip
    of_run_itself = {ids.encode("payroll_run", run["id"]): await _payday_reasons(tx, run)}
    others = {
        ids.encode("payroll_run", id_): [
            Reason("other_payment_unfinished", "Another run's payment has begun; this one counts on what it leaves.",
                   "front_office", "Wait for it, or pay that run again where its payment was broken off.",
                   f"POST /v1/payroll_runs/{ids.encode('payroll_run', id_)}/pay")
        ]
        for id_ in await _other_payments(tx, run)
    }  # fmt: skip
    came_back = await _told(tx, run, await _came_back(tx, profiles))
    return await _told(tx, run, found) + came_back + await _about(tx, run, of_run_itself | others)


async def _came_back(tx: Tx, profiles: Mapping[UUID, PayProfile]) -> dict[UUID, list[Reason]]:
    """Workers whom the last deposit did not reach, and who have the same account still."""
    accounts_ = {each.bank_account.id: id_ for id_, each in profiles.items() if each.bank_account is not None}
    ends = await dead_ends(tx, list(accounts_))
    return {accounts_[id_]: [account_came_back(_worker(accounts_[id_]), code)] for id_, code in ends.items()}


async def _other_payments(tx: Tx, run: Row) -> list[UUID]:
    """Runs of the same employer whose payment has begun and not ended."""
    begun = (
        select(_checks.c.id)
        .where(_checks.c.tenant_id == TENANT, _checks.c.run_id == _runs.c.id, _checks.c.payment == "posted")
        .exists()
    )
    rows = await tx.fetch(
        select(_runs.c.id)
        .where(
            _runs.c.tenant_id == TENANT,
            _runs.c.employer_id == run["employer_id"],
            _runs.c.id != run["id"],
            (_runs.c.status == "paying") | ((_runs.c.status == "approved") & begun),
        )
        .order_by(_runs.c.id)
    )
    return [row["id"] for row in rows]


def _reopen(run: Row, code: str, detail: str) -> Reason:
    return Reason(
        code, detail, "front_office", "Reopen the run, calculate it again and have it approved.",
        f"POST /v1/payroll_runs/{ids.encode('payroll_run', run['id'])}/reopen",
    )  # fmt: skip


async def _payday_reasons(tx: Tx, run: Row) -> list[Reason]:
    now = await tx.now()
    today = local_date((await accounts.tenant_settings(tx)).time_zone, now)
    if run["pay_date"] < today:
        return [
            Reason("payday_past", f"The payday {run['pay_date']} has passed.", "front_office",
                   "Cancel the run and open one for the period with a later pay_date.", "POST /v1/payroll_runs")
        ]  # fmt: skip
    if now > await file_deadline(tx, run["pay_date"]):
        return [
            Reason("bank_deadline_passed", f"The bank may be late: it wants the file {_BANK_DAYS} banking days before.",
                   "front_office", "Ask the bank, or cancel the run and open one with a later pay_date.",
                   severity="warning")
        ]  # fmt: skip
    return []


# -------------------------------------------------------------------------------------------------------- telling


async def _told(tx: Tx, run: Row, found: Mapping[UUID, list[Reason]]) -> list[Blocker]:
    return await _about(tx, run, {ids.encode("worker", id_): told for id_, told in found.items()})


async def _about(tx: Tx, run: Row, found: Mapping[str, list[Reason]]) -> list[Blocker]:
    deadline = await file_deadline(tx, run["pay_date"]) if any(found.values()) else None
    return [
        Blocker(
            code=reason.code,
            subject=subject,
            severity=reason.severity,
            detail=reason.detail,
            fix=BlockerFix(who=reason.who, what=reason.what, api=reason.api),
            deadline=deadline,
        )
        for subject, told in found.items()
        for reason in told
    ]


def _worker(id_: UUID) -> str:
    return f"/v1/workers/{ids.encode('worker', id_)}"
