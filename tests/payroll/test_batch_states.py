"""The batch door's fields of states: places of work, certificates by state, unemployment insurance, what is to date."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from backoffice.payroll.batch import calculate_lines
from backoffice.payroll.calc import Tables

BASE: dict[str, Any] = {
    "id": 1, "pay_date": "2026-11-20", "pay_frequency": "weekly", "taxable_wages": "1000.00", "work_state": "NY",
    "w4": {"version": "2020_or_later", "filing_status": "single"},
}  # fmt: skip
NY, CA = {"status": "single", "allowances": 1}, {"status": "single", "allowances": 0, "secondary_allowances": 0}


def answer(**changes: Any) -> dict[str, Any]:
    case = {key: value for key, value in (BASE | changes).items() if value is not ...}
    (told,) = calculate_lines([(1, msgspec.json.encode(case))], Tables.load())
    return told


def faults(**changes: Any) -> list[tuple[str, str]]:
    return [(each["pointer"], each["code"]) for each in answer(**changes)["problem"]["errors"]]


def test_several_states_share_a_paycheck_and_name_their_certificates() -> None:
    work = [{"state": "NY", "wages": "600.00"}, {"state": "CA", "wages": "400.00"}]
    both = answer(work=work, work_state=..., state_certificate={"NY": NY, "CA": CA})
    alone = [answer(taxable_wages="600.00", state_certificate=NY),
             answer(taxable_wages="400.00", work_state="CA", state_certificate=CA)]  # fmt: skip
    cents = [int(each["state_income_tax"].replace(".", "")) for each in (both, *alone)]
    assert cents[0] == cents[1] + cents[2]
    assert both["programmes"] == alone[0]["programmes"] | alone[1]["programmes"]


def test_unemployment_insurance_follows_the_rate_and_the_wages_to_date() -> None:
    told = answer(work_state="CA", sui_rate="0.034", ytd={"sui_wages": "6500.00"})
    assert told["sui"] == "17.00"  # 3.4 % of the 500.00 below the base of 7,000
    assert not any("sui_wages" in note for note in told["notes"])
    assert "sui" not in answer(work_state="CA")
    assert any("ytd.sui_wages was not given" in note for note in answer(work_state="CA", sui_rate="0.034")["notes"])


def test_programmes_to_date_are_taken_as_given() -> None:
    known = answer(ytd={"programmes": {"NY_PFL": {"wages": "95000.00", "amount": "411.91"}}})
    assert known["programmes"]["NY_PFL"]["employee"] == "0.00"
    partly = answer(ytd={"programmes": {"NY_PFL": {"wages": "95000.00"}}})
    assert any("ytd.programmes.NY_PFL.amount was not given" in note for note in partly["notes"])


def test_extra_and_exempt_stand_on_every_state_form() -> None:
    plain, extra = answer(state_certificate=NY), answer(state_certificate=NY | {"additional_withholding": "5.25"})
    cents = [int(each["state_income_tax"].replace(".", "")) for each in (plain, extra)]
    assert cents[1] - cents[0] == 525
    assert (
        answer(state_certificate=NY | {"exempt": True, "additional_withholding": "5.25"})["state_income_tax"] == "0.00"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sui_rate": "1.01"}, ("#/sui_rate", "out_of_range")),
        ({"sui_rate": 0.02}, ("#/sui_rate", "wrong_type")),
        ({"sui_rate": "-0.02"}, ("#/sui_rate", "negative")),
        ({"sui_rate": "2%"}, ("#/sui_rate", "invalid_rate")),
        ({"residence_state": "ZZ"}, ("#/residence_state", "unknown_state")),
        ({"given": {"fica": 1}}, ("#/given/fica", "wrong_type")),
        ({"given": {"state": "1.00"}}, ("#/given/state", "unknown_field")),
        ({"ytd": {"programmes": {"XX": {}}}}, ("#/ytd/programmes/XX", "unknown_programme")),
        ({"ytd": {"programmes": {"NY_PFL": {"paid": "1"}}}}, ("#/ytd/programmes/NY_PFL/paid", "unknown_field")),
        ({"work": []}, ("#/work", "wrong_type")),
        ({"work": [{"state": "NY", "wages": "1.00"}]}, ("#/work", "wages_differ")),
        ({"work": [{"state": "CA"}]}, ("#/work_state", "not_in_work")),
        ({"work": [{"state": "NY"}, {"state": "NY"}]}, ("#/work/0/wages", "required")),
        ({"work": [{"state": "QQ"}], "work_state": ...}, ("#/work/0/state", "unknown_state")),
        ({"state_certificate": {"CA": CA}}, ("#/state_certificate/CA", "not_in_work")),
        ({"state_certificate": {"NY": {"status": "f"}}}, ("#/state_certificate/NY/status", "unknown_status")),
        ({"state_certificate": {"county_rate": "0.01"}}, ("#/state_certificate/county_rate", "unknown_field")),
        ({"state_certificate": {"county_rate": "1.5"}}, ("#/state_certificate/county_rate", "out_of_range")),
        ({"state_certificate": {"exemptions": {"adopted": 1}}},
         ("#/state_certificate/exemptions/adopted", "unknown_field")),
        ({"work_state": "TX", "state_certificate": {"exempt": False}}, ("#/state_certificate/exempt", "unknown_field")),
    ],
)  # fmt: skip
def test_what_the_contract_does_not_know_is_refused(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in faults(**changes)


def test_the_defaults_of_a_certificate_are_those_of_the_law_on_the_date() -> None:
    """Idaho counts children until 30 July 2026, and nothing after it."""
    unsaid = "state_certificate.allowances was not given: 0 is used."
    before = answer(work_state="ID", pay_date="2026-07-30", state_certificate={"status": "single"})
    after = answer(work_state="ID", pay_date="2026-07-31", state_certificate={"status": "single"})
    assert unsaid in before["notes"]
    assert unsaid not in after["notes"]
    ended = answer(work_state="OH", pay_date="2026-08-04", period_end="2026-07-31", state_certificate={})
    assert not any("period_end" in note for note in ended["notes"])
    assert ended["state_income_tax"] != answer(work_state="OH", pay_date="2026-08-04")["state_income_tax"]


def test_amounts_and_statuses_of_the_new_states_at_the_door() -> None:
    """Mississippi, monthly: 48,000 - 6,000 - 2,300; Missouri, spouse without wages, by the word of its form."""
    told = answer(
        work_state="MS", pay_frequency="monthly", taxable_wages="4000.00",
        state_certificate={"status": "single", "elected_annual_exemption": "6000.00"},
    )  # fmt: skip
    assert told["state_income_tax"] == "99.00"
    assert faults(work_state="GA", state_certificate={"elected_annual_exemption": "6000.00"}) == [
        ("#/state_certificate/elected_annual_exemption", "unknown_field")
    ]
    assert faults(work_state="MO", state_certificate={"status": "married"}) == [
        ("#/state_certificate/status", "unknown_status")
    ]
    for word in ("married_joint", "married_filing_jointly"):  # the state's table key, and its name here
        told = answer(work_state="DE", taxable_wages="480.77", state_certificate={"status": word, "allowances": 1})
        assert told["state_income_tax"] == answer(
            work_state="DE", taxable_wages="480.77", state_certificate={"allowances": 1},
            w4={"version": "2020_or_later", "filing_status": "married_filing_jointly"},
        )["state_income_tax"]  # fmt: skip


def test_a_locality_is_looked_up_by_name_and_its_tax_stands_by_itself() -> None:
    told = answer(work=[{"state": "NY", "locality": "new york city"}], state_certificate=NY, work_state=...)
    plain = answer(state_certificate=NY)
    assert (told["local_income_tax"], plain["local_income_tax"]) == ("32.61", "0.00")
    assert told["state_income_tax"] == plain["state_income_tax"]
    assert "us_localities_2026" in told["tables"]
    assert any("residence_locality was not given: New York City" in note for note in told["notes"])
    away = answer(work=[{"state": "NY", "locality": "Yonkers"}], residence_state="NJ")
    assert away["local_income_tax"] == "5.00"  # 0.5 % of wages above the last band
    home = answer(work=[{"state": "NY"}], residence_state="NY", residence_locality="NYC", state_certificate=NY)
    assert home["local_income_tax"] == told["local_income_tax"]


@pytest.mark.parametrize(
    "name", ["Philadelphia", "Philadelphia wage tax", "PA Philadelphia wage tax", "PA-PHILADELPHIA"]
)
def test_a_place_has_the_names_of_its_tax_too_and_a_home_may_be_in_none(name: str) -> None:
    work = {"work_state": "PA", "work": [{"state": "PA", "locality": name}]}
    assert answer(**work)["local_income_tax"] == "37.40"  # taken to live there
    assert answer(**work, residence_locality="none")["local_income_tax"] == "34.30"
    assert answer(work_state="PA", work=[{"state": "PA", "locality": "none"}])["local_income_tax"] == "0.00"


def test_counties_of_indiana_and_maryland() -> None:
    form = {"allowances": 1}
    work = [{"state": "IN", "locality": "St. Joseph"}]
    named = answer(work=work, work_state="IN", state_certificate=form)
    rated = answer(work_state="IN", state_certificate=form | {"county_rate": "0.0175"})
    assert named["local_income_tax"] == rated["local_income_tax"] == "17.16"  # 1.75 % of 980.77
    maryland = {"status": "b", "allowances": 1}
    named = answer(work=[{"state": "MD", "locality": "Talbot"}], work_state="MD", state_certificate=maryland)
    rated = answer(work_state="MD", state_certificate=maryland | {"local_rate": "0.0240"})
    assert named["state_income_tax"] == rated["state_income_tax"]
    assert named["local_income_tax"] == "0.00"  # Maryland's is one amount
    dear = answer(work_state="MD", state_certificate=maryland)
    assert any("local_rate of MD was not given: 0.0330 is used" in note for note in dear["notes"])


def test_one_county_of_indiana_is_owed_that_of_home_before_that_of_work() -> None:
    """Notice #1: the county of residence on 1 January, else that of the principal work; under an agreement too."""
    form = {"allowances": 1}
    expected = answer(work_state="IN", state_certificate=form | {"county_rate": "0.0175"})["local_income_tax"]
    home = {"residence_state": "IN", "residence_locality": "St. Joseph", "state_certificate": form}
    in_another = answer(work=[{"state": "IN", "locality": "Marion"}], work_state="IN", **home)
    in_kentucky = answer(work_state="KY", **home)
    by_rate = answer(work_state="KY", residence_state="IN", state_certificate=form | {"county_rate": "0.0175"})
    assert {told["local_income_tax"] for told in (in_another, in_kentucky, by_rate)} == {expected}
    two = [{"state": "IN", "locality": "Marion", "wages": "400.00"},
           {"state": "IN", "locality": "St. Joseph", "wages": "600.00"}]  # fmt: skip
    assert answer(work=two, work_state="IN", state_certificate=form)["local_income_tax"] == expected
    abroad = answer(work=two, work_state="IN", residence_state="KY")
    assert abroad["local_income_tax"] == "17.50"  # nothing is deducted from the 1,000.00: no form of Indiana
    elsewhere = answer(work_state="IL", **home)
    assert elsewhere["local_income_tax"] == "0.00"  # no agreement: Indiana is not withheld


def test_kansas_is_withheld_for_its_residents_who_work_elsewhere() -> None:
    """Weekly 1,000.00: the amount of Kansas by its K-4, or without one by its default, less that of Missouri."""
    form = {"status": "single", "allowances": 1}
    kansas = [answer(work_state="KS", state_certificate=each) for each in (form, ...)]
    missouri = answer(work_state="MO", state_certificate={"status": "single"})
    certificates = ({"MO": {"status": "single"}, "KS": form}, {"status": "single"})
    for home, forms in zip(kansas, certificates, strict=True):
        told = answer(work_state="MO", residence_state="KS", state_certificate=forms, sui_rate="0.01")
        larger = max(Decimal(home["state_income_tax"]), Decimal(missouri["state_income_tax"]))
        assert Decimal(told["state_income_tax"]) == larger > Decimal(missouri["state_income_tax"])
        assert any("less what the state of work requires (KW-100)" in note for note in told["notes"])
        assert not any("is not used" in note or "alone" in note for note in told["notes"])
    bad = {"MO": {"status": "single"}, "KS": {"status": "F"}}
    assert ("#/state_certificate/KS/status", "unknown_status") in faults(
        work_state="MO", residence_state="KS", state_certificate=bad
    )


def test_the_county_of_a_home_in_maryland_counts_for_work_elsewhere() -> None:
    form = {"status": "b", "allowances": 1}
    rated = answer(work_state="DC", residence_state="MD", state_certificate=form | {"local_rate": "0.0240"})
    named = answer(work_state="DC", residence_state="MD", residence_locality="Talbot", state_certificate=form)
    assert named["state_income_tax"] == rated["state_income_tax"]
    away = answer(work=[{"state": "MD", "locality": "Talbot"}], work_state="MD", residence_state="VA",
                  state_certificate={"allowances": 1})  # fmt: skip
    assert away["state_income_tax"] == answer(work_state="VA", state_certificate={"allowances": 1})["state_income_tax"]


def test_the_home_state_takes_the_certificate_under_an_agreement() -> None:
    form = {"status": "B", "allowances": 1}
    there = answer(work_state="PA", residence_state="NJ", state_certificate=form)
    keyed = answer(work_state="PA", residence_state="NJ", state_certificate={"NJ": form, "PA": {"exempt": True}})
    home = answer(work_state="NJ", state_certificate=form)
    assert there["state_income_tax"] == keyed["state_income_tax"] == home["state_income_tax"]
    assert "state_certificate.PA is not used: no income tax of that state is withheld." in keyed["notes"]
    assert not any("is not used" in note for note in there["notes"])
    assert there["programmes"].keys() == {"PA_UC_EE"}
    assert any("REV-419" in note for note in there["notes"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"work": [{"state": "NY", "locality": "Albany"}]}, ("#/work/0/locality", "unknown_locality")),
        ({"work": [{"state": "NY", "locality": 5}]}, ("#/work/0/locality", "wrong_type")),
        ({"work": [{"state": "NY", "locality": "Yonkers"}], "residence_state": "NJ", "pay_frequency": "annual"},
         ("#/pay_frequency", "frequency_not_published")),
        ({"residence_locality": "Gotham"}, ("#/residence_locality", "unknown_locality")),
        ({"work": [{"state": "AZ"}], "work_state": "AZ", "state_certificate": {"elected_rate": "0.011"}},
         ("#/state_certificate/elected_rate", "invalid_value")),
        ({"work_state": "MD", "state_certificate": {"local_rate": "0.04"}},
         ("#/state_certificate/local_rate", "out_of_range")),
        ({"work_state": "CT", "state_certificate": {"status": "single"}},
         ("#/state_certificate/status", "unknown_status")),
        ({"work_state": "PA", "residence_state": "NJ", "pay_frequency": "semiannual"},
         ("#/pay_frequency", "frequency_not_published")),
    ],
)  # fmt: skip
def test_what_a_state_or_place_does_not_offer_is_refused(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in faults(**changes)


def test_given_taxes_feed_only_the_formulas_that_ask() -> None:
    alabama = answer(work_state="AL", pay_frequency="weekly", taxable_wages="850.00",
                     given={"federal_income_tax": "35.19"},
                     state_certificate={"status": "m", "allowances": 2})  # fmt: skip
    assert alabama["state_income_tax"] == "29.59"
    assert alabama["federal_income_tax"] != "35.19"
    capped = answer(work_state="MA", taxable_wages="800.00", given={"fica": "61.20"}, ytd={"fica_deducted": "2000.00"},
                    state_certificate={"allowances": 1})  # fmt: skip
    assert capped["state_income_tax"] == "35.75"  # 5 % of 800.00 less 85.00
    assert answer(given={"fica": "999.00"}) == answer()
