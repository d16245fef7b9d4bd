"""What the year so far means for a paycheck, without a database."""

from __future__ import annotations

from datetime import date

import pytest

from backoffice.payroll.assembly import in_its_year, in_the_year
from backoffice.payroll.calc import W4, Paycheck, Tables, Work
from backoffice.people.schemas import YearOpening

PAID = {("employee_tax", "social_security", "US"): (1_000_000, 62_000),
        ("employee_tax", "medicare", "US"): (1_000_000, 14_500)}  # fmt: skip


@pytest.mark.parametrize(("state", "deducted"), [("MA", 76_500 + 7_650), ("OR", 0), ("TX", 0)])
def test_fica_of_the_year_counts_where_a_state_lets_it_be_deducted(state: str, deducted: int) -> None:
    check = Paycheck(
        pay_date=date(2026, 11, 20), pay_frequency="weekly", gross=80_000, w4=W4(), work=(Work(state=state),)
    )
    opening = YearOpening(social_security_wages=100_000, medicare_wages=100_000)
    told = in_its_year(check, opening, PAID, Tables.load())
    assert told.given.fica_deducted == deducted
    assert (in_the_year(told) != in_the_year(in_its_year(check, YearOpening(), PAID, Tables.load()))) is True
