"""timesheets.upsert: hours from CSV, and the weeks of the firms in the repository."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.staffing.csv_files import TIMESHEET_COLUMNS, TimesheetRow, parse_timesheets, with_errors

TENANTS = Path(__file__).parents[2] / "tenants"
HEADER = "worker_external_id,assignment_external_id,work_date,hours,external_id\n"
WEEK = [date(2026, 11, 9) + timedelta(days) for days in range(7)]
FIRMS = ["northwind-staffing", "harbor-talent"]


def rows_of(firm: str, name: str) -> list[dict[str, str]]:
    with (TENANTS / firm / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_is_a_day_on_an_assignment() -> None:
    result = parse_timesheets(HEADER + "W-1,A-1,2026-11-09,7.75,T-1\n")
    assert result.rows[0].number == 2
    assert result.rows[0].record == TimesheetRow(
        worker_external_id="W-1",
        assignment_external_id="A-1",
        work_date=date(2026, 11, 9),
        hours=Decimal("7.75"),
        external_id="T-1",
    )


@given(st.decimals(-1, 30, places=2))
def test_hours_of_a_day_are_more_than_0_and_at_most_24(hours: Decimal) -> None:
    result = parse_timesheets(HEADER + f"W-1,A-1,2026-11-09,{hours},T-1\n")
    if 0 < hours <= 24:
        assert result.rows[0].record.hours == hours
    else:
        assert [(fault.column, fault.code) for fault in result.faults] == [("hours", "hours_out_of_range")]


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        (",A-1,2026-11-09,8,T-1", "worker_external_id", "required"),
        ("W-1,A 1,2026-11-09,8,T-1", "assignment_external_id", "not_an_external_id"),
        ("W-1,A-1,11/9/2026,8,T-1", "work_date", "not_a_date"),
        ("W-1,A-1,2026-11-09,8h,T-1", "hours", "not_a_decimal"),
        ("W-1,A-1,2026-11-09,7.125,T-1", "hours", "not_a_decimal"),
        ('W-1,A-1,2026-11-09,"7,5",T-1', "hours", "not_a_decimal"),
        ("W-1,A-1,2026-11-09,8,", "external_id", "required"),
        ("W-1,A-1,2026-11-09,8", "", "wrong_number_of_cells"),
    ],
)
def test_faults(row: str, column: str, code: str) -> None:
    result = parse_timesheets(HEADER + row + "\n")
    assert [(fault.row, fault.column, fault.code) for fault in result.faults] == [(2, column, code)]


def test_the_same_day_twice_under_another_name() -> None:
    result = parse_timesheets(HEADER + "W-1,A-1,2026-11-09,8,T-1\nW-1,A-1,2026-11-09,4,T-2\nW-1,A-1,2026-11-10,8,T-1\n")
    assert [(fault.row, fault.column, fault.detail) for fault in result.faults] == [
        (3, "work_date", "row 2 has the same assignment_external_id and work_date"),
        (4, "external_id", "row 2 has the same external_id"),
    ]


def test_northwinds_week_has_its_three_faults() -> None:
    """Two are seen in the file; that a worker is not known is seen with the workers beside it."""
    firm = "northwind-staffing"
    result = parse_timesheets((TENANTS / firm / "timesheets.csv").read_bytes())
    assert [(fault.row, fault.column, fault.code) for fault in result.faults] == [
        (114, "hours", "hours_out_of_range"),
        (251, "external_id", "duplicate_row"),
    ]
    assert [fault.detail for fault in result.faults] == [
        "must be more than 0 and at most 24 in one day, and is 25.00",
        "row 244 has the same external_id",
    ]
    assert result.row_count == 291
    known = {row["external_id"] for row in rows_of(firm, "workers.csv")}
    assert [
        (row.number, row.record.worker_external_id) for row in result.rows if row.record.worker_external_id not in known
    ] == [(36, "NW-0600")]
    assert with_errors(result).split("\n")[1].startswith("NW-0022,NW-A-0026,2026-11-13,25.00,")


def test_harbors_week_is_clean() -> None:
    result = parse_timesheets((TENANTS / "harbor-talent" / "timesheets.csv").read_bytes())
    assert result.faults == ()
    assert len(result.rows) == 61


@pytest.mark.parametrize("firm", FIRMS)
def test_the_files_of_a_firm_fit_together(firm: str) -> None:
    workers = {row["external_id"]: row for row in rows_of(firm, "workers.csv")}
    clients = {row["external_id"] for row in rows_of(firm, "clients.csv")}
    assignments = {row["external_id"]: row for row in rows_of(firm, "assignments.csv")}
    assert len(assignments) == len(rows_of(firm, "assignments.csv"))
    for assignment in assignments.values():
        worker = workers[assignment["worker_external_id"]]
        assert assignment["client_external_id"] in clients
        assert assignment["start_date"] >= worker["hire_date"]
        assert assignment["work_state"] == worker["state"]
        markup = Decimal(assignment["bill_rate"]) / Decimal(assignment["pay_rate"])
        assert Decimal("1.34") < markup < Decimal("1.61")
    for row in parse_timesheets((TENANTS / firm / "timesheets.csv").read_bytes()).rows:
        record = row.record
        assert record.work_date in WEEK
        assert record.work_date >= date.fromisoformat(assignments[record.assignment_external_id]["start_date"])
        if record.worker_external_id in workers:
            assert assignments[record.assignment_external_id]["worker_external_id"] == record.worker_external_id
    paid = {
        row.record.worker_external_id for row in parse_timesheets((TENANTS / firm / "timesheets.csv").read_bytes()).rows
    }
    assert paid >= set(workers)


@pytest.mark.parametrize("firm", FIRMS)
def test_no_hours_and_no_place_that_would_block_the_run(firm: str) -> None:
    assignments = {row["external_id"]: row for row in rows_of(firm, "assignments.csv")}
    by_day: defaultdict[tuple[str, date], Decimal] = defaultdict(Decimal)
    for row in parse_timesheets((TENANTS / firm / "timesheets.csv").read_bytes()).rows:
        assignment = assignments[row.record.assignment_external_id]
        by_day[assignment["worker_external_id"], row.record.work_date] += row.record.hours
    in_california = {row["worker_external_id"] for row in assignments.values() if row["work_state"] == "CA"}
    # California Labor Code 510(a): over 8 hours in a day, or a seventh day.
    assert all(hours <= 8 for (worker, _), hours in by_day.items() if worker in in_california)
    assert all(sum(worker == of for of, _ in by_day) < 7 for worker, _ in by_day)
    # Minimum wages of 1 July 2026 in the states' own laws; higher ones of cities do not reach these places.
    floors = {"CA": "16.90", "NY": "16.00", "TX": "7.25", "IL": "15.00", "PA": "7.25"}
    places = {"NEW YORK", "YONKERS", "PHILADELPHIA", "PITTSBURGH"}
    for assignment in assignments.values():
        assert Decimal(assignment["pay_rate"]) >= max(Decimal(floors[assignment["work_state"]]), Decimal(17))
        assert assignment["work_city"].upper() not in places
    assert not places & {row["city"].upper() for row in rows_of(firm, "workers.csv")}


def test_northwind_shows_the_weighted_regular_rate() -> None:
    """Several workers pass 40 hours on two assignments at different rates."""
    firm = "northwind-staffing"
    assignments = {row["external_id"]: row for row in rows_of(firm, "assignments.csv")}
    hours: defaultdict[str, Decimal] = defaultdict(Decimal)
    rates: defaultdict[str, set[str]] = defaultdict(set)
    for row in parse_timesheets((TENANTS / firm / "timesheets.csv").read_bytes()).rows:
        hours[row.record.worker_external_id] += row.record.hours
        rates[row.record.worker_external_id].add(assignments[row.record.assignment_external_id]["pay_rate"])
    mixed = [worker for worker, total in hours.items() if total > 40 and len(rates[worker]) > 1]
    assert len(mixed) >= 6
    assert sum(total > 40 for total in hours.values()) >= 20


def test_the_template_has_all_columns() -> None:
    result = parse_timesheets((TENANTS / "_template" / "timesheets.csv").read_bytes())
    assert result.header == tuple(column.name for column in TIMESHEET_COLUMNS)
    assert result.row_count == 0
