"""Bulk jobs behind the queue."""

from __future__ import annotations

import asyncio
from itertools import groupby

from backoffice.accounts.bulk import commands, queries
from backoffice.accounts.bulk.schemas import DiscardUpload, RunBulkJob
from backoffice.kernel import ids
from backoffice.kernel.chunks import in_chunks
from backoffice.kernel.csv_rows import CsvFileRefused
from backoffice.kernel.errors import NotFound
from backoffice.platform import bulk
from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun


@handles(RunBulkJob, unfinished=commands.end_unfinished)
async def run_bulk_job(run: JobRun, payload: RunBulkJob) -> None:
    """Read the file, keep its bad rows, apply the good ones chunk by chunk. The file is the same in every try, and so
    are its chunks: a chunk that is done is not done again."""
    id_ = ids.decode("bulk_job", payload.bulk_job_id)
    if id_ is None:
        raise NotFound
    name, dry_run, content = await run.read(queries.upload, id_)
    operation = bulk.find(name)
    assert operation is not None, name
    try:
        parsed = await asyncio.to_thread(operation.parse, content)
    except CsvFileRefused as refused:
        await run.step("refuse_file", commands.refuse_file, id_, refused)
        raise
    await run.step("begin", commands.begin, id_, parsed.header, parsed.row_count)
    bad = [list(faults) for _, faults in groupby(sorted(parsed.faults), key=lambda fault: fault.row)]
    await run.say(f"{parsed.row_count} rows, {len(bad)} of them with faults.")
    done = 0
    for place, group in enumerate(in_chunks(bad, bulk.CHUNK_ROWS)):
        faults = [fault for row in group for fault in row]
        await run.step(f"faults_{place}", commands.keep_faults, id_, faults, parsed.cells)
        done += len(group)
    for place, rows in enumerate(operation.chunks(parsed.rows)):
        await run.progress(done, parsed.row_count, f"{done} of {parsed.row_count} rows")
        await run.step(f"rows_{place}", commands.apply_rows, id_, operation, rows, parsed.cells, dry_run=dry_run)
        done += len(rows)
    await run.progress(done, parsed.row_count, f"{done} of {parsed.row_count} rows")
    await run.finish(commands.finish, id_)


@handles(DiscardUpload)
async def discard_upload(run: JobRun, payload: DiscardUpload) -> None:
    """Nothing of a file is kept longer than seven days."""
    await run.finish(commands.discard_upload, payload)
