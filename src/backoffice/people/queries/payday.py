"""What payroll asks for many workers at once: a constant number of statements, however many workers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from backoffice.people import models, state_forms
from backoffice.people.queries.records import address_of, any_of
from backoffice.people.queries.withholding import deductions_on, orders_on
from backoffice.people.schemas import (
    EmploymentOn,
    FederalElection,
    PayAccount,
    PayProfile,
    StateElection,
    YearOpening,
)
from backoffice.platform.crypto import Sealed
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx

_workers, _employments, _elections = models.worker, models.employment, models.tax_election
_accounts, _openings = models.bank_account, models.opening_balance
_states, _programmes = models.opening_balance_state, models.opening_balance_programme


async def workers_on_schedule(tx: Tx, pay_schedule_id: UUID, begin: date, end: date) -> list[UUID]:
    """Workers with an employment on this pay schedule on any day from `begin` to `end`, by number. One statement."""
    rows = await tx.fetch(
        select(_workers.c.id)
        .where(
            _workers.c.tenant_id == TENANT,
            _workers.c.id.in_(
                select(_employments.c.worker_id).where(
                    _employments.c.tenant_id == TENANT,
                    _employments.c.pay_schedule_id == pay_schedule_id,
                    _employments.c.hired_on <= end,
                    or_(_employments.c.ended_on.is_(None), _employments.c.ended_on >= begin),
                )
            ),
        )
        .order_by(_workers.c.number)
    )
    return [row["id"] for row in rows]


async def pay_profiles(tx: Tx, worker_ids: Collection[UUID], on: date) -> dict[UUID, PayProfile]:
    """What is known of each worker on the day `on` (elections, deductions and orders in force, employment, account),
    with the opening year-to-date of its year. Nine statements; workers that are not this tenant's are left out."""
    found = list(worker_ids)
    rows = await tx.fetch(select(*_workers.c).where(_workers.c.tenant_id == TENANT, any_of(_workers.c.id, found)))
    employments = await _employments_on(tx, found, on)
    federal, states = await _elections_on(tx, found, on)
    accounts = await active_accounts(tx, found)
    openings = await _openings_of(tx, found, on.year)
    deductions, orders = await deductions_on(tx, found, on), await orders_on(tx, found, on)
    profiles = {}
    for row in rows:
        id_ = row["id"]
        employment = employments.get(id_)
        opening = openings.get((id_, employment.employer_id)) if employment else None
        profiles[id_] = PayProfile(
            id=id_,
            external_id=row["external_id"],
            number=row["number"],
            first_name=row["first_name"],
            middle_name=row["middle_name"],
            last_name=row["last_name"],
            ssn_last4=row["ssn_last4"],
            birth_date_on_file=row["birth_date_sealed"] is not None,
            address=address_of(row),
            residence_locality=row["residence_locality"],
            status=row["status"],
            employment=employment,
            federal=federal.get(id_) or FederalElection(),
            states=states.get(id_, {}),
            bank_account=accounts.get(id_),
            opening=opening or YearOpening(),
            deductions=deductions.get(id_, ()),
            orders=orders.get(id_, ()),
        )
    return profiles


async def employments_between(
    tx: Tx, worker_ids: Collection[UUID], begin: date, end: date
) -> dict[UUID, list[EmploymentOn]]:
    """Employments that hold any day from `begin` to `end`, by worker, oldest first. One statement; workers without one
    are left out."""
    rows = await tx.fetch(
        select(*_employments.c)
        .where(
            _employments.c.tenant_id == TENANT,
            any_of(_employments.c.worker_id, worker_ids),
            _employments.c.hired_on <= end,
            or_(_employments.c.ended_on.is_(None), _employments.c.ended_on >= begin),
        )
        .order_by(_employments.c.worker_id, _employments.c.hired_on)
    )
    found: dict[UUID, list[EmploymentOn]] = {}
    for row in rows:
        found.setdefault(row["worker_id"], []).append(_employment_on(row))
    return found


async def full_names(tx: Tx, worker_ids: Collection[UUID]) -> dict[UUID, str]:
    """Workers' names as a bank writes them. One statement."""
    names = ("first_name", "middle_name", "last_name")
    rows = await tx.fetch(
        select(_workers.c.id, *(_workers.c[name] for name in names)).where(
            _workers.c.tenant_id == TENANT, any_of(_workers.c.id, worker_ids)
        )
    )
    return {row["id"]: " ".join(row[name] for name in names if row[name]) for row in rows}


async def pay_accounts(tx: Tx, account_ids: Collection[UUID]) -> dict[UUID, PayAccount]:
    """Bank accounts by id, also closed ones: where somebody was paid to. One statement."""
    rows = await tx.fetch(
        select(*_accounts.c).where(_accounts.c.tenant_id == TENANT, any_of(_accounts.c.id, account_ids))
    )
    return {row["id"]: _pay_account(row) for row in rows}


async def _employments_on(tx: Tx, found: list[UUID], on: date) -> dict[UUID, EmploymentOn]:
    """The employment that holds `on`, else the last one that had begun by then (a last paycheck comes after it)."""
    rows = await tx.fetch(
        select(*_employments.c)
        .ext(distinct_on(_employments.c.worker_id))
        .where(
            _employments.c.tenant_id == TENANT,
            any_of(_employments.c.worker_id, found),
            _employments.c.hired_on <= on,
        )
        .order_by(_employments.c.worker_id, _employments.c.hired_on.desc(), _employments.c.id.desc())
    )
    return {row["worker_id"]: _employment_on(row) for row in rows}


def _employment_on(row: Row) -> EmploymentOn:
    names = ("id", "employer_id", "pay_schedule_id", "job_title", "hired_on", "ended_on")
    return EmploymentOn(**{name: row[name] for name in names})


async def _elections_on(
    tx: Tx, found: list[UUID], on: date
) -> tuple[dict[UUID, FederalElection], dict[UUID, dict[str, StateElection]]]:
    """By worker, for every jurisdiction the certificate that took effect last; of several from one day the newest."""
    election = _elections.c
    rows = await tx.fetch(
        select(*election)
        .ext(distinct_on(election.worker_id, election.jurisdiction))
        .where(election.tenant_id == TENANT, any_of(election.worker_id, found), election.effective_from <= on)
        .order_by(election.worker_id, election.jurisdiction, election.effective_from.desc(), election.id.desc())
    )
    federal: dict[UUID, FederalElection] = {}
    states: dict[UUID, dict[str, StateElection]] = {}
    for row in rows:
        if row["jurisdiction"] == models.FEDERAL:
            federal[row["worker_id"]] = federal_election(row)
        else:
            states.setdefault(row["worker_id"], {})[row["jurisdiction"]] = state_forms.of_row(row)
    return federal, states


def federal_election(row: Row) -> FederalElection:
    return FederalElection(
        id=row["id"],
        version=row["w4_version"],
        filing_status=row["filing_status"],
        step2_checkbox=row["step2_checkbox"],
        step3=row["step3_minor"],
        step4a=row["step4a_minor"],
        step4b=row["step4b_minor"],
        step4c=row["step4c_minor"],
        allowances=row["allowances"],
        exempt=row["exempt"],
        nonresident_alien=row["nonresident_alien"],
    )


async def active_accounts(tx: Tx, worker_ids: Collection[UUID]) -> dict[UUID, PayAccount]:
    """Where each worker is paid to now. One statement; workers without an account are left out."""
    rows = await tx.fetch(
        select(*_accounts.c).where(
            _accounts.c.tenant_id == TENANT, any_of(_accounts.c.worker_id, worker_ids), _accounts.c.status == "active"
        )
    )
    return {row["worker_id"]: _pay_account(row) for row in rows}


def _pay_account(row: Row) -> PayAccount:
    return PayAccount(
        id=row["id"],
        routing_number=row["routing_number"],
        account_sealed=Sealed(bytes(row["account_sealed"])),
        account_last4=row["account_last4"],
        kind=row["kind"],
        holder_name=row["holder_name"],
        created_by=row["created_by"],
    )


async def _openings_of(tx: Tx, found: list[UUID], year: int) -> dict[tuple[UUID, UUID], YearOpening]:
    rows = await tx.fetch(
        select(*_openings.c).where(
            _openings.c.tenant_id == TENANT, any_of(_openings.c.worker_id, found), _openings.c.year == year
        )
    )
    there = [row["id"] for row in rows]
    wages: dict[Any, dict[str, int]] = {}
    for row in await tx.fetch(
        select(*_states.c).where(_states.c.tenant_id == TENANT, any_of(_states.c.opening_balance_id, there))
    ):
        wages.setdefault(row["opening_balance_id"], {})[row["state"]] = row["wages_minor"]
    amounts: dict[Any, dict[str, tuple[int, int]]] = {}
    for row in await tx.fetch(
        select(*_programmes.c).where(_programmes.c.tenant_id == TENANT, any_of(_programmes.c.opening_balance_id, there))
    ):
        amounts.setdefault(row["opening_balance_id"], {})[row["code"]] = (row["wages_minor"], row["amount_minor"])
    return {
        (row["worker_id"], row["employer_id"]): YearOpening(
            gross=row["gross_minor"],
            social_security_wages=row["social_security_wages_minor"],
            medicare_wages=row["medicare_wages_minor"],
            futa_wages=row["futa_wages_minor"],
            elective_deferrals=row["elective_deferrals_minor"],
            state_wages=wages.get(row["id"], {}),
            programmes=amounts.get(row["id"], {}),
        )
        for row in rows
    }
