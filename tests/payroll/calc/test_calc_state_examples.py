"""Worked examples of the states' own guides, to the cent, and where a guide prints none, cases worked by hand from its
table. They are cited as a public data set quotes them (open-withholding, read in November 2026)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from tests.payroll.calc.test_calc_derivation import redo

from backoffice.payroll.calc import (
    FILING_STATUSES,
    W4,
    Columns,
    Paycheck,
    StateCertificate,
    Tables,
    Work,
    explain,
    gross_to_net,
)
from backoffice.payroll.calc.result import PaycheckResult

SUMMER = date(2026, 6, 15)


def calculate(
    state: str, gross: str, frequency: str, given: StateCertificate | None, day: date = SUMMER, *,
    w4: W4 | None = None, period_end: date | None = None,
) -> PaycheckResult:  # fmt: skip
    check = Paycheck(
        pay_date=day, period_end=period_end, pay_frequency=frequency, gross=round(float(gross) * 100), w4=w4 or W4(),
        work=(Work(state=state, certificate=given),),
    )  # fmt: skip
    return gross_to_net(Columns.of([check]), Tables.load()).paycheck(0)


def tax(
    state: str, gross: str, frequency: str, status: str | None = None, allowances: int = 0, secondary: int = 0,
    day: date = SUMMER, *, elected: int | None = None, extra: int | None = None, period_end: date | None = None,
) -> int:  # fmt: skip
    given = StateCertificate(
        status=status, allowances=allowances, secondary_allowances=secondary, elected_annual_exemption=elected,
        additional_withholding=extra,
    )  # fmt: skip
    return calculate(state, gross, frequency, given, day, period_end=period_end).amount("state_income_tax")


PRINTED = [
    # Delaware, Employer's Guide, section 17
    ("DE", "480.77", "weekly", "single", 1, "13.88"),
    ("DE", "2083.33", "monthly", "married_joint", 3, "28.25"),
    # Hawaii, Booklet A, page 20: 500 x 52 - 3 x 1,144 - 4,350 = 18,218; 288.00 + 5.5% of 3,818
    ("HI", "500.00", "weekly", "single", 3, "9.58"),
    # Kansas, KW-100, page 6: (18,320 + 2,320) / 24 = 860.00; (1,140 - 343) x 5.2% = 41.44
    ("KS", "2000.00", "semimonthly", "married", 1, "41.00"),
    # Kentucky, 42A003(TCF); the bi-weekly example is printed with a wrong figure (47): its own formula gives 47.98
    ("KY", "3270.00", "monthly", None, 0, "104.65"),
    ("KY", "1500.00", "biweekly", None, 0, "47.98"),
    # Maine, withholding tables 2026, page 7, examples 1 to 3 (the third falls in the phase-out)
    ("ME", "300.00", "weekly", "single", 2, "0.00"),
    ("ME", "1000.00", "weekly", "single", 2, "33.00"),
    ("ME", "4500.00", "weekly", "married", 2, "257.00"),
    # Missouri, Form 4282, page 13: 35,000 - 16,100; 707.81 / 12
    ("MO", "2916.67", "monthly", "married_both", 0, "59.00"),
    # Montana, guide with tax tables, pages 19 and 20
    ("MT", "1375.00", "semimonthly", "single", 0, "33.00"),
    ("MT", "2950.00", "biweekly", "single", 0, "114.00"),
    ("MT", "475.00", "weekly", "single", 0, "8.00"),
    ("MT", "5950.00", "biweekly", "married", 0, "232.00"),
    # North Carolina, NC-30, page 20, annualised: 5,650 x 0.0409 = 231.09; / 52
    ("NC", "450.00", "weekly", "single", 2, "4.00"),
    # New Jersey, NJ-WT, page 25
    ("NJ", "300.00", "weekly", "A", 1, "4.21"),
    ("NJ", "700.00", "weekly", "A", 1, "11.84"),
    ("NJ", "375.00", "weekly", "B", 3, "4.76"),
    # Oklahoma, Packet OW-2, page 7: 1,825 - 2 x 41.67; 9.10 + 4.5% of 612.66 = 36.67
    ("OK", "1825.00", "semimonthly", "married", 2, "37.00"),
    # Rhode Island, withholding tables 2026, page 9
    ("RI", "2195.00", "weekly", None, 1, "87.57"),
    # South Carolina, WH-1603F: 39,000 - 15,000 - 3,900 = 20,100; 549.90 / 52
    ("SC", "750.00", "weekly", None, 3, "10.58"),
    # Vermont, GB-1210, page 8: 1,800 - 207.70; 3.35% over 226
    ("VT", "1800.00", "weekly", "married", 2, "45.77"),
    # Virginia, withholding guide, page 22
    ("VA", "2649.00", "semimonthly", None, 5, "109.50"),
    # Wisconsin, W-166, page 26, examples 1 and 2: deductions 6,651.60 and 5,715.60
    ("WI", "350.00", "weekly", "single", 1, "7.59"),
    ("WI", "500.00", "weekly", "single", 3, "14.34"),
]
BY_HAND = [
    ("DC", "2000.00", "biweekly", None, 1, "103.87"),  # 47,700: 2,200 + 6.5% of 7,700 = 2,700.50
    ("KS", "2000.00", "semimonthly", "single", 0, "78.00"),  # 1,618.33: 49.83 + 5.58% of 509.33
    ("MI", "2500.00", "biweekly", None, 2, "86.96"),  # 53,200 x 4.25% = 2,261.00
    ("MI", "1000.00", "weekly", None, 0, "42.50"),
    ("MN", "2300.00", "biweekly", "single", 1, "111.67"),  # 54,500: 2,903.41
    ("MN", "7500.00", "monthly", "married", 2, "307.79"),  # 79,400: 3,693.45
    ("MO", "1500.00", "biweekly", "single", 0, "34.00"),  # 22,900: 895.67
    ("ND", "1800.00", "weekly", "single", 0, "13.00"),  # 93,600 - 57,625 = 35,975 x 1.95%; the booklet's is of 2025
    ("ND", "4000.00", "biweekly", "married_joint", 0, "35.00"),  # 906.75 / 26 = 34.88
    ("NE", "1700.00", "biweekly", "single", 1, "54.48"),  # 41,760: 1,343.55 + 4.48% of 1,630
    ("NM", "800.00", "weekly", "single", 0, "22.46"),
    ("OH", "1800.00", "biweekly", None, 1, "40.90"),
    ("OK", "900.00", "weekly", "single", 1, "30.00"),  # 880.77: 29.99
    ("RI", "6000.00", "weekly", None, 10, "299.16"),  # 312,000 a year is above the cliff: ten exemptions are worth 0
    ("SC", "750.00", "weekly", None, 0, "32.38"),  # no allowance, and so no deduction: 39,000
    ("VT", "4000.00", "monthly", "single", 1, "107.97"),
    # 50,000: 1,462.88 + 4.58% of 5,000 = 1,691.88 / 26 = 65.07, and in the printed table to the dollar
    ("WV", "2000.00", "biweekly", "two_earner", 1, "65.00"),
    ("WV", "4500.00", "monthly", "one_earner", 2, "127.00"),  # 50,000: 1,528.50 / 12 = 127.38
]


@pytest.mark.parametrize(("state", "gross", "frequency", "status", "allowances", "expected"), PRINTED + BY_HAND)
def test_worked_examples(
    state: str, gross: str, frequency: str, status: str | None, allowances: int, expected: str
) -> None:
    assert tax(state, gross, frequency, status, allowances) == round(float(expected) * 100)


def test_amounts_that_a_certificate_names_itself() -> None:
    """New Mexico, FYI-104, page 3: 21.80 and the 20.00 asked for. Nebraska: 150.07 and 10.00. Mississippi, by hand:
    48,000 - 6,000 - 2,300 = 39,700 and 27,700 without an exemption. Virginia, by hand: 48,590, 2,536.43 to 2,536."""
    assert tax("NM", "1000.00", "weekly", "married", extra=2_000) == 4_180
    assert tax("NE", "5200.00", "monthly", "married", 2, extra=1_000) == 16_007
    assert tax("MS", "4000.00", "monthly", "single", elected=600_000) == 9_900
    assert tax("MS", "2500.00", "monthly", "single") == 5_900
    assert tax("VA", "5000.00", "monthly", None, 2, 1) == 21_133


def test_colorado_takes_the_amount_of_the_form_in_place_of_its_own() -> None:
    """1,000 a week: (52,000 - 5,500) x 4.4% / 52, or 52,000 less what DR 0004 line 2 says, a zero included."""
    assert tax("CO", "1000.00", "weekly", "other") == 3_935  # 39.346...
    assert tax("CO", "1000.00", "weekly", "married") == 3_469  # 34.692...
    assert tax("CO", "1000.00", "weekly", "married", elected=0) == 4_400
    assert tax("CO", "1000.00", "weekly", "other", elected=2_000_000) == 2_708  # 32,000 x 4.4% / 52 = 27.076...
    married = calculate("CO", "1000.00", "weekly", None, w4=W4(filing_status="married_filing_jointly"))
    assert married.amount("state_income_tax") == 3_469  # without DR 0004 the federal status counts
    for state, status, used in (("CO", "other", "the standard deduction"), ("MS", "single", "0.00")):
        notes = calculate(state, "1000.00", "weekly", StateCertificate(status=status)).notes
        unsaid = f"state_certificate.elected_annual_exemption of {state} was not given: {used} is used."
        assert ("state_election_default", unsaid) in notes


def test_georgia_changes_rate_deduction_and_allowance_with_the_pay_date_of_11_may() -> None:
    """Both editions, table E example 1 and table F example 2."""
    spring, may = date(2026, 3, 15), date(2026, 5, 11)
    assert tax("GA", "1470.83", "semimonthly", "married_joint", 1, day=spring) == 1_579
    assert tax("GA", "2000.00", "semimonthly", "married_joint", 1, day=may) == 2_703
    assert tax("GA", "730.77", "biweekly", "single", 2, day=spring) == 0
    assert tax("GA", "935.00", "biweekly", "single", 2, day=may) == 0
    last, first = date(2026, 5, 10), date(2026, 5, 11)
    assert tax("GA", "1000.00", "weekly", "single", 1, day=last) == 3_593  # (52,000 - 16,000) x 5.19% / 52
    assert tax("GA", "1000.00", "weekly", "single", 1, day=first) == 3_071  # (52,000 - 20,000) x 4.99% / 52
    late = tax("GA", "1000.00", "weekly", "single", 1, day=first, period_end=last)
    assert late == 3_071  # the pay date decides, not the period


def test_idaho_rounds_the_year_and_the_period_until_its_tables_of_31_july() -> None:
    """EPB00744, both examples of the first edition, with the child allowance that the second does not have."""
    assert tax("ID", "1212.00", "biweekly", "single", 4, day=date(2026, 1, 2)) == 200
    assert tax("ID", "1000.00", "weekly", "married", 4, day=date(2026, 7, 30)) == 700
    assert tax("ID", "1000.00", "weekly", "married", 4, day=date(2026, 7, 31)) == 2_000  # 381 x 5.3% = 20.19
    note = "state_allowances_unused"
    for day, told in ((date(2026, 7, 30), False), (date(2026, 7, 31), True)):
        result = calculate("ID", "1000.00", "weekly", StateCertificate(status="married", allowances=4), day)
        assert (note in [code for code, _ in result.notes]) is told
    assert tax("ID", "10000.00", "quarterly", "single", day=date(2026, 7, 30)) == 33_100  # 25,000 x 5.3% / 4 = 331.25


def test_ohio_changes_by_the_end_of_the_pay_period() -> None:
    """400 a week without exemptions: the first band of the old table is 1.775%, of the new one 1.6%."""
    payday = date(2026, 8, 7)
    old = tax("OH", "400.00", "weekly", None, day=payday, period_end=date(2026, 7, 31))
    new = tax("OH", "400.00", "weekly", None, day=payday, period_end=date(2026, 8, 1))
    assert (old, new) == (710, 640)
    assert tax("OH", "400.00", "weekly", None, day=date(2026, 7, 30), period_end=date(2026, 8, 1)) == 640


def test_west_virginia_changes_with_the_pay_date_of_12_june() -> None:
    """The lowest band, 2.22% and then 2.11%, in whole dollars: 140 a week is 3.11 and 2.95; 160 is 3.55 and 3.38."""
    for gross, before, after in (("140.00", 300, 300), ("160.00", 400, 300)):
        assert tax("WV", gross, "weekly", "two_earner", day=date(2026, 6, 11)) == before
        assert tax("WV", gross, "weekly", "two_earner", day=date(2026, 6, 12)) == after


def test_without_a_certificate_the_default_of_the_state_is_used_and_told() -> None:
    joint = W4(filing_status="married_filing_jointly")
    for state, same_as in (("GA", "single"), ("NJ", "A"), ("WV", "two_earner"), ("WI", "single"), ("KS", "single")):
        result = calculate(state, "1500.00", "weekly", None, w4=joint)
        assert result.amount("state_income_tax") == tax(state, "1500.00", "weekly", same_as)
        assert "state_certificate_default" in [code for code, _ in result.notes]


def test_a_federal_status_is_mapped_as_each_state_maps_it() -> None:
    for state, words in {
        "MO": ("single", "married_one_earner", "married_both", "head_of_household"),
        "MS": ("single", "married_one_earner", "married_both", "head_of_family"),
        "NJ": ("A", "B", "A", "B"),
        "HI": ("single", "married", "married", "single"),
        "DE": ("single", "married_joint", "married_separate", "single"),
        "NC": ("single", "single", "single", "head_of_household"),
        "CO": ("other", "married", "other", "other"),
    }.items():
        for filing_status, word in zip(FILING_STATUSES, words, strict=True):
            mapped = calculate(state, "1500.00", "weekly", StateCertificate(), w4=W4(filing_status=filing_status))
            assert mapped.amount("state_income_tax") == tax(state, "1500.00", "weekly", word), (state, filing_status)


def test_north_dakota_takes_an_allowance_off_for_an_older_federal_form() -> None:
    """Weekly 1,800.00, single: (93,600 - 2 x 5,050 - 57,625) x 1.95 % / 52 = 9.70; the newer form 13.49."""
    form, older = StateCertificate(status="single"), W4(version="2019_or_earlier", allowances=2)
    for given, expected in ((form, 1_000), (None, 1_300)):  # without a form of the state its default counts
        assert calculate("ND", "1800.00", "weekly", given, w4=older).amount("state_income_tax") == expected
    assert calculate("ND", "1800.00", "weekly", form).amount("state_income_tax") == 1_300
    check = Paycheck(pay_date=SUMMER, pay_frequency="weekly", gross=180_000, w4=older,
                     work=(Work(state="ND", certificate=form),))  # fmt: skip
    (line,) = explain(Columns.of([check]), Tables.load()).of("state_income_tax")
    assert redo(line) * 100 == line.cents == 1_000
    assert [step.name for step in line.steps][1] == "exempt_amount"


def test_rules_that_ask_for_facts_nobody_gives_are_told() -> None:
    def told(state: str, gross: str) -> list[str]:
        notes = calculate(state, gross, "monthly", StateCertificate(status="single")).notes
        return [detail for code, detail in notes if code == "state_rule_not_judged"]

    # Nebraska, 1,400.00 a month: 16,800 - 6,710 at 3.22 % and 74.13 make 33.25, above 21.00. Of 600.00: 7.49.
    assert told("NE", "1400.00") == []
    assert len(told("NE", "600.00")) == 1
    assert "1.5 %" in told("NE", "600.00")[0]
    # New Mexico, monthly, single: 1.5 % of what is above the first row.
    small = next(gross for gross in range(600, 900, 5) if tax("NM", f"{gross}.00", "monthly", "single"))
    assert tax("NM", f"{small}.00", "monthly", "single") < 100
    assert "under one dollar" in told("NM", f"{small}.00")[0]
    assert told("NM", "3000.00") == []
    check = Paycheck(pay_date=SUMMER, pay_frequency="monthly", gross=300_000, w4=W4(), work=(Work(state="NM"),))
    away = gross_to_net(Columns.of([replace(check, residence_state="TX")]), Tables.load()).paycheck(0)
    assert any("15 days" in detail for code, detail in away.notes if code == "state_rule_not_judged")


def test_unverified_law_is_told() -> None:
    told = [detail for code, detail in calculate("DC", "900.00", "weekly", None).notes if code == "unverified_value"]
    assert told == ["The withholding law of DC used here is unverified."]
    older = calculate("ND", "900.00", "weekly", None, w4=W4(version="2019_or_earlier"))
    assert any(detail.startswith("ND: the allowance of 5,050") for _, detail in older.notes)
    assert not any(detail.startswith("ND: ") for _, detail in calculate("ND", "900.00", "weekly", None).notes)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("CO", {"CO_FAMLI": (440, 440)}),
        ("DC", {"DC_UPL": (0, 750)}),
        ("DE", {"DE_PFML": (400, 400)}),
        ("HI", {"HI_TDI": (500, 0)}),
        ("ME", {"ME_PFML": (500, 500)}),
        ("MN", {"MN_PL": (440, 440)}),
        ("NJ", {"NJ_UI_EE": (383, 0), "NJ_WF_EE": (43, 0), "NJ_TDI_EE": (190, 0), "NJ_FLI_EE": (230, 0)}),
        ("RI", {"RI_TDI": (1_100, 0)}),
        ("VT", {"VT_CCC": (110, 330)}),
        ("NM", {}),
    ],
)
def test_programmes_on_1_000_a_week(state: str, expected: dict[str, tuple[int, int]]) -> None:
    """Rate by rate: New Jersey's 0.3825% of 1,000.00 is 3.825, and Vermont's employee owes a quarter of 0.44%."""
    result = calculate(state, "1000.00", "weekly", None)
    for code, (employee, employer) in expected.items():
        assert (result.amount(code, "employee_tax"), result.amount(code, "employer_tax")) == (employee, employer)
    assert {line.code for line in result.lines if line.programme} == set(expected)
    left_out = [detail for code, detail in result.notes if code == "programme_not_per_paycheck"]
    assert len(left_out) == (1 if state in {"HI", "NM"} else 0)


def test_two_rates_of_a_programme_are_rounded_each_by_itself() -> None:
    """Colorado, 0.44% and 0.44% of 85.25: 0.3751 each, though 0.88% of it is 0.7502. Vermont: 0.11% and 0.33%."""
    result = calculate("CO", "85.25", "weekly", None)
    assert (result.amount("CO_FAMLI", "employee_tax"), result.amount("CO_FAMLI", "employer_tax")) == (38, 38)
    result = calculate("VT", "104.00", "weekly", None)  # 0.1144 and 0.3432, together 0.4576
    assert (result.amount("VT_CCC", "employee_tax"), result.amount("VT_CCC", "employer_tax")) == (11, 34)


def test_hawaii_disability_stops_at_the_weekly_maximum() -> None:
    assert calculate("HI", "1499.00", "weekly", None).amount("HI_TDI") == 750  # 7.495
    assert calculate("HI", "9000.00", "weekly", None).amount("HI_TDI") == 750
    assert calculate("HI", "9000.00", "biweekly", None).amount("HI_TDI") == 1_500
