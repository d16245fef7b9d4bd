"""What paid paychecks have taken by deductions, where a goal or a limit asks for it."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from backoffice.payroll import calc, models
from backoffice.payroll.calc.deduction_law import MONTHLY
from backoffice.payroll.withheld import TakenBefore
from backoffice.people import queries as people
from backoffice.people.in_effect import DeductionOn
from backoffice.platform.db import Tx
from backoffice.platform.tables import TENANT, Id

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
