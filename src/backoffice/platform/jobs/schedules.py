"""Schedules: work that recurs, in the tenant's own transaction. A fire is a job whose key is the schedule and the fire
time, so that however many look at a schedule, and however often, each fire time starts one job.

`due_at` is the next fire in tenant time. The dispatcher looks at `next_at`, the same in database time; a tenant whose
clock stands has none, and its schedules fire when the clock is moved past them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, null, select

from backoffice.kernel.clock import rfc3339
from backoffice.kernel.recurrence import CatchUp, Rule, caught_up, due_from, next_fire, parse
from backoffice.platform import models
from backoffice.platform.effects import Effect
from backoffice.platform.jobs import plans, registry
from backoffice.platform.jobs.errors import PayloadRefused, SchedulePaused
from backoffice.platform.jobs.events import SCHEDULE_MISSED, SCHEDULE_PAUSED, SCHEDULE_RESUMED
from backoffice.platform.jobs.kinds import JobPayload
from backoffice.platform.jobs.schedule_view import ScheduleView, schedule_view
from backoffice.platform.outbox import HELD, first_fence
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx

ACTOR: Final = "system:schedule"

_schedule, _job, _clock = models.schedule, models.job, models.test_clock
_LOCKED = (
    select(*_schedule.c)
    .where(_schedule.c.tenant_id == TENANT, _schedule.c.id == bindparam("schedule", type_=Id))
    .with_for_update(skip_locked=True)
)
_STANDS = select(func.count()).select_from(_clock).where(_clock.c.tenant_id == TENANT)


async def fire(tx: Tx, schedule_id: UUID) -> int:
    """Start what a schedule owes by the tenant's clock; how many jobs that made. 0 when it is not due, paused, or in
    another's hands. Fire times that the catch-up rule leaves out, or whose kind the plan no longer has, are told
    (`schedule.missed`)."""
    row = await tx.row(_LOCKED, schedule=schedule_id)
    now = await tx.now()
    if row is None or row["due_at"] is None:
        return 0
    if row["due_at"] > now:  # the tenant's clock was frozen meanwhile: the dispatcher need not look
        await tx.execute(_of(row).values(**await _placed(tx, row["due_at"])))
        return 0
    due = due_from(parse(row["rule"]), row["time_zone"], row["due_at"], now)
    catch_up: CatchUp = row["catch_up"]
    starts = caught_up(due, now, catch_up, row["catch_up_limit"]) if _in_plan(tx, row) else []
    row = await _moved_on(tx, row, due[-1])
    if missed := len(due) - len(starts):
        tx.emit(SCHEDULE_MISSED, schedule_view(tx, row), changed=["last_fire_at"], effects=[_missed(tx, row, missed)])
        tx.audit("schedule.missed", object_type="schedule", object_id=row["id"], changed={"count": missed})
    return len(await _start(tx, [(at, row) for at in starts], state="ready"))


async def clock_passes(tx: Tx, at: datetime) -> int:
    """The tenant's clock has been moved to `at`, where the next schedules are due: record a job for each, by name; how
    many. Their turn comes with what else is due then (`turns.py`).

    Time passes, nothing is missed: the catch-up rule has no say."""
    rows = await tx.fetch(
        select(*_schedule.c)
        .where(_schedule.c.tenant_id == TENANT, _schedule.c.due_at <= at)
        .order_by(_schedule.c.id)
        .with_for_update()
    )
    fires: list[tuple[datetime, Row]] = []
    for row in rows:
        due = due_from(parse(row["rule"]), row["time_zone"], row["due_at"], at)
        fires += [(then, row) for then in due if _in_plan(tx, row)]
        await _moved_on(tx, row, due[-1])
    return len(await _start(tx, sorted(fires, key=lambda each: (each[0], each[1]["name"])), state="scheduled"))


async def clock_was_frozen(tx: Tx, at: datetime) -> None:
    """The tenant's clock was set to `at` and stands: every active schedule goes on from there."""
    rows = await tx.fetch(
        select(*_schedule.c)
        .where(_schedule.c.tenant_id == TENANT, _schedule.c.status == "active")
        .order_by(_schedule.c.id)
        .with_for_update()
    )
    for row in rows:
        await tx.execute(_of(row).values(**await _placed(tx, _next(row, at))))


async def clock_is_real_again(tx: Tx) -> None:
    """The tenant's clock stands no more: every active schedule goes on from now, and has fired for nothing."""
    rows = await tx.fetch(select(*_schedule.c).where(_schedule.c.tenant_id == TENANT).order_by(_schedule.c.id))
    for row in rows:
        placed = {} if row["status"] == "paused" else await _placed(tx, _next(row, await tx.now()))
        await tx.execute(_of(row).values(fired_at=None, **placed))


async def put(tx: Tx, name: str, values: Mapping[str, Any], payload: type[JobPayload]) -> None:
    """Create or change the schedule `name`; `values` are rule, time_zone, catch_up, catch_up_limit, payload and
    source, all valid. A paused one stays paused; a changed rule or zone counts from now on."""
    told = {
        **values,
        "kind": payload.kind,
        "kind_version": payload.version,
        "band": payload.band,
        "max_attempts": payload.max_attempts,
    }
    there = await tx.row(
        select(*_schedule.c).where(_schedule.c.tenant_id == TENANT, _schedule.c.name == name).with_for_update()
    )
    if there is None:
        placed = await _placed(tx, _next(told, await tx.now()))
        await tx.insert(_schedule, id=await tx.new_id(), name=name, **told, **placed)
        return
    if there["status"] == "active" and any(there[each] != told[each] for each in ("rule", "time_zone")):
        told |= await _placed(tx, _next(told, await tx.now()))
    await tx.change(_schedule, there["id"], told)


async def pause(tx: Tx, schedule_id: UUID) -> ScheduleView:
    """Start nothing until `resume`. A paused one is returned as it is. NotFound."""
    row = await tx.change(
        _schedule, schedule_id, {"status": "paused", "due_at": null(), "next_at": null()}, status="active"
    )
    return await _switched(tx, schedule_id, row, "paused")


async def resume(tx: Tx, schedule_id: UUID) -> ScheduleView:
    """Go on from now; what fell into the pause is not caught up. An active one is returned as it is. NotFound."""
    there = await tx.row(_one(schedule_id))
    placed = {} if there is None else await _placed(tx, _next(there, await tx.now()))
    row = await tx.change(_schedule, schedule_id, {"status": "active", **placed}, status="paused")
    return await _switched(tx, schedule_id, row, "resumed")


async def run_now(tx: Tx, row: Row) -> UUID:
    """Start the schedule's work once, now and beside its rule; the job. SchedulePaused (409)."""
    if row["status"] == "paused":
        raise SchedulePaused(f"Resume {row['name']} first.")
    handled = registry.find(row["kind"], row["kind_version"])
    if handled is None:
        raise PayloadRefused(f"{row['kind']} is not known here.")
    payload = handled.decode(row["kind_version"], _with_time(row, await tx.now()))
    tx.audit("schedule.run", object_type="schedule", object_id=row["id"], object_version=row["version"])
    return await tx.start(payload)


# ------------------------------------------------------------------------------------------------------- inside


def _in_plan(tx: Tx, row: Row) -> bool:
    return plans.has(tx.principal.tenant.plan, row["kind"])


def _one(schedule_id: UUID) -> Any:
    return select(*_schedule.c).where(_schedule.c.tenant_id == TENANT, _schedule.c.id == schedule_id)


def _of(row: Row) -> Any:
    return _schedule.update().where(_schedule.c.tenant_id == TENANT, _schedule.c.id == row["id"])


def _next(row: Mapping[str, Any], after: datetime) -> datetime | None:
    rule: Rule = parse(row["rule"])
    return next_fire(rule, row["time_zone"], after)


async def _placed(tx: Tx, due_at: datetime | None) -> dict[str, Any]:
    """The columns that say when it is due next: the dispatcher looks only where the tenant's clock is the real one."""
    stands = await tx.value(_STANDS)
    return {"due_at": due_at, "next_at": None if stands else due_at}


async def _moved_on(tx: Tx, row: Row, fired: datetime) -> Row:
    placed = await _placed(tx, _next(row, fired))
    moved = await tx.row(_of(row).values(fired_at=fired, **placed).returning(*_schedule.c))
    assert moved is not None
    return moved


async def _start(tx: Tx, fires: Sequence[tuple[datetime, Row]], *, state: str) -> list[Row]:
    """One job for each fire time and schedule, in this order; those that are there already are left as they are."""
    now = await tx.now()
    rows = [
        {
            "id": await tx.new_id(),
            **{name: row[name] for name in ("kind", "kind_version", "band", "max_attempts")},
            "key": f"schedule:{row['id']}:{rfc3339(at)}",
            "state": state,
            "payload": _with_time(row, at),
            "actor": ACTOR,
            "request_id": tx.request_id,
            "traceparent": tx.traceparent,
            "due_at": at,
            "created_at": now,
            "updated_at": now,
            **({"run_at": HELD} if state == "scheduled" else {}),
            **(first_fence() if tx.seeded else {}),
        }
        for at, row in fires
    ]
    made = await tx.insert_new(_job, rows)
    tx.rang = tx.rang or bool(made)
    tx.turn = "held" if made and state == "scheduled" else tx.turn
    return made


def _with_time(row: Row, at: datetime) -> dict[str, Any]:
    return {**row["payload"], "scheduled_for": rfc3339(at)}


async def _switched(tx: Tx, schedule_id: UUID, row: Row | None, verb: str) -> ScheduleView:
    if row is None:
        there = await tx.row(_one(schedule_id))
        assert there is not None
        return schedule_view(tx, there)
    view = schedule_view(tx, row)
    nothing = "starts nothing until it is resumed"
    then = "is never due again" if view.next_fire_at is None else f"is due next at {rfc3339(view.next_fire_at)}"
    message = f"The schedule {view.name} {nothing if verb == 'paused' else then}."
    effect = Effect(kind=f"schedule_{verb}", subject=view.id, after=view.status, message=message)
    event = SCHEDULE_PAUSED if verb == "paused" else SCHEDULE_RESUMED
    tx.emit(event, view, changed=["status", "next_fire_at"], effects=[effect])
    tx.audit(f"schedule.{verb}", object_type="schedule", object_id=row["id"], object_version=row["version"])
    return view


def _missed(tx: Tx, row: Row, count: int) -> Effect:
    view = schedule_view(tx, row)
    message = f"{count} fire times of the schedule {view.name} passed while nothing could start, and are left out."
    ask = "Start the work by hand if it is still wanted."
    return Effect(kind="schedule_missed", subject=view.id, after=count, message=message, ask=ask)
