"""Supplemental wages: 22 % and 37 %, the aggregate method, and the states' own rates, exact to the cent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.payroll.calc.test_calc_derivation import redo

from backoffice.payroll.calc import (
    W4,
    Columns,
    Paycheck,
    StateCertificate,
    StateWork,
    Tables,
    Work,
    explain,
    gross_to_net,
)
from backoffice.payroll.calc.detail import Deduction, PayDetail
from backoffice.payroll.calc.paycheck import STATES, GivenTaxes, LocalPart
from backoffice.payroll.calc.result import PaycheckResult


def check(
    supplemental: int, *, regular: int = 200_000, state: str = "TX", w4: W4 | None = None, **detail: Any
) -> Paycheck:
    return Paycheck(
        pay_date=date(2026, 11, 20), pay_frequency="biweekly", gross=regular + supplemental, w4=w4 or W4(),
        work=(Work(state=state),), detail=PayDetail(supplemental=supplemental, **detail),
    )  # fmt: skip


def paid(one: Paycheck) -> PaycheckResult:
    return gross_to_net(Columns.of([one]), Tables.load()).paycheck(0)


def noted(result: PaycheckResult) -> set[str]:
    return {code for code, _ in result.notes}


REGULAR = 15_615  # biweekly 2,000.00 of a single: (1,240 + 12 % of (43,400 - 19,900)) / 26 = 4,060 / 26 = 156.1538…


@pytest.mark.parametrize(
    ("supplemental", "before", "tax"),
    [(100_000, 0, 22_000), (33_333, 0, 7_334), (100_000_000, 0, 22_000_000), (100_000_100, 0, 22_000_037),
     (10_000_000, 95_000_000, 5_000_000 * 22 // 100 + 5_000_000 * 37 // 100), (100_000, 100_000_000, 37_000)],
)  # fmt: skip
def test_the_flat_rate_and_the_higher_one_above_a_million(supplemental: int, before: int, tax: int) -> None:
    """Pub 15 section 7: 22 %; only the part of the year's supplemental wages above 1,000,000 takes 37 %."""
    assert paid(check(supplemental, supplemental_wages=before)).amount("federal_income_tax") == REGULAR + tax


def test_regular_and_supplemental_federal_tax_are_rounded_once() -> None:
    """4,060 / 26 + 22 % of 333.33 = 156.15384… + 73.3326 = 229.48644… = 229.49; rounded apart it would be 229.48."""
    for extra in (0, 1_000):
        one = check(33_333, w4=W4(step4c=extra))
        assert paid(one).amount("federal_income_tax") == 22_949 + extra
        (line,) = explain(Columns.of([one]), Tables.load()).of("federal_income_tax")
        assert [step.name for step in line.steps if step.rounding] == ["total"]
        assert line.steps[-1].inputs["less_credit"].number() == Fraction(4_060, 26)
        assert line.steps[-1].inputs["supplemental_tax"].number() == Fraction("73.3326")
        assert redo(line) * 100 == line.cents == 22_949 + extra


@pytest.mark.parametrize(
    ("state", "regular", "supplemental", "parts", "tax"),
    [
        # 3.07 % of 2,000.16 and of 100.16, together 64.479824; rounded apart 61.40 + 3.07.
        ("PA", 200_016, 10_016, ("61.404912", "3.074912"), 6_448),
        # 3.35 % of 2,000.07 - 151 and 30 % of 22 % of 333.40, together 83.948245; apart 61.94 + 22.00.
        ("VT", 200_007, 33_340, ("61.943845", "22.0044"), 8_395),
        # Whole dollars of regular wages are Kansas' own step (80.857702); 5 % of 333.33 is added in cents.
        ("KS", 200_000, 33_333, ("81", "16.6665"), 9_767),
        # Idaho rounds either part to whole dollars: 73.193 and 17.66649.
        ("ID", 200_000, 33_333, ("73", "18"), 9_100),
    ],
)
def test_a_state_rounds_regular_and_supplemental_tax_together(
    state: str, regular: int, supplemental: int, parts: tuple[str, str], tax: int
) -> None:
    for extra in (0, 500):
        work = Work(state=state, certificate=StateCertificate(additional_withholding=extra))
        one = replace(check(supplemental, regular=regular, state=state), work=(work,))
        assert paid(one).amount("state_income_tax") == tax + extra
        (line,) = explain(Columns.of([one]), Tables.load()).of("state_income_tax")
        shown = list(line.steps[-1].inputs.values())
        assert [value.number() for value in shown] == [Fraction(part) for part in (*parts, *(["5"] if extra else []))]
        assert redo(line) * 100 == line.cents == tax + extra


def test_every_state_that_rounds_to_cents_rounds_the_sum_alone() -> None:
    for state in STATES:
        one = check(33_333, regular=212_345, state=state)
        for line in explain(Columns.of([one]), Tables.load()).lines:
            assert redo(line) * 100 == line.cents, line.as_text()
        (line,) = explain(Columns.of([one]), Tables.load()).of("state_income_tax")
        if line.steps[-1].name == "total" and "tax" in line.steps[-1].inputs:
            assert "withheld" not in [step.name for step in line.steps]


def test_two_states_of_work_under_agreements_are_rounded_once_for_the_home() -> None:
    """Half of 100.16 from New Jersey and half from Ohio, both Pennsylvania's: 61.404912 + 3.074912 as above."""
    works = (Work(state="NJ", wages=105_016), Work(state="OH", wages=105_016))
    one = replace(check(10_016, regular=200_016), work=works, residence_state="PA")
    assert {each.jurisdiction: each.cents for each in paid(one).lines if each.code == "state_income_tax"} == {
        "PA": 6_448
    }
    (line,) = explain(Columns.of([one]), Tables.load()).of("state_income_tax")
    assert redo(line) * 100 == line.cents == 6_448


def test_the_tax_of_a_place_is_rounded_once() -> None:
    """New York City: 30.12 + 4.15 % of (1,807.70 - 962) + 4.25 % of 333.33 = 65.21655 + 14.166525; apart 79.39."""
    here = (LocalPart(place="NY-NYC", wages=233_333, resident=True),)
    one = replace(check(33_333, state="NY"), local=here)
    assert paid(one).amount("local_income_tax") == 7_938
    (line,) = explain(Columns.of([one]), Tables.load()).of("local_income_tax")
    assert [step.name for step in line.steps if step.rounding] == ["total"]
    assert redo(line) * 100 == line.cents == 7_938


def test_aggregate_withholds_on_one_payment_but_not_above_the_million() -> None:
    whole = replace(check(0, regular=300_000), detail=None)
    aggregate = check(100_000, aggregate=True)
    assert paid(aggregate).amount("federal_income_tax") == paid(whole).amount("federal_income_tax")
    crossing = check(100_000, aggregate=True, supplemental_wages=100_000_000)
    assert paid(crossing).amount("federal_income_tax") == REGULAR + 37_000


@pytest.mark.parametrize("before", [0, 99_950_000, 100_000_000])
def test_alabama_deducts_the_federal_tax_above_the_million_too_when_it_is_withheld_on_together(before: int) -> None:
    """Its formula deducts the federal tax of the paycheck: all of it, as if the line had given the amount."""
    one = check(100_000, state="AL", aggregate=True, supplemental_wages=before)
    federal, tax = paid(one).amount("federal_income_tax"), paid(one).amount("state_income_tax")
    assert tax == paid(replace(one, given=GivenTaxes(federal_income_tax=federal))).amount("state_income_tax")
    regular = replace(one, given=GivenTaxes(federal_income_tax=REGULAR))
    assert (tax == paid(regular).amount("state_income_tax")) is (federal == REGULAR)
    (line,) = explain(Columns.of([one]), Tables.load()).of("state_income_tax")
    assert redo(line) * 100 == line.cents == tax


def test_an_exempt_worker_owes_only_the_rate_above_the_million() -> None:
    assert paid(check(100_000, w4=W4(exempt=True))).amount("federal_income_tax") == 0
    above = check(100_000, w4=W4(exempt=True), supplemental_wages=99_950_000)
    assert paid(above).amount("federal_income_tax") == 18_500


def test_social_security_and_medicare_take_all_wages() -> None:
    result = paid(check(100_000))
    assert (result.amount("social_security"), result.amount("medicare")) == (18_600, 4_350)


@pytest.mark.parametrize(
    ("state", "bonus", "tax"),
    [("CA", 0, 6_600), ("CA", 100_000, 10_230), ("IL", 0, 4_950), ("PA", 0, 3_070), ("NY", 0, 11_700)],
)
def test_states_with_a_rate_of_their_own(state: str, bonus: int, tax: int) -> None:
    regular = paid(replace(check(0, state=state), detail=None)).amount("state_income_tax")
    result = paid(check(100_000, state=state, bonus=bonus))
    assert result.amount("state_income_tax") == regular + tax
    assert "us_supplemental_2026" in result.tables
    # Programmes and unemployment insurance count every wage.
    assert result.amount("CA_SDI") in {0, 3_900}


def test_deductions_lower_the_regular_wages_first() -> None:
    deferral = Deduction(code="pretax_401k_403b_457b", amount=250_000)
    result = paid(check(100_000, deductions=(deferral,)))
    assert result.amount("federal_income_tax") == 11_000  # 22 % of the 500.00 that are left
    assert "supplemental_flat_condition" in noted(result)


def test_every_taxing_state_has_a_rule_and_georgia_has_two() -> None:
    law, tables = Tables.load().supplemental[2026], Tables.load()
    assert {state for state in STATES if tables.has_income_tax(state)} == set(law.states)
    georgia = law.states["GA"]
    days = np.array(["2026-05-10", "2026-05-11"], dtype="datetime64[D]")
    assert georgia.rates[np.searchsorted(georgia.dates, days, side="right") - 1].tolist() == [51_900, 49_900]
    assert {state for state, own in law.states.items() if not own.apart} >= {"AZ", "CT", "NJ", "DE", "WV"}
    assert law.states["ID"].round_to == law.states["NC"].round_to == 100


def test_unverified_rates_and_conditions_are_told() -> None:
    assert "supplemental_flat_condition" in noted(paid(check(100_000, regular=0)))
    assert "supplemental_caveat" in noted(paid(check(100_000, regular=0, state="NY")))
    old = paid(replace(check(100_000), pay_date=date(2025, 5, 2)))
    assert any("supplemental" in words for code, words in old.notes if code == "unverified_value")


def test_the_derivation_ends_in_the_amounts() -> None:
    one = check(100_000, state="CA", bonus=50_000)
    derivation, result = explain(Columns.of([one]), Tables.load()), paid(one)
    for code in ("federal_income_tax", "state_income_tax"):
        (line,) = derivation.of(code)
        assert line.cents == result.amount(code)
        assert line.steps[-1].result.number() * 100 == line.cents
        assert "supplemental_tax" in [step.name for step in line.steps]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda supplemental, state, before, aggregate: check(
                supplemental, state=state, supplemental_wages=before, aggregate=aggregate, bonus=supplemental // 2
            ),
            st.integers(0, 5_000_000), st.sampled_from(["CA", "NY", "PA", "IL", "TX"]), st.integers(0, 110_000_000),
            st.booleans(),
        ),
        min_size=1, max_size=6,
    )
)  # fmt: skip
def test_a_batch_equals_its_rows(many: list[Paycheck]) -> None:
    batch = list(gross_to_net(Columns.of(many), Tables.load()))
    for one, result in zip(many, batch, strict=True):
        alone = paid(one)
        assert sorted(map(repr, alone.lines)) == sorted(map(repr, result.lines))
        assert sorted(alone.notes) == sorted(result.notes)
        assert dict(alone.tables) == dict(result.tables)


def test_several_states_share_the_supplemental_wages() -> None:
    one = replace(
        check(100_000), work=(Work(state="PA", wages=150_000), Work(state="IL", wages=150_000))
    )  # fmt: skip
    assert isinstance(Columns.of([one]).work, StateWork)
    result = {line.jurisdiction: line.cents for line in paid(one).lines if line.code == "state_income_tax"}
    # Half of the 1,000.00 in each: Pennsylvania 3.07 % of 1,000.00 + 500.00.
    assert result["PA"] == 3_070 + 1_535
    assert result["IL"] == 4_950 + 2_475


def test_maryland_adds_the_local_rate_and_nonresidents_a_fixed_one() -> None:
    """6.50 % plus the local rate on file, the highest one (3.30 %) without; 2.25 % for nonresidents."""
    montgomery = StateCertificate(status="a", local_rate=32_000)
    for certificate, home, rate in ((montgomery, None, 97), (None, None, 98), (montgomery, "DE", 87.5)):
        work = (Work(state="MD", certificate=certificate),)
        one, none = (replace(c, work=work, residence_state=home) for c in (check(100_000), check(0)))
        assert paid(one).amount("state_income_tax") - paid(none).amount("state_income_tax") == rate * 100


def test_residents_of_new_york_city_and_yonkers_owe_their_own_rates() -> None:
    """4.25 % of 1,000.00, and 1.95975 % of it; New York's 11.70 % beside them."""
    for place, tax in (("NY-NYC", 4_250), ("NY-YONKERS", 1_960)):
        for resident in (True, False):
            one, none = (
                replace(c, local=(LocalPart(place=place, wages=c.gross, resident=resident),))
                for c in (check(100_000, state="NY"), check(0, state="NY"))
            )
            more = paid(one).amount("local_income_tax") - paid(none).amount("local_income_tax")
            if resident:
                assert more == tax
                (line,) = explain(Columns.of([one]), Tables.load()).of("local_income_tax")
                assert line.cents == paid(one).amount("local_income_tax")
            else:
                assert ("local_supplemental" in noted(paid(one))) is True
