"""What the books ask of a calculation: of a paycheck with deductions, the wages that each tax was taken from, and what
each of several deductions of one code got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backoffice.payroll.calc.deduction_limits import each_asked
from backoffice.payroll.calc.detail import DEDUCTIONS
from backoffice.payroll.calc.garnishments import in_turn
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import Columns, FederalWages
from backoffice.payroll.calc.result import DEDUCTION, Results


@dataclass(frozen=True, slots=True)
class WagesLeft:
    """The wages of one paycheck that its deductions left, in cents: the four federal bases; for each entry of its work
    those of the income tax and those of programmes and unemployment insurance; by place those of local taxes."""

    federal: FederalWages
    income: tuple[int, ...]
    insured: tuple[int, ...]
    local: Mapping[str, int]


def wages_left(results: Results, row: int) -> WagesLeft:
    """The wages of one paycheck of a batch in which some have details."""
    taxed = results.taxed
    assert taxed is not None, "without details nothing lowers wages"
    own, local = np.flatnonzero(taxed.work.paycheck == row), taxed.local
    places = {}
    if local is not None:
        for at in np.flatnonzero(local.paycheck == row).tolist():
            places[local.places[int(local.place[at])]] = int(local.wages[at])
    federal = FederalWages(
        income_tax=int(taxed.income_tax_wages[row]),
        social_security=int(taxed.social_security_wages[row]),
        medicare=int(taxed.medicare_wages[row]),
        futa=int(taxed.futa_wages[row]),
    )
    return WagesLeft(federal, tuple(taxed.work.wages[own].tolist()), tuple(taxed.work.insured[own].tolist()), places)


def deduction_shares(columns: Columns, results: Results, tables: Tables) -> list[tuple[int, ...]]:
    """By paycheck, what each of its deductions got (cents, in their order): those of one code one after the other, each
    up to what it asked."""
    detail = columns.detail
    if detail is None:
        return [()] * len(columns)
    orders, wages = detail.deductions, columns.gross - detail.nontaxable
    got = np.zeros(len(orders.paycheck), dtype=np.int64)
    years = columns.pay_date.astype("datetime64[Y]").astype(np.int64) + 1970
    for code in np.unique(orders.code).tolist():
        entries = np.flatnonzero(orders.code == code)
        owners = orders.paycheck[entries]
        limits = {year: int(tables.deductions[year].line_limit[code]) for year in set(years[owners].tolist())}
        each_limit = np.array([limits[year] for year in years[owners].tolist()], dtype=np.int64)
        asked = np.minimum(each_asked(orders, entries, wages), each_limit)
        got[entries] = in_turn(owners, asked, results.column(DEDUCTIONS[code], DEDUCTION)[owners])
    shares: list[list[int]] = [[] for _ in range(len(columns))]
    for row, cents in zip(orders.paycheck.tolist(), got.tolist(), strict=True):
        shares[row].append(cents)
    return [tuple(each) for each in shares]
