"""The bulk operation `workers.upsert`: each row makes or updates one worker.

New workers of a chunk are written together, a statement for each table; those that are on file are compared with it in
memory, and only what differs goes through the same functions as one request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from msgspec import structs
from sqlalchemy import LargeBinary, Table, Text, select
from sqlalchemy.dialects.postgresql import distinct_on

from backoffice.kernel.csv_rows import CsvRow
from backoffice.kernel.errors import Fault, FaultList, Problem
from backoffice.people import models, queries
from backoffice.people.commands import rows as written
from backoffice.people.commands.bank_accounts import account_values, is_same, open_account, tell_opened
from backoffice.people.commands.elections import (
    check_state_form,
    columns_of,
    election_values,
    file_election,
    tell_filed,
)
from backoffice.people.commands.employments import (
    change_employment,
    check_schedule,
    employment_values,
    hire_worker,
    tell_hired,
)
from backoffice.people.commands.facts import Facts, facts_of
from backoffice.people.commands.opening import is_same as is_same_opening
from backoffice.people.commands.opening import opening_values, put_opening, put_parts, tell_set
from backoffice.people.commands.workers import (
    change_worker,
    check_person,
    next_numbers,
    tell_created,
    who_is_there,
    worker_values,
)
from backoffice.people.csv_files import WorkerRow
from backoffice.people.errors import WorkerExists
from backoffice.people.localities import check_locality
from backoffice.people.queries import any_of
from backoffice.people.schemas import CreateTaxElection, OpeningBalance
from backoffice.platform.bulk import Applied, RowOutcome
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx

_workers, _employments, _elections = models.worker, models.employment, models.tax_election
_accounts, _openings = models.bank_account, models.opening_balance
_Rows = Sequence[CsvRow[WorkerRow]]


@dataclass(slots=True)
class _OnFile:
    """What is on file about the workers of a chunk."""

    workers: dict[str, Row] = field(default_factory=dict)  # by external_id
    ssns: dict[bytes, UUID] = field(default_factory=dict)  # by blind index
    employments: dict[UUID, list[Row]] = field(default_factory=dict)
    elections: dict[tuple[UUID, str], Row] = field(default_factory=dict)
    accounts: dict[UUID, Row] = field(default_factory=dict)
    openings: dict[tuple[UUID, int], OpeningBalance] = field(default_factory=dict)


async def upsert_workers(tx: Tx, rows: _Rows) -> Applied:
    """Make or update the workers of a chunk, by `external_id`. What is on file already is left as it is, and so is what
    a blank cell is about. A refused row leaves nothing."""
    facts = await facts_of(tx)
    file = await _read(tx, rows)
    applied = Applied()
    new: list[tuple[CsvRow[WorkerRow], dict[str, Any]]] = []
    for row in rows:
        worker = file.workers.get(row.record.external_id)
        try:
            _check(row.record, facts)
            if worker is None:
                new.append((row, await _new_values(tx, row.record, facts, file)))
                continue
            async with tx.savepoint():
                worker, told = await _update(tx, row.record, worker, facts, file)
            outcome = "updated" if told else "unchanged"
            applied.outcomes.append(RowOutcome(row.number, outcome, queries.worker_view(tx, worker).id))
        except Problem as problem:
            applied.faults += written.as_cells(row.number, problem)
    await _add(tx, new, facts, applied)
    return applied


def _check(row: WorkerRow, facts: Facts) -> None:
    """The faults that need the tenant's facts, all at once, before anything is written."""
    faults = FaultList()
    check_person(faults, facts, state=row.address.state, written_ssn=row.ssn, birth_date=row.birth_date)
    check_locality(faults, row.address.state, row.residence_locality, "#/residence_locality")
    check_schedule(faults, facts, row.pay_schedule)
    if row.state_certificate is not None:
        check_state_form(faults, written.state(row))
    faults.raise_if_any()


# ------------------------------------------------------------------------------------------------------- on file


async def _read(tx: Tx, rows: _Rows) -> _OnFile:
    """Eight statements. The workers are held until the transaction ends."""
    names = [row.record.external_id for row in rows]
    held = await tx.fetch(
        select(*_workers.c)
        .where(_workers.c.tenant_id == TENANT, any_of(_workers.c.external_id, names, Text))
        .order_by(_workers.c.id)
        .with_for_update()
    )
    cipher = await tx.cipher()
    indexes = [cipher.blind_index("ssn", row.record.ssn) for row in rows]
    named = await tx.fetch(
        select(_workers.c.id, _workers.c.ssn_bidx).where(
            _workers.c.tenant_id == TENANT, any_of(_workers.c.ssn_bidx, indexes, LargeBinary)
        )
    )
    file = _OnFile(
        workers={row["external_id"]: row for row in held},
        ssns={bytes(row["ssn_bidx"]): row["id"] for row in named},
    )
    if not held:
        return file
    found = [row["id"] for row in held]
    for row in await _of(tx, _employments, found):
        file.employments.setdefault(row["worker_id"], []).append(row)
    latest = await tx.fetch(
        select(*_elections.c)
        .ext(distinct_on(_elections.c.worker_id, _elections.c.jurisdiction))
        .where(_elections.c.tenant_id == TENANT, any_of(_elections.c.worker_id, found))
        .order_by(
            _elections.c.worker_id,
            _elections.c.jurisdiction,
            _elections.c.effective_from.desc(),
            _elections.c.id.desc(),
        )
    )
    file.elections = {(row["worker_id"], row["jurisdiction"]): row for row in latest}
    file.accounts = {row["worker_id"]: row for row in await _of(tx, _accounts, found) if row["status"] == "active"}
    openings = await _of(tx, _openings, found)
    views = await queries.opening_balance_views(tx, openings)
    file.openings = {(row["worker_id"], row["year"]): view for row, view in zip(openings, views, strict=True)}
    return file


async def _of(tx: Tx, table: Table, found: Sequence[UUID]) -> list[Row]:
    return await tx.fetch(
        select(*table.c).where(table.c.tenant_id == TENANT, any_of(table.c.worker_id, found)).order_by(table.c.id)
    )


# --------------------------------------------------------------------------------------------------- new workers


async def _new_values(tx: Tx, row: WorkerRow, facts: Facts, file: _OnFile) -> dict[str, Any]:
    values = await worker_values(tx, written.new_worker(row), facts)
    if values["ssn_bidx"] in file.ssns:
        fault = Fault("already_in_use", "is another worker's; change that worker instead", pointer="#/ssn")
        raise WorkerExists(errors=[fault])
    return values


async def _add(tx: Tx, new: Sequence[tuple[CsvRow[WorkerRow], dict[str, Any]]], facts: Facts, applied: Applied) -> None:
    """New workers with all that their rows say: a statement for each table, however many workers."""
    if not new:
        return
    first = await next_numbers(tx, len(new))
    numbered = [{"number": number, **values} for number, (_, values) in enumerate(new, start=first)]
    made = {row["id"]: row for row in await tx.insert_new(_workers, numbered)}
    good = [(row.record, made[values["id"]]) for row, values in new if values["id"] in made]
    for row, values in new:  # somebody else was quicker
        if values["id"] not in made:
            refused = await who_is_there(tx, values["external_id"], values["ssn_bidx"])
            applied.faults += written.as_cells(row.number, refused)
    for _, worker in good:
        tell_created(tx, worker)
    hires = [employment_values(await tx.new_id(), worker, written.employment(row), facts) for row, worker in good]
    for stored in await tx.insert_new(_employments, hires):
        tell_hired(tx, made[stored["worker_id"]], stored, facts)
    elections = [
        election_values(await tx.new_id(), worker, data) for row, worker in good for data in written.elections(row)
    ]
    for stored in await tx.insert_new(_elections, elections):
        tell_filed(tx, made[stored["worker_id"]], stored)
    cipher = await tx.cipher()
    accounts = [
        account_values(tx, cipher, await tx.new_id(), worker, data)
        for row, worker in good
        if (data := written.account(row)) is not None
    ]
    for stored in await tx.insert_new(_accounts, accounts):
        tell_opened(tx, made[stored["worker_id"]], stored, None)
    await _open_balances(tx, good, made, facts)
    outcomes = [RowOutcome(row.number, "created", _shown(tx, made[v["id"]])) for row, v in new if v["id"] in made]
    applied.outcomes += outcomes


async def _open_balances(tx: Tx, good: Iterable[tuple[WorkerRow, Row]], made: dict[UUID, Row], facts: Facts) -> None:
    given = [
        (opening_values(await tx.new_id(), worker, data, facts), data)
        for row, worker in good
        if (data := written.opening(row, facts)) is not None
    ]
    stored = await tx.insert_new(_openings, [values for values, _ in given])
    await put_parts(tx, [(values["id"], data) for values, data in given])
    views = await queries.opening_balance_views(tx, stored) if stored else []
    for row, view in zip(stored, views, strict=True):
        tell_set(tx, made[row["worker_id"]], row, view)


def _shown(tx: Tx, worker: Row) -> str:
    return queries.worker_view(tx, worker).id


# -------------------------------------------------------------------------------------------------- known workers


async def _update(tx: Tx, row: WorkerRow, worker: Row, facts: Facts, file: _OnFile) -> tuple[Row, bool]:
    """The worker as it is now, and whether anything differed."""
    before = len(tx.emitted)
    worker = await change_worker(tx, worker, written.patch(row), facts)
    await _employ(tx, worker, row, facts, file.employments.get(worker["id"], []))
    for data in written.elections(row):
        await _elect(tx, worker, data, file.elections.get((worker["id"], data.jurisdiction)))
    account = written.account(row)
    if account is not None:
        current = file.accounts.get(worker["id"])
        index = (await tx.cipher()).blind_index("bank_account", account.account_number)
        if current is None or not is_same(current, account, index):
            await open_account(tx, worker, account)
    opening = written.opening(row, facts)
    if opening is not None:
        there = file.openings.get((worker["id"], opening.year))
        if there is not None:  # what the file has no cell for, and an empty cell, leave what is on file
            kept = opening.programmes or there.programmes
            opening = structs.replace(opening, programmes=kept, elective_deferrals=there.elective_deferrals)
        if there is None or not is_same_opening(there, opening):
            await put_opening(tx, worker, opening, facts)
    return worker, len(tx.emitted) > before


async def _employ(tx: Tx, worker: Row, row: WorkerRow, facts: Facts, employments: Sequence[Row]) -> None:
    lasting = next((each for each in employments if each["ended_on"] is None), None)
    if lasting is None:
        if all(each["hired_on"] != row.hire_date for each in employments):  # else the file tells of one that ended
            await hire_worker(tx, worker, written.employment(row), facts)
        return
    if lasting["hired_on"] != row.hire_date:
        faults = FaultList()
        detail = f"the worker is employed since {lasting['hired_on']}; end that employment before another hire"
        faults.add("#/hired_on", "employment_open", detail)
        faults.raise_if_any()
    wanted = {"job_title": row.job_title, "pay_schedule_id": facts.schedules[row.pay_schedule]}
    changed = {name: value for name, value in wanted.items() if value is not None and value != lasting[name]}
    if changed:
        await change_employment(tx, worker, lasting, changed, facts)


async def _elect(tx: Tx, worker: Row, data: CreateTaxElection, current: Row | None) -> None:
    """Put the certificate on file unless it is the last one there."""
    wanted: dict[str, Any] = {**columns_of(data), "effective_from": data.effective_from}
    if current is not None and all(current[name] == value for name, value in wanted.items()):
        return
    if current is not None and data.effective_from < current["effective_from"]:
        faults = FaultList()
        detail = f"a certificate in force since {current['effective_from']} is on file; this one is older"
        faults.add("#/w4_signed_on", "older_than_on_file", detail)
        faults.raise_if_any()
    await file_election(tx, worker, data)
