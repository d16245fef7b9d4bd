"""What the doctor concludes from facts: pure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backoffice.platform.doctor.examine import Band, Facts, examine, healthy

WELL = Facts(leader=True, courier=True, slots=8, bands={"normal": Band(3, 0.4)}, released=1, running=2, connections=20,
             max_connections=200, transaction_seconds=0.1)  # fmt: skip
OLD = {"normal": Band(7, 300.0)}


def test_nothing_is_said_when_nothing_is_wrong() -> None:
    assert examine(WELL) == []


@pytest.mark.parametrize(
    ("changes", "code", "wrong"),
    [
        ({"leader": False}, "no_dispatcher", True),
        ({"slots": 0}, "no_worker", True),
        ({"slots": None, "broker_error": "ConnectionClosed"}, "broker_unreachable", True),
        ({"leases_late": 2}, "leases_not_swept", True),
        ({"bands": OLD}, "jobs_wait", True),
        ({"bands": OLD, "running": 8}, "jobs_wait", False),
        ({"bands": OLD, "at_cap": 1}, "jobs_wait", False),
        ({"bands": OLD, "at_limit": 1}, "jobs_wait", False),
        ({"schedules_late": 2}, "schedules_late", True),
        ({"unknown_kinds": {"payroll.predict": 4}}, "unknown_kind", True),
        ({"dead": {"payroll.calculate": 2}}, "dead_jobs", False),
        ({"courier": False}, "no_courier", True),
        ({"deliveries_due": 5, "deliveries_oldest_seconds": 90.0}, "deliveries_late", False),  # left in peace, all
        ({"deliveries_due": 5, "deliveries_oldest_seconds": 90.0, "deliveries_leased": 3}, "deliveries_late", False),
        ({"delivery_leases_late": 1}, "deliveries_not_swept", True),
        ({"events_waiting": 9}, "events_waiting", False),
        ({"deliveries_stopped": 40}, "deliveries_stopped", False),
        ({"disk_full": True}, "disk_full", True),
        ({"transaction_seconds": 700.0}, "long_transaction", True),
        ({"connections": 199}, "connections_short", True),
    ],
)
def test_one_fact_one_finding(changes: dict[str, object], code: str, wrong: bool) -> None:
    facts = replace(WELL, **changes)  # type: ignore[arg-type]
    [finding] = examine(facts)
    assert finding.code == code
    assert healthy([finding]) is not wrong
    assert all((finding.what, finding.why, finding.remedy))


def test_causes_stand_before_what_follows_from_them() -> None:
    facts = replace(WELL, leader=False, slots=0, bands=OLD, dead={"a.b": 1}, transaction_seconds=100.0)
    assert [each.code for each in examine(facts)] == ["no_dispatcher", "no_worker", "dead_jobs", "long_transaction"]


def test_the_numbers_are_told() -> None:
    [finding] = examine(replace(WELL, bands={"bulk": Band(12, 7_300.0)}))
    assert "12 bulk jobs" in finding.what
    assert "2.0 h" in finding.what
    assert "2 of 8 slots" in finding.why
