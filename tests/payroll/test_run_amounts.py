"""Gross to net through the domain: against a second opinion for the demo's workers, and by hand for a few."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from tests.factories.changed_law import tables_with
from tests.factories.crew import WEEK, Hand, Job, crew, northwind
from tests.factories.desk import Body, desk
from tests.factories.payday import FOLDER, payday
from tests.payroll.calc.test_calc_second_opinion import LAW, opinion
from tests.world import ROOT, World

from backoffice.accounts.tenant_file import load
from backoffice.payroll.calc import W4, Paycheck, ProgrammeYearToDate, StateCertificate, Tables, Work, YearToDate

PAYDAY = date(2026, 11, 20)


def read(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def half_up(dollars: Fraction) -> int:
    return floor(dollars * 100 + Fraction(1, 2))


def cents(text: str) -> int:
    return int(Fraction(text or "0") * 100)


def gross_of(worked: dict[tuple[str, str], Fraction]) -> int:
    """Straight time of each assignment, and half the weighted rate for hours over 40 (29 CFR 778.115)."""
    straight = {key: hours * Fraction(key[1]) for key, hours in worked.items()}
    hours = sum(worked.values(), Fraction(0))
    over = max(Fraction(0), hours - 40)
    return sum(half_up(pay) for pay in straight.values()) + half_up(
        over * sum(straight.values(), Fraction(0)) / hours / 2
    )


def demo_workers() -> dict[str, Paycheck]:
    """What each worker of the demo should be calculated from, read from the firm's own files and nothing else."""
    assignments = {each["external_id"]: each for each in read("assignments")}
    worked: dict[str, dict[tuple[str, str], Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    seen = set()
    for row in read("timesheets"):
        assignment = assignments.get(row["assignment_external_id"])
        same = (row["assignment_external_id"], row["work_date"])
        if assignment is None or Fraction(row["hours"]) > 24 or same in seen:
            continue  # one of the file's honest faults
        seen.add(same)
        worked[row["worker_external_id"]][assignment["external_id"], assignment["pay_rate"]] += Fraction(row["hours"])
    states = {each["worker_external_id"]: each["work_state"] for each in assignments.values()}
    found = {}
    for row in read("workers"):
        name, state = row["external_id"], states.get(row["external_id"], "")
        if name not in worked:
            continue
        certificate = None
        if row["state_certificate_state"] == state:
            certificate = StateCertificate(
                status=row["state_certificate_status"] or None,
                allowances=int(row["state_certificate_allowances"] or 0),
                secondary_allowances=int(row["state_certificate_secondary_allowances"] or 0),
            )
        wages = cents(row["ytd_state_wages"]) if row["ytd_state"] == state else 0
        found[name] = Paycheck(
            pay_date=PAYDAY,
            pay_frequency="weekly",
            gross=gross_of(worked[name]),
            w4=W4(
                version=row["w4_version"],
                filing_status=row["w4_filing_status"],
                step2_checkbox=row["w4_step2_checkbox"] == "true",
                step3=cents(row["w4_step3"]),
                step4a=cents(row["w4_step4a"]),
                step4b=cents(row["w4_step4b"]),
                step4c=cents(row["w4_step4c"]),
                allowances=int(row["w4_allowances"] or 0),
                exempt=row["w4_exempt"] == "true",
                nonresident_alien=row["w4_nonresident_alien"] == "true",
            ),
            work=(
                Work(
                    state=state,
                    certificate=certificate,
                    ytd_sui_wages=wages,
                    ytd_programmes={
                        "CA_ETT": ProgrammeYearToDate(wages=wages),
                        "NY_PFL": ProgrammeYearToDate(amount=half_up(Fraction(wages, 100) * Fraction("0.00432"))),
                    },
                ),
            ),
            ytd=YearToDate(
                social_security_wages=cents(row["ytd_social_security_wages"]),
                medicare_wages=cents(row["ytd_medicare_wages"]),
                futa_wages=cents(row["ytd_futa_wages"]),
            ),
        )
    return found


def unemployment(check: Paycheck, rates: dict[str, Fraction]) -> int:
    [work] = check.work
    base = Fraction(LAW["us_unemployment_2026"]["wage_base"][work.state]["amount"])
    left = max(Fraction(0), base - Fraction(work.ytd_sui_wages, 100))
    return half_up(min(Fraction(check.gross, 100), left) * rates[work.state])


def taxes(check: Body) -> dict[str, int]:
    return {line["code"]: cents(line["amount"]["amount"]) for line in check["lines"] if line["kind"] != "earning"}


async def test_every_worker_of_the_demo_agrees_with_a_second_opinion_to_the_cent(world: World) -> None:
    expected = demo_workers()
    file = load(ROOT / "tenants" / "northwind-staffing")
    rates = {state: Fraction(str(each.sui_rate)) for state, each in file.employer.state_accounts.items()}
    day = await payday(world)
    async with desk(world, day.tenant) as at:
        run = await at.calculated(await at.open())
        names = {each["id"]: each["external_id"] for each in await at.every("/v1/workers")}
        checks = {names[id_]: check for id_, check in (await at.paychecks(run)).items()}
    assert len(checks) == day.workers >= 59
    for name, check in checks.items():
        wanted = expected[name]
        assert cents(check["gross"]["amount"]) == wanted.gross, name
        lines = {**opinion(wanted), "sui": unemployment(wanted, rates)}
        told = taxes(check)
        assert {code: told.get(code, 0) for code in lines} == lines, name
        assert set(told) <= set(lines), name
        employee = sum(cents(each["amount"]["amount"]) for each in check["lines"] if each["kind"] == "employee_tax")
        assert cents(check["net"]["amount"]) == wanted.gross - employee, name
    leave = {name: taxes(checks[name])["NY_PFL"] for name in ("NW-0019", "NW-0024", "NW-0015")}
    assert leave["NW-0019"] == 0  # above the maximum of the year
    assert leave["NW-0024"] == 505  # reaches it in this week
    assert leave["NW-0015"] > 0


async def test_by_hand_forty_hours_in_texas(world: World) -> None:
    """800.00 a week, single: 41,600 less 8,600 is 33,000; 1,240 + 12 % of 13,100 is 2,812 a year, 54.08 a week."""
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open())
        check = (await at.paychecks(run))[made.workers["A"]]
    assert taxes(check) == {
        "federal_income_tax": 5408,
        "social_security": 4960,
        "medicare": 1160,
        "additional_medicare": 0,
        "employer_social_security": 4960,
        "employer_medicare": 1160,
        "futa": 480,
        "sui": 2160,
        "state_income_tax": 0,
    }
    assert check["net"] == {"amount": "684.72", "currency": "USD"}
    [line] = [each for each in check["lines"] if each["kind"] == "earning"]
    assert (line["hours"], line["rate"], line["assignment_id"]) == ("40.00", "20.00", made.assignments["A"][0])


async def test_by_hand_overtime_at_the_weighted_rate_of_two_assignments(world: World) -> None:
    """30 hours at 20.00 and 20 at 26.00: 1,120.00 for 50 hours, 22.40 an hour; ten hours at half of it are 112.00."""
    jobs = [Job(rate="20.00", hours=["10", "10", "10"]), Job(rate="26.00", hours=["0", "0", "0", "10", "10"])]
    made = await crew(world, Hand("A", jobs=jobs))
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open())
        check = (await at.paychecks(run))[made.workers["A"]]
    earned = [
        (line["code"], line["assignment_id"], line["hours"], line["rate"], line["amount"]["amount"])
        for line in check["lines"]
        if line["kind"] == "earning"
    ]
    first, second = made.assignments["A"]
    assert sorted(earned, key=lambda each: each[4]) == [
        ("overtime_premium", None, "10.00", "11.20", "112.00"),
        ("regular", second, "20.00", "26.00", "520.00"),
        ("regular", first, "30.00", "20.00", "600.00"),
    ]
    assert (check["gross"]["amount"], check["hours"]) == ("1232.00", "50.00")


async def test_by_hand_two_workweeks_of_a_biweekly_period(world: World) -> None:
    """45 and 35 hours at 20.00: 1,600.00 and five hours at 10.00, though it is no more than 80 hours. 1,650.00 every
    two weeks, single: 42,900 less 8,600 is 34,300; 1,240 + 12 % of 14,400 is 2,968 a year, 114.15 a period."""
    made = await crew(world, Hand("A", schedule="biweekly", jobs=[Job(hours=["9"] * 5)]), file=northwind(biweekly=True))
    await made.work("A", date(2026, 11, 16), ["7"] * 5)
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open(pay_schedule="biweekly"))
        assert (run["period_end"], run["pay_date"]) == ("2026-11-22", "2026-11-27")
        check = (await at.paychecks(run))[made.workers["A"]]
        derived = await at.get(f"/v1/paychecks/{check['id']}/derivation")
    earned = [(line["code"], line["hours"], line["amount"]["amount"]) for line in check["lines"]][:3]
    assert earned == [
        ("regular", "45.00", "900.00"),
        ("overtime_premium", "5.00", "50.00"),
        ("regular", "35.00", "700.00"),
    ]
    assert taxes(check)["federal_income_tax"] == 11415
    assert (check["gross"]["amount"], check["hours"]) == ("1650.00", "80.00")
    assert [line["amount"] for line in derived["lines"]][:3] == ["900.00", "50.00", "700.00"]
    named = [line["assignment_id"] for line in check["lines"] if line["code"] == "regular"]
    assert [line["key"] for line in derived["lines"] if line["code"] == "regular"] == named
    assert all(f"regular (earning, US) [{assignment}]: " in "\n".join(derived["text"]) for assignment in named)


# ------------------------------------------------------------------------------------------------------- derivation


async def test_one_changed_value_changes_number_and_derivation_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await crew(world, Hand("A", jobs=[Job(state="CA")]))
    changed = tables_with("us_ca_2026", instead=('rate = "0.013"', 'rate = "0.026"'))
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open())
        before = await seen(at, run)
        assert before["line"] == "10.40"  # 1.3 % of 800.00
        monkeypatch.setattr(Tables, "load", classmethod(lambda cls: changed))
        refused = await at.maker.get(f"/v1/paychecks/{before['id']}/derivation")
        assert (refused.status_code, refused.json()["code"]) == (409, "law_changed")
        run = await at.calculated(run)
        after = await seen(at, run)
    assert after["line"] == "20.80"
    assert {key: value for key, value in after["derived"].items() if key != "steps"} == {
        **{key: value for key, value in before["derived"].items() if key != "steps"},
        "amount": "20.80",
    }
    for told, rate in ((before, "0.013"), (after, "0.026")):
        step = next(step for step in told["derived"]["steps"] if step["name"] == "at_rate")
        assert step["inputs"]["rate"]["value"] == rate
        assert step["result"]["value"] == told["line"] == told["derived"]["amount"]
        assert step["table"]["version"] == told["tables"]["us_ca_2026"]
    assert before["tables"]["us_ca_2026"] != after["tables"]["us_ca_2026"]
    assert before["tables"]["us_federal_2026"] == after["tables"]["us_federal_2026"]
    assert Fraction(before["net"]) - Fraction(after["net"]) == Fraction("10.40")


async def seen(at: Any, run: Body) -> dict[str, Any]:
    [check] = (await at.paychecks(run)).values()
    derived = await at.get(f"/v1/paychecks/{check['id']}/derivation")
    return {
        "id": check["id"],
        "net": check["net"]["amount"],
        "tables": check["tables"],
        "line": next(line["amount"]["amount"] for line in check["lines"] if line["code"] == "CA_SDI"),
        "derived": next(line for line in derived["lines"] if line["code"] == "CA_SDI"),
    }


async def test_a_later_version_of_the_tables_that_says_the_same_still_explains(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open())
        [check] = (await at.paychecks(run)).values()
        before = await at.get(f"/v1/paychecks/{check['id']}/derivation")
        assert before["tables"] == before["calculated_with"] == check["tables"]
        other = tables_with("us_federal_2026", b"\n# read again\n")
        monkeypatch.setattr(Tables, "load", classmethod(lambda cls: other))
        after = await at.get(f"/v1/paychecks/{check['id']}/derivation")
    assert after["calculated_with"] == check["tables"]
    assert after["tables"] == other.versions(*check["tables"]) != check["tables"]
    assert [(each["code"], each["amount"]) for each in after["lines"]] == [
        (each["code"], each["amount"]) for each in before["lines"]
    ]


async def test_every_line_is_derived_with_its_law_and_the_lines_add_up(world: World) -> None:
    jobs = [Job(state="NY", hours=["9", "9", "9"]), Job(state="NY", rate="27.125", hours=["0", "0", "0", "9", "9"])]
    made = await crew(world, Hand("A", jobs=jobs))
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open())
        [check] = (await at.paychecks(run)).values()
        derived = await at.get(f"/v1/paychecks/{check['id']}/derivation")
    told = [(line["code"], line["kind"], line["jurisdiction"], line["amount"]) for line in derived["lines"]]
    stored = [(line["code"], line["kind"], line["jurisdiction"], line["amount"]["amount"]) for line in check["lines"]]
    totals = [
        ("gross_pay", "earning", "US", check["gross"]["amount"]),
        ("net_pay", "net", "US", check["net"]["amount"]),
    ]
    assert sorted(told) == sorted(stored + totals)
    for line in derived["lines"]:
        assert line["citation"], line["code"]
        assert line["steps"], line["code"]
        last = line["steps"][-1]["result"]["value"]
        assert Fraction(last) == Fraction(line["amount"]), line["code"]
    rates = {line["rate"] for line in check["lines"] if line["code"] == "regular"}
    assert rates == {"20.00", "27.125"}
    assert any("29 CFR 778" in row for row in derived["text"])
    assert WEEK.isoformat() == run["period_begin"]
