"""Workers: added and changed."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from msgspec import UNSET
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from backoffice.kernel.errors import Fault, FaultList, VersionConflict
from backoffice.kernel.places import STATES
from backoffice.people import events, models, queries, ssn
from backoffice.people.commands.facts import Facts, clean, facts_of, label
from backoffice.people.commands.reveal import opened
from backoffice.people.errors import WorkerExists
from backoffice.people.localities import check_locality
from backoffice.people.schemas import CreateWorker, UpdateWorker, Worker
from backoffice.platform import models as platform_models
from backoffice.platform.crypto import Cell
from backoffice.platform.effects import Effect
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Taken, Tx
from backoffice.platform.web.bodies import merged_metadata

FIRST_NUMBER = 1001
_EARLIEST_BIRTH = date(1900, 1, 1)
_NAMES = ("first_name", "middle_name", "last_name")
_ADDRESS = {"line1": "address_line1", "line2": "address_line2", "city": "city", "state": "state",
            "postal_code": "postal_code"}  # fmt: skip
_workers = models.worker


async def create_worker(tx: Tx, data: CreateWorker, *, facts: Facts | None = None) -> Worker:
    """Add a person. ValidationFailed (422) with all faults; WorkerExists (409) for an external_id or a Social Security
    number that a worker of this tenant has."""
    return queries.worker_view(tx, await insert_worker(tx, data, facts or await facts_of(tx)))


async def insert_worker(tx: Tx, data: CreateWorker, facts: Facts) -> Row:
    """As `create_worker`; the row."""
    values = await worker_values(tx, data, facts)
    row = await tx.insert_or_none(_workers, number=await next_numbers(tx, 1), **values)
    if row is None:
        raise await who_is_there(tx, data.external_id, values["ssn_bidx"])
    tell_created(tx, row)
    return row


async def worker_values(tx: Tx, data: CreateWorker, facts: Facts) -> dict[str, Any]:
    """The columns of a new worker, without its number. ValidationFailed (422) with all faults."""
    faults = FaultList()
    values: dict[str, Any] = {
        "id": await tx.new_id(),
        "external_id": data.external_id,
        "metadata": data.metadata,
        "email": data.email,
        "phone": data.phone,
        "residence_locality": data.residence_locality,
    }
    for name in _NAMES:
        text = getattr(data, name)
        values[name] = None if text is None else clean(faults, f"#/{name}", text)
    for name, column in _ADDRESS.items():
        text = getattr(data.address, name)
        values[column] = None if text is None else clean(faults, f"#/address/{name}", text)
    check_person(faults, facts, state=data.address.state, written_ssn=data.ssn, birth_date=data.birth_date)
    check_locality(faults, data.address.state, data.residence_locality, "#/residence_locality")
    faults.raise_if_any()
    return values | await sealed_values(tx, values["id"], data.ssn, data.birth_date)


def tell_created(tx: Tx, row: Row) -> None:
    view = queries.worker_view(tx, row)
    message = f"The {label(row)} was added. Nobody is paid before a hire date and a bank account are on file."
    effect = Effect(kind="worker_added", subject=view.id, after={"status": row["status"]}, message=message)
    tx.emit(events.WORKER_CREATED, view, effects=[effect])
    tx.audit("worker.created", object_type="worker", object_id=row["id"], object_version=row["version"])


def check_person(
    faults: FaultList, facts: Facts, *, state: str | None, written_ssn: str | None, birth_date: date | None
) -> None:
    """What the tenant's facts and the calendar say about a person's particulars."""
    if state is not None and state not in STATES:
        faults.add("#/address/state", "unknown_state", "must be one of the fifty states or DC")
    if written_ssn is not None:
        refused = ssn.fault(ssn.digits(written_ssn) or "", facts.ssn_areas)
        if refused is not None:
            faults.add("#/ssn", *refused)
    if birth_date is not None and not _EARLIEST_BIRTH <= birth_date < facts.today:
        faults.add("#/birth_date", "out_of_range", "must be a day since 1900-01-01 and before today")


async def sealed_values(tx: Tx, id_: UUID, written_ssn: str | None, birth_date: date | None) -> dict[str, Any]:
    """The columns of what is kept sealed; all of them, empty where nothing is given."""
    cipher = await tx.cipher()
    nine = None if written_ssn is None else ssn.digits(written_ssn)
    born = None if birth_date is None else birth_date.isoformat()
    return {
        "ssn_sealed": None if nine is None else cipher.seal(Cell("worker", "ssn", id_), nine),
        "ssn_bidx": None if nine is None else cipher.blind_index("ssn", nine),
        "ssn_last4": None if nine is None else nine[-4:],
        "birth_date_sealed": None if born is None else cipher.seal(Cell("worker", "birth_date", id_), born),
    }


async def update_worker(tx: Tx, id_: str, data: UpdateWorker, if_version: int) -> Worker:
    """Apply a merge patch. VersionConflict (412); ValidationFailed (422); WorkerExists (409)."""
    row = await queries.record(tx, _workers, "worker", id_, lock=True)
    if row["version"] != if_version:
        raise VersionConflict(row["version"])
    return queries.worker_view(tx, await change_worker(tx, row, data, await facts_of(tx)))


async def change_worker(tx: Tx, row: Row, data: UpdateWorker, facts: Facts) -> Row:
    """As `update_worker`, for a row that was read in this transaction; the same row when nothing differs."""
    faults = FaultList()
    wanted: dict[str, Any] = {}
    for name in ("external_id", "email", "phone", "status", "residence_locality"):
        if getattr(data, name) is not UNSET:
            wanted[name] = getattr(data, name)
    if data.metadata is not UNSET:
        wanted["metadata"] = merged_metadata(row["metadata"], data.metadata)
    for name in _NAMES:
        text = getattr(data, name)
        if text is not UNSET:
            wanted[name] = None if text is None else clean(faults, f"#/{name}", text)
    if data.address is not UNSET:
        for name, column in _ADDRESS.items():
            text = getattr(data.address, name)
            if text is not UNSET:
                wanted[column] = None if text is None else clean(faults, f"#/address/{name}", text)
    given_ssn = None if data.ssn is UNSET else data.ssn
    born = None if data.birth_date is UNSET else data.birth_date
    check_person(faults, facts, state=wanted.get("state"), written_ssn=given_ssn, birth_date=born)
    lives = {**row, **wanted}
    check_locality(faults, lives["state"], lives["residence_locality"], "#/residence_locality")
    faults.raise_if_any()
    changed = {name: value for name, value in wanted.items() if value != row[name]}
    changed |= await _changed_numbers(tx, row, given_ssn, born)
    if not changed:
        return row
    try:
        async with tx.savepoint():
            after = await tx.change(_workers, row["id"], changed)
    except Taken as taken:
        raise await who_is_there(tx, changed.get("external_id"), changed.get("ssn_bidx")) from taken
    assert after is not None
    _tell_change(tx, row, after, changed)
    return after


# --------------------------------------------------------------------------------------------------------- inside


async def _changed_numbers(tx: Tx, row: Row, written_ssn: str | None, birth_date: date | None) -> dict[str, Any]:
    """Sealed columns that differ from what is on file."""
    if written_ssn is None and birth_date is None:
        return {}
    sealed = await sealed_values(tx, row["id"], written_ssn, birth_date)
    changed = {}
    if written_ssn is not None and (row["ssn_bidx"] is None or sealed["ssn_bidx"] != bytes(row["ssn_bidx"])):
        changed = {name: sealed[name] for name in ("ssn_sealed", "ssn_bidx", "ssn_last4")}
    if birth_date is not None:
        before = await opened(tx, row, "birth_date", "compare_with_new")
        if before != birth_date.isoformat():
            changed["birth_date_sealed"] = sealed["birth_date_sealed"]
    return changed


def _tell_change(tx: Tx, before: Row, after: Row, changed: dict[str, Any]) -> None:
    view = queries.worker_view(tx, after)
    shown = sorted({_shown_as(column) for column in changed})
    effects = [
        Effect(
            kind="worker_changed",
            subject=view.id,
            after={"fields": shown},
            message=f"On file for {label(after)} changed: {', '.join(shown)}.",
        )
    ]
    if before["state"] != after["state"]:
        message = f"The {label(after)} now lives in {after['state']} and not in {before['state']}."
        effects.append(
            Effect(
                kind="residence_changed",
                subject=view.id,
                before={"state": before["state"]},
                after={"state": after["state"]},
                message=message,
            )
        )
    previous = {"status": before["status"]} if "status" in changed else None
    tx.emit(events.WORKER_UPDATED, view, changed=shown, previous=previous, effects=effects)
    tx.audit(
        "worker.updated",
        object_type="worker",
        object_id=after["id"],
        object_version=after["version"],
        changed={"fields": shown},
    )


def _shown_as(column: str) -> str:
    if column in _ADDRESS.values():
        return "address"
    return {"ssn_sealed": "ssn", "ssn_bidx": "ssn", "ssn_last4": "ssn", "birth_date_sealed": "birth_date"}.get(
        column, column
    )


async def next_numbers(tx: Tx, count: int) -> int:
    """The first of the tenant's next `count` worker numbers; they are used up only if the transaction commits."""
    counter = platform_models.counter
    first = pg_insert(counter).values(tenant_id=TENANT, name="worker", next=FIRST_NUMBER + count)
    number: int = await tx.value(
        first.on_conflict_do_update(
            index_elements=[counter.c.tenant_id, counter.c.name], set_={"next": counter.c.next + count}
        ).returning(counter.c.next - count)
    )
    return number


async def who_is_there(tx: Tx, external_id: str | None, bidx: bytes | None) -> WorkerExists:
    """Which of the two unique values is another worker's; the number itself is not repeated."""
    found = []
    for pointer, column, value in (("#/external_id", "external_id", external_id), ("#/ssn", "ssn_bidx", bidx)):
        there = value is not None and await tx.value(
            select(_workers.c.id).where(_workers.c.tenant_id == TENANT, _workers.c[column] == value)
        )
        if there:
            found.append(Fault("already_in_use", "is another worker's; change that worker instead", pointer=pointer))
    return WorkerExists("A worker is there already; see errors.", errors=found)
