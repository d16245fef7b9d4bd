"""Logs: one JSON object a line, with tenant, request, job and actor. Only keys of `LOG_FIELDS` pass; the rest is
dropped, so that a careless line can never carry a name, a number or an amount."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

LOG_FIELDS = frozenset(
    {
        *("event", "level", "timestamp", "part", "process", "tenant", "request_id", "job_id", "actor", "key_id"),
        *("kind", "state", "attempt", "fence", "method", "route", "path", "status", "milliseconds", "code", "reason"),
        *("count", "done", "total", "band", "worker", "unit", "pid", "exit_code", "seconds", "delivery_id"),
        *("endpoint_id", "error_type", "where", "host", "port", "revision", "sql_state", "trace_id", "span_id"),
        *("name", "version", "address", "signal", "queue", "phase", "dropped_fields"),
    }
)
_NEVER_IN_TEXT = ("exc_info", "stack_info")


def _only_known(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    dropped = [key for key in event if key not in LOG_FIELDS and key not in _NEVER_IN_TEXT]
    for key in dropped:
        del event[key]
    for key in _NEVER_IN_TEXT:
        event.pop(key, None)
    if dropped:
        event["dropped_fields"] = sorted(dropped)
    return event


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


def configure(process: str, level: str = "info") -> None:
    """Set up structlog for a process; library loggers speak from warning upwards, without their texts' arguments."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_known,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)

    class Library(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            fields = error_fields(record.exc_info[1]) if record.exc_info and record.exc_info[1] else {}
            text = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
            structlog.get_logger().warning("library", name=record.name, reason=text[:200], **fields)

    logging.root.handlers = [Library()]
    logging.root.setLevel(logging.WARNING)


def get(name: str) -> Any:
    """A logger; `name` says which part of the product speaks."""
    return structlog.get_logger(part=name)
