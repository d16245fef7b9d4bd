"""What the calculation is told of the deductions and orders on a paycheck. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from backoffice.payroll import calc
from backoffice.payroll.calc.deduction_law import MONTHLY, DeductionLaw
from backoffice.people.in_effect import DeductionOn, OrderOn


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBefore:
    """What paid paychecks took from a worker, in cents: by deduction in all and this year, by code this month."""

    by_deduction: Mapping[UUID, tuple[int, int]] = field(default_factory=dict)
    month: Mapping[str, int] = field(default_factory=dict)


NOTHING_TAKEN = TakenBefore()


def goal_left(deduction: DeductionOn, taken: TakenBefore) -> int | None:
    """What its goals still want, the nearer one; None without a goal."""
    in_all, in_year = taken.by_deduction.get(deduction.id, (0, 0))
    return nearer_left((deduction.total_goal, in_all), (deduction.yearly_goal, in_year))


def nearer_left(*goals: tuple[int | None, int]) -> int | None:
    """The least that is left of (goal, what was taken towards it), in cents; None where no goal is set."""
    return min((max(0, goal - before) for goal, before in goals if goal is not None), default=None)


def deductions_told(deductions: Sequence[DeductionOn], taken: TakenBefore) -> tuple[calc.Deduction, ...]:
    """One for each, in their order; what has reached its goal takes nothing more."""
    return tuple(
        calc.Deduction(code=each.code, amount=each.amount, percent=each.percent, left=goal_left(each, taken))
        for each in deductions
    )


def orders_told(orders: Sequence[OrderOn]) -> tuple[calc.Garnishment, ...]:
    same = ("kind", "amount", "percent", "supports_other_family", "arrears_over_12_weeks", "dependents")
    return tuple(calc.Garnishment(**{name: getattr(each, name) for name in same}) for each in orders)


def limits_used(
    deductions: Sequence[DeductionOn], in_year: Mapping[str, int], taken: TakenBefore, law: DeductionLaw | None
) -> dict[str, int]:
    """By the name of each limit that these deductions are held against, what was taken of it before (cents): this year,
    or this month where the limit is a month's. `in_year` is by code."""
    used: dict[str, int] = {}
    if law is None:
        return used
    for each in deductions:
        name = law.limit_of(each.code)
        if name is not None:
            before = taken.month if name in MONTHLY else in_year
            used[name] = sum(before.get(code, 0) for code in calc.DEDUCTIONS if law.limit_of(code) == name)
    return used


def is_levy_first(orders: Sequence[OrderOn]) -> bool:
    """Whether a federal levy was served before a support order, and so comes before it (IRC 6334(a)(8))."""
    served: dict[str, list[OrderOn]] = defaultdict(list)
    for each in orders:
        served[each.kind].append(each)
    return any(levy.served_on < support.served_on for levy in served["federal_levy"] for support in served["support"])
