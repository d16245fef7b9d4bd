"""Open a run for a period of a pay schedule."""

from __future__ import annotations

from datetime import timedelta

from backoffice.accounts import queries as accounts
from backoffice.kernel import ids
from backoffice.kernel.calendars import FEDERAL_RESERVE, is_business_day, on_or_before
from backoffice.kernel.dates import PaySchedule, local_date
from backoffice.kernel.errors import AlreadyExists, Fault, FaultList
from backoffice.payroll import events, models
from backoffice.payroll.errors import PeriodTaken
from backoffice.payroll.queries.runs import run_of_period, run_view
from backoffice.payroll.schemas import CreatePayrollRun, OpenRun, PayrollRun
from backoffice.platform.effects import Effect
from backoffice.platform.tx import Tx

_YEARS = (2008, 2099)  # a payday may be moved back into the year before, and calendars begin with 2007


async def open_run(tx: Tx, data: CreatePayrollRun) -> PayrollRun:
    """A run in `draft`, made by whoever asks. ValidationFailed (422), PeriodTaken or AlreadyExists (409)."""
    faults = FaultList()
    schedule = await accounts.pay_schedule(tx, data.pay_schedule)
    employer = await accounts.employer(tx)
    if schedule is None:
        names = ", ".join(each.name for each in await accounts.pay_schedules(tx))
        faults.add("#/pay_schedule", "unknown_schedule", f"is no pay schedule of this tenant; there are: {names}")
    for name, day in (("period_begin", data.period_begin), ("pay_date", data.pay_date)):
        if day is not None and not _YEARS[0] <= day.year <= _YEARS[1]:
            faults.add(f"#/{name}", "out_of_range", f"must lie in the years {_YEARS[0]} to {_YEARS[1]}")
        elif name == "pay_date" and day is not None and not is_business_day(day, FEDERAL_RESERVE):
            earlier = on_or_before(day, FEDERAL_RESERVE)
            faults.add("#/pay_date", "not_a_banking_day", f"{day} is no banking day; nearest earlier: {earlier}")
    if schedule is None or any(fault.code == "out_of_range" for fault in faults.faults):
        faults.raise_if_any()
    assert schedule is not None
    period = PaySchedule(schedule.frequency, schedule.first_period_begins).period(data.period_begin)  # type: ignore[arg-type]
    if period.begin != data.period_begin:
        detail = f"no period begins on this day; the one that holds it begins on {period.begin}"
        faults.add("#/period_begin", "not_the_start_of_a_period", detail)
    pay_date = data.pay_date or on_or_before(period.end + timedelta(schedule.payday_after_days), FEDERAL_RESERVE)
    if pay_date < period.end:
        faults.add("#/pay_date", "before_the_period_ends", f"must not be before {period.end}, the period's last day")
    faults.raise_if_any()
    row = await tx.insert_or_none(
        models.payroll_run,
        id=await tx.new_id(),
        external_id=data.external_id,
        metadata=data.metadata,
        pay_schedule=schedule.name,
        frequency=schedule.frequency,
        workweek_starts=schedule.workweek_starts,
        employer_id=employer.id,
        period_begin=period.begin,
        period_end=period.end,
        pay_date=pay_date,
        created_by=tx.principal.actor,
    )
    if row is None:
        other = await run_of_period(tx, schedule.name, period.begin)
        if other is None:
            raise AlreadyExists(errors=[Fault("already_in_use", "is another run's", pointer="#/external_id")])
        named = ids.encode("payroll_run", other)
        detail = (
            f"{named} pays the period from {period.begin} of the schedule {schedule.name}; go on with it or cancel it."
        )
        raise PeriodTaken(detail, extra={"payroll_run_id": named})
    view = run_view(tx, row)
    effect = Effect(
        kind="payroll_run_opened",
        subject=view.id,
        after={"period_begin": period.begin, "period_end": period.end, "pay_date": pay_date},
        message=f"A payroll run for {period.begin} to {period.end}, paid on {pay_date}, was opened.",
    )
    tx.emit(events.RUN_CREATED, view, effects=[effect])
    tx.audit("payroll_run.created", object_type="payroll_run", object_id=row["id"], object_version=1)
    return view


async def open_due_run(tx: Tx, payload: OpenRun) -> dict[str, str]:
    """Open the run of the last whole period before a schedule's fire time, unless somebody has. Raises what `open_run`
    raises."""
    zone = (await accounts.tenant_settings(tx)).time_zone
    schedule = await accounts.pay_schedule(tx, payload.pay_schedule)
    begin = local_date(zone, payload.scheduled_for)
    if schedule is not None:  # for one that is not there, open_run says what there is
        periods = PaySchedule(schedule.frequency, schedule.first_period_begins)  # type: ignore[arg-type]
        begin = periods.previous(periods.period(begin)).begin
        if (there := await run_of_period(tx, schedule.name, begin)) is not None:
            return {"payroll_run_id": ids.encode("payroll_run", there)}
    opened = await open_run(tx, CreatePayrollRun(pay_schedule=payload.pay_schedule, period_begin=begin))
    return {"payroll_run_id": opened.id}
