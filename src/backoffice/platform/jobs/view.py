"""A job as clients see it (`/v1/jobs`, job.* events)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from backoffice.kernel import ids
from backoffice.platform.jobs.states import STATUS
from backoffice.platform.principal import Principal
from backoffice.platform.tx import Row

Status = Literal["queued", "running", "succeeded", "canceled", "failed"]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is: `done` of `total` (0 when it is not known), with a short text."""

    done: int
    total: int
    text: str | None = None


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """All instants are tenant time. `version` rises with every change that can be seen, progress included. Nobody but
    us makes jobs, so `metadata` is empty."""

    id: str
    object: str = "job"
    livemode: bool
    kind: str
    status: Status
    progress: Progress
    cancel_requested: bool
    attempt: int
    max_attempts: int
    parent: str | None = None
    result: Any = None
    problem: dict[str, Any] | None = None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    version: int
    metadata: dict[str, str] = {}


def view(principal: Principal, row: Row) -> JobView:
    """The outward form of a row of `app.job` (all its columns)."""
    status: Status = STATUS[row["state"]]  # type: ignore[assignment]
    ended = status in ("succeeded", "canceled", "failed")
    return JobView(
        id=ids.encode("job", row["id"]),
        livemode=principal.tenant.livemode,
        kind=row["kind"],
        status=status,
        progress=Progress(done=row["progress_done"], total=row["progress_total"], text=row["progress_text"]),
        cancel_requested=row["cancel_requested"],
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        parent=None if row["parent_id"] is None else ids.encode("job", row["parent_id"]),
        result=row["result"],
        problem=row["problem"] if status == "failed" else None,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        started_at=row["began_at"],
        finished_at=row["updated_at"] if ended else None,
        # The dispatcher moves a job without seeing its version: the fence, which it raises, counts with it.
        version=row["version"] + row["fence"],
    )


class Said(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    text: str


class JobTry(msgspec.Struct, frozen=True, kw_only=True):
    """One try. `outcome`: running, succeeded, retried (it failed and is tried again), failed, canceled, crashed (its
    worker was lost), given_back (its worker was stopped in order) or waiting (for the jobs it started)."""

    outcome: str
    started_at: datetime | None
    ended_at: datetime | None = None
    milliseconds: int | None = None
    error_code: str | None = None
    said: list[Said] = []


class JobLogs(msgspec.Struct, frozen=True, kw_only=True):
    """The tries of a job, oldest first, with what it said in each. Real time, not the tenant's clock: this is about
    the work. `cut` says that there were more than are shown."""

    id: str
    object: str = "job_logs"
    livemode: bool
    tries: list[JobTry]
    cut: bool = False


def logs_view(principal: Principal, row: Row, entries: Sequence[Row], *, cut: bool) -> JobLogs:
    """From the row of a job and those of its log, oldest first."""
    ends: dict[int, tuple[str, datetime | None, datetime | None, str | None]] = {}
    said: dict[int, list[Said]] = {}
    for entry in entries:
        if entry["said"] is not None:
            said.setdefault(entry["fence"], []).append(Said(at=entry["at"], text=entry["said"]))
        else:
            ends[entry["fence"]] = entry["outcome"], entry["started_at"], entry["at"], entry["error_code"]
    if row["state"] == "running":
        ends[row["fence"]] = "running", row["started_at"], None, None
    elif row["state"] == "succeeded":
        ends[row["fence"] - 1] = "succeeded", row["started_at"], row["finished_at"], None
    tries = []
    for fence, (outcome, started, ended, code) in sorted(ends.items()):
        took = None if started is None or ended is None else round((ended - started).total_seconds() * 1000)
        tries.append(
            JobTry(
                outcome=outcome,
                started_at=started,
                ended_at=ended,
                milliseconds=took,
                error_code=code,
                said=said.get(fence, []),
            )
        )
    return JobLogs(id=ids.encode("job", row["id"]), livemode=principal.tenant.livemode, tries=tries, cut=cut)
