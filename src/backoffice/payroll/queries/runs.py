"""Runs, and what a run owes to whom."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import ARRAY, Text, any_, func, literal, select

from backoffice.kernel import dates, ids
from backoffice.kernel.errors import NotFound
from backoffice.payroll import models
from backoffice.payroll.assembly import Period
from backoffice.payroll.chart import liability_account
from backoffice.payroll.schemas import PayrollRun, RunTotals, TaxLiability, TaxLiabilityList
from backoffice.payroll.states import STATES
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import MoneyBody, find_id, noun_fields
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page

_runs, _checks, _lines = models.payroll_run, models.paycheck, models.paycheck_line
_ORDERED = ("gt", "gte", "lt", "lte")

RUNS = Listing(
    _runs,
    filters={
        "status": Filter(_runs.c.status, operators=("in",), values=STATES),
        "pay_schedule": Filter(_runs.c.pay_schedule),
        "pay_date": Filter(_runs.c.pay_date, operators=_ORDERED),
        "period_begin": Filter(_runs.c.period_begin, operators=_ORDERED),
        "created_at": Filter(_runs.c.created_at, operators=_ORDERED),
    },
    sorts=("created_at", "pay_date"),
)


def run_view(tx: Tx, row: Row) -> PayrollRun:
    """The outward form of a run."""
    same = ("status", "pay_schedule", "period_begin", "period_end", "pay_date", "created_by", "approved_by")
    return PayrollRun(
        **noun_fields(tx, "payroll_run", row),
        **{name: row[name] for name in (*same, "approved_at", "calculated_at", "paid_at", "paycheck_count")},
        employer_id=ids.encode("employer", row["employer_id"]),
        totals=RunTotals(
            gross=MoneyBody.of(row["gross_minor"]),
            employee_taxes=MoneyBody.of(row["employee_taxes_minor"]),
            employer_taxes=MoneyBody.of(row["employer_taxes_minor"]),
            deductions=MoneyBody.of(row["deductions_minor"]),
            garnishments=MoneyBody.of(row["garnishments_minor"]),
            net=MoneyBody.of(row["net_minor"]),
        ),
    )


def period_of(row: Row) -> Period:
    return Period(row["period_begin"], row["period_end"], row["pay_date"], row["frequency"], row["workweek_starts"])


async def find_run(tx: Tx, id_: str, *, lock: bool = False) -> Row:
    """The row of a run by its id or `ext:` name. NotFound."""
    run_id = await find_id(tx, _runs, "payroll_run", id_)
    statement = select(*_runs.c).where(_runs.c.tenant_id == TENANT, _runs.c.id == run_id)
    row = await tx.row(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFound
    return row


async def run_of_period(tx: Tx, pay_schedule: str, begin: date) -> UUID | None:
    """The run that pays a period of a schedule; a canceled one does not."""
    found = await tx.value(
        select(_runs.c.id).where(
            _runs.c.tenant_id == TENANT,
            _runs.c.pay_schedule == pay_schedule,
            _runs.c.period_begin == begin,
            _runs.c.status != "canceled",
        )
    )
    return None if found is None else UUID(str(found))


async def paid_periods(tx: Tx, run: Row) -> list[dates.Period]:
    """Earlier periods of the run's schedule whose run is paid, in order: their late hours are the next run's."""
    rows = await tx.fetch(
        select(_runs.c.period_begin, _runs.c.period_end)
        .where(
            _runs.c.tenant_id == TENANT,
            _runs.c.pay_schedule == run["pay_schedule"],
            _runs.c.employer_id == run["employer_id"],
            _runs.c.period_end < run["period_begin"],
            _runs.c.status == "paid",
        )
        .order_by(_runs.c.period_begin)
    )
    return [dates.Period(row["period_begin"], row["period_end"]) for row in rows]


async def payroll_run(tx: Tx, id_: str) -> PayrollRun:
    return run_view(tx, await find_run(tx, id_))


async def payroll_runs(tx: Tx, query: Query) -> Page[PayrollRun]:
    return await page(tx, RUNS, query, lambda row: run_view(tx, row))


async def liabilities(tx: Tx, id_: str) -> TaxLiabilityList:
    """One line per tax and jurisdiction, the sum of the run's paycheck lines."""
    run = await find_run(tx, id_)
    rows = await tx.fetch(
        select(
            _lines.c.code,
            _lines.c.jurisdiction,
            _lines.c.kind,
            func.sum(_lines.c.amount_minor).label("amount"),
        )
        .join(_checks, (_checks.c.tenant_id == _lines.c.tenant_id) & (_checks.c.id == _lines.c.paycheck_id))
        .where(
            _lines.c.tenant_id == TENANT,
            _checks.c.tenant_id == TENANT,
            _checks.c.run_id == run["id"],
            _lines.c.kind == any_(literal(list(models.TAXES), ARRAY(Text))),
        )
        .group_by(_lines.c.code, _lines.c.jurisdiction, _lines.c.kind)
        .order_by(_lines.c.jurisdiction, _lines.c.code, _lines.c.kind)
    )
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        side = "employee" if row["kind"] == "employee_tax" else "employer"
        tax = row["code"].removeprefix("employer_")
        sides = found.setdefault((tax, row["jurisdiction"]), {"employee": 0, "employer": 0})
        sides[side] += int(row["amount"])
    data = [
        TaxLiability(
            code=code,
            jurisdiction=jurisdiction,
            account=liability_account(code, jurisdiction).code,
            employee=MoneyBody.of(sides["employee"]),
            employer=MoneyBody.of(sides["employer"]),
            total=MoneyBody.of(sum(sides.values())),
        )
        for (code, jurisdiction), sides in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]))
    ]
    return TaxLiabilityList(data=data, total=MoneyBody.of(sum(sum(sides.values()) for sides in found.values())))
