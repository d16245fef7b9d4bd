"""Kinds of pay: what each tax sees of them, and the overtime premium by the regular rate of the whole workweek."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.payroll.calc import Tables, Worked, workweek_earnings
from backoffice.payroll.calc.remuneration import Earning, Remuneration, remuneration, remuneration_derivation

LAW, OVERTIME = Tables.load().earnings, Tables.load().overtime
MONDAY = date(2026, 11, 9)


def paid(*entries: Earning, frequency: str = "weekly", begin: date | None = MONDAY, days: int = 7) -> Remuneration:
    return remuneration(entries, LAW, overtime=OVERTIME, pay_frequency=frequency, period_begin=begin, days=days)


def hours(code: str, number: str, rate: str, **more: Any) -> Earning:
    return Earning(code=code, hours=Decimal(number), rate=Decimal(rate), **more)


def amount(code: str, cents: int, **more: Any) -> Earning:
    return Earning(code=code, amount=cents, **more)


def premium(result: Remuneration) -> int:
    return sum(line.cents for line in result.lines if line.code == "overtime_premium")


@pytest.mark.parametrize(
    ("entries", "owed"),
    [
        # 29 CFR 778.110(a): 12.00 an hour, 46 hours: 6 x 6.00.
        ([hours("regular", "46", "12")], 3_600),
        # 778.110(b): with a production bonus of 46.00 the regular rate is 13.00: 6 x 6.50.
        ([hours("regular", "46", "12"), amount("bonus", 4_600)], 3_900),
        # 778.111: 50 hours of piecework for 491.00 and 20.00 of waiting pay is 511.00 / 50 = 10.22: 10 x 5.11.
        ([hours("piecework", "50", "9.82"), amount("shift_premium", 2_000)], 5_110),
        # 778.115: two rates in one week, weighted: (30 x 20 + 20 x 26) / 50 = 22.40: 10 x 11.20.
        ([hours("regular", "30", "20", assignment="a"), hours("regular", "20", "26", assignment="b")], 11_200),
        # Paid time off and a discretionary bonus are no hours worked and no regular rate (778.211, 778.218).
        ([hours("regular", "40", "20"), hours("pto", "8", "20"), amount("discretionary_bonus", 9_000)], 0),
        # Overtime lines at time and a half owe nothing more; below it the rest up to 30.00 an hour (778.201: what lies
        # above the straight rate is a premium, and nothing else is), above it nothing.
        ([hours("regular", "40", "20"), hours("overtime", "10", "30")], 0),
        ([hours("regular", "40", "20"), hours("overtime", "10", "27")], 3_000),
        ([hours("regular", "40", "20"), hours("overtime", "10", "20")], 10_000),
        ([hours("regular", "40", "20"), hours("overtime", "10", "35")], 0),
        ([hours("regular", "40", "20", assignment="a"), hours("overtime", "10", "27", assignment="a")], 3_000),
        # Where the lines do not tell the straight rate, the overtime rate is taken for time and a half of it.
        ([hours("regular", "40", "20", assignment="a"), hours("overtime", "10", "27", assignment="b")], 9_800 - 9_000),
    ],
)  # fmt: skip
def test_the_premium_of_the_regulations_own_examples(entries: list[Earning], owed: int) -> None:
    result = paid(*entries)
    assert premium(result) == owed
    assert result.gross == sum(line.cents for line in result.lines)


def test_w2_codes_are_carried() -> None:
    result = paid(
        hours("regular", "40", "20"), hours("overtime", "10", "30"), amount("tips", 5_000), amount("cash_tips", 3_000),
        amount("trump_account", 2_500), amount("group_term_life", 1_200),
    )  # fmt: skip
    # TT is all the premium that the FLSA asks for, whichever line pays it; tips both ways are TP.
    assert result.w2 == {"TT": 10_000, "TP": 8_000, "TA": 2_500, "C": 1_200}
    assert result.gross == 80_000 + 30_000 + 5_000
    assert result.wages == (118_000, 119_200, 119_200, 118_000)


@pytest.mark.parametrize(
    ("code", "gross", "wages", "supplemental"),
    [("regular", 1, (1, 1, 1, 1), 0), ("bonus", 1, (1, 1, 1, 1), 1), ("commission", 1, (1, 1, 1, 1), 1),
     ("retro_pay", 1, (1, 1, 1, 1), 1), ("severance", 1, (1, 1, 1, 1), 1), ("holiday", 1, (1, 1, 1, 1), 0),
     ("sick", 1, (1, 1, 1, 1), 0), ("expense", 1, (0, 0, 0, 0), 0), ("nonaccountable_expense", 1, (1, 1, 1, 1), 0),
     ("imputed_income", 0, (1, 1, 1, 1), 0), ("group_term_life", 0, (0, 1, 1, 0), 0), ("advance", 1, (0, 0, 0, 0), 0)],
)  # fmt: skip
def test_what_each_kind_is_subject_to(code: str, gross: int, wages: tuple[int, ...], supplemental: int) -> None:
    result = paid(amount(code, 10_000))
    assert result.gross == gross * 10_000
    assert result.wages == tuple(flag * 10_000 for flag in wages)
    assert result.supplemental == supplemental * 10_000
    assert result.nontaxable == (10_000 if gross and not any(wages) else 0)


def test_a_per_diem_above_the_limit_of_its_days_is_wages() -> None:
    week = paid(amount("per_diem", 130_000))  # seven days at 178.00 are 1,246.00
    assert (week.nontaxable, week.wages[0], week.w2) == (124_600, 5_400, {"L": 124_600})
    day = paid(amount("per_diem", 18_000, work_date=MONDAY))
    assert (day.nontaxable, day.wages[0]) == (17_800, 200)
    assert any("unverified" in note for note in day.notes)


def test_each_workweek_of_a_longer_period_has_its_own_overtime() -> None:
    worked = [
        hours("regular", "9", "20", work_date=MONDAY + timedelta(days=day)) for day in (0, 1, 2, 3, 4, 7, 8, 9, 10)
    ]  # fmt: skip
    result = paid(*worked, frequency="biweekly", days=14)
    assert premium(result) == 5 * 1_000  # 45 hours, then 36
    assert result.hours == 81 * 10_000
    sunday = paid(*worked, frequency="biweekly", begin=None)
    assert premium(sunday) == 5 * 1_000
    assert any("Sunday" in note for note in sunday.notes)
    undated = paid(hours("regular", "81", "20"), frequency="biweekly", days=14)
    assert premium(undated) == 0
    assert any("workweek" in note for note in undated.notes)


entries = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(1, 4_000), st.integers(1, 90_000_000)), min_size=1, max_size=4
)


@settings(max_examples=60, deadline=None)
@given(entries)
def test_it_agrees_with_the_earnings_of_a_pay_run(own: list[tuple[str, int, int]]) -> None:
    """The pay run's own figure of a workweek, one line per assignment and rate, gives the same premium."""
    plain = [(a, Decimal(h) / 100, Decimal(r) / 1_000_000) for a, h, r in own]
    result = paid(*[Earning(code="regular", hours=h, rate=r, assignment=a) for a, h, r in plain])
    week = workweek_earnings(
        [Worked(assignment=a, day=MONDAY + timedelta(days=at), hours=min(h, Decimal(24)), rate=r, state="TX")
         for at, (a, h, r) in enumerate(plain)], week_begins=MONDAY, law=OVERTIME,
    )  # fmt: skip
    if all(h <= 24 for _, h, _ in plain):
        assert premium(result) == sum(line.cents for line in week.lines if line.code == "overtime_premium")
    total = sum((Fraction(h) for _, h, _ in plain), Fraction(0))
    assert (premium(result) > 0) <= (total > 40)


def test_every_line_has_its_derivation() -> None:
    own = [
        hours("regular", "30", "20", assignment="a"),
        hours("regular", "20", "26.5", assignment="b"),
        amount("bonus", 9_999),
    ]
    lines = remuneration_derivation(own, LAW, overtime=OVERTIME, pay_frequency="weekly", period_begin=MONDAY).lines
    result = paid(*own)
    assert [(line.code, line.cents) for line in lines] == [(line.code, line.cents) for line in result.lines]
    assert [step.name for step in lines[-1].steps] == ["regular_rate", "overtime_hours", "premium"]
