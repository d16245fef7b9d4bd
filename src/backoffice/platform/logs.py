"""Logs: one JSON object a line, with tenant, request, job and actor. Only keys of `LOG_FIELDS` pass; the rest is
dropped, and named in the line, so that a careless line can never carry a name, a number or an amount.

`begin(request_id=…)` starts what all lines of one request or job carry, `also(tenant=…)` adds to it."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

# Ids, words of our own and counts. No key here may ever hold what a person typed: not `name`, not `text`, not `path`.
LOG_FIELDS = frozenset(
    {
        *("timestamp", "level", "process", "part", "event", "dropped_fields"),
        *("tenant", "request_id", "job_id", "actor", "key_id", "endpoint_id", "delivery_id", "trace_id", "span_id"),
        *("parent_span_id", "span", "kind", "state", "attempt", "fence", "method", "route", "status", "milliseconds"),
        *("code", "count", "done", "total", "band", "worker", "unit", "pid", "exit_code", "seconds", "loop", "version"),
        *("error_type", "where", "sql_state", "port", "revision", "signal", "queue", "phase", "logger", "said"),
    }
)
_bound: ContextVar[dict[str, Any] | None] = ContextVar("log_fields", default=None)
_encode = msgspec.json.Encoder(enc_hook=lambda value: type(value).__name__).encode
_process = ""


def begin(**fields: Any) -> None:
    """From here on, in this task, every line carries these fields and none of those bound before."""
    _bound.set(fields)


def also(**fields: Any) -> None:
    """From here on, in this task, every line carries these fields too."""
    _bound.set({**(_bound.get() or {}), **fields})


def _line(_: Any, level: str, event: MutableMapping[str, Any]) -> bytes:
    """The line: what is bound, what is said, and nothing that `LOG_FIELDS` does not know."""
    said = {
        "timestamp": datetime.now(UTC),
        "level": level,
        "process": _process,
        **(_bound.get() or {}),
        **event,
    }
    dropped = said.keys() - LOG_FIELDS
    if dropped:
        said = {key: value for key, value in said.items() if key in LOG_FIELDS}
        said["dropped_fields"] = sorted(dropped)
    return _encode(said)


def error_fields(error: BaseException) -> dict[str, Any]:
    """What may be logged of an exception: its type and where it was raised; never its text, which may quote data."""
    where = ""
    frame = error.__traceback__
    while frame is not None:
        code = frame.tb_frame.f_code
        if "backoffice" in code.co_filename:
            where = f"{code.co_filename.rsplit('backoffice/', 1)[-1]}:{frame.tb_lineno} {code.co_name}"
        frame = frame.tb_next
    fields: dict[str, Any] = {"error_type": type(error).__name__, "where": where}
    sql_state = getattr(error, "sqlstate", None)
    if sql_state:
        fields["sql_state"] = sql_state
    return fields


class Library(logging.Handler):
    """What libraries say, without what they say it about: the text with its places left open, or, where the text was
    made up already, only where it was said."""

    def emit(self, record: logging.LogRecord) -> None:
        fields = error_fields(record.exc_info[1]) if record.exc_info and record.exc_info[1] else {}
        fields["where"] = fields.get("where") or f"{record.module}:{record.lineno}"
        if isinstance(record.msg, str) and record.args:
            fields["said"] = record.msg[:200]
        structlog.get_logger().warning("library", logger=record.name, **fields)


def _unhandled(error: BaseException | None) -> None:
    """What ends a process or a thread is a line as any other: Python's own report would quote the exception's text."""
    if error is not None and not isinstance(error, KeyboardInterrupt):
        structlog.get_logger().critical("crashed", **error_fields(error))


def configure(process: str, level: str = "info") -> None:
    """Set up structlog for a process; library loggers speak from warning upwards."""
    global _process
    _process = process
    structlog.configure(
        processors=[_line],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    sys.excepthook = lambda _, error, __: _unhandled(error)
    threading.excepthook = lambda told: _unhandled(told.exc_value)
    logging.root.handlers = [Library()]
    logging.root.setLevel(logging.WARNING)


def get(name: str) -> Any:
    """A logger; `name` says which part of the product speaks."""
    return structlog.get_logger(part=name)
