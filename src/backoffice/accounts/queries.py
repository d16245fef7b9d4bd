"""Reads of accounts, for its own pages and for other domains."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select

from backoffice.accounts import models
from backoffice.accounts.schemas import (
    ApiKey,
    Bank,
    Employer,
    PaySchedule,
    Person,
    Tenant,
    TenantSettings,
    TestClock,
)
from backoffice.kernel import ids
from backoffice.kernel.errors import NotFound
from backoffice.platform import models as platform_models
from backoffice.platform.crypto import Cell, Sealed
from backoffice.platform.jobs import queries as job_queries
from backoffice.platform.jobs.schedule_view import ScheduleView, schedule_view
from backoffice.platform.jobs.states import STATUSES, states_of
from backoffice.platform.jobs.view import JobLogs, JobView, logs_view
from backoffice.platform.jobs.view import view as job_view
from backoffice.platform.jobs.why import JobWhy, why
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import find_id, noun_fields
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page

_keys, _people, _employers, _schedules = models.api_key, models.person, models.employer, models.pay_schedule

API_KEYS = Listing(
    _keys,
    filters={
        "person_id": Filter(_keys.c.person_id, kind="person"),
        "revoked_at": Filter(_keys.c.revoked_at, operators=("exists",)),
    },
    sorts=("created_at",),
)
PEOPLE = Listing(_people, filters={"email": Filter(_people.c.email)}, sorts=("created_at",))


_jobs = platform_models.job
JOBS = Listing(
    _jobs,
    filters={
        "kind": Filter(_jobs.c.kind),
        "status": Filter(_jobs.c.state, operators=("in", "ne"), values=STATUSES, stands_for=states_of),
        "parent": Filter(_jobs.c.parent_id, kind="job"),
        "created_at": Filter(_jobs.c.created_at, operators=("gt", "gte", "lt", "lte")),
    },
    sorts=("created_at",),
)


async def jobs(tx: Tx, query: Query) -> Page[JobView]:
    return await page(tx, JOBS, query, lambda row: job_view(tx.principal, row))


async def job(tx: Tx, id_: str) -> JobView:
    return job_view(tx.principal, await _job_row(tx, id_))


async def job_logs(tx: Tx, id_: str) -> JobLogs:
    row = await _job_row(tx, id_)
    entries, cut = await job_queries.log(tx, row["id"])
    return logs_view(tx.principal, row, entries, cut=cut)


async def job_why(tx: Tx, id_: str) -> JobWhy:
    return await why(tx, await _job_row(tx, id_))


async def _job_row(tx: Tx, id_: str) -> Row:
    job_id = ids.decode("job", id_)
    if job_id is None:
        raise NotFound
    return await job_queries.get(tx, job_id)


_recurring = platform_models.schedule
SCHEDULES = Listing(
    _recurring,
    filters={
        "status": Filter(_recurring.c.status, values=("active", "paused")),
        "source": Filter(_recurring.c.source, values=("tenant_file", "platform")),
        "kind": Filter(_recurring.c.kind),
    },
    sorts=("created_at",),
)


async def schedules(tx: Tx, query: Query) -> Page[ScheduleView]:
    return await page(tx, SCHEDULES, query, lambda row: schedule_view(tx, row))


async def schedule(tx: Tx, id_: str) -> ScheduleView:
    return schedule_view(tx, await schedule_row(tx, id_))


async def schedule_row(tx: Tx, id_: str) -> Row:
    return await _row(tx, _recurring, "schedule", id_)


async def tenant_settings(tx: Tx) -> TenantSettings:
    """The facts of this tenant: what `ctl` says of it, and its own settings."""
    facts = (await tx.function("ctl.tenant_settings"))[0]
    own = models.tenant_setting.c
    rows = await tx.fetch(select(own.name, own.value).where(own.tenant_id == TENANT))
    told = {"firm": facts["firm"], "firm_name": facts["firm_name"], "name": facts["name"], "plan": facts["plan"]}
    return msgspec.convert({**told, **facts["facts"], **{r["name"]: r["value"] for r in rows}}, TenantSettings)


async def tenant(tx: Tx) -> Tenant:
    settings = await tenant_settings(tx)
    return Tenant(
        id=ids.encode("tenant", tx.tenant),
        livemode=tx.principal.tenant.livemode,
        firm=settings.firm,
        firm_name=settings.firm_name,
        name=settings.name,
        plan=settings.plan,
        time_zone=settings.time_zone,
        modules=sorted(settings.modules),
        now=await tx.now(),
    )


async def employer(tx: Tx) -> Employer:
    """The W-2 employer; NotFound before `backoffice tenants apply` made one."""
    row = await tx.row(select(*_employers.c).where(_employers.c.tenant_id == TENANT))
    if row is None:
        raise NotFound("This tenant has no employer yet; apply its tenant file.")
    offset = None
    if row["offset_account_sealed"] is not None:
        cipher = await tx.cipher()
        cell = Cell("employer", "offset_account", row["id"])
        offset = cipher.open(cell, Sealed(bytes(row["offset_account_sealed"])), purpose="employer_bank")
    told = {name: row[name] for name in ("id", "legal_name", "ein", "address", "state_accounts")}
    bank = msgspec.convert({**row["bank"], "offset_account_number": offset}, Bank)
    return msgspec.convert({**told, "bank": bank}, Employer, strict=False)


async def hold_employer(tx: Tx) -> None:
    """Lock the employer's row until the transaction ends: of two that start to move its money, one waits for the
    other and sees what it has done."""
    held = select(_employers.c.id).where(_employers.c.tenant_id == TENANT).order_by(_employers.c.id)
    await tx.fetch(held.with_for_update(key_share=True))


async def pay_schedule(tx: Tx, name: str) -> PaySchedule | None:
    row = await tx.row(select(*_schedules.c).where(_schedules.c.tenant_id == TENANT, _schedules.c.name == name))
    return None if row is None else msgspec.convert(dict(row), PaySchedule)


async def pay_schedules(tx: Tx) -> list[PaySchedule]:
    rows = await tx.fetch(select(*_schedules.c).where(_schedules.c.tenant_id == TENANT).order_by(_schedules.c.name))
    return [msgspec.convert(dict(row), PaySchedule) for row in rows]


def person_view(tx: Tx, row: Row) -> Person:
    told = {name: row[name] for name in ("name", "email", "roles", "active")}
    return Person(**noun_fields(tx, "person", row), **told)


async def people(tx: Tx, query: Query) -> Page[Person]:
    return await page(tx, PEOPLE, query, lambda row: person_view(tx, row))


async def person_named(tx: Tx, slug: str) -> UUID | None:
    """The id of the person whom the tenant file calls `slug`."""
    found = await tx.value(select(_people.c.id).where(_people.c.tenant_id == TENANT, _people.c.slug == slug))
    return None if found is None else UUID(str(found))


async def person(tx: Tx, id_: str) -> Person:
    return person_view(tx, await _row(tx, _people, "person", id_))


def key_view(tx: Tx, row: Row, last_used: dict[UUID, Any] | None = None) -> ApiKey:
    return ApiKey(
        **noun_fields(tx, "api_key", row),
        name=row["name"],
        kind=row["kind"],
        person_id=ids.encode("person", row["person_id"]),
        hint=row["hint"],
        scopes=row["scopes"],
        allowed_ips=row["allowed_ips"],
        expires_at=row["not_after"],
        revoked_at=row["revoked_at"],
        last_used_at=(last_used or {}).get(row["id"]),
    )


async def api_keys(tx: Tx, query: Query) -> Page[ApiKey]:
    used = await _last_used(tx)
    return await page(tx, API_KEYS, query, lambda row: key_view(tx, row, used))


async def api_key(tx: Tx, id_: str) -> ApiKey:
    return key_view(tx, await _row(tx, _keys, "api_key", id_), await _last_used(tx))


def clock_view(tx: Tx, row: Row) -> TestClock:
    return TestClock(
        **noun_fields(tx, "test_clock", row),
        **{name: row[name] for name in ("frozen_time", "status", "advancing_to", "seed")},
        job_id=None if row["job_id"] is None else ids.encode("job", row["job_id"]),
    )


async def test_clock(tx: Tx, id_: str) -> TestClock:
    return clock_view(tx, await _row(tx, platform_models.test_clock, "test_clock", id_))


async def _last_used(tx: Tx) -> dict[UUID, Any]:
    return {row["key_id"]: row["last_used_at"] for row in await tx.function("ctl.key_usage")}


async def _row(tx: Tx, table: Any, kind: str, text: str) -> Row:
    id_ = await find_id(tx, table, kind, text)
    row = await tx.row(select(*table.c).where(table.c.tenant_id == TENANT, table.c.id == id_))
    if row is None:
        raise NotFound
    return row
