"""What a run tells: the same effects as its preview, an event and an audit row for every move, and nobody's numbers."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.factories.crew import Hand, Job, account, crew
from tests.factories.desk import Body, Desk, desk, key
from tests.world import World

from backoffice.people import commands as people

MASK = re.compile(r"prun_[0-9a-z]{26}")


async def told(at: Desk, after: int = 0) -> list[dict[str, Any]]:
    """The bodies of the run's events, in order, behind the first `after`."""
    rows = await at.rows(
        "SELECT body FROM app.event WHERE tenant_id = $1 AND object_type = 'payroll_run' "
        "ORDER BY object_id, object_sequence"
    )
    return [json.loads(row["body"]) for row in rows][after:]


def effects_of(events: list[dict[str, Any]]) -> list[Any]:
    return [effect for event in events for effect in event["data"]["effects"]]


def masked(effects: list[Any]) -> Any:
    """Without the id that a run gets anew each time it is opened."""
    return json.loads(MASK.sub("prun", json.dumps(effects)))


async def as_previewed(at: Desk, run: Body, verb: str, by: Any = None) -> list[dict[str, Any]]:
    """Preview a verb, do it, and see that it told the same effects; the events it told."""
    preview = await at.ask(run, verb, query="?dry_run=true", by=by)
    assert preview.status_code == 200, preview.text
    assert preview.headers["bo-dry-run"] == "true"
    before = len(await told(at))
    assert await at.see(run) == run  # nothing was done
    answer = await at.ask(run, verb, by=by)
    assert answer.status_code in (200, 202), answer.text
    await at.work()
    events = await told(at, before)
    assert effects_of(events) == preview.json()["effects"]
    assert events
    return events


async def test_every_command_tells_the_effects_of_its_preview(world: World) -> None:
    made = await crew(world, Hand("A"), Hand("B", bank=False))
    async with desk(world, made.tenant) as at:
        body = {"pay_schedule": "weekly", "period_begin": "2026-11-09"}
        preview = await at.maker.post("/v1/payroll_runs?dry_run=true", json=body, headers=key())
        run = await at.open()
        assert masked(effects_of(await told(at))) == masked(preview.json()["effects"])

        names = []

        async def then(verb: str, by: Any = None) -> Body:
            nonlocal run
            names.append([event["type"].split(".")[1] for event in await as_previewed(at, run, verb, by)])
            run = await at.see(run)
            return run

        await then("calculate")
        async with world.tx(made.tenant) as tx:
            await people.create_bank_account(tx, made.workers["B"], account(12_345))
        await then("calculate")
        await then("reopen")
        await then("calculate")
        await then("approve", at.checker)
        await then("reopen")
        await then("calculate")
        await then("approve", at.checker)
        await then("pay")
        assert run["status"] == "paid"
        assert names == [
            ["calculated", "blocked"], ["calculated", "ready"], ["reopened"], ["calculated", "ready"], ["approved"],
            ["reopened"], ["calculated", "ready"], ["approved"], ["paid"],
        ]  # fmt: skip
        run = await at.open("2026-11-16")
        assert [event["type"] for event in await as_previewed(at, run, "cancel")] == ["payroll_run.canceled"]


async def test_every_move_has_its_event_and_its_audit_row(world: World) -> None:
    made = await crew(world, Hand("A"))
    async with desk(world, made.tenant) as at:
        run = await at.paid(await at.approved(await at.calculated(await at.open())))
        events = await told(at)
        moves = [
            (each["type"].split(".")[1], (each["data"].get("previous") or {}).get("status"), each["object_sequence"])
            for each in events
        ]
        assert moves == [
            ("created", None, 1),
            ("calculated", "calculating", 2),
            ("ready", "calculating", 3),
            ("approved", "ready", 4),
            ("paid", "paying", 5),
        ]
        for event in events:
            assert event["data"]["object"]["id"] == run["id"]
            assert event["data"]["object"]["object"] == "payroll_run"
            assert event["data"]["effects"]
            assert event["livemode"] is False
            for effect in event["data"]["effects"]:
                assert effect["message"].endswith(".")
        assert events[-1]["data"]["object"] == run
        people_ = {each["name"]: each["id"] for each in await people_of(at)}
        actors = {event["type"].split(".")[1]: event["actor"]["id"] for event in events}
        assert actors["approved"] == people_["Theo Lindqvist"] == run["approved_by"]
        assert actors["paid"] == actors["calculated"] == people_["Marisol Vega"] == run["created_by"]

        audit = await at.rows(
            "SELECT action, object_version, changed FROM app.audit_event WHERE tenant_id = $1 "
            "AND object_type = 'payroll_run' AND action LIKE 'payroll_run.%' ORDER BY object_version"
        )
        assert [(row["action"], row["object_version"], row["changed"].get("status")) for row in audit] == [
            ("payroll_run.created", 1, None),
            ("payroll_run.calculate", 2, "calculating"),
            ("payroll_run.finish_calculation", 3, "ready"),
            ("payroll_run.approve", 4, "approved"),
            ("payroll_run.pay", 5, "paying"),
            ("payroll_run.finish_payment", 6, "paid"),
        ]
        assert run["version"] == 6


async def people_of(at: Desk) -> list[Body]:
    keys = at.tenant.keys
    async with at.world.client(keys["dana-whitfield"]) as admin:
        found: list[Body] = (await admin.get("/v1/people")).json()["data"]
        return found


async def test_nobodys_numbers_are_told_or_kept(world: World) -> None:
    """SSNs and account numbers stand in no event, job, step, audit row, paycheck or document row, though the bank file
    that was made has them. (Log lines are looked at where real processes write them: test_payday_kills.)"""
    made = await crew(world, Hand("A", jobs=[Job(state="CA")]), Hand("B", bank=False))
    async with desk(world, made.tenant) as at:
        run = await at.calculated(await at.open(), "blocked")
        async with world.tx(made.tenant) as tx:
            await people.create_bank_account(tx, made.workers["B"], account(70_102))
        run = await at.paid(await at.approved(await at.calculated(run)))
        [document] = await at.every("/v1/documents?kind=bank_file")
        file = (await at.download(document)).decode()
        numbers = ("0000070101", "0000070102")
        assert all(number in file for number in numbers)
        ssns = [f"9{serial:02d}{sign}10{sign}{4000 + serial}" for serial in (1, 2) for sign in ("-", "")]
        for table in (
            "event", "job", "job_step", "audit_event", "paycheck", "paycheck_line", "payroll_run", "year_to_date",
            "payment", "document", "document_link", "idempotency", "ledger_transaction", "ledger_entry",
            "object_sequence",
        ):  # fmt: skip
            rows = await at.rows(f"SELECT to_jsonb(t)::text AS text FROM app.{table} t WHERE tenant_id = $1")
            assert rows, table
            for row in rows:
                for secret in (*numbers, *ssns):
                    assert secret not in row["text"], (table, row["text"])
