"""What is told when a job ends. Only a job without a parent tells it."""

from __future__ import annotations

from backoffice.platform.events import event_type
from backoffice.platform.jobs.view import JobView

JOB_SUCCEEDED = event_type("job.succeeded", JobView, "/v1/jobs/{id}", "A job has done its work; `result` holds it.")
JOB_FAILED = event_type(
    "job.failed", JobView, "/v1/jobs/{id}", "A job has given up; `problem` says why. An operator can retry it."
)
JOB_CANCELED = event_type("job.canceled", JobView, "/v1/jobs/{id}", "A job was canceled before it had finished.")
