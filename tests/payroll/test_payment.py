"""What a payment does: ledger, bank file, stubs; and what it leaves when it is broken off."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from typing import Any

import pypdf
import pytest
from tests.factories.crew import Hand, Job, account, crew
from tests.factories.desk import Body, Desk, desk, key
from tests.factories.payday import payday
from tests.payroll import nacha_reader
from tests.world import World

from backoffice.documents import jobs as documents
from backoffice.documents.schemas import Stored
from backoffice.kernel.errors import StateConflict
from backoffice.payroll import commands
from backoffice.people import commands as people
from backoffice.people.schemas import UpdateWorker


def cents(body: Body) -> int:
    return int(body["amount"].replace(".", ""))


async def balances(at: Desk) -> dict[str, int]:
    """The trial balance by account code, debits positive; asserted to be balanced."""
    told = await at.get("/v1/trial_balance")
    [total] = told["totals"]
    assert total["debits"] == total["credits"]
    found = {line["code"]: cents(line["balance"]) for line in told["data"]}
    assert sum(found.values()) == 0
    return found


# ----------------------------------------------------------------------------------------------------------- ledger


async def test_the_ledger_holds_what_the_run_says(world: World) -> None:
    day = await payday(world, workers=25)
    async with desk(world, day.tenant) as at:
        run = await at.paid(await at.approved(await at.calculated(await at.open())))
        checks = await at.paychecks(run)
        found = await balances(at)
        owed: dict[str, int] = defaultdict(int)
        kinds: dict[str, int] = defaultdict(int)
        for check in checks.values():
            for line in check["lines"]:
                kinds[line["kind"]] += cents(line["amount"])
                if line["kind"] != "earning":
                    tax = line["code"].removeprefix("employer_").lower()
                    owed[f"liabilities.tax.{line['jurisdiction'].lower()}.{tax}"] += cents(line["amount"])
        liabilities = {code: -amount for code, amount in found.items() if code.startswith("liabilities.tax.")}
        assert liabilities == owed
        assert sum(owed.values()) == kinds["employee_tax"] + kinds["employer_tax"]
        net = sum(cents(check["net"]) for check in checks.values())
        cost = kinds["earning"] + kinds["employer_tax"]
        assert found["assets.payroll_cash"] == -net
        assert found["liabilities.wages_payable"] == 0
        assert not [code for code in found if code.startswith(("liabilities.deductions.", "liabilities.orders."))]
        assert found["expenses.wages"] == kinds["earning"]
        assert found["expenses.employer_taxes"] == kinds["employer_tax"]
        assert (found["assets.client_receivable"], found["revenue.payroll_recovery"]) == (cost, -cost)
        sources = Counter(each["source"] for each in await at.every("/v1/ledger_transactions"))
        assert sources == Counter([run["id"], *(check["id"] for check in checks.values())])

        told = await at.get(f"/v1/payroll_runs/{run['id']}/tax_liabilities")
        assert {each["account"]: cents(each["total"]) for each in told["data"]} == owed
        assert cents(told["total"]) == sum(owed.values())
        for each in told["data"]:
            assert cents(each["employee"]) + cents(each["employer"]) == cents(each["total"])
        social = next(each for each in told["data"] if each["code"] == "social_security")
        assert social["jurisdiction"] == "US"
        assert abs(cents(social["employee"]) - cents(social["employer"])) <= len(checks)
        states = {each["jurisdiction"] for each in told["data"]}
        assert {"US", "CA", "NY"} <= states


# -------------------------------------------------------------------------------------------------------- bank file


async def test_the_bank_file_read_back_is_net_pay_ledger_and_controls(world: World) -> None:
    day = await payday(world, workers=25)
    async with desk(world, day.tenant) as at:
        run = await at.paid(await at.approved(await at.calculated(await at.open())))
        checks = await at.paychecks(run)
        [document] = await at.every(f"/v1/documents?kind=bank_file&subject={run['id']}")
        assert (document["status"], document["media_type"]) == ("available", "text/plain")
        file = nacha_reader.read((await at.download(document)).decode("ascii"))
        workers = {each["id"]: each for each in await at.every("/v1/workers")}
        rows = await at.rows("SELECT worker_id, trace_number, amount_minor FROM app.payment WHERE tenant_id = $1")
        kinds = {}
        for id_ in checks:
            [bank] = await at.every(f"/v1/workers/{id_}/bank_accounts")
            kinds[id_] = bank
        [batch] = file.batches
        assert (batch.service_class, batch.sec, batch.effective) == (220, "PPD", date(2026, 11, 20))
        assert batch.description.startswith("PAYROLL")
        assert (file.modifier, file.created) == ("A", datetime(2026, 11, 16, 9, tzinfo=UTC))  # nine in New York
        by_number = {f"W{workers[id_]['number']:06d}": id_ for id_ in checks}
        assert [entry.individual_id.strip() for entry in batch.entries] == sorted(by_number)
        for entry in batch.entries:
            id_ = by_number[entry.individual_id.strip()]
            assert entry.amount == cents(checks[id_]["net"])
            assert entry.account.strip().endswith(kinds[id_]["account_last4"])
            assert entry.routing == kinds[id_]["routing_number"]
            assert entry.code == (32 if kinds[id_]["kind"] == "savings" else 22)
        assert {entry.trace: entry.amount for entry in batch.entries} == {
            row["trace_number"]: row["amount_minor"] for row in rows
        }
        assert batch.credit == cents(run["totals"]["net"]) == -(await balances(at))["assets.payroll_cash"]
        job = await at.rows("SELECT result FROM app.job WHERE tenant_id = $1 AND kind = 'payroll.pay'")
        assert job[0]["result"] == {"status": "paid", "paychecks": len(checks), "bank_file": document["id"]}


async def test_two_files_of_one_day_are_told_apart(world: World) -> None:
    made = await crew(world, Hand("A"), at=datetime(2026, 11, 23, 14, tzinfo=UTC))
    await made.work("A", date(2026, 11, 16), ["8"])
    async with desk(world, made.tenant) as at:
        modifiers = []
        for week, more in (("2026-11-09", {"pay_date": "2026-11-25"}), ("2026-11-16", {})):
            run = await at.paid(await at.approved(await at.calculated(await at.open(week, **more))))
            [document] = await at.every(f"/v1/documents?kind=bank_file&subject={run['id']}")
            modifiers.append(nacha_reader.read((await at.download(document)).decode()).modifier)
        assert modifiers == ["A", "B"]


# ------------------------------------------------------------------------------------------------------------ stubs


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def words(text: str) -> str:
    return " ".join(text.split())


async def test_the_stub_holds_the_nine_items_of_california_and_the_rate_and_hours_of_each_assignment(
    world: World,
) -> None:
    jobs = [
        Job(rate="20.00", state="CA", hours=["8", "8", "8", "4"]),
        Job(rate="26.50", state="CA", hours=["0", "0", "0", "4", "8", "8"]),
    ]
    made = await crew(world, Hand("A", jobs=jobs, last_name="Łódź-Conceição"))
    async with desk(world, made.tenant) as at:
        run = await at.paid(await at.approved(await at.calculated(await at.open())))
        [check] = (await at.paychecks(run)).values()
        [document] = await at.every(f"/v1/documents?kind=pay_stub&subject={check['id']}")
        worker = await at.get(f"/v1/workers/{made.workers['A']}")
        told = words(text_of(await at.download(document)))
    straight = 28 * 2000 + 20 * 2650
    premium = (8 * straight * 2 + 48 * 2) // (48 * 2 * 2)  # eight hours at half of the weighted rate, half up
    assert cents(check["gross"]) == straight + premium
    amount = {line["code"]: line["amount"]["amount"] for line in check["lines"]}
    for item in (
        "1,180.83",  # 1 gross wages
        "48.00",  # 2 total hours
        *(amount[code] for code in ("federal_income_tax", "social_security", "medicare", "state_income_tax", "CA_SDI")),
        "CA SDI",  # 4 deductions, each named (3 is for piece work)
        check["net"]["amount"],  # 5 net wages
        "Nov 9, 2026 – Nov 15, 2026",  # 6 dates of the period
        "Sam Łódź-Conceição",  # 7 name and the last four digits of the number
        f"XXX-XX-{worker['ssn_last4']}",
        "Northwind Payroll Employer, LLC",  # 8 legal entity and its address
        "400 Sample Plaza",
        "Albany, NY 12207",
    ):
        assert item in told, (item, told)
    for rate, hours, pay in (("20.00", "28.00", "560.00"), ("26.50", "20.00", "530.00")):  # 9, of each assignment
        assert f"{hours} {rate} {pay}" in told, told
    assert told.count("Sample Plant") == 2
    assert "Nov 20, 2026" in told
    assert "0000070101"[-4:] in told
    assert "0000070101" not in told


async def test_the_stub_says_nothing_of_what_the_employer_owes(world: World) -> None:
    made = await crew(world, Hand("A", jobs=[Job(state="NY")]))
    async with desk(world, made.tenant) as at:
        run = await at.paid(await at.approved(await at.calculated(await at.open())))
        [check] = (await at.paychecks(run)).values()
        [document] = await at.every(f"/v1/documents?kind=pay_stub&subject={check['id']}")
        told = words(text_of(await at.download(document)))
    notes = {note["code"]: note["detail"] for note in check["notes"]}
    assert "NY_MCTMT" in notes.pop("programme_not_per_paycheck")
    assert "NY_MCTMT" not in told
    assert all(words(detail) in told for detail in notes.values())


async def test_the_second_stub_shows_the_year(world: World) -> None:
    made = await crew(world, Hand("A"), at=datetime(2026, 11, 23, 14, tzinfo=UTC))
    await made.work("A", date(2026, 11, 16), ["8"])
    async with desk(world, made.tenant) as at:
        first = await at.paid(await at.approved(await at.calculated(await at.open(pay_date="2026-11-25"))))
        second = await at.paid(await at.approved(await at.calculated(await at.open("2026-11-16"))))
        net = sum(cents(run["totals"]["net"]) for run in (first, second))
        [check] = (await at.paychecks(second)).values()
        [document] = await at.every(f"/v1/documents?kind=pay_stub&subject={check['id']}")
        told = words(text_of(await at.download(document)))
    taxes = check["employee_taxes"]["amount"]
    assert f"This period 160.00 {taxes} 0.00 {check['net']['amount']} Year to date 960.00" in told, told
    assert f" 0.00 {net // 100}.{net % 100:02d} Earnings" in told, told
    assert "state income tax" not in told  # a line that is zero in the period and in the year is left out
    assert "Federal income tax 0.00 54.08" in told


# -------------------------------------------------------------------------------------------------------- broken off


async def cancel_job(at: Desk, job: Body) -> Body:
    keys = at.tenant.keys
    async with at.world.client(keys["dana-whitfield"]) as admin:
        answer = await admin.post(f"/v1/jobs/{job['id']}/cancel", headers=key())
        assert answer.status_code in (200, 202), answer.text
        told: Body = answer.json()
        return told


async def retry_job(at: Desk, job: Body) -> None:
    async with at.world.client(at.tenant.keys["dana-whitfield"]) as admin:
        answer = await admin.post(f"/v1/jobs/{job['id']}/retry", json={"note": "the cause is gone"}, headers=key())
        assert answer.status_code in (200, 202), answer.text


async def run_events(at: Desk) -> list[str]:
    rows = await at.rows(
        "SELECT type FROM app.event WHERE tenant_id = $1 AND object_type = 'payroll_run' ORDER BY object_sequence"
    )
    return [row["type"] for row in rows]


async def test_a_calculation_that_is_canceled_leaves_a_draft(world: World) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open())
        job = (await at.ask(run, "calculate")).json()
        assert (await cancel_job(at, job))["status"] == "canceled"
        run = await at.see(run)
        assert (run["status"], run["paycheck_count"], run["calculated_at"]) == ("draft", 0, None)
        assert (await at.get(f"/v1/timesheets/{made.timesheets['A'][0]}"))["payroll_run_id"] is None
        told = await at.rows("SELECT body FROM app.event WHERE tenant_id = $1 AND type = 'payroll_run.reopened'")
        assert "The calculation was canceled; the run is a draft again." in told[0]["body"]
        assert (await at.calculated(run))["paycheck_count"] == 1


async def test_a_payment_that_is_canceled_before_it_begins_can_be_taken_back(world: World) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.approved(await at.calculated(await at.open()))
        job = (await at.ask(run, "pay")).json()
        await cancel_job(at, job)
        run = await at.see(run)
        assert (run["status"], run["paid_at"]) == ("approved", None)
        told = await at.rows(
            "SELECT type FROM app.event WHERE tenant_id = $1 AND type LIKE 'payroll_run.%' ORDER BY id"
        )
        assert [row["type"] for row in told][-2:] == ["payroll_run.approved", "payroll_run.payment_failed"]
        assert (await at.ask(run, "reopen", query="?dry_run=true")).status_code == 200
        await at.paid(run)


def canceling(at: Desk, monkeypatch: pytest.MonkeyPatch, command: str, job: Body) -> None:
    """After the first part of the work, while its step is not yet committed, somebody cancels the job."""
    real, done = getattr(commands, command), []

    async def then_cancel(*given: Any) -> Any:
        result = await real(*given)
        if not done:
            done.append(await cancel_job(at, job))
            assert done[0]["status"] == "running"
        return result

    monkeypatch.setattr(commands, command, then_cancel)


async def test_a_calculation_canceled_in_its_middle_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = await payday(world, workers=25)
    async with desk(world, day.tenant) as at:
        run = await at.open()
        job = (await at.ask(run, "calculate")).json()
        canceling(at, monkeypatch, "calculate_workers", job)
        await at.work()
        told = await at.get(f"/v1/jobs/{job['id']}")
        assert (told["status"], told["progress"]["done"]) == ("canceled", 0)
        run = await at.see(run)
        assert (run["status"], run["paycheck_count"]) == ("draft", 0)
        assert await at.every("/v1/paychecks") == []
        assert await at.rows("SELECT 1 FROM app.paycheck_line WHERE tenant_id = $1") == []
        assert await at.rows("SELECT 1 FROM app.timesheet WHERE tenant_id = $1 AND payroll_run_id IS NOT NULL") == []
        assert (await at.calculated(run))["paycheck_count"] == day.workers


async def test_a_payment_canceled_in_its_middle_goes_on_with_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = await payday(world, workers=25)
    async with desk(world, day.tenant) as at:
        run = await at.approved(await at.calculated(await at.open()))
        job = (await at.ask(run, "pay")).json()
        canceling(at, monkeypatch, "post_paychecks", job)
        await at.work()
        assert (await at.get(f"/v1/jobs/{job['id']}"))["status"] == "canceled"
        run = await at.see(run)
        assert run["status"] == "approved"
        payments = Counter(check["payment"] for check in (await at.paychecks(run)).values())
        assert payments == {"posted": 10, "pending": day.workers - 10}
        assert len(await at.every("/v1/ledger_transactions")) == 10
        run = await at.paid(run)
        assert len(await at.every("/v1/ledger_transactions")) == day.workers + 1
        found = await balances(at)
        assert found["liabilities.wages_payable"] == 0
        assert found["expenses.wages"] == cents(run["totals"]["gross"])
        [year] = await at.rows(
            "SELECT sum(wages_minor) AS wages FROM app.year_to_date WHERE tenant_id = $1 AND code = 'medicare'"
        )
        assert year["wages"] == cents(run["totals"]["gross"])


async def test_a_calculation_that_fails_leaves_a_draft_and_its_job_nothing_to_retry(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await crew(world, Hand("A"))

    async def refuses(*_: Any) -> int:
        raise StateConflict("Something is in the way.")

    async with desk(world, made.tenant) as at:
        run = await at.open()
        job = (await at.ask(run, "calculate")).json()
        with monkeypatch.context() as now:
            now.setattr(commands, "calculate_workers", refuses)
            await at.work()
        assert (await at.get(f"/v1/jobs/{job['id']}"))["status"] == "failed"
        run = await at.see(run)
        assert run["status"] == "draft"
        assert (await run_events(at))[-1] == "payroll_run.reopened"
        await retry_job(at, job)
        await at.work()
        told = await at.get(f"/v1/jobs/{job['id']}")
        assert (told["status"], told["problem"]["code"]) == ("failed", "work_not_wanted")
        assert await at.see(run) == run
        assert (await at.calculated(run))["paycheck_count"] == 1


@pytest.fixture
def storage_is_down(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Until it is called, no bank file can be stored."""
    real = documents.put

    async def refuses(*_: Any) -> Stored:
        raise StateConflict("The storage is full.")

    monkeypatch.setattr(documents, "put", refuses)
    return lambda: monkeypatch.setattr(documents, "put", real)


async def test_a_payment_that_has_posted_and_fails_goes_on_where_it_was_broken_off(
    world: World, storage_is_down: Any
) -> None:
    made = await crew(world, *(Hand(name) for name in "ABC"))
    async with desk(world, made.tenant) as at:
        run = await at.approved(await at.calculated(await at.open()))
        job = (await at.ask(run, "pay")).json()
        await at.work()
        failed = await at.get(f"/v1/jobs/{job['id']}")
        assert (failed["status"], failed["problem"]["detail"]) == ("failed", "The storage is full.")
        run = await at.see(run)
        assert run["status"] == "approved"
        assert {check["payment"] for check in (await at.paychecks(run)).values()} == {"posted"}
        before = await balances(at)
        assert before["liabilities.wages_payable"] == -cents(run["totals"]["net"])
        assert before["assets.payroll_cash"] == 0
        for verb in ("reopen", "cancel"):
            refused = await at.ask(run, verb)
            assert (refused.status_code, refused.json()["code"]) == (409, "payment_begun"), verb
        assert await at.codes(run) == []

        # The retried job is not the run's any more; what is to be done is to pay the run again.
        await retry_job(at, job)
        await at.work()
        told = await at.get(f"/v1/jobs/{job['id']}")
        assert (told["status"], told["problem"]["code"]) == ("failed", "work_not_wanted")
        assert (await at.see(run))["version"] == run["version"]

        # An account that is closed meanwhile stops it, and another one in its place is paid to.
        bank = (await at.every(f"/v1/workers/{made.workers['A']}/bank_accounts"))[0]
        async with world.tx(made.tenant) as tx:
            await people.close_bank_account(tx, bank["id"])
        refused = await at.ask(run, "pay")
        assert [each["code"] for each in refused.json()["blockers"]] == ["no_bank_account"]
        async with world.tx(made.tenant) as tx:
            opened = await people.create_bank_account(tx, made.workers["A"], account(777_777))
        storage_is_down()
        run = await at.paid(run)
        check = (await at.paychecks(run))[made.workers["A"]]
        assert (check["bank_account_id"], check["payment"]) == (opened.id, "sent")
        [document] = await at.every("/v1/documents?kind=bank_file")
        [batch] = nacha_reader.read((await at.download(document)).decode()).batches
        assert batch.credit == cents(run["totals"]["net"])
        assert "0000777777" in {entry.account.strip() for entry in batch.entries}
        assert (await balances(at))["liabilities.wages_payable"] == 0
        year = await at.rows(
            "SELECT sum(wages_minor) AS wages FROM app.year_to_date WHERE tenant_id = $1 AND code = 'futa'"
        )
        assert year[0]["wages"] == cents(run["totals"]["gross"])
        assert len(await at.every("/v1/ledger_transactions")) == 4


async def test_a_payment_taken_up_after_payday_settles_on_the_next_banking_day(
    world: World, storage_is_down: Any
) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.approved(await at.calculated(await at.open()))
        await at.ask(run, "pay")
        await at.work()
        await made.move_clock(datetime(2026, 11, 21, 15, tzinfo=UTC))  # a Saturday
        storage_is_down()
        run = await at.paid(await at.see(run))
        [document] = await at.every("/v1/documents?kind=bank_file")
        [batch] = nacha_reader.read((await at.download(document)).decode()).batches
        assert batch.effective == date(2026, 11, 23)
        posted = {each["source"]: each["effective_date"] for each in await at.every("/v1/ledger_transactions")}
        assert posted[run["id"]] == "2026-11-23"


async def test_an_account_closed_while_the_payment_is_queued_fails_it_with_the_list(world: World) -> None:
    made = await crew(world, Hand("A"), Hand("B"))
    async with desk(world, made.tenant) as at:
        run = await at.approved(await at.calculated(await at.open()))
        job = (await at.ask(run, "pay")).json()
        bank = (await at.every(f"/v1/workers/{made.workers['B']}/bank_accounts"))[0]
        async with world.tx(made.tenant) as tx:
            await people.close_bank_account(tx, bank["id"])
        await at.work()
        failed = await at.get(f"/v1/jobs/{job['id']}")
        assert (failed["status"], failed["problem"]["code"]) == ("failed", "blocked")
        told = [(each["code"], each["subject"]) for each in failed["problem"]["blockers"]]
        assert told == [("no_bank_account", made.workers["B"])]
        assert (await at.see(run))["status"] == "approved"
        assert {check["payment"] for check in (await at.paychecks(run)).values()} == {"pending"}


async def test_an_old_payments_job_does_nothing_to_a_newer_one(world: World) -> None:
    """The first job fails, the run is paid again, and the first is retried while the second waits."""
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.approved(await at.calculated(await at.open()))
        first = (await at.ask(run, "pay")).json()
        await cancel_job(at, first)
        run = await at.see(run)
        second = (await at.ask(run, "pay")).json()
        async with world.tx(made.tenant) as tx:  # a canceled job cannot be retried by its door; a failed one could
            await tx.connection.execute(
                "UPDATE app.job SET state = 'ready', finished_at = NULL, cancel_requested = false, run_at = now() "
                "WHERE tenant_id = $1 AND id <> (SELECT max(id::text)::uuid FROM app.job WHERE tenant_id = $1 "
                "AND kind = 'payroll.pay') AND kind = 'payroll.pay'",
                made.tenant.facts.id,
            )
        await at.work()
        assert (await at.get(f"/v1/jobs/{first['id']}"))["problem"]["code"] == "work_not_wanted"
        assert (await at.get(f"/v1/jobs/{second['id']}"))["status"] == "succeeded"
        assert (await at.see(run))["status"] == "paid"
        assert (await run_events(at))[-2:] == ["payroll_run.payment_failed", "payroll_run.paid"]


async def test_a_new_address_after_the_approval_changes_neither_amount_nor_account(world: World) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.approved(await at.calculated(await at.open()))
        async with world.tx(made.tenant) as tx:
            worker = await at.get(f"/v1/workers/{made.workers['A']}")
            await people.update_worker(tx, worker["id"], UpdateWorker(last_name="Renamed"), worker["version"])
        net = run["totals"]["net"]
        run = await at.paid(run)
        assert run["totals"]["net"] == net
        [document] = await at.every("/v1/documents?kind=bank_file")
        [batch] = nacha_reader.read((await at.download(document)).decode()).batches
        assert batch.entries[0].name.strip() == "SAM RENAMED"
