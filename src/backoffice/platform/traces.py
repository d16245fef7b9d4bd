"""Traces of requests and jobs (OpenTelemetry). A caller's `traceparent` (W3C Trace Context) is continued, and carried
to the jobs and events a request causes. Spans leave as log lines unless OTEL_EXPORTER_OTLP_ENDPOINT names a collector.

Whether a trace is kept is decided here, before a span is made: at one in a hundred, 99 requests pay nothing for it."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Protocol, Self

from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from backoffice.platform import logs

# Version 00: trace id, span id, flags; ids of zeros only are invalid (W3C Trace Context §3.2.2).
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED = 1


class Span(Protocol):
    """What the edge and the worker do with a span."""

    def update_name(self, name: str) -> None: ...

    def set_attribute(self, key: str, value: Any) -> None: ...

    @property
    def traceparent(self) -> str | None:
        """To be carried on; None where tracing is off and nobody asked for it."""


class _Kept:
    """A span that is kept."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def update_name(self, name: str) -> None:
        self._span.update_name(name)

    def set_attribute(self, key: str, value: Any) -> None:
        self._span.set_attribute(key, value)

    @property
    def traceparent(self) -> str:
        told = self._span.get_span_context()
        return f"00-{told.trace_id:032x}-{told.span_id:016x}-{int(told.trace_flags):02x}"


class _NotKept:
    """A trace that is not kept. What it causes hears that it is not, so that a trace is whole or not there."""

    __slots__ = ("_parent",)

    def __init__(self, parent: str | None) -> None:
        self._parent = parent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return

    def update_name(self, name: str) -> None:
        return

    def set_attribute(self, key: str, value: Any) -> None:
        return

    @property
    def traceparent(self) -> str | None:
        if self._parent is not None:
            return self._parent
        return f"00-{random.getrandbits(128) | 1:032x}-{random.getrandbits(64) | 1:016x}-00"


class LogExporter(SpanExporter):
    """One log line a span; for machines without a collector."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        log = logs.get("traces")
        for span in spans:
            assert span.context is not None
            taken = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
            log.info(
                "span",
                span=span.name,
                milliseconds=round(taken, 3),
                trace_id=f"{span.context.trace_id:032x}",
                span_id=f"{span.context.span_id:016x}",
                parent_span_id=f"{span.parent.span_id:016x}" if span.parent else None,
            )
        return SpanExportResult.SUCCESS


_provider: TracerProvider | None = None
_tracer: trace.Tracer | None = None
_share = 0.0


def configure(process: str, share: float, *, exporter: SpanExporter | None = None) -> None:
    """Keep `share` (0 to 1) of the traces that start here; a caller's decision holds for its own."""
    global _provider, _tracer, _share
    if exporter is None and os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter()
    resource = Resource.create({"service.name": f"backoffice-{process}"})
    _provider = TracerProvider(resource=resource, sampler=ALWAYS_ON)  # what is not kept is not made
    _provider.add_span_processor(BatchSpanProcessor(exporter or LogExporter()))
    _tracer, _share = _provider.get_tracer("backoffice"), share


def span(
    name: str, *, traceparent: str | None = None, server: bool = False, **attributes: Any
) -> AbstractContextManager[Span]:
    """A span, child of `traceparent` when that is one (an invalid one is ignored, as W3C Trace Context asks)."""
    caller = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    kept = int(caller[3], 16) & _SAMPLED if caller else random.random() < _share  # noqa: S311 - no secret
    if _tracer is None or not kept:
        return _NotKept(traceparent if caller else None)
    return _kept_span(_tracer, name, caller, server, attributes)


@contextmanager
def _kept_span(
    tracer: trace.Tracer, name: str, caller: re.Match[str] | None, server: bool, attributes: dict[str, Any]
) -> Iterator[Span]:
    parent = context.Context()
    if caller:
        told = SpanContext(int(caller[1], 16), int(caller[2], 16), True, TraceFlags(int(caller[3], 16)))
        parent = trace.set_span_in_context(trace.NonRecordingSpan(told), parent)
    kind = SpanKind.SERVER if server else SpanKind.INTERNAL
    with tracer.start_as_current_span(
        name,
        context=parent,
        kind=kind,
        attributes=attributes,
        record_exception=False,  # its text may quote data
        set_status_on_exception=False,
    ) as opened:
        yield _Kept(opened)


def flush() -> None:
    """Hand over what is kept and not sent yet; for a process that ends without its exit handlers."""
    if _provider is not None:
        _provider.force_flush(2_000)
