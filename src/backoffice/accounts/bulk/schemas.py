"""What goes in and comes out of bulk jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from backoffice.platform.jobs.kinds import Band, JobPayload
from backoffice.platform.web.bodies import ExternalId, Metadata, Noun


class CreateBulkJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file will be used for; the file comes with `start`."""

    external_id: ExternalId | None = None
    operation: Annotated[str, Meta(pattern=r"^[a-z_]+\.[a-z_]+$", max_length=60, examples=["workers.upsert"])]
    format: Literal["csv"] = "csv"
    metadata: Metadata = {}


class RowCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the file by what became of them; `total` without blank lines."""

    total: int
    created: int
    updated: int
    unchanged: int
    failed: int


class BulkJob(Noun, kw_only=True):
    """`job_id` shows progress. `effects` are the first hundred of what the rows did, or would do in a dry run."""

    operation: str
    format: str
    status: str
    dry_run: bool
    job_id: str | None
    rows: RowCounts
    effects: list[Any]
    problem: dict[str, Any] | None
    finished_at: datetime | None


class RowFault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of one cell."""

    column: str
    code: str
    detail: str


class RowError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a row as a whole was refused."""

    code: str
    detail: str


class BulkRow(msgspec.Struct, kw_only=True):
    """One row of the file; `number` as a spreadsheet shows it, the header being row 1. A failed row has `errors` of its
    cells, or a `row_error` where no cell is to blame."""

    object: str = "bulk_row"
    number: int
    status: str
    outcome: str | None
    object_id: str | None
    errors: list[RowFault]
    row_error: RowError | None


class RunBulkJob(JobPayload, frozen=True, kw_only=True):
    """Read the file and apply its rows."""

    kind: ClassVar[str] = "bulk.run"
    band: ClassVar[Band] = "bulk"
    bulk_job_id: str


class DiscardUpload(JobPayload, frozen=True, kw_only=True):
    """Delete what is left of the file, and the cells of its bad rows."""

    kind: ClassVar[str] = "bulk.discard_upload"
    band: ClassVar[Band] = "bulk"
    bulk_job_id: str
