"""`--compare`: every difference to the cent, with a cause that gives the other amount exactly, or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.payroll.test_batch import FULL, GOOD, changed

from backoffice.payroll import batch
from backoffice.payroll.batch_csv import flat
from backoffice.payroll.calc import Tables
from backoffice.payroll.cli import payroll
from backoffice.payroll.previous import is_amount

HEAD = {"version": "2020_or_later", "filing_status": "head_of_household", "step3": "2200.00"}
OLDER = {"version": "2019_or_earlier", "filing_status": "single", "allowances": 2}


class Shadow:
    """Compares cases with what a previous provider is said to have paid."""

    def __init__(self, folder: Path) -> None:
        self.cases, self.results, self.previous = (folder / name for name in ("c.jsonl", "r.csv", "previous.csv"))

    def __call__(self, cases: list[dict[str, Any]], previous: str, *options: str) -> Result:
        self.cases.write_text("".join(json.dumps(case) + "\n" for case in cases))
        self.previous.write_text(previous)
        given = ["--input", self.cases, "--output", self.results, "--compare", self.previous, *options]
        return CliRunner().invoke(payroll, ["calculate", *map(str, given)])

    def causes(self, case: dict[str, Any], **theirs: str) -> dict[str, tuple[str, str]]:
        """key → (cause, detail) of one paycheck."""
        heads = {key.replace("__", "."): amount for key, amount in theirs.items()}
        told = self([case], f"id,{','.join(heads)}\n{case['id']},{','.join(heads.values())}\n", "--json")
        assert told.exit_code == 0, told.output  # a difference is a finding, no failure
        (check,) = json.loads(told.output)["paychecks"]
        return {each["key"]: (each["cause"], each["detail"]) for each in check["differences"]}


@pytest.fixture
def shadow(tmp_path: Path) -> Shadow:
    return Shadow(tmp_path)


def amount(case: dict[str, Any], key: str) -> str:
    (answer,) = batch.calculate_lines([(1, json.dumps(case).encode())], Tables.load())
    return flat(answer)[key]


def test_our_own_results_agree_with_themselves(shadow: Shadow) -> None:
    cases = [GOOD, FULL, changed("id", 7)]
    shadow(cases, "id,net_pay\n")
    told = shadow(cases, shadow.results.read_text())  # notes and tables of our own CSV are not looked at
    assert told.exit_code == 0
    assert told.output.splitlines()[0].startswith("Shadow payroll: 3 paychecks compared, 3 agree to the cent, 0 differ")
    assert told.output.splitlines()[-1] == (
        "totals: compared=3 agree=3 differ=0 only_here=0 only_there=0 not_calculated=0 unexplained=0"
    )


def test_a_cent_is_told_by_the_rounding_that_makes_it(shadow: Shadow) -> None:
    found = shadow.causes(GOOD, federal_income_tax="78.07", state_income_tax="28.00", net_pay="804.43")
    assert found["federal_income_tax"] == ("rounding", "exactly 78.0769230769, rounded down to the cent there")
    assert found["state_income_tax"][0] == "rounding"
    assert "to the nearest dollar" in found["state_income_tax"][1]
    assert found["net_pay"] == ("follows", "follows from the lines above")
    assert shadow.causes(GOOD, federal_income_tax="78.09")["federal_income_tax"][0] == "unexplained"


@pytest.mark.parametrize(
    ("field", "value", "otherwise", "key", "cause", "words"),
    [
        ("ytd.social_security_wages", "184500.00", "0.00", "social_security", "wages_to_date", "yearly limit"),
        ("ytd.futa_wages", "6900.00", "0.00", "programmes.CA_ETT.employer", "wages_to_date", "yearly limit"),
        ("w4.step4c", "25.00", "0.00", "federal_income_tax", "w4", "step 4(c)"),
        ("w4", {**HEAD, "step2_checkbox": True}, HEAD, "federal_income_tax", "w4", "box of step 2"),
        ("w4.nonresident_alien", True, False, "federal_income_tax", "w4", "nonresident"),
        ("w4.filing_status", "head_of_household", "married_filing_jointly", "federal_income_tax", "w4",
         "status were married_filing_jointly"),
        ("w4", OLDER, {**OLDER, "allowances": 1}, "federal_income_tax", "allowances", "with 1 allowances"),
        ("state_certificate", {"status": "married", "allowances": 2}, {"status": "married", "allowances": 0},
         "state_income_tax", "allowances", "with 0 allowances on the state certificate"),
        ("pay_frequency", "biweekly", "semimonthly", "federal_income_tax", "frequency", "paid semimonthly"),
    ],
)  # fmt: skip
def test_what_was_done_otherwise_is_found(
    shadow: Shadow, field: str, value: Any, otherwise: Any, key: str, cause: str, words: str
) -> None:
    case = changed(field, value, changed("taxable_wages", "2713.37"))
    theirs = amount(changed(field, otherwise, case), key)
    ((code, detail),) = shadow.causes(case, **{key: theirs}).values()
    assert (code, words in detail) == (cause, True), detail


def test_of_several_causes_that_fit_none_is_chosen(shadow: Shadow) -> None:
    """Half brackets are whole ones for two, or for twice the pay: the same tax."""
    box = changed("w4.step2_checkbox", True)
    found = shadow.causes(box, federal_income_tax=amount(GOOD, "federal_income_tax"))["federal_income_tax"]
    assert found[0] == "several"
    for words in ("box of step 2", "married_filing_jointly", "paid biweekly"):
        assert words in found[1]


def test_a_missing_state_certificate_and_another_year(shadow: Shadow) -> None:
    married = changed("w4.filing_status", "married_filing_jointly", changed("taxable_wages", "2713.37"))
    theirs = amount(changed("state_certificate", {"status": "married"}, married), "state_income_tax")
    assert shadow.causes(married, state_income_tax=theirs)["state_income_tax"][0] == "no_certificate"
    texas = changed("work_state", "TX") | {"pay_date": "2026-01-02"}
    last_year = amount(texas | {"pay_date": "2025-12-26"}, "federal_income_tax")
    found = shadow.causes(texas, federal_income_tax=last_year)
    assert found["federal_income_tax"] == ("other_year", "as by the federal tables of 2025")


def test_other_wages_are_told_when_the_file_or_two_taxes_bear_them_out(shadow: Shadow) -> None:
    less = changed("taxable_wages", "950.00")
    taxes = {key: amount(less, key) for key in ("federal_income_tax", "social_security", "medicare", "gross_pay")}
    found = shadow.causes(GOOD, **taxes)
    assert found["gross_pay"] == ("gross_pay", "the earnings differ")
    assert found["federal_income_tax"] == ("other_wages", "as on the previous provider's gross pay")
    fica = {key: taxes[key] for key in ("social_security", "medicare")}
    found = shadow.causes(GOOD, **fica)
    for key in fica:
        assert found[key] == ("other_wages", "both fit wages of 950.00 to 950.08 instead of 1000.00")
    # One tax alone would fit some wages whatever it is: that explains nothing.
    assert shadow.causes(GOOD, medicare=taxes["medicare"])["medicare"][0] == "unexplained"
    assert shadow.causes(GOOD, medicare="13.78", social_security="60.00")["medicare"][0] == "unexplained"


def test_amounts_that_stand_elsewhere_or_nowhere(shadow: Shadow) -> None:
    rich = changed("ytd.medicare_wages", "250000.00")
    found = shadow.causes(rich, medicare="23.50", additional_medicare="")
    assert found == {"medicare": ("additional_medicare_within", "Additional Medicare stands within Medicare there")}
    found = shadow.causes(GOOD, state_income_tax="0.00", programmes__NY_DBL__employee="0.60")
    assert found["state_income_tax"][0] == "nothing_there"
    assert found["programmes.NY_DBL.employee"][0] == "unexplained"


def test_the_report_for_a_clerk_and_for_a_script(shadow: Shadow) -> None:
    cases = [GOOD, FULL, changed("taxable_wages", "x") | {"id": "bad"}, changed("id", "new"), GOOD]
    previous = "id;federal_income_tax;net_pay\ncase-1;78.07;804.68\ncase-2;;1.00\nbad;1;1\ngone;1;2.5\n"
    told = shadow(cases, previous)
    assert told.exit_code == 1  # a line failed
    lines = told.output.splitlines()
    assert lines[0].startswith("Shadow payroll: 2 paychecks compared, 0 agree to the cent, 2 differ.")
    assert [line.split() for line in lines if line.startswith("federal_income_tax ")] == [
        ["federal_income_tax", "1", "78.08", "78.07", "+0.01"]
    ]
    assert "    federal_income_tax: ours 78.08, previous 78.07, +0.01: rounding: " in told.output
    assert [line.split() for line in lines if line.startswith("follows ")] == [["follows", "1", "-0.01"]]
    assert "Not in the previous provider's file, or a second time here: new, case-1" in lines
    assert "In the previous provider's file alone: gone" in lines
    assert "Not calculated here (the results say why): bad" in lines
    assert lines[-1] == "totals: compared=2 agree=0 differ=2 only_here=2 only_there=1 not_calculated=1 unexplained=1"
    body = json.loads(shadow(cases, previous, "--json").output)
    assert body["totals"]["differ"] == 2
    for key, tax in body["by_tax"].items():
        of_paychecks = [
            round(float(each["difference"]) * 100)
            for check in body["paychecks"] for each in check["differences"] if each["key"] == key
        ]  # fmt: skip
        assert (len(of_paychecks), sum(of_paychecks)) == (tax["differ"], round(float(tax["difference"]) * 100))
    assert sum(cause["amounts"] for cause in body["by_cause"].values()) == 3
    assert list(body["by_cause"])[-1] == "unexplained"


@pytest.mark.parametrize(
    ("previous", "says"),
    [
        ("net_pay\n1\n", "The head id is missing."),
        ("id,netpay\n1,2\n", "netpay is none of our results' keys; is net_pay meant?"),
        ("id,notes\n1,2\n", "There is no amount to compare"),
        ("id,net_pay\n1,2\n1,3\n,4\n", "line 3: the id 1 stands twice. line 4: the id is missing."),
        ('id,net_pay\n1,"1,000.00"\n2,5.001\n', "line 2, net_pay: give a plain decimal"),
        ("id,net_pay\n1\n", "line 2: The row has 1 cells and the file 2 heads"),
        ("", "is empty"),
    ],
)
def test_a_file_that_cannot_be_compared_with_stops_before_anything_is_written(
    shadow: Shadow, previous: str, says: str
) -> None:
    told = shadow([GOOD], previous)
    assert told.exit_code == 2
    assert says in told.output
    assert not shadow.results.exists()


def test_usage(shadow: Shadow, tmp_path: Path) -> None:
    shadow([GOOD], "id,net_pay\n")
    options = ["calculate", "--input", str(shadow.cases), "--output", str(shadow.results)]
    assert CliRunner().invoke(payroll, [*options, "--json"]).exit_code == 2
    missing = CliRunner().invoke(payroll, [*options, "--compare", str(tmp_path / "none.csv")])
    assert (missing.exit_code, "cannot read" in missing.output) == (2, True)
    before = shadow.results.read_text()
    assert CliRunner().invoke(payroll, [*options, "--compare", str(shadow.results)]).exit_code == 2
    assert shadow.results.read_text() == before


def test_every_amount_of_our_results_can_be_compared() -> None:
    answers = batch.calculate_lines(
        [(1, json.dumps(changed("work_state", state)).encode()) for state in ("CA", "NY", "WA", "AK", "PA")],
        Tables.load(),
    )
    for answer in answers:
        for head, cell in flat(answer).items():
            if head.split(".")[0] not in {"id", "notes", "tables"}:
                assert is_amount(head), (head, cell)


def test_a_deduction_that_lowered_nothing_there_is_named(shadow: Shadow) -> None:
    case = changed("id", "d") | {"deductions": [{"code": "section_125_medical_dental_vision", "amount": "150.00"}]}
    whole = amount(changed("id", "d"), "federal_income_tax")
    assert whole != amount(case, "federal_income_tax")
    assert shadow.causes(case, federal_income_tax=whole)["federal_income_tax"] == (
        "deductions", "as if no deduction lowered the wages",
    )  # fmt: skip
