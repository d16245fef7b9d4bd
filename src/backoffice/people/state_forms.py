"""A state's certificate in its shapes: as asked and shown, as stored, and as the law of withholding reads it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from backoffice.kernel.errors import Fault
from backoffice.kernel.money import parse_minor
from backoffice.payroll import calc
from backoffice.payroll.calc.certificates import ELECTIONS, EXEMPTIONS
from backoffice.payroll.calc.derivation import decimal_text
from backoffice.people import models
from backoffice.people.schemas import Exemptions, StateCertificate, StateElection
from backoffice.platform.web.bodies import MoneyBody

_PLAIN = ("status", "allowances", "secondary_allowances")
_RATES = ("elected_rate", "local_rate", "county_rate")
_AMOUNTS = ("elected_annual_credit", "elected_annual_exemption", "additional_withholding")
_AT = "#/state_certificate"


def written(form: StateCertificate) -> StateElection:
    said: dict[str, Any] = {name: getattr(form, name) for name in (*_PLAIN, "exempt")}
    if form.exemptions is not None:
        said |= {name: getattr(form.exemptions, name) for name in EXEMPTIONS}
    for name in _RATES:
        rate = getattr(form, name)
        said[name] = None if rate is None else int(Decimal(rate).scaleb(6))
    for name in _AMOUNTS:
        amount = getattr(form, name)
        said[name] = None if amount is None else parse_minor(amount.amount)
    return StateElection(**said)


def shown(says: StateElection) -> StateCertificate:
    kinds = {name: getattr(says, name) for name in EXEMPTIONS}
    said: dict[str, Any] = {name: getattr(says, name) for name in (*_PLAIN, "exempt")}
    if any(count is not None for count in kinds.values()):
        said["exemptions"] = Exemptions(**{name: count or 0 for name, count in kinds.items()})
    for name in _RATES:
        rate = getattr(says, name)
        said[name] = None if rate is None else decimal_text(Fraction(rate, 1_000_000))
    for name in _AMOUNTS:
        amount = getattr(says, name)
        said[name] = None if amount is None else MoneyBody.of(amount)
    return StateCertificate(**said)


def columns(says: StateElection) -> dict[str, Any]:
    return {column: getattr(says, name) for name, column in models.STATE_FORM.items()}


def of_row(row: Mapping[str, Any]) -> StateElection:
    return StateElection(**{name: row[column] for name, column in models.STATE_FORM.items()})


def in_law(says: StateElection) -> calc.StateCertificate:
    """What the calculation reads. A box that is not ticked says nothing."""
    return calc.StateCertificate(
        exemptions={name: count for name in EXEMPTIONS if (count := getattr(says, name)) is not None},
        exempt=says.exempt or None,
        **{name: getattr(says, name) for name in (*_PLAIN, *_RATES, *_AMOUNTS)},
    )


def faults_of(state: str, says: StateElection, on: date) -> list[Fault]:
    """What the law of a state that day refuses of its certificate, by the batch door's own rules; where the law of the
    day is not known here, that of the last day that is."""
    faults, within = [], dict[str, Any]()
    for name in _AMOUNTS:
        amount = getattr(says, name)
        if amount is not None and not 0 <= amount <= ELECTIONS[name]:
            code, detail = ("negative", "must not be negative") if amount < 0 else ("too_large", "is too large")
            faults.append(Fault(code, detail, f"{_AT}/{name}/amount"))
            within[name] = 0  # whether the form has the field at all is still looked at
    tables = calc.Tables.load()
    day = on if not tables.has_income_tax(state) or tables.withholding_on(state, on) is not None else None
    told = tables.refusals(
        pay_date=day,
        pay_frequency=None,
        w4_version=None,
        filing_status=None,
        state=state,
        certificate=replace(in_law(says), **within),
    )
    return faults + [fault for fault in told if str(fault.pointer).startswith(_AT)]
