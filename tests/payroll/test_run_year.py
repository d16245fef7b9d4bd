"""A year: opening amounts and our own paid runs cross the caps once, and runs that count on each other wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

from tests.factories.crew import Crew, Hand, Job, crew, northwind
from tests.factories.desk import Body, Desk, desk
from tests.world import World

from backoffice.people.schemas import ProgrammeToDate, SetOpeningBalance, StateWages
from backoffice.platform.web.bodies import MoneyBody

NEXT = date(2026, 11, 16)
MONDAY_AFTER = datetime(2026, 11, 23, 14, tzinfo=UTC)


def money(amount: str) -> MoneyBody:
    return MoneyBody(amount=amount)


def opening(state: str, *programmes: ProgrammeToDate, **amounts: str) -> SetOpeningBalance:
    """What 2026 brought before; `state_wages` are those of the state."""
    wages = money(amounts.pop("state_wages", "0.00"))
    told: dict[str, Any] = {name: money(amount) for name, amount in amounts.items()}
    return SetOpeningBalance(
        year=2026,
        **told,
        states=[StateWages(state=state, wages=wages)],
        programmes=list(programmes),
    )


def taxes(check: Body) -> dict[str, str]:
    return {
        f"{line['code']}{' of employer' if line['code'] == 'WA_PFML' and line['kind'] == 'employer_tax' else ''}": line[
            "amount"
        ]["amount"]
        for line in check["lines"]
        if line["kind"] != "earning"
    }


@asynccontextmanager
async def two_weeks(world: World, hand: Hand) -> AsyncIterator[tuple[Crew, Desk, Body, Body]]:
    """Two weekly runs with the same hours, on the Monday after both; paid on 25 November and 4 December."""
    made = await crew(world, hand, at=MONDAY_AFTER, file=northwind(washington=True))
    for place, job in enumerate(hand.jobs):
        await made.work(hand.name, NEXT, job.hours, job=place)
    async with desk(world, made.tenant) as at:
        yield made, at, await at.open(pay_date="2026-11-25"), await at.open(NEXT)


async def two_paychecks(world: World, hand: Hand) -> tuple[dict[str, str], dict[str, str]]:
    """The taxes of two weeks, one paid after the other."""
    async with two_weeks(world, hand) as found:
        made, at, first, second = found
        told = []
        for run in (first, second):
            paid = await at.paid(await at.approved(await at.calculated(run)))
            told.append(taxes((await at.paychecks(paid))[made.workers[hand.name]]))
            await year_equals_lines(at)
        return told[0], told[1]


async def year_equals_lines(at: Desk) -> None:
    """The year-to-date is the sum of the tax lines of what is paid."""
    key = "c.worker_id, l.kind, l.code, l.jurisdiction"
    lines = await at.rows(
        f"SELECT {key}, sum(l.wages_minor)::bigint, sum(l.amount_minor)::bigint FROM app.paycheck_line l "
        "JOIN app.paycheck c ON c.tenant_id = l.tenant_id AND c.id = l.paycheck_id WHERE l.tenant_id = $1 "
        f"AND l.kind <> 'earning' AND c.payment <> 'pending' GROUP BY {key} ORDER BY {key}"
    )
    year = await at.rows(
        "SELECT worker_id, kind, code, jurisdiction, wages_minor, amount_minor FROM app.year_to_date "
        "WHERE tenant_id = $1 ORDER BY worker_id, kind, code, jurisdiction"
    )
    assert [tuple(row.values()) for row in year] == [tuple(row.values()) for row in lines]
    assert year


async def test_caps_are_crossed_once_over_two_weeks_in_california(world: World) -> None:
    """800.00 a week on 184,000.00 of social security wages (base 184,500), 199,600.00 of Medicare wages (0.9 % above
    200,000), 6,500.00 of FUTA wages and 6,400.00 of California wages (bases 7,000)."""
    before = opening(
        "CA", gross="200000.00", social_security_wages="184000.00", medicare_wages="199600.00", futa_wages="6500.00",
        state_wages="6400.00",
    )  # fmt: skip
    first, second = await two_paychecks(world, Hand("A", jobs=[Job(state="CA")], opening=before))
    names = ("social_security", "employer_social_security", "additional_medicare", "medicare", "futa", "sui", "CA_ETT")
    assert {name: first[name] for name in names} == {
        "social_security": "31.00",
        "employer_social_security": "31.00",
        "additional_medicare": "3.60",
        "medicare": "11.60",
        "futa": "3.00",
        "sui": "20.40",
        "CA_ETT": "0.60",
    }
    assert {name: second[name] for name in names} == {
        "social_security": "0.00",
        "employer_social_security": "0.00",
        "additional_medicare": "7.20",
        "medicare": "11.60",
        "futa": "0.00",
        "sui": "0.00",
        "CA_ETT": "0.00",
    }
    assert (first["CA_SDI"], second["CA_SDI"]) == ("10.40", "10.40")


async def test_a_yearly_maximum_counts_what_was_paid_before(world: World) -> None:
    """New York paid family leave: 0.432 % of 800.00 is 3.46, of which 1.91 is left below 411.91."""
    paid = ProgrammeToDate(code="NY_PFL", wages=money("94907.00"), amount=money("410.00"))
    before = opening("NY", paid, gross="94907.00", medicare_wages="94907.00")
    first, second = await two_paychecks(world, Hand("A", jobs=[Job(state="NY")], opening=before))
    assert (first["NY_PFL"], second["NY_PFL"]) == ("1.91", "0.00")
    assert (first["NY_DBL"], second["NY_DBL"]) == ("0.60", "0.60")


async def test_a_yearly_maximum_counts_the_rate_of_the_wages_where_nobody_says_what_was_paid(world: World) -> None:
    """0.432 % of 94,907.00 is 410.00, so again 1.91 is left below 411.91."""
    before = opening("NY", gross="94907.00", medicare_wages="94907.00", state_wages="94907.00")
    first, second = await two_paychecks(world, Hand("A", jobs=[Job(state="NY")], opening=before))
    assert (first["NY_PFL"], second["NY_PFL"]) == ("1.91", "0.00")


async def test_a_programme_that_both_pay_counts_wages_once(world: World) -> None:
    """Washington family leave, base 184,500: on 183,300.00 all of the first 800.00 counts, 400.00 of the second.
    1.13 % of which the employee pays 71.43 %."""
    before = opening("WA", gross="183300.00", medicare_wages="183300.00", state_wages="183300.00")
    first, second = await two_paychecks(world, Hand("A", jobs=[Job(state="WA")], opening=before))
    assert (first["WA_PFML"], first["WA_PFML of employer"]) == ("6.46", "2.58")
    assert (second["WA_PFML"], second["WA_PFML of employer"]) == ("3.23", "1.29")


async def test_the_next_years_run_begins_anew(world: World) -> None:
    before = opening("TX", gross="184500.00", social_security_wages="184500.00", medicare_wages="184500.00")
    made = await crew(world, Hand("A", opening=before), at=datetime(2026, 12, 28, 14, tzinfo=UTC))
    await made.work("A", date(2026, 12, 21), ["8"])
    async with desk(world, made.tenant) as at:
        run = await at.open("2026-12-21", pay_date="2027-01-04")
        assert await at.codes(run) == ["year_not_supported"]  # no table of 2027 is known, and nothing is extrapolated


# ---------------------------------------------------------------------------------------- runs that count on each other


async def test_a_run_calculated_before_another_was_paid_is_calculated_again(world: World) -> None:
    before = opening("TX", futa_wages="6500.00", gross="6500.00")
    async with two_weeks(world, Hand("A", opening=before)) as found:
        _, at, first, second = found
        first, second = await at.calculated(first), await at.calculated(second)
        assert {taxes(check)["futa"] for check in (await at.paychecks(second)).values()} == {"3.00"}
        await at.paid(await at.approved(first))
        refused = await at.ask(second, "approve", by=at.checker)
        [blocker] = refused.json()["blockers"]
        assert (blocker["code"], blocker["detail"]) == (
            "calculation_outdated", "Since the calculation changed: the year-to-date."
        )  # fmt: skip
        second = await at.calculated(second)
        assert {taxes(check)["futa"] for check in (await at.paychecks(second)).values()} == {"0.00"}
        await at.paid(await at.approved(second))
        await year_equals_lines(at)


async def test_a_run_approved_before_another_was_paid_goes_back(world: World) -> None:
    async with two_weeks(world, Hand("A")) as found:
        made, at, first, second = found
        first = await at.approved(await at.calculated(first))
        second = await at.approved(await at.calculated(second))
        await at.paid(first)
        assert await at.codes(second) == ["year_to_date_changed"]
        refused = await at.ask(second, "pay")
        assert (refused.status_code, refused.json()["code"]) == (409, "blocked")
        assert refused.json()["blockers"][0]["subject"] == made.workers["A"]
        second = (await at.ask(second, "reopen")).json()
        await at.paid(await at.approved(await at.calculated(second)))
        await year_equals_lines(at)


async def test_of_two_runs_one_is_paid_at_a_time(world: World) -> None:
    """Asked at the same moment, one waits; and while one's payment has begun and not ended, another cannot begin."""
    async with two_weeks(world, Hand("A")) as found:
        _, at, first, second = found
        first = await at.approved(await at.calculated(first))
        second = await at.approved(await at.calculated(second))
        answers = await asyncio.gather(at.ask(first, "pay"), at.ask(second, "pay"))
        assert sorted(answer.status_code for answer in answers) == [202, 409]
        begun, waits = (first, second) if answers[0].status_code == 202 else (second, first)
        [blocker] = next(answer for answer in answers if answer.status_code == 409).json()["blockers"]
        assert (blocker["code"], blocker["subject"]) == ("other_payment_unfinished", begun["id"])
        assert await at.codes(waits) == ["other_payment_unfinished"]
        await at.work()
        assert (await at.see(begun))["status"] == "paid"
        assert await at.codes(waits) == ["year_to_date_changed"]
