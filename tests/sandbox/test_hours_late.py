"""Time sheets that are not there by their deadline: by the firm's own schedule, and by a simulation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec import structs
from tests.sandbox.desk import ADMIN, MAKER, MONDAY, Desk
from tests.world import ROOT, World

from backoffice.accounts.tenant_file import load
from backoffice.accounts.tenant_file.structs import Schedule

NEXT = MONDAY + timedelta(weeks=1)


async def late(desk: Desk) -> list[tuple[str, Any]]:
    """(assignment's name, the effect's week) of each that was told as late, oldest first."""
    events = (await desk.ask(ADMIN, "GET", "/v1/events?type=assignment.hours_late&limit=100"))["data"]
    told = [each["data"] for each in reversed(events)]
    assert all(each["effects"][0]["subject"] == each["object"]["id"] for each in told)
    return [(each["object"]["external_id"], each["effects"][0]["after"]["week_start"]) for each in told]


async def test_hours_are_late_at_their_deadline_and_by_word(world: World) -> None:
    file = load(ROOT / "tenants" / "northwind-staffing")
    due = Schedule(
        rule="weekly on tuesday at 12:00", kind="staffing.check_timesheets", payload='{"pay_schedule":"weekly"}'
    )
    firm = await world.firm(file=structs.replace(file, schedules={"timesheets-due": due}))
    desk = Desk(world, firm.test)
    built = await desk.build(7)
    advance = f"/v1/test/clocks/{built['test_clock']}/advance"
    # the last week's hours were submitted, if not approved: at Tuesday's deadline nobody is late
    await desk.ask(ADMIN, "POST", advance, {"to": f"{NEXT}T14:00:00Z"})
    assert await late(desk) == []
    # of the week after, one sends hours and one a draft
    for name, submits in (("01", True), ("02", False)):
        body = {"assignment_id": f"ext:SIM-A-{name}", "week_start": f"{MONDAY}",
                "entries": [{"date": f"{MONDAY}", "hours": "8.00"}]}  # fmt: skip
        sheet = await desk.ask(MAKER, "POST", "/v1/timesheets", body)
        if submits:
            await desk.ask(MAKER, "POST", f"/v1/timesheets/{sheet['id']}/submit")
    await desk.ask(MAKER, "POST", "/v1/assignments/ext:SIM-A-03/end", {"ended_on": f"{MONDAY - timedelta(days=1)}"})
    body = {"pay_schedule": "weekly"}
    preview = await desk.doors[ADMIN].post("/v1/test/simulations/timesheet_late?dry_run=true", json=body)
    came = await desk.ask(ADMIN, "POST", "/v1/test/simulations/timesheet_late", body)
    assert came["payment"] is None
    expected = [(f"SIM-A-{number:02d}", str(MONDAY)) for number in range(1, 13) if number not in (1, 3)]
    assert await late(desk) == expected
    done = await desk.ask(ADMIN, "GET", f"/v1/jobs/{came['job']['id']}")
    assert [each["subject"] for each in preview.json()["effects"]] == done["result"]["assignments"]
    # and on Tuesday at noon of the firm's zone by itself
    await desk.ask(ADMIN, "POST", advance, {"to": f"{NEXT + timedelta(days=1)}T23:00:00Z"})
    assert await late(desk) == expected * 2


async def test_what_names_no_pay_schedule_is_refused(world: World) -> None:
    firm = await world.firm()
    for body in ({}, {"pay_schedule": "monthly"}):
        async with world.client(firm.test.keys[ADMIN]) as http:
            refused = await http.post(
                "/v1/test/simulations/timesheet_late", json=body, headers={"idempotency-key": "k"}
            )
        assert (refused.status_code, [each["pointer"] for each in refused.json()["errors"]]) == (
            422,
            ["#/pay_schedule"],
        )
    async with world.client(firm.live.keys[ADMIN]) as http:
        live = await http.post(
            "/v1/test/simulations/timesheet_late", json={"pay_schedule": "weekly"}, headers={"idempotency-key": "k"}
        )
    assert (live.status_code, live.json()["code"]) == (409, "test_tenants_only")
