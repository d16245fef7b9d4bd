"""Residence against work state: agreements, states that tax no nonresident, what is noted where the law is silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import combinations

import pytest

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
        elif work == "DC":
            assert taxed(result) == {}
            assert "residence_not_withheld" in notes
        elif work != "MD":  # a nonresident of Maryland has another local rate
            assert taxed(result) == {work: alone[work]}, (home, work)
            assert ("residence_not_withheld" in notes) == TABLES.has_income_tax(home)


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
