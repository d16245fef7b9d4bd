"""Every reason why a worker cannot be paid by a run, and what is only worth a look. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from backoffice.accounts.schemas import Employer
from backoffice.kernel import ids
from backoffice.kernel.money import format_minor
from backoffice.payroll import calc, nacha
from backoffice.payroll.assembly import Pay
from backoffice.payroll.returns import REASONS
from backoffice.payroll.where import Unknown
from backoffice.payroll.withheld import is_levy_first
from backoffice.payroll.work_entries import at_work
from backoffice.people.schemas import EmploymentOn, PayProfile
from backoffice.staffing.schemas import ApprovedHours

BLOCKING = "blocking"
_LEFT_OUT = frozenset({"local_tax_without_state", "county_not_known"})
_NOT_IN_FULL = frozenset({"deduction_cut_to_pay", "deduction_cut_to_limit", "garnishment_limited"})
_OUTSIDE = "Pay this worker outside the run"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a worker cannot be paid (or, as a warning, what should be looked at), and who can do what about it."""

    code: str
    detail: str
    who: str
    what: str
    api: str | None = None
    severity: str = BLOCKING


def of_worker(
    profile: PayProfile, employments: Sequence[EmploymentOn], hours: Sequence[ApprovedHours], begin: date
) -> list[Reason]:
    """What is missing or wrong in the facts of a worker with these hours in a run. `begin` is the first day of the
    run's period."""
    worker = f"/v1/workers/{ids.encode('worker', profile.id)}"
    found = _employment_reasons(employments, hours, worker)
    if profile.bank_account is None:
        found.append(no_bank_account(worker))
    if not profile.full_name.isascii() and nacha.transliterate(profile.full_name).unreadable:
        found.append(
            Reason("name_not_for_bank", "The bank reads ASCII only, and a letter of the name has no such form.",
                   "front_office", "Enter the name as the worker's bank writes it.", f"PATCH {worker}")
        )  # fmt: skip
    if profile.ssn_last4 is None:
        found.append(
            Reason("no_ssn", "No Social Security number is on file; the W-2 will need it.", "front_office",
                   "Ask the worker for it.", f"PATCH {worker}", severity="warning")
        )  # fmt: skip
    return found + _late_reasons(hours, begin)


def of_law(
    profile: PayProfile,
    hours: Sequence[ApprovedHours],
    pay: Pay,
    employer: Employer,
    tables: calc.Tables,
) -> list[Reason]:
    """What the law or our tables of it do not cover."""
    check = pay.inputs.check
    found = _place_reasons(profile, hours, pay.unknown, tables)
    found += [
        Reason("overtime_rule_not_supported", words, "provider", f"{_OUTSIDE}, or wait for that year's law.")
        for code, words in pay.notes
        if code == calc.OVERTIME_NOT_KNOWN
    ]
    for work in at_work(check):
        if work.state not in employer.state_accounts:
            found.append(
                Reason("no_state_account", f"The employer has no unemployment account in {work.state}.", "provider",
                       f"Register the employer in {work.state} and add the account to its tenant file.")
            )  # fmt: skip
    found += _order_reasons(profile, check, tables)
    return found + [
        Reason(fault.code, fault.detail, "provider", f"{_OUTSIDE}, or correct the election.")
        for fault in tables.refusals_of(check)
    ]


def left_out(result: calc.PaycheckResult) -> list[Reason]:
    """Local tax that the calculation says it could not withhold."""
    return [_local(detail.removesuffix(".")) for code, detail in result.notes if code in _LEFT_OUT]


def not_in_full(worker: str, result: calc.PaycheckResult) -> list[Reason]:
    """Deductions and orders that the calculation says it cut."""
    return [
        Reason(code, detail, "front_office",
               "Tell the worker or the payee; a later paycheck makes it up only where a goal still wants it.",
               f"GET {worker}/{'withholding_orders' if code == 'garnishment_limited' else 'deductions'}",
               severity="warning")
        for code, detail in result.notes
        if code in _NOT_IN_FULL
    ]  # fmt: skip


def net_not_positive(worker: str, result: calc.PaycheckResult) -> Reason:
    """Taxes, the extra withholding that the worker asked for, deductions and orders leave nothing to pay out."""
    taken = {line.kind for line in result.lines if line.cents} & {calc.DEDUCTION, calc.GARNISHMENT}
    money = f"Of {format_minor(result.gross)} USD gross"
    if taken:
        return Reason(
            "net_not_positive",
            f"{money} taxes, deductions and withholding orders leave {format_minor(result.net)} USD net.",
            "front_office", "Lower or end one of the worker's deductions, or pay outside the run.",
            f"GET {worker}/deductions",
        )  # fmt: skip
    return Reason(
        "net_not_positive",
        f"{money} the taxes and extra withholding leave {format_minor(result.net)} USD net.",
        "front_office",
        "Ask the worker for a new Form W-4 with less in step 4(c), or pay outside the run.",
        f"POST {worker}/tax_elections",
    )


def _order_reasons(profile: PayProfile, check: calc.Paycheck, tables: calc.Tables) -> list[Reason]:
    """Withholding orders that the law here does not cover, or not in the right order."""
    orders = f"GET /v1/workers/{ids.encode('worker', profile.id)}/withholding_orders"
    found, year = [], check.pay_date.year
    unknown = sorted({order.kind for order in profile.orders if not tables.knows_orders(order.kind, year)})
    if unknown:
        words = f"The law of orders on wages ({', '.join(unknown)}) is not known for {year}."
        found.append(
            Reason("withholding_orders_not_supported", words, "provider", f"{_OUTSIDE}, or wait for that year's law.",
                   orders)
        )  # fmt: skip
    if is_levy_first(profile.orders):
        found.append(
            Reason("levy_before_support",
                   "A federal levy was served before a support order and comes before it (IRC 6334(a)(8)); the "
                   "calculation takes support first.",
                   "provider", f"{_OUTSIDE}, or correct the day on which an order was served.", orders)
        )  # fmt: skip
    return found


def no_bank_account(worker: str) -> Reason:
    return Reason(
        "no_bank_account", "There is no bank account to pay to.", "front_office",
        "Ask the worker for an account and add it.", f"POST {worker}/bank_accounts",
    )  # fmt: skip


def account_came_back(worker: str, code: str) -> Reason:
    """The last deposit to the account came back with a code after which the next one would too."""
    return Reason(
        "account_came_back", f"The last deposit to the worker's account came back: {REASONS[code].means} ({code}).",
        "front_office", "Put the worker's right account on file.", f"POST {worker}/bank_accounts", severity="warning",
    )  # fmt: skip


def _employment_reasons(
    employments: Sequence[EmploymentOn], hours: Sequence[ApprovedHours], worker: str
) -> list[Reason]:
    if not employments:
        return [
            Reason("no_employment", "There is no employment in the period.", "front_office",
                   "Record when the worker was hired.", f"POST {worker}/employments")
        ]  # fmt: skip
    outside = sorted(
        {
            each.work_date
            for each in hours
            if not any(
                employed.hired_on <= each.work_date
                and (employed.ended_on is None or each.work_date <= employed.ended_on)
                for employed in employments
            )
        }
    )
    if not outside:
        return []
    days = ", ".join(str(day) for day in outside)
    return [
        Reason("hours_outside_employment", f"The worker was not employed on {days} and has hours there.",
               "front_office", "Correct the hours, or the dates of the employment.", f"GET {worker}/employments")
    ]  # fmt: skip


def _place_reasons(
    profile: PayProfile, hours: Sequence[ApprovedHours], unknown: Sequence[Unknown], tables: calc.Tables
) -> list[Reason]:
    worker = f"/v1/workers/{ids.encode('worker', profile.id)}"
    found = []
    for each in unknown:
        if each.of is None:
            found.append(_local(each.detail))
            continue
        field, api = ("residence_locality", worker) if each.of == "worker" else ("work_place.locality", None)
        found.append(
            Reason("locality_required", f"{each.detail}.", "front_office",
                   f"Enter the county or city as {field} of the {each.of}, or none where there is no local tax.",
                   f"PATCH {api or '/v1/assignments/{id}'}")
        )  # fmt: skip
    home = profile.address.state
    states = {each.work_state for each in hours} - {home}
    away = sorted(state for state in states if tables.agreements.withheld_in(state, home) != home)
    if away and tables.has_income_tax(home) and home not in tables.agreements.of_residents:
        found.append(
            Reason("residence_state_not_supported",
                   f"The worker lives in {home} and works in {', '.join(away)}, and the two states have no agreement: "
                   "both may tax the wages.",
                   "provider", f"{_OUTSIDE}, or wait for residence withholding.")
        )  # fmt: skip
    return found


def _local(detail: str) -> Reason:
    return Reason(
        "local_tax_not_supported", f"{detail}, and this is not withheld yet.", "provider",
        f"{_OUTSIDE}, or wait for this local tax.",
    )  # fmt: skip


def _late_reasons(hours: Sequence[ApprovedHours], begin: date) -> list[Reason]:
    late = [each for each in hours if each.work_date < begin]
    if not late:
        return []
    total = format_minor(sum(each.hundredths for each in late))
    first, last = min(each.work_date for each in late), max(each.work_date for each in late)
    return [
        Reason(
            "late_hours",
            f"{total} hours of {first} to {last} were approved after the run of their period was paid; this one pays "
            "for them.",
            "front_office", "Reject their timesheet if they were paid in another way.",
            "POST /v1/timesheets/{id}/reject", severity="warning",
        )
    ]  # fmt: skip
