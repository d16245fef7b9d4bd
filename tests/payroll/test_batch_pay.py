"""Earnings, deductions and garnishments at the batch door: what they come to, and every refusal at once."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from backoffice.payroll import batch
from backoffice.payroll.calc import STATES, Tables
from backoffice.payroll.calc.detail import DEDUCTIONS, GARNISHMENTS

BASE: dict[str, Any] = {
    "id": "case-1", "pay_date": "2026-11-20", "pay_frequency": "weekly", "work_state": "TX",
    "w4": {"version": "2020_or_later", "filing_status": "single"},
}  # fmt: skip
REGULAR = {"code": "regular", "hours": "40", "rate": "25.00", "assignment": "asg_1"}


def answers(*lines: dict[str, Any], explain: bool = False) -> list[dict[str, Any]]:
    numbered = [(number, json.dumps(BASE | line).encode()) for number, line in enumerate(lines, 1)]
    return list(batch.calculate_lines(numbered, Tables.load(), explain))


def faults(line: dict[str, Any]) -> list[tuple[str, str]]:
    (answer,) = answers(line)
    assert all(fault["detail"] for fault in answer["problem"]["errors"])
    return [(fault["pointer"], fault["code"]) for fault in answer["problem"]["errors"]]


def test_a_whole_paycheck_adds_up() -> None:
    (answer,) = answers(
        {
            "earnings": [
                REGULAR, {"code": "regular", "hours": "10.5", "rate": "30.123456", "assignment": "asg_2"},
                {"code": "bonus", "amount": "500.00"}, {"code": "expense", "amount": "40.00"},
            ],
            "deductions": [
                {"code": "roth_401k", "amount": "50.00"}, {"code": "pretax_401k_403b_457b", "percent": "0.10"},
                {"code": "section_125_medical_dental_vision", "amount": "60.00"},
            ],
            "garnishments": [{"kind": "creditor", "amount": "100.00"}, {"kind": "support", "percent": "0.25"}],
            "birth_date": "1966-05-01",
            "ytd": {"elective_deferrals": "30000.00", "supplemental_wages": "1000.00"},
        }
    )  # fmt: skip
    # 10.5 x 30.123456 is 316.30; (1,000 + 316.296288 + 500) / 50.5 hours is 35.966…: 10.5 x half of it is 188.82.
    assert answer["earnings"] == [
        {"code": "regular", "amount": "1000.00", "hours": "40", "rate": "25.00", "assignment": "asg_1"},
        {"code": "regular", "amount": "316.30", "hours": "10.5", "rate": "30.123456", "assignment": "asg_2"},
        {"code": "bonus", "amount": "500.00"},
        {"code": "expense", "amount": "40.00"},
        {"code": "overtime_premium", "amount": "188.82", "hours": "10.50", "rate": "17.9831"},
    ]
    assert answer["gross_pay"] == "2045.12"
    # Wages are 2,005.12; a tenth of them is 200.51.
    assert answer["deductions"] == [
        {"code": "section_125_medical_dental_vision", "amount": "60.00"},
        {"code": "pretax_401k_403b_457b", "amount": "200.51"},
        {"code": "roth_401k", "amount": "50.00"},
    ]
    assert (answer["social_security"], answer["medicare"]) == ("120.60", "28.20")  # of 1,945.12
    # 22 % of the bonus, and Worksheet 1A on the other 1,244.61 a week: 56,119.72 a year stays in the 12 % row.
    regular = round((1240 + 0.12 * (1244.61 * 52 - 8600 - 19900)) / 52, 2)
    assert answer["federal_income_tax"] == f"{regular + 110:.2f}"
    taxes = sum(float(answer[key]) for key in ("federal_income_tax", "social_security", "medicare"))
    support, creditor = ((float(order["amount"])) for order in answer["garnishments"])
    disposable = 2005.12 - taxes
    assert support == pytest.approx(disposable / 4, abs=0.006)
    assert creditor == 0  # support takes a quarter already
    assert float(answer["net_pay"]) == pytest.approx(2045.12 - taxes - 310.51 - support, abs=0.001)
    assert answer["w2"] == {"AA": "50.00", "D": "200.51", "TT": "188.82"}
    assert {"us_earnings", "us_deductions_2026", "us_garnishments_2026", "us_supplemental_2026"} <= set(
        answer["tables"]
    )


def test_a_line_without_them_is_as_before_beside_lines_with_them() -> None:
    plain, with_pay = {"taxable_wages": "1000.00"}, {"taxable_wages": "1000.00", "deductions": []}
    alone, beside, empty = (
        answers(plain)[0],
        *answers(plain, with_pay | {"earnings": [REGULAR]} | {"taxable_wages": "1"}),
    )
    assert alone == beside
    assert "problem" in empty
    paid = answers({"earnings": [REGULAR]})[0]
    assert {key: paid[key] for key in ("net_pay", "federal_income_tax", "futa")} == {
        key: alone[key] for key in ("net_pay", "federal_income_tax", "futa")
    }
    assert not {"earnings", "deductions", "garnishments", "w2"} & alone.keys()


def test_the_derivation_begins_with_the_earnings_and_ends_in_the_net_pay() -> None:
    line = {"earnings": [REGULAR], "deductions": [{"code": "charity", "amount": "5.00"}]}
    (answer,) = answers(line, explain=True)
    derivation = answer["derivation"]
    assert [entry["code"] for entry in derivation][:2] == ["regular", "gross_pay"]
    assert derivation[-1]["amount"] == answer["net_pay"]
    assert next(entry["amount"] for entry in derivation if entry["code"] == "charity") == "5.00"


def test_defaults_that_were_used_stand_in_the_notes() -> None:
    (answer,) = answers(
        {
            "earnings": [
                {"code": "commission", "amount": "5.00"},
                {"code": "regular", "hours": "40", "rate": "7.00"},
            ],
            "deductions": [{"code": "pretax_401k_403b_457b", "amount": "1.00"}],
            "garnishments": [{"kind": "support", "amount": "1.00"}, {"kind": "federal_levy"}],
        }
    )
    for begin in ("ytd.elective_deferrals was", "ytd.supplemental_wages was", "supplemental_method was",
                  "garnishments.0.supports_other_family was", "garnishments.0.arrears_over_12_weeks was",
                  "No statement of exemptions", "The pay for the hours worked is below the minimum wage of 7.25",
                  ):  # fmt: skip
        assert [note for note in answer["notes"] if note.startswith(begin)], begin


@pytest.mark.parametrize(
    ("state", "rate", "tips", "told"),
    [
        ("TX", "7.25", "300.00", None),
        ("TX", "7.24", None, "is below the minimum wage of 7.25 an hour."),
        ("TX", "2.13", "204.80", "reaches the minimum wage of 7.25 an hour only with tips"),  # 85.20 + 204.80 = 290.00
        ("TX", "2.13", "204.79", "is below the minimum wage of 7.25 an hour, tips included."),
        ("TX", "2.12", "900.00", "is below the 2.13 an hour that is owed beside tips."),
        ("CA", "16.89", "900.00", "is below the minimum wage of 16.90 an hour, towards which tips do not count there."),
    ],
)
@pytest.mark.parametrize("code", ["tips", "cash_tips"])
def test_tips_make_up_a_minimum_wage_only_as_the_law_says(
    state: str, rate: str, tips: str | None, told: str | None, code: str
) -> None:
    """29 USC 203(m)(2)(A): 2.13 an hour, and tips for the rest; seven states count none."""
    earnings = [{"code": "regular", "hours": "40", "rate": rate}]
    earnings += [] if tips is None else [{"code": code, "amount": tips}]
    (answer,) = answers({"pay_frequency": "weekly", "work_state": state, "earnings": earnings})
    noted = [note for note in answer["notes"] if note.startswith("The pay for the hours worked")]
    assert len(noted) == (told is not None)
    assert told is None or told in noted[0]


def test_what_serves_the_employer_is_never_taken_out_of_tips() -> None:
    """29 USC 203(m)(2)(B). 400.00 is 110.00 above 40 x 7.25, whatever customers gave; 85.20 is below it."""
    uniform = {"deductions": [{"code": "uniforms_and_tools", "amount": "200.00"}], "pay_frequency": "weekly"}
    for rate, taken in (("10.00", "110.00"), ("2.13", "0.00")):
        earnings = [{"code": "regular", "hours": "40", "rate": rate}, {"code": "tips", "amount": "900.00"}]
        (answer,) = answers(uniform | {"work_state": "TX", "earnings": earnings})
        assert answer["deductions"][0]["amount"] == taken


def test_hours_worked_owe_what_a_state_asks_by_the_hour() -> None:
    """Oregon's Workers' Benefit Fund: 1.8 cents an hour, half of it the employee's. 8.5 hours: 0.153, of which 0.0765.
    Paid leave is not worked, and the hours of several states are not told apart."""
    regular = {"code": "regular", "hours": "8.5", "rate": "25.00"}
    pto = {"code": "pto", "hours": "8", "rate": "25.00"}
    known, unknown, apart = answers(
        {"work_state": "OR", "earnings": [regular, pto]},
        {"work_state": "OR", "earnings": [{"code": "regular", "amount": "412.50"}]},
        {"work_state": "OR", "earnings": [regular], "work": [
            {"state": "OR", "wages": "100.00"}, {"state": "WA", "wages": "112.50"},
        ]},
        explain=True,
    )  # fmt: skip
    assert known["programmes"]["OR_WBF"] == {"employee": "0.08", "employer": "0.07"}
    assert not any("OR_WBF" in note for note in known["notes"])
    steps = [entry["amount"] for entry in known["derivation"] if entry["code"] == "OR_WBF"]
    assert steps == ["0.08", "0.07"]
    assert float(unknown["net_pay"]) - float(known["net_pay"]) == pytest.approx(0.08)
    for answer in (unknown, apart):
        assert "OR_WBF" not in answer["programmes"]
        assert [note for note in answer["notes"] if note.startswith("OR_WBF")]


def test_vermont_takes_its_part_of_all_federal_tax_on_the_payment() -> None:
    """A deduction that exceeds the regular wages lowers the bonus: 22 % of 4,000 is 880, and 30 % of that 264."""
    (answer,) = answers(
        {
            "work_state": "VT", "state_certificate": {"status": "single", "allowances": 0},
            "earnings": [{"code": "regular", "amount": "100.00"}, {"code": "bonus", "amount": "5000.00"}],
            "deductions": [{"code": "section_125_medical_dental_vision", "amount": "1100.00"}],
        }
    )  # fmt: skip
    assert (answer["federal_income_tax"], answer["state_income_tax"]) == ("880.00", "264.00")


def test_aggregate_and_the_credit_reduction_are_settings() -> None:
    earnings = [REGULAR, {"code": "bonus", "amount": "1000.00"}]
    flat, aggregate, reduced = answers(
        *({"earnings": earnings, "supplemental_method": method} for method in ("flat", "aggregate")),
        {"earnings": earnings, "futa_credit_reduction": "0.012"},
    )  # fmt: skip
    (whole,) = answers({"taxable_wages": "2000.00"})
    assert aggregate["federal_income_tax"] == whole["federal_income_tax"] != flat["federal_income_tax"]
    assert (reduced["futa"], reduced["futa_credit_reduction"]) == ("12.00", "24.00")
    assert "futa_credit_reduction" not in flat


@pytest.mark.parametrize(
    ("line", "pointer", "code"),
    [
        ({"earnings": [REGULAR | {"hours": "-1"}]}, "#/earnings/0/hours", "negative"),
        ({"earnings": [REGULAR | {"hours": 8}]}, "#/earnings/0/hours", "wrong_type"),
        ({"earnings": [REGULAR | {"hours": "1.00001"}]}, "#/earnings/0/hours", "invalid_hours"),
        ({"earnings": [REGULAR | {"rate": "1.0000001"}]}, "#/earnings/0/rate", "invalid_rate"),
        ({"earnings": [REGULAR | {"amount": "1.00"}]}, "#/earnings/0", "both_given"),
        ({"earnings": [REGULAR | {"code": "wage"}]}, "#/earnings/0/code", "unknown_code"),
        ({"earnings": [REGULAR | {"day": "x"}]}, "#/earnings/0/day", "unknown_field"),
        ({"earnings": [REGULAR | {"work_date": "2026-02-30"}]}, "#/earnings/0/work_date", "invalid_date"),
        ({"earnings": [REGULAR | {"hours": "25", "work_date": "2026-11-09"}]}, "#/earnings/0/hours", "over_24_hours"),
        ({"earnings": [{"code": "bonus", "amount": "-1.00"}]}, "#/earnings/0/amount", "negative"),
        ({"earnings": [{"code": "bonus", "amount": 1}]}, "#/earnings/0/amount", "wrong_type"),
        ({"earnings": [7]}, "#/earnings/0", "wrong_type"),
        ({"earnings": []}, "#/earnings", "wrong_type"),
        ({"earnings": [REGULAR], "taxable_wages": "1.00"}, "#/earnings", "both_given"),
        ({}, "#/taxable_wages", "required"),
        ({"deductions": [{"code": "roth", "amount": "1"}]}, "#/deductions/0/code", "unknown_code"),
        ({"deductions": [{"code": "charity", "percent": "1.01"}]}, "#/deductions/0/percent", "out_of_range"),
        ({"deductions": [{"code": "charity", "percent": "-0.01"}]}, "#/deductions/0/percent", "negative"),
        ({"deductions": [{"code": "charity", "percent": "0.1", "amount": "1"}]}, "#/deductions/0", "both_given"),
        ({"deductions": [{"code": "charity"}]}, "#/deductions/0/amount", "required"),
        ({"deductions": {}}, "#/deductions", "wrong_type"),
        ({"garnishments": [{"kind": "alimony", "amount": "1"}]}, "#/garnishments/0/kind", "unknown_kind"),
        ({"garnishments": [{"kind": "support"}]}, "#/garnishments/0/amount", "required"),
        ({"garnishments": [{"kind": "federal_levy", "dependents": -1}]}, "#/garnishments/0/dependents", "out_of_range"),
        ({"garnishments": [{"kind": "support", "amount": "1", "arrears_over_12_weeks": 1}]},
         "#/garnishments/0/arrears_over_12_weeks", "wrong_type"),
        ({"birth_date": "2026-11-20"}, "#/birth_date", "out_of_range"),
        ({"supplemental_method": "other"}, "#/supplemental_method", "invalid_value"),
        ({"futa_credit_reduction": 0.3}, "#/futa_credit_reduction", "wrong_type"),
        ({"ytd": {"elective_deferrals": "-1"}}, "#/ytd/elective_deferrals", "negative"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused_with_its_field(line: dict[str, Any], pointer: str, code: str) -> None:
    needs = {} if "earnings" in line or (code == "required" and not line) else {"taxable_wages": "1000.00"}
    assert faults(needs | line) == [(pointer, code)]


def test_all_faults_come_at_once_and_of_2025_the_law_of_two_kinds_of_orders_is_known() -> None:
    line = {
        "earnings": [{"code": "x", "hours": "-1", "rate": 5}], "deductions": [{"code": "y"}],
        "garnishments": [{"kind": "z", "percent": "2"}], "birth_date": 7,
    }  # fmt: skip
    assert len(faults(line)) == 8
    old = {"taxable_wages": "1000.00", "pay_date": "2025-06-06"}
    orders = [{"kind": kind, "amount": "900.00"} for kind in ("support", "federal_levy", "student_loan", "creditor")]
    assert faults(old | {"garnishments": orders}) == [
        ("#/garnishments/1/kind", "year_not_supported"), ("#/garnishments/3/kind", "year_not_supported"),
    ]  # fmt: skip
    wrong = [{"kind": "z"}, {"kind": "creditor", "percent": "2"}]
    assert {pointer for pointer, _ in faults(old | {"garnishments": wrong, "birth_date": 7})} >= {
        "#/garnishments/0/kind", "#/garnishments/1/kind", "#/garnishments/1/percent", "#/birth_date",
    }  # fmt: skip
    [loan] = answers(old | {"garnishments": orders[2:3]})
    # 15 % of 1,000.00 less 76.50 of social security and Medicare and 80.80 of income tax
    assert loan["garnishments"] == [{"kind": "student_loan", "amount": "126.40"}]
    assert "us_garnishments_2025" in loan["tables"]


def test_every_code_and_kind_is_accepted_and_a_repeated_key_is_not() -> None:
    lines = [{"taxable_wages": "1000.00", "deductions": [{"code": code, "amount": "1.00"}]} for code in DEDUCTIONS]
    lines += [{"taxable_wages": "1000.00", "garnishments": [{"kind": kind, "amount": "1.00"}]} for kind in GARNISHMENTS]
    lines += [{"earnings": [{"code": code, "amount": "100.00"}]} for code in Tables.load().earnings.kinds]
    assert not [answer for answer in answers(*lines) if "problem" in answer]
    text = json.dumps(BASE | {"earnings": [REGULAR]}).replace('"hours": "40"', '"hours": "40", "hours": "41"')
    (answer,) = batch.calculate_lines([(1, text.encode())], Tables.load())
    assert answer["problem"]["errors"][0]["code"] == "duplicate_key"


def test_the_door_writes_them_to_its_file(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps(BASE | {"earnings": [REGULAR]}) + "\n")
    assert batch.run(source, target) == 0
    assert json.loads(target.read_text())["earnings"][0]["amount"] == "1000.00"


def test_every_jurisdiction_takes_a_bonus_a_deferral_and_an_order() -> None:
    """A bonus raises each state's tax, by its flat rate where it has one; net pay is what the lines leave."""
    tables = Tables.load()
    more = {"deductions": [{"code": "pretax_401k_403b_457b", "amount": "250.00"},
                           {"code": "section_125_medical_dental_vision", "amount": "40.00"}],
            "garnishments": [{"kind": "support", "percent": "0.10"}]}  # fmt: skip
    base = {"pay_frequency": "monthly", "earnings": [{"code": "pto", "amount": "5000.00"}]} | more
    bonus = base | {"earnings": [*base["earnings"], {"code": "bonus", "amount": "1000.00"}]}
    for state in STATES:
        plain, raised = answers(base | {"work_state": state}, bonus | {"work_state": state})
        assert "problem" not in plain | raised, state
        before, after = (Decimal(answer["state_income_tax"]) for answer in (plain, raised))
        assert (after > before) is tables.has_income_tax(state), state
        own = tables.supplemental[2026].states.get(state)
        # California has two rates; in Massachusetts the FICA of the bonus lowers the wages of the period.
        if own is not None and own.method == "flat" and state not in {"CA", "MA"}:
            exact, unit = Decimal(1000) * int(own.rates[-1]) / 1_000_000, Decimal(own.round_to) / 100
            assert after - before == (exact / unit).quantize(Decimal(1), ROUND_HALF_UP) * unit, state
        for answer in (plain, raised):
            less = sum(Decimal(answer[key]) for key in ("federal_income_tax", "social_security", "medicare",
                       "additional_medicare", "state_income_tax", "local_income_tax"))  # fmt: skip
            less += sum(Decimal(both["employee"]) for both in answer["programmes"].values())
            less += sum(Decimal(line["amount"]) for key in ("deductions", "garnishments") for line in answer[key])
            assert Decimal(answer["net_pay"]) == Decimal(answer["gross_pay"]) - less, state
