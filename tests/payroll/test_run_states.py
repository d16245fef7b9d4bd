"""Every move of a pay run, and every refusal, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from msgspec import structs
from tests.factories.crew import Crew, Hand, crew, northwind
from tests.factories.desk import Body, Desk, desk, etag, key
from tests.factories.payday import payday
from tests.world import World

from backoffice.accounts.tenant_file.structs import Authority
from backoffice.payroll.states import MOVES, STATES

VERBS = ("calculate", "approve", "pay", "reopen", "cancel")
NOTHING = dict.fromkeys(("gross", "employee_taxes", "employer_taxes", "deductions", "garnishments", "net"), "0.00")


async def in_state(at: Desk, status: str) -> Body:
    """A run brought to a state by the ways that lead there."""
    run = await at.open()
    if status == "draft":
        return run
    if status == "canceled":
        assert (await at.ask(run, "cancel")).status_code == 200
        return await at.see(run)
    if status == "calculating":
        assert (await at.ask(run, "calculate")).status_code == 202
        return await at.see(run)
    run = await at.calculated(run, "blocked" if status == "blocked" else "ready")
    if status in ("ready", "blocked"):
        return run
    run = await at.approved(run)
    if status == "approved":
        return run
    if status == "paying":
        assert (await at.ask(run, "pay")).status_code == 202
        return await at.see(run)
    return await at.paid(run)


@pytest.mark.parametrize("status", STATES)
async def test_every_verb_in_every_state(world: World, status: str) -> None:
    """A verb that may not leave the state is refused by name and changes nothing; one that may, moves as drawn."""
    made = await crew(world, Hand("A"), Hand("B", bank=status != "blocked"))
    async with desk(world, made.tenant) as at:
        run = await in_state(at, status)
        assert run["status"] == status
        for verb in VERBS:
            allowed = status in MOVES[verb][0]
            answer = await at.ask(run, verb, query="?dry_run=true", by=at.checker if verb == "approve" else None)
            if status == "blocked" and verb in ("approve", "pay"):  # what keeps it there is what there is to say
                assert (answer.status_code, answer.json()["code"]) == (409, "blocked"), (verb, answer.text)
                assert [each["code"] for each in answer.json()["blockers"]] == ["no_bank_account"]
            elif allowed:
                assert answer.status_code == 200, (verb, answer.text)
            else:
                assert (answer.status_code, answer.json()["code"]) == (409, "payroll_run_state"), (verb, answer.text)
                assert answer.json()["run_status"] == status
                assert f"The run is {status}" in answer.json()["detail"]
        assert await at.see(run) == run


async def test_reopen_and_cancel_leave_a_run_without_paychecks_and_hours(world: World) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.approved(await at.calculated(await at.open()))
        sheet = f"/v1/timesheets/{made.timesheets['A'][0]}"
        assert (await at.get(sheet))["payroll_run_id"] == run["id"]
        run = (await at.ask(run, "reopen")).json()
        assert (run["status"], run["approved_by"], run["calculated_at"]) == ("draft", None, None)
        assert {name: each["amount"] for name, each in run["totals"].items()} == NOTHING
        assert run["paycheck_count"] == 0
        assert await at.every(f"/v1/paychecks?payroll_run_id={run['id']}") == []
        assert (await at.get(sheet))["payroll_run_id"] is None
        run = await at.calculated(run)
        run = (await at.ask(run, "cancel")).json()
        assert (run["status"], run["paycheck_count"]) == ("canceled", 0)
        assert await at.every("/v1/paychecks") == []
        assert (await at.get(sheet))["payroll_run_id"] is None
        again = await at.open()
        assert again["id"] != run["id"]
        assert (await at.calculated(again))["paycheck_count"] == 1


async def test_opening_is_refused_with_all_faults(world: World) -> None:
    made = await crew(world)
    async with desk(world, made.tenant) as at:

        async def refused(**body: Any) -> Body:
            answer = await at.maker.post("/v1/payroll_runs", json=body, headers=key())
            assert answer.status_code in (409, 422), answer.text
            told: Body = answer.json()
            return told

        def faults(told: Body) -> set[tuple[str, str]]:
            return {(each["pointer"], each["code"]) for each in told["errors"]}

        told = await refused(pay_schedule="monthly", period_begin="2026-11-09")
        assert faults(told) == {("#/pay_schedule", "unknown_schedule")}
        told = await refused(pay_schedule="monthly", period_begin="1999-11-09", pay_date="2026-11-26")
        assert faults(told) == {
            ("#/pay_schedule", "unknown_schedule"),
            ("#/period_begin", "out_of_range"),
            ("#/pay_date", "not_a_banking_day"),
        }
        told = await refused(pay_schedule="weekly", period_begin="2026-11-10", pay_date="2026-11-14")
        assert faults(told) == {
            ("#/period_begin", "not_the_start_of_a_period"),
            ("#/pay_date", "not_a_banking_day"),
            ("#/pay_date", "before_the_period_ends"),
        }
        told = await refused(pay_schedule="weekly", period_begin="9999-12-27", pay_date="1000-01-01")
        assert faults(told) == {("#/period_begin", "out_of_range"), ("#/pay_date", "out_of_range")}
        run = await at.open(external_id="R-1")
        told = await refused(pay_schedule="weekly", period_begin="2026-11-09")
        assert (told["code"], told["payroll_run_id"]) == ("period_taken", run["id"])
        told = await refused(pay_schedule="weekly", period_begin="2026-11-16", external_id="R-1")
        assert told["code"] == "already_exists"
        assert (await at.get("/v1/payroll_runs/ext:R-1"))["id"] == run["id"]


async def test_a_default_payday_that_is_a_holiday_moves_to_the_banking_day_before(world: World) -> None:
    made = await crew(world)
    async with desk(world, made.tenant) as at:
        assert (await at.open("2026-12-14"))["pay_date"] == "2026-12-24"  # Friday is Christmas Day
        assert (await at.open("2026-12-07", pay_date="2026-12-21"))["pay_date"] == "2026-12-21"


async def test_the_maker_is_refused_with_any_key_and_the_refusal_is_audited(world: World) -> None:
    made = await crew(world, Hand("A"))
    scopes = frozenset({"payroll_runs:approve", "payroll_runs:read"})
    other_key = await world.key(made.tenant, "marisol-vega", scopes=scopes)
    async with desk(world, made.tenant) as at, world.client(other_key) as again:
        run = await at.calculated(await at.open())
        for by in (at.maker, again):
            answer = await at.ask(run, "approve", by=by)
            assert (answer.status_code, answer.json()["code"]) == (403, "second_person_required")
        noted = await at.rows("SELECT reason FROM app.audit_event WHERE tenant_id = $1 AND action = 'request.refused'")
        assert len(noted) == 2
        assert (await at.see(run))["status"] == "ready"


async def test_the_maker_does_not_pay_either_where_the_firm_wants_another(world: World) -> None:
    file = northwind()
    theo = structs.replace(file.people["theo-lindqvist"], roles=("payroll_maker", "payroll_checker"))
    wanted = Authority(second_person_for=("payroll_run.approve", "payroll_run.pay"))
    file = structs.replace(file, people={**file.people, "theo-lindqvist": theo}, authority=wanted)
    made = await crew(world, Hand("A"), file=file)
    async with desk(world, made.tenant) as at:
        run = await at.approved(await at.calculated(await at.open()))
        for query in ("", "?dry_run=true"):
            answer = await at.ask(run, "pay", query=query)
            assert (answer.status_code, answer.json()["code"]) == (403, "second_person_required")
            assert "cannot pay it" in answer.json()["detail"]
        assert (await at.see(run))["status"] == "approved"
        assert (await at.ask(run, "pay", by=at.checker)).status_code == 202


async def test_a_version_that_was_not_read_is_refused(world: World) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open())
        stale = {**run, "version": run["version"] - 1}
        for verb, by in (("approve", at.checker), ("reopen", at.maker), ("cancel", at.maker)):
            answer = await at.ask(stale, verb, by=by)
            assert (answer.status_code, answer.json()["version"]) == (412, run["version"]), verb
            bare = await by.post(f"/v1/payroll_runs/{run['id']}/{verb}", headers=key())
            assert bare.status_code == 428, verb
        run = await at.approved(run)
        assert (await at.ask({**run, "version": 1}, "pay")).status_code == 412


async def test_of_two_that_do_the_same_at_once_one_does_it(world: World) -> None:
    """Two calculations, two approvals, two payments with different keys: one each."""
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.open()
        answers = await asyncio.gather(*(at.ask(run, "calculate") for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
        await at.work()
        run = await at.see(run)
        answers = await asyncio.gather(*(at.ask(run, "approve", by=at.checker) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
        run = await at.see(run)
        answers = await asyncio.gather(*(at.ask(run, "pay") for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [202, 412, 412, 412]
        await at.work()
        assert (await at.see(run))["status"] == "paid"
        jobs = await at.rows("SELECT kind FROM app.job WHERE tenant_id = $1 ORDER BY id")
        assert [row["kind"] for row in jobs] == ["payroll.calculate", "payroll.pay", "payroll.print_stubs"]


async def test_the_same_key_gives_the_same_answer_and_one_payment(world: World) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.approved(await at.calculated(await at.open()))
        headers = etag(run)
        first = await at.maker.post(f"/v1/payroll_runs/{run['id']}/pay", headers=headers)
        again = await at.maker.post(f"/v1/payroll_runs/{run['id']}/pay", headers=headers)
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.content == again.content
        assert again.headers["idempotent-replayed"] == "true"
        await at.work()
        after = await at.maker.post(f"/v1/payroll_runs/{run['id']}/pay", headers=headers)
        assert after.content == first.content
        assert len(await at.rows("SELECT 1 FROM app.job WHERE tenant_id = $1 AND kind = 'payroll.pay'")) == 1


async def test_approving_while_it_is_calculated_anew_is_refused(world: World) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open())
        assert (await at.ask(run, "calculate")).status_code == 202
        assert (await at.ask(run, "approve", by=at.checker)).status_code == 412  # it is another version now
        now = await at.see(run)
        answer = await at.ask(now, "approve", by=at.checker)
        assert (answer.status_code, answer.json()["run_status"]) == (409, "calculating")
        await at.work()
        assert (await at.approved(await at.see(run)))["status"] == "approved"


async def test_a_run_or_paycheck_of_another_tenant_is_not_there(world: World) -> None:
    made, other = await crew(world, Hand("A")), await crew(world)
    async with desk(world, made.tenant) as at, desk(world, other.tenant) as elsewhere:
        run = await at.calculated(await at.open())
        check = (await at.every("/v1/paychecks"))[0]
        for path in (
            f"/v1/payroll_runs/{run['id']}",
            f"/v1/payroll_runs/{run['id']}/blockers",
            f"/v1/payroll_runs/{run['id']}/tax_liabilities",
            f"/v1/paychecks/{check['id']}",
            f"/v1/paychecks/{check['id']}/derivation",
        ):
            assert (await elsewhere.maker.get(path)).status_code == 404, path
        for verb in VERBS:
            assert (await elsewhere.ask(run, verb)).status_code == 404, verb
        assert await elsewhere.every("/v1/paychecks") == []
        assert (await elsewhere.maker.get(f"/v1/payroll_runs/prun_{uuid4().hex[:26]}")).status_code == 404


async def test_a_preview_covers_two_hundred_workers_and_no_more(world: World) -> None:
    day = await payday(world, workers=50, copies=4)
    async with desk(world, day.tenant) as at:
        run = await at.open()
        assert (await at.ask(run, "calculate", query="?dry_run=true")).status_code == 200
        await Crew(world, day.firm).add(Hand("one-more"))
        answer = await at.ask(run, "calculate", query="?dry_run=true")
        assert (answer.status_code, answer.json()["code"]) == (422, "preview_too_large")
        run = await at.approved(await at.calculated(run))
        assert run["paycheck_count"] == 201
        answer = await at.ask(run, "pay", query="?dry_run=true")
        assert (answer.status_code, answer.json()["code"]) == (422, "preview_too_large")
