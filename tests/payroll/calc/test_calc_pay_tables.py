"""Our tables of deductions, orders, supplemental rates and minimum wages hold the figures of the reference."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backoffice.payroll import calc

FOLDER = Path(calc.__file__).parent / "tables"
REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "payroll"
needs_reference = pytest.mark.skipif(
    not (REFERENCE / "us_states_2026.toml").exists(), reason="the reference figures are not beside the project"
)


def ours(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def reference(name: str) -> dict[str, Any]:
    return tomllib.loads((REFERENCE / name).read_text(), parse_float=Decimal)


@needs_reference
@pytest.mark.parametrize("year", [2025, 2026])
def test_limits_of_deductions(year: int) -> None:
    limits, theirs = ours(f"us_deductions_{year}")["limits"], reference("us_federal_2026.toml")["limits"]
    retirement, fringe = theirs["retirement"], theirs["section_125_and_fringe"]
    elective = limits["elective_deferral"]
    key = "elective_deferral_401k_403b_457b_2026" if year == 2026 else "elective_deferral_2025"
    assert Decimal(elective["amount"]) == retirement[key]
    assert [Decimal(row["amount"]) for row in elective["catch_up"]] == [
        retirement[f"catch_up_age_{age}_{year}"] for age in ("50", "60_to_63", "50")
    ]
    assert Decimal(limits["hsa"]["amount"]) == theirs["hsa"][f"family_{year}"]
    assert Decimal(limits["hsa"]["self_only"]) == theirs["hsa"][f"self_only_{year}"]
    assert Decimal(limits["hsa"]["catch_up"][0]["amount"]) == theirs["hsa"]["catch_up_age_55"]
    assert Decimal(limits["health_fsa"]["amount"]) == fringe[f"health_fsa_salary_reduction_{year}"]
    assert Decimal(limits["dependent_care"]["amount"]) == fringe[f"dependent_care_{year}"]
    assert Decimal(limits["commuter"]["amount"]) == fringe[f"transit_per_month_{year}"]
    if year == 2026:
        assert Decimal(limits["commuter"]["amount"]) == fringe["parking_per_month_2026"]
        assert Decimal(limits["adoption_assistance"]["amount"]) == fringe["adoption_assistance_2026"]
        assert Decimal(elective["roth_catch_up_above"]) == next(
            value for key, value in retirement.items() if key.startswith("roth_catch_up_required")
        )


@needs_reference
def test_orders_on_wages() -> None:
    table, theirs = ours("us_garnishments_2026"), reference("us_federal_2026.toml")["garnishment"]
    support, levy = theirs["support"], theirs["irs_levy_2026"]
    assert [Decimal(table["support"][key]) * 100 for key in ("other_family", "no_other_family_arrears")] == [
        support["percent_supporting_other_family"], support["percent_no_other_family_arrears_over_12_weeks"],
    ]  # fmt: skip
    assert Decimal(table["student_loan"]["share"]) * 100 == theirs["student_loan"]["max_percent_of_disposable"]
    assert Decimal(table["creditor"]["share"]) * 100 == theirs["ordinary_debt"]["max_percent_of_disposable"]
    for period in ("weekly", "biweekly", "semimonthly", "monthly"):
        assert table["protected"][period]["amount"] == theirs["ordinary_debt"][f"protected_{period}"]
    exempt = table["federal_levy"]["exempt"]
    assert exempt["weekly"]["dependent"] == levy["weekly_per_dependent"]
    assert {key: exempt["weekly"][key] for key in levy["weekly_base"]} == levy["weekly_base"]
    for period in ("daily", "biweekly", "semimonthly", "monthly"):
        derived = levy["other_periods"][period]
        assert exempt[period]["dependent"] == derived["per_dependent"]
        assert {key: exempt[period][key] for key in levy["weekly_base"]} == {
            key: derived[key] for key in levy["weekly_base"]
        }  # fmt: skip
    for period, number in (("quarterly", 4), ("semiannual", 2), ("annual", 1)):
        assert Decimal(exempt[period]["dependent"]) == Decimal(levy["annual_per_dependent"]) / number
        for status, annual in levy["annual_base"].items():
            assert Decimal(exempt[period][status]) == Decimal(annual) / number


@needs_reference
def test_supplemental_rates() -> None:
    table, theirs = ours("us_supplemental_2026"), reference("us_federal_2026.toml")["withholding"]["supplemental"]
    assert Decimal(table["federal"]["flat_rate"]) * 100 == theirs["optional_flat_percent"]
    assert Decimal(table["federal"]["above_rate"]) * 100 == theirs["mandatory_percent_over_threshold"]
    assert Decimal(table["federal"]["threshold"]) == theirs["threshold"]
    for state, values in reference("us_states_2026.toml")["states"].items():
        said = values["supplemental"]
        if said["method"] == "none":
            assert state not in table["states"]
            continue
        here = table["states"][state]
        assert (here["method"] == "flat") is (said["method"] == "flat"), state
        if said["method"] == "flat":
            assert Decimal(here["rates"][-1]["rate"]) == said["rate"], state
            assert Decimal(here.get("bonus_rate", "0")) == said.get("rate_bonus_and_stock", 0), state
            assert ("round_to" in here) is ("rounding" in said), state
        assert here["verified"] is (said.get("verified", True) and values["verified"]), state


@needs_reference
def test_minimum_wages() -> None:
    table = ours("us_minimum_wage_2026")
    for state, values in reference("us_states_2026.toml")["states"].items():
        rows = table["states"].get(state, {"rows": [{"from": None, "amount": table["federal"]["amount"]}]})["rows"]
        in_july = [row for row in rows if row["from"] is None or row["from"] <= values["labor"]["minimum_wage_as_of"]]
        assert Decimal(in_july[-1]["amount"]) == values["labor"]["minimum_wage"], state
