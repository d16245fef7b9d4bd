"""What a paycheck may carry beside its wages: deductions, garnishments, and the parts of its pay that have rules of
their own. Absent from a batch, it costs nothing.

As in `paycheck.py` a column has one entry per paycheck; orders (deductions, garnishments) are long columns with the row
of their paycheck beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]

# In the order in which they are taken. Those before `roth_401k` lower a tax and come before the taxes; the others come
# after taxes and garnishments. The order gives the codes that stand in the columns.
DEDUCTIONS = (
    "section_125_medical_dental_vision", "health_fsa", "dependent_care_fsa", "hsa_through_cafeteria_plan",
    "commuter_132f", "pretax_401k_403b_457b", "adoption_assistance_137", "roth_401k",
    "hsa_outside_cafeteria_plan_after_tax", "advance_repayment", "union_dues", "after_tax_insurance", "charity",
    "after_tax_deductions_and_garnishments", "uniforms_and_tools", "shortage_or_damage",
)  # fmt: skip
GARNISHMENTS = ("support", "federal_levy", "student_loan", "creditor")  # in the order in which they are taken
HOURS_SCALE = 10_000
LARGEST_HOURS = 9_999
_MOST = 999_999_999_999  # LARGEST_CENTS of paycheck.py, which stands on this file


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduction:
    """`amount` in cents, or `percent` in millionths of the wages paid in money (0.05 is 50_000). `left`: what its goal
    still wants, in cents; None: it has no goal."""

    code: str
    amount: int | None = None
    percent: int | None = None
    left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Garnishment:
    """`amount` in cents or `percent` in millionths of disposable earnings; a levy with neither takes all it may.
    `dependents` of the statement a worker returned with a levy or a creditor's order; None: there was no statement."""

    kind: str
    amount: int | None = None
    percent: int | None = None
    supports_other_family: bool = False
    arrears_over_12_weeks: bool = False
    dependents: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayDetail:
    """The detail of one `Paycheck`, whose `gross` is all that is paid in money.

    Cents: `nontaxable` is the part of gross that is no wages (expenses), `tips` the part that customers gave,
    `supplemental` the part of the wages that is supplemental, `bonus` the part of that which is bonus or stock;
    `elective_deferrals` and `supplemental_wages` were paid earlier this year. `hours` worked in ten-thousandths, None
    when they are not known. `futa_reduction` is the credit reduction that the employer expects for its state, in
    millionths of FUTA wages. `deducted` by the name of a limit other than that of elective deferrals: what was taken
    earlier in the year (of the commuter's, in the month); a limit that is absent is held against this paycheck alone,
    with a note."""

    deductions: tuple[Deduction, ...] = ()
    garnishments: tuple[Garnishment, ...] = ()
    birth_year: int | None = None
    elective_deferrals: int = 0
    supplemental_wages: int = 0
    supplemental: int = 0
    bonus: int = 0
    nontaxable: int = 0
    tips: int = 0
    aggregate: bool = False
    hours: int | None = None
    futa_reduction: int | None = None
    deducted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeductionOrders:
    """`code` indexes DEDUCTIONS; `amount` in cents or `percent` in millionths, the other is zero; `left` is None where
    none has a goal, and the largest amount for those that have none beside others."""

    paycheck: Int64s
    code: Int64s
    amount: Int64s
    percent: Int64s
    left: Int64s | None = None


@dataclass(frozen=True, slots=True)
class GarnishmentOrders:
    """`kind` indexes GARNISHMENTS; `amount` and `percent` are -1 where they are not given, `dependents` too."""

    paycheck: Int64s
    kind: Int64s
    amount: Int64s
    percent: Int64s
    other_family: Bools
    arrears: Bools
    dependents: Int64s


@dataclass(frozen=True, slots=True)
class Detail:
    """The details of many paychecks, as `PayDetail` says; `birth_year`, `hours`, `futa_reduction` and the columns of
    `deducted` are -1 where they are not known."""

    birth_year: Int64s
    elective_before: Int64s
    supplemental_before: Int64s
    supplemental: Int64s
    bonus: Int64s
    nontaxable: Int64s
    tips: Int64s
    aggregate: Bools
    hours: Int64s
    futa_reduction: Int64s
    deductions: DeductionOrders
    garnishments: GarnishmentOrders
    deducted: Mapping[str, Int64s] = field(default_factory=dict)

    def take(self, wanted: Int64s) -> Self:
        """The details of the named paychecks, in that order."""
        columns: dict[str, Any] = {name: getattr(self, name)[wanted] for name in PER_PAYCHECK}
        for name in ("deductions", "garnishments"):
            columns[name] = _taken(getattr(self, name), wanted)
        columns["deducted"] = {name: column[wanted] for name, column in self.deducted.items()}
        return type(self)(**columns)

    @classmethod
    def of(cls, details: Sequence[PayDetail | None]) -> Self | None:
        """Columns, or None when no paycheck has a detail. ValueError for an unknown code or kind."""
        if not any(details):
            return None
        own = [detail or PayDetail() for detail in details]
        limits = sorted({name for detail in own for name in detail.deducted})
        deductions = [(row, order) for row, detail in enumerate(own) for order in detail.deductions]
        garnishments = [(row, order) for row, detail in enumerate(own) for order in detail.garnishments]
        return cls(
            birth_year=_ints([-1 if d.birth_year is None else d.birth_year for d in own]),
            elective_before=_ints([d.elective_deferrals for d in own]),
            supplemental_before=_ints([d.supplemental_wages for d in own]),
            supplemental=_ints([d.supplemental for d in own]),
            bonus=_ints([d.bonus for d in own]),
            nontaxable=_ints([d.nontaxable for d in own]),
            tips=_ints([d.tips for d in own]),
            aggregate=np.array([d.aggregate for d in own], dtype=np.bool_),
            hours=_ints([-1 if d.hours is None else d.hours for d in own]),
            futa_reduction=_ints([-1 if d.futa_reduction is None else d.futa_reduction for d in own]),
            deductions=DeductionOrders(
                paycheck=_ints([row for row, _ in deductions]),
                code=_ints([DEDUCTIONS.index(order.code) for _, order in deductions]),
                amount=_ints([order.amount or 0 for _, order in deductions]),
                percent=_ints([order.percent or 0 for _, order in deductions]),
                left=None
                if all(order.left is None for _, order in deductions)
                else _ints([_MOST if order.left is None else order.left for _, order in deductions]),
            ),
            garnishments=GarnishmentOrders(
                paycheck=_ints([row for row, _ in garnishments]),
                kind=_ints([GARNISHMENTS.index(order.kind) for _, order in garnishments]),
                amount=_ints([-1 if order.amount is None else order.amount for _, order in garnishments]),
                percent=_ints([-1 if order.percent is None else order.percent for _, order in garnishments]),
                other_family=np.array([order.supports_other_family for _, order in garnishments], dtype=np.bool_),
                arrears=np.array([order.arrears_over_12_weeks for _, order in garnishments], dtype=np.bool_),
                dependents=_ints([-1 if order.dependents is None else order.dependents for _, order in garnishments]),
            ),
            deducted={name: _ints([detail.deducted.get(name, -1) for detail in own]) for name in limits},
        )


PER_PAYCHECK = tuple(
    each.name for each in fields(Detail) if each.name not in {"deductions", "garnishments", "deducted"}
)


def _taken(orders: Any, wanted: Int64s) -> Any:
    owners = orders.paycheck
    by_paycheck = np.arange(len(owners))
    if len(owners) and (np.diff(owners) < 0).any():
        by_paycheck = np.argsort(owners, kind="stable")
        owners = owners[by_paycheck]
    first = np.searchsorted(owners, wanted, side="left")
    counts = np.searchsorted(owners, wanted, side="right") - first
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    at = by_paycheck[np.repeat(first, counts) + within]
    there = {each.name: getattr(orders, each.name) for each in fields(orders)}
    columns = {name: None if column is None else column[at] for name, column in there.items()}
    return type(orders)(**columns | {"paycheck": np.repeat(np.arange(len(wanted), dtype=np.int64), counts)})


def _ints(values: Sequence[int]) -> Int64s:
    return np.array(values, dtype=np.int64)
