"""Deductions and orders on wages, from the worker's records to paycheck, ledger, derivation and pay stub."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from tests.factories.crew import WEEK, Hand, Job, crew
from tests.factories.desk import Body, Desk, amounts, desk, etag, key
from tests.payroll.test_run_year import MONDAY_AFTER
from tests.payroll.test_stub import words
from tests.world import World

from backoffice.payroll import commands
from backoffice.payroll.calc import Tables

NEXT = WEEK + timedelta(weeks=1)
THIRD = date(2026, 11, 23)


def usd(amount: str) -> Body:
    return {"amount": amount, "currency": "USD"}


async def added(at: Desk, worker: str, what: str, **body: Any) -> Body:
    answer = await at.maker.post(f"/v1/workers/{worker}/{what}", json=body, headers=key())
    assert answer.status_code == 201, answer.text
    told: Body = answer.json()
    return told


async def deduct(at: Desk, worker: str, code: str, **more: Any) -> Body:
    return await added(at, worker, "deductions", code=code, effective_from="2026-01-01", **more)


async def order(at: Desk, worker: str, kind: str, **more: Any) -> Body:
    told = {"case_number": "TX-0001-88", "served_on": "2026-01-05", **more}
    return await added(at, worker, "withholding_orders", kind=kind, **told)


def taken(check: Body) -> dict[str, str]:
    """What lies between gross and net; of taxes those that are owed."""
    owed = [line for line in check["lines"] if line["kind"] == "employee_tax" and line["amount"]["amount"] != "0.00"]
    others = [line for line in check["lines"] if line["kind"] in ("deduction", "garnishment")]
    return {line["code"]: line["amount"]["amount"] for line in [*owed, *others]}


def noted(check: Body) -> set[str]:
    return {note["code"] for note in check["notes"]}


async def balances(at: Desk, prefix: str) -> dict[str, str]:
    told = await at.rows(
        "SELECT a.code, sum(e.amount_minor)::bigint AS cents FROM app.ledger_entry e JOIN app.ledger_account a "
        "ON a.tenant_id = e.tenant_id AND a.id = e.account_id WHERE e.tenant_id = $1 GROUP BY a.code"
    )
    return {row["code"]: f"{-row['cents'] / 100:.2f}" for row in told if row["code"].startswith(prefix)}


async def paid(at: Desk, run: Body) -> Body:
    return await at.paid(await at.approved(await at.calculated(run)))


async def test_from_the_records_to_the_ledger_and_the_stub(world: World) -> None:
    """800.00 in Texas, single. Section 125 (50.00) lowers every wage, 401(k) (5 % is 40.00) the income tax's alone:
    social security 6.2 % of 750.00 is 46.50, Medicare 10.88; (710 x 52 - 8,600 - 19,900) x 12 % + 1,240 is 2,250.40 a
    year, 43.28 a week. Disposable are 800.00 - 100.66 = 699.34: support takes 60.00, and of the 150.00 for a student
    loan 15 %, 104.90. An advance of 150.00 is repaid by 100.00, then by what is left."""
    made = await crew(world, Hand("A"), Hand("B"), at=MONDAY_AFTER)
    await made.work("A", NEXT, ["8"] * 5)
    worker = made.workers["A"]
    async with desk(world, made.tenant) as at:
        medical = await deduct(at, worker, "section_125_medical_dental_vision", amount=usd("50.00"))
        await deduct(at, worker, "pretax_401k_403b_457b", percent="0.05")
        advance = await deduct(at, worker, "advance_repayment", amount=usd("100.00"), total_goal=usd("150.00"))
        await deduct(at, worker, "charity", amount=usd("5.00"))
        await deduct(at, worker, "charity", amount=usd("7.00"), effective_until="2026-11-19")  # ended before payday
        support = await order(at, worker, "support", amount=usd("60.00"))
        await order(at, worker, "student_loan", amount=usd("150.00"), served_on="2026-02-02")

        canceled = await at.calculated(await at.open(pay_date="2026-11-25"))
        assert (await at.ask(canceled, "cancel")).status_code == 200
        run = await at.open(pay_date="2026-11-25")
        preview = await at.ask(run, "calculate", query="?dry_run=true")
        assert preview.status_code == 200, preview.text
        [before] = [each["after"] for each in preview.json()["effects"] if each["kind"] == "payroll_calculated"]
        assert (before["deductions"], before["garnishments"]) == (usd("195.00"), usd("164.90"))
        run = await paid(at, run)
        check = (await at.paychecks(run))[worker]
        other = (await at.paychecks(run))[made.workers["B"]]
        assert taken(check) == {
            "section_125_medical_dental_vision": "50.00",
            "pretax_401k_403b_457b": "40.00",
            "federal_income_tax": "43.28",
            "social_security": "46.50",
            "medicare": "10.88",
            "support": "60.00",
            "student_loan": "104.90",
            "advance_repayment": "100.00",
            "charity": "5.00",
        }
        told = {name: check[name]["amount"] for name in ("employee_taxes", "deductions", "garnishments", "net")}
        assert told == {
            "employee_taxes": "100.66", "deductions": "195.00", "garnishments": "164.90", "net": "339.44"
        }  # fmt: skip
        assert (other["deductions"], other["garnishments"]) == (usd("0.00"), usd("0.00"))
        assert (amounts(run)["deductions"], amounts(run)["garnishments"]) == ("195.00", "164.90")
        records = {line["code"]: line["deduction_id"] or line["withholding_order_id"] for line in check["lines"]}
        assert records["section_125_medical_dental_vision"] == medical["id"]
        assert (records["advance_repayment"], records["support"]) == (advance["id"], support["id"])
        assert records["federal_income_tax"] is None
        assert "garnishment_limited" in noted(check)
        [payment] = await at.every(f"/v1/payments?paycheck_id={check['id']}")
        assert payment["amount"] == check["net"]
        assert await balances(at, "liabilities.deductions.") == {
            "liabilities.deductions.section_125_medical_dental_vision": "50.00",
            "liabilities.deductions.pretax_401k_403b_457b": "40.00",
            "liabilities.deductions.advance_repayment": "100.00",
            "liabilities.deductions.charity": "5.00",
        }
        assert await balances(at, "liabilities.orders.") == {
            "liabilities.orders.support": "60.00",
            "liabilities.orders.student_loan": "104.90",
        }

        async with world.tx(made.tenant) as tx:  # the net came back: what was withheld stays withheld
            await commands.return_payment(tx, payment["id"], "R01")
        repaid = f"/v1/deductions/{advance['id']}/withheld"
        assert await at.get(repaid) == {
            "id": advance["id"], "object": "deduction_withheld", "livemode": False, "paychecks": 1,
            "last_pay_date": "2026-11-25", "in_all": usd("100.00"), "this_year": usd("100.00"), "left": usd("50.00"),
        }  # fmt: skip
        waiting = await at.calculated(await at.open(NEXT))
        assert (await at.get(repaid))["left"] == usd("50.00")  # what is not paid does not count
        second = await at.paid(await at.approved(waiting))
        assert [(await at.get(repaid))[name] for name in ("paychecks", "left")] == [2, usd("0.00")]
        assert (await at.get(f"/v1/deductions/{medical['id']}/withheld"))["left"] is None
        satisfied = await at.get(f"/v1/withholding_orders/{support['id']}/withheld")
        assert (satisfied["in_all"], "left" in satisfied) == (usd("120.00"), False)
        last = (await at.paychecks(second))[worker]
        assert (taken(last)["advance_repayment"], last["net"]) == ("50.00", usd("389.44"))
        assert taken(last)["social_security"] == "46.50"
        year = await at.rows(
            "SELECT code, wages_minor, amount_minor FROM app.year_to_date y JOIN app.worker w ON w.tenant_id = "
            "y.tenant_id AND w.id = y.worker_id WHERE y.tenant_id = $1 AND w.external_id = 'A'"
        )
        wages = {row["code"]: row["wages_minor"] for row in year}
        assert {code: wages[code] for code in ("federal_income_tax", "social_security", "futa", "sui")} == {
            "federal_income_tax": 142_000, "social_security": 150_000, "futa": 150_000, "sui": 150_000
        }  # fmt: skip
        withheld = {row["code"]: row["amount_minor"] for row in year}
        assert (withheld["pretax_401k_403b_457b"], withheld["student_loan"]) == (8_000, 20_980)
        await as_derived(at, check, last)
        [document] = await at.every(f"/v1/documents?kind=pay_stub&subject={last['id']}")
        page = words(await at.download(document))
        for printed in (
            "Deductions before taxes Kind This period Year to date",
            "Health insurance (section 125) 50.00 100.00 401(k) deferral 40.00 80.00 Total before taxes 90.00 180.00",
            "Deductions after taxes Kind This period Year to date Child or spousal support order 60.00 120.00",
            "Student loan order 104.90 209.80 Repayment of an advance 50.00 150.00 Charity 5.00 10.00",
            "Total after taxes 219.90 489.80",
            "This period 800.00 100.66 309.90 389.44",
            "Year to date 1,600.00 201.32 669.80 728.88",
        ):
            assert printed in page
        assert "TX-0001-88" not in page


async def as_derived(at: Desk, check: Body, last: Body) -> None:
    """Each amount has its derivation, and the smaller instalment explains the larger net."""
    told = await at.get(f"/v1/paychecks/{last['id']}/derivation?compare_to={check['id']}")
    derived = {line["code"]: line["amount"] for line in told["lines"]}
    assert {code: derived[code] for code in taken(last)} == taken(last)
    found = told["comparison"]
    assert found["difference"]["amount"] == "50.00"
    assert [(line["code"], line["effect_on_net"]) for line in found["lines"]] == [("advance_repayment", "50.00")]
    [change] = found["lines"][0]["changes"]
    assert (change["name"], change["before"], change["after"]) == ("goal_left", "150.00", "50.00")


async def test_an_advance_that_is_repaid_is_no_line_and_one_more_is_taken_after_it(world: World) -> None:
    """Two advances of one code: the older is taken first, and each line says whose it is."""
    made = await crew(world, Hand("A"))
    worker = made.workers["A"]
    async with desk(world, made.tenant) as at:
        first = await deduct(at, worker, "advance_repayment", amount=usd("30.00"), total_goal=usd("30.00"))
        second = await deduct(at, worker, "advance_repayment", amount=usd("80.00"), yearly_goal=usd("100.00"))
        check = (await at.paychecks(await paid(at, await at.open())))[worker]
        lines = [(line["deduction_id"], line["amount"]["amount"]) for line in check["lines"] if line["deduction_id"]]
        assert lines == [(first["id"], "30.00"), (second["id"], "80.00")]
        assert await balances(at, "liabilities.deductions.") == {"liabilities.deductions.advance_repayment": "110.00"}
        told = (await at.get(f"/v1/paychecks/{check['id']}/derivation"))["lines"]
        assert [line["amount"] for line in told if line["code"] == "advance_repayment"] == ["110.00"]
        await made.work("A", NEXT, ["8"] * 5)
        await made.move_clock(MONDAY_AFTER)
        run = await at.calculated(await at.open(NEXT))
        check = (await at.paychecks(run))[worker]
        lines = [(line["deduction_id"], line["amount"]["amount"]) for line in check["lines"] if line["deduction_id"]]
        assert lines == [(second["id"], "20.00")]
        ended = await at.maker.patch(
            f"/v1/deductions/{second['id']}", json={"effective_until": "2026-11-20"}, headers=etag(second)
        )
        assert ended.status_code == 200, ended.text
        [outdated] = [each for each in await at.blockers(run) if each["code"] == "calculation_outdated"]
        assert "a deduction" in outdated["detail"]


async def test_limits_count_what_the_year_brought_and_rise_with_age(world: World) -> None:
    """402(g): 24,500.00 in 2026, of which 24,480.00 are used; 11,250.00 more for who turns 61. Commuter: 340.00 a month
    in all of its paychecks."""
    made = await crew(world, Hand("A"), Hand("B"), at=MONDAY_AFTER)
    await made.work("A", NEXT, ["8"] * 5)
    before = {"year": 2026, "elective_deferrals": usd("24480.00")}
    async with desk(world, made.tenant) as at:
        for name, worker in made.workers.items():
            await added(at, worker, "opening_balances", **before)
            await deduct(at, worker, "pretax_401k_403b_457b", amount=usd("60.00"))
            await deduct(at, worker, "commuter_132f", amount=usd("200.00"))
            if name == "B":
                there = await at.get(f"/v1/workers/{worker}")
                born = {"birth_date": "1965-04-05"}
                assert (
                    await at.maker.patch(f"/v1/workers/{worker}", json=born, headers=etag(there))
                ).status_code == 200
        run = await paid(at, await at.open(pay_date="2026-11-23"))
        checks = await at.paychecks(run)
        young, old = checks[made.workers["A"]], checks[made.workers["B"]]
        assert (taken(young)["pretax_401k_403b_457b"], taken(young)["commuter_132f"]) == ("20.00", "200.00")
        assert {"deduction_cut_to_limit", "birth_date_not_given"} <= noted(young)
        assert taken(old)["pretax_401k_403b_457b"] == "60.00"
        assert not {"deduction_cut_to_limit", "birth_date_not_given", "deduction_to_date_not_known"} & noted(old)
        stored = await at.rows("SELECT inputs::text AS inputs FROM app.paycheck WHERE tenant_id = $1")
        assert not any("1965" in row["inputs"] for row in stored)
        run = await at.calculated(await at.open(NEXT, pay_date="2026-11-30"))
        check = (await at.paychecks(run))[made.workers["A"]]
        assert (taken(check)["pretax_401k_403b_457b"], taken(check)["commuter_132f"]) == ("0.00", "140.00")


async def test_what_cannot_be_taken_rightly_stands_against_the_run(world: World) -> None:
    made = await crew(world, Hand("A"), Hand("B"), Hand("C", jobs=[Job(hours=["8"])]))
    async with desk(world, made.tenant) as at:
        await order(at, made.workers["A"], "support", amount=usd("10.00"), served_on="2026-03-02")
        await order(at, made.workers["A"], "federal_levy", served_on="2026-02-02")
        await deduct(at, made.workers["B"], "charity", amount=usd("900.00"))
        await deduct(at, made.workers["C"], "uniforms_and_tools", amount=usd("150.00"))
        run = await at.calculated(await at.open(), status="blocked")
        found = {each["subject"]: each for each in await at.blockers(run) if each["severity"] == "blocking"}
        levy, nothing_left = found[made.workers["A"]], found[made.workers["B"]]
        assert levy["code"] == "levy_before_support"
        assert levy["fix"]["api"] == f"GET /v1/workers/{made.workers['A']}/withholding_orders"
        assert (nothing_left["code"], "deductions and withholding orders" in nothing_left["detail"]) == (
            "net_not_positive", True
        )  # fmt: skip
        [warning] = [each for each in await at.blockers(run) if each["subject"] == made.workers["C"]]
        assert (warning["code"], warning["severity"]) == ("deduction_cut_to_pay", "warning")
        check = (await at.paychecks(run))[made.workers["C"]]
    assert taken(check)["uniforms_and_tools"] == "102.00"  # 160.00 less 8 hours at 7.25
    assert "deduction_cut_to_pay" in noted(check)


async def test_an_order_without_the_law_of_its_year_is_a_blocker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        await order(at, made.workers["A"], "support", amount=usd("10.00"))
        monkeypatch.delitem(Tables.load().garnishments, 2026)
        run = await at.calculated(await at.open(), status="blocked")
        assert await at.codes(run) == ["withholding_orders_not_supported"]
