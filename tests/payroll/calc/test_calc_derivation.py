"""The derivation is the calculation: every line has one, every step can be redone from its own inputs by anyone, and a
changed table changes number and derivation together."""

from __future__ import annotations

import json
import random
import re
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from backoffice.payroll import calc
from backoffice.payroll.calc import (
    FILING_STATUSES,
    STATE_STATUSES,
    STATES,
    W4,
    Columns,
    Derivation,
    LineDerivation,
    Paycheck,
    StateCertificate,
    Tables,
    Work,
    Worked,
    YearToDate,
    explain,
    gross_to_net,
    workweek_earnings,
)

FOLDER = Path(calc.__file__).parent / "tables"


def round_half_up(amount: Fraction, to: Fraction) -> Fraction:
    return ((amount / to + Fraction(1, 2)) // 1) * to


def cut(amount: Fraction, to: Fraction) -> Fraction:
    return (amount / to) // 1 * to


def redo(line: LineDerivation) -> Fraction:
    """The result of the last step of a line, redone from the formulas and inputs alone; checks every step and that a
    step's inputs are the results of earlier ones of the same name."""
    known: dict[str, Fraction] = {}
    last = Fraction(0)
    for step in line.steps:
        inputs = {name: value.number() for name, value in step.inputs.items() if value.unit != "text"}
        for name, value in inputs.items():
            assert known.get(name, value) == value, (line.code, step.name, name)
        formula = re.sub(r"\b[0-9]+\.[0-9]+\b", r"Fraction('\g<0>')", step.formula)
        names = {"max": max, "min": min, "round_half_up": round_half_up, "cut": cut, "Fraction": Fraction, **inputs}
        last = Fraction(eval(formula, {"__builtins__": {}}, names))  # noqa: S307
        assert last == step.result.number(), (line.code, step.as_text())
        known[step.name] = last
    return last


def any_paycheck(dice: random.Random) -> Paycheck:
    """Of any state whose law is known, in words and at a pay frequency that it knows."""
    while True:
        check = random_paycheck(dice)
        if not Tables.load().refusals_of(check):
            return check


def random_paycheck(dice: random.Random) -> Paycheck:
    version = dice.choice(("2020_or_later", "2019_or_earlier"))
    state = dice.choice(STATES)
    given = StateCertificate(
        status=dice.choice((None, dice.choice(STATE_STATUSES))),
        allowances=dice.randint(0, 13), secondary_allowances=dice.randint(0, 13),
        elected_annual_exemption=dice.choice((None, 250_033)),
    )  # fmt: skip
    return Paycheck(
        pay_date=date(2026, dice.randint(1, 12), 1),
        pay_frequency=dice.choice(("weekly", "biweekly", "monthly", "daily", "annual")),
        gross=dice.choice((dice.randint(0, 40_000), dice.randint(0, 30_000_000))),
        w4=W4(
            version=version,
            filing_status=dice.choice(FILING_STATUSES if version == "2020_or_later" else FILING_STATUSES[:3]),
            step2_checkbox=dice.random() < 0.5,
            step3=dice.choice((0, 220_000)),
            step4a=dice.choice((0, 1_000_033)),
            step4b=dice.choice((0, 500_033)),
            step4c=dice.choice((0, 1_234)),
            allowances=dice.randint(0, 3),
            exempt=dice.random() < 0.1,
            nonresident_alien=dice.random() < 0.3,
        ),
        work=(Work(state=state, certificate=dice.choice((None, given)), sui_rate=dice.choice((None, 34_125))),),
        ytd=YearToDate(
            social_security_wages=dice.randint(0, 20_000_000),
            medicare_wages=dice.randint(0, 25_000_000),
            futa_wages=dice.randint(0, 900_000),
        ),
    )


def test_every_line_can_be_redone_from_its_derivation_alone() -> None:
    dice = random.Random(7)
    for _ in range(600):
        columns = Columns.of([any_paycheck(dice)])
        lines = gross_to_net(columns, Tables.load()).paycheck(0).lines
        derived = explain(columns, Tables.load()).lines
        assert sorted((d.code, d.kind, d.jurisdiction, d.cents) for d in derived) == sorted(
            (line.code, line.kind, line.jurisdiction, line.cents) for line in lines
        )
        parts: dict[str, Fraction] = {}
        for line in derived:
            assert line.steps, line.code
            assert line.citation
            # The employer's part of a shared programme builds on the employee's, which its inputs show.
            result = redo(line)
            assert result * 100 == line.cents, line.as_text()
            parts[line.code] = result


@pytest.mark.parametrize(
    ("state", "gross", "given", "steps"),
    [
        ("ME", 450_000, StateCertificate(status="married", allowances=2), {"fraction", "standard_deduction"}),
        ("WI", 50_000, StateCertificate(status="single", allowances=3), {"exempt_amount", "standard_deduction"}),
        ("SC", 75_000, StateCertificate(allowances=3), {"standard_deduction"}),
        ("SC", 75_000, StateCertificate(), {"standard_deduction"}),
        ("RI", 600_000, StateCertificate(allowances=10), {"exempt_amount"}),
        ("RI", 60_000, StateCertificate(allowances=10), {"exempt_amount"}),
        ("DE", 48_077, StateCertificate(status="single", allowances=1), {"annual_tax_less_credit"}),
        ("VA", 75_000, StateCertificate(allowances=1, secondary_allowances=2), {"rounded_annual_tax"}),
        ("KS", 100_000, StateCertificate(status="married", allowances=1), {"exempt_amount"}),
        ("MT", 100_000, StateCertificate(status="single"), {"taxable"}),
        ("CO", 100_000, StateCertificate(status="other", elected_annual_exemption=2_000_000), {"taxable"}),
        ("MS", 100_000, StateCertificate(status="single", elected_annual_exemption=600_000), {"exempt_amount"}),
    ],
)
def test_every_kind_of_state_deduction_and_credit_can_be_redone(
    state: str, gross: int, given: StateCertificate, steps: set[str]
) -> None:
    check = Paycheck(
        pay_date=date(2026, 5, 1), pay_frequency="weekly", gross=gross, w4=W4(),
        work=(Work(state=state, certificate=given),),
    )  # fmt: skip
    columns = Columns.of([check])
    (line,) = explain(columns, Tables.load()).of("state_income_tax")
    assert steps <= {step.name for step in line.steps}
    due = gross_to_net(columns, Tables.load()).paycheck(0).amount("state_income_tax")
    assert redo(line) * 100 == line.cents == due


def test_the_derivation_of_one_row_of_a_batch_is_that_of_the_row_alone() -> None:
    dice = random.Random(11)
    checks = [any_paycheck(dice) for _ in range(20)]
    columns = Columns.of(checks)
    for row in (0, 7, 19):
        assert explain(columns, Tables.load(), row) == explain(Columns.of([checks[row]]), Tables.load())
    for row in (20, -1):
        with pytest.raises(IndexError):
            explain(columns, Tables.load(), row)


def test_changing_one_value_of_a_table_changes_number_and_derivation_together() -> None:
    texts = {name: (FOLDER / f"{name}.toml").read_bytes() for name in Tables.load().versions()}
    same = Tables.of(texts)
    texts["us_ca_2026"] = texts["us_ca_2026"].replace(b'rate = "0.013"', b'rate = "0.014"')
    texts["us_federal_2026"] = texts["us_federal_2026"].replace(
        b'{ from = "19900.00", base = "1240.00", rate = "0.12" }',
        b'{ from = "19900.00", base = "1240.00", rate = "0.13" }',
    )
    changed = Tables.of(texts)
    check = Paycheck(
        pay_date=date(2026, 11, 20), pay_frequency="weekly", gross=100_000, w4=W4(), work=(Work(state="CA"),)
    )
    columns = Columns.of([check])
    old, new = gross_to_net(columns, same).paycheck(0), gross_to_net(columns, changed).paycheck(0)
    assert gross_to_net(columns, Tables.load()).paycheck(0) == old
    assert (old.amount("CA_SDI"), new.amount("CA_SDI")) == (1_300, 1_400)
    assert (old.amount("federal_income_tax"), new.amount("federal_income_tax")) == (7_808, 8_260)
    assert old.tables["us_ca_2026"] != new.tables["us_ca_2026"]
    assert old.tables["us_federal_2026"] != new.tables["us_federal_2026"]
    derivation = explain(columns, changed)
    for code in ("CA_SDI", "federal_income_tax"):
        (line,) = derivation.of(code)
        assert redo(line) * 100 == new.amount(code) == line.cents
    assert "rate 0.014" in "\n".join(derivation.of("CA_SDI")[0].as_text())
    assert new.tables["us_ca_2026"] in json.dumps(derivation.as_json())


def test_one_structure_is_printed_three_ways() -> None:
    check = Paycheck(
        pay_date=date(2026, 11, 20), pay_frequency="weekly", gross=100_000, w4=W4(), work=(Work(state="CA"),)
    )
    derivation = explain(Columns.of([check]), Tables.load())
    body = json.loads(json.dumps(derivation.as_json()))
    text = "\n".join(derivation.as_text())
    rows = derivation.as_rows()
    for line, printed in zip(derivation.lines, body, strict=True):
        assert printed["code"] == line.code
        assert f"{line.code} ({line.kind}" in text
        assert len(printed["steps"]) == len([row for row in rows if row[0] == line.code])
        assert printed["citation"] in text
    (federal,) = [line for line in body if line["code"] == "federal_income_tax"]
    tentative = next(step for step in federal["steps"] if step["rule"] == "2")
    assert tentative["table"]["row"] == "2026 standard single row 3, at least 19900.00"
    less_credit = next(step for step in federal["steps"] if step["rule"] == "3c")
    assert less_credit["result"] == {"unit": "usd", "value": "78.0769230769", "exact": "1015/13"}
    assert federal["steps"][-1]["rounding"] == "to the cent, half up, once (IRC 6313)"


def test_earnings_and_taxes_join_into_the_derivation_of_the_whole_paycheck() -> None:
    week = workweek_earnings(
        [
            Worked(assignment="one", day=date(2026, 11, 9), hours=Decimal(23), rate=Decimal("21.15"), state="TX"),
            Worked(assignment="two", day=date(2026, 11, 10), hours=Decimal("23.5"), rate=Decimal("19.40"), state="TX"),
        ],
        week_begins=date(2026, 11, 9),
        law=Tables.load().overtime,
    )
    check = Paycheck(
        pay_date=date(2026, 11, 20), pay_frequency="weekly", gross=week.gross, w4=W4(), work=(Work(state="TX"),)
    )
    whole: Derivation = week.derivation() + explain(Columns.of([check]), Tables.load())
    for line in whole.lines:
        assert redo(line) * 100 == line.cents
    assert [line.code for line in whole.lines][:4] == ["regular", "regular", "overtime_premium", "gross_pay"]
    assert sum(line.cents for line in whole.lines[:3]) == whole.lines[3].cents
