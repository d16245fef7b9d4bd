"""A run with work and homes in several places: what is withheld where, told by the batch door of the same facts."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
from tests.factories.crew import Hand, Job, crew, dollars, northwind
from tests.factories.desk import desk, etag
from tests.payroll.test_payment import balances, text_of, words
from tests.payroll.test_withholding_runs import deduct
from tests.world import World

from backoffice.payroll.batch import calculate_lines
from backoffice.payroll.calc import Tables, Worked, workweek_earnings
from backoffice.payroll.where import Stay, wages_by_stay
from backoffice.people.schemas import StateCertificate

LINE = {
    "id": 1, "pay_date": "2026-11-20", "pay_frequency": "weekly", "period_begin": "2026-11-09",
    "period_end": "2026-11-15", "taxable_wages": "800.00",
    "w4": {"version": "2020_or_later", "filing_status": "single"},
}  # fmt: skip
NEW_YORK = {"work_state": "NY"}
MARRIED = StateCertificate(status="married")
# Who, what the batch door is told of the same facts, and (jurisdiction, cents) of the local tax.
HANDS: tuple[tuple[Hand, dict[str, Any], tuple[str, int] | None], ...] = (
    (
        Hand("lives in New York City", jobs=[Job(state="NY")], home=("NY", "Brooklyn")),
        {"work": [{"state": "NY"}], "residence_locality": "New York City", "residence_state": "NY"},
        ("NY-NYC", 24_31),  # 800.00 - 96.15 = 703.85; 15.06 + 4.15 % above 481.00
    ),
    (Hand("works in New York City", jobs=[Job(state="NY", city="New York")], home=("NY", "Albany")), NEW_YORK, None),
    (
        Hand("works in Yonkers", jobs=[Job(state="NY", city="Yonkers")], home=("NY", "Troy")),
        NEW_YORK,
        ("NY-YONKERS", 4_00),  # 0.5 % from 577.00 on
    ),
    (
        Hand("lives outside, its post office in", jobs=[Job(state="NY")], home=("NY", "Yonkers"), locality="none"),
        NEW_YORK,
        None,
    ),
    (
        Hand("agreement", jobs=[Job(state="IL")], home=("WI", "Madison")),
        {"work_state": "IL", "residence_state": "WI"},
        None,
    ),
    (
        Hand("two states", jobs=[Job(hours=["8", "8"]), Job(state="WA", hours=["0", "0", "8", "8", "8"])]),
        {"work": [{"state": "TX", "wages": "320.00"}, {"state": "WA", "wages": "480.00"}], "residence_state": "TX"},
        None,
    ),
    (
        Hand("lives in Kansas", jobs=[Job(state="IL")], home=("KS", "Topeka")),
        {"work_state": "IL", "residence_state": "KS"},
        None,
    ),
    (
        Hand("Kansas and its form", home=("KS", "Topeka"), certificate=MARRIED, certificate_of="KS"),
        {
            "work_state": "TX", "residence_state": "KS", "state_certificate": {"KS": {"status": "married"}},
            "deductions": [{"code": "pretax_401k_403b_457b", "percent": "0.10"}],
        },
        None,
    ),
)  # fmt: skip


async def test_a_run_pays_what_the_batch_door_computes_of_the_same_places(world: World) -> None:
    made = await crew(world, *(hand for hand, _, _ in HANDS), file=northwind(washington=True))
    async with desk(world, made.tenant) as at:
        await deduct(at, made.workers["Kansas and its form"], "pretax_401k_403b_457b", percent="0.10")
        run = await at.calculated(await at.open())
        checks = await at.paychecks(run)
        for hand, facts, local in HANDS:
            [told] = calculate_lines([(1, json.dumps(LINE | facts).encode())], Tables.load())
            check = checks[made.workers[hand.name]]
            lines = {(line["code"], line["jurisdiction"]): dollars(line["amount"]) for line in check["lines"]}
            found = [(place, cents) for (code, place), cents in lines.items() if code == "local_income_tax"]
            assert found == ([] if local is None else [local]), hand.name
            state = [cents for (code, _), cents in lines.items() if code == "state_income_tax"]
            assert sum(state) == Decimal(told["state_income_tax"]) * 100, hand.name
            elsewhere = Decimal(told["local_income_tax"]) * 100 - sum(cents for _, cents in found)
            assert dollars(check["net"]) == Decimal(told["net_pay"]) * 100 + elsewhere, hand.name
        jurisdictions = {line["jurisdiction"] for line in checks[made.workers["agreement"]]["lines"]}
        assert ("WI" in jurisdictions, "IL" in jurisdictions) == (True, True)  # income tax here, insurance there
        subject = await at.rows(
            "SELECT l.jurisdiction, l.code, l.wages_minor FROM app.paycheck_line l WHERE l.tenant_id = $1"
            " AND l.code IN ('sui', 'local_income_tax')"
        )
        told_wages = {(row["jurisdiction"], row["code"], row["wages_minor"]) for row in subject}
        assert {("TX", "sui", 320_00), ("WA", "sui", 480_00), ("NY-NYC", "local_income_tax", 800_00)} <= told_wages
        kansas = await at.rows(
            "SELECT l.amount_minor, l.wages_minor FROM app.paycheck_line l WHERE l.tenant_id = $1"
            " AND l.jurisdiction = 'KS' AND l.code = 'state_income_tax' ORDER BY l.wages_minor"
        )
        # 5.2 % of 720.00 - 352.31 - 158.00: nobody wants anything of it in Texas. Illinois wants 39.60 of 800.00, more
        # than Kansas would (23.00 + 5.58 % of 800.00 - 176.15 - 512.00).
        assert [(row["amount_minor"], row["wages_minor"]) for row in kansas] == [(11_00, 720_00), (0, 800_00)]
        city = checks[made.workers["lives in New York City"]]
        derived = await at.get(f"/v1/paychecks/{city['id']}/derivation")
        assert "NY-NYC" in {line["jurisdiction"] for line in derived["lines"]}
        await at.paid(await at.approved(run))
        assert (await balances(at))["liabilities.tax.ny-nyc.local_income_tax"] == -24_31
        [document] = await at.every(f"/v1/documents?kind=pay_stub&subject={city['id']}")
        assert "NY-NYC local income tax 24.31" in words(text_of(await at.download(document)))


async def test_a_place_is_chosen_from_the_list_of_its_state(world: World) -> None:
    made = await crew(world, Hand("A", jobs=[Job(state="IL")], home=("IN", "Gary")))
    path = f"/v1/workers/{made.workers['A']}"
    async with desk(world, made.tenant) as at:
        run = await at.open()
        assert await at.codes(run) == ["residence_state_not_supported"]  # Illinois and Indiana have no agreement

        async def patch(body: dict[str, Any]) -> httpx.Response:
            return await at.maker.patch(path, json=body, headers=etag(await at.get(path)))

        wrong = await patch({"residence_locality": "Gary"})
        [error] = wrong.json()["errors"]
        assert (error["pointer"], error["code"]) == ("#/residence_locality", "unknown_locality")
        assert "Lake County" in error["detail"]
        assert (await patch({"residence_locality": "Lake County"})).json()["residence_locality"] == "Lake County"
        moved = await patch({"address": {"state": "IL"}})  # the county stays behind
        assert [each["code"] for each in moved.json()["errors"]] == ["unknown_locality"]
        assert (await patch({"address": {"state": "IL"}, "residence_locality": None})).status_code == 200
        assert await at.codes(run) == []
        assignment = f"/v1/assignments/{made.assignments['A'][0]}"
        there = {"work_place": {"locality": "Lake County"}}
        refused = await at.maker.patch(assignment, json=there, headers=etag(await at.get(assignment)))
        assert [each["pointer"] for each in refused.json()["errors"]] == ["#/work_place/locality"]


def test_a_premium_belongs_to_the_places_of_its_week_by_their_hours() -> None:
    week = date(2026, 11, 9)
    here, there = Stay("TX", "Austin", None), Stay("WA", "Spokane", None)
    worked = [
        Worked(assignment=name, day=date(2026, 11, 9 + at), hours=Decimal(10), rate=Decimal(rate), state=stay.state)
        for at, (name, rate, stay) in enumerate([("a", "20.01", here)] * 4 + [("b", "30.00", there)])
    ]
    earned = workweek_earnings(worked, week_begins=week, law=Tables.load().overtime)
    found = wages_by_stay([earned], {"a": here, "b": there})
    premium = earned.lines[-1].cents
    assert found == {here: 800_40 + premium * 4 // 5, there: 300_00 + premium - premium * 4 // 5}
    assert sum(found.values()) == earned.gross
