"""Gross-up: the pay that leaves a wanted net pay (an award "of 1,000.00 net", a settlement).

No tax, order or percentage falls when pay rises, so a cent more of pay is at most a cent more of net pay: whoever is
short by some cents needs at least as many more. Stepping by what is still short therefore never passes the smallest
answer. Where net pay jumps over the wanted amount all the same, the nearest net pay is answered, of two the larger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backoffice.kernel.money import format_minor
from backoffice.payroll.calc.detail import Detail, PayDetail
from backoffice.payroll.calc.engine import gross_to_net
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import LARGEST_CENTS, Columns, Int64s


@dataclass(frozen=True, slots=True)
class GrossUp:
    """`addition` (cents) to the gross gives `net`; `exact` says whether that is the net pay that was wanted."""

    addition: int
    net: int
    exact: bool


def gross_up(columns: Columns, net: int, tables: Tables, *, supplemental: bool = False) -> GrossUp:
    """The smallest addition to the pay of one paycheck that leaves `net` cents, as regular or as supplemental wages of
    its first state of work and, of places with a tax of their own, of the home and the first place of work.
    ValueError when the paycheck leaves more already or no pay is enough; ValidationFailed for a paycheck that cannot
    be calculated."""
    if len(columns) != 1:
        raise ValueError("one paycheck at a time is grossed up")
    if supplemental and columns.detail is None:
        columns = replace(columns, detail=Detail.of([PayDetail()]))
    gross = int(columns.gross[0])
    addition, reached = 0, _net(columns, 0, tables, supplemental)
    if reached > net:
        raise ValueError(f"the paycheck leaves {format_minor(reached)} already, more than {format_minor(net)}")
    below = (addition, reached)
    while reached < net:
        below = (addition, reached)
        addition += net - reached
        if addition + gross > LARGEST_CENTS:
            raise ValueError(f"no pay up to {format_minor(LARGEST_CENTS)} leaves {format_minor(net)}")
        reached = _net(columns, addition, tables, supplemental)
    if reached - net > net - below[1]:
        addition, reached = below
    return GrossUp(addition, reached, reached == net)


def _net(columns: Columns, addition: int, tables: Tables, supplemental: bool) -> int:
    return int(gross_to_net(more_pay(columns, addition, supplemental), tables).net[0])


def more_pay(columns: Columns, addition: int, supplemental: bool) -> Columns:
    """The same paycheck with so much more pay, in cents."""
    names = ("gross", "income_tax_wages", "social_security_wages", "medicare_wages", "futa_wages")
    changed: dict[str, Any] = {name: getattr(columns, name) + addition for name in names}
    work, local = columns.work, columns.local
    insured = None if work.insured_wages is None else _with_first(work.insured_wages, addition)
    changed["work"] = replace(work, wages=_with_first(work.wages, addition), insured_wages=insured)
    if local is not None:
        away = np.flatnonzero(~local.resident)[:1]
        wages = local.wages + np.where(local.resident, addition, 0)
        wages[away] += addition
        changed["local"] = replace(local, wages=wages)
    if supplemental and columns.detail is not None:
        changed["detail"] = replace(columns.detail, supplemental=columns.detail.supplemental + addition)
    return replace(columns, **changed)


def _with_first(wages: Int64s, addition: int) -> Int64s:
    more = wages.copy()
    more[0] += addition
    return more
