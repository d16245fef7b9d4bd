"""The entries of work that a calculation is told: one for each state of work, and behind them one without wages for a
home state that withholds on what its residents earn elsewhere (Kansas), which brings its certificate. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from backoffice.accounts.schemas import Employer
from backoffice.payroll import calc
from backoffice.payroll.calc.paycheck import RATE_SCALE
from backoffice.payroll.where import Where
from backoffice.people.schemas import PayProfile
from backoffice.people.state_forms import in_law


def work_entries(
    profile: PayProfile, wages: Mapping[str, int], where: Where, employer: Employer, tables: calc.Tables
) -> tuple[calc.Work, ...]:
    """`wages`: cents by state of work."""
    home, withheld_in = profile.address.state, tables.agreements.withheld_in
    away = any(withheld_in(state, home) != home for state in wages)
    brings = away and home not in wages and home in tables.agreements.of_residents
    entries = []
    for state, cents in wages.items():
        account = employer.state_accounts.get(state)
        entries.append(
            calc.Work(
                state=state,
                wages=cents if len(wages) + brings > 1 else None,
                certificate=_certificate(profile, withheld_in(state, home), where),
                sui_rate=None if account is None else int(account.sui_rate * RATE_SCALE),
            )
        )
    if brings:
        entries.append(calc.Work(state=home, wages=0, certificate=_certificate(profile, home, where)))
    return tuple(entries)


def at_work(check: calc.Paycheck) -> tuple[calc.Work, ...]:
    """The entries without the one that is there for the certificate of the home state alone."""
    return tuple(
        work
        for work in check.work
        if (work.state, work.wages, work.sui_rate) != (check.residence_state, 0, None)
    )  # fmt: skip


def _certificate(profile: PayProfile, state: str | None, where: Where) -> calc.StateCertificate | None:
    """That of the state whose tax is withheld, with the rate of the county where it names none."""
    election = profile.states.get(state) if state is not None else None
    if state is None or election is None:
        return None
    certificate = in_law(election)
    if certificate.local_rate is None and state in where.county_rates:
        return replace(certificate, local_rate=where.county_rates[state])
    return certificate
