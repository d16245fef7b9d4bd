"""Clients, assignments and timesheets over HTTP."""

from __future__ import annotations

from staffing_world import ADDRESS, MONDAY, PLACE, key, made, money, place
from tests.world import World


async def test_a_client_is_added_and_changed(world: World) -> None:
    here = await place(world)
    path = "/v1/clients/ext:C-1"
    client = (await here.http.get(path)).json()
    assert (client["payment_terms_days"], client["status"]) == (30, "active")
    patch = {"payment_terms_days": 45, "address": {**ADDRESS, "line1": "77 Model Drive"}}
    changed = await here.http.patch(path, json=patch, headers={"if-match": '"v1"'})
    assert (changed.json()["payment_terms_days"], changed.json()["address"]["line1"]) == (45, "77 Model Drive")
    twin = await here.http.post("/v1/clients", json={"external_id": "C-1", "name": "X", "address": ADDRESS})
    assert (twin.status_code, twin.json()["code"]) == (409, "client_exists")


async def test_rates_keep_their_decimals(world: World) -> None:
    here = await place(world)
    one = await here.assign("A-9", "W-1", pay_rate=money("19"), bill_rate=money("27.123456"))
    assert (one["pay_rate"]["amount"], one["bill_rate"]["amount"]) == ("19.00", "27.123456")
    patched = await here.http.patch(
        f"/v1/assignments/{one['id']}", json={"pay_rate": money("20.5")}, headers={"if-match": '"v1"'}
    )
    assert patched.json()["pay_rate"] == money("20.50")
    wrong = await here.http.post(
        "/v1/assignments",
        json={
            "worker_id": "ext:NOBODY",
            "client_id": "ext:NOTHING",
            "job_title": "X",
            "pay_rate": money("0.00"),
            "bill_rate": money("1.00"),
            "work_place": {**PLACE, "state": "ZZ"},
            "started_on": "2026-02-01",
            "ended_on": "2026-01-01",
        },
        headers=key(),
    )
    assert {e["pointer"]: e["code"] for e in wrong.json()["errors"]} == {
        "#/worker_id": "not_found",
        "#/client_id": "not_found",
        "#/work_place/state": "unknown_state",
        "#/pay_rate/amount": "not_positive",
        "#/ended_on": "before_start",
    }


async def test_an_assignment_ends_after_its_last_hours(world: World) -> None:
    here = await place(world)
    await made(await here.sheet("A-1", {"2026-11-12": "8.00"}))
    end = "/v1/assignments/ext:A-1/end"
    early = await here.http.post(end, json={"ended_on": "2026-11-11"})
    assert early.json()["errors"][0]["code"] == "hours_after_end"
    ended = await here.http.post(end, json={"ended_on": "2026-11-12"})
    assert (ended.json()["status"], ended.json()["ended_on"]) == ("ended", "2026-11-12")
    twice = await here.http.post(end, json={"ended_on": "2026-11-13"})
    assert (twice.status_code, twice.json()["code"]) == (409, "assignment_ended")
    late = await here.sheet("A-1", {"2026-11-16": "8.00"}, week="2026-11-16")
    assert late.json()["errors"][0]["code"] == "outside_assignment"


async def test_the_way_of_a_timesheet(world: World) -> None:
    here = await place(world)
    sheet = await made(await here.sheet("A-1", {MONDAY: "8.00", "2026-11-10": "7.5"}))
    path = f"/v1/timesheets/{sheet['id']}"
    assert (sheet["status"], sheet["total_hours"]) == ("draft", "15.50")
    approved = await here.http.post(path + "/approve", headers={"if-match": '"v1"'})
    assert (approved.status_code, approved.json()["code"]) == (409, "timesheet_state")
    submitted = await here.http.post(path + "/submit")
    assert submitted.json()["status"] == "submitted"
    twice = await here.http.post(f"/v1/timesheets/{submitted.json()['id']}/submit", headers=key())
    assert (twice.status_code, twice.json()["status"], twice.json()["timesheet_status"]) == (409, 409, "submitted")
    rejected = await here.http.post(path + "/reject", json={"reason": "Tuesday was a holiday"})
    assert (rejected.json()["status"], rejected.json()["rejected_reason"]) == ("rejected", "Tuesday was a holiday")
    corrected = await here.http.patch(
        path, json={"entries": [{"date": MONDAY, "hours": "8.25"}]}, headers={"if-match": '"v3"'}
    )
    assert (corrected.json()["status"], corrected.json()["total_hours"]) == ("draft", "8.25")
    assert corrected.json()["rejected_reason"] is None
    await here.http.post(path + "/submit")
    assert (await here.http.post(path + "/approve")).status_code == 428
    done = await here.http.post(path + "/approve", headers={"if-match": '"v5"'})
    assert done.status_code == 200, done.text
    assert done.json()["status"] == "approved"
    assert done.json()["approved_by"].startswith("per_")
    frozen = await here.http.patch(path, json={"entries": []}, headers={"if-match": '"v6"'})
    assert (frozen.status_code, frozen.json()["code"]) == (409, "timesheet_state")
    versions = (await here.http.get(path + "/versions")).json()["data"]
    assert [(v["version"], v["status"], [e["hours"] for e in v["entries"]]) for v in versions] == [
        (1, "draft", ["8.00", "7.50"]),
        (2, "submitted", ["8.00", "7.50"]),
        (3, "rejected", ["8.00", "7.50"]),
        (4, "draft", ["8.25"]),
        (5, "submitted", ["8.25"]),
    ]


async def test_a_day_has_24_hours_over_all_assignments(world: World) -> None:
    here = await place(world)
    over = await here.sheet("A-1", {MONDAY: "24.01", "2026-11-10": "0", "2026-11-16": "8", "2026-11-11": "8"})
    assert [(e["pointer"], e["code"]) for e in over.json()["errors"]] == [
        ("#/entries/0/hours", "hours_out_of_range"),
        ("#/entries/1/hours", "hours_out_of_range"),
        ("#/entries/2/date", "outside_week"),
    ]
    await made(await here.sheet("A-1", {MONDAY: "16.00"}))
    too_many = await here.sheet("A-2", {MONDAY: "8.01"})
    assert too_many.json()["errors"][0]["code"] == "more_than_24_hours"
    await made(await here.sheet("A-2", {MONDAY: "8.00"}))
    await made(await here.sheet("A-3", {MONDAY: "24.00"}))  # another worker
    twin = await here.sheet("A-1", {"2026-11-10": "1"})
    assert (twin.status_code, twin.json()["code"]) == (409, "timesheet_exists")


async def test_rejected_hours_leave_room_and_need_it_again(world: World) -> None:
    here = await place(world)
    first = await here.submitted("A-1", {MONDAY: "16.00"})
    await here.http.post(f"/v1/timesheets/{first['id']}/reject", json={"reason": "not there"})
    await made(await here.sheet("A-2", {MONDAY: "12.00"}))
    again = await here.http.post(f"/v1/timesheets/{first['id']}/submit")
    assert (again.status_code, again.json()["errors"][0]["code"]) == (422, "more_than_24_hours")


async def test_a_week_starts_where_the_employer_s_workweek_does(world: World) -> None:
    here = await place(world)
    refused = await here.sheet("A-1", {"2026-11-10": "8"}, week="2026-11-10")
    fault = refused.json()["errors"][0]
    assert (fault["code"], "2026-11-09" in fault["detail"]) == ("not_a_week_start", True)


async def test_a_whole_week_is_approved_at_once(world: World) -> None:
    here = await place(world)
    one = await here.submitted("A-1", {MONDAY: "8.00"})
    two = await here.submitted("A-3", {MONDAY: "7.25"})
    draft = await made(await here.sheet("A-2", {MONDAY: "1.00"}))
    path = "/v1/timesheets/approve"
    preview = await here.http.post(path + "?dry_run=true", json={"week_start": MONDAY})
    assert preview.headers["bo-dry-run"] == "true"
    named = await here.http.post(path, json={"timesheet_ids": [one["id"], draft["id"], "ts_nothing"]}, headers=key())
    assert [(e["pointer"], e["code"]) for e in named.json()["errors"]] == [("#/timesheet_ids/2", "not_found")]
    unready = await here.http.post(path, json={"timesheet_ids": [one["id"], draft["id"]]}, headers=key())
    assert (unready.status_code, unready.json()["errors"][0]["pointer"]) == (409, "#/timesheet_ids/1")
    done = await here.http.post(path, json={"week_start": MONDAY}, headers=key())
    assert done.json() == {
        "object": "timesheet_approval",
        "approved": 2,
        "total_hours": "15.25",
        "timesheet_ids": sorted([one["id"], two["id"]]),
    }
    kinds = [(effect["kind"], effect["subject"], effect["after"]) for effect in preview.json()["effects"]]
    assert kinds == [
        ("hours_approved", one["id"], {"hours": "8.00", "status": "approved"}),
        ("hours_approved", two["id"], {"hours": "7.25", "status": "approved"}),
    ]
    none = await here.http.post(path, json={"week_start": MONDAY}, headers=key())
    assert none.json()["approved"] == 0
    both = await here.http.post(path, json={"week_start": MONDAY, "timesheet_ids": [one["id"]]}, headers=key())
    assert both.status_code == 422
    events = (await here.http.get("/v1/timesheets?status=approved&sort=week_start")).json()["data"]
    assert {each["id"] for each in events} == {one["id"], two["id"]}


async def test_another_tenant_s_timesheet_is_not_there(world: World) -> None:
    here, other = await place(world), await place(world)
    mine = await here.submitted("A-1", {MONDAY: "8.00"})
    for path in (f"/v1/timesheets/{mine['id']}", f"/v1/timesheets/{mine['id']}/versions"):
        assert (await other.http.get(path)).status_code == 404
    assert (await other.http.post(f"/v1/timesheets/{mine['id']}/submit")).status_code == 404
    foreign = await other.http.post("/v1/timesheets/approve", json={"timesheet_ids": [mine["id"]]}, headers=key())
    assert foreign.json()["errors"][0]["code"] == "not_found"
    assert (await here.http.get(f"/v1/timesheets/{mine['id']}")).json()["status"] == "submitted"
