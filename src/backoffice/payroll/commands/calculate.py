"""Gross to net for a run, behind the queue: prepare, workers in parts, totals; each is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from backoffice.kernel import ids
from backoffice.payroll import calc, events, models
from backoffice.payroll.assembly import Pay
from backoffice.payroll.commands.moves import AMOUNTS, NOTHING, drop_paychecks, ended, move, tell, totals, wanted
from backoffice.payroll.errors import WorkNotWanted
from backoffice.payroll.queries.assessment import Assessed, assess, hours_of_run
from backoffice.payroll.queries.blockers import approval_blockers, not_calculated
from backoffice.payroll.queries.runs import find_run
from backoffice.payroll.reasons import BLOCKING
from backoffice.payroll.result_lines import ResultLine
from backoffice.payroll.schemas import Blocker, CalculateRun
from backoffice.platform.effects import Effect
from backoffice.platform.jobs import queries as jobs
from backoffice.platform.jobs.view import JobView
from backoffice.platform.jobs.view import view as job_view
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import MoneyBody
from backoffice.platform.web.problems import PreviewTooLarge
from backoffice.staffing import commands as staffing

PREVIEW_ITEMS = 200
# A sum that a paycheck and its run show, and the kind of line it is of.
KINDS = {
    "employee_taxes": "employee_tax",
    "employer_taxes": "employer_tax",
    "deductions": calc.DEDUCTION,
    "garnishments": calc.GARNISHMENT,
}
_checks, _lines = models.paycheck, models.paycheck_line


def parts_of(items: Sequence[str]) -> list[list[str]]:
    """What a job has before it, in about ten parts of 10 to 250: short transactions, visible progress, little to
    repeat."""
    size = min(250, max(10, -(-len(items) // 10)))
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def must_be_few(items: Sequence[str]) -> None:
    """PreviewTooLarge (422) for more than a preview covers."""
    if len(items) > PREVIEW_ITEMS:
        raise PreviewTooLarge(f"The run has {len(items)} workers; a preview covers at most {PREVIEW_ITEMS}.")


async def start_calculation(tx: Tx, id_: str) -> JobView:
    """Queue the calculation of a run that is draft, blocked or ready. RunNotInState (409)."""
    run = await find_run(tx, id_, lock=True)
    row = await move(tx, run, "calculate", "calculating")
    payload = CalculateRun(run_id=ids.encode("payroll_run", run["id"]), run_version=row["version"])
    job_id = await tx.start(payload, key=f"{payload.run_id}:{payload.run_version}")
    await tx.flush()
    return job_view(tx.principal, await jobs.get(tx, job_id))


async def prepare_calculation(tx: Tx, payload: CalculateRun) -> list[str]:
    """Drop what an earlier calculation left, take the approved hours into this run, and say whose they are."""
    run = await wanted(tx, payload, "calculating")
    await drop_paychecks(tx, run["id"])
    await staffing.release(tx, run["id"])
    hours = await hours_of_run(tx, run, free=True)
    sheets = {each.timesheet_id for worked in hours.values() for each in worked}
    await staffing.lock_for_run(tx, sheets, run["id"])
    return [ids.encode("worker", id_) for id_ in sorted(hours)]


async def calculate_workers(tx: Tx, payload: CalculateRun, workers: Sequence[str]) -> int:
    """Paychecks of those of these workers whom nothing blocks; how many were made."""
    run = await wanted(tx, payload, "calculating")
    worker_ids = [id_ for text in workers if (id_ := ids.decode("worker", text))]
    hours = await hours_of_run(tx, run, free=False, worker_ids=worker_ids)
    checks: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for each in (await assess(tx, run, hours)).values():
        if not each.blocked:
            assert each.pay is not None and each.result is not None, "nothing stands against it"  # noqa: PT018
            check_id = await tx.new_id()
            checks.append(_check_row(check_id, run, each, each.pay, each.result))
            lines += _line_rows(check_id, each.pay, each.lines)
    await tx.insert_many(_checks, checks)
    await tx.insert_many(_lines, lines)
    return len(checks)


async def finish_calculation(tx: Tx, payload: CalculateRun) -> dict[str, Any]:
    """Add the run up, and say whether it is ready or blocked. A blocked run lets its hours go, so that they too can be
    mended."""
    run = await wanted(tx, payload, "calculating")
    values = await _sums(tx, run["id"])
    blocking = await _blocking(tx, run)
    to = "blocked" if blocking else "ready"
    if blocking:
        await staffing.release(tx, run["id"])
    row = await move(tx, run, "finish_calculation", to, {**values, "calculated_at": await tx.now()})
    subject = ids.encode("payroll_run", run["id"])
    net = MoneyBody.of(values["net_minor"])
    calculated = Effect(
        kind="payroll_calculated",
        subject=subject,
        before=totals(run) if run["calculated_at"] else None,
        after=totals(row),
        message=(
            f"{values['paycheck_count']} paychecks were calculated; "
            f"{net.amount} {net.currency} would be paid on {row['pay_date']}."
        ),
    )
    tell(tx, events.RUN_CALCULATED, row, "calculating", [calculated], ("status", "totals", "paycheck_count"))
    if blocking:
        stopped = [
            Effect(kind=each.code, subject=each.subject, message=each.detail, ask=each.fix.what) for each in blocking
        ]
        tell(tx, events.RUN_BLOCKED, row, "calculating", stopped)
    else:
        ready = Effect(
            kind="approval_wanted",
            subject=subject,
            message="The run can be approved.",
            ask="A person other than the one who made it approves the run.",
        )
        tell(tx, events.RUN_READY, row, "calculating", [ready])
    return {"status": to, "paychecks": values["paycheck_count"], "blockers": len(blocking)}


async def abandon_calculation(tx: Tx, payload: CalculateRun, status: str) -> None:
    """The job ended without success: the run is a draft again, without paychecks and hours."""
    try:
        run = await wanted(tx, payload, "calculating", lock=True)
    except WorkNotWanted:
        return
    await drop_paychecks(tx, run["id"])
    await staffing.release(tx, run["id"])
    row = await move(tx, run, "abandon_calculation", "draft", NOTHING)
    effect = Effect(
        kind="calculation_ended",
        subject=payload.run_id,
        message=f"The calculation {ended(status)}; the run is a draft again.",
        ask="Calculate it again, or ask us for help.",
    )
    tell(tx, events.RUN_REOPENED, row, "calculating", [effect], ("status", "totals", "paycheck_count"))


async def preview_calculation(tx: Tx, payload: CalculateRun) -> None:
    """The whole calculation inside a dry run. PreviewTooLarge (422) above 200 workers."""
    workers = await prepare_calculation(tx, payload)
    must_be_few(workers)
    await calculate_workers(tx, payload, workers)
    await finish_calculation(tx, payload)


async def _sums(tx: Tx, run_id: UUID) -> dict[str, int]:
    names = [f"{name}_minor" for name in AMOUNTS]
    sums = await tx.row(
        select(
            func.count().label("paycheck_count"),
            *(func.coalesce(func.sum(_checks.c[name]), 0).label(name) for name in names),
        ).where(_checks.c.tenant_id == TENANT, _checks.c.run_id == run_id)
    )
    assert sums is not None
    return {name: int(value) for name, value in sums.items()}


async def _blocking(tx: Tx, run: Row) -> list[Blocker]:
    """What stands against the approval. Only those who got no paycheck are looked at again."""
    hours = await hours_of_run(tx, run, free=False)
    rows = await tx.fetch(
        select(_checks.c.worker_id).where(_checks.c.tenant_id == TENANT, _checks.c.run_id == run["id"])
    )
    made = {row["worker_id"] for row in rows}
    left = await assess(tx, run, {id_: worked for id_, worked in hours.items() if id_ not in made})
    mended = {id_: Assessed(each.profile, (not_calculated(run),)) for id_, each in left.items() if not each.blocked}
    found = await approval_blockers(tx, run, hours, {**left, **mended})
    return [each for each in found if each.severity == BLOCKING]


def _check_row(check_id: UUID, run: Row, each: Assessed, pay: Pay, result: calc.PaycheckResult) -> dict[str, Any]:
    profile = each.profile
    return {
        "id": check_id,
        "run_id": run["id"],
        "worker_id": profile.id,
        "number": profile.number,
        "bank_account_id": profile.bank_account.id if profile.bank_account else None,
        "pay_date": run["pay_date"],
        "gross_minor": result.gross,
        **{f"{name}_minor": _sum_of(result, kind) for name, kind in KINDS.items()},
        "net_minor": result.net,
        "hours_hundredths": int(pay.hours * 100),
        "inputs": pay.inputs,
        "notes": [{"code": code, "detail": detail} for code, detail in (*pay.notes, *result.notes)],
        "tables": each.tables,
    }


def _sum_of(result: calc.PaycheckResult, kind: str) -> int:
    return sum(line.cents for line in result.lines if line.kind == kind)


def _line_rows(check_id: UUID, pay: Pay, lines: Sequence[ResultLine]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "code": earning.code,
            "kind": "earning",
            "jurisdiction": "US",
            "amount_minor": earning.cents,
            "wages_minor": None,
            "programme": False,
            "assignment_id": UUID(earning.assignment) if earning.assignment else None,
            "workweek": begin,
            "hours_hundredths": int(earning.hours * 100),
            "rate_micros": int(earning.rate * 1_000_000),
            "deduction_id": None,
            "withholding_order_id": None,
        }
        for (begin, _), week in zip(pay.inputs.worked, pay.weeks, strict=True)
        for earning in week.lines
    ]
    rows += [
        {
            "code": line.code,
            "kind": line.kind,
            "jurisdiction": line.jurisdiction,
            "amount_minor": line.cents,
            "wages_minor": line.wages,
            "programme": line.programme,
            "assignment_id": None,
            "workweek": None,
            "hours_hundredths": None,
            "rate_micros": None,
            "deduction_id": line.record if line.kind == calc.DEDUCTION else None,
            "withholding_order_id": line.record if line.kind == calc.GARNISHMENT else None,
        }
        for line in lines
    ]
    return [{"paycheck_id": check_id, "line": place, **row} for place, row in enumerate(rows)]
