"""Overtime by the day and double time: published examples, each state's rule, and a second opinion on random weeks."""

from __future__ import annotations

import random
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from tests.factories.changed_law import tables_with
from tests.payroll.calc.test_calc_derivation import redo
from tests.payroll.calc.test_calc_pay_tables import needs_reference, reference

from backoffice.payroll.calc import Earnings, PaidWeek, Tables, Worked, workweek_earnings
from backoffice.payroll.calc.law import FOLDER

MONDAY = date(2026, 11, 9)
LAW = Tables.load().overtime
UNPAID = PaidWeek()


def worked(day: int, hours: str, rate: str = "20.00", state: str = "CA", assignment: str = "a") -> Worked:
    return Worked(
        assignment=assignment, day=MONDAY + timedelta(days=day), hours=Decimal(hours), rate=Decimal(rate), state=state
    )


def days(*hours: str, rate: str = "20.00", state: str = "CA") -> list[Worked]:
    return [worked(day, number, rate, state) for day, number in enumerate(hours) if number != "0"]


def earn(entries: Sequence[Worked], paid: PaidWeek = UNPAID) -> Earnings:
    return workweek_earnings(entries, week_begins=MONDAY, law=LAW, paid=paid)


def premiums(earned: Earnings) -> list[tuple[str, str, str, int]]:
    """(code, hours, rate, cents) of overtime and double time."""
    return [(x.code, str(x.hours), str(x.rate), x.cents) for x in earned.lines if x.code != "regular"]


def split(earned: Earnings) -> tuple[Decimal, Decimal, Decimal]:
    """Hours at straight time, at time and a half and at double time."""
    hours = {code: sum((x.hours for x in earned.lines if x.code == code), Decimal(0))
             for code in ("regular", "overtime_premium", "double_time_premium")}  # fmt: skip
    over, double = hours["overtime_premium"], hours["double_time_premium"]
    return hours["regular"] - over - double, over, double


PUBLISHED = {
    # California DLSE, Overtime FAQ (https://www.dir.ca.gov/dlse/faq_overtime.htm), two rates in one workweek: 32 hours
    # at 11.00 and 10 at 9.00 are 442.00 for 42 hours, a weighted average of 10.52.
    "weighted average": (
        [*days("8", "8", "8", "8", rate="11.00"), worked(4, "8", "9.00"), worked(5, "2", "9.00")],
        44_200, ("40.00", "2.00", "0.00"),
    ),
    # https://www.californiaemploymentlawfirm.com/california-overtime-laws/: 9 hours at 30.00 are 285.00; 13 hours at
    # 20.00 are 160 + 120 + 40 = 320.00; six days of 8 hours have 8 hours of overtime; four days of 8 and one of 9 have
    # one hour of overtime, not one by the day and another by the week.
    "nine hours": (days("9", rate="30.00"), 28_500, ("8.00", "1.00", "0.00")),
    "thirteen hours": (days("13"), 32_000, ("8.00", "4.00", "1.00")),
    "six days": (days(*["8"] * 6), 104_000, ("40.00", "8.00", "0.00")),
    "no double dip": (days("8", "8", "8", "8", "9"), 83_000, ("40.00", "1.00", "0.00")),
    # https://www.7io.co/blog/How-to-calculate-overtime-in-California, examples 1 and 2: one day of 12 hours in a week
    # of 40; seven days of 8 hours.
    "long Thursday": (days("8", "4", "8", "12", "8"), 84_000, ("36.00", "4.00", "0.00")),
    "seven days": (days(*["8"] * 7), 128_000, ("40.00", "16.00", "0.00")),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_examples_of_california(name: str) -> None:
    entries, cents, hours = PUBLISHED[name]
    earned = earn(entries)
    assert [f"{number:.2f}" for number in split(earned)] == list(hours)
    if name == "weighted average":
        assert round(earned.regular_rate, 2) == Fraction("10.52")
        assert earned.gross == cents + 1_052  # 2 x half of 442.00 / 42
    else:
        assert earned.gross == cents


def test_the_seventh_day_needs_seven_days_of_the_workweek_in_the_state() -> None:
    seven = earn(days("2", "2", "2", "2", "2", "2", "9"))
    assert premiums(seven) == [
        ("overtime_premium", "8.00", "10.00", 8_000), ("double_time_premium", "1.00", "20.00", 2_000)
    ]  # fmt: skip
    assert premiums(earn(days("2", "2", "2", "0", "2", "2", "9"))) == [("overtime_premium", "1.00", "10.00", 1_000)]
    elsewhere = [worked(0, "2", state="TX"), *days("0", "2", "2", "2", "2", "2", "9")]
    assert premiums(earn(elsewhere)) == [("overtime_premium", "1.00", "10.00", 1_000)]
    assert premiums(earn(days("9", *["7"] * 6, state="AK"))) == [("overtime_premium", "11.00", "10.00", 11_000)]


def test_hours_of_a_day_add_up_over_assignments_but_not_over_states() -> None:
    two = [worked(0, "5"), worked(0, "4", "29.00", assignment="b")]
    assert premiums(earn(two)) == [("overtime_premium", "1.00", "12.00", 1_200)]  # (100 + 116) / 9 is 24.00
    assert premiums(earn([worked(0, "5"), worked(0, "5", state="AK")])) == []
    assert premiums(earn(days("12", "12", state="NY"))) == []


def test_alaska_nevada_and_colorado() -> None:
    assert premiums(earn(days("9", "8", state="AK"))) == [("overtime_premium", "1.00", "10.00", 1_000)]
    assert premiums(earn(days("9", state="NV", rate="17.99"))) == [("overtime_premium", "1.00", "8.995", 900)]
    assert premiums(earn(days("10", state="NV", rate="18.00"))) == []
    mixed = [worked(0, "9", "12.00", "NV"), worked(1, "8", "24.75", "NV")]  # 306.00 for 17 hours are 18.00
    assert premiums(earn(mixed)) == []
    # Colorado owes the greater of what is above 12 a day and what is above 40 a week, not both.
    assert premiums(earn(days("13", "13", state="CO"))) == [("overtime_premium", "2.00", "10.00", 2_000)]
    assert split(earn(days("13", "8", "8", "8", "8", state="CO")))[1] == 5
    assert split(earn(days("14", "14", "13", state="CO")))[1] == 5


def test_hours_in_several_states_owe_the_states_premiums_or_the_federal_one() -> None:
    """Each state looks at its own hours, the FLSA at all; what the states ask for counts towards it."""
    short = [worked(0, "10"), worked(1, "9", state="TX")]
    assert premiums(earn(short)) == [("overtime_premium", "2.00", "10.00", 2_000)]
    # 46 hours, six of them over 40, are more than the two of California's day.
    assert premiums(earn([*short, *days("0", "0", "9", "9", "9", state="TX")])) == [
        ("overtime_premium", "6.00", "10.00", 6_000)
    ]
    # 14 hours in California are 4 + 2 doubles, worth 8 halves; 48 in Texas make 22 over 40: 18 halves and 2 doubles.
    both = earn([worked(0, "14"), *days("0", "12", "12", "12", "12", state="TX")])
    assert premiums(both) == [
        ("overtime_premium", "18.00", "10.00", 18_000), ("double_time_premium", "2.00", "20.00", 4_000)
    ]  # fmt: skip
    assert sum(cents for *_, cents in premiums(both)) == 22 * 1_000


# ------------------------------------------------------------------------------------------------ a second opinion


def slow_premium(entries: Sequence[Worked]) -> tuple[Decimal, Decimal]:
    """(overtime, double time) in dollars, going through the week one quarter of an hour after the other."""
    with localcontext() as context:
        context.prec = 60
        pay = sum((entry.hours * entry.rate for entry in entries), Decimal(0))
        average = pay / sum((entry.hours for entry in entries), Decimal(0))
        quarter = Decimal("0.25")
        all_quarters, halves, wholes = 0, Decimal(0), Decimal(0)
        for state in {entry.state for entry in entries}:
            of_day: dict[int, int] = defaultdict(int)
            for entry in entries:
                if entry.state == state:
                    of_day[(entry.day - MONDAY).days] += int(entry.hours * 4)
            all_quarters += sum(of_day.values())
            straight, over, over_a_day, over_a_week, double = 0, 0, 0, 0, 0
            eight = state in ("CA", "AK") or (state == "NV" and average < 18)
            everyday = all(of_day.get(day) for day in range(7))
            for day in range(7):
                for place in range(of_day.get(day, 0)):
                    if state == "CA" and (place >= 48 or (everyday and day == 6 and place >= 32)):
                        double += 1
                    elif (state == "CA" and everyday and day == 6) or (place >= 32 and eight):
                        over += 1
                    elif state == "CO" and place >= 48:
                        over_a_day += 1
                    elif straight == 160:
                        over += eight
                    else:
                        straight += 1
            if state == "CO":
                over_a_week = max(0, sum(of_day.values()) - 160)
                over = max(over_a_day, over_a_week)
            halves += over * quarter
            wholes += double * quarter
        states, federal = halves / 2 + wholes, max(0, all_quarters - 160) * quarter / 2
        money = [average * (max(states, federal) - wholes), average * wholes]
        overtime, double_time = (each.quantize(Decimal("0.01"), ROUND_HALF_UP) for each in money)
        return overtime, double_time


def random_week(dice: random.Random) -> list[Worked]:
    states = dice.choices(["CA", "AK", "NV", "CO", "TX"], k=dice.choice((1, 1, 2, 3)))
    found, left = [], dict.fromkeys(range(7), 96)
    for place in range(dice.randint(1, 14)):
        day = place % 7 if dice.random() < 0.8 else dice.randrange(7)
        quarters = min(left[day], dice.choice((dice.randint(1, 60), dice.randint(28, 40))))
        left[day] -= quarters
        if quarters:
            rate = Decimal(dice.choice((1500, 1799, 1800, 2000, dice.randint(1200, 6000)))) / 100
            found.append(worked(day, str(Decimal(quarters) / 4), str(rate), dice.choice(states), dice.choice("ab")))
    return found


def test_random_weeks_against_a_plain_second_opinion() -> None:
    dice = random.Random(11)
    seen: dict[str, int] = defaultdict(int)
    for _ in range(1_500):
        entries = random_week(dice)
        cents = {x.code: x.cents for x in earn(entries).lines if x.code != "regular"}
        mine = tuple(Decimal(cents.get(code, 0)) / 100 for code in ("overtime_premium", "double_time_premium"))
        assert mine == slow_premium(entries), entries
        for code in cents:
            seen[code] += 1
    assert min(seen.values()) > 200, seen


def test_every_line_of_a_random_week_can_be_redone_whole_or_in_parts() -> None:
    dice = random.Random(12)
    for _ in range(150):
        entries = random_week(dice)
        cut = dice.randint(0, len(entries))
        first = earn(entries[:cut])
        for earned in (earn(entries), first, earn(entries[cut:], first.pays)):
            lines = earned.derivation().lines
            assert [(line.code, line.cents) for line in lines] == [(line.code, line.cents) for line in earned.lines]
            assert all(redo(line) * 100 == line.cents and line.citation for line in lines)


def test_a_week_paid_in_parts_is_never_paid_less_nor_taken_back() -> None:
    """Late hours pay what the whole week owes less the premium that was paid; where lower rates make the week owe
    less than that, nothing is taken back, and later hours are credited with what was paid too much."""
    dice = random.Random(13)
    for _ in range(400):
        entries, paid = random_week(dice), UNPAID
        owed = []
        while len(paid.worked) < len(entries):
            begin = len(paid.worked)
            part = entries[begin : begin + dice.randint(1, 6)]
            owed.append(sum(cents for *_, cents in premiums(earn([*paid.worked, *part]))))
            earned = earn(part, paid)
            assert all(line.cents > 0 and line.hours > 0 for line in earned.lines)
            paid += earned.pays
        assert paid.overtime + paid.double_time == max(owed)


def test_too_much_was_paid_and_is_credited() -> None:
    """Ten hours at 30.00 were paid with 30.00 of premium; eight more at 15.00 bring the average to 23.33, two hours of
    which at half are 23.33: nothing is owed or taken back. Ten more at 30.00 then owe 51.43 less the 30.00."""
    first = earn([worked(0, "10", "30.00")])
    second = earn([worked(1, "8", "15.00")], first.pays)
    assert (premiums(first), premiums(second)) == ([("overtime_premium", "2.00", "15.00", 3_000)], [])
    third = earn([worked(2, "10", "30.00")], first.pays + second.pays)
    assert sum(cents for *_, cents in premiums(third)) == round(Fraction(720, 28) * 2 * 100) - 3_000


# ----------------------------------------------------------------------------------------------------- what is told


def test_what_is_unverified_or_not_seen_is_noted_and_what_is_not_known_is_not_computed() -> None:
    assert earn(days(*["8"] * 6)).notes == ()  # the federal premium alone: six days of eight hours
    [(code, words)] = earn(days("9")).notes
    assert (code, words[:54]) == ("unverified_value", "The overtime law of California is unverified: state wa")
    assert "four or more" in earn(days("9", state="AK")).notes[0][1]
    assert [code for code, _ in earn(days("8", "8", state="CO")).notes] == ["overtime_by_calendar_day"]
    earlier = [replace(entry, day=entry.day - timedelta(days=364)) for entry in days("9", "8")]
    before = workweek_earnings(earlier, week_begins=date(2025, 11, 10), law=LAW)
    assert premiums(before) == []
    assert before.notes == (
        (
            "overtime_law_not_known",
            "The overtime law of California is not known for 2025: none of its own is computed.",
        ),
    )


def test_a_changed_table_changes_hours_pay_and_version_together() -> None:
    changed = tables_with("us_overtime_2026", instead=('double_time_after_day = "12"', 'double_time_after_day = "11"'))
    other = workweek_earnings(days("13"), week_begins=MONDAY, law=changed.overtime)
    assert split(other) == (8, 3, 2)
    assert other.tables != earn(days("13")).tables
    assert other.tables["us_overtime_2026"] == changed.versions()["us_overtime_2026"]


@needs_reference
def test_the_states_are_those_of_the_reference() -> None:
    table = tomllib.loads((FOLDER / "us_overtime_2026.toml").read_text())["states"]
    labor = {state: values["labor"] for state, values in reference("us_states_2026.toml")["states"].items()}
    assert set(table) == {state for state, values in labor.items() if values["daily_overtime"]}
    for state, values in table.items():
        assert values["verified"] is labor[state]["verified"]
        assert f"over {values['overtime_after_day']} hours" in labor[state]["overtime"], state
        assert f"{values['overtime_after_week']} a week" in labor[state]["overtime"], state
    assert table["NV"]["below_regular_rate"] in labor["NV"]["overtime"]
    assert Decimal(table["NV"]["below_regular_rate"]) == labor["NV"]["minimum_wage"] * Decimal("1.5")
    assert f"over {table['CA']['double_time_after_day']} a day" in labor["CA"]["overtime"]
    assert f"over {table['CA']['seventh_day_double_time_after']} on the 7th" in labor["CA"]["overtime"]
