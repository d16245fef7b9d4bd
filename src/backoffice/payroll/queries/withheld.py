"""What paid paychecks have taken by deductions and orders: where a goal or a limit asks for it, and for who asks."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Column, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from backoffice.accounts import queries as accounts
from backoffice.kernel import ids
from backoffice.kernel.dates import local_date
from backoffice.kernel.money import parse_minor
from backoffice.payroll import calc, models
from backoffice.payroll.calc.deduction_law import MONTHLY
from backoffice.payroll.schemas import DeductionWithheld, OrderWithheld
from backoffice.payroll.withheld import TakenBefore, nearer_left
from backoffice.people import queries as people
from backoffice.people.in_effect import DeductionOn
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Tx
from backoffice.platform.web.bodies import MoneyBody

_checks, _lines, _runs = models.paycheck, models.paycheck_line, models.payroll_run
ByWorker = Mapping[UUID, tuple[DeductionOn, ...]]


async def taken_before(tx: Tx, employer_id: UUID, deductions: ByWorker, on: date) -> dict[UUID, TakenBefore]:
    """By worker, what posted paychecks took, in all and in the year and month of the payday `on`. A canceled run never
    posts; where a deposit came back, it is the net that did. One statement, none where nobody asks."""
    law = calc.Tables.load().deductions.get(on.year)
    asking = [
        id_
        for id_, each in deductions.items()
        if any(
            one.total_goal is not None
            or one.yearly_goal is not None
            or (law is not None and law.limit_of(one.code) in MONTHLY)
            for one in each
        )
    ]
    if not asking:
        return {}
    cents, day = _lines.c.amount_minor, _checks.c.pay_date
    in_year = day.between(on.replace(month=1, day=1), on.replace(month=12, day=31))
    in_month = day.between(on.replace(day=1), on.replace(day=monthrange(on.year, on.month)[1]))
    rows = await tx.fetch(
        select(
            _checks.c.worker_id,
            _lines.c.deduction_id,
            _lines.c.code,
            func.sum(cents).label("in_all"),
            func.coalesce(func.sum(cents).filter(in_year), 0).label("in_year"),
            func.coalesce(func.sum(cents).filter(in_month), 0).label("in_month"),
        )
        .select_from(
            _checks.join(_lines, _lines.c.paycheck_id == _checks.c.id).join(_runs, _runs.c.id == _checks.c.run_id)
        )
        .where(
            _checks.c.tenant_id == TENANT,
            _lines.c.tenant_id == TENANT,
            _runs.c.tenant_id == TENANT,
            _runs.c.employer_id == employer_id,
            _checks.c.worker_id == any_(literal(asking, ARRAY(Id))),
            _checks.c.payment != "pending",
            _lines.c.deduction_id.is_not(None),
        )
        .group_by(_checks.c.worker_id, _lines.c.deduction_id, _lines.c.code)
    )
    by_deduction: dict[UUID, dict[UUID, tuple[int, int]]] = {}
    month: dict[UUID, dict[str, int]] = {}
    for row in rows:
        sums = int(row["in_all"]), int(row["in_year"])
        by_deduction.setdefault(row["worker_id"], {})[row["deduction_id"]] = sums
        of_month = month.setdefault(row["worker_id"], {})
        of_month[row["code"]] = of_month.get(row["code"], 0) + int(row["in_month"])
    return {id_: TakenBefore(by_deduction=by_deduction[id_], month=month[id_]) for id_ in by_deduction}


async def deduction_withheld(tx: Tx, id_: str) -> DeductionWithheld:
    """What posted paychecks took by a deduction, and what its goals still want. NotFound."""
    deduction = await people.deduction(tx, id_)
    told, in_all, in_year = await _taken_by(tx, _lines.c.deduction_id, ids.decode("deduction", deduction.id))
    goals = ((deduction.total_goal, in_all), (deduction.yearly_goal, in_year))
    left = nearer_left(*((None if goal is None else parse_minor(goal.amount), before) for goal, before in goals))
    shown = None if left is None else MoneyBody.of(left)
    return DeductionWithheld(id=deduction.id, livemode=deduction.livemode, left=shown, **told)


async def order_withheld(tx: Tx, id_: str) -> OrderWithheld:
    """What posted paychecks withheld by an order on wages. NotFound."""
    order = await people.order(tx, id_)
    told, _, _ = await _taken_by(tx, _lines.c.withholding_order_id, ids.decode("withholding_order", order.id))
    return OrderWithheld(id=order.id, livemode=order.livemode, **told)


async def _taken_by(tx: Tx, of: Column[Any], id_: UUID | None) -> tuple[dict[str, Any], int, int]:
    """Of one record: the fields that are shown; cents in all; cents in the year that it is by the tenant's clock."""
    year = local_date((await accounts.tenant_settings(tx)).time_zone, await tx.now()).year
    cents, day = _lines.c.amount_minor, _checks.c.pay_date
    of_year = day.between(date(year, 1, 1), date(year, 12, 31))
    row = await tx.row(
        select(
            func.count(_checks.c.id.distinct()).label("paychecks"),
            func.max(day).label("last"),
            func.coalesce(func.sum(cents), 0).label("in_all"),
            func.coalesce(func.sum(cents).filter(of_year), 0).label("in_year"),
        )
        .select_from(_lines.join(_checks, _checks.c.id == _lines.c.paycheck_id))
        .where(_lines.c.tenant_id == TENANT, _checks.c.tenant_id == TENANT, of == literal(id_, Id),
               _checks.c.payment != "pending")
    )  # fmt: skip
    assert row is not None
    in_all, in_year = int(row["in_all"]), int(row["in_year"])
    told = {
        "paychecks": row["paychecks"],
        "last_pay_date": row["last"],
        "in_all": MoneyBody.of(in_all),
        "this_year": MoneyBody.of(in_year),
    }
    return told, in_all, in_year


async def limit_births(tx: Tx, deductions: ByWorker, on: date) -> dict[UUID, int]:
    """By worker, a year of birth that has the same limits as the worker's own, where a limit rises with age: no more is
    kept of it. Workers whose birth date is not on file are left out."""
    law = calc.Tables.load().deductions.get(on.year)
    if law is None:
        return {}
    rising = {code for at, code in enumerate(calc.DEDUCTIONS) if law.catch_up(at)}
    asking = [id_ for id_, each in deductions.items() if any(one.code in rising for one in each)]
    born: dict[UUID, Any] = await people.birth_years(tx, asking) if asking else {}
    return {id_: law.same_limits(year) for id_, year in born.items()}
