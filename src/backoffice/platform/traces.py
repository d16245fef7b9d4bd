"""Traces of requests and jobs (OpenTelemetry). A caller's `traceparent` is continued, and carried to the jobs and
events a request causes. Spans leave as log lines unless OTEL_EXPORTER_OTLP_ENDPOINT names a collector."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanContext, SpanKind, TraceFlags

from backoffice.platform import logs

_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")
_tracer: trace.Tracer = trace.NoOpTracer()


class _LogExporter(SpanExporter):
    """One log line a span; for machines without a collector."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        log = logs.get("traces")
        for span in spans:
            assert span.context is not None
            taken = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
            log.info(
                "span",
                name=span.name,
                milliseconds=round(taken, 3),
                trace_id=f"{span.context.trace_id:032x}",
                span_id=f"{span.context.span_id:016x}",
            )
        return SpanExportResult.SUCCESS


def configure(process: str, share: float) -> None:
    """Sample `share` (0 to 1) of the traces that start here; a caller's decision is kept."""
    global _tracer
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"backoffice-{process}"}),
        sampler=ParentBased(TraceIdRatioBased(share)),
    )
    exporter: SpanExporter = _LogExporter()
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = provider.get_tracer("backoffice")


@contextmanager
def span(name: str, *, traceparent: str | None = None, server: bool = False, **attributes: Any) -> Iterator[Span]:
    """A span, child of `traceparent` when that is one (an invalid one is ignored, as W3C Trace Context asks)."""
    parent = None
    if traceparent and (match := _TRACEPARENT.match(traceparent)):
        parent = trace.set_span_in_context(
            trace.NonRecordingSpan(
                SpanContext(int(match[1], 16), int(match[2], 16), True, TraceFlags(int(match[3], 16)))
            ),
            context.Context(),
        )
    kind = SpanKind.SERVER if server else SpanKind.INTERNAL
    with _tracer.start_as_current_span(name, context=parent, kind=kind, attributes=attributes) as opened:
        yield opened


def traceparent(of: Span) -> str | None:
    """The W3C form of a span, to be carried on; None for an invalid one (tracing is off)."""
    told: Mapping[str, Any] | SpanContext = of.get_span_context()
    assert isinstance(told, SpanContext)
    if not told.is_valid:
        return None
    return f"00-{told.trace_id:032x}-{told.span_id:016x}-{int(told.trace_flags):02x}"
