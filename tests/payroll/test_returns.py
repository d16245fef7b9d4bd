"""A direct deposit comes back: what that does to money, what is told, and how it is sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from tests.factories.crew import Crew, Hand, account, crew
from tests.factories.desk import Body, Desk, desk, etag, key
from tests.payroll import nacha_reader
from tests.payroll.test_payment import balances, cents
from tests.world import World

from backoffice.payroll.returns import DEPOSIT_CODES, FIXED, REASONS, comes_back_at
from backoffice.people import commands as people
from backoffice.people.schemas import CreateBankAccount

CASH, OWED = "assets.payroll_cash", "liabilities.wages_payable"
SIMULATE = "/v1/test/simulations/payment_return"


# ------------------------------------------------------------------------------------------------------------- pure


def test_the_bank_sends_back_on_the_second_banking_day_after_settlement() -> None:
    for settles, back in (
        (date(2026, 11, 20), "2026-11-24T14:00:00+00:00"),  # a Friday
        (date(2026, 11, 25), "2026-11-30T14:00:00+00:00"),  # the day before Thanksgiving
        (date(2026, 7, 2), "2026-07-06T13:00:00+00:00"),  # 3 July 2026 is a banking day
    ):
        assert comes_back_at("America/New_York", settles).isoformat() == back


def test_codes_that_answer_debits_are_no_deposit_s_but_the_fixed_one() -> None:
    assert set(REASONS) == {f"R{number:02d}" for number in range(1, 30)}
    assert {code for code, reason in REASONS.items() if reason.debits} == {
        "R01", "R05", "R07", "R08", "R10", "R11", "R29"
    }  # fmt: skip
    assert set(FIXED.values()) <= set(DEPOSIT_CODES)
    assert {"R05", "R07", "R08", "R10", "R11", "R29"}.isdisjoint(DEPOSIT_CODES)


# ------------------------------------------------------------------------------------------------------- the return


@asynccontextmanager
async def paid(world: World, *hands: str) -> AsyncIterator[tuple[Crew, Desk, httpx.AsyncClient, Body]]:
    """A paid run of these workers; the desk, and the door of somebody who may play the bank."""
    made = await crew(world, *(Hand(name) for name in hands))
    async with desk(world, made.tenant) as at, world.client(made.tenant.keys["dana-whitfield"]) as admin:
        yield made, at, admin, await at.paid(await at.approved(await at.calculated(await at.open())))


async def payment_of(at: Desk, worker: str) -> Body:
    """The worker's last."""
    found: Body = (await at.get(f"/v1/payments?worker_id={worker}&sort=-created_at"))["data"][0]
    return found


async def come_back(admin: httpx.AsyncClient, payment: Body, code: str = "R02", **query: str) -> httpx.Response:
    body = {"payment_id": payment["id"], "code": code}
    return await admin.post(SIMULATE, json=body, headers=key(), params=query)


async def told(at: Desk, type_: str) -> list[Body]:
    return [each["data"] for each in (await at.get(f"/v1/events?type={type_}"))["data"]]


async def test_what_comes_back_is_cash_again_and_owed_to_the_worker(world: World) -> None:
    async with paid(world, "A", "B") as (made, at, admin, run):
        before = await balances(at)
        payment = await payment_of(at, made.workers["A"])
        assert (payment["status"], payment["attempt"], payment["settles_on"]) == ("sent", 1, "2026-11-20")
        preview = await come_back(admin, payment, dry_run="true")
        assert (preview.status_code, await payment_of(at, made.workers["A"])) == (200, payment)
        answer = await come_back(admin, payment)
        assert answer.status_code == 200, answer.text
        back = answer.json()["payment"]
        assert back == await at.get(f"/v1/payments/{payment['id']}")
        assert (back["status"], back["version"]) == ("returned", payment["version"] + 1)
        returned = back["returned"]
        assert (returned["code"], returned["reason"]) == ("R02", "the account is closed")
        assert returned["returned_on"] == "2026-11-20"  # not before it was to settle
        assert f"/v1/payments/{payment['id']}/retry" in returned["ask"]

        after, amount = await balances(at), cents(payment["amount"])
        assert {code for code in after if after[code] != before[code]} == {CASH, OWED}
        assert (after[CASH] - before[CASH], after[OWED]) == (amount, -amount)
        [posted] = [each for each in await at.every("/v1/ledger_transactions") if each["source"] == payment["id"]]
        assert (posted["effective_date"], posted["description"]) == ("2026-11-20", "Direct deposit returned (R02)")
        checks = await at.paychecks(run)
        assert {id_: check["payment"] for id_, check in checks.items()} == {
            made.workers["A"]: "returned", made.workers["B"]: "sent"
        }  # fmt: skip
        [event] = await told(at, "payment.returned")
        assert event["object"] == back
        [effect] = event["effects"]
        assert preview.json()["effects"] == [effect]
        assert effect["subject"] == made.workers["A"]
        assert effect["visible_to"] == ["front_office", "worker"]
        assert "ending in 0101, came back on 2026-11-20: the account is closed (R02)" in effect["message"]
        assert (effect["after"]["amount"], effect["ask"]) == (payment["amount"], returned["ask"])
        audited = await at.rows(
            "SELECT changed FROM app.audit_event WHERE tenant_id = $1 AND action = 'payment.return'"
        )
        assert [row["changed"] for row in audited] == [{"status": "returned", "code": "R02"}]

        again = await come_back(admin, payment)
        assert (again.status_code, again.json()["code"]) == (409, "payment_state")
        assert await balances(at) == after


@pytest.mark.parametrize("code", ["R05", "R99", "R29"])
async def test_a_code_that_no_deposit_comes_back_with_is_refused(world: World, code: str) -> None:
    tenant = (await world.firm()).test
    async with world.client(tenant.keys["dana-whitfield"]) as admin:
        wrong = await admin.post(SIMULATE, json={"code": code}, headers=key())
    assert wrong.status_code == 422
    assert [each["pointer"] for each in wrong.json()["errors"]] == ["#/payment_id", "#/code"]


# -------------------------------------------------------------------------------------------------------- sent again


async def retry(at: Desk, payment: Body, *, by: httpx.AsyncClient | None = None, query: str = "") -> httpx.Response:
    return await (by or at.checker).post(f"/v1/payments/{payment['id']}/retry{query}", headers=etag(payment))


async def test_a_closed_account_is_put_right_by_one_person_and_paid_to_by_another(world: World) -> None:
    async with paid(world, "A", "B") as (made, at, admin, run):
        worker, settled = made.workers["A"], await balances(at)
        back = (await come_back(admin, await payment_of(at, made.workers["A"]))).json()["payment"]
        refused = await retry(at, back)
        assert (refused.status_code, refused.json()["code"]) == (409, "account_not_fit")
        assert "the account ending in 0101: the account is closed" in refused.json()["detail"]

        right = account(90_333)
        body = {name: getattr(right, name) for name in ("routing_number", "account_number", "kind")}
        opened = await at.maker.post(f"/v1/workers/{worker}/bank_accounts", json=body, headers=key())
        assert opened.status_code == 201, opened.text
        stale = await at.checker.post(f"/v1/payments/{back['id']}/retry", headers={**key(), "if-match": '"v1"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict")
        his_own = await retry(at, back, by=at.maker)
        assert (his_own.status_code, his_own.json()["code"]) == (403, "second_person_required")
        preview = await retry(at, back, query="?dry_run=true")
        assert preview.status_code == 200, preview.text
        accepted = await retry(at, back)
        assert accepted.status_code == 202, accepted.text
        assert (await at.get(f"/v1/payments/{back['id']}"))["status"] == "retrying"
        twin = await retry(at, await at.get(f"/v1/payments/{back['id']}"))
        assert (twin.status_code, twin.json()["code"]) == (409, "payment_state")
        await at.work()

        old, new = await at.get(f"/v1/payments/{back['id']}"), await payment_of(at, worker)
        assert (old["status"], old["returned"]) == ("retried", back["returned"])
        assert (new["status"], new["attempt"], new["retry_of"]) == ("sent", 2, old["id"])
        assert (new["bank_account_id"], new["amount"]) == (opened.json()["id"], old["amount"])
        assert new["settles_on"] == "2026-11-17"  # the banking day after the Monday on which it was asked for
        [file] = await at.every(f"/v1/documents?kind=bank_file&subject={old['id']}")
        read = nacha_reader.read((await at.download(file)).decode("ascii"))
        assert read.modifier == "B"  # the day's second
        [entry] = read.batches[0].entries
        assert (entry.account.strip(), entry.amount) == (right.account_number, cents(old["amount"]))
        assert (entry.trace, read.batches[0].effective) == (new["trace_number"], date(2026, 11, 17))
        assert await balances(at) == settled
        check = (await at.paychecks(run))[worker]
        assert (check["payment"], check["bank_account_id"]) == ("sent", new["bank_account_id"])
        [event] = await told(at, "payment.retried")
        assert (event["object"], event["effects"]) == (new, preview.json()["effects"])


async def test_a_frozen_account_may_be_tried_again_and_may_come_back_again(world: World) -> None:
    async with paid(world, "A") as (made, at, admin, run):
        payment = await payment_of(at, made.workers["A"])
        for attempt in (1, 2):
            back = (await come_back(admin, payment, "R16")).json()["payment"]
            assert (back["attempt"], back["status"]) == (attempt, "returned")
            accepted = await retry(at, back)
            assert accepted.status_code == 202, accepted.text
            await at.work()
            payment = await payment_of(at, made.workers["A"])
        assert (payment["attempt"], payment["status"], (await balances(at))[OWED]) == (3, "sent", 0)
        files = [
            nacha_reader.read((await at.download(each)).decode()).modifier
            for each in await at.every("/v1/documents?kind=bank_file")
        ]
        assert sorted(files) == ["A", "B", "C"]
        statuses = [each["status"] for each in await at.every(f"/v1/payments?payroll_run_id={run['id']}&sort=id")]
        assert statuses == ["retried", "retried", "sent"]


async def test_a_retry_that_cannot_go_on_leaves_what_came_back(world: World) -> None:
    async with paid(world, "A") as (made, at, admin, _):
        back = (await come_back(admin, await payment_of(at, made.workers["A"]), "R16")).json()["payment"]
        owed = await balances(at)
        accepted = await retry(at, back)
        async with world.tx(made.tenant) as tx:  # while it is queued
            await people.create_bank_account(tx, made.workers["A"], account(90_444))
        await at.work()
        job = await at.get(f"/v1/jobs/{accepted.json()['id']}")
        assert (job["status"], job["problem"]["code"]) == ("failed", "account_not_fit")
        again = await payment_of(at, made.workers["A"])
        assert (again["id"], again["status"], await balances(at)) == (back["id"], "returned", owed)
        [event] = await told(at, "payment.retry_failed")
        assert event["effects"][0]["message"].startswith("The payment was not sent again: its job failed")
        await retry(at, again)
        await at.work()
        assert (await payment_of(at, made.workers["A"]))["attempt"] == 2


async def test_files_of_an_employer_are_made_one_after_another(world: World) -> None:
    made = await crew(world, Hand("A"), at=datetime(2026, 11, 23, 14, tzinfo=UTC))
    await made.work("A", date(2026, 11, 16), ["8"])
    async with desk(world, made.tenant) as at, world.client(made.tenant.keys["dana-whitfield"]) as admin:
        await at.paid(await at.approved(await at.calculated(await at.open(pay_date="2026-11-25"))))
        back = (await come_back(admin, await payment_of(at, made.workers["A"]), "R16")).json()["payment"]
        run = await at.approved(await at.calculated(await at.open("2026-11-16")))
        assert (await retry(at, back)).status_code == 202
        refused = await at.ask(run, "pay")
        assert (refused.status_code, refused.json()["code"]) == (409, "payment_under_way")
        await at.work()
        back = (await come_back(admin, await payment_of(at, made.workers["A"]), "R16")).json()["payment"]
        assert (await at.ask(run, "pay")).status_code == 202
        refused = await retry(at, back)
        assert (refused.status_code, refused.json()["code"]) == (409, "payment_under_way")
        assert run["id"] in refused.json()["detail"]
        await at.work()
        assert (await at.see(run))["status"] == "paid"


async def test_the_next_run_warns_of_an_account_that_a_deposit_came_back_from(world: World) -> None:
    made = await crew(world, Hand("A"), Hand("B"), at=datetime(2026, 11, 23, 14, tzinfo=UTC))
    for name in "AB":
        await made.work(name, date(2026, 11, 16), ["8"])
    async with desk(world, made.tenant) as at, world.client(made.tenant.keys["dana-whitfield"]) as admin:
        await at.paid(await at.approved(await at.calculated(await at.open(pay_date="2026-11-25"))))
        run = await at.calculated(await at.open("2026-11-16"))
        before = await at.codes(run, "warning")
        await come_back(admin, await payment_of(at, made.workers["A"]), "R16")  # which may be paid to again
        assert await at.codes(run, "warning") == before
        await come_back(admin, await payment_of(at, made.workers["B"]), "R02")
        [warned] = [each for each in await at.blockers(run) if each["code"] == "account_came_back"]
        assert (warned["subject"], warned["severity"]) == (made.workers["B"], "warning")
        assert warned["detail"].endswith("came back: the account is closed (R02).")
        run = await at.approved(run)
        assert "account_came_back" in await at.codes(run, "warning")
        async with world.tx(made.tenant) as tx:
            await people.create_bank_account(tx, made.workers["B"], account(90_555))
        assert "account_came_back" not in await at.codes(run, "warning")


# -------------------------------------------------------------------------------------------------- the fixed values


async def test_accounts_of_fixed_ends_come_back_when_their_bank_day_has_come(world: World) -> None:
    made = await crew(world, *(Hand(name, bank=False) for name in "ABCD"))
    ends: dict[str, Any] = {"A": ("0001", "R01"), "B": ("0002", "R02"), "C": ("0016", "R16"), "D": ("0003", None)}
    async with world.tx(made.tenant) as tx:
        for name, (end, _) in ends.items():
            told_ = CreateBankAccount(routing_number="990000013", account_number=f"88123{end}", kind="savings")
            await people.create_bank_account(tx, made.workers[name], told_)
    async with desk(world, made.tenant) as at, world.client(made.tenant.keys["dana-whitfield"]) as admin:
        await at.paid(await at.approved(await at.calculated(await at.open())))

        async def advance(to: str) -> dict[str, Any]:
            moved = await admin.post(f"/v1/test/clocks/{made.clock}/advance", json={"to": to}, headers=key())
            assert moved.status_code == 202, moved.text
            await at.work()
            found = {each["worker_id"]: each for each in await at.every("/v1/payments")}
            return {name: (found[id_]["returned"] or {}).get("code") for name, id_ in made.workers.items()}

        assert set((await advance("2026-11-24T13:59:59Z")).values()) == {None}
        assert await advance("2026-11-24T14:00:00Z") == {name: code for name, (_, code) in ends.items()}
        days = {each["object"]["returned"]["returned_on"] for each in await told(at, "payment.returned")}
        assert days == {"2026-11-24"}
        assert (await balances(at))[OWED] < 0


async def test_a_deposit_that_came_back_before_does_not_come_back_by_itself(world: World) -> None:
    made = await crew(world, Hand("A", bank=False))
    async with world.tx(made.tenant) as tx:
        await people.create_bank_account(tx, made.workers["A"], account(2))
    async with desk(world, made.tenant) as at, world.client(made.tenant.keys["dana-whitfield"]) as admin:
        await at.paid(await at.approved(await at.calculated(await at.open())))
        assert (await come_back(admin, await payment_of(at, made.workers["A"]), "R03")).status_code == 200
        to = {"to": "2026-11-25T00:00:00Z"}
        await admin.post(f"/v1/test/clocks/{made.clock}/advance", json=to, headers=key())
        await at.work()
        assert len(await told(at, "payment.returned")) == 1
        [job] = await at.rows(
            "SELECT state, result FROM app.job WHERE tenant_id = $1 AND kind = 'payroll.return_payment'"
        )
        assert (job["state"], job["result"]) == ("succeeded", {"status": "returned"})
