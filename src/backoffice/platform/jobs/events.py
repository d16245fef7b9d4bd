"""What is told when a job ends (only a job without a parent tells it), and of schedules."""

from __future__ import annotations

from backoffice.platform.events import event_type
from backoffice.platform.jobs.schedule_view import ScheduleView
from backoffice.platform.jobs.view import JobView

JOB_SUCCEEDED = event_type(
    "job.succeeded", JobView, "/v1/jobs/{id}", "A job has done its work; `result` holds it.", status="succeeded"
)
JOB_FAILED = event_type(
    "job.failed",
    JobView,
    "/v1/jobs/{id}",
    "A job has given up; `problem` says why. An operator can retry it.",
    status="failed",
)
JOB_CANCELED = event_type(
    "job.canceled", JobView, "/v1/jobs/{id}", "A job was canceled before it had finished.", status="canceled"
)

_SCHEDULE = "/v1/schedules/{id}"
SCHEDULE_PAUSED = event_type(
    "schedule.paused", ScheduleView, _SCHEDULE, "A schedule starts nothing until resumed.", status="paused"
)
SCHEDULE_RESUMED = event_type(
    "schedule.resumed", ScheduleView, _SCHEDULE, "A schedule starts its work again.", status="active"
)
SCHEDULE_MISSED = event_type(
    "schedule.missed",
    ScheduleView,
    _SCHEDULE,
    "Fire times passed while nothing could start; its rule leaves them out.",
    status="active",
)
