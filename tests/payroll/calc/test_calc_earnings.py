"""Earnings of a workweek: 29 CFR 778.110 and 778.115, lines per assignment, and weeks paid in parts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.kernel.errors import ValidationFailed
from backoffice.payroll.calc import EarningLine, Earnings, PaidWeek, Tables, Worked
from backoffice.payroll.calc import workweek_earnings as workweek_earnings_by

MONDAY = date(2026, 11, 9)
LAW = Tables.load().overtime
UNPAID = PaidWeek()


def workweek_earnings(given_hours: Sequence[Worked], *, week_begins: date, paid: PaidWeek = UNPAID) -> Earnings:
    return workweek_earnings_by(given_hours, week_begins=week_begins, law=LAW, paid=paid)


def worked(assignment: str, day: int, hours: str, rate: str, state: str = "TX") -> Worked:
    return Worked(
        assignment=assignment, day=MONDAY + timedelta(days=day), hours=Decimal(hours), rate=Decimal(rate), state=state
    )


def at_once(entries: Sequence[Worked]) -> PaidWeek:
    """These hours, paid by one paycheck."""
    return workweek_earnings(entries, week_begins=MONDAY).pays


def test_one_rate_is_time_and_a_half_over_40() -> None:
    """29 CFR 778.110(a): 12.00 an hour, 46 hours: 552.00 straight time and 36.00 premium, 588.00."""
    earned = workweek_earnings([worked("one", day, "9.2", "12.00") for day in range(5)], week_begins=MONDAY)
    assert [(line.code, line.hours, line.rate, line.cents) for line in earned.lines] == [
        ("regular", Decimal("46.00"), Decimal("12.00"), 55_200),
        ("overtime_premium", Decimal("6.00"), Decimal("6.00"), 3_600),
    ]
    assert earned.gross == 58_800


def test_two_rates_make_a_weighted_average() -> None:
    """29 CFR 778.115: all straight-time earnings divided by all hours; half of that for each hour over 40."""
    earned = workweek_earnings(
        [
            worked("warehouse", 0, "12", "20.00"),
            worked("warehouse", 1, "12", "20.00"),
            worked("office", 2, "12", "30.00"),
            worked("office", 3, "12", "30.00"),
        ],
        week_begins=MONDAY,
    )
    # 480 + 720 = 1,200 over 48 hours: 25.00; 8 x 12.50 = 100.00
    assert earned.regular_rate == 25
    assert [(line.code, line.assignment, line.cents) for line in earned.lines] == [
        ("regular", "warehouse", 48_000),
        ("regular", "office", 72_000),
        ("overtime_premium", None, 10_000),
    ]


def test_the_regular_rate_is_not_rounded_and_each_line_is_rounded_once() -> None:
    earned = workweek_earnings([worked("a", 0, "20.33", "17.77"), worked("b", 1, "23.34", "19.31")], week_begins=MONDAY)
    straight = Fraction("20.33") * Fraction("17.77") + Fraction("23.34") * Fraction("19.31")
    premium = straight / Fraction("43.67") * Fraction("3.67") / 2
    assert [line.cents for line in earned.lines] == [36_126, 45_070, round(premium * 100)]
    assert earned.lines[-1].rate == Decimal("9.2965")  # shown to four decimals; the pay is computed from the exact rate
    assert earned.gross == sum(line.cents for line in earned.lines)


def test_no_hours_earn_nothing_and_40_hours_owe_no_premium() -> None:
    assert workweek_earnings([], week_begins=MONDAY).gross == 0
    earned = workweek_earnings([worked("a", day, "8", "15.00") for day in range(5)], week_begins=MONDAY)
    assert [line.code for line in earned.lines] == ["regular"]


def test_one_assignment_at_two_rates_is_two_lines() -> None:
    earned = workweek_earnings([worked("a", 0, "8", "15.00"), worked("a", 1, "8", "16.50")], week_begins=MONDAY)
    assert [(line.assignment, line.rate, line.cents) for line in earned.lines] == [
        ("a", Decimal("15.00"), 12_000),
        ("a", Decimal("16.50"), 13_200),
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.integers(0, 300), st.integers(725, 9_999)), max_size=20
    )
)
def test_straight_time_and_premium_against_plain_fractions(entries: list[tuple[str, int, int, int]]) -> None:
    given_hours = [worked(a, day, f"{h // 100}.{h % 100:02d}", f"{r // 100}.{r % 100:02d}") for a, day, h, r in entries]
    earned = workweek_earnings(given_hours, week_begins=MONDAY)
    hours = sum((Fraction(entry.hours) for entry in given_hours), Fraction(0))
    straight = sum((Fraction(entry.hours) * Fraction(entry.rate) for entry in given_hours), Fraction(0))
    premium = max(Fraction(0), hours - 40) * straight / hours / 2 if hours else Fraction(0)
    assert sum((Fraction(line.hours) for line in earned.lines if line.code == "regular"), Fraction(0)) == hours
    assert abs(earned.gross - (straight + premium) * 100) <= Fraction(len(earned.lines), 2)


def test_impossible_hours_are_refused_all_at_once() -> None:
    bad = [
        worked("a", 0, "-1", "15.00"),
        worked("a", 1, "13", "-0.01"),
        worked("b", 1, "12", "15.00"),
        worked("a", 7, "8", "15.00"),
    ]
    with pytest.raises(ValidationFailed) as refused:
        workweek_earnings(bad, week_begins=MONDAY)
    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [
        ("#/worked/0/hours", "negative"),
        ("#/worked/1/rate", "negative"),
        ("#/worked/2/hours", "over_24_hours"),
        ("#/worked/3/day", "outside_workweek"),
    ]


# -------------------------------------------------------------------------------- a workweek that is paid in two parts


def test_late_hours_owe_the_premium_of_the_whole_week_less_what_was_paid() -> None:
    """44 hours at 20.00 were paid with 40.00 of premium. Six late ones at 30.00 make 1,060.00 for 50 hours, 21.20 an
    hour: ten hours at half of it are 106.00, of which 66.00 are still owed, 11.00 for each of the six."""
    paid = [worked("a", day, "8.8", "20.00") for day in range(5)]
    late = [worked("b", 5, "6", "30.00")]
    earned = workweek_earnings(late, week_begins=MONDAY, paid=at_once(paid))
    assert [(line.code, line.assignment, line.hours, line.rate, line.cents) for line in earned.lines] == [
        ("regular", "b", Decimal("6.00"), Decimal("30.00"), 18_000),
        ("overtime_premium", None, Decimal("6.00"), Decimal("11.00"), 6_600),
    ]
    assert (earned.hours, earned.regular_rate) == (Decimal("6.00"), Fraction("21.2"))


def test_late_hours_that_reach_forty_owe_no_premium_and_those_beyond_do() -> None:
    paid = [worked("a", day, "8", "20.00") for day in range(4)]
    assert [
        line.code
        for line in workweek_earnings([worked("a", 4, "8", "20")], week_begins=MONDAY, paid=at_once(paid)).lines
    ] == ["regular"]
    beyond = workweek_earnings([worked("a", 4, "12", "20.00")], week_begins=MONDAY, paid=at_once(paid))
    assert [(line.hours, line.rate, line.cents) for line in beyond.lines] == [
        (Decimal("12.00"), Decimal("20.00"), 24_000),
        (Decimal("4.00"), Decimal("10.00"), 4_000),
    ]


def test_nothing_new_owes_nothing() -> None:
    paid = [worked("a", day, "10", "20.00") for day in range(5)]
    assert workweek_earnings([], week_begins=MONDAY, paid=at_once(paid)).lines == ()


def test_late_hours_on_a_day_that_is_full_are_refused() -> None:
    with pytest.raises(ValidationFailed) as refused:
        workweek_earnings(
            [worked("b", 0, "13", "20.00")], week_begins=MONDAY, paid=at_once([worked("a", 0, "12", "20.00")])
        )
    assert [fault.code for fault in refused.value.errors] == ["over_24_hours"]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.integers(0, 300), st.integers(725, 9_999)),
        min_size=1, max_size=20,
    ),
    st.lists(st.integers(0, 20), max_size=2),
)  # fmt: skip
def test_a_week_paid_in_parts_earns_what_it_earns_at_once(
    entries: list[tuple[str, int, int, int]], cuts: list[int]
) -> None:
    """Premium to the cent, however often it is paid in between; straight time up to the rounding of each line."""
    given_hours = [worked(a, day, f"{h // 100}.{h % 100:02d}", f"{r // 100}.{r % 100:02d}") for a, day, h, r in entries]
    whole = workweek_earnings(given_hours, week_begins=MONDAY)
    edges = [0, *sorted(min(cut, len(given_hours)) for cut in cuts), len(given_hours)]
    parts, paid = [], PaidWeek()
    for begin, end in pairwise(edges):
        parts.append(workweek_earnings(given_hours[begin:end], week_begins=MONDAY, paid=paid))
        paid += parts[-1].pays

    def premium(lines: Sequence[EarningLine]) -> int:
        return sum(line.cents for line in lines if line.code == "overtime_premium")

    lines = [line for part in parts for line in part.lines]
    assert premium(lines) == premium(whole.lines)
    assert all(line.cents >= 0 for line in lines)
    assert sum(part.hours for part in parts) == whole.hours
    assert abs(sum(part.gross for part in parts) - whole.gross) <= len(lines)
