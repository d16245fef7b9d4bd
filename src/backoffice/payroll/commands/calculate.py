"""Gross to net for a run, behind the queue: prepare, workers in parts, totals; each is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, delete, func, select

from backoffice.accounts import queries as accounts
from backoffice.kernel import ids
from backoffice.kernel.errors import StateConflict
from backoffice.payroll import calc, events, models
from backoffice.payroll.assembly import Pay, pay_of
from backoffice.payroll.commands.moves import move, tell, totals
from backoffice.payroll.queries.blockers import hours_of_run, run_blockers
from backoffice.payroll.queries.derivation import Inputs
from backoffice.payroll.queries.paychecks import year_to_date
from backoffice.payroll.queries.runs import find_run, period_of
from backoffice.payroll.schemas import CalculateRun
from backoffice.people import queries as people
from backoffice.people.schemas import PayProfile
from backoffice.platform.db import Row, Tx
from backoffice.platform.effects import Effect
from backoffice.platform.jobs import queries as jobs
from backoffice.platform.jobs.view import JobView
from backoffice.platform.jobs.view import view as job_view
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.web.bodies import MoneyBody
from backoffice.platform.web.problems import PreviewTooLarge
from backoffice.staffing import commands as staffing

PREVIEW_WORKERS = 200
_checks, _lines, _runs = models.paycheck, models.paycheck_line, models.payroll_run
_RUN = bindparam("run_id", type_=Id)


def parts_of(workers: Sequence[str]) -> list[list[str]]:
    """The workers of a run in about ten parts of 10 to 250: short transactions, visible progress, little to repeat."""
    size = min(250, max(10, -(-len(workers) // 10)))
    return [list(workers[start : start + size]) for start in range(0, len(workers), size)]


async def start_calculation(tx: Tx, id_: str) -> JobView:
    """Queue the calculation of a run that is draft, blocked or ready. RunNotInState (409)."""
    run = await find_run(tx, id_, lock=True)
    row = await move(tx, run["id"], "calculate", "calculating", {"calculation": _runs.c.calculation + 1})
    run_id = ids.encode("payroll_run", run["id"])
    payload = CalculateRun(run_id=run_id, calculation=row["calculation"])
    job_id = await tx.start(payload, key=f"{run_id}:{row['calculation']}")
    await tx.flush()
    return job_view(tx.principal, await jobs.get(tx, job_id))


async def prepare_calculation(tx: Tx, payload: CalculateRun) -> list[str]:
    """Drop what an earlier calculation left, count the approved hours into this run, and say whom to calculate:
    workers' ids, those whom nothing blocks."""
    run = await _calculating(tx, payload)
    await tx.execute(
        delete(_lines).where(
            _lines.c.tenant_id == TENANT,
            _lines.c.paycheck_id.in_(
                select(_checks.c.id).where(_checks.c.tenant_id == TENANT, _checks.c.run_id == _RUN)
            ),
        ),
        run_id=run["id"],
    )
    await tx.execute(delete(_checks).where(_checks.c.tenant_id == TENANT, _checks.c.run_id == _RUN), run_id=run["id"])
    await staffing.release(tx, run["id"])
    hours = await hours_of_run(tx, run, free=True)
    blocked = {each.subject for each in await run_blockers(tx, run, hours) if each.severity == "blocking"}
    workers = [id_ for id_ in hours if ids.encode("worker", id_) not in blocked]
    sheets = sorted({each.timesheet_id for worked in hours.values() for each in worked})
    await staffing.lock_for_run(tx, sheets, run["id"])
    return [ids.encode("worker", id_) for id_ in sorted(workers)]


async def calculate_workers(tx: Tx, payload: CalculateRun, workers: Sequence[str]) -> int:
    """Paychecks of some workers of the run; how many were made."""
    run = await _calculating(tx, payload)
    worker_ids = [id_ for text in workers if (id_ := ids.decode("worker", text))]
    hours = await hours_of_run(tx, run, free=False)
    profiles = await people.pay_profiles(tx, worker_ids, run["pay_date"])
    to_date = await year_to_date(tx, run["employer_id"], worker_ids, run["pay_date"].year)
    employer = await accounts.employer(tx)
    period = period_of(run)
    pays = [pay_of(profiles[id_], hours[id_], period, employer, to_date.get(id_, {})) for id_ in worker_ids]
    if not pays:
        return 0
    results = calc.gross_to_net(calc.Columns.of([pay.check for pay in pays]), calc.Tables.load())
    now = await tx.now()
    check_rows: list[dict[str, Any]] = []
    line_rows: list[dict[str, Any]] = []
    for id_, pay, result in zip(worker_ids, pays, results, strict=True):
        check_id = ids.new(now)
        check_rows.append(_check_row(check_id, run, profiles[id_], pay, result))
        line_rows += _line_rows(check_id, pay, result)
    await tx.insert_many(_checks, check_rows)
    await tx.insert_many(_lines, line_rows)
    return len(pays)


async def finish_calculation(tx: Tx, payload: CalculateRun) -> dict[str, Any]:
    """Add the run up, and say whether it is ready or blocked."""
    run = await _calculating(tx, payload)
    sums = await tx.row(
        select(
            func.count().label("count"),
            *(
                func.coalesce(func.sum(_checks.c[name]), 0).label(name)
                for name in ("gross_minor", "employee_taxes_minor", "employer_taxes_minor", "net_minor")
            ),
        ).where(_checks.c.tenant_id == TENANT, _checks.c.run_id == _RUN),
        run_id=run["id"],
    )
    assert sums is not None
    values = {name: int(cents) for name, cents in sums.items() if name != "count"}
    hours = await hours_of_run(tx, run, free=False)
    blocking = [each for each in await run_blockers(tx, run, hours) if each.severity == "blocking"]
    to = "blocked" if blocking else "ready"
    row = await move(
        tx,
        run["id"],
        "finish_calculation",
        to,
        {**values, "paycheck_count": sums["count"], "calculated_at": await tx.now()},
    )
    subject = ids.encode("payroll_run", run["id"])
    net = MoneyBody.of(values["net_minor"])
    calculated = Effect(
        kind="payroll_calculated",
        subject=subject,
        before=totals(run) if run["calculated_at"] else None,
        after=totals(row),
        message=(
            f"{sums['count']} paychecks were calculated; "
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
    return {"status": to, "paychecks": sums["count"], "blockers": len(blocking)}


async def abandon_calculation(tx: Tx, payload: CalculateRun, status: str) -> None:
    """The job ended without success: the run is a draft again, with its hours released."""
    run = await find_run(tx, payload.run_id, lock=True)
    if run["status"] != "calculating" or run["calculation"] != payload.calculation:
        return
    await staffing.release(tx, run["id"])
    row = await move(tx, run["id"], "abandon_calculation", "draft")
    effect = Effect(
        kind="calculation_ended",
        subject=payload.run_id,
        message=f"The calculation {status}; the run is a draft again.",
        ask="Calculate it again, or ask us for help.",
    )
    tell(tx, events.RUN_REOPENED, row, "calculating", [effect])


async def preview_calculation(tx: Tx, payload: CalculateRun) -> None:
    """The whole calculation inside a dry run. PreviewTooLarge above 200 workers."""
    workers = await prepare_calculation(tx, payload)
    if len(workers) > PREVIEW_WORKERS:
        raise PreviewTooLarge(f"The run has {len(workers)} workers; a preview covers at most {PREVIEW_WORKERS}.")
    await calculate_workers(tx, payload, workers)
    await finish_calculation(tx, payload)


async def _calculating(tx: Tx, payload: CalculateRun) -> Row:
    run = await find_run(tx, payload.run_id)
    if run["status"] != "calculating" or run["calculation"] != payload.calculation:
        raise StateConflict("This calculation is no longer wanted.")
    return run


def _check_row(check_id: UUID, run: Row, profile: PayProfile, pay: Pay, result: calc.PaycheckResult) -> dict[str, Any]:
    employer_taxes = sum(line.cents for line in result.lines if line.kind == "employer_tax")
    return {
        "id": check_id,
        "run_id": run["id"],
        "worker_id": profile.id,
        "number": profile.number,
        "bank_account_id": profile.bank_account.id if profile.bank_account else None,
        "pay_date": run["pay_date"],
        "gross_minor": result.gross,
        "employee_taxes_minor": result.gross - result.net,
        "employer_taxes_minor": employer_taxes,
        "net_minor": result.net,
        "hours_hundredths": int(pay.hours * 100),
        "inputs": msgspec.to_builtins(Inputs(check=pay.check, worked=pay.worked), str_keys=True),
        "notes": [{"code": code, "detail": detail} for code, detail in result.notes],
        "tables": dict(result.tables),
    }


def _line_rows(check_id: UUID, pay: Pay, result: calc.PaycheckResult) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "paycheck_id": check_id,
            "code": earning.code,
            "kind": "earning",
            "jurisdiction": "US",
            "amount_minor": earning.cents,
            "programme": False,
            "assignment_id": UUID(earning.assignment) if earning.assignment else None,
            "hours_hundredths": int(earning.hours * 100),
            "rate_micros": int(earning.rate * 1_000_000),
        }
        for week in pay.weeks
        for earning in week.lines
    ]
    rows += [
        {
            "paycheck_id": check_id,
            "code": line.code,
            "kind": line.kind,
            "jurisdiction": line.jurisdiction,
            "amount_minor": line.cents,
            "programme": line.programme,
            "assignment_id": None,
            "hours_hundredths": None,
            "rate_micros": None,
        }
        for line in result.lines
        if line.kind in ("employee_tax", "employer_tax")
    ]
    for place, row in enumerate(rows):
        row["line"] = place
    return rows
