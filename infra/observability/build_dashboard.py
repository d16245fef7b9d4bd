"""Writes dashboard.json: `python infra/observability/build_dashboard.py`. A panel is one line here and fifty there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 8, 7
PANELS: list[tuple[str, str, str, list[tuple[str, str]]]] = [
    # title, unit, what it says, [(expression, legend)]
    ("Jobs by state", "short", "Queued: could start now. Released: to a worker.", [("bo_queue_depth", "{{state}}")]),
    ("Oldest job that could start", "s", "By band.", [("bo_queue_age_seconds", "{{band}}")]),
    ("From due to released, p50 and p99", "s", "What a job waits for its turn.", [
        ("histogram_quantile(0.5, sum by (le) (rate(bo_release_seconds_bucket[1m])))", "p50"),
        ("histogram_quantile(0.99, sum by (le) (rate(bo_release_seconds_bucket[1m])))", "p99"),
    ]),
    ("Jobs in flight by tenant", "short", "The ten with most.", [("topk(10, bo_tenant_jobs_in_flight)", "{{tenant}}")]),
    ("Share of slots by tenant", "percentunit", "Slot-seconds a second over all tenants'; the ten with most.", [(
        "topk(10, rate(bo_tenant_slot_seconds_total[5m]) / scalar(sum(rate(bo_tenant_slot_seconds_total[5m]))))",
        "{{tenant}}",
    )]),
    ("Jobs that left a worker", "ops", "By outcome.", [("sum by (outcome) (rate(bo_jobs_total[1m]))", "{{outcome}}")]),
    ("Seconds a job runs, p95", "s", "By kind.", [
        ("histogram_quantile(0.95, sum by (le, kind) (rate(bo_job_seconds_bucket[5m])))", "{{kind}}"),
    ]),
    ("Leases that ran out", "short", "`running`: a worker died. `released`: a message was lost.", [
        ("increase(bo_leases_swept_total[5m])", "{{state}}"),
    ]),
    ("Dispatchers that lead", "short", "One, always.", [("sum(bo_dispatcher_leading)", "leading")]),
    ("Webhook attempts", "ops", "By outcome.", [
        ("sum by (outcome) (rate(bo_webhook_deliveries_total[1m]))", "{{outcome}}"),
    ]),
    ("Seconds of an attempt, p50 and p99", "s", "The receivers' time.", [
        ("histogram_quantile(0.5, sum by (le) (rate(bo_webhook_delivery_seconds_bucket[1m])))", "p50"),
        ("histogram_quantile(0.99, sum by (le) (rate(bo_webhook_delivery_seconds_bucket[1m])))", "p99"),
    ]),
    ("Endpoints", "short", "In use, and left in peace because they do not answer.", [
        ("bo_courier_lanes", "in use"), ("bo_courier_breakers_open", "breaker open"),
    ]),
    ("Courier", "short", "Requests under way, deliveries held under a lease.", [
        ("bo_courier_in_flight", "under way"), ("bo_courier_held", "held"),
    ]),
    ("Events handed to endpoints", "ops", "Fan-out.", [("rate(bo_courier_events_fanned_out_total[1m])", "events")]),
    ("Courier's writes, p99", "s", "Outcomes and claims, one transaction.", [
        ("histogram_quantile(0.99, sum by (le) (rate(bo_courier_flush_seconds_bucket[1m])))", "p99"),
    ]),
    ("Requests", "reqps", "By status.", [("sum by (status) (rate(bo_http_requests_total[1m]))", "{{status}}")]),
    ("Seconds of a request, p50 and p99", "s", "From the first byte in to the last out.", [
        ("histogram_quantile(0.5, sum by (le) (rate(bo_http_request_seconds_bucket[1m])))", "p50"),
        ("histogram_quantile(0.99, sum by (le) (rate(bo_http_request_seconds_bucket[1m])))", "p99"),
    ]),
    ("Refusals", "ops", "Problems answered, by code.", [
        ("topk(10, sum by (code) (rate(bo_http_refusals_total[5m])))", "{{code}}"),
    ]),
]  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it (schema 39)."""
    return {
        "title": "backoffice",
        "uid": "backoffice",
        "schemaVersion": 39,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "panels": [_panel(number, *each) for number, each in enumerate(PANELS)],
    }


def _panel(number: int, title: str, unit: str, says: str, lines: list[tuple[str, str]]) -> dict[str, Any]:
    column, row = number % 3, number // 3
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "description": says,
        "datasource": source,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(65 + place), "datasource": source, "expr": expression, "legendFormat": legend}
            for place, (expression, legend) in enumerate(lines)
        ],
    }


def text() -> str:
    """What the file holds."""
    return json.dumps(dashboard(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "dashboard.json").write_text(text(), encoding="utf-8")
