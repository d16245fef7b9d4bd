"""What accounts does behind the queue: bulk jobs."""

from __future__ import annotations

from backoffice.accounts.bulk.jobs import discard_upload, run_bulk_job

__all__ = ["discard_upload", "run_bulk_job"]
