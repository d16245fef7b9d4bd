"""`payroll explain`: one paycheck of a file as text or JSON, and why it is not another."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result
from tests.payroll.test_batch import FULL, GOOD, changed

from backoffice.payroll.cli import payroll


def explain(*options: object) -> Result:
    return CliRunner().invoke(payroll, ["explain", *map(str, options)])


def test_text_and_json_of_one_paycheck_of_a_file(tmp_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    cases.write_text("\ufeff" + json.dumps(GOOD) + "\n{broken\n\n" + json.dumps(changed("id", 7, FULL)) + "\n")
    told = explain("--input", cases, "--id", "case-1")
    assert told.exit_code == 0
    assert "federal_income_tax (employee_tax, US): 78.08" in told.output
    assert "    law: IRC 3402" in told.output
    assert "net_pay (net, US): 804.67" in told.output
    body = json.loads(explain("--input", cases, "--id", 7, "--json").output)
    assert {line["code"] for line in body} >= {"gross_pay", "NY_PFL", "net_pay"}


def test_why_it_is_less_than_last_week(tmp_path: Path) -> None:
    cases, sheet = tmp_path / "cases.jsonl", tmp_path / "last.csv"
    this = changed("taxable_wages", "900.00") | {"id": "this"}
    cases.write_text(json.dumps(GOOD) + "\n" + json.dumps(this) + "\n")
    told = explain("--input", cases, "--id", "this", "--compare-to", "case-1")
    assert told.exit_code == 0
    assert told.output.splitlines()[0] == "net pay: 804.67 -> 732.07: -72.60"
    assert "    wages: 1000.00 -> 900.00: +12.00" in told.output.splitlines()
    sheet.write_text(
        "id,pay_date,pay_frequency,taxable_wages,w4.version,w4.filing_status,work_state\n"
        "last,2026-11-13,weekly,1000.00,2020_or_later,single,CA\n"
    )
    compared = explain("--input", cases, "--id", "this", "--compare-to", "last", "--compare-input", sheet, "--json")
    body = json.loads(compared.output)
    assert (body["net_before"], body["difference"]) == ("804.67", "-72.60")


def test_what_cannot_be_explained(tmp_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    bad = changed("taxable_wages", "x") | {"id": "bad"}
    cases.write_text("".join(json.dumps(case) + "\n" for case in (GOOD, bad, FULL, FULL)))
    for options, code, says in (
        (("--input", cases, "--id", "bad"), 1, "bad cannot be calculated: #/taxable_wages invalid_amount"),
        (("--input", cases, "--id", "case-2"), 2, "lines 3, 4"),
        (("--input", cases, "--id", "nobody"), 2, "has no case with the id nobody"),
        (("--input", cases, "--id", "case-1", "--compare-to", "bad"), 1, "bad cannot be calculated"),
        (("--input", tmp_path / "none", "--id", "case-1"), 2, "cannot read"),
        (("--input", cases, "--id", "case-1", "--compare-input", cases), 2, "needs --compare-to"),
    ):
        told = explain(*options)
        assert told.exit_code == code
        assert says in told.output


def test_how_much_more_pay_leaves_a_net(tmp_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    cases.write_text(json.dumps(GOOD) + "\n")

    def told(*options: object) -> Result:
        return CliRunner().invoke(payroll, ["gross-up", "--input", str(cases), *map(str, options)])

    body = json.loads(told("--id", "case-1", "--net", "1000.00", "--json").output)
    assert (body["net_pay"], body["exact"]) == ("1000.00", True)
    again = tmp_path / "again.jsonl"
    again.write_text(json.dumps(changed("taxable_wages", body["gross_pay"])) + "\n")
    shown = CliRunner().invoke(payroll, ["explain", "--input", str(again), "--id", "case-1"])
    assert "net_pay (net, US): 1000.00" in shown.output
    said = told("--id", "case-1", "--net", "1000.00", "--supplemental").output
    assert "gross, which leaves 1000.00 net" in said
    for options, code, says in (
        (("--id", "case-1", "--net", "1"), 1, "leaves 804.67 already, more than 1.00"),
        (("--id", "case-1", "--net", "x"), 2, "--net"),
        (("--id", "nobody", "--net", "1000"), 2, "no case with the id nobody"),
    ):
        refused = told(*options)
        assert (refused.exit_code, says in refused.output) == (code, True), refused.output
