"""What must be mended before a run can be approved: the same list before, during and after its calculation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, time
from uuid import UUID

from backoffice.accounts import queries as accounts
from backoffice.kernel import ids
from backoffice.kernel.calendars import FEDERAL_RESERVE, add_business_days
from backoffice.kernel.dates import instant
from backoffice.payroll import calc
from backoffice.payroll.assembly import Reason, reasons
from backoffice.payroll.queries.runs import find_run, period_of
from backoffice.payroll.schemas import Blocker, BlockerFix, BlockerList
from backoffice.people import queries as people
from backoffice.platform.db import Row, Tx
from backoffice.staffing import queries as staffing
from backoffice.staffing.schemas import ApprovedHours

# The bank wants the file two banking days before payday, by five in the afternoon.
_BANK_DAYS, _BANK_TIME = 2, time(17)


async def blockers(tx: Tx, id_: str) -> BlockerList:
    """Blockers of a run, blocking ones first."""
    run = await find_run(tx, id_)
    hours = await hours_of_run(tx, run, free=run["status"] in ("draft", "blocked"))
    found = await run_blockers(tx, run, hours)
    return BlockerList(data=sorted(found, key=lambda each: (each.severity != "blocking", each.code, each.subject)))


async def run_blockers(tx: Tx, run: Row, hours: dict[UUID, list[ApprovedHours]]) -> list[Blocker]:
    """Blockers of a run with these hours, as they stand now."""
    deadline = await file_deadline(tx, run["pay_date"])
    run_id = ids.encode("payroll_run", run["id"])
    found: list[Blocker] = []
    if not hours:
        nothing = Reason(
            "no_hours", "There are no approved hours in the period.", "front_office", "Approve timesheets.",
            "POST /v1/timesheets/approve",
        )  # fmt: skip
        found.append(_blocker(nothing, run_id, deadline))
    for worker_id, worker_found in (await worker_reasons(tx, run, hours)).items():
        found += [_blocker(reason, ids.encode("worker", worker_id), deadline) for reason in worker_found]
    for sheet in await staffing.open_timesheets(tx, run["period_begin"], run["period_end"]):
        waiting = Reason(
            "timesheet_not_approved", f"A timesheet of the week from {sheet.week_start} is {sheet.status}.",
            "front_office", "Approve it, or pay it with a later run.", "POST /v1/timesheets/approve",
            severity="warning",
        )  # fmt: skip
        found.append(_blocker(waiting, ids.encode("timesheet", sheet.id), deadline))
    return found


async def worker_reasons(tx: Tx, run: Row, hours: dict[UUID, list[ApprovedHours]]) -> dict[UUID, list[Reason]]:
    """By worker with hours in the run, why they cannot be paid; workers without a reason are left out."""
    profiles = await people.pay_profiles(tx, list(hours), run["pay_date"])
    employer = await accounts.employer(tx)
    tables, period = calc.Tables.load(), period_of(run)
    found = {id_: reasons(profiles.get(id_), worked, period, employer, tables) for id_, worked in hours.items()}
    return {id_: told for id_, told in found.items() if told}


async def hours_of_run(tx: Tx, run: Row, *, free: bool) -> dict[UUID, list[ApprovedHours]]:
    """Approved hours of the period that this run counts, by worker: its own, and with `free` those of no run yet."""
    rows = await staffing.approved_hours(tx, run["period_begin"], run["period_end"], run_id=run["id"])
    return by_worker([each for each in rows if free or each.payroll_run_id is not None])


def by_worker(hours: Sequence[ApprovedHours]) -> dict[UUID, list[ApprovedHours]]:
    found: dict[UUID, list[ApprovedHours]] = defaultdict(list)
    for each in hours:
        found[each.worker_id].append(each)
    return dict(found)


async def file_deadline(tx: Tx, pay_date: date) -> datetime:
    """Until when the bank file can go out for this payday."""
    zone = (await accounts.tenant_settings(tx)).time_zone
    return instant(zone, add_business_days(pay_date, -_BANK_DAYS, FEDERAL_RESERVE), _BANK_TIME)


def _blocker(reason: Reason, subject: str, deadline: datetime) -> Blocker:
    return Blocker(
        code=reason.code,
        subject=subject,
        severity=reason.severity,
        detail=reason.detail,
        fix=BlockerFix(who=reason.who, what=reason.what, api=reason.api),
        deadline=deadline,
    )
