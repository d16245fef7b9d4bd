"""A firm's payday told through HTTP: hours become paychecks, a bank file, liabilities and a balanced ledger."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
from tests.factories.payday import Payday, payday
from tests.world import World


def key() -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}


async def opened(http: httpx.AsyncClient) -> dict[str, Any]:
    made = await http.post(
        "/v1/payroll_runs", json={"pay_schedule": "weekly", "period_begin": "2026-11-09"}, headers=key()
    )
    assert made.status_code == 201, made.text
    run: dict[str, Any] = made.json()
    return run


async def calculated(world: World, day: Payday, http: httpx.AsyncClient, run: dict[str, Any]) -> dict[str, Any]:
    accepted = await http.post(f"/v1/payroll_runs/{run['id']}/calculate", headers=key())
    assert accepted.status_code == 202, accepted.text
    assert accepted.headers["location"] == f"/v1/jobs/{accepted.json()['id']}"
    await world.work(day.tenant)
    job = (await http.get(accepted.headers["location"])).json()
    assert job["status"] == "succeeded", job
    found: dict[str, Any] = (await http.get(f"/v1/payroll_runs/{run['id']}")).json()
    return found


async def test_a_week_becomes_paid_workers(world: World) -> None:
    day = await payday(world, workers=25)
    async with world.client(day.maker) as maker, world.client(day.checker) as checker:
        run = await opened(maker)
        assert (run["status"], run["pay_date"]) == ("draft", "2026-11-20")
        blockers = (await maker.get(f"/v1/payroll_runs/{run['id']}/blockers")).json()["data"]
        assert [each for each in blockers if each["severity"] == "blocking"] == []
        preview = await maker.post(f"/v1/payroll_runs/{run['id']}/calculate?dry_run=true")
        assert preview.status_code == 200, preview.text
        run = await calculated(world, day, maker, run)
        assert (run["status"], run["paycheck_count"]) == ("ready", day.workers)
        kinds = [each["kind"] for each in preview.json()["effects"]]
        assert kinds == ["payroll_calculated", "approval_wanted"]
        assert preview.json()["effects"][0]["after"]["net"] == run["totals"]["net"]

        etag = {"if-match": f'"v{run["version"]}"'}
        refused = await maker.post(f"/v1/payroll_runs/{run['id']}/approve", headers={**key(), **etag})
        assert (refused.status_code, refused.json()["code"]) == (403, "second_person_required")
        approved = await checker.post(f"/v1/payroll_runs/{run['id']}/approve", headers={**key(), **etag})
        assert approved.status_code == 200, approved.text
        etag = {"if-match": approved.headers["etag"]}
        paying = await maker.post(f"/v1/payroll_runs/{run['id']}/pay", headers={**key(), **etag})
        assert paying.status_code == 202, paying.text
        await world.work(day.tenant)
        run = (await maker.get(f"/v1/payroll_runs/{run['id']}")).json()
        assert run["status"] == "paid", (await maker.get(f"/v1/jobs/{paying.json()['id']}")).json()

        balance = (await maker.get("/v1/trial_balance")).json()
        by_code = {line["code"]: line["balance"]["amount"] for line in balance["data"]}
        totals = {name: value["amount"] for name, value in run["totals"].items()}
        assert by_code["assets.payroll_cash"] == f"-{totals['net']}"
        assert by_code["liabilities.wages_payable"] == "0.00"
        assert by_code["expenses.wages"] == totals["gross"]
        liabilities = (await maker.get(f"/v1/payroll_runs/{run['id']}/tax_liabilities")).json()
        for each in liabilities["data"]:
            owed = each["total"]["amount"]
            assert by_code[each["account"]] == ("0.00" if owed == "0.00" else f"-{owed}"), each
        stubs = (await maker.get("/v1/documents?kind=pay_stub&limit=100")).json()["data"]
        assert len(stubs) == day.workers


async def test_every_net_pay_has_its_derivation(world: World) -> None:
    day = await payday(world, workers=12)
    async with world.client(day.maker) as maker:
        run = await opened(maker)
        await calculated(world, day, maker, run)
        checks = (await maker.get(f"/v1/paychecks?payroll_run_id={run['id']}")).json()["data"]
        assert len(checks) == day.workers
        for check in checks:
            told = await maker.get(f"/v1/paychecks/{check['id']}/derivation")
            assert told.status_code == 200, told.text
            lines = (await maker.get(f"/v1/paychecks/{check['id']}")).json()["lines"]
            derived = {(line["code"], line.get("key")): line["amount"] for line in told.json()["lines"]}
            assert derived["net_pay", None] == check["net"]["amount"]
            for line in lines:
                if line["kind"] != "earning":
                    assert derived[line["code"], None] == line["amount"]["amount"], line
            assert all(line["citation"] for line in told.json()["lines"] if line["code"] != "net_pay")


async def test_a_worker_without_an_account_blocks_until_one_is_added(world: World) -> None:
    day = await payday(world, workers=25, bank_for_all=False)
    async with world.client(day.maker) as maker:
        run = await opened(maker)
        blockers = (await maker.get(f"/v1/payroll_runs/{run['id']}/blockers")).json()["data"]
        assert [each["code"] for each in blockers] == ["no_bank_account"]
        assert blockers[0]["deadline"] == "2026-11-18T22:00:00Z"
        run = await calculated(world, day, maker, run)
        assert (run["status"], run["paycheck_count"]) == ("blocked", day.workers - 1)
        account = {"routing_number": "990000013", "account_number": "5551234567", "kind": "checking"}
        added = await maker.post(f"/v1/workers/{blockers[0]['subject']}/bank_accounts", json=account, headers=key())
        assert added.status_code == 201, added.text
        run = await calculated(world, day, maker, run)
        assert (run["status"], run["paycheck_count"]) == ("ready", day.workers)


async def test_the_maker_cannot_approve_with_any_key(world: World) -> None:
    day = await payday(world, workers=3)
    maker = await world.key(day.tenant, "marisol-vega", scopes=frozenset({"payroll_runs:approve", "payroll_runs:read"}))
    async with world.client(day.maker) as first, world.client(maker) as second:
        run = await calculated(world, day, first, await opened(first))
        etag = {"if-match": f'"v{run["version"]}"'}
        refused = await second.post(f"/v1/payroll_runs/{run['id']}/approve", headers={**key(), **etag})
        assert (refused.status_code, refused.json()["code"]) == (403, "second_person_required")
