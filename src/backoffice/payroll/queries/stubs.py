"""Pay stubs: from stored paychecks to what stands on the statement. No clear number of a person is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from backoffice.accounts import queries as accounts
from backoffice.accounts.schemas import Address as EmployerAddress
from backoffice.accounts.schemas import Employer
from backoffice.kernel import ids
from backoffice.payroll import calc, models
from backoffice.payroll.chart import tax_name, withheld_name
from backoffice.payroll.queries.paychecks import lines_of, of_run
from backoffice.payroll.queries.runs import find_run
from backoffice.payroll.stub import Amount, AssignmentPay, Deposit, Earning, Payee, PayStub, short_day
from backoffice.payroll.stub import Employer as StubEmployer
from backoffice.people import queries as people
from backoffice.people.schemas import Address, PayAccount, PayProfile
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.staffing import queries as staffing

_checks, _lines, _runs = models.paycheck, models.paycheck_line, models.payroll_run
_TAX = "employee_tax"
_TAKEN = (_TAX, *models.WITHHELD)  # all that lies between gross and net
# Notes on what the employer owes, and on what its records and our tables do not say.
NOT_PRINTED = (
    *("programme_not_per_paycheck", "sui_base_not_known", "overtime_by_calendar_day"),
    *("state_conformity_not_recorded", "state_limit_not_recorded", "deduction_cover_not_known"),
)
_PREMIUMS = {
    "overtime_premium": ("Overtime premium", "half the regular rate", "overtime hours"),
    "double_time_premium": ("Double-time premium", "the regular rate", "double-time hours"),
}


async def paychecks_to_print(tx: Tx, run_id: str) -> list[str]:
    """The paychecks of a run, by worker number."""
    run = await find_run(tx, run_id)
    return [ids.encode("paycheck", row["id"]) for row in await of_run(tx, run["id"])]


async def stub_batch(tx: Tx, paycheck_ids: Sequence[str]) -> list[PayStub]:
    """The statements of some paychecks of one run, by worker number."""
    wanted = [id_ for text in paycheck_ids if (id_ := ids.decode("paycheck", text))]
    rows = await tx.fetch(
        select(*_checks.c)
        .where(_checks.c.tenant_id == TENANT, _checks.c.id == any_(literal(wanted, ARRAY(Id))))
        .order_by(_checks.c.number, _checks.c.id)
    )
    if not rows:
        return []
    run = await tx.row(select(*_runs.c).where(_runs.c.tenant_id == TENANT, _runs.c.id == rows[0]["run_id"]))
    assert run is not None
    workers = [row["worker_id"] for row in rows]
    lines = await lines_of(tx, wanted)
    profiles = await people.pay_profiles(tx, workers, run["pay_date"])
    to_date = await _paid_to_date(tx, run, workers)
    paid_to = await people.pay_accounts(tx, [row["bank_account_id"] for row in rows])
    assignments = sorted({line["assignment_id"] for each in lines.values() for line in each if line["assignment_id"]})
    places = await staffing.assignment_places(tx, assignments)
    employer = await accounts.employer(tx)
    return [
        _stub(
            run,
            row,
            lines[row["id"]],
            profiles[row["worker_id"]],
            to_date[row["worker_id"]],
            places,
            employer,
            paid_to[row["bank_account_id"]],
        )
        for row in rows
    ]


async def _paid_to_date(tx: Tx, run: Row, workers: Sequence[UUID]) -> dict[UUID, dict[tuple[str, str, str], int]]:
    """By worker, (kind, code, jurisdiction) → cents of the year's paid paychecks up to and including this run's."""
    rows = await tx.fetch(
        select(
            _checks.c.worker_id,
            _lines.c.kind,
            _lines.c.code,
            _lines.c.jurisdiction,
            func.sum(_lines.c.amount_minor).label("cents"),
        )
        .select_from(
            _checks.join(_lines, _lines.c.paycheck_id == _checks.c.id).join(_runs, _runs.c.id == _checks.c.run_id)
        )
        .where(
            _checks.c.tenant_id == TENANT,
            _lines.c.tenant_id == TENANT,
            _runs.c.tenant_id == TENANT,
            _runs.c.employer_id == run["employer_id"],
            _checks.c.worker_id == any_(literal(list(workers), ARRAY(Id))),
            _checks.c.payment != "pending",
            _checks.c.pay_date >= run["pay_date"].replace(month=1, day=1),
            _checks.c.pay_date <= run["pay_date"],
        )
        .group_by(_checks.c.worker_id, _lines.c.kind, _lines.c.code, _lines.c.jurisdiction)
        .order_by(_checks.c.worker_id, _lines.c.jurisdiction, _lines.c.code)
    )
    found: dict[UUID, dict[tuple[str, str, str], int]] = {}
    for row in rows:
        found.setdefault(row["worker_id"], {})[row["kind"], row["code"], row["jurisdiction"]] = int(row["cents"])
    return found


def _stub(
    run: Row,
    check: Row,
    lines: Sequence[Row],
    profile: PayProfile,
    to_date: Mapping[tuple[str, str, str], int],
    places: Mapping[UUID, Any],
    employer: Employer,
    account: PayAccount,
) -> PayStub:
    work: dict[UUID, list[Earning]] = {}
    other: list[Earning] = []
    for line in lines:
        if line["kind"] != "earning":
            continue
        late = line["workweek"] < run["period_begin"]
        week = f", week of {short_day(line['workweek'])}" if late else ""
        if line["assignment_id"] is not None:
            work.setdefault(line["assignment_id"], []).append(_earning(line, f"Regular{week}"))
        else:
            name, rate, which = _PREMIUMS[line["code"]]
            what = which if late else f"{rate}, {which}"
            other.append(_earning(line, f"{name}{week} ({what})", counted=False))
    amounts = _amounts(lines, to_date)
    gross_to_date = sum(cents for (kind, _, _), cents in to_date.items() if kind == "earning")
    withheld_to_date = sum(cents for (kind, _, _), cents in to_date.items() if kind in _TAKEN)
    law = calc.Tables.load().deductions[run["pay_date"].year]
    notes = [each["detail"] for each in check["notes"] if each["code"] not in NOT_PRINTED]
    if profile.opening.gross:
        notes.append("Year-to-date amounts begin with this issuer's first payday; see earlier ones for the rest.")
    return PayStub(
        statement=ids.encode("paycheck", check["id"]),
        made_at=run["paid_at"] or check["updated_at"],
        employer=StubEmployer(
            name=employer.legal_name,
            address=_address(employer.address),
        ),
        worker=Payee(
            name=profile.full_name,
            address=_address(profile.address),
            ssn_last4=profile.ssn_last4,
            number=f"W{check['number']:06d}",
        ),
        pay_date=run["pay_date"],
        period_begin=run["period_begin"],
        period_end=run["period_end"],
        basis=f"{run['frequency'].capitalize()}, by the hour",
        assignments=tuple(
            AssignmentPay(
                client=places[id_].client_name,
                position=places[id_].job_title,
                place=f"{places[id_].work_city}, {places[id_].work_state}",
                earnings=tuple(earnings),
            )
            for id_, earnings in work.items()
        ),
        other_earnings=tuple(other),
        taxes=tuple(amount for (kind, _, _), amount in amounts.items() if kind == _TAX),
        pretax_deductions=tuple(
            amount for (kind, code, _), amount in amounts.items() if kind == calc.DEDUCTION and law.lowers_a_tax(code)
        ),
        deductions=tuple(
            amount
            for (kind, code, _), amount in amounts.items()
            if kind == calc.GARNISHMENT or (kind == calc.DEDUCTION and not law.lowers_a_tax(code))
        ),
        gross=check["gross_minor"],
        gross_year_to_date=gross_to_date,
        net=check["net_minor"],
        net_year_to_date=gross_to_date - withheld_to_date,
        deposits=(
            Deposit(
                kind=account.kind.capitalize(),
                amount=check["net_minor"],
                masked=account.account_last4,
            ),
        ),
        notes=tuple(notes),
    )


def _amounts(lines: Sequence[Row], to_date: Mapping[tuple[str, str, str], int]) -> dict[tuple[str, str, str], Amount]:
    """What was withheld now or earlier in the year, by (kind, code, jurisdiction): this paycheck's lines first."""
    now: dict[tuple[str, str, str], int] = {}
    for line in lines:
        key = line["kind"], line["code"], line["jurisdiction"]
        if line["kind"] in _TAKEN:
            now[key] = now.get(key, 0) + line["amount_minor"]
    return {
        (kind, code, place): Amount(
            name=tax_name(code, place) if kind == _TAX else withheld_name(code),
            amount=now.get((kind, code, place), 0),
            year_to_date=to_date.get((kind, code, place), 0),
        )
        for kind, code, place in [*now, *(key for key in to_date if key[0] in _TAKEN and key not in now)]
        if now.get((kind, code, place)) or to_date.get((kind, code, place))
    }


def _address(address: EmployerAddress | Address) -> tuple[str, ...]:
    lines = (address.line1, address.line2, f"{address.city}, {address.state} {address.postal_code}")
    return tuple(line for line in lines if line)


def _earning(line: Row, name: str, *, counted: bool = True) -> Earning:
    return Earning(
        name=name,
        amount=line["amount_minor"],
        hours=Decimal(line["hours_hundredths"]) / 100,
        rate=Decimal(line["rate_micros"]) / 1_000_000,
        hours_counted=counted,
    )
