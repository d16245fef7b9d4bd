"""State programmes by the hour worked: an amount per hour, shared by employee and employer."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from backoffice.payroll.calc.compiled import Hourly, StateLaw
from backoffice.payroll.calc.derivation import Recorder, TableRow, Value, rate, usd
from backoffice.payroll.calc.detail import HOURS_SCALE
from backoffice.payroll.calc.exact import half_up
from backoffice.payroll.calc.fica import CENT
from backoffice.payroll.calc.paycheck import RATE_SCALE, Bools, Columns, Int64s, StateWork
from backoffice.payroll.calc.result import EMPLOYEE_TAX, EMPLOYER_TAX, Line, Note, Results

_CENTS = 100


def hourly_lines(
    results: Results, columns: Columns, work: StateWork, law: StateLaw, programme: Hourly, recorder: Recorder | None
) -> Bools:
    """Adds the lines of the entries whose hours are known, and says which those are. The hours of a paycheck of
    several states are not told apart by state."""
    alone = np.bincount(columns.work.paycheck, minlength=len(columns))[work.paycheck] == 1
    hours = np.full(len(work.paycheck), -1) if columns.detail is None else columns.detail.hours[work.paycheck]
    known: Bools = alone & (hours >= 0)
    rows, worked = work.paycheck[known], hours[known]
    if not len(rows):
        return known
    total = half_up(worked * programme.per_hour * _CENTS, RATE_SCALE * HOURS_SCALE)
    employee = half_up(
        worked * programme.per_hour * programme.employee_share * _CENTS,
        RATE_SCALE * HOURS_SCALE * programme.share_scale,
    )
    if not programme.verified:
        results.notes.append(Note("unverified_value", f"The values of {programme.code} are unverified.", rows))
    if recorder is not None:
        _record_employee(recorder, law, programme, worked, employee)
    _add(results, law, programme, EMPLOYEE_TAX, rows, employee, recorder)
    if recorder is not None:
        recorder.step(
            "employer_part", "2", "the total less the employee's share",
            "round_half_up(hours * per_hour, 0.01) - employee_part", usd(total - employee), rounding=CENT,
            hours=_hours(worked), per_hour=_per_hour(programme), employee_part=usd(employee),
        )  # fmt: skip
    _add(results, law, programme, EMPLOYER_TAX, rows, total - employee, recorder)
    return known


def _record_employee(recorder: Recorder, law: StateLaw, programme: Hourly, worked: Int64s, employee: Int64s) -> None:
    recorder.step(
        "employee_part", "1", "the employee's share of the amount for each hour worked",
        "round_half_up(hours * per_hour * employee_share, 0.01)", usd(employee), rounding=CENT,
        table=TableRow(law.table.name, law.table.version, f"{programme.code} per_hour, employee_share"),
        hours=_hours(worked), per_hour=_per_hour(programme),
        employee_share=rate(programme.employee_share, programme.share_scale),
    )  # fmt: skip


def _hours(worked: Int64s) -> Value:
    return Value("hours", Fraction(int(worked[0]), HOURS_SCALE))


def _per_hour(programme: Hourly) -> Value:
    return Value("usd_per_hour", Fraction(programme.per_hour, RATE_SCALE))


def _add(
    results: Results, law: StateLaw, programme: Hourly, kind: str, rows: Int64s, cents: Int64s,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    results.lines.append(Line(programme.code, kind, law.state, rows, cents, programme=True))
    if recorder is not None:
        recorder.line(programme.code, kind, law.state, cents, programme.citation)
