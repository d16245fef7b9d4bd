"""Metrics in Prometheus' form. Labels name kinds of things, never a person, an object or an amount."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
CONTENT_TYPE = "text/plain; version=0.0.4"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter("bo_http_requests", "HTTP requests", ("method", "route", "status"), registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "bo_http_request_seconds", "Seconds from the first byte in to the last out", ("route",),
    buckets=_SECONDS, registry=REGISTRY,
)  # fmt: skip
REFUSALS = Counter("bo_http_refusals", "Problems answered", ("code",), registry=REGISTRY)
JOBS = Counter("bo_jobs", "Jobs that left a worker", ("kind", "outcome"), registry=REGISTRY)
JOB_SECONDS = Histogram(
    "bo_job_seconds", "Seconds a job ran", ("kind",), buckets=(*_SECONDS, 30, 60), registry=REGISTRY
)
QUEUE_DEPTH = Gauge("bo_queue_depth", "Jobs by state", ("state",), registry=REGISTRY)
JOBS_RUNNING = Gauge("bo_jobs_running", "Jobs this worker runs now", registry=REGISTRY)
SWEPT = Counter("bo_leases_swept", "Leases that ran out", ("state",), registry=REGISTRY)
RELEASE_SECONDS = Histogram(
    "bo_release_seconds", "Seconds from when a job could start to its release", buckets=_SECONDS, registry=REGISTRY
)
DELIVERIES = Counter("bo_webhook_deliveries", "Delivery attempts", ("outcome",), registry=REGISTRY)
DELIVERY_SECONDS = Histogram(
    "bo_webhook_delivery_seconds", "Seconds an attempt took", buckets=_SECONDS, registry=REGISTRY
)
POOL_WAITS = Counter("bo_pool_refusals", "Requests shed because no slot was free", ("why",), registry=REGISTRY)
_requests: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # `labels` takes longer than the counting


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """One request that was answered; `route` is the path's template, never the path."""
    found = _requests.get((method, route, status))
    if found is None:
        found = REQUESTS.labels(method, route, str(status)), REQUEST_SECONDS.labels(route)
        _requests[method, route, status] = found
    found[0].inc()
    found[1].observe(seconds)


def text() -> bytes:
    """The exposition text of this process."""
    return generate_latest(REGISTRY)
