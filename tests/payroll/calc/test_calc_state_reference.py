"""The tables of the states with annualised or period brackets say what the reference figures say, value by value."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backoffice.payroll import calc

FOLDER = Path(calc.__file__).parent / "tables"
REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "payroll" / "us_states_2026.toml"
STATES = ("CO", "DC", "DE", "GA", "HI", "ID", "KS", "KY", "ME", "MI", "MN", "MO", "MS", "MT", "NC", "ND", "NE", "NJ",
          "NM", "OH", "OK", "RI", "SC", "VA", "VT", "WI", "WV")  # fmt: skip
OUR_NAMES = {"semiannually": "semiannual", "annually": "annual"}
OUR_STATUSES = {"single": "single", "married_joint": "married_filing_jointly",
                "married_separate": "married_filing_separately", "head_of_household": "head_of_household"}  # fmt: skip
# Texts of theirs, and what stands here in another form and is compared by itself.
NOT_VALUES = {"allowance_rule", "edition", "status_rule", "in_force_since", "elected_annual_exemption"}
BY_NAME = {"effective_from", "effective_to", "effective_basis", "method"}

pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason="the reference figures are not beside the project")


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return tomllib.loads(REFERENCE.read_text(), parse_float=Decimal)


def exact(values: Any) -> Any:
    """Our values in their form: decimal text as decimals, the rows of a bracket as lists."""
    if isinstance(values, dict):
        if {"from", "base", "rate"} == set(values):
            return [Decimal(values["from"]), Decimal(values["base"]), Decimal(values["rate"])]
        return {key: exact(value) for key, value in values.items()}
    if isinstance(values, list):
        return [exact(value) for value in values]
    return Decimal(values) if isinstance(values, str) else values


def in_their_form(version: dict[str, Any]) -> dict[str, Any]:
    """What our version says, under the names of the reference."""
    said: dict[str, Any] = {key: version[key] for key in BY_NAME if key in version}
    said["rounding"] = {"to": Decimal(version["round_to"]), "mode": "half_up"}
    said["status_map"] = {theirs: version["status_of"][ours] for theirs, ours in OUR_STATUSES.items()}
    for key in (
        "standard_deduction", "annual_deduction", "allowance", "secondary_allowance", "credit_per_allowance",
        "allowance_per_period", "allowance_cliff_annual", "daily_periods", "percent_deduction", "brackets", "period",
        "exemption_status_amounts",
    ):  # fmt: skip
        if key in version:
            said[key] = exact(version[key])
    if "annual_tax_round_to" in version:
        said["annual_tax_rounding"] = {"to": Decimal(version["annual_tax_round_to"]), "mode": "half_up"}
    if "exemption_status_amounts_verified" in version:
        said["exemption_status_amounts_verified"] = version["exemption_status_amounts_verified"]
    if "phaseout" in version:
        falling = version["phaseout"]
        names = {"from": "start", "to": "end", "rate": "rate"}
        said["phaseout"] = {"kind": falling["kind"] + (f"_{falling['decimals']}dp" if "decimals" in falling else "")}
        said["phaseout"] |= {
            f"{status}_{theirs}": Decimal(amount)
            for ours, theirs in names.items()
            for status, amount in falling.get(ours, {}).items()
        }
    return said


def in_our_form(version: dict[str, Any]) -> dict[str, Any]:
    """What their version says, under our frequencies; Ohio's exemption of a period is an allowance of it."""
    said = {key: value for key, value in version.items() if key not in NOT_VALUES and not key.endswith("_meaning")}
    periods = {OUR_NAMES.get(name, name): dict(period) for name, period in said.get("period", {}).items()}
    exemptions = {name: period.pop("exemption") for name, period in periods.items() if "exemption" in period}
    if periods:
        said["period"] = periods
    if exemptions:
        said["allowance_per_period"] = exemptions
    if "allowance_per_period" in said:
        said["allowance_per_period"] = {
            OUR_NAMES.get(name, name): each for name, each in said["allowance_per_period"].items()
        }
    return said


@pytest.mark.parametrize("state", STATES)
def test_the_law_is_that_of_the_reference(state: str, reference: dict[str, Any]) -> None:
    theirs = reference["states"][state]
    ours = tomllib.loads((FOLDER / f"us_{state.lower()}_2026.toml").read_text())
    for their_version, version in zip(theirs["withholding"], ours["withholding"], strict=True):
        assert in_their_form(version) == in_our_form(their_version)
        assert (version["verified"], version["basis"]) == (theirs["verified"], theirs["basis"])
        by_form = {"CO": "instead_of_standard_deduction", "MS": "subtracted"}
        assert version.get("elected_annual_exemption") == by_form.get(state)
    kept = {programme["code"]: programme for programme in ours.get("programmes", [])}
    left_out = {programme["code"] for programme in ours.get("not_per_paycheck", [])}
    assert {programme["code"] for programme in theirs.get("other_taxes", [])} == set(kept) | left_out
    for programme in theirs.get("other_taxes", []):
        if programme["code"] in left_out:
            continue
        our = kept[programme["code"]]
        rate, base = Decimal(our["rate"]), programme["wage_base"]
        assert rate == programme["rate"]
        assert our["verified"] == programme["verified"]
        assert Decimal(our.get("wage_base", 0)) == (0 if base == "none" else base)
        if programme["code"] == "HI_TDI":  # what the employer pays of its private plan is not known
            assert (our["payer"], Decimal(our["weekly_max"])) == ("employee", programme["employee_weekly_cap"])
            continue
        assert our["payer"] == programme["payer"]
        if our["payer"] == "both":
            listed = [programme.get(key) for key in ("employee_rate", "employee_rate_max")]
            employee = next(filter(None, [*listed, programme.get("employee_share_max", 0) * rate]))
            employer = programme.get("employer_rate", programme.get("employer_rate_min", rate - employee))
            assert (Decimal(our["employee_rate"]), Decimal(our["employer_rate"])) == (employee, employer)
