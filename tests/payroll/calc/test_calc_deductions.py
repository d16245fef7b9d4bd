"""Deductions lower exactly the taxes they should, within limit and pay; a plain Decimal says so too."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.payroll.calc import W4, Columns, Paycheck, Tables, Work, gross_to_net
from backoffice.payroll.calc.detail import DEDUCTIONS, GARNISHMENTS, Deduction, Garnishment, PayDetail
from backoffice.payroll.calc.result import PaycheckLine, PaycheckResult

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "payroll" / "us_federal_2026.toml"
# IRS Publication 15 (2026), section 5 and Publication 15-B: income tax, social security, Medicare, FUTA.
LOWERS = {
    "section_125_medical_dental_vision": (1, 1, 1, 1), "health_fsa": (1, 1, 1, 1), "dependent_care_fsa": (1, 1, 1, 1),
    "hsa_through_cafeteria_plan": (1, 1, 1, 1), "commuter_132f": (1, 1, 1, 1),
    "pretax_401k_403b_457b": (1, 0, 0, 0), "adoption_assistance_137": (1, 0, 0, 0), "roth_401k": (0, 0, 0, 0),
}  # fmt: skip
NJ_TAXES = {"section_125_medical_dental_vision", "health_fsa", "dependent_care_fsa", "hsa_through_cafeteria_plan"}


def check(*orders: Deduction, state: str = "TX", gross: int = 200_000, **detail: Any) -> Paycheck:
    return Paycheck(
        pay_date=date(2026, 11, 20), pay_frequency="biweekly", gross=gross, w4=W4(), work=(Work(state=state),),
        detail=PayDetail(deductions=orders, **detail),
    )  # fmt: skip


def paid(one: Paycheck) -> PaycheckResult:
    return gross_to_net(Columns.of([one]), Tables.load()).paycheck(0)


def noted(result: PaycheckResult) -> set[str]:
    return {code for code, _ in result.notes}


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference figures are not beside the project")
def test_every_code_of_the_reference_has_its_four_bases_here() -> None:
    bases = {k: v for k, v in tomllib.loads(REFERENCE.read_text())["wage_bases"].items() if isinstance(v, list)}
    law = Tables.load().deductions[2026]
    ours = {code: law.lowers[at].astype(int).tolist() for at, code in enumerate(DEDUCTIONS)}
    assert {code: ours[code] for code in bases if code != "columns"} == {
        k: v for k, v in bases.items() if k != "columns"
    }


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(LOWERS)), st.integers(1, 30_000), st.sampled_from(["TX", "PA", "IL"]))
def test_a_plain_decimal_agrees_on_every_base(code: str, cents: int, state: str) -> None:
    result, amount, lowers = paid(check(Deduction(code=code, amount=cents), state=state)), Decimal(cents), LOWERS[code]

    def tax(rate: str, base: int) -> int:
        return int((Decimal(rate) * (200_000 - amount * lowers[base])).quantize(Decimal(1), ROUND_HALF_UP))

    assert result.amount(code) == cents
    assert result.amount("social_security") == tax("0.062", 1)
    assert result.amount("medicare") == tax("0.0145", 2)
    assert result.amount("futa") == tax("0.006", 3)
    # 1i = 26 x wages - 8,600; the wages here stay in the 12 % row from 19,900 with 1,240.
    annual = (200_000 - amount * lowers[0]) * 26 - 860_000
    expected = (Decimal(124_000) + (annual - 1_990_000) * Decimal("0.12")) / 26
    assert result.amount("federal_income_tax") == int(expected.quantize(Decimal(1), ROUND_HALF_UP))
    if state == "PA":  # which taxes 401(k) deferrals (REV-415)
        lowered = 0 if code == "pretax_401k_403b_457b" else amount * lowers[0]
        state_tax = (Decimal("0.0307") * (200_000 - lowered)).quantize(Decimal(1), ROUND_HALF_UP)
        assert result.amount("state_income_tax") == state_tax
    taxes = sum(line.cents for line in result.lines if line.kind == "employee_tax")
    assert result.net == 200_000 - taxes - cents


def test_pennsylvania_taxes_401k_deferrals_and_new_jersey_cafeteria_plans() -> None:
    deferral = Deduction(code="pretax_401k_403b_457b", amount=20_000)
    medical = Deduction(code="section_125_medical_dental_vision", amount=10_000)
    # 3.07 % of 2,000.00, and of 1,900.00 with the health premium.
    assert paid(check(deferral, state="PA")).amount("state_income_tax") == 6140
    assert paid(check(medical, state="PA")).amount("state_income_tax") == 5833
    law = Tables.load().deductions[2026]
    income, insured = law.unlowered["NJ"]
    assert {DEDUCTIONS[code] for code in income} == NJ_TAXES == {DEDUCTIONS[code] for code in insured}
    assert "state_conformity_not_recorded" not in noted(paid(check(deferral, state="PA")))
    assert "state_conformity_not_recorded" in noted(paid(check(deferral, state="CA")))
    assert "state_conformity_not_recorded" not in noted(paid(check(deferral, state="TX")))  # no tax of Texas asks


def test_california_taxes_what_goes_to_a_health_savings_account() -> None:
    """Its income tax does; its programmes, and every other state that is not recorded, follow the federal bases."""
    savings = Deduction(code="hsa_through_cafeteria_plan", amount=10_000)
    medical = Deduction(code="section_125_medical_dental_vision", amount=10_000)
    nothing, saved, insured = (paid(check(*each, state="CA")) for each in ((), (savings,), (medical,)))
    taxes = [each.amount("state_income_tax") for each in (nothing, saved, insured)]
    assert taxes[0] == taxes[1] > taxes[2]
    assert saved.amount("CA_SDI") == insured.amount("CA_SDI") == 2470  # 1.3 % of 1,900.00
    assert saved.amount("federal_income_tax") == insured.amount("federal_income_tax")
    assert "state_conformity_not_recorded" not in noted(saved)
    unread = [words for code, words in saved.notes if code == "unverified_value"]
    assert [words for words in unread if words.startswith("What California taxes of the deductions is unverified")]
    assert not [words for _, words in insured.notes if words.startswith("What California taxes")]


@pytest.mark.parametrize(
    ("birth_year", "before", "taken"),
    [(None, 0, 2_450_000), (None, 2_400_000, 50_000), (1977, 0, 2_450_000), (1976, 0, 3_250_000),
     (1967, 0, 3_250_000), (1966, 0, 3_575_000), (1963, 0, 3_575_000), (1962, 0, 3_250_000), (1966, 3_600_000, 0)],
)  # fmt: skip
def test_the_deferral_limit_with_catch_up_by_the_age_of_31_december(birth_year: Any, before: int, taken: int) -> None:
    """Notice 2025-67: 24,500; 8,000 more from 50; 11,250 more at 60 to 63."""
    order = Deduction(code="pretax_401k_403b_457b", amount=5_000_000)
    result = paid(check(order, gross=9_000_000, birth_year=birth_year, elective_deferrals=before))
    assert result.amount("pretax_401k_403b_457b") == taken
    assert "deduction_cut_to_limit" in noted(result)
    assert ("birth_date_not_given" in noted(result)) is (birth_year is None)


def test_pre_tax_and_roth_share_the_limit() -> None:
    orders = (Deduction(code="roth_401k", amount=1_000_000), Deduction(code="pretax_401k_403b_457b", amount=2_000_000))
    result = paid(check(*orders, gross=9_000_000))
    assert (result.amount("pretax_401k_403b_457b"), result.amount("roth_401k")) == (2_000_000, 450_000)


@pytest.mark.parametrize(
    ("code", "limit"),
    [("health_fsa", 340_000), ("dependent_care_fsa", 750_000), ("hsa_through_cafeteria_plan", 875_000),
     ("commuter_132f", 34_000), ("adoption_assistance_137", 1_767_000)],
)  # fmt: skip
def test_a_deduction_above_its_limit_is_cut_to_it_with_a_note(code: str, limit: int) -> None:
    for asked, notes in ((limit, False), (limit + 1, True)):
        result = paid(check(Deduction(code=code, amount=asked), gross=9_000_000))
        assert result.amount(code) == limit
        assert ("deduction_cut_to_limit" in noted(result)) is notes


def test_two_commuter_lines_are_transit_and_parking_and_married_separate_halves_dependent_care() -> None:
    two = (Deduction(code="commuter_132f", amount=40_000), Deduction(code="commuter_132f", amount=10_000))
    assert paid(check(*two)).amount("commuter_132f") == 44_000
    one = check(Deduction(code="dependent_care_fsa", amount=500_000), gross=9_000_000)
    assert paid(replace(one, w4=W4(filing_status="married_filing_separately"))).amount("dependent_care_fsa") == 375_000


def test_when_the_pay_does_not_suffice_the_later_deduction_is_cut_first() -> None:
    orders = (
        Deduction(code="charity", amount=100),
        Deduction(code="pretax_401k_403b_457b", percent=1_000_000),
        Deduction(code="section_125_medical_dental_vision", amount=10_000),
    )
    result = paid(check(*orders, state="CA"))
    # 1,900.00 less FICA of 145.35 and CA SDI of 24.70 is left; a deferral of it leaves no income tax.
    assert result.amount("section_125_medical_dental_vision") == 10_000
    assert result.amount("pretax_401k_403b_457b") == 200_000 - 10_000 - 14_535 - 2_470
    assert (result.amount("charity"), result.net) == (0, 0)
    assert "deduction_cut_to_pay" in noted(result)


def test_what_serves_the_employer_leaves_the_minimum_wage() -> None:
    """29 CFR 531.35; California 16.90 an hour, Alaska 13.00 and from July 14.00."""
    order = Deduction(code="uniforms_and_tools", amount=70_000)
    result = paid(check(order, state="CA", hours=800_000))
    assert result.amount("uniforms_and_tools") == 200_000 - 80 * 1_690
    assert "deduction_cut_to_pay" in noted(result)
    june = replace(check(order, state="AK", hours=1_200_000), pay_date=date(2026, 6, 30))
    assert [paid(one).amount("uniforms_and_tools") for one in (june, replace(june, pay_date=date(2026, 7, 1)))] == [
        200_000 - 120 * 1_300, 200_000 - 120 * 1_400,
    ]  # fmt: skip
    assert "minimum_wage_not_checked" in noted(paid(check(order, state="CA")))


orders = st.lists(
    st.one_of(
        st.builds(Deduction, code=st.sampled_from(DEDUCTIONS), amount=st.integers(0, 300_000)),
        st.builds(Deduction, code=st.sampled_from(DEDUCTIONS), percent=st.integers(0, 1_000_000)),
    ),
    max_size=5,
)
garnishments = st.lists(
    st.builds(
        Garnishment,
        kind=st.sampled_from(GARNISHMENTS),
        percent=st.integers(0, 1_000_000),
        supports_other_family=st.booleans(),
        arrears_over_12_weeks=st.booleans(),
        dependents=st.none() | st.integers(0, 5),
    ),
    max_size=4,
)
checks = st.builds(
    lambda own, owed, state, gross, year: check(*own, state=state, gross=gross, birth_year=year, garnishments=owed),
    orders,
    garnishments.map(tuple),
    st.sampled_from(["CA", "NY", "PA", "TX", "WA"]),
    st.integers(0, 500_000),
    st.sampled_from([None, 1950, 1964]),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(checks, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_a_batch_equals_its_rows(many: list[Paycheck], shuffle: Any) -> None:
    order = list(range(len(many)))
    shuffle.shuffle(order)
    columns = Columns.of(many)
    batch = list(gross_to_net(columns, Tables.load()))
    permuted = list(gross_to_net(columns.take(np.array(order)), Tables.load()))
    for row, one in enumerate(many):
        alone = paid(one)
        for other in (batch[row], permuted[order.index(row)]):
            assert sorted(map(repr, other.lines)) == sorted(map(repr, alone.lines))
            assert sorted(set(other.notes)) == sorted(set(alone.notes))
            assert dict(other.tables) == dict(alone.tables)
        less = sum(line.cents for line in alone.lines if line.kind in {"employee_tax", "deduction", "garnishment"})
        assert alone.net == one.gross - less >= 0


@settings(max_examples=60, deadline=None)
@given(checks, st.integers(1, 100_000))
def test_more_gross_never_means_less_after_taxes_and_orders(one: Paycheck, more: int) -> None:
    """Nor less net, where deductions are amounts; a percentage may take more than taxes and orders leave of what is
    added, and so may a second levy. The cliffs of California and New York are left out, as without deductions; rounding
    moves each line by less than a cent."""
    detail = one.detail
    assert detail is not None
    if one.work[0].state in {"CA", "NY"} or [each.kind for each in detail.garnishments].count("federal_levy") > 1:
        return
    asked = tuple(each for each in detail.deductions if each.percent is None)
    amounts = replace(one, detail=replace(detail, deductions=asked))
    for check_, also in ((one, "deduction"), (amounts, "net")):
        less, then = paid(check_), paid(replace(check_, gross=check_.gross + more))
        assert _left(then, also) >= _left(less, also) - len(_taken(then)), (less, then)


def _taken(result: PaycheckResult) -> list[PaycheckLine]:
    return [line for line in result.lines if line.kind in {"employee_tax", "garnishment"}]


def _left(result: PaycheckResult, also: str) -> int:
    """Net pay, or with the deductions too."""
    return sum(line.cents for line in result.lines if line.kind in {"net", also})
