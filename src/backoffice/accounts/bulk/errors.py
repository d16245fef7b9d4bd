"""Refusals of bulk jobs."""

from __future__ import annotations

from backoffice.kernel.errors import AlreadyExists, Problem, StateConflict


class BulkJobExists(AlreadyExists):
    code = "bulk_job_exists"
    title = "A bulk job with this external_id exists"


class BulkJobStarted(StateConflict):
    code = "bulk_job_started"
    title = "The bulk job has its file already"


class UploadGone(Problem):
    """The file was deleted: the job ended, or seven days passed."""

    status = 409
    code = "upload_gone"
    title = "The uploaded file is no longer kept"
