"""From one worker's approved hours to what the calculation is told. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import msgspec

from backoffice.accounts.schemas import Employer
from backoffice.kernel.dates import workweek
from backoffice.payroll import calc
from backoffice.payroll.calc.deduction_law import ELECTIVE
from backoffice.payroll.calc.detail import HOURS_SCALE
from backoffice.payroll.calc.paycheck import RATE_SCALE
from backoffice.payroll.where import Unknown, located, stays_of, wages_by_stay
from backoffice.payroll.withheld import (
    NOTHING_TAKEN,
    TakenBefore,
    deductions_told,
    limits_used,
    orders_told,
)
from backoffice.payroll.work_entries import work_entries
from backoffice.people.in_effect import DeductionOn, OrderOn
from backoffice.people.schemas import FederalElection, PayProfile, YearOpening
from backoffice.staffing.schemas import ApprovedHours

PaidToDate = Mapping[tuple[str, str, str], tuple[int, int]]
"""(kind, code, jurisdiction) → (wages, amount) of a worker's year, cents, from paid runs."""

Weeks = tuple[tuple[date, tuple[calc.Worked, ...]], ...]
"""Hours by workweek, each with its first day."""

PaidWeeks = tuple[tuple[date, calc.PaidWeek], ...]
"""What is paid of workweeks, each with its first day."""


@dataclass(frozen=True, slots=True)
class Period:
    """What a run fixes for all its workers."""

    begin: date
    end: date
    pay_date: date
    frequency: str
    workweek_starts: int


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored with a paycheck, enough to repeat it: the calculation's input, the hours behind its gross, and
    what earlier paychecks have paid of the same workweeks. `pays`: what this one pays of them, for later ones.
    `deductions` and `orders` are those in effect, each behind one of `check.detail`, in their order."""

    check: calc.Paycheck
    worked: Weeks
    paid: PaidWeeks = ()
    pays: PaidWeeks = ()
    deductions: tuple[DeductionOn, ...] = ()
    orders: tuple[OrderOn, ...] = ()


@dataclass(frozen=True, slots=True)
class Pay:
    """One worker's paycheck before taxes: earnings by workweek, what the calculation takes, and what is not known of
    the places of home and work."""

    weeks: tuple[calc.Earnings, ...]
    inputs: Inputs
    unknown: tuple[Unknown, ...]

    @property
    def hours(self) -> Decimal:
        return sum((week.hours for week in self.weeks), Decimal(0))

    @property
    def notes(self) -> list[tuple[str, str]]:
        """(code, words), each once."""
        return list(dict.fromkeys(note for week in self.weeks for note in week.notes))


def earnings_of(worked: Weeks, paid: PaidWeeks, law: calc.OvertimeLaw) -> tuple[calc.Earnings, ...]:
    """What the hours of each workweek earn, in order, on top of what is paid of it."""
    before = dict(paid)
    return tuple(
        calc.workweek_earnings(entries, week_begins=begin, law=law, paid=before.get(begin, calc.PaidWeek()))
        for begin, entries in worked
    )


def tables_of(weeks: Sequence[calc.Earnings]) -> dict[str, str]:
    """The tables that the earnings used, with their versions."""
    return {name: version for week in weeks for name, version in week.tables.items()}


def pay_of(
    profile: PayProfile,
    hours: Sequence[ApprovedHours],
    paid: PaidWeeks,
    period: Period,
    employer: Employer,
    to_date: PaidToDate,
    tables: calc.Tables,
    taken: TakenBefore = NOTHING_TAKEN,
    birth_year: int | None = None,
) -> Pay:
    """Earnings and calculation input of one worker. `taken` and `birth_year` are asked for by deductions."""
    worked = by_workweek(hours, period)
    weeks = earnings_of(worked, paid, tables.overtime)
    wages = wages_by_stay(weeks, stays_of(hours))
    where = located(profile, wages, period.pay_date.year, tables)
    home, states = profile.address.state, dict[str, int]()
    for stay, cents in wages.items():
        states[stay.state] = states.get(stay.state, 0) + cents
    residence = home if any(state != home for state in states) else None
    check = calc.Paycheck(
        pay_date=period.pay_date,
        period_begin=period.begin,
        period_end=period.end,
        pay_frequency=period.frequency,
        gross=sum(week.gross for week in weeks),
        w4=_w4(profile.federal),
        residence_state=residence,
        local=where.local,
        work=work_entries(profile, states, where, employer, tables),
    )
    deductions, orders = profile.deductions, profile.orders
    if deductions or orders:
        worked_hours = int(sum((week.hours for week in weeks), Decimal(0)) * HOURS_SCALE)
        check = replace(check, detail=calc.PayDetail(hours=worked_hours, birth_year=birth_year))
    pays = tuple((week.week_begins, week.pays) for week in weeks)
    inputs = Inputs(check=check, worked=worked, paid=paid, pays=pays, deductions=deductions, orders=orders)
    check = on_top_of_its_year(inputs, profile.opening, to_date, taken, tables)
    return Pay(weeks, msgspec.structs.replace(inputs, check=check), where.unknown)


def in_its_year(check: calc.Paycheck, opening: YearOpening, paid: PaidToDate, tables: calc.Tables) -> calc.Paycheck:
    """The same paycheck on top of what the year has brought so far: the opening amounts and our own paid runs."""
    return replace(
        check,
        given=replace(check.given, fica_deducted=_fica_deducted(check, opening, paid, tables)),
        ytd=calc.YearToDate(
            social_security_wages=opening.social_security_wages + _wages(paid, "social_security", "US"),
            medicare_wages=opening.medicare_wages + _wages(paid, "medicare", "US"),
            futa_wages=opening.futa_wages + _wages(paid, "futa", "US"),
        ),
        work=tuple(
            replace(
                work,
                ytd_sui_wages=opening.state_wages.get(work.state, 0) + _wages(paid, "sui", work.state),
                ytd_programmes=_programmes(opening, paid, tables, work.state, check.pay_date.year),
            )
            for work in check.work
        ),
    )


def on_top_of_its_year(
    inputs: Inputs, opening: YearOpening, paid: PaidToDate, taken: TakenBefore, tables: calc.Tables
) -> calc.Paycheck:
    """A paycheck as `in_its_year`, with what its deductions have taken of their goals and limits."""
    check = in_its_year(inputs.check, opening, paid, tables)
    if check.detail is None:
        return check
    in_year = {code: cents for (kind, code, _), (_, cents) in paid.items() if kind == calc.DEDUCTION}
    law = tables.deductions.get(check.pay_date.year)
    used = limits_used(inputs.deductions, in_year, taken, law)
    deferred = opening.elective_deferrals + used.pop(ELECTIVE) if ELECTIVE in used else 0
    detail = replace(
        check.detail,
        deductions=deductions_told(inputs.deductions, taken),
        garnishments=orders_told(inputs.orders),
        elective_deferrals=deferred,
        deducted=used,
    )
    return replace(check, detail=detail)


def differences(stored: Inputs, now: Inputs) -> list[str]:
    """What has changed since a paycheck was calculated, in words."""
    before, after = stored.check, now.check
    changed = {
        "the approved hours or rates": stored.worked != now.worked,
        "what is paid of a workweek": stored.paid != now.paid,
        "Form W-4": before.w4 != after.w4,
        "a state certificate": [each.certificate for each in before.work] != [each.certificate for each in after.work],
        "where the worker lives or works": _places(before) != _places(after),
        "the employer's unemployment rate": [each.sui_rate for each in before.work]
        != [each.sui_rate for each in after.work],
        "a deduction": (stored.deductions, _birth_year(before)) != (now.deductions, _birth_year(after)),
        "a withholding order": stored.orders != now.orders,
        "the year-to-date": in_the_year(before) != in_the_year(after),
    }
    return [words for words, differs in changed.items() if differs]


def in_the_year(check: calc.Paycheck) -> tuple[object, ...]:
    """The part of a paycheck's input that says where in its year it stands."""
    works = tuple((work.state, work.ytd_sui_wages, work.ytd_programmes) for work in check.work)
    detail = check.detail
    if detail is None:
        return check.ytd, check.given, works
    goals = tuple(each.left for each in detail.deductions)
    return check.ytd, check.given, works, detail.elective_deferrals, detail.deducted, goals


def _birth_year(check: calc.Paycheck) -> int | None:
    return None if check.detail is None else check.detail.birth_year


def _places(check: calc.Paycheck) -> tuple[object, ...]:
    states = [work.state for work in check.work]
    return check.residence_state, states, [(part.place, part.resident) for part in check.local]


def by_workweek(hours: Sequence[ApprovedHours], period: Period) -> Weeks:
    """Hours by the employer's workweek, in order."""
    weeks: dict[date, list[calc.Worked]] = defaultdict(list)
    for each in hours:
        weeks[workweek(each.work_date, period.workweek_starts).begin].append(
            calc.Worked(
                assignment=str(each.assignment_id),
                day=each.work_date,
                hours=Decimal(each.hundredths) / 100,
                rate=Decimal(each.pay_rate_micros) / RATE_SCALE,
                state=each.work_state,
            )
        )
    return tuple((begin, tuple(weeks[begin])) for begin in sorted(weeks))


def _w4(election: FederalElection) -> calc.W4:
    names = ("version", "filing_status", "step2_checkbox", "step3", "step4a", "step4b", "step4c", "allowances")
    told = {name: getattr(election, name) for name in (*names, "exempt", "nonresident_alien")}
    return calc.W4(**told)


def _programmes(
    opening: YearOpening, paid: PaidToDate, tables: calc.Tables, state: str, year: int
) -> dict[str, calc.ProgrammeYearToDate]:
    """Where each programme of a state stands. Where nobody named its own, its opening wages are the state's, and the
    worker has paid the rate of them. One with a yearly maximum of which nothing is known is left out: the calculation
    then says so in a note."""
    law = tables.states.get((state, year))
    wages_before = opening.state_wages.get(state, 0)
    told = {}
    for programme in law.programmes if law is not None else ():
        code = programme.code
        kind = "employer_tax" if programme.payer == "employer" else "employee_tax"
        since = paid.get((kind, code, state))
        before = opening.programmes.get(code)
        if before is None and (programme.annual_max is None or wages_before):
            before = (wages_before, programme.owed_on(wages_before))
        if before is not None or since is not None:
            (wages, amount), (more_wages, more) = before or (0, 0), since or (0, 0)
            told[code] = calc.ProgrammeYearToDate(wages=wages + more_wages, amount=amount + more)
    return told


def _fica_deducted(check: calc.Paycheck, opening: YearOpening, paid: PaidToDate, tables: calc.Tables) -> int:
    """Social security and Medicare withheld earlier in the year, in cents, where a state lets them deduct up to a
    yearly amount (Massachusetts); 0 elsewhere. Of opening wages the employee has paid the rates."""
    laws = [tables.states.get((work.state, check.pay_date.year)) for work in check.work]
    if not any("fica" in version.method.asks for law in laws if law is not None for version in law.withholding):
        return 0
    year = tables.federal.years.index(check.pay_date.year)
    rates = int(tables.federal.social_security[year, 0]), int(tables.federal.medicare[year, 0])
    before = opening.social_security_wages * rates[0] + opening.medicare_wages * rates[1]
    since = sum(paid.get(("employee_tax", code, "US"), (0, 0))[1] for code in ("social_security", "medicare"))
    return (2 * before + RATE_SCALE) // (2 * RATE_SCALE) + since


def _wages(paid: PaidToDate, code: str, jurisdiction: str) -> int:
    """Wages subject to a tax so far, which are the same for both who pay it."""
    return max(paid.get((kind, code, jurisdiction), (0, 0))[0] for kind in ("employee_tax", "employer_tax"))
