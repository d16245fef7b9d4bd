"""Daily overtime and double time at the batch door: earnings with a work_date, and what is noted without one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.payroll.calc.test_calc_derivation import redo
from tests.payroll.test_batch_pay import BASE, answers

from backoffice.payroll.batch import derivation_of, read
from backoffice.payroll.batch_case import Case, columns_of
from backoffice.payroll.calc import Tables

Premium = tuple[str, str, str, str]


def day(date: int, hours: str, rate: str = "20.00", code: str = "regular") -> dict[str, str]:
    return {"code": code, "hours": hours, "rate": rate, "work_date": f"2026-11-{date:02d}"}


def paid(*earnings: dict[str, str], **more: Any) -> dict[str, Any]:
    (answer,) = answers({"work_state": "CA", "period_begin": "2026-11-09", "earnings": list(earnings)} | more)
    assert "problem" not in answer, answer
    return answer


def premiums(answer: dict[str, Any]) -> list[Premium]:
    return [
        (line["code"], line["hours"], line["rate"], line["amount"])
        for line in answer["earnings"]
        if line["code"].endswith("_premium")
    ]


def told(answer: dict[str, Any], *words: str) -> list[str]:
    return [note for note in answer["notes"] if any(word in note for word in words)]


def test_california_is_paid_by_the_day_and_the_fica_of_it_too() -> None:
    """10 and 13 hours at 20.00: six at time and a half, one at double time; 23 are not over 40, so no TT."""
    answer = paid(day(9, "10"), day(10, "13"))
    assert premiums(answer) == [
        ("overtime_premium", "6.00", "10.00", "60.00"),
        ("double_time_premium", "1.00", "20.00", "20.00"),
    ]
    assert answer["gross_pay"] == "540.00"
    assert answer["social_security"] == "33.48"
    assert "w2" not in answer
    assert answer["tables"].keys() >= {"us_overtime_2026", "us_earnings"}
    assert len(told(answer, "overtime law of California is unverified")) == 1


def test_only_the_federal_half_is_told_on_the_w2() -> None:
    """Seven days of 8 hours and one more: 17 hours over 40 are 170.00 of FLSA premium; California owes 16 and one."""
    answer = paid(*[day(date, "8") for date in range(9, 15)], day(15, "9"))
    assert premiums(answer) == [
        ("overtime_premium", "16.00", "10.00", "160.00"),
        ("double_time_premium", "1.00", "20.00", "20.00"),
    ]
    assert answer["w2"] == {"TT": "170.00"}


def test_overtime_lines_count_towards_it() -> None:
    """Eight regular and two at time and a half owe nothing more; two at 25.00 do: 5.00 an hour lie
    above straight time, and 10.00 are owed (29 CFR 778.201)."""
    assert premiums(paid(day(9, "8"), day(9, "2", "30.00", "overtime"))) == []
    assert premiums(paid(day(9, "12"), day(9, "1", "40.00", "double_time"))) == [
        ("overtime_premium", "4.00", "10.00", "40.00")
    ]
    [(code, _, _, amount)] = premiums(paid(day(9, "8"), day(9, "2", "25.00", "overtime")))
    assert (code, amount) == ("overtime_premium", "10.00")


@pytest.mark.parametrize("frequency", ["weekly", "biweekly"])
def test_hours_without_a_day_are_noted(frequency: str) -> None:
    undated = {"code": "regular", "hours": "10", "rate": "20.00"}
    answer = paid(undated, day(9, "9"), pay_frequency=frequency)
    assert premiums(answer) == [("overtime_premium", "1.00", "10.00", "10.00")]
    assert len(told(answer, "no overtime by the day of California")) == 1
    assert told(paid(day(9, "9"), pay_frequency=frequency), "by the day of California") == []
    texas = paid(undated, pay_frequency=frequency, work_state="TX")
    assert told(texas, "by the day") == []


def test_several_states_are_noted() -> None:
    work = [{"state": "TX", "wages": "100.00"}, {"state": "CA", "wages": "100.00"}]
    answer = paid(day(9, "10"), work=work)
    assert premiums(answer) == []
    assert len(told(answer, "Which of the states hours were worked in is not known")) == 1
    alone = paid(day(9, "10"), work=[{"state": "CA"}])
    assert premiums(alone) == [("overtime_premium", "2.00", "10.00", "20.00")]


def test_other_states_and_other_years() -> None:
    assert premiums(paid(day(9, "9", "15.00"), work_state="NV")) == [("overtime_premium", "1.00", "7.50", "7.50")]
    assert premiums(paid(day(9, "9"), work_state="AK")) == [("overtime_premium", "1.00", "10.00", "10.00")]
    colorado = paid(day(9, "13"), day(10, "8"), work_state="CO")
    assert premiums(colorado) == [("overtime_premium", "1.00", "10.00", "10.00")]
    assert len(told(colorado, "pass midnight")) == 1
    before = dict(day(9, "10"), work_date="2025-11-10")
    answer = paid(before, pay_date="2025-11-21", period_begin="2025-11-10", work_state="AK")
    assert premiums(answer) == []
    assert len(told(answer, "overtime law of Alaska is not known for 2025")) == 1


def test_each_week_of_a_longer_period_by_itself_and_pay_by_amount() -> None:
    answer = paid(
        day(9, "9"), day(17, "13"), {"code": "bonus", "amount": "90.00", "work_date": "2026-11-09"},
        pay_frequency="biweekly", pay_date="2026-11-27",
    )  # fmt: skip
    assert premiums(answer) == [
        ("overtime_premium", "1.00", "15.00", "15.00"),  # (180 + 90) / 9 is 30.00
        ("overtime_premium", "4.00", "10.00", "40.00"),
        ("double_time_premium", "1.00", "20.00", "20.00"),
    ]
    assert len(told(answer, "Pay by amount")) == 1


def test_the_derivation_makes_the_lines() -> None:
    line = {"work_state": "CA", "period_begin": "2026-11-09", "earnings": [day(9, "10"), day(10, "13", "22.35")]}
    (answer,) = answers(line, explain=True)
    tables = Tables.load()
    (case,) = read([(1, json.dumps(BASE | line).encode())], tables)
    assert isinstance(case, Case)
    derived = derivation_of(case, columns_of([case], tables), tables)
    assert derived.as_json() == answer["derivation"]
    own = [each for each in derived.lines if each.code.endswith("_premium")]
    assert [(each.code, f"{each.cents / 100:.2f}") for each in own] == [
        (code, amount) for code, _, _, amount in premiums(answer)
    ]
    assert all(redo(each) * 100 == each.cents for each in own)
