"""Schedules from the tenant file to the job, over HTTP: applied, listed, paused, run, and driven by a test clock."""

from __future__ import annotations

from typing import Any

import httpx
from msgspec import structs
from tests.accounts.test_tenant_file import NORTHWIND, SCHEDULE
from tests.world import ROOT, Firm, Tenant, World

from backoffice.accounts import provision
from backoffice.accounts.tenant_file import TenantFile, load, parse

MAKER = "marisol-vega"
KEYED = {"idempotency-key": "once"}


def scheduled_file() -> TenantFile:
    return parse((NORTHWIND + SCHEDULE).encode(), folder="northwind-staffing")


async def firm_with_schedule(world: World) -> Firm:
    return await world.firm(file=scheduled_file())


async def named(http: httpx.AsyncClient, name: str) -> dict[str, Any]:
    listed = (await http.get("/v1/schedules")).json()["data"]
    return next(each for each in listed if each["name"] == name)  # type: ignore[no-any-return]


async def jobs_of(world: World, tenant: Tenant, kind: str) -> list[Any]:
    async with world.tx(tenant) as tx:
        return await tx.connection.fetch(
            "SELECT * FROM app.job WHERE tenant_id = $1 AND kind = $2 ORDER BY due_at, id", tenant.facts.id, kind
        )


async def test_apply_makes_schedules_and_says_what_it_changes(world: World) -> None:
    file = load(ROOT / "tenants" / "northwind-staffing")
    file = structs.replace(file, firm=structs.replace(file.firm, slug="scheduled-firm"))
    file = structs.replace(file, employer=structs.replace(file.employer, ein="00-0000002"))
    first = await provision.apply_firm(world.control, world.runtime, file)
    ours = {"platform-tidy", "webhook-digests"}
    assert {f"  + schedule {name}" for name in ours} <= set(first.lines())
    with_own = structs.replace(file, schedules=scheduled_file().schedules)
    added = await provision.apply_firm(world.control, world.runtime, with_own)
    assert added.lines()[:9] == [
        "in live:",
        "  + schedule open-weekly",
        "      source: (none) → tenant_file",
        "      rule: (none) → weekly on monday at 06:00",
        "      time_zone: (none) → America/New_York",
        "      catch_up: (none) → one",
        "      catch_up_limit: (none) → 1",
        "      kind: (none) → payroll.open_run",
        '      payload: (none) → {"pay_schedule":"weekly"}',
    ]
    assert (await provision.plan_firm(world.control, world.runtime, with_own)).empty
    own = structs.replace(with_own.schedules["open-weekly"], rule="weekly on tuesday at 07:30")
    changed = structs.replace(with_own, schedules={"open-weekly": own})
    changes = ["  ~ schedule open-weekly", "      rule: weekly on monday at 06:00 → weekly on tuesday at 07:30"]
    assert (await provision.plan_firm(world.control, world.runtime, changed)).lines() == [
        "in live:", *changes, "in test:", *changes
    ]  # fmt: skip
    await provision.apply_firm(world.control, world.runtime, changed)
    assert (await provision.plan_firm(world.control, world.runtime, changed)).empty
    live = (await provision.tenants_of(world.control, "scheduled-firm"))["live"]
    async with world.tx(Tenant(live)) as tx:
        row = await tx.connection.fetchrow(
            "SELECT due_at, next_at, version FROM app.schedule WHERE tenant_id = $1 AND name = 'open-weekly'", live.id
        )
        audited = await tx.connection.fetch(
            "SELECT action FROM app.audit_event WHERE tenant_id = $1 AND object_type = 'schedule' ORDER BY id", live.id
        )
    assert row["due_at"] == row["next_at"]
    assert (row["due_at"].weekday(), row["version"]) == (1, 2)
    made = ["schedule.created"] * (len(ours) + 1)
    assert [each["action"] for each in audited] == [*made, "schedule.updated"]


async def test_a_schedule_that_is_taken_out_of_the_file_is_paused(world: World) -> None:
    file = scheduled_file()
    file = structs.replace(file, firm=structs.replace(file.firm, slug="unscheduled-firm"))
    file = structs.replace(file, employer=structs.replace(file.employer, ein="00-0000007"))
    await provision.apply_firm(world.control, world.runtime, file)
    tenant = Tenant((await provision.tenants_of(world.control, "unscheduled-firm"))["live"])
    without = structs.replace(file, schedules={})
    paused = "  ~ schedule open-weekly (not in the file; it is paused, nothing is deleted)"
    planned = await provision.plan_firm(world.control, world.runtime, without)
    assert planned.lines()[1:3] == [paused, "      status: active → paused"]
    assert not planned.empty
    await provision.apply_firm(world.control, world.runtime, without)
    again = await provision.apply_firm(world.control, world.runtime, without)
    assert again.empty
    assert "  = schedule open-weekly (not in the file; it stays as it is, nothing is deleted)" in again.lines()
    back = await provision.apply_firm(world.control, world.runtime, file)
    assert back.empty
    assert "  = schedule open-weekly (paused; it starts nothing until it is resumed)" in back.lines()
    async with world.tx(tenant) as tx:
        row = await tx.connection.fetchrow(
            "SELECT status, next_at FROM app.schedule WHERE tenant_id = $1 AND name = 'open-weekly'", tenant.facts.id
        )
        told = await tx.connection.fetchval(
            "SELECT count(*) FROM app.event WHERE tenant_id = $1 AND type = 'schedule.paused'", tenant.facts.id
        )
    assert (row["status"], row["next_at"], told) == ("paused", None, 1)


async def test_a_test_clock_opens_the_payroll_runs_of_a_month(world: World) -> None:
    """Four Mondays pass: four runs, each of the week before, and the platform's own daily work beside them, unheard."""
    tenant = (await firm_with_schedule(world)).test
    async with world.client(tenant.keys[MAKER]) as http, world.client(tenant.keys["dana-whitfield"]) as admin:
        clock = (await admin.post("/v1/test/clocks", json={"frozen_time": "2026-03-01T09:00:00-05:00"})).json()
        path = f"/v1/test/clocks/{clock['id']}/advance"
        schedule = await named(http, "open-weekly")
        assert schedule["next_fire_at"] == "2026-03-02T11:00:00Z"
        moved = await admin.post(path, json={"to": "2026-03-24T09:00:00-04:00"}, headers=KEYED)
        assert moved.status_code == 202, moved.text
        await world.work(tenant)
        runs = (await http.get("/v1/payroll_runs")).json()["data"]
        assert sorted(run["period_begin"] for run in runs) == ["2026-02-23", "2026-03-02", "2026-03-09", "2026-03-16"]
        assert {run["created_by"] for run in runs} == {"system:schedule"}
        opened = await jobs_of(world, tenant, "payroll.open_run")
        assert [job["due_at"].hour for job in opened] == [11, 10, 10, 10]  # 06:00 in New York, which moves on the 8th
        assert len(await jobs_of(world, tenant, "platform.tidy")) == 23
        told = (await http.get("/v1/events?limit=100")).json()["data"]
        about = [each["data"]["object"]["kind"] for each in told if each["type"] == "job.succeeded"]
        assert about == ["payroll.open_run"] * 4
        after = await named(http, "open-weekly")
        assert (after["last_fire_at"], after["next_fire_at"]) == ("2026-03-23T10:00:00Z", "2026-03-30T10:00:00Z")
        too_far = await admin.post(path, json={"to": "2029-01-01T00:00:00Z"}, headers={"idempotency-key": "far"})
        assert (too_far.status_code, too_far.json()["code"]) == (409, "advance_too_far")
        assert (await admin.get(f"/v1/test/clocks/{clock['id']}")).json()["frozen_time"] == "2026-03-24T13:00:00Z"


async def test_pause_resume_and_run_now(world: World) -> None:
    tenant = (await firm_with_schedule(world)).live
    async with world.client(tenant.keys[MAKER]) as http:
        schedule = await named(http, "open-weekly")
        path = f"/v1/schedules/{schedule['id']}"
        paused = await http.post(f"{path}/pause")
        assert (paused.json()["status"], paused.json()["next_fire_at"]) == ("paused", None)
        refused = await http.post(f"{path}/run_now", headers=KEYED)
        assert (refused.status_code, refused.json()["code"]) == (409, "schedule_paused")
        preview = await http.post(f"{path}/resume?dry_run=true")
        assert preview.json()["effects"][0]["kind"] == "schedule_resumed"
        resumed = await http.post(f"{path}/resume")
        assert resumed.json()["next_fire_at"] == schedule["next_fire_at"]
        started = await http.post(f"{path}/run_now", headers=KEYED)
        assert started.status_code == 202, started.text
        assert started.headers["location"] == f"/v1/jobs/{started.json()['id']}"
        again = await http.post(f"{path}/run_now", headers=KEYED)
        assert again.json()["id"] == started.json()["id"]
        await world.work(tenant)
        first = (await http.get(started.headers["location"])).json()
        assert first["status"] == "succeeded", first
        more = await http.post(f"{path}/run_now", headers={"idempotency-key": "twice"})
        await world.work(tenant)
        second = (await http.get(f"/v1/jobs/{more.json()['id']}")).json()
        assert second["result"] == first["result"]  # the period has its run: it is found, not opened again
        assert len((await http.get("/v1/payroll_runs")).json()["data"]) == 1


async def test_a_schedule_with_an_unknown_pay_schedule_fails_loudly(world: World) -> None:
    file = scheduled_file()
    own = structs.replace(file.schedules["open-weekly"], payload='{"pay_schedule":"lunar"}')
    tenant = (await world.firm(file=structs.replace(file, schedules={"open-weekly": own}))).live
    async with world.client(tenant.keys[MAKER]) as http:
        schedule = await named(http, "open-weekly")
        started = await http.post(f"/v1/schedules/{schedule['id']}/run_now", headers=KEYED)
        await world.work(tenant)
        job = (await http.get(started.headers["location"])).json()
    assert (job["status"], job["problem"]["errors"][0]["code"]) == ("failed", "unknown_schedule")


async def test_housekeeping_deletes_expired_answers_alone(world: World) -> None:
    tenant = (await world.firm()).test
    async with world.client(tenant.keys["dana-whitfield"]) as http:
        for key in ("old", "young"):
            body = {"name": key, "scopes": ["workers:read"]}
            assert (await http.post("/v1/api_keys", json=body, headers={"idempotency-key": key})).status_code == 201
        async with world.tx(tenant) as tx:
            await tx.connection.execute(
                "UPDATE app.idempotency SET expires_at = now() - interval '1 day' WHERE tenant_id = $1 AND key = 'old'",
                tenant.facts.id,
            )
        schedule = await named(http, "platform-tidy")
        started = await http.post(f"/v1/schedules/{schedule['id']}/run_now", headers=KEYED)
        await world.work(tenant)
        assert (await http.get(started.headers["location"])).json()["result"]["answers"] == 1
    async with world.tx(tenant) as tx:
        left = await tx.connection.fetch("SELECT key FROM app.idempotency WHERE tenant_id = $1", tenant.facts.id)
    assert sorted(row["key"] for row in left) == ["once", "young"]


async def test_what_the_plan_lacks_is_refused_at_submit_and_stored_nowhere(world: World) -> None:
    """A firm that has changed to a smaller plan: its schedule stays and starts nothing, and says so."""
    tenant = (await firm_with_schedule(world)).test
    async with world.control.untenanted() as connection:
        await connection.execute("UPDATE ctl.tenant SET plan = 'starter' WHERE id = $1", tenant.facts.id)
    async with world.client(tenant.keys[MAKER]) as http, world.client(tenant.keys["dana-whitfield"]) as admin:
        schedule = await named(http, "open-weekly")
        path = f"/v1/schedules/{schedule['id']}/run_now"
        for query in ("", "?dry_run=true"):
            refused = await http.post(path + query, headers=KEYED)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_in_plan"), refused.text
        assert refused.json()["kind"] == "payroll.open_run"
        assert await jobs_of(world, tenant, "payroll.open_run") == []
        clock = (await admin.post("/v1/test/clocks", json={"frozen_time": "2026-03-01T09:00:00-05:00"})).json()
        to = {"to": "2026-03-03T09:00:00-05:00"}
        assert (await admin.post(f"/v1/test/clocks/{clock['id']}/advance", json=to, headers=KEYED)).status_code == 202
        await world.work(tenant)
        assert await jobs_of(world, tenant, "payroll.open_run") == []
        assert len(await jobs_of(world, tenant, "platform.tidy")) == 2


async def test_jobs_are_found_by_status_and_explain_themselves(world: World) -> None:
    tenant = (await firm_with_schedule(world)).test
    async with world.client(tenant.keys[MAKER]) as http:
        schedule = await named(http, "platform-tidy")
        done = await http.post(f"/v1/schedules/{schedule['id']}/run_now", headers={"idempotency-key": "first"})
        await world.work(tenant)
        waits = await http.post(f"/v1/schedules/{schedule['id']}/run_now", headers={"idempotency-key": "second"})

        async def found(query: str) -> list[str]:
            answer = await http.get(f"/v1/jobs?{query}")
            assert answer.status_code == 200, answer.text
            return [each["id"] for each in answer.json()["data"]]

        assert await found("status=succeeded") == [done.json()["id"]]
        assert await found("status=queued") == [waits.json()["id"]]
        assert await found("status[in]=queued,succeeded") == [waits.json()["id"], done.json()["id"]]
        assert await found("status=failed") == []
        assert (await http.get("/v1/jobs?status=released")).status_code == 400
        logs = (await http.get(f"/v1/jobs/{done.json()['id']}/logs")).json()
        assert (logs["object"], [each["outcome"] for each in logs["tries"]]) == ("job_logs", ["succeeded"])
        why = (await http.get(f"/v1/jobs/{waits.json()['id']}/why")).json()
        assert (why["object"], why["status"], why["code"]) == ("job_why", "queued", "next")
