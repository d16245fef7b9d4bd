"""From one worker's approved hours to what the calculation is told, and every reason why it cannot be. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from backoffice.accounts.schemas import Employer
from backoffice.kernel import ids
from backoffice.kernel.dates import workweek
from backoffice.payroll import calc
from backoffice.payroll.local_taxes import local_tax
from backoffice.people.schemas import FederalElection, PayProfile, StateElection, YearOpening
from backoffice.staffing.schemas import ApprovedHours

YearToDate = Mapping[tuple[str, str], tuple[int, int]]  # (code, jurisdiction) → (wages, amount), cents, paid runs


@dataclass(frozen=True, slots=True)
class Period:
    """What a run fixes for all its workers."""

    begin: date
    end: date
    pay_date: date
    frequency: str
    workweek_starts: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a worker cannot be paid (or, as a warning, what should be looked at)."""

    code: str
    detail: str
    who: str
    what: str
    api: str | None = None
    severity: str = "blocking"


@dataclass(frozen=True, slots=True)
class Pay:
    """One worker's paycheck before taxes: earnings by workweek, and what the calculation takes."""

    weeks: tuple[calc.Earnings, ...]
    worked: tuple[tuple[date, tuple[calc.Worked, ...]], ...]  # by first day of the workweek
    check: calc.Paycheck

    @property
    def hours(self) -> Decimal:
        return sum((week.hours for week in self.weeks), Decimal(0))


def pay_of(
    profile: PayProfile, hours: Sequence[ApprovedHours], period: Period, employer: Employer, year_to_date: YearToDate
) -> Pay:
    """Earnings and calculation input of one worker whose `reasons` block nothing. All hours are of one state."""
    worked = _by_workweek(hours, period)
    weeks = tuple(calc.workweek_earnings(entries, week_begins=begin) for begin, entries in worked)
    state = hours[0].work_state
    account = employer.state_accounts.get(state)
    certificate = profile.states.get(state)
    opening = profile.opening
    check = calc.Paycheck(
        pay_date=period.pay_date,
        period_begin=period.begin,
        period_end=period.end,
        pay_frequency=period.frequency,
        gross=sum(week.gross for week in weeks),
        w4=_w4(profile.federal),
        work=(
            calc.Work(
                state=state,
                certificate=None if certificate is None else _certificate(certificate),
                sui_rate=None if account is None else int(account.sui_rate * 1_000_000),
                ytd_sui_wages=opening.state_wages.get(state, 0) + year_to_date.get(("sui", state), (0, 0))[0],
                ytd_programmes=_programmes(opening, year_to_date, state),
            ),
        ),
        ytd=calc.YearToDate(
            social_security_wages=opening.social_security_wages + _wages(year_to_date, "social_security"),
            medicare_wages=opening.medicare_wages + _wages(year_to_date, "medicare"),
            futa_wages=opening.futa_wages + _wages(year_to_date, "futa"),
        ),
    )
    return Pay(weeks, worked, check)


def reasons(
    profile: PayProfile | None,
    hours: Sequence[ApprovedHours],
    period: Period,
    employer: Employer,
    tables: calc.Tables,
) -> list[Reason]:
    """Everything that stops this worker's paycheck, and what is only worth a look."""
    if profile is None:
        return [Reason("no_worker", "The worker is not known any more.", "front_office", "Look at the assignment.")]
    found: list[Reason] = []
    worker = f"/v1/workers/{ids.encode('worker', profile.id)}"
    if profile.employment is None:
        found.append(
            Reason("no_employment", "There is no employment on the pay date.", "front_office",
                   "Record when the worker was hired.", f"POST {worker}/employments")
        )  # fmt: skip
    if profile.bank_account is None:
        found.append(
            Reason("no_bank_account", "There is no bank account to pay to.", "front_office",
                   "Ask the worker for an account and add it.", f"POST {worker}/bank_accounts")
        )  # fmt: skip
    if profile.ssn_last4 is None:
        found.append(
            Reason("no_ssn", "No Social Security number is on file; the W-2 will need it.", "front_office",
                   "Ask the worker for it.", f"PATCH {worker}", severity="warning")
        )  # fmt: skip
    states = sorted({each.work_state for each in hours})
    if len(states) > 1:
        found.append(
            Reason("several_states_not_supported", f"Hours in {', '.join(states)} fall into one paycheck.", "provider",
                   "Pay this worker outside the run, or wait for the payroll law of several states.")
        )  # fmt: skip
    found += _place_reasons(profile, hours, tables)
    found += _overtime_reasons(hours, period)
    if len(states) == 1:
        found += _law_reasons(profile, hours, period, employer, tables)
    return found


def _place_reasons(profile: PayProfile, hours: Sequence[ApprovedHours], tables: calc.Tables) -> list[Reason]:
    found = []
    for state, city in sorted({(each.work_state, each.work_city) for each in hours}):
        tax = local_tax(state, city, "work")
        if tax is not None:
            found.append(_local(f"{tax.place} taxes wages earned there ({tax.citation})"))
    home = profile.address
    tax = local_tax(home.state, home.city, "home")
    if tax is not None:
        found.append(_local(f"{tax.place} taxes its residents' wages ({tax.citation})"))
    away = sorted({each.work_state for each in hours} - {home.state})
    if away and tables.has_income_tax(home.state):
        found.append(
            Reason("residence_state_not_supported",
                   f"The worker lives in {home.state} and works in {', '.join(away)}; both states may tax the wages.",
                   "provider", "Pay this worker outside the run, or wait for residence withholding.")
        )  # fmt: skip
    return found


def _local(detail: str) -> Reason:
    return Reason(
        "local_tax_not_supported", f"{detail}, and local taxes are not withheld yet.", "provider",
        "Pay this worker outside the run, or wait for local taxes.",
    )  # fmt: skip


def _overtime_reasons(hours: Sequence[ApprovedHours], period: Period) -> list[Reason]:
    return [
        Reason(
            "overtime_rule_not_supported",
            f"{owed.day}: {owed.hours} hours would owe overtime for {owed.reason.replace('_', ' ')} ({owed.citation}).",
            "provider",
            "Pay this worker outside the run, or wait for daily overtime.",
        )
        for begin, entries in _by_workweek(hours, period)
        for owed in calc.california_daily_overtime(entries, week_begins=begin)
    ]


def _law_reasons(
    profile: PayProfile, hours: Sequence[ApprovedHours], period: Period, employer: Employer, tables: calc.Tables
) -> list[Reason]:
    state = hours[0].work_state
    found = [
        Reason(fault.code, fault.detail, "provider", "Pay this worker outside the run, or correct the election.")
        for fault in tables.refusals_of(pay_of(profile, hours, period, employer, {}).check)
    ]
    if state not in employer.state_accounts:
        found.append(
            Reason("no_state_account", f"The employer has no unemployment account in {state}.", "provider",
                   f"Register the employer in {state} and add the account to its tenant file.")
        )  # fmt: skip
    return found


def _by_workweek(hours: Sequence[ApprovedHours], period: Period) -> tuple[tuple[date, tuple[calc.Worked, ...]], ...]:
    weeks: dict[date, list[calc.Worked]] = defaultdict(list)
    for each in hours:
        weeks[workweek(each.work_date, period.workweek_starts).begin].append(
            calc.Worked(
                assignment=str(each.assignment_id),
                day=each.work_date,
                hours=Decimal(each.hundredths) / 100,
                rate=Decimal(each.pay_rate_micros) / 1_000_000,
                state=each.work_state,
            )
        )
    return tuple((begin, tuple(weeks[begin])) for begin in sorted(weeks))


def _w4(election: FederalElection) -> calc.W4:
    names = ("version", "filing_status", "step2_checkbox", "step3", "step4a", "step4b", "step4c", "allowances")
    told = {name: getattr(election, name) for name in (*names, "exempt", "nonresident_alien")}
    return calc.W4(**told)


def _certificate(election: StateElection) -> calc.StateCertificate:
    return calc.StateCertificate(
        status=election.status,
        allowances=election.allowances,
        secondary_allowances=election.secondary_allowances,
    )


def _programmes(opening: YearOpening, year_to_date: YearToDate, state: str) -> dict[str, calc.ProgrammeYearToDate]:
    codes = {code for code in opening.programmes if code.startswith(f"{state}_")}
    codes |= {code for code, jurisdiction in year_to_date if jurisdiction == state and code.startswith(f"{state}_")}
    told = {}
    for code in codes:
        before, since = opening.programmes.get(code, (0, 0)), year_to_date.get((code, state), (0, 0))
        told[code] = calc.ProgrammeYearToDate(wages=before[0] + since[0], amount=before[1] + since[1])
    return told


def _wages(year_to_date: YearToDate, code: str) -> int:
    return year_to_date.get((code, "US"), (0, 0))[0]
