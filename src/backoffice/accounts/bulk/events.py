"""What bulk jobs tell. What their rows do is told by the events of what they change."""

from __future__ import annotations

from backoffice.accounts.bulk.schemas import BulkJob
from backoffice.platform.events import event_type

_PATH = "/v1/bulk_jobs/{id}"

BULK_JOB_CREATED = event_type("bulk_job.created", BulkJob, _PATH, "A bulk job waits for its file.", status="created")
BULK_JOB_STARTED = event_type(
    "bulk_job.started", BulkJob, _PATH, "A bulk job has its file and is queued.", status="queued"
)
BULK_JOB_FINISHED = event_type(
    "bulk_job.finished", BulkJob, _PATH, "Every row of a file was taken or refused.", status="succeeded"
)
BULK_JOB_FAILED = event_type(
    "bulk_job.failed", BulkJob, _PATH, "A bulk job ended before its last row: failed or canceled.", status="failed"
)
