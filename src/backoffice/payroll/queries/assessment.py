"""What a run would pay, worker by worker, as things stand now: a paycheck, or the reasons against it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from backoffice.accounts import queries as accounts
from backoffice.accounts.schemas import Employer
from backoffice.kernel import ids
from backoffice.payroll import calc, reasons
from backoffice.payroll.assembly import PaidToDate, Pay, Period, by_workweek, pay_of
from backoffice.payroll.queries.paychecks import paid_to_date
from backoffice.payroll.queries.runs import period_of
from backoffice.payroll.reasons import BLOCKING, Reason
from backoffice.people import queries as people
from backoffice.people.schemas import EmploymentOn, PayProfile
from backoffice.platform.db import Row, Tx
from backoffice.staffing import queries as staffing
from backoffice.staffing.schemas import ApprovedHours

Hours = Mapping[UUID, Sequence[ApprovedHours]]  # by worker


@dataclass(frozen=True, slots=True)
class Assessed:
    """One worker with hours in the run. `pay` and `result` are there when nothing stands against a calculation; the
    paycheck can be made when `blocked` is false."""

    profile: PayProfile
    reasons: tuple[Reason, ...]
    pay: Pay | None = None
    result: calc.PaycheckResult | None = None

    @property
    def blocked(self) -> bool:
        return any(reason.severity == BLOCKING for reason in self.reasons)


async def hours_of_run(
    tx: Tx, run: Row, *, free: bool, worker_ids: Collection[UUID] | None = None
) -> dict[UUID, list[ApprovedHours]]:
    """Approved hours of the period that this run counts, by worker: its own, and with `free` those of no run yet, of
    workers on its schedule."""
    rows = await staffing.approved_hours(
        tx, run["period_begin"], run["period_end"], worker_ids=worker_ids, run_id=run["id"]
    )
    found: dict[UUID, list[ApprovedHours]] = defaultdict(list)
    for each in rows:
        if free or each.payroll_run_id is not None:
            found[each.worker_id].append(each)
    if free:
        own = {each.worker_id for each in rows if each.payroll_run_id is not None}
        theirs = await on_schedule(tx, run, found.keys() - own) | own
        found = defaultdict(list, {id_: hours for id_, hours in found.items() if id_ in theirs})
    return dict(found)


async def on_schedule(tx: Tx, run: Row, worker_ids: Collection[UUID]) -> set[UUID]:
    """Those who are on the run's schedule on any day of its period. Whoever has no employment there is on every
    schedule: the hours must be seen somewhere."""
    schedule = await accounts.pay_schedule(tx, run["pay_schedule"])
    employments = await people.employments_between(tx, worker_ids, run["period_begin"], run["period_end"])
    wanted = schedule.id if schedule is not None else None
    return {
        id_
        for id_ in worker_ids
        if id_ not in employments or any(each.pay_schedule_id == wanted for each in employments[id_])
    }


async def assess(tx: Tx, run: Row, hours: Hours) -> dict[UUID, Assessed]:
    """Every worker with hours, as things stand now. A constant number of statements, however many workers."""
    workers = list(hours)
    facts = _Facts(
        profiles=await people.pay_profiles(tx, workers, run["pay_date"]),
        employments=await people.employments_between(tx, workers, run["period_begin"], run["period_end"]),
        paid=await paid_to_date(tx, run["employer_id"], workers, run["pay_date"].year),
        employer=await accounts.employer(tx),
    )
    return await asyncio.to_thread(_judged, hours, facts, period_of(run), calc.Tables.load())


@dataclass(frozen=True, slots=True)
class _Facts:
    profiles: Mapping[UUID, PayProfile]
    employments: Mapping[UUID, Sequence[EmploymentOn]]
    paid: Mapping[UUID, PaidToDate]
    employer: Employer


def _judged(hours: Hours, facts: _Facts, period: Period, tables: calc.Tables) -> dict[UUID, Assessed]:
    found: dict[UUID, Assessed] = {}
    for id_, entries in hours.items():
        profile, worked = facts.profiles[id_], by_workweek(entries, period)
        told = reasons.of_worker(profile, facts.employments.get(id_, ()), entries, worked)
        pay = None
        if len({each.work_state for each in entries}) == 1:
            pay = pay_of(profile, worked, period, facts.employer, facts.paid.get(id_, {}), tables)
        told += reasons.of_law(profile, entries, pay.inputs.check if pay else None, facts.employer, tables)
        found[id_] = Assessed(profile, tuple(told), pay)
    sound = {id_: each.pay for id_, each in found.items() if each.pay is not None and not each.blocked}
    results = calc.gross_to_net(calc.Columns.of([pay.inputs.check for pay in sound.values()]), tables) if sound else ()
    for (id_, pay), result in zip(sound.items(), results, strict=True):
        profile, told = found[id_].profile, list(found[id_].reasons)
        if result.net <= 0:
            worker = f"/v1/workers/{ids.encode('worker', id_)}"
            told.append(reasons.net_not_positive(worker, result.gross, result.net))
        found[id_] = Assessed(profile, tuple(told), pay, result)
    return found
