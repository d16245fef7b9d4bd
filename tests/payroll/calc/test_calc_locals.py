"""Local taxes: printed examples, every band just below, at and just above, and a plain reading of each table that
shares no code with the calculation; who owes what by home and work; and the derivation of every local line."""

from __future__ import annotations

import tomllib
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from backoffice.payroll import calc
from backoffice.payroll.calc import (
    W4,
    Columns,
    LocalPart,
    Paycheck,
    PaycheckResult,
    StateCertificate,
    Tables,
    Work,
    YearToDate,
    explain,
    gross_to_net,
)
from backoffice.payroll.calc.formula import evaluate

FOLDER = Path(calc.__file__).parent / "tables"
PLACES: dict[str, Any] = tomllib.loads((FOLDER / "us_localities_2026.toml").read_text())
CENT = Fraction(1, 100)


def check(
    state: str, wages: int, parts: list[tuple[str, bool]], frequency: str = "weekly",
    certificate: StateCertificate | None = None, to_date: int = 0,
) -> Paycheck:  # fmt: skip
    return Paycheck(
        pay_date=date(2026, 11, 20), pay_frequency=frequency, gross=wages, w4=W4(),
        work=(Work(state=state, certificate=certificate),), ytd=YearToDate(medicare_wages=to_date),
        local=tuple(LocalPart(place, wages, resident) for place, resident in parts),
    )  # fmt: skip


def results(checks: list[Paycheck]) -> list[PaycheckResult]:
    return list(gross_to_net(Columns.of(checks), Tables.load()))


def local(result: PaycheckResult) -> int:
    return result.amount("local_income_tax", "employee_tax")


def cents(amount: Fraction) -> int:
    return int((amount * 100 + Fraction(1, 2)) // 1)


def test_new_york_city_taxes_its_residents_by_the_table_of_the_period() -> None:
    """Every row just below, at and just above, both statuses, allowances of IT-2104 line 2."""
    table = PLACES["place"][0]["tax"][0]["period"]
    checks, plain = [], []
    for frequency, period in table.items():
        for status in ("single", "married"):
            for number in (0, 3):
                off = Fraction(period["deduction"][status]) + number * Fraction(period["exemption"])
                for begins in [Fraction(row["from"]) for row in period["brackets"]]:
                    for step in (-1, 0, 1):
                        wages = begins + off + step * CENT
                        row = [row for row in period["brackets"] if Fraction(row["from"]) < begins + step * CENT][-1:]
                        row = row or period["brackets"][:1]
                        net = max(wages - off, Fraction(0))
                        tax = Fraction(row[0]["base"]) + Fraction(row[0]["rate"]) * (net - Fraction(row[0]["from"]))
                        form = StateCertificate(status=status, secondary_allowances=number)
                        checks.append(check("NY", int(wages * 100), [("NY-NYC", True)], frequency, form))
                        plain.append(cents(tax))
    told = results(checks)
    assert [local(result) for result in told] == plain
    assert not any(code == "state_allowances_unused" for result in told for code, _ in result.notes)
    visitor = results([check("NY", 100_000, [("NY-NYC", False)])])[0]
    assert local(visitor) == 0


def test_yonkers_residents_owe_a_share_of_the_exact_state_tax() -> None:
    """NYS-50-T-Y (1/26): monthly wages of 50,000 with three allowances, 599.08; the rounded state tax gives 599.09."""
    form = StateCertificate(status="single", allowances=3)
    result = results([check("NY", 5_000_000, [("NY-YONKERS", True)], "monthly", form)])[0]
    assert result.amount("state_income_tax") == 357_663
    assert local(result) == 59_908
    exempt = StateCertificate(status="single", exempt=True)
    assert local(results([check("NY", 5_000_000, [("NY-YONKERS", True)], "monthly", exempt)])[0]) == 0


def test_who_only_works_in_yonkers_owes_by_bands() -> None:
    bands = PLACES["place"][1]["tax"][0]["nonresident_bands"]
    checks, plain = [], []
    for frequency, rows in bands.items():
        for number, row in enumerate(rows):
            for step in (-1, 0, 1):
                wages = Fraction(row["from"]) + step * CENT
                reached = row if step >= 0 else rows[number - 1] if number else None
                off = Fraction(reached["amount"]) if reached else wages
                checks.append(check("NY", int(wages * 100), [("NY-YONKERS", False)], frequency))
                plain.append(cents((wages - off) * Fraction("0.005")))
    assert [local(result) for result in results(checks)] == plain


def test_indiana_counties_tax_the_base_of_the_state() -> None:
    """Departmental Notice 1 (2026) p. 3: the deduction constants leave 473.08 of weekly 800."""
    form = StateCertificate(allowances=5, exemptions={"dependent": 3, "first_time_dependent": 1, "adopted": 2})
    counties = PLACES["counties"]["IN"]["rate"]
    tables = Tables.load().localities[2026]
    codes = {name: place.code for name in counties if (place := tables.find("IN", name)) is not None}
    assert set(codes) == set(counties)
    told = results([check("IN", 80_000, [(codes[name], True)], certificate=form) for name in counties])
    assert [local(result) for result in told] == [
        cents(Fraction("473.08") * Fraction(rate)) for rate in counties.values()
    ]
    by_form = StateCertificate(allowances=5, exemptions=form.exemptions, county_rate=20_200)
    both = results([check("IN", 80_000, [], certificate=by_form),
                    check("IN", 80_000, [("IN-ADAMS", True)], certificate=by_form)])  # fmt: skip
    assert [local(result) for result in both] == [956, 956]  # the form's rate, 2.02 %
    nowhere = results([check("IN", 80_000, [])])[0]
    assert local(nowhere) == 0
    assert "county_not_known" in [code for code, _ in nowhere.notes]


@pytest.mark.parametrize("values", [place for place in PLACES["place"] if place["tax"][0]["kind"] == "flat"],
                         ids=lambda place: place["code"])  # fmt: skip
def test_flat_cities_have_a_rate_for_residents_and_one_for_others(values: dict[str, Any]) -> None:
    tax = values["tax"][0]
    for resident, key in ((True, "resident_rate"), (False, "nonresident_rate")):
        result = results([check(values["state"], 123_457, [(values["code"], resident)])])[0]
        owed = cents(Fraction("1234.57") * Fraction(tax[key]))
        if tax["payer"] == "employee":
            assert local(result) == owed
        else:
            assert (local(result), result.amount("local_payroll_tax", "employer_tax")) == (0, owed)
        assert ("unverified_value", f"The local rates of {values['name']} are unverified.") in result.notes or tax[
            "verified"
        ]


def test_portland_taxes_wages_above_yearly_amounts_and_its_district_the_employer() -> None:
    told = results([
        check("OR", 1_000_000, [("OR-PORTLAND", True)], to_date=to_date)
        for to_date in (0, 18_999_999, 19_000_000, 19_000_100, 20_000_000, 39_500_000, 50_000_000)
    ])  # fmt: skip
    metro = [sum(line.cents for line in each.lines if line.jurisdiction == "OR-METRO") for each in told]
    county = [sum(line.cents for line in each.lines if line.jurisdiction == "OR-MULTNOMAH") for each in told]
    assert metro == [0, 0, 0, 1, 10_000, 10_000, 10_000]
    assert county == [0, 0, 0, 2, 15_000, 22_500, 30_000]
    assert {each.amount("OR_TRIMET", "employer_tax") for each in told} == {8_237}
    odd = results([check("OR", 12_345, [("OR-PORTLAND", False)])])[0]
    assert odd.amount("OR_TRIMET") == 101  # 1.01685…, cut


def test_a_city_of_west_virginia_takes_a_fee_for_each_week_of_work_there() -> None:
    """Charleston 3.00 a week, 13.00 a month of 52/12 weeks; Fairmont 2.00 of nonresidents alone; no pay, no fee."""
    week, month, none = results([
        check("WV", 100_000, [("WV-CHARLESTON", True)]),
        check("WV", 100_000, [("WV-CHARLESTON", False)], frequency="monthly"),
        check("WV", 0, [("WV-CHARLESTON", False)]),
    ])  # fmt: skip
    assert [local(each) for each in (week, month, none)] == [300, 1_300, 0]
    home, away = results([check("WV", 100_000, [("WV-FAIRMONT", lives)]) for lives in (True, False)])
    assert (local(home), local(away)) == (0, 200)


def test_no_fee_is_owed_where_one_only_lives() -> None:
    places = Tables.load().localities[2026]
    assert places.parts([(None, 100_000)], places.find("WV", "Charleston")) == ((), [])


def test_a_named_place_settles_what_is_owed_in_a_district() -> None:
    named, unnamed = results([check("OR", 100_000, [("OR-PORTLAND", False)]), check("OR", 100_000, [])])
    told = [{detail.split()[0] for code, detail in each.notes if code == "programme_not_per_paycheck"}
            for each in (named, unnamed)]  # fmt: skip
    assert told == [{"OR_WBF"}, {"OR_WBF", "OR_TRIMET", "OR_LTD"}]


def test_every_local_line_can_be_redone_from_its_derivation() -> None:
    for each in (
        check("WV", 200_000, [("WV-CHARLESTON", True)], frequency="semimonthly"),
        check("WV", 200_000, [("WV-FAIRMONT", True)]),
        check("NY", 200_000, [("NY-NYC", True), ("NY-YONKERS", False)]),
        check("NY", 200_000, [("NY-YONKERS", True)], certificate=StateCertificate(exempt=True)),
        check("NY", 200_000, [("NY-YONKERS", True), ("NY-NYC", False)]),
        check("IN", 200_000, [("IN-LAKE", True)]),
        check("IN", 200_000, [], certificate=StateCertificate(county_rate=12_345)),
        check("PA", 200_000, [("PA-PHILADELPHIA", False)]),
        check("OR", 3_000_001, [("OR-PORTLAND", True)], to_date=39_000_000),
    ):
        one = Columns.of([each])
        lines = sorted((line.code, line.jurisdiction, line.cents) for line in results([each])[0].lines)
        derived = explain(one, Tables.load()).lines
        assert sorted((line.code, line.jurisdiction, line.cents) for line in derived) == lines
        for line in derived:
            last = line.steps[-1]
            assert last.result.number() * 100 == line.cents, line.as_text()
            numbers = {name: value.number() for name, value in last.inputs.items() if value.unit != "text"}
            assert evaluate(last.formula, numbers) == last.result.number(), line.as_text()  # of net pay too


def test_home_and_work_decide_what_is_owed_where() -> None:
    places = Tables.load().localities[2026]
    city, yonkers, columbus, cleveland = (
        places.find(state, name) for state, name in
        (("NY", "new york city"), ("NY", "Yonkers"), ("OH", "Columbus"), ("OH", "CLEVELAND"))
    )  # fmt: skip
    assert places.parts([(yonkers, 600), (None, 400)], city) == (
        (LocalPart("NY-NYC", 1000, True), LocalPart("NY-YONKERS", 600, False)), []
    )  # fmt: skip
    assert places.parts([(yonkers, 600), (None, 400)], yonkers)[0] == (LocalPart("NY-YONKERS", 1000, True),)
    parts, notes = places.parts([(cleveland, 500)], columbus)
    assert parts == (LocalPart("OH-CLEVELAND", 500, False),)
    assert "Columbus taxes its residents too" in notes[0]
    assert places.parts([(None, 500)], columbus) == ((LocalPart("OH-COLUMBUS", 500, True),), [])
    assert places.find("NY", "Albany") is None


def test_what_a_place_does_not_publish_is_refused() -> None:
    tables = Tables.load()
    for parts, frequency, expected in (
        ([("NY-ALBANY", True)], "weekly", [("unknown_locality", "#/local/0/place")]),
        ([("MD-HOWARD", True)], "weekly", [("unknown_locality", "#/local/0/place")]),
        ([("NY-YONKERS", False)], "annual", [("frequency_not_published", "#/pay_frequency")]),
        ([("NY-YONKERS", True)], "annual", []),
    ):
        one = check("NY", 100_000, parts, frequency)
        assert [(fault.code, fault.pointer) for fault in tables.refusals_of(one)] == expected
        if expected:
            with pytest.raises(calc.engine.ValidationFailed):
                gross_to_net(Columns.of([one]), tables)
