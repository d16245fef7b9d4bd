"""Hours that are approved after the run of their period was paid: the next run of the schedule pays for them, with the
overtime of the week they were worked in."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pypdf
from tests.factories.crew import WEEK, Crew, Hand, Job, crew, dollars, northwind
from tests.factories.desk import Body, Desk, desk
from tests.payroll.test_payment import balances
from tests.payroll.test_run_year import year_equals_lines
from tests.world import World

from backoffice.accounts.tenant_file import TenantFile
from backoffice.people import commands as people
from backoffice.people.schemas import EndEmployment
from backoffice.staffing import commands as staffing
from backoffice.staffing.schemas import RateBody, UpdateAssignment

NEXT = date(2026, 11, 16)
LATER = datetime(2026, 11, 23, 14, tzinfo=UTC)  # the Monday after both weeks

Line = tuple[str, str | None, str, str, str]


def earned(check: Body) -> list[Line]:
    """(code, workweek, hours, rate, amount) of the earnings."""
    return [
        (line["code"], line["workweek"], line["hours"], line["rate"], line["amount"]["amount"])
        for line in check["lines"]
        if line["kind"] == "earning"
    ]


@asynccontextmanager
async def first_week_paid(
    world: World, *hands: Hand, file: TenantFile | None = None
) -> AsyncIterator[tuple[Crew, Desk, Body]]:
    """The week of 9 November paid to these workers; it is the Monday two weeks later."""
    made = await crew(world, *hands, at=LATER, file=file)
    async with desk(world, made.tenant) as at:
        yield made, at, await pay(at, await at.open(pay_date="2026-11-25"))


async def pay(at: Desk, run: Body) -> Body:
    return await at.paid(await at.approved(await at.calculated(run)))


async def second(at: Desk, run: Body, worker: str) -> Body:
    """The worker's paycheck of a run."""
    return (await at.paychecks(run))[worker]


async def test_the_next_run_pays_late_hours_with_the_overtime_of_their_own_week(world: World) -> None:
    """44 hours at 20.00 were paid with 40.00 of premium. Six late ones at 30.00 make 1,060.00 for 50 hours, 21.20 an
    hour: ten hours at half of it are 106.00, of which 66.00 are still owed."""
    jobs = [Job(hours=["8", "9", "9", "9", "9"]), Job(rate="30.00", hours=())]
    async with first_week_paid(world, Hand("A", jobs=jobs)) as (made, at, first):
        worker = made.workers["A"]
        await made.work("A", NEXT, ["8"])
        await made.work("A", WEEK, ["0", "0", "0", "0", "0", "6"], job=1)
        run = await at.open(NEXT)
        [told] = await at.blockers(run)
        assert (told["code"], told["severity"], told["subject"]) == ("late_hours", "warning", worker)
        assert "6.00 hours of 2026-11-14 to 2026-11-14" in told["detail"]
        run = await pay(at, run)
        check = await second(at, run, worker)
        assert sorted(earned(check)) == [
            ("overtime_premium", "2026-11-09", "6.00", "11.00", "66.00"),
            ("regular", "2026-11-09", "6.00", "30.00", "180.00"),
            ("regular", "2026-11-16", "8.00", "20.00", "160.00"),
        ]
        assert (check["hours"], check["gross"]["amount"]) == ("14.00", "406.00")

        derived = await at.get(f"/v1/paychecks/{check['id']}/derivation")
        premium = next(line for line in derived["lines"] if line["code"] == "overtime_premium")
        owed = premium["steps"][-1]
        assert (owed["name"], owed["result"]["value"], premium["amount"]) == ("owed", "66.00", "66.00")
        assert {name: value["value"] for name, value in owed["inputs"].items()} == {
            "premium": "106.00", "double_time": "0.00", "overtime_paid": "40.00", "double_time_paid": "0.00"
        }  # fmt: skip

        [document] = await at.every(f"/v1/documents?kind=pay_stub&subject={check['id']}")
        pages = pypdf.PdfReader(io.BytesIO(await at.download(document))).pages
        stub = " ".join(" ".join(page.extract_text() for page in pages).split())
        assert "Regular, week of Nov 9, 2026 6.00 30.00 180.00" in stub, stub
        assert (
            "Overtime premium, week of Nov 9, 2026 (overtime hours) (hours counted above) 6.00 11.00 66.00" in stub
        ), stub
        assert "Regular 8.00 20.00 160.00" in stub

        for sheet in made.timesheets["A"][-2:]:
            assert (await at.get(f"/v1/timesheets/{sheet}"))["payroll_run_id"] == run["id"]
        await year_equals_lines(at)
        paid = [dollars(each["totals"]["net"]) for each in (first, run)]
        assert (await balances(at))["assets.payroll_cash"] == -sum(paid)


async def test_late_hours_in_two_runs_owe_what_the_week_owes_at_once(world: World) -> None:
    """36 hours, then 6, then 4 at other rates: together the premium of 46 hours at the average of all."""
    jobs = [
        Job(rate="20.37", hours=["8", "8", "8", "8", "4"]),
        Job(rate="31.19", hours=()),
        Job(rate="17.01", hours=()),
    ]
    async with first_week_paid(world, Hand("A", jobs=jobs)) as (made, at, _):
        premiums = []
        for begins, place, hours in ((NEXT, 1, "6"), (date(2026, 11, 23), 2, "4")):
            await made.work("A", WEEK, ["0", "0", "0", "0", "0", hours], job=place)
            run = await pay(at, await at.open(begins))
            lines = earned(await second(at, run, made.workers["A"]))
            premiums += [Fraction(amount) for code, *_, amount in lines if code == "overtime_premium"]
        straight = 36 * Fraction("20.37") + 6 * Fraction("31.19") + 4 * Fraction("17.01")
        assert sum(premiums) == Fraction(round(6 * straight / 46 / 2 * 100), 100)
        assert len(premiums) == 2


async def test_what_was_paid_keeps_the_rate_it_was_paid_at(world: World) -> None:
    """40 hours were paid at 20.00; the assignment's later rate of 26.00 changes nothing about their part of the
    average: 800.00 and two late hours at 30.00 are 860.00 for 42 hours, two of them at half of it."""
    jobs = [Job(), Job(rate="30.00", hours=())]
    async with first_week_paid(world, Hand("A", jobs=jobs)) as (made, at, _):
        async with world.tx(made.tenant) as tx:
            rate = UpdateAssignment(pay_rate=RateBody(amount="26.00"))
            await staffing.update_assignment(tx, made.assignments["A"][0], rate, 1)
        await made.work("A", WEEK, ["2"], job=1)
        run = await at.calculated(await at.open(NEXT))
        lines = earned(await second(at, run, made.workers["A"]))
        assert lines == [
            ("regular", "2026-11-09", "2.00", "30.00", "60.00"),
            ("overtime_premium", "2026-11-09", "2.00", "10.2381", "20.48"),
        ]


async def test_late_hours_of_somebody_who_was_not_paid_and_has_left(world: World) -> None:
    hands = Hand("A"), Hand("B", jobs=[Job(hours=())])
    async with first_week_paid(world, *hands) as (made, at, first):
        assert list(await at.paychecks(first)) == [made.workers["A"]]
        async with world.tx(made.tenant) as tx:
            [employment] = await at.every(f"/v1/workers/{made.workers['B']}/employments")
            await people.end_employment(tx, employment["id"], EndEmployment(ended_on=date(2026, 11, 13)))
        await made.work("B", WEEK, ["10", "10", "10", "10", "5"])
        run = await pay(at, await at.open(NEXT))
        assert list(await at.paychecks(run)) == [made.workers["B"]]
        assert earned(await second(at, run, made.workers["B"])) == [
            ("regular", "2026-11-09", "45.00", "20.00", "900.00"),
            ("overtime_premium", "2026-11-09", "5.00", "10.00", "50.00"),
        ]


async def test_a_period_that_is_not_paid_keeps_its_hours(world: World) -> None:
    """Whatever state its run is in, short of paid; and a period that has no run at all."""
    made = await crew(world, Hand("A"), at=LATER)
    await made.work("A", NEXT, ["8"])
    async with desk(world, made.tenant) as at:
        run = await at.open(NEXT)

        async def seen() -> set[str | None]:
            checks = await at.paychecks(await at.calculated(run))
            return {workweek for check in checks.values() for _, workweek, *_ in earned(check)}

        assert await seen() == {"2026-11-16"}
        first = await at.open(pay_date="2026-11-25")
        assert await seen() == {"2026-11-16"}
        await made.add(Hand("C"), approved=False)
        first = await at.approved(await at.calculated(first))
        await made.approve(made.timesheets["C"][0])
        assert await seen() == {"2026-11-16"}
        assert await at.codes(run, "warning") == []
        first = (await at.ask(first, "reopen")).json()
        assert set(await at.paychecks(await at.calculated(first))) == {made.workers["A"], made.workers["C"]}


async def test_late_hours_are_paid_once_though_two_runs_see_them(world: World) -> None:
    async with first_week_paid(world, Hand("A"), Hand("B", jobs=[Job(hours=())])) as (made, at, _):
        await made.work("A", NEXT, ["8"])
        await made.work("A", date(2026, 11, 23), ["8"])
        one, other = await at.open(NEXT), await at.open("2026-11-23")
        await made.work("B", WEEK, ["8"])
        worker = made.workers["B"]
        for run in (one, other):
            assert [each["subject"] for each in await at.blockers(run) if each["code"] == "late_hours"] == [worker]
        one = await at.calculated(one)
        other = await at.calculated(other)
        assert worker in await at.paychecks(one)
        assert worker not in await at.paychecks(other)
        assert await at.codes(other, "warning") == []
        assert (await at.ask(one, "cancel")).status_code == 200
        assert await at.codes(other) == ["calculation_outdated"]
        other = await at.calculated(other)
        assert worker in await at.paychecks(other)


async def test_late_hours_ask_for_another_calculation(world: World) -> None:
    """Approved when the next run is already ready; and when another run has paid more of the same week since."""
    jobs = [Job(), Job(rate="30.00", hours=()), Job(rate="32.00", hours=())]
    async with first_week_paid(world, Hand("A", jobs=jobs), Hand("B")) as (made, at, _):
        await made.work("B", NEXT, ["8"])
        run = await at.calculated(await at.open(NEXT))
        await made.work("A", WEEK, ["1"], job=1)
        assert await at.codes(run) == ["calculation_outdated"]
        run = await at.calculated(run)
        await made.work("A", WEEK, ["0", "1"], job=2)
        other = await at.calculated(await at.open("2026-11-23"))
        before = earned(await second(at, other, made.workers["A"]))
        await pay(at, run)
        refused = await at.ask(other, "approve", by=at.checker)
        [told] = refused.json()["blockers"]
        assert told["detail"] == "Since the calculation changed: what is paid of a workweek, the year-to-date."
        other = await at.calculated(other)
        after = earned(await second(at, other, made.workers["A"]))
        assert before[-1] == ("overtime_premium", "2026-11-09", "1.00", "10.1463", "10.15")
        # 42 hours of 862.00: two at half of 20.5238 are 20.52, of which 10.12 were paid for 41 hours of 830.00
        assert after[-1] == ("overtime_premium", "2026-11-09", "1.00", "10.40", "10.40")


async def test_late_hours_make_a_paid_day_owe_overtime_by_the_day(world: World) -> None:
    """Twelve hours were paid with four of overtime in California, 40.00. Two late ones on the same day are double
    time: 14 hours at 20.00, 40.00 and 40.00 of premium, of which the second is owed. Nothing was over 40."""
    jobs = [Job(state="CA", hours=["12"]), Job(state="CA", hours=())]
    async with first_week_paid(world, Hand("A", jobs=jobs)) as (made, at, first):
        before = earned(await second(at, first, made.workers["A"]))
        assert before[1:] == [("overtime_premium", "2026-11-09", "4.00", "10.00", "40.00")]
        await made.work("A", WEEK, ["2"], job=1)
        run = await pay(at, await at.open(NEXT))
        assert earned(await second(at, run, made.workers["A"])) == [
            ("regular", "2026-11-09", "2.00", "20.00", "40.00"),
            ("double_time_premium", "2026-11-09", "2.00", "20.00", "40.00"),
        ]
        assert await at.codes(run) == []


async def test_late_hours_stay_on_the_schedule_of_their_days(world: World) -> None:
    file = northwind(biweekly=True)
    hands = Hand("A"), Hand("B", schedule="biweekly", jobs=[Job(hours=())])
    async with first_week_paid(world, *hands, file=file) as (made, at, _):
        await made.work("B", WEEK, ["8"])
        run = await at.open(NEXT)
        assert await at.codes(run) == ["no_hours"]
        checks: dict[str, Any] = await at.paychecks(await at.calculated(await at.open(pay_schedule="biweekly")))
        assert list(checks) == [made.workers["B"]]
