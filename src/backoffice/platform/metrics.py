"""Metrics in Prometheus' form. Labels name kinds of things, and tenants where fairness between them is shown; never a
person, an object or an amount."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from backoffice.kernel import ids

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
QUEUE_DEPTH = Gauge("bo_queue_depth", "Jobs by state; queued: could start now", ("state",), registry=REGISTRY)
QUEUE_AGE = Gauge("bo_queue_age_seconds", "Seconds the oldest job could have started", ("band",), registry=REGISTRY)
LEADING = Gauge("bo_dispatcher_leading", "1 in the dispatcher that leads", registry=REGISTRY)
TENANT_IN_FLIGHT = Gauge("bo_tenant_jobs_in_flight", "Released or running jobs", ("tenant",), registry=REGISTRY)
TENANT_SLOT_SECONDS = Counter("bo_tenant_slot_seconds", "Slot-seconds used by jobs", ("tenant",), registry=REGISTRY)
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
_shown: set[str] = set()  # tenants whose jobs in flight are shown
_requests: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # `labels` takes longer than the counting
_jobs: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
_deliveries: dict[str, Counter] = {}


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """One request that was answered; `route` is the path's template, never the path."""
    found = _requests.get((method, route, status))
    if found is None:
        found = REQUESTS.labels(method, route, str(status)), REQUEST_SECONDS.labels(route)
        _requests[method, route, status] = found
    found[0].inc()
    found[1].observe(seconds)


def count_job(kind: str, outcome: str, seconds: float) -> None:
    """One job that left a worker; `outcome` is what the try came to, in a word."""
    found = _jobs.get((kind, outcome))
    if found is None:
        found = _jobs[kind, outcome] = JOBS.labels(kind, outcome), JOB_SECONDS.labels(kind)
    found[0].inc()
    found[1].observe(seconds)


def count_delivery(outcome: str, seconds: float) -> None:
    """One attempt at a webhook; `outcome` is `delivered` or an error code."""
    found = _deliveries.get(outcome)
    if found is None:
        found = _deliveries[outcome] = DELIVERIES.labels(outcome)
    found.inc()
    DELIVERY_SECONDS.observe(seconds)


def show_shares(in_flight: Mapping[UUID, int], paid: Mapping[UUID, float]) -> None:
    """What each tenant has in flight now, and the slot-seconds it used since the last call. A tenant without jobs in
    flight is not shown: only those at work take room."""
    global _shown
    there = {ids.encode("tenant", tenant): count for tenant, count in in_flight.items()}
    for tenant in _shown - there.keys():
        TENANT_IN_FLIGHT.remove(tenant)
    for tenant, count in there.items():
        TENANT_IN_FLIGHT.labels(tenant).set(count)
    for tenant_id, seconds in paid.items():
        TENANT_SLOT_SECONDS.labels(ids.encode("tenant", tenant_id)).inc(max(0.0, seconds))
    _shown = set(there)


def text() -> bytes:
    """The exposition text of this process."""
    return generate_latest(REGISTRY)
