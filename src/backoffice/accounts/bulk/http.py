"""/v1/bulk_jobs."""

from __future__ import annotations

from litestar import Request, Response
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from backoffice.accounts.bulk import commands, queries
from backoffice.accounts.bulk.schemas import BulkJob, BulkRow, CreateBulkJob
from backoffice.platform.web.lists import Page
from backoffice.platform.web.routes import InTx, Listed, Upload, get, post


@post("/v1/bulk_jobs", scope="bulk_jobs:write", keyed="optional")
async def create_bulk_job(tx: InTx, data: JSONBody[CreateBulkJob]) -> BulkJob:
    """Say what a file will be used for; send it with `start`."""
    return await commands.create(tx, data)


@get("/v1/bulk_jobs", scope="bulk_jobs:read", listing=queries.BULK_JOBS)
async def list_bulk_jobs(tx: InTx, listed: Listed) -> Page[BulkJob]:
    """Bulk jobs of this tenant."""
    return await queries.bulk_jobs(tx, listed)


@get("/v1/bulk_jobs/{bulk_job_id:str}", scope="bulk_jobs:read")
async def get_bulk_job(tx: InTx, bulk_job_id: FromPath[str]) -> BulkJob:
    """One bulk job, with what became of its rows."""
    return await queries.bulk_job(tx, bulk_job_id)


@post(
    "/v1/bulk_jobs/{bulk_job_id:str}/start",
    scope="bulk_jobs:write",
    status=202,
    media=("text/csv",),
    dry_run_is_a_job=True,
)
async def start_bulk_job(
    tx: InTx, bulk_job_id: FromPath[str], upload: Upload, request: Request[object, object, State]
) -> BulkJob:
    """Send the file as the body and queue the job; with `dry_run=true` the job rehearses and stores nothing."""
    dry_run = request.query_params.get("dry_run") == "true"
    return await commands.start(tx, bulk_job_id, upload, dry_run=dry_run)


@get("/v1/bulk_jobs/{bulk_job_id:str}/rows", scope="bulk_jobs:read", listing=queries.ROWS)
async def list_bulk_rows(tx: InTx, bulk_job_id: FromPath[str], listed: Listed) -> Page[BulkRow]:
    """Rows of the file with what became of them."""
    return await queries.rows(tx, bulk_job_id, listed)


@get("/v1/bulk_jobs/{bulk_job_id:str}/errors.csv", scope="bulk_jobs:read", produces="text/csv", problems=(409,))
async def get_bulk_errors(tx: InTx, bulk_job_id: FromPath[str]) -> Response[str]:
    """The bad rows as they came, with an `error` column, to correct and send again."""
    return Response(await queries.errors_csv(tx, bulk_job_id), media_type="text/csv")


handlers: list[object] = [
    create_bulk_job,
    list_bulk_jobs,
    get_bulk_job,
    start_bulk_job,
    list_bulk_rows,
    get_bulk_errors,
]
