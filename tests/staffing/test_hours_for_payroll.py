"""What payroll is told of approved hours, and that hours of a run do not change."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from staffing_world import MONDAY, Place, key, made, place
from tests.world import World

from backoffice.kernel import ids
from backoffice.staffing import commands, queries
from backoffice.staffing.errors import TimesheetInPayrollRun

BEGIN, END = date(2026, 11, 9), date(2026, 11, 15)


def run_id() -> UUID:
    return ids.new(datetime.now(UTC))


async def approved(here: Place) -> dict[str, UUID]:
    """Approved sheets of A-1 (two days) and A-3 (one day), by assignment."""
    await here.submitted("A-1", {MONDAY: "8.00", "2026-11-10": "7.50"})
    await here.submitted("A-3", {MONDAY: "4.25"})
    done = await here.http.post("/v1/timesheets/approve", json={"week_start": MONDAY}, headers=key())
    assert done.json()["approved"] == 2
    async with here.world.tx(here.firm.test) as tx:
        hours = await queries.approved_hours(tx, BEGIN, END)
    return {"A-1": hours[0].timesheet_id, "A-3": hours[-1].timesheet_id}


async def test_hours_come_with_rates_and_places(world: World) -> None:
    here = await place(world)
    await approved(here)
    async with world.tx(here.firm.test) as tx:
        hours = await queries.approved_hours(tx, BEGIN, END)
        told = [(each.work_date.isoformat(), each.hundredths, each.pay_rate_micros) for each in hours]
        assert told == [(MONDAY, 800, 19_250_000), ("2026-11-10", 750, 19_250_000), (MONDAY, 425, 19_250_000)]
        assert {(each.bill_rate_micros, each.work_state, each.work_city) for each in hours} == {
            (27_355_000, "NY", "Buffalo")
        }
        one = await queries.approved_hours(tx, BEGIN, END, worker_ids=[hours[-1].worker_id])
        assert [each.hundredths for each in one] == [425]
        assert len(await queries.approved_hours(tx, date(2026, 11, 10), END)) == 1
        assert await queries.approved_hours(tx, date(2026, 11, 16), date(2026, 11, 22)) == []


async def test_what_a_run_counts_no_other_run_counts(world: World) -> None:
    here = await place(world)
    sheets = await approved(here)
    first, second = run_id(), run_id()
    async with world.tx(here.firm.test) as tx:
        assert await commands.lock_for_run(tx, [sheets["A-1"]], first) == 1
        assert await commands.lock_for_run(tx, [sheets["A-1"]], first) == 1  # asked again by a retry
        assert [each.hundredths for each in await queries.approved_hours(tx, BEGIN, END, run_id=second)] == [425]
        assert len(await queries.approved_hours(tx, BEGIN, END, run_id=first)) == 3
    async with world.runtime.db.tx(here.firm.test.system(), request_id="system:test") as tx:
        with pytest.raises(TimesheetInPayrollRun) as refused:
            await commands.lock_for_run(tx, list(sheets.values()), second)
        assert len(refused.value.errors) == 1


async def test_hours_of_a_run_do_not_change_until_it_lets_go(world: World) -> None:
    here = await place(world)
    sheets = await approved(here)
    run = run_id()
    async with world.tx(here.firm.test) as tx:
        await commands.lock_for_run(tx, [sheets["A-1"]], run)
    path = f"/v1/timesheets/{ids.encode('timesheet', sheets['A-1'])}"
    sheet = (await here.http.get(path)).json()
    assert sheet["payroll_run_id"] == ids.encode("payroll_run", run)
    rejected = await here.http.post(path + "/reject", json={"reason": "late"})
    assert (rejected.status_code, rejected.json()["code"]) == (409, "timesheet_in_payroll_run")
    patched = await here.http.patch(path, json={"entries": []}, headers={"if-match": f'"v{sheet["version"]}"'})
    assert patched.json()["code"] == "timesheet_in_payroll_run"
    async with world.tx(here.firm.test) as tx:
        assert await commands.release(tx, run) == 1
    assert (await here.http.post(path + "/reject", json={"reason": "late"})).status_code == 200


async def test_a_timesheet_that_is_not_approved_cannot_be_counted(world: World) -> None:
    here = await place(world)
    sheet = await here.submitted("A-1", {MONDAY: "8.00"})
    id_ = ids.decode("timesheet", sheet["id"])
    assert id_ is not None
    async with world.runtime.db.tx(here.firm.test.system(), request_id="system:test") as tx:
        with pytest.raises(TimesheetInPayrollRun):
            await commands.lock_for_run(tx, [id_], run_id())
        waiting = await queries.open_timesheets(tx, BEGIN, END)
        assert [(each.id, each.status, each.total_hundredths) for each in waiting] == [(id_, "submitted", 800)]


async def test_two_writers_cannot_make_a_day_of_more_than_24_hours(world: World) -> None:
    here = await place(world)
    answers = await asyncio.gather(here.sheet("A-1", {MONDAY: "13.00"}), here.sheet("A-2", {MONDAY: "13.00"}))
    assert sorted(answer.status_code for answer in answers) == [201, 422]


async def test_twenty_approvals_at_once_approve_once(world: World) -> None:
    here = await place(world)
    sheet = await here.submitted("A-1", {MONDAY: "8.00"})
    path = f"/v1/timesheets/{sheet['id']}/approve"
    headers = {"if-match": f'"v{sheet["version"]}"'}
    answers = [await here.http.post(path, headers=headers)]
    answers += await asyncio.gather(*(here.http.post(path, headers=headers) for _ in range(19)))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} == {200, 412}


async def test_a_draft_is_not_seen_by_payroll(world: World) -> None:
    here = await place(world)
    await made(await here.sheet("A-1", {MONDAY: "8.00"}))
    async with world.tx(here.firm.test) as tx:
        assert await queries.approved_hours(tx, BEGIN, END) == []
