"""What a transaction says, written just before its commit: audit rows, jobs, events. The rows are the outbox."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from backoffice.kernel import ids
from backoffice.platform import models
from backoffice.platform.events import Cause
from backoffice.platform.events import body as event_body
from backoffice.platform.jobs.kinds import JobPayload

if TYPE_CHECKING:
    from backoffice.platform.tx import Row, Tx


HELD: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""`run_at` of a job that the dispatcher does not look at: its turn comes (`jobs/turns.py`)."""


@dataclass(slots=True)
class Started:
    """A job of a transaction, before it is written."""

    id: UUID
    payload: JobPayload
    key: str | None
    due_at: datetime | None
    parent_id: UUID | None
    progress_total: int
    written: bool = False


async def write(tx: Tx) -> None:
    """Write what a transaction said: audit rows, jobs, events (each object's events numbered without a gap)."""
    new_jobs = [job for job in tx.started if not job.written]
    if not (tx.audited or new_jobs or tx.emitted):
        return
    now = await tx.now()
    if tx.audited:
        who = {
            "actor": tx.principal.actor,
            "actor_kind": tx.principal.actor_kind,
            "key_id": tx.principal.key_id,
            "request_id": tx.request_id,
        }
        rows = [{"id": ids.new(now), **who, **row} for row in tx.audited]  # by chance: they outlive a reset
        tx.audited.clear()
        await tx.insert_many(models.audit_event, rows)
    if new_jobs:
        rows = [job_row(tx, job, now) for job in new_jobs]
        for job in new_jobs:
            job.written = True
        tx.rang = True
        tx.turn = "held" if tx.in_turn else tx.turn
        await tx.insert_many(models.job, [row for row in rows if "run_at" not in row])
        await tx.insert_many(models.job, [row for row in rows if "run_at" in row])
    if tx.emitted:
        await _write_events(tx, now)
        tx.rang = True


def job_row(tx: Tx, job: Started, now: datetime) -> dict[str, Any]:
    """The row of a job as it is first stored."""
    waits = job.due_at is not None and job.due_at > now
    in_turn = tx.in_turn and not job.payload.out_of_turn
    row: dict[str, Any] = {
        "id": job.id,
        "kind": job.payload.kind,
        "kind_version": job.payload.version,
        "key": job.key,
        "band": job.payload.band,
        "state": "scheduled" if waits or in_turn else "ready",
        "payload": msgspec.to_builtins(job.payload),
        "actor": tx.principal.actor,
        "request_id": tx.request_id,
        "traceparent": tx.traceparent,
        "parent_id": job.parent_id,
        "due_at": job.due_at,
        "max_attempts": job.payload.max_attempts,
        "progress_total": job.progress_total,
        "created_at": now,
        "updated_at": now,
    }
    if tx.seeded:
        row |= first_fence()
    if in_turn:
        row["run_at"] = HELD
    elif waits:  # a claim looks again whether the tenant's clock, which may stand still, has come so far
        row["run_at"] = job.due_at
    return row


def first_fence() -> dict[str, int]:
    """Columns of a new job whose id comes from a seed, and may come again after a reset: it begins at a fence of its
    own, so that who held its namesake holds nothing. Clients see version and fence together, and so no difference."""
    fence = secrets.randbits(48)
    return {"fence": fence, "version": 1 - fence}


async def _write_events(tx: Tx, now: datetime) -> None:
    counts: dict[UUID, int] = {}
    for emitted in tx.emitted:
        counts[emitted.object_id] = counts.get(emitted.object_id, 0) + 1
    ordered = sorted(counts.items())  # one order of locks for everybody
    # Arrays, as in insert_many: one statement for any number, compiled never.
    rows: list[Row] = await tx.connection.fetch(
        "INSERT INTO app.object_sequence AS s (tenant_id, object_id, last) "
        "SELECT $1::uuid, rows.* FROM unnest($2::uuid[], $3::bigint[]) AS rows "
        "ON CONFLICT (tenant_id, object_id) DO UPDATE SET last = s.last + excluded.last "
        "RETURNING s.object_id, s.last",
        tx.tenant,
        [id_ for id_, _ in ordered],
        [count for _, count in ordered],
    )
    next_ = {row["object_id"]: row["last"] - counts[row["object_id"]] + 1 for row in rows}
    written = []
    own = Cause(tx.principal, tx.request_id, tx.traceparent)
    for emitted in tx.emitted:
        id_, cause = await tx.new_id(), emitted.cause or own
        number = next_[emitted.object_id]
        next_[emitted.object_id] += 1
        written.append(
            {
                "id": id_,
                "type": emitted.kind.name,
                "object_type": emitted.kind.object_type,
                "object_id": emitted.object_id,
                "object_sequence": number,
                "body": event_body(emitted, id_=id_, at=now, object_sequence=number, cause=cause),
                "actor": cause.principal.actor,
                "request_id": cause.request_id,
                "traceparent": cause.traceparent,
                "occurred_at": now,
            }
        )
    tx.emitted.clear()
    await tx.insert_many(models.event, written)
