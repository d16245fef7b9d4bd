"""Residence against work state: agreements, states that tax no nonresident, what is noted where the law is silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import combinations

import pytest
from tests.payroll.calc.test_calc_derivation import redo

from backoffice.payroll.calc import (
    STATES,
    W4,
    Columns,
    LocalPart,
    Paycheck,
    PaycheckResult,
    StateCertificate,
    Tables,
    Work,
    explain,
    gross_to_net,
)
from backoffice.payroll.calc.detail import Deduction, PayDetail

TABLES = Tables.load()
_PAIRS = """
IL-IA IL-KY IL-MI IL-WI IN-KY IN-MI IN-OH IN-PA IN-WI KY-MI KY-OH KY-VA KY-WI KY-WV MD-DC MD-PA MD-VA MD-WV MI-MN MI-OH
MI-WI MN-ND MT-ND NJ-PA OH-PA OH-WV PA-VA PA-WV VA-DC VA-WV
"""
AGREED = {frozenset(pair.split("-")) for pair in _PAIRS.split()}


def check(home: str | None, *work: Work, gross: int = 200_000) -> Paycheck:
    return Paycheck(pay_date=date(2026, 11, 20), pay_frequency="weekly", gross=gross, w4=W4(), work=work,
                    residence_state=home)  # fmt: skip


def of(*checks: Paycheck) -> list[PaycheckResult]:
    return list(gross_to_net(Columns.of(checks), TABLES))


def taxed(result: PaycheckResult) -> dict[str, int]:
    return {line.jurisdiction: line.cents for line in result.lines if line.code == "state_income_tax"}


def test_the_home_state_is_withheld_for_exactly_the_pairs_with_an_agreement() -> None:
    checks = [check(home, Work(state=work)) for pair in combinations(STATES, 2) for home, work in (pair, pair[::-1])]
    alone = {
        state: next(iter(taxed(result).values()))
        for state, result in zip(STATES, of(*(check(None, Work(state=state)) for state in STATES)), strict=True)
    }
    for each, result in zip(checks, of(*checks), strict=True):
        home, work = str(each.residence_state), each.work[0].state
        notes = {code for code, _ in result.notes}
        if frozenset((home, work)) in AGREED:
            assert taxed(result) == {home: alone[home]}, (home, work)
            assert "reciprocity" in notes
        elif home == "KS":
            due = taxed(result)
            assert due.pop("KS") == max(0, alone["KS"] - sum(due.values()))
            assert work == "MD" or due == ({} if work == "DC" else {work: alone[work]})
            assert "residence_withheld" in notes
        elif work == "DC":
            assert taxed(result) == {}
            assert "residence_not_withheld" in notes
        elif work != "MD":  # a nonresident of Maryland has another local rate
            assert taxed(result) == {work: alone[work]}, (home, work)
            assert ("residence_not_withheld" in notes) == TABLES.has_income_tax(home)


MARRIED = StateCertificate(status="married", allowances=1)


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        # Kansas: 49.83 + 5.58 % of (4,000 - 381.67 - 1,109) = 189.85, Missouri: 3,574.808 / 24 = 148.95.
        ((Work(state="MO"),), {"MO": 14_900, "KS": 19_000 - 14_900}),
        # Married, one dependent: 99.67 + 5.58 % of (4,000 - 860 - 2,260) = 148.77, whatever part was at home.
        ((Work(state="MO"), Work(state="KS", wages=0, certificate=MARRIED)), {"MO": 14_900, "KS": 0}),
        ((Work(state="MO", wages=300_000), Work(state="KS", wages=100_000, certificate=MARRIED)),
         {"MO": 10_200, "KS": 14_900 - 10_200}),
        # What the forms ask for in addition (10.00 and 5.00) is not set off.
        ((Work(state="MO", certificate=StateCertificate(additional_withholding=1_000)),
          Work(state="KS", wages=0, certificate=StateCertificate(additional_withholding=500))),
         {"MO": 15_900, "KS": 4_100 + 500}),
        ((Work(state="TX"),), {"TX": 0, "KS": 19_000}),
        ((Work(state="DC"),), {"KS": 19_000}),
        ((Work(state="CA"),), {"CA": 22_162, "KS": 0}),
    ],
)  # fmt: skip
def test_kansas_withholds_what_the_states_of_work_leave_of_its_own_amount(
    work: tuple[Work, ...], expected: dict[str, int]
) -> None:
    """KW-100: the Kansas amount on all wages less what the other state requires, as its example 250 - 130 = 120."""
    first = replace(work[0], wages=400_000) if len(work) > 1 and work[0].wages is None else work[0]
    one = replace(check("KS", first, *work[1:], gross=400_000), pay_frequency="semimonthly")
    result = of(one)[0]
    assert taxed(result) == expected
    assert result.net == 400_000 - sum(line.cents for line in result.lines if line.kind == "employee_tax")
    assert "residence_withheld" in {code for code, _ in result.notes}
    derived = explain(Columns.of([one]), TABLES)
    assert {line.jurisdiction: line.cents for line in derived.of("state_income_tax")} == expected
    assert all(redo(line) * 100 == line.cents for line in derived.lines if line.kind != "wage_base")


def test_kansas_counts_deductions_and_supplemental_wages_and_a_batch_equals_its_rows() -> None:
    """Kansas: 125.00 of the regular 3,900.00 - 333.33, and 5 % of 333.33; Missouri: 122.00 and 4.7 %."""
    detail = PayDetail(supplemental=33_333, deductions=(Deduction(code="pretax_401k_403b_457b", amount=10_000),))
    home = Work(state="KS", wages=0, certificate=MARRIED)
    checks = [
        replace(check("KS", *work, gross=400_000), detail=detail, pay_frequency=frequency)
        for work in ((Work(state="MO"),), (Work(state="MO", wages=400_000), home), (Work(state="IA"),))
        for frequency in ("semimonthly", "monthly")
    ]
    checks += [check("MO", Work(state="KS")), check("KS", Work(state="KS")), check("NJ", Work(state="PA"))]
    told = of(*checks)
    for one, result in zip(checks, told, strict=True):
        alone = of(one)[0]
        assert sorted(map(repr, alone.lines)) == sorted(map(repr, result.lines))
        assert sorted(alone.notes) == sorted(result.notes)
        assert dict(alone.tables) == dict(result.tables)
        derived = explain(Columns.of([one]), TABLES)
        assert {line.jurisdiction: line.cents for line in derived.of("state_income_tax")} == taxed(result)
        assert all(redo(line) * 100 == line.cents for line in derived.lines if line.kind != "wage_base")
    whole = of(replace(checks[2], residence_state=None, work=(Work(state="KS", certificate=MARRIED),)))[0]
    assert taxed(told[2])["KS"] == max(0, taxed(whole)["KS"] - taxed(told[2])["MO"])


def test_where_kansas_is_not_known_it_is_not_withheld() -> None:
    old = of(replace(check("KS", Work(state="TX")), pay_date=date(2025, 5, 2)))[0]
    assert taxed(old) == {"TX": 0}
    assert "residence_not_withheld" in {code for code, _ in old.notes}


def test_programmes_and_unemployment_insurance_stay_with_the_work() -> None:
    result = of(check("NJ", Work(state="PA", sui_rate=30_000)))[0]
    assert taxed(result).keys() == {"NJ"}
    assert {line.jurisdiction for line in result.lines if line.programme or line.code == "sui"} == {"PA"}


def test_work_in_several_states_under_agreements_is_one_wage_of_the_home_state() -> None:
    form = StateCertificate(allowances=2)
    split = [Work(state="IL", wages=50_000, certificate=form), Work(state="MI", wages=150_000, certificate=form)]
    together, whole = of(check("WI", *split), check(None, Work(state="WI", certificate=form)))
    assert taxed(together) == taxed(whole)


def test_two_states_without_an_agreement_are_each_withheld_on_their_own_wages() -> None:
    both, ny, ca = of(
        check("NY", Work(state="NY", wages=120_000), Work(state="CA", wages=80_000)),
        check(None, Work(state="NY"), gross=120_000), check(None, Work(state="CA"), gross=80_000),
    )  # fmt: skip
    assert taxed(both) == taxed(ny) | taxed(ca)


def test_a_county_of_indiana_is_owed_though_the_state_is_left_to_the_home() -> None:
    one = replace(check("OH", Work(state="IN")), local=(LocalPart("IN-WAYNE", 200_000, False),))
    result = of(one)[0]
    assert taxed(result).keys() == {"OH"}
    assert result.amount("local_income_tax") == 2_500  # 1.25 %


def test_maryland_nonresidents_bear_their_own_local_rate() -> None:
    form = StateCertificate(status="b", local_rate=22_500)
    lives, visits = of(check("MD", Work(state="MD", certificate=form)), check("DE", Work(state="MD", certificate=form)))
    dear = of(check("DE", Work(state="MD", certificate=StateCertificate(status="b", local_rate=33_000))))[0]
    assert taxed(lives) == taxed(visits) == taxed(dear)


def test_an_agreement_is_refused_where_the_home_state_is_not_covered_and_explained_where_it_is() -> None:
    form = StateCertificate(elected_rate=10_000)
    faults = TABLES.refusals_of(check("NJ", Work(state="PA", certificate=form)))
    assert [(fault.code, fault.pointer) for fault in faults] == [
        ("unknown_field", "#/work/0/certificate/elected_rate")
    ]  # fmt: skip
    derived = explain(Columns.of([check("NJ", Work(state="PA"))]), TABLES)
    assert [line.jurisdiction for line in derived.of("state_income_tax")] == ["NJ"]
    with pytest.raises(ValueError, match="XX"):
        Columns.of([check("XX", Work(state="PA"))])
