"""Why one paycheck is not another: every difference with its cents, and their sum the difference of net."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from tests.payroll.calc.test_calc_derivation import random_paycheck

from backoffice.payroll import calc
from backoffice.payroll.calc import (
    W4,
    Columns,
    Derivation,
    Difference,
    LineDerivation,
    Paycheck,
    Recorder,
    StateCertificate,
    Tables,
    Work,
    Worked,
    YearToDate,
    difference,
    explain,
    workweek_earnings,
)
from backoffice.payroll.calc.formula import evaluate

FOLDER = Path(calc.__file__).parent / "tables"
PLAIN = Paycheck(
    pay_date=date(2026, 11, 20), pay_frequency="weekly", gross=100_000, w4=W4(), work=(Work(state="CA"),)
)  # fmt: skip


def derived(check: Paycheck, tables: Tables | None = None) -> Derivation:
    return explain(Columns.of([check]), tables or Tables.load())


def told(found: Difference, code: str) -> list[tuple[str, str, str | None, str | None, int]]:
    (line,) = [line for line in found.lines if line.code == code]
    return [(each.what, each.name, each.before, each.after, each.cents) for each in line.changes]


def assert_sums(found: Difference) -> None:
    assert sum(line.cents for line in found.lines) == found.after - found.before == found.cents
    for line in found.lines:
        assert sum(change.cents for change in line.changes) == line.cents != 0


def test_nothing_differs_from_itself() -> None:
    found = difference(derived(PLAIN), derived(PLAIN))
    assert (found.cents, found.lines, found.versions) == (0, (), {})
    assert found.as_text() == ["net pay: 804.67 -> 804.67: 0.00"]


def test_fewer_wages_in_the_same_row_of_the_table_are_the_whole_difference() -> None:
    found = difference(derived(PLAIN), derived(replace(PLAIN, gross=90_000)))
    assert_sums(found)
    assert told(found, "federal_income_tax") == [("input", "wages", "1000.00", "900.00", 1_200)]  # 12 %
    assert told(found, "medicare") == [("input", "wages", "1000.00", "900.00", 145)]
    assert told(found, "gross_pay") == [("input", "earnings", "1000.00", "900.00", -10_000)]
    assert not [line for line in found.lines if line.code.startswith("employer") or line.code == "futa"]


def test_another_row_of_the_table_stands_with_the_cents_it_moved_itself() -> None:
    found = difference(derived(PLAIN), derived(replace(PLAIN, gross=150_000)))
    assert_sums(found)
    # 12 % of 500.00 more is 60.00; the row of 22 % adds 10 % of the 11,500 a year above 57,900 + 8,600: 22.1154.
    assert told(found, "federal_income_tax") == [
        ("input", "wages", "1000.00", "1500.00", -6_000),
        ("table_row", "us_federal_2026",
         "us_federal_2026: 2026 standard single row 3, at least 19900.00",
         "us_federal_2026: 2026 standard single row 4, at least 57900.00", -2_211),
    ]  # fmt: skip


def test_inputs_limits_and_lines_that_come_and_go() -> None:
    capped = replace(
        PLAIN,
        w4=W4(step4c=2_500),
        work=(Work(state="IL", certificate=StateCertificate(allowances=2)),),
        ytd=YearToDate(social_security_wages=18_440_000),
    )
    found = difference(derived(PLAIN), derived(capped))
    assert_sums(found)
    assert told(found, "federal_income_tax") == [("input", "step4c", "0.00", "25.00", -2_500)]
    assert told(found, "social_security") == [("input", "before", "0.00", "184400.00", 0 + 5_580)]  # 100.00 are left
    gone = {(line.code, line.jurisdiction): (line.before, line.after) for line in found.lines}
    assert gone["CA_SDI", "CA"] == (1_300, None)
    assert gone["state_income_tax", "IL"] == (None, 4_393)
    exempt = difference(derived(PLAIN), derived(replace(PLAIN, w4=W4(exempt=True))))
    assert_sums(exempt)
    ((what, name, before, after, cents),) = told(exempt, "federal_income_tax")
    assert (what, name, after, cents) == ("steps", "calculated", "tax", 7_808)
    assert "less_credit" in str(before)


def test_a_changed_value_of_a_table_is_told_as_a_version_of_the_law() -> None:
    texts = {name: (FOLDER / f"{name}.toml").read_bytes() for name in Tables.load().versions()}
    texts["us_ca_2026"] = texts["us_ca_2026"].replace(b'rate = "0.013"', b'rate = "0.014"')
    changed = Tables.of(texts)
    found = difference(derived(PLAIN), derived(replace(PLAIN, gross=110_000), changed))
    assert_sums(found)
    versions = Tables.load().versions("us_ca_2026")["us_ca_2026"], changed.versions("us_ca_2026")["us_ca_2026"]
    assert told(found, "CA_SDI") == [
        ("input", "wages", "1000.00", "1100.00", -130),
        ("law_version", "us_ca_2026, programmes CA_SDI rate", *versions, -110),
    ]
    assert found.versions == {"us_ca_2026": versions}


def test_a_new_year_is_told_as_new_tables() -> None:
    texas = replace(PLAIN, work=(Work(state="TX"),), pay_date=date(2025, 12, 26))
    found = difference(derived(texas), derived(replace(texas, pay_date=date(2026, 1, 2))))
    assert_sums(found)
    changes = told(found, "federal_income_tax")
    assert {what for what, *_ in changes} == {"table_row"}
    assert set(found.versions) == {"us_federal_2025", "us_federal_2026"}


def test_hours_and_rates_are_told_where_the_earnings_stand_line_by_line() -> None:
    def paid(hours: str, rate: str, *more: Worked) -> Derivation:
        monday = date(2026, 11, 9)
        worked = Worked(assignment="asg_1", day=monday, hours=Decimal(hours), rate=Decimal(rate), state="TX")
        week = workweek_earnings([worked, *more], week_begins=monday, law=Tables.load().overtime)
        return week.derivation() + derived(replace(PLAIN, gross=week.gross, work=(Work(state="TX"),)))

    found = difference(paid("20", "25.00"), paid("16", "26.00"))
    assert_sums(found)
    assert told(found, "regular") == [
        ("input", "hours", "20.00", "16.00", -10_000), ("input", "rate", "25.00", "26.00", 1_600),
    ]  # fmt: skip
    assert not [line for line in found.lines if line.code == "gross_pay"]
    second = Worked(assignment="asg_2", day=date(2026, 11, 10), hours=Decimal(23), rate=Decimal(20), state="TX")
    found = difference(paid("20", "25.00"), paid("20", "25.00", second))
    assert_sums(found)
    assert {(line.code, line.key): line.cents for line in found.lines if line.before is None} == {
        ("regular", "asg_2"): 46_000, ("overtime_premium", None): 3_349,
    }  # fmt: skip


def test_any_two_paychecks_sum_to_their_difference() -> None:
    dice = random.Random(5)
    drawn = [check for _ in range(200) if not Tables.load().refusals_of(check := random_paycheck(dice))]
    assert len(drawn) > 100
    derivations = [derived(check) for check in drawn]
    kinds = set()
    for before, after in pairwise(derivations):
        found = difference(before, after)
        assert_sums(found)
        kinds |= {change.what for line in found.lines for change in line.changes}
        assert not [line for line in found.lines if line.code == "net_pay"]  # every line is told
        back = difference(after, before)
        assert back.cents == -found.cents
    assert kinds == {"input", "table_row", "steps", "line"}


def test_json_and_text_tell_the_same() -> None:
    found = difference(derived(PLAIN), derived(replace(PLAIN, gross=150_000)))
    body, text = json.loads(json.dumps(found.as_json())), "\n".join(found.as_text())
    assert (body["net_before"], body["net_after"], body["difference"]) == ("804.67", "1138.59", "333.92")
    for line in body["lines"]:
        assert f"{line['code']} ({line['jurisdiction']}): {line['before']} -> {line['after']}" in text
        for change in line["changes"]:
            shown = f"{change['before']} -> {change['after']}: {change['effect_on_net']}" in text.replace("+", "")
            assert shown is (change["effect_on_net"] != "0.00")
    assert "row of us_federal_2026" in text


def test_what_moved_nothing_stands_in_json_alone() -> None:
    """Another status of the form of California is a word; the rows that it chose are what moved the tax."""
    married = replace(PLAIN, work=(Work(state="CA", certificate=StateCertificate(status="married")),), gross=300_000)
    single = replace(married, work=(Work(state="CA", certificate=StateCertificate(status="single")),))
    found = difference(derived(single), derived(married))
    assert_sums(found)
    still = [change for line in found.lines for change in line.changes if not change.cents]
    assert still
    text = "\n".join(found.as_text())
    assert not any(f"{change.as_text()}" in text for change in still)
    assert all(not row.endswith(": 0.00") for row in found.as_text())


def test_a_line_that_the_derivation_does_not_tell_stands_as_a_rest() -> None:
    def only(net: int) -> Derivation:
        recorder = Recorder()
        recorder.line("net_pay", "net", "US", net, "")
        return recorder.derivation()

    found = difference(only(100), only(70))
    assert_sums(found)
    assert [(line.code, line.cents) for line in found.lines] == [("net_pay", -30)]
    with pytest.raises(ValueError, match="no net pay"):
        difference(Derivation(()), only(1))
    nothing_to_divide_by = LineDerivation("tax", "employee_tax", "US", 0, "", ())
    assert difference(Derivation((nothing_to_divide_by, *only(5).lines)), only(5)).cents == 0


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("max(0, wages - 2 * step3) / 3", Fraction(100, 3)),
        ("round_half_up(wages * 0.125, 0.01)", Fraction("12.5")),
        ("-step3 + min(wages, 7)", Fraction(7)),
        ("wages", Fraction(100)),
    ],
)
def test_formulas(formula: str, value: Fraction) -> None:
    assert evaluate(formula, {"wages": Fraction(100), "step3": Fraction(0)}) == value


@pytest.mark.parametrize(
    "formula", ["__import__('os')", "wages ** 2", "wages.real", "min()", "'text'", "wages +", "x[0]"]
)
def test_what_is_no_formula_is_refused(formula: str) -> None:
    with pytest.raises(ValueError, match="no formula"):
        evaluate(formula, {"wages": Fraction(1), "x": Fraction(1)})
