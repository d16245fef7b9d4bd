"""Paychecks and their lines."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Text, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from backoffice.kernel import ids
from backoffice.kernel.errors import NotFound
from backoffice.payroll import calc, models
from backoffice.payroll.assembly import Inputs, PaidWeeks
from backoffice.payroll.schemas import Paycheck, PaycheckDetail, PaycheckLine, PaycheckNote
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import MoneyBody, find_id, noun_fields
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page

_checks, _lines, _ytd = models.paycheck, models.paycheck_line, models.year_to_date
_runs = models.payroll_run

PAYCHECKS = Listing(
    _checks,
    filters={
        "payroll_run_id": Filter(_checks.c.run_id, kind="payroll_run"),
        "worker_id": Filter(_checks.c.worker_id, kind="worker"),
        "pay_date": Filter(_checks.c.pay_date, operators=("gt", "gte", "lt", "lte")),
        "payment": Filter(_checks.c.payment, values=models.PAYMENTS),
    },
    sorts=("created_at", "pay_date"),
)


def hours_text(hundredths: int) -> str:
    """4125 → "41.25"."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def rate_text(micros: int) -> str:
    """24500000 → "24.50"; up to six decimals, at least two."""
    whole, rest = divmod(micros, 1_000_000)
    decimals = f"{rest:06d}".rstrip("0")
    return f"{whole}.{decimals.ljust(2, '0')}"


def _fields(tx: Tx, row: Row) -> dict[str, Any]:
    return {
        **noun_fields(tx, "paycheck", row),
        "payroll_run_id": ids.encode("payroll_run", row["run_id"]),
        "worker_id": ids.encode("worker", row["worker_id"]),
        "pay_date": row["pay_date"],
        "gross": MoneyBody.of(row["gross_minor"]),
        "employee_taxes": MoneyBody.of(row["employee_taxes_minor"]),
        "employer_taxes": MoneyBody.of(row["employer_taxes_minor"]),
        "deductions": MoneyBody.of(row["deductions_minor"]),
        "garnishments": MoneyBody.of(row["garnishments_minor"]),
        "net": MoneyBody.of(row["net_minor"]),
        "hours": hours_text(row["hours_hundredths"]),
        "payment": row["payment"],
        "bank_account_id": ids.encode("bank_account", row["bank_account_id"]) if row["bank_account_id"] else None,
        "notes": [PaycheckNote(**note) for note in row["notes"]],
        "tables": row["tables"],
    }


async def paychecks(tx: Tx, query: Query) -> Page[Paycheck]:
    return await page(tx, PAYCHECKS, query, lambda row: Paycheck(**_fields(tx, row)))


async def paycheck_row(tx: Tx, id_: str) -> Row:
    """NotFound when it is not this tenant's."""
    paycheck_id = await find_id(tx, _checks, "paycheck", id_)
    row = await tx.row(select(*_checks.c).where(_checks.c.tenant_id == TENANT, _checks.c.id == paycheck_id))
    if row is None:
        raise NotFound
    return row


async def paycheck(tx: Tx, id_: str) -> PaycheckDetail:
    """A paycheck with its lines."""
    row = await paycheck_row(tx, id_)
    lines = (await lines_of(tx, [row["id"]])).get(row["id"], [])
    return PaycheckDetail(**_fields(tx, row), lines=[_line(line) for line in lines])


def _line(row: Row) -> PaycheckLine:
    return PaycheckLine(
        code=row["code"],
        kind=row["kind"],
        jurisdiction=row["jurisdiction"],
        amount=MoneyBody.of(row["amount_minor"]),
        assignment_id=ids.encode("assignment", row["assignment_id"]) if row["assignment_id"] else None,
        workweek=row["workweek"],
        hours=None if row["hours_hundredths"] is None else hours_text(row["hours_hundredths"]),
        rate=None if row["rate_micros"] is None else rate_text(row["rate_micros"]),
        deduction_id=ids.encode("deduction", row["deduction_id"]) if row["deduction_id"] else None,
        withholding_order_id=ids.encode("withholding_order", row["withholding_order_id"])
        if row["withholding_order_id"]
        else None,
    )


async def lines_of(tx: Tx, paycheck_ids: Collection[UUID]) -> dict[UUID, list[Row]]:
    """The lines of many paychecks in order, by paycheck. One statement."""
    rows = await tx.fetch(
        select(*_lines.c)
        .where(_lines.c.tenant_id == TENANT, _lines.c.paycheck_id == any_(literal(list(paycheck_ids), ARRAY(Id))))
        .order_by(_lines.c.paycheck_id, _lines.c.line)
    )
    found: dict[UUID, list[Row]] = {}
    for row in rows:
        found.setdefault(row["paycheck_id"], []).append(row)
    return found


async def of_run(tx: Tx, run_id: UUID) -> list[Row]:
    """Every paycheck of a run, by worker number."""
    return await tx.fetch(
        select(*_checks.c)
        .where(_checks.c.tenant_id == TENANT, _checks.c.run_id == run_id)
        .order_by(_checks.c.number, _checks.c.id)
    )


async def payment_begun(tx: Tx, run_id: UUID) -> bool:
    """Whether any paycheck of the run is posted or sent."""
    posted = select(literal(True)).where(
        _checks.c.tenant_id == TENANT, _checks.c.run_id == run_id, _checks.c.payment != "pending"
    )
    return await tx.row(posted.limit(1)) is not None


async def paid_weeks(tx: Tx, run: Row, worker_ids: Collection[UUID], since: date) -> dict[UUID, PaidWeeks]:
    """What paychecks of other runs of the employer have paid of workweeks from `since` on, hours with their rates of
    then and premiums: by worker, by workweek. As a rule there is no such run, and one statement says so."""
    runs = await tx.fetch(
        select(_runs.c.id).where(
            _runs.c.tenant_id == TENANT,
            _runs.c.employer_id == run["employer_id"],
            _runs.c.id != run["id"],
            _runs.c.period_end >= since,
            _runs.c.status == any_(literal(["approved", "paying", "paid"], ARRAY(Text))),
        )
    )
    if not runs:
        return {}
    rows = await tx.fetch(
        select(_checks.c.worker_id, _checks.c.inputs)
        .where(
            _checks.c.tenant_id == TENANT,
            _checks.c.run_id == any_(literal([each["id"] for each in runs], ARRAY(Id))),
            _checks.c.worker_id == any_(literal(list(worker_ids), ARRAY(Id))),
            _checks.c.payment != "pending",
        )
        .order_by(_checks.c.pay_date, _checks.c.id)
    )
    found: dict[UUID, dict[date, calc.PaidWeek]] = {}
    for row in rows:
        weeks = found.setdefault(row["worker_id"], {})
        for begin, part in msgspec.convert(row["inputs"], Inputs).pays:
            weeks[begin] = weeks.get(begin, calc.PaidWeek()) + part
    return {id_: tuple(sorted(weeks.items())) for id_, weeks in found.items()}


async def paid_to_date(
    tx: Tx, employer_id: UUID, worker_ids: Collection[UUID], year: int
) -> dict[UUID, dict[tuple[str, str, str], tuple[int, int]]]:
    """What paid runs of the year add up to: worker → (kind, code, jurisdiction) → (wages, amount), cents."""
    rows = await tx.fetch(
        select(*_ytd.c).where(
            _ytd.c.tenant_id == TENANT,
            _ytd.c.employer_id == employer_id,
            _ytd.c.worker_id == any_(literal(list(worker_ids), ARRAY(Id))),
            _ytd.c.year == year,
        )
    )
    found: dict[UUID, dict[tuple[str, str, str], tuple[int, int]]] = {}
    for row in rows:
        amounts = found.setdefault(row["worker_id"], {})
        amounts[row["kind"], row["code"], row["jurisdiction"]] = (row["wages_minor"], row["amount_minor"])
    return found
