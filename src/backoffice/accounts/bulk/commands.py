"""Writes of bulk jobs: created, started with a file, applied chunk by chunk, ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select

from backoffice.accounts.bulk import events, models, queries
from backoffice.accounts.bulk.errors import BulkJobExists, BulkJobStarted
from backoffice.accounts.bulk.schemas import BulkJob, CreateBulkJob, DiscardUpload, RunBulkJob
from backoffice.accounts.bulk.states import ENDED
from backoffice.kernel import ids
from backoffice.kernel.csv_rows import CsvFault, CsvFileRefused, CsvRow
from backoffice.kernel.errors import BadRequest, Fault, NotFound, ValidationFailed
from backoffice.platform import bulk
from backoffice.platform.bulk import Applied, Operation
from backoffice.platform.crypto import Cell
from backoffice.platform.effects import Effect
from backoffice.platform.events import EventType
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.problems import ScopeMissing

KEPT = timedelta(days=7)
EFFECTS_KEPT = 100
_jobs, _uploads, _rows = models.bulk_job, models.bulk_upload, models.bulk_row


async def create(tx: Tx, data: CreateBulkJob) -> BulkJob:
    """Say what a file will be used for. ValidationFailed (422) for an operation that is not known; ScopeMissing (403)
    when the caller may not do what its rows do."""
    operation = bulk.find(data.operation)
    if operation is None:
        detail = f"must be one of: {', '.join(bulk.names())}"
        raise ValidationFailed([Fault("unknown_operation", detail, pointer="#/operation")])
    _must_allow(tx, operation)
    row = await tx.insert_or_none(
        _jobs,
        id=await tx.new_id(),
        operation=data.operation,
        format=data.format,
        status="created",
        external_id=data.external_id,
        metadata=data.metadata,
    )
    if row is None:
        raise BulkJobExists(errors=[Fault("already_in_use", "is another bulk job's", pointer="#/external_id")])
    message = f"A bulk job for {data.operation} waits for its file."
    return _tell(tx, row, events.BULK_JOB_CREATED, "created", message)


async def start(tx: Tx, id_: str, content: bytes, *, dry_run: bool) -> BulkJob:
    """Take the file and queue the job. BulkJobStarted (409) when it has one; BadRequest (400) for an empty file."""
    before = await queries.record(tx, id_)
    operation = bulk.find(before["operation"])
    if operation is None:
        raise NotFound
    _must_allow(tx, operation)
    if not content:
        raise BadRequest("Send the file as the body of this request, as text/csv.")
    shown = ids.encode("bulk_job", before["id"])
    job_id = await tx.start(RunBulkJob(bulk_job_id=shown), key=shown)
    values = {"status": "queued", "dry_run": dry_run, "job_id": job_id, "sent_by": tx.principal.person_id}
    row = await tx.change(_jobs, before["id"], values, status="created")
    if row is None:
        raise BulkJobStarted("Create another bulk job for another file.")
    cipher = await tx.cipher()
    sealed = await asyncio.to_thread(cipher.seal_file, row["id"], content)
    for part, begin in enumerate(range(0, len(sealed), models.PART_BYTES)):
        piece = sealed[begin : begin + models.PART_BYTES]
        await tx.insert(_uploads, bulk_job_id=row["id"], part=part, content=piece)
    await tx.start(DiscardUpload(bulk_job_id=shown), key=shown, due_at=await tx.now() + KEPT)
    what = "rehearsed" if dry_run else "applied"
    return _tell(tx, row, events.BULK_JOB_STARTED, "started", f"The rows of a file for {row['operation']} are {what}.")


# ---------------------------------------------------------------------------------------------------- from the job


async def begin(tx: Tx, bulk_job_id: UUID, header: Sequence[str], total: int) -> None:
    """The file is read; its rows are next."""
    job = await _held(tx, bulk_job_id)
    if job["status"] != "running":
        values = {"status": "running", "header": list(header), "total": total, "problem": None, "finished_at": None}
        await tx.change(_jobs, bulk_job_id, values)


async def keep_faults(
    tx: Tx, bulk_job_id: UUID, faults: Sequence[CsvFault], cells: Mapping[int, Sequence[str]]
) -> None:
    """Rows that could not be read."""
    await _note(tx, bulk_job_id, Applied(faults=list(faults)), cells, [])


async def apply_rows(
    tx: Tx,
    bulk_job_id: UUID,
    operation: Operation[Any],
    rows: Sequence[CsvRow[Any]],
    cells: Mapping[int, Sequence[str]],
    *,
    dry_run: bool,
) -> None:
    """One chunk by the operation's own command. A rehearsal is the same command, undone."""
    applied, effects = Applied(), list[Effect]()
    try:
        async with tx.savepoint():
            applied = await operation.apply(tx, rows)
            effects = tx.effects()
            if dry_run:
                raise _Rehearsed
    except _Rehearsed:
        pass
    await _note(tx, bulk_job_id, applied, cells, effects)


async def refuse_file(tx: Tx, bulk_job_id: UUID, refused: CsvFileRefused) -> None:
    """No row of the file can be read; it is not kept. The job fails after this, and says so."""
    await _held(tx, bulk_job_id)
    problem = {
        "code": refused.code,
        "title": refused.title,
        "detail": refused.detail,
        "errors": [fault.body() for fault in refused.faults],
    }
    await tx.change(_jobs, bulk_job_id, {"problem": problem})
    await _drop_upload(tx, bulk_job_id)


async def finish(tx: Tx, bulk_job_id: UUID) -> BulkJob:
    """Every row was taken or refused; the file is no longer needed."""
    await _held(tx, bulk_job_id)
    row = await tx.change(_jobs, bulk_job_id, {"status": "succeeded", "finished_at": await tx.now()})
    assert row is not None
    await _drop_upload(tx, bulk_job_id)
    good = row["created"] + row["updated"] + row["unchanged"]
    message = f"{good} of {row['total']} rows {'would go' if row['dry_run'] else 'went'} in, {row['failed']} come back."
    ask = "Correct the rows of errors.csv and send them again." if row["failed"] else None
    return _tell(tx, row, events.BULK_JOB_FINISHED, "finished", message, ask)


async def end_unfinished(tx: Tx, payload: RunBulkJob, status: str) -> None:
    """The job failed or was canceled: so is the bulk job; rows that went in stay. A failed job's file is kept for a
    retry, up to seven days."""
    bulk_job_id = _decoded(payload.bulk_job_id)
    job = await _held(tx, bulk_job_id)
    if job["status"] in ENDED:
        return
    row = await tx.change(_jobs, bulk_job_id, {"status": status, "finished_at": await tx.now()})
    assert row is not None
    if status == "canceled":
        await _drop_upload(tx, bulk_job_id)
    message = f"The bulk job {status} before its last row; rows that went in before stay."
    _tell(tx, row, events.BULK_JOB_FAILED, status, message)


async def discard_upload(tx: Tx, payload: DiscardUpload) -> None:
    """Seven days after the start: nothing of the file is kept any longer."""
    bulk_job_id = _decoded(payload.bulk_job_id)
    await _drop_upload(tx, bulk_job_id)
    await tx.execute(
        _rows.update()
        .where(_rows.c.tenant_id == TENANT, _rows.c.bulk_job_id == bulk_job_id, _rows.c.cells_sealed.is_not(None))
        .values(cells_sealed=None)
    )
    tx.audit("bulk_job.upload_discarded", object_type="bulk_job", object_id=bulk_job_id)


# --------------------------------------------------------------------------------------------------------- inside


class _Rehearsed(Exception):
    """Ends a rehearsal."""


async def _note(
    tx: Tx, bulk_job_id: UUID, applied: Applied, cells: Mapping[int, Sequence[str]], effects: Iterable[Effect]
) -> None:
    """Add what became of some rows to the bulk job's account."""
    job = await _held(tx, bulk_job_id)
    faults: dict[int, list[CsvFault]] = {}
    for fault in sorted(applied.faults):
        faults.setdefault(fault.row, []).append(fault)
    good = [each for each in applied.outcomes if each.number not in faults]
    rows: list[dict[str, Any]] = [
        {
            "id": await tx.new_id(),
            "bulk_job_id": bulk_job_id,
            "number": each.number,
            "status": "succeeded",
            "outcome": each.outcome,
            "object_id": None if job["dry_run"] and each.outcome == "created" else each.object_id,
            "errors": [],
            "cells_sealed": None,
        }
        for each in good
    ]
    cipher = await tx.cipher()
    for number, found in faults.items():
        id_ = await tx.new_id()
        text = msgspec.json.encode(list(cells.get(number, ()))).decode()
        rows.append(
            {
                "id": id_,
                "bulk_job_id": bulk_job_id,
                "number": number,
                "status": "failed",
                "outcome": None,
                "object_id": None,
                "errors": [{"column": each.column, "code": each.code, "detail": each.detail} for each in found],
                "cells_sealed": cipher.seal(Cell("bulk_row", "cells", id_), text),
            }
        )
    await tx.insert_many(_rows, rows)
    counts = {name: job[name] + sum(each.outcome == name for each in good) for name in bulk.OUTCOMES}
    kept = [*job["effects"], *(msgspec.to_builtins(effect) for effect in effects)][:EFFECTS_KEPT]
    again = {"status": "running", "finished_at": None}  # a failed job that was retried
    await tx.change(_jobs, bulk_job_id, {**again, **counts, "failed": job["failed"] + len(faults), "effects": kept})


async def _drop_upload(tx: Tx, bulk_job_id: UUID) -> None:
    await tx.execute(_uploads.delete().where(_uploads.c.tenant_id == TENANT, _uploads.c.bulk_job_id == bulk_job_id))


async def _held(tx: Tx, bulk_job_id: UUID) -> Row:
    row = await tx.row(select(*_jobs.c).where(_jobs.c.tenant_id == TENANT, _jobs.c.id == bulk_job_id).with_for_update())
    if row is None:
        raise NotFound
    return row


def _must_allow(tx: Tx, operation: Operation[Any]) -> None:
    if not tx.principal.allows(operation.scope):
        raise ScopeMissing(operation.scope)


def _decoded(text: str) -> UUID:
    bulk_job_id = ids.decode("bulk_job", text)
    assert bulk_job_id is not None, text
    return bulk_job_id


def _tell(tx: Tx, row: Row, kind: EventType, verb: str, message: str, ask: str | None = None) -> BulkJob:
    """The event, effect and audit row of a bulk job's own verbs. The rows' effects stand in the object."""
    view = queries.bulk_job_view(tx, row)
    after = {"status": row["status"], "failed": row["failed"]}
    effect = Effect(kind=f"bulk_job_{verb}", subject=view.id, after=after, message=message, ask=ask)
    tx.emit(kind, msgspec.structs.replace(view, effects=[]), changed=["status"], effects=[effect])
    tx.audit(f"bulk_job.{verb}", object_type="bulk_job", object_id=row["id"], object_version=row["version"])
    return view
