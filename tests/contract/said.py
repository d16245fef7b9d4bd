"""What the product says while a test runs, through its own configuration of logs."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from backoffice.platform import logs


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Every log line, as a process would write it to its standard error."""
    written, stderr = io.StringIO(), sys.stderr
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
