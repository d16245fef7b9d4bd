"""What a run would pay, worker by worker, as things stand now: a paycheck, or the reasons against it."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backoffice.accounts import queries as accounts
from backoffice.accounts.schemas import Employer
from backoffice.kernel import dates, ids
from backoffice.payroll import calc, reasons
from backoffice.payroll.assembly import PaidToDate, PaidWeeks, Pay, Period, by_workweek, pay_of, tables_of
from backoffice.payroll.queries.paychecks import paid_to_date, paid_weeks
from backoffice.payroll.queries.runs import paid_periods, period_of
from backoffice.payroll.queries.withheld import limit_births, taken_before
from backoffice.payroll.reasons import BLOCKING, Reason
from backoffice.payroll.result_lines import ResultLine, lines_of_result
from backoffice.payroll.withheld import NOTHING_TAKEN, TakenBefore
from backoffice.people import queries as people
from backoffice.people.schemas import EmploymentOn, PayProfile
from backoffice.platform.tx import Row, Tx
from backoffice.staffing import queries as staffing
from backoffice.staffing.schemas import ApprovedHours

Hours = Mapping[UUID, Sequence[ApprovedHours]]  # by worker


@dataclass(frozen=True, slots=True)
class Assessed:
    """One worker with hours in the run. `pay`, `result` and its `lines` are there when nothing stands against a
    calculation; the paycheck can be made when `blocked` is false."""

    profile: PayProfile
    reasons: tuple[Reason, ...]
    pay: Pay | None = None
    result: calc.PaycheckResult | None = None
    lines: tuple[ResultLine, ...] = ()

    @property
    def blocked(self) -> bool:
        return any(reason.severity == BLOCKING for reason in self.reasons)

    @property
    def tables(self) -> dict[str, str]:
        """The tables that pay and result used, with their versions."""
        earned = () if self.pay is None else self.pay.weeks
        return {**({} if self.result is None else self.result.tables), **tables_of(earned)}


async def hours_of_run(
    tx: Tx, run: Row, *, free: bool, worker_ids: Collection[UUID] | None = None
) -> dict[UUID, list[ApprovedHours]]:
    """Approved hours that this run counts, by worker: its own, and with `free` those of no run yet, of workers on its
    schedule. Those are hours of its period, and late ones: of earlier periods of the schedule whose run is paid. An
    earlier period that is not paid keeps its hours for a run of its own."""
    this = dates.Period(run["period_begin"], run["period_end"])
    periods = [*await paid_periods(tx, run), this]
    rows = await staffing.approved_hours(tx, periods[0].begin, this.end, worker_ids=worker_ids, run_id=run["id"])
    own = {each.worker_id for each in rows if each.payroll_run_id is not None}
    free_in: dict[dates.Period, set[UUID]] = {}
    if free:
        for each in rows:
            if each.payroll_run_id is None and (period := _holding(periods, each.work_date)):
                free_in.setdefault(period, set()).add(each.worker_id)
    taken = {period: await on_schedule(tx, run, workers, period) for period, workers in free_in.items()}
    if this in taken:
        taken[this] |= own & free_in[this]
    found: dict[UUID, list[ApprovedHours]] = defaultdict(list)
    for each in rows:
        period = _holding(periods, each.work_date)
        if each.payroll_run_id is not None or (period in taken and each.worker_id in taken[period]):
            found[each.worker_id].append(each)
    return dict(found)


def _holding(periods: Sequence[dates.Period], day: date) -> dates.Period | None:
    """The period that holds the day; they rise."""
    at = bisect_right(periods, day, key=lambda period: period.begin) - 1
    return periods[at] if at >= 0 and day in periods[at] else None


async def on_schedule(tx: Tx, run: Row, worker_ids: Collection[UUID], period: dates.Period) -> set[UUID]:
    """Those who are on the run's schedule on any day of a period. Whoever has no employment there is on every
    schedule: the hours must be seen somewhere."""
    schedule = await accounts.pay_schedule(tx, run["pay_schedule"])
    employments = await people.employments_between(tx, worker_ids, period.begin, period.end)
    wanted = schedule.id if schedule is not None else None
    return {
        id_
        for id_ in worker_ids
        if id_ not in employments or any(each.pay_schedule_id == wanted for each in employments[id_])
    }


async def assess(tx: Tx, run: Row, hours: Hours) -> dict[UUID, Assessed]:
    """Every worker with hours, as things stand now. A constant number of statements, however many workers."""
    workers = list(hours)
    first = min((each.work_date for worked in hours.values() for each in worked), default=run["period_begin"])
    since = dates.workweek(min(first, run["period_begin"]), run["workweek_starts"]).begin
    profiles = await people.pay_profiles(tx, workers, run["pay_date"])
    deductions = {id_: each.deductions for id_, each in profiles.items() if each.deductions}
    facts = _Facts(
        profiles=profiles,
        employments=await people.employments_between(tx, workers, since, run["period_end"]),
        paid=await paid_weeks(tx, run, workers, since),
        to_date=await paid_to_date(tx, run["employer_id"], workers, run["pay_date"].year),
        employer=await accounts.employer(tx),
        taken=await taken_before(tx, run["employer_id"], deductions, run["pay_date"]),
        born=await limit_births(tx, deductions, run["pay_date"]),
    )
    return await asyncio.to_thread(_judged, hours, facts, period_of(run), calc.Tables.load())


@dataclass(frozen=True, slots=True)
class _Facts:
    profiles: Mapping[UUID, PayProfile]
    employments: Mapping[UUID, Sequence[EmploymentOn]]
    paid: Mapping[UUID, PaidWeeks]
    to_date: Mapping[UUID, PaidToDate]
    employer: Employer
    taken: Mapping[UUID, TakenBefore]
    born: Mapping[UUID, int]


def _judged(hours: Hours, facts: _Facts, period: Period, tables: calc.Tables) -> dict[UUID, Assessed]:
    found: dict[UUID, Assessed] = {}
    for id_, entries in hours.items():
        profile, worked = facts.profiles[id_], by_workweek(entries, period)
        weeks = {begin for begin, _ in worked}
        paid = tuple(week for week in facts.paid.get(id_, ()) if week[0] in weeks)
        employments = facts.employments.get(id_, ())
        told = reasons.of_worker(profile, employments, entries, period.begin)
        taken = facts.taken.get(id_, NOTHING_TAKEN)
        pay = pay_of(
            profile, entries, paid, period, facts.employer, facts.to_date.get(id_, {}), tables, taken,
            facts.born.get(id_),
        )  # fmt: skip
        told += reasons.of_law(profile, entries, pay, facts.employer, tables)
        found[id_] = Assessed(profile, tuple(told), pay)
    sound = {id_: each.pay for id_, each in found.items() if each.pay is not None and not each.blocked}
    if not sound:
        return found
    columns = calc.Columns.of([pay.inputs.check for pay in sound.values()])
    results = calc.gross_to_net(columns, tables)
    shares = calc.deduction_shares(columns, results, tables)
    for row, ((id_, pay), result) in enumerate(zip(sound.items(), results, strict=True)):
        profile, told = found[id_].profile, list(found[id_].reasons)
        worker = f"/v1/workers/{ids.encode('worker', id_)}"
        if result.net <= 0:
            told.append(reasons.net_not_positive(worker, result))
        told += reasons.left_out(result) + reasons.not_in_full(worker, result)
        left = None if pay.inputs.check.detail is None else calc.wages_left(results, row)
        lines = tuple(lines_of_result(pay.inputs, result, shares[row], left, tables))
        found[id_] = Assessed(profile, tuple(told), pay, result, lines)
    return found
