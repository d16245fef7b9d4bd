"""Reads of bulk jobs: their pages, and the file for the job that runs them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import select

from backoffice.accounts.bulk import models
from backoffice.accounts.bulk.errors import UploadGone
from backoffice.accounts.bulk.schemas import BulkJob, BulkRow, RowCounts, RowError, RowFault
from backoffice.accounts.bulk.states import STATUSES
from backoffice.kernel import ids
from backoffice.kernel.csv_rows import CsvFault, ParsedCsv, with_errors
from backoffice.kernel.errors import NotFound
from backoffice.platform import bulk
from backoffice.platform.crypto import Cell, Sealed
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import find_id, noun_fields
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page

_jobs, _uploads, _rows = models.bulk_job, models.bulk_upload, models.bulk_row
MASK = "***"

BULK_JOBS = Listing(
    _jobs,
    filters={
        "status": Filter(_jobs.c.status, values=STATUSES),
        "operation": Filter(_jobs.c.operation),
        "dry_run": Filter(_jobs.c.dry_run),
    },
    sorts=("created_at",),
)
ROWS = Listing(
    _rows,
    filters={
        "status": Filter(_rows.c.status, values=models.ROW_STATUSES),
        "number": Filter(_rows.c.number, operators=("gt", "gte", "lt", "lte")),
    },
    sorts=("number",),
)


def bulk_job_view(tx: Tx, row: Row) -> BulkJob:
    return BulkJob(
        **noun_fields(tx, "bulk_job", row),
        operation=row["operation"],
        format=row["format"],
        status=row["status"],
        dry_run=row["dry_run"],
        job_id=None if row["job_id"] is None else ids.encode("job", row["job_id"]),
        rows=RowCounts(**{name: row[name] for name in RowCounts.__struct_fields__}),
        effects=row["effects"],
        problem=row["problem"],
        finished_at=row["finished_at"],
    )


async def bulk_job(tx: Tx, id_: str) -> BulkJob:
    return bulk_job_view(tx, await record(tx, id_))


async def bulk_jobs(tx: Tx, query: Query) -> Page[BulkJob]:
    return await page(tx, BULK_JOBS, query, lambda row: bulk_job_view(tx, row))


async def rows(tx: Tx, id_: str, query: Query) -> Page[BulkRow]:
    """Rows with what became of them, without their cells."""
    job = await record(tx, id_)

    def view(row: Row) -> BulkRow:
        whole = [each for each in row["errors"] if not each["column"]]
        return BulkRow(
            number=row["number"],
            status=row["status"],
            outcome=row["outcome"],
            object_id=row["object_id"],
            errors=msgspec.convert([each for each in row["errors"] if each["column"]], list[RowFault]),
            row_error=msgspec.convert(whole[0], RowError) if whole else None,
        )

    return await page(tx, ROWS, query, view, narrow=[_rows.c.bulk_job_id == job["id"]])


async def errors_csv(tx: Tx, id_: str) -> str:
    """The bad rows as they came, with an `error` column, for correction. Cells of sensitive columns come back to the
    person who sent them and to nobody else; UploadGone (409) after seven days."""
    job = await record(tx, id_)
    operation = bulk.find(job["operation"])
    if job["header"] is None or operation is None:
        raise UploadGone("There is no file, or it was not read.")
    found = await tx.fetch(
        select(_rows.c.id, _rows.c.number, _rows.c.errors, _rows.c.cells_sealed)
        .where(_rows.c.tenant_id == TENANT, _rows.c.bulk_job_id == job["id"], _rows.c.status == "failed")
        .order_by(_rows.c.number)
    )
    if any(row["cells_sealed"] is None for row in found):
        raise UploadGone("The cells of bad rows are kept for seven days.")
    sender = tx.principal.person_id is not None and tx.principal.person_id == job["sent_by"]
    hidden = () if sender else operation.sensitive
    header = tuple(job["header"])
    cipher = await tx.cipher()
    cells: dict[int, tuple[str, ...]] = {}
    for row in found:
        opened = cipher.open(
            Cell("bulk_row", "cells", row["id"]), Sealed(bytes(row["cells_sealed"])), purpose="bulk_errors"
        )
        cells[row["number"]] = _masked(header, msgspec.json.decode(opened, type=list[str]), hidden)
    faults = [CsvFault(row=row["number"], **each) for row in found for each in row["errors"]]
    return with_errors(ParsedCsv((), tuple(faults), header, cells))


def _masked(header: Sequence[str], cells: Sequence[str], hidden: Sequence[str]) -> tuple[str, ...]:
    """Sensitive cells hidden; in a row whose cells do not stand under their headers nothing is known, so all are."""
    if not hidden:
        return tuple(cells)
    if len(cells) != len(header):
        return tuple(MASK for _ in cells)
    return tuple(MASK if name in hidden and cell else cell for name, cell in zip(header, cells, strict=True))


async def upload(tx: Tx, bulk_job_id: UUID) -> tuple[str, bool, bytes]:
    """For the job: the operation, whether to rehearse, and the file in clear. UploadGone when it is not kept."""
    job = await tx.row(
        select(_jobs.c.operation, _jobs.c.dry_run).where(_jobs.c.tenant_id == TENANT, _jobs.c.id == bulk_job_id)
    )
    parts = await tx.fetch(
        select(_uploads.c.content)
        .where(_uploads.c.tenant_id == TENANT, _uploads.c.bulk_job_id == bulk_job_id)
        .order_by(_uploads.c.part)
    )
    if job is None or not parts:
        raise UploadGone
    sealed = b"".join(bytes(part["content"]) for part in parts)
    cipher = await tx.cipher()
    content = await asyncio.to_thread(cipher.open_file, bulk_job_id, sealed, purpose="bulk_rows")
    return job["operation"], job["dry_run"], content


async def record(tx: Tx, text: str) -> Row:
    """The bulk job that an id or `ext:…` names; NotFound."""
    id_ = await find_id(tx, _jobs, "bulk_job", text)
    row = await tx.row(select(*_jobs.c).where(_jobs.c.tenant_id == TENANT, _jobs.c.id == id_))
    if row is None:
        raise NotFound
    return row
