"""The tables of the states with a formula of their own, and of the places with local taxes, say what the reference
figures say, value by value."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backoffice.payroll import calc
from backoffice.payroll.calc import Tables

FOLDER = Path(calc.__file__).parent / "tables"
REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "payroll" / "us_states_2026.toml"
STATES = ("AL", "AR", "AZ", "CT", "IA", "IN", "LA", "MA", "MD", "OR", "UT")
STATUSES = {"married_joint": "married_filing_jointly", "married_separate": "married_filing_separately"}
FREQUENCIES = {"semiannually": "semiannual", "annually": "annual"}
# Their key → where it stands here; a key that is in neither list must stand under its own name.
RENAMED = {
    "AL": {"params": "claim"}, "AR": {"annual_tax_rounding": "annual_tax_round_to"}, "MD": {"brackets": "bands"},
    "OR": {"annual_tax_rounding": "annual_tax_round_to", "federal_cap_at_least": "federal_cap"},
}  # fmt: skip
TEXTS = {"dependent_value_rule", "range_rule", "deduction_rule", "exemption_rule", "table_rule", "group_rule",
         "credit_per_allowance_meaning", "county_tiered_note", "row_columns", "table_columns"}  # fmt: skip
ELSEWHERE = {"effective_from", "effective_to", "effective_basis", "method", "rounding", "status_map", "county",
             "state_rate_only", "daily_periods"}  # fmt: skip

pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason="the reference figures are not beside the project")


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return tomllib.loads(REFERENCE.read_text(), parse_float=Decimal)


def plain(values: Any) -> Any:
    """Both forms as nested lists and dicts of decimals: our rows without their names, names without their spelling."""
    if isinstance(values, dict) and "from" in values:
        return [Decimal(values[key]) for key in values]
    if isinstance(values, dict):
        renamed = {"standard_deduction_at_least": "standard_deduction", "under_50k": "low", "from_50k": "high"}
        return {FREQUENCIES.get(key, renamed.get(key, key)): plain(value) for key, value in values.items()}
    if isinstance(values, list):
        return [plain(value) for value in values]
    return Decimal(values) if isinstance(values, str | int | Decimal) and not isinstance(values, bool) else values


@pytest.mark.parametrize("state", STATES)
def test_withholding_values_are_those_of_the_reference(state: str, reference: dict[str, Any]) -> None:
    theirs = reference["states"][state]
    ours = tomllib.loads((FOLDER / f"us_{state.lower()}_2026.toml").read_text())
    for their, our in zip(theirs["withholding"], ours["withholding"], strict=True):
        for key in ("effective_from", "effective_to", "effective_basis", "method"):
            assert our.get(key) == their.get(key), key
        assert Decimal(our["round_to"]) == their["rounding"]["to"]
        assert our.get("status_of", {}) == {STATUSES.get(k, k): v for k, v in their.get("status_map", {}).items()}
        for key, value in their.items():
            if key in TEXTS | ELSEWHERE:
                continue
            mine = our[RENAMED.get(state, {}).get(key, key)]
            inner = {("AR", "standard_deduction"): "all", (state, "annual_tax_rounding"): "to"}.get((state, key))
            assert plain(mine) == plain(value if inner is None else value[inner]), key
    periods = [version.get("daily_periods") for version in theirs["withholding"]]
    assert state in {"AR", "MD"} or periods == [version.get("daily_periods") for version in ours["withholding"]]


@pytest.mark.parametrize("state", STATES)
def test_programmes_are_those_of_the_reference(state: str, reference: dict[str, Any]) -> None:
    theirs = {each["code"]: each for each in reference["states"][state].get("other_taxes", [])}
    ours = tomllib.loads((FOLDER / f"us_{state.lower()}_2026.toml").read_text())
    left_out = {each["code"] for each in ours.get("not_per_paycheck", [])}
    assert set(theirs) == {each["code"] for each in ours.get("programmes", [])} | left_out
    for programme in ours.get("programmes", []):
        their = theirs[programme["code"]]
        assert (programme["payer"], programme["verified"]) == (their["payer"], their["verified"])
        for key in ("rate", "employee_rate", "employer_rate"):
            assert Decimal(programme.get(key, 0)) == their.get(key, 0), key
        assert Decimal(programme.get("wage_base", 0)) == (0 if their["wage_base"] == "none" else their["wage_base"])


def test_places_are_those_of_the_reference(reference: dict[str, Any]) -> None:
    theirs = reference["locals"]
    ours = tomllib.loads((FOLDER / "us_localities_2026.toml").read_text())
    by_code = {place["code"]: place["tax"] for place in ours["place"]}
    city = by_code["NY-NYC"][0]["period"]
    assert plain(city) == plain(theirs["NYC"]["period"])
    yonkers = by_code["NY-YONKERS"][0]
    assert Decimal(yonkers["resident_share"]) == theirs["YONKERS"]["resident_rate_of_state_tax"]
    assert Decimal(yonkers["nonresident_rate"]) == theirs["YONKERS"]["nonresident_rate"]
    assert plain(yonkers["nonresident_bands"]) == plain(theirs["YONKERS"]["nonresident_bands"])
    rates = {(tax["payer"], Decimal(tax["resident_rate"]), Decimal(tax["nonresident_rate"]), tax["verified"])
             for taxes in by_code.values() for tax in taxes if tax["kind"] == "flat"}  # fmt: skip
    wanted = {
        (who, home, away, sure) for name, home, away, who, sure, _ in theirs["FLAT"]["table"] if "Newark" not in name
    }
    assert rates == wanted
    fees = {place["name"]: Decimal(place["tax"][0]["per_week"]) for place in ours["place"] if place["state"] == "WV"}
    assert fees == {city: Decimal(fee) for city, fee in theirs["WV"]["cities"]}
    places = Tables.load().localities[2026]
    for state, rates_there in (("IN", theirs["IN"]["county"]),
                               ("MD", reference["states"]["MD"]["withholding"][0]["county"])):  # fmt: skip
        listed = ours["counties"][state]["rate"]
        assert len(listed) == len(rates_there)
        named = {
            place.code: Decimal(listed[name]) for name in listed if (place := places.find(state, name)) is not None
        }
        for name, rate in rates_there.items():
            found = places.find(state, name)
            assert found is not None, name
            assert named[found.code] == rate, name


def test_agreements_are_those_of_the_reference(reference: dict[str, Any]) -> None:
    ours = tomllib.loads((FOLDER / "us_reciprocity.toml").read_text())["agreements"]
    assert ours["pairs"] == reference["reciprocity"]["pairs"]
    assert ours["certificate"] == reference["reciprocity"]["certificate"]
