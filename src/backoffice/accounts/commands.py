"""Writes of accounts: keys, and what people do to jobs and schedules; clocks are in `clocks.py`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_network
from uuid import UUID

from sqlalchemy import func, select

from backoffice.accounts import events, models, queries
from backoffice.accounts.errors import (
    KeyRevoked,
    ScopeNotYours,
)
from backoffice.accounts.roles import SCOPES, scopes_of
from backoffice.accounts.schemas import (
    ApiKey,
    CreateApiKey,
    RetryJob,
    RevokeApiKey,
)
from backoffice.kernel import ids
from backoffice.kernel.clock import rfc3339
from backoffice.kernel.errors import AlreadyExists, Fault, FaultList, NotFound
from backoffice.platform import apikeys
from backoffice.platform import models as platform_models
from backoffice.platform.crypto import Peppers
from backoffice.platform.effects import Effect
from backoffice.platform.events import API_VERSION
from backoffice.platform.jobs import commands as job_commands
from backoffice.platform.jobs import queries as job_queries
from backoffice.platform.jobs import schedules
from backoffice.platform.jobs.schedule_view import ScheduleView
from backoffice.platform.jobs.view import JobView
from backoffice.platform.jobs.view import view as job_view
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx
from backoffice.platform.web.bodies import check_instant, find_id


async def create_api_key(tx: Tx, data: CreateApiKey, peppers: Peppers) -> ApiKey:
    """A key for the person who asks, with at most their scopes. ScopeNotYours (403), ValidationFailed (422)."""
    person_id = tx.principal.person_id
    if person_id is None:
        raise NotFound
    faults = FaultList()
    for place, scope in enumerate(data.scopes or ()):
        if scope not in SCOPES:
            faults.add(f"#/scopes/{place}", "unknown_scope", f"must be one of: {', '.join(sorted(SCOPES))}")
    allowed_ips = [_network(faults, place, text) for place, text in enumerate(data.allowed_ips or ())]
    if data.expires_at is not None:
        check_instant(faults, "#/expires_at", data.expires_at)
        if data.expires_at <= await tx.value(select(func.clock_timestamp())):
            faults.add("#/expires_at", "in_the_past", "must be in the future")
    faults.raise_if_any()
    scopes = frozenset(data.scopes) if data.scopes is not None else tx.principal.scopes
    if beyond := sorted(scope for scope in scopes if not tx.principal.allows(scope)):
        raise ScopeNotYours(f"The key that asks may not itself: {', '.join(beyond)}.")
    return await issue_key(
        tx,
        person_id,
        peppers,
        name=data.name,
        kind=data.kind,
        scopes=scopes,
        allowed_ips=allowed_ips,
        expires_at=data.expires_at,
        external_id=data.external_id,
        metadata=data.metadata,
    )


async def issue_key(
    tx: Tx,
    person_id: UUID,
    peppers: Peppers,
    *,
    name: str,
    kind: str = "sk",
    scopes: frozenset[str] | None = None,
    allowed_ips: Sequence[str] = (),
    expires_at: datetime | None = None,
    external_id: str | None = None,
    metadata: dict[str, str] | None = None,
) -> ApiKey:
    """A key for a person of this tenant, by default with all scopes of their roles; the only place that sees its text.

    NotFound when the person is not of this tenant or no longer active; AlreadyExists (409) for the external_id.
    """
    people = models.person.c
    person = await tx.row(
        select(people.id, people.roles).where(people.tenant_id == TENANT, people.id == person_id, people.active)
    )
    if person is None:
        raise NotFound
    granted = sorted(scopes if scopes is not None else scopes_of(person["roles"]))
    assert kind in ("sk", "rk")
    secret = apikeys.make("sk" if kind == "sk" else "rk", tx.principal.tenant.mode)
    parsed = apikeys.parse(secret)
    assert parsed is not None
    row = await tx.insert_or_none(
        models.api_key,
        id=await tx.lasting_id(models.api_key),
        person_id=person_id,
        name=name,
        kind=kind,
        hint=parsed.hint,
        scopes=granted,
        allowed_ips=list(allowed_ips),
        not_after=expires_at,
        external_id=external_id,
        metadata=metadata or {},
    )
    if row is None:
        raise AlreadyExists(errors=[Fault("already_in_use", "is another key's", pointer="#/external_id")])
    hmac = peppers.for_storage(secret)
    opens = (API_VERSION, expires_at, list(allowed_ips))
    await tx.function("ctl.add_key", hmac, row["id"], person_id, kind, granted, *opens)
    view = queries.key_view(tx, row)
    message = f"The key {parsed.hint} was made."
    effect = Effect(kind="api_key_created", subject=view.id, after={"scopes": granted}, message=message)
    tx.emit(events.API_KEY_CREATED, view, effects=[effect])
    tx.audit("api_key.created", object_type="api_key", object_id=row["id"], changed={"scopes": granted, "kind": kind})
    shown = queries.key_view(tx, row)
    if not tx.dry_run:
        shown.secret = secret
    return shown


def _network(faults: FaultList, place: int, text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        detail = "must be an address, or a network whose host bits are zero, such as 203.0.113.0/24"
        faults.add(f"#/allowed_ips/{place}", "not_a_network", detail)
        return ""


async def revoke_api_key(tx: Tx, id_: str, data: RevokeApiKey, if_version: int) -> ApiKey:
    """End a key now or in at most seven days; one that ends later can be ended sooner. KeyRevoked (409) when it has
    ended, or ends sooner anyhow."""
    key_id = await find_id(tx, models.api_key, "api_key", id_)
    database_now = await tx.value(select(func.clock_timestamp()))
    until = database_now + timedelta(days=data.keep_days)
    ends = await _ends(tx, key_id)
    if ends is not None and ends <= until:
        raise KeyRevoked(f"It ends at {rfc3339(ends)}.")
    row = await tx.change(models.api_key, key_id, {"revoked_at": until}, if_version=if_version)
    if row is None or not (await tx.function("ctl.revoke_key", key_id, until))[0]["revoke_key"]:
        raise KeyRevoked
    tx.announce.add("bo_keys")
    view = queries.key_view(tx, row)
    message = f"The key {row['hint']} ends at {rfc3339(until)}."
    tx.emit(
        events.API_KEY_REVOKED,
        view,
        changed=["revoked_at"],
        effects=[Effect(kind="api_key_revoked", subject=view.id, message=message)],
    )
    tx.audit("api_key.revoked", object_type="api_key", object_id=key_id, object_version=row["version"])
    return view


async def _ends(tx: Tx, key_id: UUID) -> datetime | None:
    """When a key that was revoked opens no more."""
    keys = models.api_key.c
    found: datetime | None = await tx.value(select(keys.revoked_at).where(keys.tenant_id == TENANT, keys.id == key_id))
    return found


async def cancel_job(tx: Tx, id_: str) -> JobView:
    """NotFound, NotCancelable (409). The event is told when the job has ended."""
    return job_view(tx.principal, await job_commands.cancel(tx, _job_id(id_)))


async def retry_job(tx: Tx, id_: str, data: RetryJob) -> JobView:
    """NotFound, NotRetryable (409)."""
    return job_view(tx.principal, await job_commands.retry(tx, _job_id(id_), data.note))


async def pause_schedule(tx: Tx, id_: str) -> ScheduleView:
    """NotFound."""
    return await schedules.pause(tx, await find_id(tx, platform_models.schedule, "schedule", id_))


async def resume_schedule(tx: Tx, id_: str) -> ScheduleView:
    """NotFound."""
    return await schedules.resume(tx, await find_id(tx, platform_models.schedule, "schedule", id_))


async def run_schedule_now(tx: Tx, id_: str) -> JobView:
    """The job that does the schedule's work once. NotFound, SchedulePaused (409)."""
    job_id = await schedules.run_now(tx, await queries.schedule_row(tx, id_))
    await tx.flush()
    return job_view(tx.principal, await job_queries.get(tx, job_id))


async def note_tidied(tx: Tx, gone: dict[str, int]) -> dict[str, int]:
    """Write down how many of what were forgotten, where there was something."""
    if any(gone.values()):
        tx.audit("tenant.tidied", object_type="tenant", object_id=tx.tenant, changed=gone)
    return gone


def _job_id(text: str) -> UUID:
    job_id = ids.decode("job", text)
    if job_id is None:
        raise NotFound
    return job_id
