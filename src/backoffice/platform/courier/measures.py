"""What the courier tells Prometheus, besides deliveries and their seconds in `platform/metrics.py`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from backoffice.platform.metrics import REGISTRY

IN_FLIGHT = Gauge("bo_courier_in_flight", "Requests under way", registry=REGISTRY)
HELD = Gauge("bo_courier_held", "Deliveries in memory under a lease", registry=REGISTRY)
LANES = Gauge("bo_courier_lanes", "Endpoints in memory", registry=REGISTRY)
BREAKERS_OPEN = Gauge("bo_courier_breakers_open", "Endpoints that are left in peace", registry=REGISTRY)
FANNED_OUT = Counter("bo_courier_events_fanned_out", "Events handed to their endpoints", registry=REGISTRY)
FAULTS = Counter("bo_courier_faults", "Rounds of a loop that failed and were repeated", ("loop",), registry=REGISTRY)
STALE = Counter("bo_courier_stale_results", "Results whose lease another process had taken", registry=REGISTRY)
FLUSH_SECONDS = Histogram(
    "bo_courier_flush_seconds",
    "Seconds to write results and claim",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
    registry=REGISTRY,
)
