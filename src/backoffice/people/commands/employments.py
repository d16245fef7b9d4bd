"""Employments: hired, changed, ended."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select

from backoffice.kernel.errors import AlreadyExists, Fault, FaultList, NotFound, ValidationFailed
from backoffice.people import events, models, queries
from backoffice.people.commands.facts import Facts, facts_of, label
from backoffice.people.errors import EmploymentEnded, EmploymentOpen
from backoffice.people.schemas import CreateEmployment, Employment, EndEmployment
from backoffice.platform.effects import Effect
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import find_id

_employments = models.employment


async def hire(tx: Tx, worker_id: str, data: CreateEmployment) -> Employment:
    """Employ a worker. EmploymentOpen (409) while an employment lasts; ValidationFailed (422)."""
    worker = await queries.record(tx, models.worker, "worker", worker_id)
    return await hire_worker(tx, worker, data, await facts_of(tx))


async def hire_worker(tx: Tx, worker: Row, data: CreateEmployment, facts: Facts) -> Employment:
    """As `hire`, for a row read in this transaction."""
    if facts.employer_id is None:
        raise NotFound("This tenant has no employer yet; apply its tenant file.")
    faults = FaultList()
    check_schedule(faults, facts, data.pay_schedule)
    employments = await of_worker(tx, worker)
    if any(row["ended_on"] is None for row in employments):
        raise EmploymentOpen("End the employment that lasts before you hire again.")
    if any(data.hired_on <= row["ended_on"] for row in employments):
        faults.add("#/hired_on", "overlaps", "must be after the last day of the employment before it")
    faults.raise_if_any()
    row = await tx.insert_or_none(_employments, **employment_values(await tx.new_id(), worker, data, facts))
    if row is None:
        if any(each["ended_on"] is None for each in await of_worker(tx, worker)):
            raise EmploymentOpen("End the employment that lasts before you hire again.")
        raise AlreadyExists(errors=[Fault("already_in_use", "is another employment's", pointer="#/external_id")])
    return tell_hired(tx, worker, row, facts)


def employment_values(id_: UUID, worker: Row, data: CreateEmployment, facts: Facts) -> dict[str, Any]:
    """The columns of a new employment."""
    return {
        "id": id_,
        "worker_id": worker["id"],
        "employer_id": facts.employer_id,
        "pay_schedule_id": facts.schedules[data.pay_schedule],
        "job_title": data.job_title,
        "hired_on": data.hired_on,
        "external_id": data.external_id,
        "metadata": data.metadata,
    }


def tell_hired(tx: Tx, worker: Row, row: Row, facts: Facts) -> Employment:
    view = queries.employment_view(tx, row, facts.schedule_names())
    effect = Effect(
        kind="worker_hired",
        subject=view.worker_id,
        after={"hired_on": view.hired_on.isoformat(), "pay_schedule": view.pay_schedule},
        message=f"The {label(worker)} is employed from {view.hired_on} and paid {view.pay_schedule}.",
    )
    tx.emit(events.EMPLOYMENT_CREATED, view, effects=[effect])
    tx.audit("employment.created", object_type="employment", object_id=row["id"])
    return view


async def end_employment(tx: Tx, id_: str, data: EndEmployment) -> Employment:
    """Set the last day. EmploymentEnded (409) when there is one; ValidationFailed (422) when it is before the hire."""
    employment_id = await find_id(tx, _employments, "employment", id_)
    before = await tx.row(
        select(*_employments.c)
        .where(_employments.c.tenant_id == TENANT, _employments.c.id == employment_id)
        .with_for_update()
    )
    if before is None:
        raise NotFound
    if before["ended_on"] is not None:
        raise EmploymentEnded(f"It ended on {before['ended_on']}.")
    if data.ended_on < before["hired_on"]:
        detail = f"must not be before the hire on {before['hired_on']}"
        raise ValidationFailed([Fault("before_hire", detail, pointer="#/ended_on")])
    row = await tx.change(_employments, employment_id, {"ended_on": data.ended_on})
    assert row is not None
    view = queries.employment_view(tx, row, await queries.schedule_names(tx))
    effect = Effect(
        kind="employment_ended",
        subject=view.worker_id,
        after={"ended_on": data.ended_on.isoformat()},
        message=f"The employment ends on {data.ended_on}; hours up to then are still paid.",
    )
    tx.emit(events.EMPLOYMENT_ENDED, view, changed=["ended_on"], previous={"ended_on": None}, effects=[effect])
    tx.audit("employment.ended", object_type="employment", object_id=row["id"], object_version=row["version"])
    return view


async def change_employment(tx: Tx, worker: Row, before: Row, changed: dict[str, Any], facts: Facts) -> None:
    """Set the job title or pay schedule of an employment that lasts."""
    row = await tx.change(_employments, before["id"], changed)
    assert row is not None
    fields = sorted("pay_schedule" if name == "pay_schedule_id" else name for name in changed)
    view = queries.employment_view(tx, row, facts.schedule_names())
    effect = Effect(
        kind="employment_changed",
        subject=view.worker_id,
        after={"fields": fields},
        message=f"Of the employment of {label(worker)} changed: {', '.join(fields)}.",
    )
    tx.emit(events.EMPLOYMENT_UPDATED, view, changed=fields, effects=[effect])
    tx.audit(
        "employment.updated",
        object_type="employment",
        object_id=row["id"],
        object_version=row["version"],
        changed={"fields": fields},
    )


def check_schedule(faults: FaultList, facts: Facts, name: str) -> None:
    if name not in facts.schedules:
        known = ", ".join(sorted(facts.schedules)) or "none yet"
        faults.add("#/pay_schedule", "unknown_pay_schedule", f"must be a pay schedule of this tenant: {known}")


async def of_worker(tx: Tx, worker: Row) -> list[Row]:
    """The worker's employments, newest first."""
    return await tx.fetch(
        select(*_employments.c)
        .where(_employments.c.tenant_id == TENANT, _employments.c.worker_id == worker["id"])
        .order_by(_employments.c.hired_on.desc(), _employments.c.id.desc())
    )
