"""What the product says while a test runs, through its own configuration of logs."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from backoffice.platform import logs


class Written(io.TextIOWrapper):
    """A standard error that keeps what is written to it, as text or as bytes."""

    def __init__(self) -> None:
        self._kept = io.BytesIO()
        super().__init__(self._kept, encoding="utf-8", write_through=True)

    def getvalue(self) -> str:
        return self._kept.getvalue().decode()


@contextmanager
def logged() -> Iterator[Written]:
    """Every log line, as a process would write it to its standard error."""
    written, stderr = Written(), sys.stderr
    before, handlers, level = structlog.get_config(), list(logging.root.handlers), logging.root.level
    sys.stderr = written
    try:
        logs.configure("api", "debug")
        structlog.configure(cache_logger_on_first_use=False)  # a cached logger would outlive the test
        yield written
    finally:
        sys.stderr = stderr
        structlog.configure(**before)
        structlog.contextvars.clear_contextvars()
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
