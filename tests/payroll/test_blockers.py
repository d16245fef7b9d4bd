"""Every blocker by its code: it is listed, it stops the approval, and mending it lets the run go on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests.factories.changed_law import tables_with, tables_without
from tests.factories.crew import SINGLE, WEEK, Crew, Hand, Job, account, crew, elect, northwind
from tests.factories.desk import desk
from tests.world import World

from backoffice.payroll.calc import Tables
from backoffice.people import commands as people
from backoffice.people.schemas import W4, CreateEmployment, SetOpeningBalance
from backoffice.platform.web.bodies import MoneyBody
from backoffice.staffing import commands as staffing
from backoffice.staffing.schemas import Entry, RatePatch, RejectTimesheet, UpdateAssignment, UpdateTimesheet

OLDER_HEAD = W4(version="2019_or_earlier", filing_status="head_of_household")


def withholding(extra: str) -> W4:
    """No income tax but the extra amount a period."""
    deductions = MoneyBody(amount="90000.00")
    return W4(version="2020_or_later", filing_status="single", step4b=deductions, step4c=MoneyBody(amount=extra))


OF_WORKERS = {
    "no account": ("no_bank_account", Hand("A", bank=False)),
    "never hired": ("no_employment", Hand("A", hired=None)),
    "hired within the week": ("hours_outside_employment", Hand("A", hired=date(2026, 11, 10))),
    "left within the week": ("hours_outside_employment", Hand("A", ended=date(2026, 11, 12))),
    "name": ("name_not_for_bank", Hand("A", last_name="王")),
    "city of home by another name": (
        "locality_required",
        Hand("A", jobs=[Job(state="NY")], home=("NY", "Flushing")),
    ),
    "county of home": ("locality_required", Hand("A", jobs=[Job(state="IN", city="Gary")], home=("IN", "Gary"))),
    "county of work": ("locality_required", Hand("A", jobs=[Job(state="IN", city="Gary")], home=("OH", "Ada"))),
    "city we have no law of": (
        "local_tax_not_supported",
        Hand("A", jobs=[Job(state="NJ", city="Newark")], home=("NJ", "Trenton")),
    ),
    "another city's resident": (
        "local_tax_not_supported",
        Hand("A", jobs=[Job(state="OH", city="Dayton")], home=("OH", "Columbus")),
    ),
    "state of home": ("residence_state_not_supported", Hand("A", home=("CA", "Riverside"))),
    "daily overtime of a year that is not known": (
        "overtime_rule_not_supported", Hand("A", jobs=[Job(state="CA", hours=["8", "8.01"])])
    ),
    "no account in the state": ("no_state_account", Hand("A", jobs=[Job(state="WA")])),
    "state without tables": (
        "state_not_supported",
        Hand("A", jobs=[Job(state="GA", city="Macon")], home=("TX", "Austin")),
    ),
    "nothing left": ("net_not_positive", Hand("A", w4=withholding("700.00"), jobs=[Job(hours=["8", "8"])])),
}  # fmt: skip


@pytest.mark.parametrize("what", OF_WORKERS)
async def test_a_worker_who_cannot_be_paid_blocks_the_run(
    world: World, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, hand = OF_WORKERS[what]
    if what == "state without tables":
        without = tables_without("us_ga_2026")
        monkeypatch.setattr(Tables, "load", classmethod(lambda cls: without))
    if what == "daily overtime of a year that is not known":
        other = tables_with("us_overtime_2026", instead=("year = 2026", "year = 2025"))
        monkeypatch.setattr(Tables, "load", classmethod(lambda cls: other))
    made = await crew(world, hand, Hand("B"))
    async with desk(world, made.tenant) as at:
        run = await at.open()
        before = [each for each in await at.blockers(run) if each["severity"] == "blocking"]
        away = {job.state for job in hand.jobs} & {"GA", "IN", "NJ", "OH"}
        others = {"no_state_account"} if away else set()
        assert {each["code"] for each in before} - others == {code}, before
        for each in before:
            assert each["subject"] == made.workers["A"]
            assert each["detail"]
            assert each["fix"]["what"]
            assert each["fix"]["who"] in ("front_office", "provider")
            assert each["deadline"] == "2026-11-18T22:00:00Z"
        preview = (await at.ask(run, "calculate", query="?dry_run=true")).json()["effects"]
        assert [each["kind"] for each in preview[1:]] == [each["code"] for each in before]
        run = await at.calculated(run, "blocked")
        assert list(await at.paychecks(run)) == [made.workers["B"]]
        assert [each for each in await at.blockers(run) if each["severity"] == "blocking"] == before
        refused = await at.ask(run, "approve", by=at.checker)
        assert (refused.status_code, refused.json()["code"]) == (409, "blocked")
        assert refused.json()["blockers"] == before


async def test_what_blocks_an_approval_stands_in_the_refusal(world: World) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open())
        bank = (await at.every(f"/v1/workers/{made.workers['A']}/bank_accounts"))[0]
        async with world.tx(made.tenant) as tx:
            await people.close_bank_account(tx, bank["id"])
        refused = await at.ask(run, "approve", by=at.checker)
        assert (refused.status_code, refused.json()["code"]) == (409, "blocked")
        assert refused.json()["blockers"] == await at.blockers(run)
        assert await at.codes(run) == ["no_bank_account"]


async def test_a_net_of_zero_blocks_and_a_net_of_one_cent_does_not(world: World) -> None:
    """Texas, 16 hours at 20.00: 320.00 less 19.84 and 4.64 is 295.52, which the worker asks to withhold or nearly."""
    made = await crew(world, Hand("A", w4=withholding("295.52"), jobs=[Job(hours=["8", "8"])]))
    async with desk(world, made.tenant) as at:
        run = await at.open()
        found = await at.blockers(run)
        assert [each["code"] for each in found] == ["net_not_positive"]
        assert found[0]["detail"].startswith("Of 320.00 USD gross")
        assert "leave 0.00 USD net" in found[0]["detail"]
        run = await at.calculated(run, "blocked")
        assert run["paycheck_count"] == 0
        async with world.tx(made.tenant) as tx:
            await elect(tx, made.workers["A"], withholding("295.51"), since=date(2026, 11, 16))
        run = await at.calculated(run)
        assert run["totals"]["net"]["amount"] == "0.01"


async def test_a_blocked_run_lets_its_hours_go_so_that_they_can_be_corrected(world: World) -> None:
    made = await crew(world, Hand("A", hired=date(2026, 11, 10), jobs=[Job(hours=["9"])]), Hand("B"))
    sheet = made.timesheets["A"][0]
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open(), "blocked")
        async with world.tx(made.tenant) as tx:
            await staffing.reject(tx, sheet, RejectTimesheet(reason="nobody worked on Monday"))
        version = (await at.get(f"/v1/timesheets/{sheet}"))["version"]
        async with world.tx(made.tenant) as tx:
            corrected = UpdateTimesheet(entries=[Entry(date=WEEK + timedelta(days=1), hours="8")])
            await staffing.update_timesheet(tx, sheet, corrected, version)
            await staffing.submit(tx, sheet)
        await made.approve(sheet)
        assert await at.codes(run) == []
        run = await at.calculated(run)
        assert (await at.paychecks(run))[made.workers["A"]]["hours"] == "8.00"
        held = await at.maker.post(f"/v1/timesheets/{sheet}/reject", json={"reason": "late"}, headers={})
        assert (held.status_code, held.json()["code"]) == (409, "timesheet_in_payroll_run")


async def test_no_hours_is_a_blocker_of_the_run_and_waiting_ones_a_warning(world: World) -> None:
    made = await crew(world, Hand("A"), approved=False)
    async with desk(world, made.tenant) as at:
        run = await at.open()
        assert [(each["code"], each["subject"], each["severity"]) for each in await at.blockers(run)] == [
            ("no_hours", run["id"], "blocking"),
            ("timesheet_not_approved", made.timesheets["A"][0], "warning"),
        ]
        run = await at.calculated(run, "blocked")
        await made.approve(made.timesheets["A"][0])
        assert await at.blockers(run) == []
        assert (await at.calculated(run))["paycheck_count"] == 1


async def test_warnings_do_not_stop_a_run(world: World) -> None:
    made = await crew(world, Hand("A", ssn=False))
    await made.add(Hand("B"), approved=False)
    async with desk(world, made.tenant) as at:
        run = await at.open()
        assert await at.codes(run, "warning") == ["no_ssn", "timesheet_not_approved"]
        run = await at.approved(await at.calculated(run))
        assert run["paycheck_count"] == 1


# ------------------------------------------------------------------------------ between calculation and approval


async def _new_form(made: Crew, tx: Any) -> None:
    await elect(tx, made.workers["A"], withholding("5.00"), since=date(2026, 11, 16))


async def _new_rate(made: Crew, tx: Any) -> None:
    await staffing.update_assignment(tx, made.assignments["A"][0], UpdateAssignment(pay_rate=RatePatch(amount="21")), 1)


async def _new_account(made: Crew, tx: Any) -> None:
    await people.create_bank_account(tx, made.workers["A"], account(555_000))


async def _new_opening(made: Crew, tx: Any) -> None:
    amount = MoneyBody(amount="184000.00")
    opening = SetOpeningBalance(year=2026, gross=amount, social_security_wages=amount, medicare_wages=amount)
    await people.set_opening_balance(tx, made.workers["A"], opening)


CHANGES = {
    "Form W-4": _new_form,
    "the approved hours or rates": _new_rate,
    "the bank account": _new_account,
    "the year-to-date": _new_opening,
}


@pytest.mark.parametrize("words", CHANGES)
async def test_a_paycheck_that_is_no_longer_true_cannot_be_approved(world: World, words: str) -> None:
    made = await crew(world, Hand("A", jobs=[Job(hours=["8"])]), Hand("B"))
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open())
        assert await at.blockers(run) == []
        async with world.tx(made.tenant) as tx:
            await CHANGES[words](made, tx)
        refused = await at.ask(run, "approve", by=at.checker)
        assert refused.status_code == 409, refused.text
        told = [(each["code"], each["subject"], each["detail"]) for each in refused.json()["blockers"]]
        detail = f"Since the calculation changed: {words}."
        assert told == [("calculation_outdated", made.workers["A"], detail)]
        assert await at.codes(run) == ["calculation_outdated"]
        run = await at.calculated(run)
        assert (await at.approved(run))["status"] == "approved"


async def test_hours_approved_after_the_calculation_ask_for_another(world: World) -> None:
    """Of somebody in the run, and of somebody who was not."""
    made = await crew(world, Hand("A", jobs=[Job(), Job(hours=["1"])]), Hand("B"))
    await made.add(Hand("C"), approved=False)
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open())
        await made.approve(made.timesheets["C"][0])
        found = [each for each in await at.blockers(run) if each["severity"] == "blocking"]
        assert [(each["code"], each["subject"]) for each in found] == [("calculation_outdated", made.workers["C"])]
        assert (await at.ask(run, "approve", by=at.checker)).status_code == 409
        run = await at.calculated(run)
        assert run["paycheck_count"] == 3


async def test_new_tables_of_law_ask_for_another_calculation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open())
        other = tables_with("us_federal_2026", b"\n# read again\n")
        monkeypatch.setattr(Tables, "load", classmethod(lambda cls: other))
        found = await at.blockers(run)
        assert [each["detail"] for each in found] == ["Since the calculation changed: the tables of law."]


# ---------------------------------------------------------------------------------- between approval and payment


async def test_an_account_that_changes_after_the_approval_stops_the_payment(world: World) -> None:
    made = await crew(world, Hand("A"), Hand("B"), Hand("C"))
    async with desk(world, made.tenant) as at:
        run = await at.approved(await at.calculated(await at.open()))
        bank = (await at.every(f"/v1/workers/{made.workers['A']}/bank_accounts"))[0]
        async with world.tx(made.tenant) as tx:
            await people.close_bank_account(tx, bank["id"])
            await people.create_bank_account(tx, made.workers["B"], account(555_001))
            await elect(tx, made.workers["C"], SINGLE, since=date(2026, 11, 16))  # what was approved stays approved
        refused = await at.ask(run, "pay")
        assert (refused.status_code, refused.json()["code"]) == (409, "blocked")
        told = {each["subject"]: each["code"] for each in refused.json()["blockers"]}
        assert told == {made.workers["A"]: "no_bank_account", made.workers["B"]: "bank_account_changed"}
        assert (await at.ask(run, "pay", query="?dry_run=true")).status_code == 409
        assert (await at.see(run))["status"] == "approved"
        run = (await at.ask(run, "reopen")).json()
        async with world.tx(made.tenant) as tx:
            await people.create_bank_account(tx, made.workers["A"], account(555_002))
        await at.paid(await at.approved(await at.calculated(run)))


async def test_a_payday_that_has_passed_stops_everything_but_a_new_run(world: World) -> None:
    made = await crew(world, Hand("A"), at=datetime(2026, 11, 19, 14, tzinfo=UTC))
    async with desk(world, made.tenant) as at:
        run = await at.approved(await at.calculated(await at.open()))
        assert await at.codes(run, "warning") == ["bank_deadline_passed"]
        await made.move_clock(datetime(2026, 11, 21, 5, 0, 1, tzinfo=UTC))  # one second after midnight in New York
        assert await at.codes(run) == ["payday_past"]
        refused = await at.ask(run, "pay")
        assert [each["code"] for each in refused.json()["blockers"]] == ["payday_past"]
        assert (await at.ask(run, "cancel")).status_code == 200
        late = await at.open(pay_date="2026-11-25")
        await at.paid(await at.approved(await at.calculated(late)))


# ------------------------------------------------------------------------------------------------- two schedules


async def test_a_run_pays_those_on_its_schedule_and_nobody_else(world: World) -> None:
    made = await crew(world, Hand("A"), Hand("B", schedule="biweekly"), file=northwind(biweekly=True))
    async with desk(world, made.tenant) as at:
        weekly = await at.calculated(await at.open())
        assert list(await at.paychecks(weekly)) == [made.workers["A"]]
        biweekly = await at.calculated(await at.open(pay_schedule="biweekly"))
        assert (biweekly["period_begin"], biweekly["period_end"]) == ("2026-11-09", "2026-11-22")
        assert list(await at.paychecks(biweekly)) == [made.workers["B"]]


async def test_a_waiting_timesheet_of_another_schedule_is_no_warning(world: World) -> None:
    made = await crew(world, Hand("A"), file=northwind(biweekly=True))
    await made.add(Hand("B", schedule="biweekly"), approved=False)
    async with desk(world, made.tenant) as at:
        assert await at.blockers(await at.open()) == []


async def test_somebody_who_left_gets_a_last_paycheck_and_who_came_back_is_paid_for_both(world: World) -> None:
    made = await crew(
        world,
        Hand("gone", ended=date(2026, 11, 13)),
        Hand("back", ended=date(2026, 11, 10), jobs=[Job(hours=["8", "8", "0", "0", "8"])]),
    )
    async with desk(world, made.tenant) as at:
        run = await at.open()
        assert await at.codes(run) == ["hours_outside_employment"]
        async with world.tx(made.tenant) as tx:
            again = CreateEmployment(hired_on=date(2026, 11, 12), pay_schedule="weekly")
            await people.hire(tx, made.workers["back"], again)
        run = await at.calculated(run)
        checks = await at.paychecks(run)
        assert {name: checks[id_]["hours"] for name, id_ in made.workers.items()} == {"gone": "40.00", "back": "24.00"}
