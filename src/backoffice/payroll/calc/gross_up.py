"""Gross-up: the pay that leaves a wanted net pay (an award "of 1,000.00 net", a settlement).

No tax, order or percentage falls when pay rises, so a cent more of pay is at most a cent more of net pay: whoever is
short by some cents needs at least as many more. Stepping by what is still short therefore never passes the smallest
answer. Where net pay jumps over the wanted amount all the same, the nearest net pay is answered, of two the larger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from backoffice.payroll.calc.engine import gross_to_net
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import LARGEST_CENTS, Columns, Paycheck


@dataclass(frozen=True, slots=True)
class GrossUp:
    """`addition` (cents) to the gross gives `net`; `exact` says whether that is the net pay that was wanted."""

    addition: int
    net: int
    exact: bool


def gross_up(check: Paycheck, net: int, tables: Tables, *, supplemental: bool = False) -> GrossUp:
    """The smallest addition to the pay of `check` that leaves `net` cents, as regular or as supplemental wages of its
    first state of work. ValueError when the paycheck leaves more already or no pay is enough; ValidationFailed for a
    paycheck that cannot be calculated."""
    if supplemental and check.detail is None:
        raise ValueError("supplemental wages need the detail of the paycheck")
    base = Columns.of([check])
    addition, reached = 0, _net(base, 0, tables, supplemental)
    if reached > net:
        raise ValueError(f"the paycheck leaves {reached} cents already, more than {net}")
    below = (addition, reached)
    while reached < net:
        below = (addition, reached)
        addition += net - reached
        if addition + check.gross > LARGEST_CENTS:
            raise ValueError(f"no pay up to {LARGEST_CENTS} cents leaves {net}")
        reached = _net(base, addition, tables, supplemental)
    if reached - net > net - below[1]:
        addition, reached = below
    return GrossUp(addition, reached, reached == net)


def _net(base: Columns, addition: int, tables: Tables, supplemental: bool) -> int:
    names = ("gross", "income_tax_wages", "social_security_wages", "medicare_wages", "futa_wages")
    changed: dict[str, Any] = {name: getattr(base, name) + addition for name in names}
    wages = base.work.wages.copy()
    wages[0] += addition
    changed["work"] = replace(base.work, wages=wages)
    if supplemental and base.detail is not None:
        changed["detail"] = replace(base.detail, supplemental=base.detail.supplemental + addition)
    return int(gross_to_net(replace(base, **changed), tables).net[0])
