"""Beside the PyPI library python-taxes, on what both can do: 2025 withholding of a W-4 of 2020 or later, and FICA.

Where they differ it is known why. The library multiplies by a rate made from a binary float, a hair below 12, 24 or 35
percent, so exact half cents fall down instead of up. It lets unused credit of step 3 eat the extra amount of step 4(c).
Its Medicare takes 0.9 % of the whole payment that crosses 200,000, where the law takes only the part above.
"""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from backoffice.payroll.calc import W4, Columns, Paycheck, Tables, Work, YearToDate, explain, gross_to_net

income = pytest.importorskip("python_taxes.federal.income.payroll.automated")
social = pytest.importorskip("python_taxes.federal.social_security")
medicare = pytest.importorskip("python_taxes.federal.medicare")

STATUSES = {
    "single": "single", "married_filing_jointly": "married", "married_filing_separately": "separate",
    "head_of_household": "hoh",
}  # fmt: skip
FREQUENCIES = ("weekly", "biweekly", "semimonthly", "monthly", "quarterly", "semiannual", "daily")


def test_federal_income_tax_and_social_security_of_2025_agree() -> None:
    dice = random.Random(2025)
    checks = [
        Paycheck(
            pay_date=date(2025, 6, 6),
            pay_frequency=dice.choice(FREQUENCIES),
            gross=dice.randint(0, 3_000_000),
            w4=W4(
                filing_status=dice.choice(list(STATUSES)),
                step2_checkbox=dice.random() < 0.3,
                step3=dice.choice((0, 220_000)) if row % 2 else 0,
                step4a=dice.choice((0, 123_456)),
                step4b=dice.choice((0, 654_321)),
                step4c=0 if row % 2 else 1_500,
            ),
            work=(Work(state="TX"),),
            ytd=YearToDate(social_security_wages=dice.randint(0, 18_000_000)),
        )
        for row in range(2_500)
    ]
    columns = Columns.of(checks)
    results = gross_to_net(columns, Tables.load())
    ours = results.column("federal_income_tax").tolist()
    our_social = results.column("social_security").tolist()
    half_cents = 0
    for row, check in enumerate(checks):
        wages = Decimal(check.gross) / 100
        before = Decimal(check.ytd.social_security_wages) / 100
        assert social.withholding(taxable_wages=wages, taxable_wages_ytd=before, tax_year=2025) * 100 == our_social[row]
        theirs = 100 * income.employer_withholding(
            taxable_wages=wages,
            pay_frequency=check.pay_frequency,
            filing_status=STATUSES[check.w4.filing_status],
            multiple_jobs=check.w4.step2_checkbox,
            tax_credits=Decimal(check.w4.step3) / 100,
            other_income=Decimal(check.w4.step4a) / 100,
            deductions=Decimal(check.w4.step4b) / 100,
            extra_withholding=Decimal(check.w4.step4c) / 100,
            tax_year=2025,
        )
        if theirs != ours[row]:
            half_cents += 1
            (line,) = explain(columns, Tables.load(), row).of("federal_income_tax")
            unrounded = line.steps[-1].inputs["less_credit"].number() * 100
            assert unrounded % 1 == Fraction(1, 2), check
            assert ours[row] - theirs == 1, check
    assert half_cents < 25


def test_the_library_differs_where_it_is_not_the_law() -> None:
    check = Paycheck(
        pay_date=date(2025, 6, 6), pay_frequency="weekly", gross=40_000, w4=W4(step3=220_000, step4c=1_000),
        work=(Work(state="TX"),), ytd=YearToDate(medicare_wages=19_990_000),
    )  # fmt: skip
    result = gross_to_net(Columns.of([check]), Tables.load()).paycheck(0)
    assert result.amount("federal_income_tax") == 1_000  # 3c stops at zero, then 4(c) is added
    theirs = income.employer_withholding(
        taxable_wages=Decimal(400), pay_frequency="weekly", tax_credits=Decimal(2200),
        extra_withholding=Decimal(10), tax_year=2025,
    )  # fmt: skip
    assert theirs == 0
    assert result.amount("medicare") + result.amount("additional_medicare") == 580 + 270
    both = medicare.required_withholding(taxable_wages=Decimal(400), taxable_wages_ytd=Decimal(199900))
    assert both == Decimal("9.40")  # 2.35 % of the whole 400.00
