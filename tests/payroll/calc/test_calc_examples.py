"""Worked examples that others published, and the cliffs and caps of the law, exact to the cent."""

from __future__ import annotations

from datetime import date

import pytest

from backoffice.payroll.calc import (
    W4,
    Columns,
    FederalWages,
    Paycheck,
    PaycheckResult,
    ProgrammeYearToDate,
    StateCertificate,
    Tables,
    Work,
    YearToDate,
    gross_to_net,
)

PAYDAY = date(2026, 11, 20)


def calculate(
    gross: int,
    state: str = "TX",
    frequency: str = "weekly",
    *,
    pay_date: date = PAYDAY,
    w4: W4 | None = None,
    ytd: YearToDate | None = None,
    work: Work | None = None,
) -> PaycheckResult:
    check = Paycheck(
        pay_date=pay_date,
        pay_frequency=frequency,
        gross=gross,
        w4=w4 or W4(),
        ytd=ytd or YearToDate(),
        work=(work or Work(state=state),),
    )
    return gross_to_net(Columns.of([check]), Tables.load()).paycheck(0)


def state_tax(gross: int, state: str, frequency: str, status: str | None, first: int, second: int = 0) -> int:
    given = StateCertificate(status=status, allowances=first, secondary_allowances=second)
    return calculate(gross, frequency=frequency, work=Work(state=state, certificate=given)).amount("state_income_tax")


@pytest.mark.parametrize(
    ("source", "gross", "frequency", "status", "regular", "estimated", "tax"),
    [
        ("Example A", 21_000, "weekly", "single", 1, 0, 0),
        (
            "Example B: three allowances, one of them for estimated deductions",
            160_000,
            "biweekly",
            "married",
            2,
            1,
            238,
        ),
        ("Example C", 510_000, "monthly", "married", 5, 0, 82),
        ("Example D", 95_000, "weekly", "head_of_household", 3, 0, 169),
    ],
)
def test_california_withholding_schedules_2026_method_b_examples(
    source: str, gross: int, frequency: str, status: str, regular: int, estimated: int, tax: int
) -> None:
    """EDD, California Withholding Schedules for 2026 (26methb.pdf), Method B, examples A to D."""
    assert state_tax(gross, "CA", frequency, status, regular, estimated) == tax, source


@pytest.mark.parametrize(
    ("source", "gross", "frequency", "status", "exemptions", "tax"),
    [
        ("single, example 1", 40_000, "weekly", "single", 3, 801),
        # Printed 258.51: the guide rounds 12.4245 up to 12.43 here and down in the same example for married.
        ("single, example 2", 500_000, "semimonthly", "single", 1, 25_850),
        ("single, example 3", 5_000_000, "monthly", "single", 3, 357_663),
        ("single, example 4", 75_000, "daily", "single", 2, 4_410),
        ("married, example 1", 40_000, "weekly", "married", 4, 669),
        ("married, example 3", 5_000_000, "monthly", "married", 3, 362_209),
        ("married, example 4", 75_000, "daily", "married", 2, 4_458),
    ],
)
def test_new_york_exact_calculation_examples(
    source: str, gross: int, frequency: str, status: str, exemptions: int, tax: int
) -> None:
    """NYS-50-T-NYS (1/26), Method II, printed examples."""
    assert state_tax(gross, "NY", frequency, status, exemptions) == tax, source


def test_new_york_method_iii_takes_one_flat_rate_of_all_annualised_net_wages() -> None:
    """Single, monthly 120,000: net 119,383.30, annualised 1,432,599.60, at 10.45 %, a twelfth of it."""
    assert state_tax(12_000_000, "NY", "monthly", "single", 0) == 1_247_555  # 12,475.554...
    at_cut_over = 2_072_200 + 14_230
    below = state_tax(at_cut_over - 1, "NY", "weekly", "single", 0)
    assert below == 151_505  # 367.13 + 0.0735 x (20,721.99 - 5,104)
    # The annualised cut-over (1,077,544) lies 6 dollars short of the first row; the first row's rate applies.
    assert state_tax(at_cut_over, "NY", "weekly", "single", 0) == 216_545  # 20,722 x 0.1045


def test_illinois_booklet_il_700_t_example_b() -> None:
    """IL-700-T (R-12/25), automated payroll method: weekly 800, two allowances on each line."""
    assert state_tax(80_000, "IL", "weekly", None, 2, 2) == 3_213
    assert calculate(80_000, "IL").amount("state_income_tax") == 3_960  # no IL-W-4: no allowances


def test_pennsylvania_has_one_rate_and_an_employee_unemployment_part() -> None:
    result = calculate(123_456, "PA")
    assert result.amount("state_income_tax") == 3_790  # 1,234.56 x 3.07 % = 37.900992
    assert result.amount("PA_UC_EE") == 86  # x 0.07 % = 0.864192


def test_california_low_income_exemption_is_a_cliff_on_gross_wages() -> None:
    assert state_tax(36_300, "CA", "weekly", "single", 0) == 0
    # One cent more: (363.01 - 110.00) in the second row: 2.34 + 2.2 % of 40.01
    assert state_tax(36_301, "CA", "weekly", "single", 0) == 322
    assert state_tax(36_400, "CA", "weekly", "married", 1) == 0  # low column, tax 2.79 less credit 3.24
    assert state_tax(72_700, "CA", "weekly", "married", 2) == 0  # high column
    assert state_tax(80_000, "CA", "weekly", "married", 2) == 163  # 4.69 + 2.2 % of 155 less 6.47


def test_the_paycheck_that_crosses_the_social_security_base_is_split() -> None:
    before = YearToDate(social_security_wages=18_400_000)
    result = calculate(100_000, ytd=before)
    assert result.amount("social_security") == 3_100  # 500.00 of 1,000.00 are below 184,500
    assert result.amount("employer_social_security") == 3_100
    assert result.amount("medicare") == 1_450
    over = YearToDate(social_security_wages=18_450_000)
    assert calculate(100_000, ytd=over).amount("social_security") == 0


@pytest.mark.parametrize(("year", "most"), [(2025, 1_091_820), (2026, 1_143_900)])
def test_the_largest_social_security_tax_of_a_year_is_the_published_one(year: int, most: int) -> None:
    """SSA, contribution and benefit base: 10,918.20 for 2025 and 11,439.00 for 2026."""
    result = calculate(99_999_999, frequency="annual", pay_date=date(year, 6, 1))
    assert result.amount("social_security") == most


def test_additional_medicare_counts_only_wages_above_200_000_of_the_year() -> None:
    result = calculate(100_000, ytd=YearToDate(medicare_wages=19_950_000))
    assert result.amount("additional_medicare") == 450  # 0.9 % of 500.00
    assert result.amount("medicare") == 1_450
    assert calculate(100_000, ytd=YearToDate(medicare_wages=19_900_000)).amount("additional_medicare") == 0
    assert calculate(100_000, ytd=YearToDate(medicare_wages=30_000_000)).amount("additional_medicare") == 900


def test_futa_stops_at_7_000() -> None:
    assert calculate(100_000).amount("futa") == 600
    assert calculate(100_000, ytd=YearToDate(futa_wages=650_000)).amount("futa") == 300
    assert calculate(100_000, ytd=YearToDate(futa_wages=700_000)).amount("futa") == 0


def test_state_unemployment_is_at_the_given_rate_and_absent_without_one() -> None:
    work = Work(state="TX", sui_rate=20_000, ytd_sui_wages=850_000)
    assert calculate(100_000, work=work).amount("sui") == 1_000  # 2 % of the 500.00 left of 9,000
    assert all(line.code != "sui" for line in calculate(100_000).lines)


def test_new_york_programme_limits() -> None:
    weekly = calculate(200_000, "NY")
    assert weekly.amount("NY_DBL") == 60
    assert calculate(10_000, "NY").amount("NY_DBL") == 50  # 0.5 % of 100.00 is below the limit
    assert [calculate(9_000_000, "NY", frequency).amount("NY_DBL") for frequency in (
        "biweekly", "semimonthly", "monthly", "annual", "daily"
    )] == [120, 130, 260, 3_120, 12]  # fmt: skip
    assert weekly.amount("NY_PFL") == 864
    assert calculate(100_000_000, "NY", "annual").amount("NY_PFL") == 41_191
    paid = {"NY_PFL": ProgrammeYearToDate(wages=9_500_000, amount=41_000)}
    work = Work(state="NY", ytd_programmes=paid)
    assert calculate(200_000, work=work).amount("NY_PFL") == 191
    codes = {code for code, _ in calculate(200_000, work=work).notes}
    assert "programme_ytd_not_given" not in codes
    assert "programme_ytd_not_given" in {code for code, _ in weekly.notes}


def test_washington_family_leave_is_shared_by_its_own_rounding() -> None:
    """Employee: wages x 1.13 % x 71.43 % rounded once; employer: the total less that."""
    result = calculate(123_456, "WA")
    assert result.amount("WA_PFML", "employee_tax") == 996  # 9.9648...
    assert result.amount("WA_PFML", "employer_tax") == 1_395 - 996
    assert result.amount("WA_CARES") == 716
    assert result.amount("state_income_tax") == 0


def test_the_bridge_from_an_older_form_gives_the_same_tax() -> None:
    """Pub 15-T, How To Treat 2019 and Earlier Forms W-4 as if They Were 2020 or Later Forms W-4."""
    for gross in range(1_000, 900_000, 13_577):
        for allowances in (0, 1, 4):
            for status, step4a in (("single", 860_000), ("married_filing_jointly", 1_290_000)):
                older = W4(version="2019_or_earlier", filing_status=status, allowances=allowances, step4c=500)
                newer = W4(filing_status=status, step4a=step4a, step4b=430_000 * allowances, step4c=500)
                assert calculate(gross, w4=older).amount("federal_income_tax") == calculate(gross, w4=newer).amount(
                    "federal_income_tax"
                )


def test_federal_step_by_step_as_the_worksheet_reads() -> None:
    """Weekly 1,000, single: 52,000 - 8,600 = 43,400; 1,240 + 12 % of 23,500 = 4,060; / 52 = 78.0769."""
    assert calculate(100_000).amount("federal_income_tax") == 7_808
    checked = W4(step2_checkbox=True)  # 52,000; 2,900 + 22 % of 18,750 = 7,025; / 52 = 135.096
    assert calculate(100_000, w4=checked).amount("federal_income_tax") == 13_510
    credit = W4(step3=220_000, step4c=1_000)  # (4,060 - 2,200) / 52 + 10 = 45.769
    assert calculate(100_000, w4=credit).amount("federal_income_tax") == 4_577
    assert calculate(100_000, w4=W4(step3=10_000_000, step4c=1_000)).amount("federal_income_tax") == 1_000
    assert calculate(100_000, w4=W4(exempt=True, step4c=1_000)).amount("federal_income_tax") == 0


def test_a_nonresident_alien_adds_to_income_tax_wages_only() -> None:
    resident, alien = calculate(100_000), calculate(100_000, w4=W4(nonresident_alien=True))
    # 1,309.60 x 52 - 8,600 = 59,499.20; 5,800 + 22 % of 1,599.20 = 6,151.824; / 52 = 118.304
    assert alien.amount("federal_income_tax") == 11_830
    assert alien.amount("medicare") == resident.amount("medicare")
    older = W4(version="2019_or_earlier", nonresident_alien=True)
    # table 1: 1,226.90 x 52 = 63,798.80; 5,800 + 22 % of 5,898.80 = 7,097.736; / 52 = 136.4949
    assert calculate(100_000, w4=older).amount("federal_income_tax") == 13_649


def test_an_unverified_value_is_told_to_whoever_gets_the_result() -> None:
    alien = calculate(100_000, pay_date=date(2025, 3, 7), w4=W4(nonresident_alien=True))
    assert [code for code, _ in alien.notes] == ["unverified_value"]
    assert calculate(100_000, w4=W4(nonresident_alien=True)).notes == ()
    spread = calculate(100_000, "NY", "biweekly")
    assert any(code == "unverified_value" and "NY_DBL" in detail for code, detail in spread.notes)
    many = StateCertificate(status="single", allowances=15)
    notes = calculate(900_000, work=Work(state="CA", certificate=many)).notes
    assert any(code == "unverified_value" and "beyond the 10" in detail for code, detail in notes)


def test_each_federal_tax_has_its_own_wage_base() -> None:
    bases = FederalWages(income_tax=80_000, social_security=90_000, medicare=95_000, futa=70_000)
    check = Paycheck(
        pay_date=PAYDAY, pay_frequency="weekly", gross=100_000, w4=W4(), work=(Work(state="PA", wages=85_000),),
        federal_wages=bases,
    )  # fmt: skip
    result = gross_to_net(Columns.of([check]), Tables.load()).paycheck(0)
    assert result.amount("federal_income_tax") == calculate(80_000).amount("federal_income_tax")
    assert result.amount("social_security") == 5_580
    assert result.amount("medicare") == 1_378
    assert result.amount("futa") == 420
    assert result.amount("state_income_tax") == 2_610


def test_work_in_two_states_is_two_entries_of_one_paycheck() -> None:
    check = Paycheck(
        pay_date=PAYDAY, pay_frequency="weekly", gross=100_000, w4=W4(),
        work=(Work(state="PA", wages=60_000), Work(state="IL", wages=40_000)),
    )  # fmt: skip
    result = gross_to_net(Columns.of([check]), Tables.load()).paycheck(0)
    by_state = {line.jurisdiction: line.cents for line in result.lines if line.code == "state_income_tax"}
    assert by_state == {"PA": 1_842, "IL": 1_980}
    assert result.net == 100_000 - sum(line.cents for line in result.lines if line.kind == "employee_tax")


def test_net_pay_below_zero_is_told() -> None:
    result = calculate(1_000, w4=W4(step4c=5_000))
    assert result.net < 0
    assert "net_pay_negative" in {code for code, _ in result.notes}
