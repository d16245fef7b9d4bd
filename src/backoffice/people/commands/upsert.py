"""The bulk operation `workers.upsert`: each row makes or updates one worker, by the same commands as one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, structs
from sqlalchemy import Text, select

from backoffice.kernel.csv_rows import CsvFault, CsvRow
from backoffice.kernel.errors import FaultList, Problem
from backoffice.people import models, queries
from backoffice.people.commands.bank_accounts import active_account, is_same, open_account
from backoffice.people.commands.elections import columns_of, file_election
from backoffice.people.commands.employments import change_employment, check_schedule, hire_worker, of_worker
from backoffice.people.commands.facts import Facts, facts_of
from backoffice.people.commands.opening import put_opening
from backoffice.people.commands.workers import change_worker, check_person, insert_worker
from backoffice.people.csv_files import WorkerRow
from backoffice.people.schemas import (
    W4,
    Address,
    AddressPatch,
    CreateBankAccount,
    CreateEmployment,
    CreateTaxElection,
    CreateWorker,
    SetOpeningBalance,
    StateCertificate,
    StateWages,
    UpdateWorker,
)
from backoffice.platform.bulk import Applied, RowOutcome
from backoffice.platform.db import Row, Tx
from backoffice.platform.tables import TENANT
from backoffice.platform.web.bodies import MoneyBody

# Where a command's field stands in the file.
_COLUMNS = {
    "#/hired_on": "hire_date",
    "#/address/line1": "address_line1",
    "#/address/line2": "address_line2",
    "#/address/city": "city",
    "#/address/state": "state",
    "#/routing_number": "bank_routing_number",
}
_workers, _elections = models.worker, models.tax_election


async def upsert_workers(tx: Tx, rows: Sequence[CsvRow[WorkerRow]]) -> Applied:
    """Make or update the workers of a chunk, by `external_id`. What is on file already is left as it is; a blank bank
    account or state certificate leaves what is there. A refused row leaves nothing."""
    facts = await facts_of(tx)
    wanted = queries.any_of(_workers.c.external_id, [row.record.external_id for row in rows], Text)
    found = await tx.fetch(select(*_workers.c).where(_workers.c.tenant_id == TENANT, wanted).with_for_update())
    there = {row["external_id"]: row for row in found}
    applied = Applied()
    for row in rows:
        try:
            async with tx.savepoint():
                outcome, worker = await _upsert(tx, row.record, there.get(row.record.external_id), facts)
            applied.outcomes.append(RowOutcome(row.number, outcome, queries.worker_view(tx, worker).id))
        except Problem as problem:
            applied.faults += _as_cells(row.number, problem)
    return applied


async def _upsert(tx: Tx, row: WorkerRow, worker: Row | None, facts: Facts) -> tuple[str, Row]:
    _check(row, facts)
    told = len(tx.emitted)
    outcome = "created"
    if worker is None:
        worker = await insert_worker(tx, _new_worker(row), facts)
    else:
        worker = await change_worker(tx, worker, _patch(row), facts)
        outcome = "unchanged"
    await _employ(tx, worker, row, facts)
    await _elect(tx, worker, _federal(row))
    if row.state_certificate is not None:
        await _elect(tx, worker, _state(row))
    if row.bank_account is not None:
        await _bank(tx, worker, row)
    opening = _opening(row, facts)
    if opening is not None:
        await put_opening(tx, worker, opening, facts)
    if outcome == "unchanged" and len(tx.emitted) > told:
        outcome = "updated"
    return outcome, worker


def _check(row: WorkerRow, facts: Facts) -> None:
    """The faults that need the tenant's facts, all at once, before anything is written."""
    faults = FaultList()
    check_person(faults, facts, state=row.address.state, written_ssn=row.ssn, birth_date=row.birth_date)
    check_schedule(faults, facts, row.pay_schedule)
    faults.raise_if_any()


async def _employ(tx: Tx, worker: Row, row: WorkerRow, facts: Facts) -> None:
    employments = await of_worker(tx, worker)
    lasting = next((each for each in employments if each["ended_on"] is None), None)
    ended = next((each for each in employments if each["hired_on"] == row.hire_date), None)
    if lasting is None and ended is None:
        hired = CreateEmployment(hired_on=row.hire_date, pay_schedule=row.pay_schedule, job_title=row.job_title)
        await hire_worker(tx, worker, hired, facts)
        return
    if lasting is None:
        return  # the file tells of an employment that has ended since
    if lasting["hired_on"] != row.hire_date:
        faults = FaultList()
        detail = f"the worker is employed since {lasting['hired_on']}; end that employment before another hire"
        faults.add("#/hired_on", "employment_open", detail)
        faults.raise_if_any()
    wanted = {"job_title": row.job_title, "pay_schedule_id": facts.schedules[row.pay_schedule]}
    changed = {name: value for name, value in wanted.items() if value is not None and value != lasting[name]}
    if changed:
        await change_employment(tx, worker, lasting, changed, facts)


async def _elect(tx: Tx, worker: Row, data: CreateTaxElection) -> None:
    """Put the certificate on file unless it is the one in force."""
    current = await tx.row(
        select(*_elections.c)
        .where(
            _elections.c.tenant_id == TENANT,
            _elections.c.worker_id == worker["id"],
            _elections.c.jurisdiction == data.jurisdiction,
        )
        .order_by(_elections.c.effective_from.desc(), _elections.c.id.desc())
        .limit(1)
    )
    wanted: dict[str, Any] = {**columns_of(data), "effective_from": data.effective_from}
    if current is None or any(current[name] != value for name, value in wanted.items()):
        if current is not None and data.effective_from < current["effective_from"]:
            faults = FaultList()
            detail = f"a certificate in force since {current['effective_from']} is on file; this one is older"
            faults.add("#/w4_signed_on", "older_than_on_file", detail)
            faults.raise_if_any()
        await file_election(tx, worker, data)


async def _bank(tx: Tx, worker: Row, row: WorkerRow) -> None:
    assert row.bank_account is not None
    data = CreateBankAccount(
        routing_number=row.bank_account.routing_number,
        account_number=row.bank_account.account_number,
        kind=row.bank_account.account_type,  # type: ignore[arg-type]  # the parser took nothing else
    )
    current = await active_account(tx, worker["id"])
    index = (await tx.cipher()).blind_index("bank_account", data.account_number)
    if current is None or not is_same(current, data, index):
        await open_account(tx, worker, data)


def _new_worker(row: WorkerRow) -> CreateWorker:
    return CreateWorker(
        external_id=row.external_id,
        first_name=row.first_name,
        middle_name=row.middle_name,
        last_name=row.last_name,
        email=row.email,
        address=Address(**structs.asdict(row.address)),
        ssn=row.ssn,
        birth_date=row.birth_date,
    )


def _patch(row: WorkerRow) -> UpdateWorker:
    """Blank cells leave what is on file; an address is one thing and comes whole."""
    return UpdateWorker(
        first_name=row.first_name,
        middle_name=UNSET if row.middle_name is None else row.middle_name,
        last_name=row.last_name,
        email=UNSET if row.email is None else row.email,
        address=AddressPatch(**structs.asdict(row.address)),
        ssn=row.ssn,
        birth_date=row.birth_date,
    )


def _federal(row: WorkerRow) -> CreateTaxElection:
    w4 = W4(
        version=row.w4.version,  # type: ignore[arg-type]
        filing_status=row.w4.filing_status,  # type: ignore[arg-type]
        step2_checkbox=row.w4.step2_checkbox,
        step3=MoneyBody.of(row.w4.step3),
        step4a=MoneyBody.of(row.w4.step4a),
        step4b=MoneyBody.of(row.w4.step4b),
        step4c=MoneyBody.of(row.w4.step4c),
        allowances=row.w4.allowances,
        exempt=row.w4.exempt,
        nonresident_alien=row.w4.nonresident_alien,
    )
    signed = row.w4.signed_on
    return CreateTaxElection(jurisdiction=models.FEDERAL, effective_from=signed, signed_on=signed, w4=w4)


def _state(row: WorkerRow) -> CreateTaxElection:
    """The file has one date for both forms: they are signed together."""
    assert row.state_certificate is not None
    certificate = StateCertificate(
        status=row.state_certificate.status,  # type: ignore[arg-type]
        allowances=row.state_certificate.allowances,
        secondary_allowances=row.state_certificate.secondary_allowances,
    )
    signed = row.w4.signed_on
    return CreateTaxElection(
        jurisdiction=row.state_certificate.state,
        effective_from=signed,
        signed_on=signed,
        state_certificate=certificate,
    )


def _opening(row: WorkerRow, facts: Facts) -> SetOpeningBalance | None:
    """Amounts of the year it is now; None when the file gives none."""
    given = row.opening_balance
    amounts = (given.gross, given.social_security_wages, given.medicare_wages, given.futa_wages, given.state_wages)
    if not any(amounts):
        return None
    states = [] if given.state is None else [StateWages(state=given.state, wages=MoneyBody.of(given.state_wages))]
    return SetOpeningBalance(
        year=facts.today.year,
        gross=MoneyBody.of(given.gross),
        social_security_wages=MoneyBody.of(given.social_security_wages),
        medicare_wages=MoneyBody.of(given.medicare_wages),
        futa_wages=MoneyBody.of(given.futa_wages),
        states=states,
    )


def _as_cells(number: int, problem: Problem) -> list[CsvFault]:
    """A refusal in the file's own words: row, column, code, detail."""
    if not problem.errors:
        return [CsvFault(number, "", problem.code, problem.detail)]
    return [
        CsvFault(
            number,
            _COLUMNS.get(fault.pointer or "", (fault.pointer or "").removeprefix("#/")),
            fault.code,
            fault.detail,
        )
        for fault in problem.errors
    ]
