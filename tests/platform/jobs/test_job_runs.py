"""One job at a time, released by hand and run in this process: states, fences, steps, retries, ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import psycopg
import pytest
from tests.platform.jobs import job_kinds
from tests.platform.jobs.job_kinds import Blocking, Failing, Family, Once, Renamed, Slow, Steps, Unknown
from tests.platform.jobs.job_world import Bench, Place, Tenant, until

from backoffice.kernel import ids
from backoffice.kernel.errors import NotFound
from backoffice.platform import db, models
from backoffice.platform.jobs import commands, lease, queries, registry, routing
from backoffice.platform.jobs.errors import LeaseLost, NotCancelable, NotRetryable
from backoffice.platform.jobs.heartbeat import free_leases
from backoffice.platform.jobs.run import JobRun
from backoffice.platform.jobs.states import ENDED, LEASED, MOVES, STATUS, states_of
from backoffice.platform.jobs.view import view
from backoffice.platform.runtime import new_request_id
from backoffice.platform.tx import Tx
from backoffice.platform.web.problems import PreviewTooLarge


def test_states_and_moves_agree_with_the_table() -> None:
    assert set(MOVES) == set(models.JOB_STATES) == set(STATUS)
    assert {to for moves in MOVES.values() for to in moves} <= set(MOVES)
    assert set(LEASED) == {"released", "running"}
    assert states_of("queued") == ("scheduled", "ready", "released", "retry_wait")
    assert all("ready" not in MOVES[state] or state != "succeeded" for state in ENDED)


async def test_a_job_runs_once_and_tells_so(place: Place, bench: Bench) -> None:
    person = ids.new(datetime.now(UTC))
    tenant = place.tenant()
    tenant.actor = ids.encode("person", person)
    mark = uuid4()
    [job] = await tenant.start(Once(mark=mark))
    before = await tenant.job(job)
    assert (before["state"], before["attempt"], before["fence"]) == ("ready", 0, 0)
    assert await bench.round(tenant) == 1
    row = await tenant.job(job)
    assert row["state"] == "succeeded"
    assert row["result"] == "effect"
    assert (row["attempt"], row["crashes"], row["lease_until"]) == (1, 0, None)
    assert await tenant.effects() == {mark: 1}
    [event] = await tenant.events()
    assert event["type"] == "job.succeeded"
    assert event["actor"] == {"type": "person", "id": tenant.actor}  # who started it, not the worker
    assert event["request_id"] == before["request_id"]
    told = event["data"]["object"]
    assert told["id"] == ids.encode("job", job)
    assert (told["status"], told["result"]) == ("succeeded", "effect")
    assert told["finished_at"] is not None
    async with tenant.tx() as tx:
        actor = await tx.connection.fetchval("SELECT actor FROM app.audit_event WHERE object_id = $1", mark)
    assert actor == tenant.actor


async def test_a_stale_doubled_or_forged_message_does_nothing(place: Place, bench: Bench) -> None:
    tenant, other = place.tenant(), place.tenant()
    mark = uuid4()
    [job] = await tenant.start(Once(mark=mark))
    [(_, fence)] = await bench.release(tenant)
    await bench.runner.run(tenant.facts.id, [(job, fence - 1)])  # stale
    await bench.runner.run(tenant.facts.id, [(job, fence + 1)])  # forged
    await bench.runner.run(other.facts.id, [(job, fence)])  # another tenant's
    await bench.runner.run(uuid4(), [(job, fence)])  # nobody's
    assert (await tenant.job(job))["state"] == "released"
    await asyncio.gather(*(bench.runner.run(tenant.facts.id, [(job, fence)]) for _ in range(5)))
    await bench.runner.run(tenant.facts.id, [(job, fence)])
    assert await tenant.effects() == {mark: 1}


async def test_one_claim_wins(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Once(mark=uuid4()))
    [(_, fence)] = await bench.release(tenant)
    claims = await asyncio.gather(*(bench.claim(tenant, job, fence) for _ in range(8)))
    assert sum(row is not None for row in claims) == 1


async def test_a_worker_that_wakes_late_changes_no_row(place: Place, bench: Bench) -> None:
    """Fault 2 in small: every write of the old lease is refused, whatever the state of the new one."""
    tenant = place.tenant()
    [job] = await tenant.start(Once(mark=uuid4()))
    [(_, old)] = await bench.release(tenant, lease=0.01)
    assert await bench.claim(tenant, job, old, lease=0.01) is not None
    await asyncio.sleep(0.03)
    assert await bench.sweep() == [(job, "running")]
    [(_, new)] = await bench.release(tenant)
    assert new == old + 2

    async def stale_writes() -> None:
        before = dict(await tenant.job(job))
        moves: dict[str, dict[str, object]] = {
            "retry_wait": lease.again(problem={"code": "stale"}),
            "dead": lease.passed(problem={"code": "stale"}),
            "waiting": {},
        }
        for state, values in moves.items():
            async with tenant.runtime.db.tx(tenant.principal, request_id=new_request_id()) as tx:
                with pytest.raises(LeaseLost):
                    await lease.write(tx, job, old, {"crashes": 0})
                with pytest.raises(LeaseLost):
                    await lease.leave(tx, job, old, state, values)
        assert dict(await tenant.job(job)) == before

    await stale_writes()  # released to another
    assert await bench.claim(tenant, job, new) is not None
    await stale_writes()  # running elsewhere
    async with tenant.tx() as tx:
        assert await lease.succeed(tx, [(job, old, "stale", None), (uuid4(), new, "nobody's", None)]) == []
        assert len(await lease.succeed(tx, [(job, new, "good", None)])) == 1
    await stale_writes()  # finished
    async with tenant.tx() as tx:  # the holder's own second end
        assert await lease.succeed(tx, [(job, new, "again", None)]) == []
    assert (await tenant.job(job))["result"] == "good"


async def test_jobs_are_claimed_and_ended_by_their_keys(place: Place) -> None:
    """By a plan that is made once: never by a walk through the tenant's rows, and in one order of locks."""
    with psycopg.connect(place.settings.dsn("bo_app")) as connection:
        connection.execute(b"SELECT" + db._BY_KEY.encode())
        for statement in (lease._CLAIM, lease._SUCCEED):
            rows = connection.execute(f"EXPLAIN (GENERIC_PLAN, COSTS off) {statement}".encode()).fetchall()
            plan = [row[0].strip() for row in rows]
            [place_] = [number for number, line in enumerate(plan) if "Scan" in line and " on job j" in line]
            assert "Index Scan using job_pkey" in plan[place_], plan
            assert "(id = ANY ($2))" in plan[place_ + 1], plan


async def test_the_database_refuses_impossible_rows(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Once(mark=uuid4()))
    wrong = [
        "state = 'running', lease_until = clock_timestamp()",  # nobody runs it
        "state = 'released'",  # without a lease
        "lease_until = clock_timestamp()",  # a lease without a holder
        "state = 'succeeded'",  # without its time
        "finished_at = clock_timestamp()",  # finished and ready
        "state = 'paused'",
    ]
    for values in wrong:
        with pytest.raises(asyncpg.CheckViolationError):
            async with tenant.tx() as tx:
                await tx.connection.execute(f"UPDATE app.job SET {values} WHERE id = $1", job)


async def test_finished_steps_are_skipped_by_a_retry(place: Place, bench: Bench, tmp_path: Path) -> None:
    tenant = place.tenant()
    mark = uuid4()
    [job] = await tenant.start(Steps(mark=mark, count=4, fail_before=2, marker=str(tmp_path / "failed")))
    states = await bench.drain(tenant)
    row = await tenant.job(job)
    assert states == {"succeeded": 1}
    assert row["attempt"] == 2
    assert row["result"] == [f"step_{place}" for place in range(4)]
    assert await tenant.effects("step_0", "step_1", "step_2", "step_3") == {mark: 4}
    assert (row["progress_done"], row["progress_total"], row["progress_text"]) == (4, 4, "working")
    async with tenant.tx() as tx:
        assert [step["name"] for step in await queries.steps(tx, job)] == [f"step_{place}" for place in range(4)]


@pytest.mark.parametrize(("how", "attempts", "code"), [("refused", 1, "test_refused"), ("passing", 3, "test_passing"),
                                                       ("fault", 3, "internal_fault")])  # fmt: skip
async def test_failures_are_retried_or_final(place: Place, bench: Bench, how: str, attempts: int, code: str) -> None:
    tenant = place.tenant()
    mark = uuid4()
    [job] = await tenant.start(Failing(mark=mark, how=how))
    assert await bench.drain(tenant) == {"dead": 1}
    row = await tenant.job(job)
    assert (row["attempt"], row["crashes"], row["problem"]["code"]) == (attempts, 0, code)
    assert "900-12-3456" not in str(dict(row))  # an exception's text may quote data
    assert row["problem"]["instance"] == f"/v1/jobs/{ids.encode('job', job)}"
    [event] = await tenant.events()
    assert event["type"] == "job.failed"
    assert event["data"]["object"]["problem"]["code"] == code
    assert event["data"]["effects"][0]["kind"] == "job_failed"
    assert await tenant.effects("unfinished_failed") == {mark: 1}


async def test_the_pause_before_a_retry_is_random_and_grows(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    jobs = await tenant.start(*(Failing(mark=uuid4(), how="passing") for _ in range(20)))
    await bench.round(tenant)
    rows = [await tenant.job(job) for job in jobs]
    assert {row["state"] for row in rows} == {"retry_wait"}
    async with tenant.tx() as tx:
        now = await tx.connection.fetchval("SELECT clock_timestamp()")
    assert all(row["run_at"] - now < timedelta(seconds=0.02) for row in rows)
    assert len({row["run_at"] - row["started_at"] for row in rows}) == 20


async def test_a_dead_job_is_retried_with_a_note(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Failing(mark=uuid4(), how="refused"))
    async with tenant.tx() as tx:
        with pytest.raises(NotRetryable):
            await commands.retry(tx, job, "too early")
    await bench.drain(tenant)
    async with tenant.tx() as tx:
        row = await commands.retry(tx, job, "the cause is gone")
        assert (row["state"], row["attempt"], row["problem"], row["finished_at"]) == ("ready", 0, None, None)
        with pytest.raises(NotFound):
            await commands.retry(tx, uuid4(), "nothing there")
    assert await bench.drain(tenant) == {"dead": 1}
    async with tenant.tx() as tx:
        reason = await tx.connection.fetchval("SELECT reason FROM app.audit_event WHERE action = 'job.retried'")
    assert reason == "the cause is gone"
    assert [event["type"] for event in await tenant.events()] == ["job.failed", "job.failed"]


async def test_three_crashes_without_a_step_are_the_end(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    mark = uuid4()
    [job] = await tenant.start(Failing(mark=mark, how="fault"))
    for crash in range(3):
        [(_, fence)] = await bench.release(tenant)
        assert await bench.claim(tenant, job, fence) is not None
        assert (await tenant.job(job))["attempt"] == 1
        assert free_leases(place.settings.dsn("bo_dispatch"), "elsewhere:1") == 1
        row = await tenant.job(job)
        assert (row["state"], row["crashes"], row["attempt"]) == ("ready", crash + 1, 0)
    await bench.round(tenant)
    row = await tenant.job(job)
    assert (row["state"], row["problem"]["code"]) == ("dead", "job_crashed")
    assert await tenant.effects("unfinished_failed") == {mark: 1}
    assert [event["type"] for event in await tenant.events()] == ["job.failed"]


async def test_a_finished_step_forgives_crashes(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Steps(mark=uuid4(), count=1))
    for _ in range(2):
        [(_, fence)] = await bench.release(tenant)
        await bench.claim(tenant, job, fence)
        free_leases(place.settings.dsn("bo_dispatch"), "elsewhere:1")
    await bench.round(tenant)
    row = await tenant.job(job)
    assert (row["state"], row["crashes"]) == ("succeeded", 0)


async def test_a_lease_that_runs_out_before_a_claim_counts_nothing(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Once(mark=uuid4()))
    for _ in range(5):
        await bench.release(tenant, lease=0.0)
        assert await bench.sweep() == [(job, "released")]
    row = await tenant.job(job)
    assert (row["state"], row["crashes"], row["attempt"]) == ("ready", 0, 0)
    await bench.drain(tenant)
    assert (await tenant.job(job))["state"] == "succeeded"


async def test_a_kind_or_version_nobody_knows_goes_back_untouched(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [unknown] = await tenant.start(Unknown(mark=uuid4()))
    [newer] = await tenant.start(Once(mark=uuid4()))
    place.admin(f"UPDATE app.job SET kind_version = 2 WHERE id = '{newer}'")
    await bench.round(tenant)
    for job in (unknown, newer):
        row = await tenant.job(job)
        assert (row["state"], row["attempt"], row["crashes"], row["problem"]) == ("ready", 0, 0, None)
    assert await bench.round(tenant) == 0  # not at once again


async def test_older_payloads_are_cast_up(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    mark = uuid4()
    jobs = await tenant.start(*(Renamed(mark=mark) for _ in range(3)))
    for job, version, body in zip(jobs, (1, 2, 3), ("who", "whom", "mark"), strict=True):
        place.admin(
            f"UPDATE app.job SET kind_version = {version}, payload = '{{\"{body}\": \"{mark}\"}}' WHERE id = '{job}'"
        )
    assert await bench.drain(tenant) == {"succeeded": 3}
    assert await tenant.effects() == {mark: 3}


async def test_a_payload_that_does_not_fit_fails_at_once(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Once(mark=uuid4()))
    place.admin(f"UPDATE app.job SET payload = '{{\"mark\": 7}}' WHERE id = '{job}'")
    await bench.round(tenant)
    row = await tenant.job(job)
    assert (row["state"], row["problem"]["code"], row["attempt"]) == ("dead", "job_payload_invalid", 1)


async def test_a_try_may_not_outlive_its_deadline(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Slow(mark=uuid4()))
    await asyncio.wait_for(bench.round(tenant), 5)
    row = await tenant.job(job)
    assert (row["state"], row["problem"]["code"]) == ("dead", "job_deadline_passed")


async def test_cancel_at_once(place: Place, bench: Bench) -> None:
    """What does not run is canceled at once, also when its message is on its way."""
    tenant = place.tenant()
    ready, released, waits = await tenant.start(*(Once(mark=uuid4()) for _ in range(3)))
    place.admin(f"UPDATE app.job SET run_at = 'infinity' WHERE id IN ('{ready}', '{waits}')")
    place.admin(f"UPDATE app.job SET state = 'retry_wait' WHERE id = '{waits}'")
    [(_, fence)] = await bench.release(tenant)
    for job in (ready, released, waits):
        async with tenant.tx() as tx:
            row = await commands.cancel(tx, job)
            assert view(tx.principal, row).status == "canceled"
            assert (await commands.cancel(tx, job))["state"] == "canceled"  # again is fine
    await bench.runner.run(tenant.facts.id, [(released, fence)])
    assert await tenant.effects() == {}
    assert [event["type"] for event in await tenant.events()] == ["job.canceled"] * 3
    async with tenant.tx() as tx:
        with pytest.raises(NotFound):
            await commands.cancel(tx, uuid4())


async def test_cancel_of_a_running_job_takes_effect_at_a_border(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    mark = uuid4()
    [job] = await tenant.start(Steps(mark=mark, count=200, seconds=0.02))
    task = asyncio.create_task(bench.round(tenant))
    await until(lambda: _steps_done(tenant, job, 2))
    async with tenant.tx() as tx:
        row = await commands.cancel(tx, job)
        told = view(tx.principal, row)
    assert (told.status, told.cancel_requested) == ("running", True)
    await asyncio.wait_for(task, 5)
    row = await tenant.job(job)
    assert row["state"] == "canceled"
    done = await _steps_done(tenant, job, 1)
    assert 2 <= done < 200
    assert sum((await tenant.effects(*(f"step_{place}" for place in range(200)))).values()) == done
    async with tenant.tx() as tx:
        await commands.cancel(tx, job)
    [finished] = await tenant.start(Once(mark=uuid4()))
    await bench.drain(tenant)
    async with tenant.tx() as tx:
        with pytest.raises(NotCancelable):
            await commands.cancel(tx, finished)


async def test_the_heartbeat_reads_the_cancel_flag(place: Place, bench: Bench) -> None:
    """A job that writes nothing hears of the cancel too, at its next border."""
    tenant = place.tenant()
    mark = uuid4()
    [job] = await tenant.start(Once(mark=mark, seconds=1.0))
    task = asyncio.create_task(bench.round(tenant))
    await tenant.until(job, "running")
    async with tenant.tx() as tx:
        await commands.cancel(tx, job)
    await asyncio.wait_for(task, 5)
    assert (await tenant.job(job))["state"] == "canceled"
    assert await tenant.effects() == {}


async def _steps_done(tenant: Tenant, job: UUID, least: int) -> int:
    async with tenant.tx() as tx:
        count = len(await queries.steps(tx, job))
    return count if count >= least else 0


async def test_a_parent_counts_its_children_and_waits(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    mark = uuid4()
    [job] = await tenant.start(Family(mark=mark, children=7))
    await bench.round(tenant)
    row = await tenant.job(job)
    assert (row["state"], row["progress_done"], row["progress_total"], row["attempt"]) == ("waiting", 0, 7, 0)
    assert row["lease_until"] is None  # it holds no worker
    assert await bench.round(tenant) == 7
    row = await tenant.job(job)
    assert (row["state"], row["progress_done"]) == ("ready", 7)
    await bench.drain(tenant)
    row = await tenant.job(job)
    assert row["result"] == {"succeeded": 7, "failed": 0, "canceled": 0}
    assert row["attempt"] == 1
    assert await tenant.effects() == {mark: 7}
    assert await tenant.effects("family") == {mark: 1}
    assert [event["type"] for event in await tenant.events()] == ["job.succeeded"]  # children tell only their parent


async def test_two_last_children_wake_the_parent_once(place: Place, bench: Bench) -> None:
    """The race in which each would think that the other is still open, twenty times."""
    tenant = place.tenant()
    jobs = await tenant.start(*(Family(mark=uuid4(), children=2) for _ in range(20)))
    await bench.round(tenant)
    assert await bench.round(tenant) == 40  # all at once
    assert {(await tenant.job(job))["state"] for job in jobs} == {"ready"}
    await bench.drain(tenant)
    assert all(count == 1 for count in (await tenant.effects("family")).values())


async def test_a_failed_child_is_told_and_can_be_retried(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Family(mark=uuid4(), children=1, failing=True))
    await bench.drain(tenant)
    assert (await tenant.job(job))["result"] == {"succeeded": 1, "failed": 1, "canceled": 0}
    async with tenant.tx() as tx:
        children = await queries.children(tx, job)
    assert sorted(child["state"] for child in children) == ["dead", "succeeded"]


async def test_cancel_of_a_parent_cancels_its_children(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    [job] = await tenant.start(Family(mark=uuid4(), children=3, seconds=1.0))
    await bench.round(tenant)
    released = await bench.release(tenant, most=1)  # one child runs, two wait
    task = asyncio.create_task(bench.runner.run(tenant.facts.id, released[:1]))
    await tenant.until(released[0][0], "running")
    async with tenant.tx() as tx:
        row = await commands.cancel(tx, job)
    assert (row["state"], row["cancel_requested"]) == ("waiting", True)
    await task
    await bench.drain(tenant)
    assert await tenant.states() == {"canceled": 4}
    assert await tenant.effects("effect", "family") == {}
    assert [event["type"] for event in await tenant.events()] == ["job.canceled"]


async def test_a_job_of_later_waits_for_the_tenants_clock(place: Place, bench: Bench) -> None:
    """In a test tenant the frozen clock decides, whatever the database's says."""
    tenant = place.tenant()
    frozen = datetime(2026, 1, 5, 9, tzinfo=UTC)  # before the database's time: its run_at is past
    async with tenant.tx() as tx:
        await tx.insert(models.test_clock, frozen_time=frozen)
    [job] = await tenant.start(Once(mark=uuid4()), due_at=frozen + timedelta(hours=1))
    assert (await tenant.job(job))["state"] == "scheduled"
    await bench.round(tenant)
    row = await tenant.job(job)
    assert (row["state"], row["attempt"]) == ("scheduled", 0)
    assert await bench.round(tenant) == 0
    place.admin(
        f"UPDATE app.test_clock SET frozen_time = frozen_time + interval '2 h' WHERE tenant_id = '{tenant.facts.id}'"
    )
    place.admin(f"UPDATE app.job SET state = 'ready', run_at = clock_timestamp() WHERE id = '{job}'")
    assert await bench.drain(tenant) == {"succeeded": 1}
    async with tenant.tx() as tx:
        told = view(tx.principal, await queries.get(tx, job))
    assert told.started_at == told.finished_at == frozen + timedelta(hours=2)  # tenant time

    live = place.tenant(mode="live")
    soon = datetime.now(UTC) + timedelta(seconds=0.3)
    [later] = await live.start(Once(mark=uuid4()), due_at=soon)
    assert await bench.round(live) == 0
    await asyncio.sleep(0.4)
    assert await bench.drain(live) == {"succeeded": 1}
    assert (await live.job(later))["started_at"] >= soon


async def test_an_idempotent_submit_raced(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    mark = uuid4()
    answers = await asyncio.gather(*(tenant.start(Once(mark=mark), key="pay-2026-11-20") for _ in range(20)))
    assert len({job for [job] in answers}) == 1
    assert await bench.drain(tenant) == {"succeeded": 1}
    [again] = await tenant.start(Once(mark=mark), key="pay-2026-11-20")
    assert [again] == answers[0]
    await bench.drain(tenant)
    assert await tenant.effects() == {mark: 1}


async def test_numpy_in_the_event_loop_does_not_stop_the_heartbeat(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    mark = uuid4()
    [job] = await tenant.start(Blocking(mark=mark, seconds=2.5))  # the lease is 1 s
    swept: list[tuple[UUID, str]] = []

    def sweep_meanwhile() -> None:
        with psycopg.connect(place.settings.dsn("bo_dispatch"), autocommit=True) as connection:
            for _ in range(25):
                swept.extend(connection.execute(routing.SWEEP.encode()).fetchall())
                asyncio.run(asyncio.sleep(0.1))

    sweeping = asyncio.get_running_loop().run_in_executor(None, sweep_meanwhile)
    await bench.round(tenant)
    await sweeping
    row = await tenant.job(job)
    assert swept == []
    assert (row["state"], row["attempt"], row["crashes"]) == ("succeeded", 1, 0)
    assert await tenant.effects() == {mark: 1}


async def test_a_run_whose_lease_is_lost_is_stopped(place: Place, bench: Bench) -> None:
    """The heartbeat finds another fence and cancels the handler, so that its slot is free."""
    tenant = place.tenant()
    mark = uuid4()
    [job] = await tenant.start(Once(mark=mark, seconds=30))
    task = asyncio.create_task(bench.round(tenant))
    await tenant.until(job, "running")
    place.admin(f"UPDATE app.job SET state = 'ready', lease_until = NULL, fence = fence + 1 WHERE id = '{job}'")
    await asyncio.wait_for(task, 5)
    assert (await tenant.job(job))["state"] == "ready"
    assert await tenant.effects() == {}


async def test_draining_gives_back_at_a_border_and_counts_nothing(place: Place, bench: Bench) -> None:
    tenant = place.tenant()
    mark = uuid4()
    [job] = await tenant.start(Steps(mark=mark, count=50, seconds=0.02))
    [long] = await tenant.start(Once(mark=mark, seconds=30))
    task = asyncio.create_task(bench.round(tenant))
    await until(lambda: _steps_done(tenant, job, 2))
    bench.runner.drain()
    await tenant.until(job, "ready", seconds=2)
    assert not task.done()  # the other has no border
    bench.runner.hurry()
    await asyncio.wait_for(task, 5)
    [late] = await tenant.start(Once(mark=mark))
    await bench.round(tenant)  # what arrives now goes back unclaimed
    for each in (job, long, late):
        row = await tenant.job(each)
        assert (row["state"], row["attempt"], row["crashes"]) == ("ready", 0, 0)
    fresh = await Bench.open(place)
    place.admin(f"UPDATE app.job SET payload = payload || '{{\"seconds\": 0}}' WHERE tenant_id = '{tenant.facts.id}'")
    assert await fresh.drain(tenant) == {"succeeded": 3}
    await fresh.close()
    assert sum((await tenant.effects(*(f"step_{place}" for place in range(50)))).values()) == 50


async def test_a_dry_run_previews_what_it_would_start(place: Place) -> None:
    tenant = place.tenant()
    seen: list[object] = []

    async def preview(tx: Tx, payload: PreviewedForTest) -> None:
        seen.append(payload)

    class PreviewedForTest(Once, frozen=True, kw_only=True):
        kind = "test.previewed"

    @registry.handles(PreviewedForTest, preview=preview)
    async def never(run: object, payload: object) -> None:
        raise AssertionError("a dry run runs no job")

    async with tenant.runtime.db.tx(tenant.principal, request_id=new_request_id(), dry_run=True) as tx:
        payload = PreviewedForTest(mark=uuid4())
        await tx.start(payload)
        await tx.start(Once(mark=uuid4()))  # without a preview
        await registry.preview(tx)
        assert seen == [payload]
        for _ in range(200):
            await tx.start(payload)
        with pytest.raises(PreviewTooLarge):
            await registry.preview(tx)
    assert await tenant.states() == {}


async def test_step_names_stand_for_one_step(place: Place, bench: Bench) -> None:
    class TwiceForTest(Once, frozen=True, kw_only=True):
        kind = "test.twice"

    @registry.handles(TwiceForTest)
    async def twice(run: JobRun, payload: TwiceForTest) -> None:
        await run.step("same", job_kinds.effect, payload.mark)
        await run.step("same", job_kinds.effect, payload.mark)

    tenant = place.tenant()
    mark = uuid4()
    [job] = await tenant.start(TwiceForTest(mark=mark))
    await bench.round(tenant)
    assert (await tenant.job(job))["state"] == "retry_wait"  # a fault of the handler, told as one
    assert await tenant.effects() == {mark: 1}


async def test_two_suspects_do_not_meet_again(place: Place, bench: Bench) -> None:
    """Jobs that were in a worker when it died run one at a time in a worker: the innocent outlives the guilty."""
    tenant = place.tenant()
    jobs = await tenant.start(*(Once(mark=uuid4(), seconds=0.2) for _ in range(2)))
    place.admin(f"UPDATE app.job SET crashes = 1 WHERE tenant_id = '{tenant.facts.id}'")
    await bench.round(tenant)
    states = [(await tenant.job(job))["state"] for job in jobs]
    assert sorted(states) == ["ready", "succeeded"]
    [other] = [await tenant.job(job) for job, state in zip(jobs, states, strict=True) if state == "ready"]
    assert (other["attempt"], other["crashes"], other["began_at"]) == (0, 1, other["began_at"])
    assert await bench.drain(tenant) == {"succeeded": 2}
