"""State programmes on wages: disability, family leave, training and the like, each a rate with its own limits."""

from __future__ import annotations

import numpy as np

from backoffice.payroll.calc.compiled import Programme, StateLaw
from backoffice.payroll.calc.derivation import Recorder, TableRow, count, rate, usd
from backoffice.payroll.calc.exact import at_least_zero, half_up
from backoffice.payroll.calc.fica import CENT, record_counted, up_to
from backoffice.payroll.calc.hourly import hourly_lines
from backoffice.payroll.calc.paycheck import PERIODS, RATE_SCALE, Bools, Columns, Int64s, StateWork
from backoffice.payroll.calc.result import EMPLOYEE_TAX, EMPLOYER_TAX, Line, Note, Results

_PERIODS = np.array(PERIODS, dtype=np.int64)
_WEEKS = 52


def programme_lines(
    results: Results, columns: Columns, work: StateWork, law: StateLaw, recorder: Recorder | None
) -> None:
    """Adds the lines of every programme of one state, and the notes of limits that could not be known."""
    periods = _PERIODS[columns.frequency[work.paycheck]]
    for programme in law.programmes:
        _programme(results, work, periods, programme, law, recorder)
    hourly = {each.code: hourly_lines(results, columns, work, law, each, recorder) for each in law.hourly}
    nobody = np.zeros(len(work.paycheck), dtype=np.bool_)
    for code, name, reason in law.not_per_paycheck:
        settled = hourly.get(code, _place_named(columns, work, law.state) if code in law.by_place else nobody)
        rows = work.paycheck[~settled]
        if len(rows):
            detail = f"{code} ({name}) is not computed here: {reason}."
            results.notes.append(Note("programme_not_per_paycheck", detail, rows))


def _place_named(columns: Columns, work: StateWork, state: str) -> Bools:
    """Whose place in the state is named, so that what is owed there stands among the local lines."""
    local = columns.local
    if local is None:
        return np.zeros(len(work.paycheck), dtype=np.bool_)
    here = np.array([code.startswith(f"{state}-") for code in local.places], dtype=np.bool_)
    return np.isin(work.paycheck, local.paycheck[here[local.place]])


def _programme(
    results: Results, work: StateWork, periods: Int64s, programme: Programme, law: StateLaw, recorder: Recorder | None
) -> None:
    wages = work.insured
    nothing = np.zeros_like(wages)
    wages_before, paid_before, known = work.ytd_programmes.get(
        programme.code, (nothing, nothing, np.zeros(len(nothing), dtype=np.bool_))
    )
    table, name = law.table, programme.code

    def where(key: str) -> TableRow:
        return TableRow(table.name, table.version, f"programmes {name} {key}")

    counted = wages
    if programme.wage_base is not None:
        counted = up_to(wages, wages_before, programme.wage_base)
        if recorder is not None:
            base = np.full_like(counted, programme.wage_base)
            record_counted(recorder, wages, wages_before, base, counted, where("wage_base"))
    elif recorder is not None:
        recorder.step("counted", "1", "all wages count", "wages", usd(counted), wages=usd(counted))
    _notes(results, work, periods, programme, known)
    if programme.part_rates is not None:
        for kind, part in zip((EMPLOYEE_TAX, EMPLOYER_TAX), programme.part_rates, strict=True):
            own = _at_rate(counted, part, where(f"{kind.removesuffix('_tax')}_rate"), recorder)
            _add(results, work, programme, law, kind, own, recorder)
        return
    if programme.payer == "both":
        _both(results, work, programme, law, counted, recorder)
        return
    tax = _at_rate(counted, programme.rate, where("rate"), recorder)
    if programme.weekly_max is not None:
        tax = _weekly(tax, periods, programme.weekly_max, where("weekly_max"), recorder)
    if programme.annual_max is not None:
        limited = np.minimum(tax, at_least_zero(programme.annual_max - paid_before))
        if recorder is not None:
            recorder.step(
                "within_year", "3", "not above what is left of the maximum of the year",
                "min(amount, max(0, annual_max - before))", usd(limited), table=where("annual_max"), amount=usd(tax),
                annual_max=usd(programme.annual_max), before=usd(paid_before),
            )  # fmt: skip
        tax = limited
    kind = EMPLOYEE_TAX if programme.payer == "employee" else EMPLOYER_TAX
    _add(results, work, programme, law, kind, tax, recorder)


def _at_rate(counted: Int64s, of: int, where: TableRow, recorder: Recorder | None) -> Int64s:
    tax = half_up(counted * of, RATE_SCALE)
    if recorder is not None:
        recorder.step(
            "at_rate", "2", "at the rate", "round_half_up(counted * rate, 0.01)", usd(tax), table=where,
            rounding=CENT, counted=usd(counted), rate=rate(of, RATE_SCALE),
        )  # fmt: skip
    return tax


def _weekly(tax: Int64s, periods: Int64s, weekly_max: int, where: TableRow, recorder: Recorder | None) -> Int64s:
    most = half_up(weekly_max * np.full_like(periods, _WEEKS), periods)
    limited = np.minimum(tax, most)
    if recorder is not None:
        recorder.step(
            "within_weeks", "3", "not above the weekly maximum x the weeks in the pay period",
            "min(at_rate, round_half_up(weekly_max * 52 / periods, 0.01))", usd(limited), table=where, rounding=CENT,
            at_rate=usd(tax), weekly_max=usd(weekly_max), periods=count(periods),
        )  # fmt: skip
    return limited


def _both(
    results: Results, work: StateWork, programme: Programme, law: StateLaw, counted: Int64s, recorder: Recorder | None
) -> None:
    """Employee and employer share one total: the employee's share rounded once, the employer pays the rest."""
    employee = half_up(counted * programme.rate * programme.employee_share, RATE_SCALE * programme.share_scale)
    table = TableRow(law.table.name, law.table.version, f"programmes {programme.code} rate, employee_share")
    if recorder is not None:
        recorder.step(
            "employee_part", "2", "the employee's share of the total",
            "round_half_up(counted * rate * employee_share, 0.01)", usd(employee), table=table, rounding=CENT,
            counted=usd(counted), rate=rate(programme.rate, RATE_SCALE),
            employee_share=rate(programme.employee_share, programme.share_scale),
        )  # fmt: skip
    _add(results, work, programme, law, EMPLOYEE_TAX, employee, recorder)
    employer = half_up(counted * programme.rate, RATE_SCALE) - employee
    if recorder is not None:
        recorder.step(
            "employer_part", "3", "the total less the employee's share",
            "round_half_up(counted * rate, 0.01) - employee_part", usd(employer), table=table, rounding=CENT,
            counted=usd(counted), rate=rate(programme.rate, RATE_SCALE), employee_part=usd(employee),
        )  # fmt: skip
    _add(results, work, programme, law, EMPLOYER_TAX, employer, recorder)


def _add(
    results: Results, work: StateWork, programme: Programme, law: StateLaw, kind: str, cents: Int64s,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    results.lines.append(Line(programme.code, kind, law.state, work.paycheck, cents, programme=True))
    if recorder is not None:
        recorder.line(programme.code, kind, law.state, cents, programme.citation)


def _notes(results: Results, work: StateWork, periods: Int64s, programme: Programme, known: Bools) -> None:
    code = programme.code
    if programme.is_limited:
        limit = "wage base" if programme.wage_base is not None else "maximum"
        detail = f"No year-to-date of {code} was given: its yearly {limit} is applied to this paycheck alone."
        if not known.all():
            results.notes.append(Note("programme_ytd_not_given", detail, work.paycheck[~known]))
    if programme.weekly_max is not None and not programme.weekly_max_spread_verified:
        spread = periods != _WEEKS
        if spread.any():
            detail = (
                f"{code}: the weekly maximum times the weeks in the pay period was used; that spread is unverified."
            )
            results.notes.append(Note("unverified_value", detail, work.paycheck[spread]))
    if not programme.verified:
        results.notes.append(Note("unverified_value", f"The values of {code} are unverified.", work.paycheck))
    if programme.condition is not None:
        results.notes.append(Note("programme_condition", f"{code}: {programme.condition}.", work.paycheck))
