"""Deductions with a goal, limits of which a part is used, and what several deductions of one code get."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.payroll.calc import (
    W4,
    Columns,
    Deduction,
    Paycheck,
    PayDetail,
    Tables,
    Work,
    deduction_shares,
    explain,
    gross_to_net,
    wages_left,
)
from backoffice.payroll.calc.garnishments import in_turn

TABLES = Tables.load()


def check(*orders: Deduction, gross: int = 100_000, **detail: Any) -> Paycheck:
    return Paycheck(
        pay_date=date(2026, 11, 20), pay_frequency="weekly", gross=gross, w4=W4(), work=(Work(state="TX"),),
        detail=PayDetail(deductions=orders, **detail),
    )  # fmt: skip


def shares(*checks: Paycheck) -> list[tuple[int, ...]]:
    columns = Columns.of(checks)
    return deduction_shares(columns, gross_to_net(columns, TABLES), TABLES)


def notes(one: Paycheck) -> set[str]:
    return {code for code, _ in gross_to_net(Columns.of([one]), TABLES).paycheck(0).notes}


def test_a_goal_ends_a_deduction_by_amount_and_by_percent_and_says_why() -> None:
    by_amount = Deduction(code="advance_repayment", amount=10_000, left=2_550)
    by_percent = Deduction(code="charity", percent=100_000, left=30)
    reached = Deduction(code="union_dues", amount=500, left=0)
    without = Deduction(code="after_tax_insurance", amount=700)
    one = check(by_amount, by_percent, reached, without)
    assert shares(one, check(without), replace(one, detail=None)) == [(2_550, 30, 0, 700), (700,), ()]
    assert "deduction_cut_to_limit" not in notes(one)
    steps = {line.code: line.steps for line in explain(Columns.of([one]), TABLES).lines}
    assert [step.formula for step in steps["advance_repayment"]][:2] == ["min(wanted, goal_left)", "asked"]
    assert steps["after_tax_insurance"][0].formula == "asked"


def test_of_one_code_the_older_deduction_gets_its_part_first() -> None:
    two = [Deduction(code="charity", amount=60_000), Deduction(code="charity", amount=60_000)]
    net = int(gross_to_net(Columns.of([check()]), TABLES).net[0])
    assert shares(check(*two)) == [(60_000, net - 60_000)]
    transit = Deduction(code="commuter_132f", amount=50_000)
    assert shares(check(transit, transit)) == [(34_000, 34_000)]
    assert shares(check(transit, deducted={"commuter": 30_000})) == [(4_000,)]
    assert shares(check(transit, transit, deducted={"commuter": 30_000})) == [(34_000, 4_000)]


@pytest.mark.parametrize(
    ("code", "limit", "used", "takes"),
    [
        ("health_fsa", "health_fsa", 335_000, 5_000),
        ("dependent_care_fsa", "dependent_care", 750_000, 0),
        ("hsa_outside_cafeteria_plan_after_tax", "hsa", 870_000, 5_000),
    ],
)
def test_a_limit_counts_what_the_year_has_used_of_it(code: str, limit: str, used: int, takes: int) -> None:
    order = Deduction(code=code, amount=20_000)
    one = check(order, deducted={limit: used}, birth_year=2000)
    assert shares(one, check(order)) == [(takes,), (20_000,)]
    assert "deduction_to_date_not_known" not in notes(one)
    assert "deduction_to_date_not_known" in notes(check(order))
    beside = [check(order), one]  # one of two is known: the other keeps its note
    rows = [
        note.rows.tolist()
        for note in gross_to_net(Columns.of(beside), TABLES).notes
        if note.code == "deduction_to_date_not_known"
    ]
    assert rows == [[0]]


def test_the_wages_left_to_each_tax() -> None:
    """Section 125 lowers every wage, 401(k) the income taxes', and in Pennsylvania not the state's."""
    orders = (
        Deduction(code="section_125_medical_dental_vision", amount=10_000),
        Deduction(code="pretax_401k_403b_457b", amount=5_000),
    )
    place = TABLES.localities[2026].find("PA", "Philadelphia")
    assert place is not None
    parts, _ = TABLES.localities[2026].parts([(place, 100_000)], place)
    one = replace(check(*orders), work=(Work(state="PA"),), local=tuple(parts))
    columns = Columns.of([check(gross=50_000), one])
    left = wages_left(gross_to_net(columns, TABLES), 1)
    federal = left.federal
    assert (federal.income_tax, federal.social_security, federal.medicare, federal.futa) == (
        85_000, 90_000, 90_000, 90_000
    )  # fmt: skip
    assert (left.income, left.insured, left.local) == ((90_000,), (90_000,), {parts[0].place: 90_000})
    untouched = wages_left(gross_to_net(columns, TABLES), 0)
    assert (untouched.federal.futa, untouched.income, untouched.local) == (50_000, (50_000,), {})


def test_a_year_of_birth_stands_for_its_limits_alone() -> None:
    law = TABLES.deductions[2026]
    years = range(1940, 2027)
    ages = law.ages(np.array([law.same_limits(year) for year in years]))
    own = law.ages(np.array(list(years)))
    assert (law.limit[:, ages] == law.limit[:, own]).all()
    assert {law.same_limits(year) for year in years} == {2026 - age for age in (0, 50, 55, 60, 64)}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 500)), min_size=1, max_size=12), st.integers(0, 900))
def test_in_turn_gives_out_what_there_is_and_no_more(wanted: list[tuple[int, int]], most: int) -> None:
    owners = np.array([owner for owner, _ in wanted], dtype=np.int64)
    asked = np.array([cents for _, cents in wanted], dtype=np.int64)
    got = in_turn(owners, asked, np.full(len(wanted), most, dtype=np.int64))
    assert ((got >= 0) & (got <= asked)).all()
    for owner in set(owners.tolist()):
        mine = owners == owner
        assert got[mine].sum() == min(most, asked[mine].sum())
        cut = np.flatnonzero(got[mine] < asked[mine])
        assert not len(cut) or (got[mine][cut[0] + 1 :] == 0).all()
