"""The clock of a test tenant: frozen, moved forward, and played from a seed.

Moving it is a job that walks from instant to instant: to the first at which something is due, where it stands by until
all that is due has ended with everything it started, then on. Jobs meanwhile run one after another, by their tenant
time (`platform/jobs/turns.py`). Where the clock has come to is in its row alone, so the job can die anywhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, null, select

from backoffice.accounts import events, queries
from backoffice.accounts.errors import ClockAdvancing, ClockExists, ClockGoesForward, ClockSeeded, TestTenantsOnly
from backoffice.accounts.forecast import falls_due
from backoffice.accounts.schemas import AdvanceTestClock, CreateTestClock, MoveClock, TestClock
from backoffice.kernel import ids
from backoffice.kernel.clock import rfc3339
from backoffice.kernel.errors import FaultList, NotFound
from backoffice.platform import models
from backoffice.platform.effects import Effect
from backoffice.platform.jobs import schedules, turns
from backoffice.platform.jobs.errors import AdvanceTooFar
from backoffice.platform.jobs.lease import Progress
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import check_instant, find_id

FARTHEST: Final = timedelta(days=400)  # of one move
_MINUTE: Final = timedelta(minutes=1)
_clock, _job = models.test_clock, models.job


async def freeze(tx: Tx, data: CreateTestClock, *, seed_: int | None = None) -> TestClock:
    """Freeze the tenant's clock at an instant. TestTenantsOnly for a tenant whose clock is the real one."""
    await must_be_movable(tx)
    faults = FaultList()
    check_instant(faults, "#/frozen_time", data.frozen_time)
    faults.raise_if_any()
    row = await tx.insert_or_none(
        _clock,
        id=ids.new(data.frozen_time) if seed_ is None else ids.SeededIds(seed_, 0).make(data.frozen_time),
        frozen_time=data.frozen_time,
        seed=seed_,
        created_at=data.frozen_time,
        updated_at=data.frozen_time,
        external_id=data.external_id,
        metadata=data.metadata,
    )
    if row is None:
        there = ids.encode("test_clock", (await _held(tx))["id"])
        raise ClockExists(f"It is {there}: POST /v1/test/clocks/{there}/advance.")
    await schedules.clock_was_frozen(tx, data.frozen_time)
    view = queries.clock_view(tx, row)
    message = f"The tenant's clock stands at {rfc3339(row['frozen_time'])} until it is advanced."
    effect = Effect(kind="clock_frozen", subject=view.id, after=rfc3339(row["frozen_time"]), message=message)
    tx.emit(events.TEST_CLOCK_CREATED, view, effects=[effect])
    tx.audit("test_clock.created", object_type="test_clock", object_id=row["id"])
    return view


async def advance(tx: Tx, id_: str, data: AdvanceTestClock) -> TestClock:
    """Start to move the clock forward to `to`, and tell what is due until then. NotFound. 409: ClockAdvancing while it
    is being moved, ClockGoesForward when `to` is earlier than it stands, AdvanceTooFar when it is more than 400 days
    later."""
    clock_id = await find_id(tx, _clock, "test_clock", id_)
    before = await _held(tx)
    if before["id"] != clock_id:
        raise NotFound
    await must_be_movable(tx)
    faults = FaultList()
    check_instant(faults, "#/to", data.to)
    faults.raise_if_any()
    stands = before["frozen_time"]
    if before["status"] == "advancing":
        raise ClockAdvancing(
            f"It is on its way to {rfc3339(before['advancing_to'])}; wait for {ids.encode('job', before['job_id'])}."
        )
    if data.to < stands:
        raise ClockGoesForward(f"The clock stands at {rfc3339(stands)}.")
    if data.to - stands > FARTHEST:
        raise AdvanceTooFar(f"Advance in parts, first to {rfc3339(stands + FARTHEST)} at the latest.")
    shown = ids.encode("test_clock", clock_id)
    job_id = await tx.start(MoveClock(clock_id=shown, since=stands, to=data.to))
    row = await tx.change(_clock, clock_id, {"status": "advancing", "advancing_to": data.to, "job_id": job_id})
    assert row is not None
    view = queries.clock_view(tx, row)
    message = (
        f"The tenant's clock is on its way to {rfc3339(data.to)}; all that falls due until then runs in its order."
    )
    effect = Effect(
        kind="clock_advancing", subject=view.id, before=rfc3339(stands), after=rfc3339(data.to), message=message
    )
    effects = [effect, await falls_due(tx, view.id, data.to)]
    tx.emit(events.TEST_CLOCK_ADVANCE_STARTED, view, changed=["status", "advancing_to"], effects=effects)
    tx.audit("test_clock.advance_started", object_type="test_clock", object_id=clock_id, object_version=row["version"])
    return view


async def seed(tx: Tx, seed_: int, at: datetime) -> TestClock:
    """From here on, this request included, the tenant's ids are drawn from a seed. Its clock is frozen `at`, unless it
    stands already. TestTenantsOnly; ClockAdvancing; ClockSeeded when it has a seed (409)."""
    await must_be_movable(tx)
    if await tx.value(select(_clock.c.id).where(_clock.c.tenant_id == TENANT)) is None:
        await freeze(tx, CreateTestClock(frozen_time=at), seed_=seed_)
        row = await _held(tx)
    else:
        before = await _held(tx)
        if before["seed"] is not None:
            raise ClockSeeded(f"It is played from the seed {before['seed']}. Reset it first: POST /v1/test/resets.")
        if before["status"] == "advancing":
            raise ClockAdvancing("Wait until it is ready.")
        changed = await tx.change(_clock, before["id"], {"seed": seed_})
        assert changed is not None
        row = changed
    tx.forget_time()
    await tx.name_request()
    view = queries.clock_view(tx, row)
    message = f"What is made in this tenant from now on has ids drawn from the seed {seed_}, and its jobs take turns."
    effect = Effect(kind="clock_seeded", subject=view.id, after=seed_, message=message)
    tx.emit(events.TEST_CLOCK_SEEDED, view, changed=["seed"], effects=[effect])
    tx.audit("test_clock.seeded", object_type="test_clock", object_id=row["id"], object_version=row["version"])
    return view


# ---------------------------------------------------------------------------------------------------- from the job


async def next_instant(tx: Tx, job_id: UUID, payload: MoveClock) -> Progress | None:
    """Move the clock to the next instant at which something is due, and start that; how far it is then. Where it stands
    while something has not ended. None, with the clock at `to`, when nothing is left."""
    clock = await _held(tx)
    now = clock["frozen_time"]
    while not await turns.is_busy(tx, job_id, now):
        due = await turns.next_due(tx)
        passes = due is not None and due <= payload.to
        now = max(now, due) if passes and due is not None else payload.to
        await _put(tx, now)
        if not passes:
            return None
        await schedules.clock_passes(tx, now)
    done, total = (now - payload.since) // _MINUTE, (payload.to - payload.since) // _MINUTE
    return done, total, f"at {rfc3339(now)}"


async def arrive(tx: Tx, payload: MoveClock) -> TestClock:
    """The clock has come to `to`, and stands there."""
    row = await _stop(tx)
    failed = await tx.value(
        select(func.count()).where(
            _job.c.tenant_id == TENANT,
            _job.c.state == "dead",
            _job.c.parent_id.is_(None),
            _job.c.updated_at >= payload.since,
        )
    )
    view = queries.clock_view(tx, row)
    message = f"The tenant's clock moved to {rfc3339(payload.to)}; all that fell due until then has run."
    ask = f"{failed} jobs have failed on the way: look at /v1/jobs?status=failed." if failed else None
    before, after = rfc3339(payload.since), rfc3339(payload.to)
    effect = Effect(kind="clock_advanced", subject=view.id, before=before, after=after, message=message, ask=ask)
    changed, previous = ["frozen_time", "status"], {"frozen_time": before}
    tx.emit(events.TEST_CLOCK_ADVANCED, view, changed=changed, previous=previous, effects=[effect])
    tx.audit("test_clock.advanced", object_type="test_clock", object_id=row["id"], object_version=row["version"])
    return view


async def stopped(tx: Tx, payload: MoveClock, status: str) -> None:
    """The move was canceled, or has failed: the clock stands where it had come to."""
    row = await _stop(tx)
    view = queries.clock_view(tx, row)
    stands = rfc3339(row["frozen_time"])
    effect = Effect(
        kind="clock_stopped",
        subject=view.id,
        before=rfc3339(payload.since),
        after=stands,
        message=f"The move of the tenant's clock to {rfc3339(payload.to)} {_WORDS[status]}; it stands at {stands}.",
        ask="Advance it again: it goes on from there.",
    )
    tx.emit(events.TEST_CLOCK_STOPPED, view, changed=["frozen_time", "status"], effects=[effect])
    tx.audit("test_clock.stopped", object_type="test_clock", object_id=row["id"], object_version=row["version"])


_WORDS: Final = {"failed": "has failed", "canceled": "was canceled"}


async def preview_move(tx: Tx, payload: MoveClock) -> None:
    """Inside a dry run: the clock's own move. What is due on the way has been told, and does not run."""
    await _put(tx, payload.to)
    await arrive(tx, payload)


async def must_be_movable(tx: Tx) -> None:
    """TestTenantsOnly (409) where the clock is the real one."""
    if (await queries.tenant_settings(tx)).clock != "movable":
        raise TestTenantsOnly("Use a test tenant's key.")


async def _held(tx: Tx) -> Row:
    """The tenant's one clock, locked."""
    row = await tx.row(select(*_clock.c).where(_clock.c.tenant_id == TENANT).with_for_update(key_share=True))
    if row is None:
        raise NotFound
    return row


async def _put(tx: Tx, at: datetime) -> None:
    await tx.execute(
        _clock.update()
        .where(_clock.c.tenant_id == TENANT)
        .values(frozen_time=at, version=_clock.c.version + 1, updated_at=at)
    )
    tx.forget_time()


async def _stop(tx: Tx) -> Row:
    values: dict[str, Any] = {"status": "ready", "advancing_to": null()}
    row = await tx.change(_clock, (await _held(tx))["id"], values, status="advancing")
    assert row is not None
    return row
