"""Writes of accounts: keys and clocks."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from backoffice.accounts import events, models, queries
from backoffice.accounts.errors import (
    ClockExists,
    ClockGoesForward,
    ClockNotMovable,
    KeyRevoked,
    ScopeNotYours,
)
from backoffice.accounts.roles import scopes_of
from backoffice.accounts.schemas import (
    AdvanceTestClock,
    ApiKey,
    CreateApiKey,
    CreateTestClock,
    RetryJob,
    RevokeApiKey,
    TestClock,
)
from backoffice.kernel import ids
from backoffice.kernel.clock import rfc3339
from backoffice.kernel.errors import Fault, NotFound, ValidationFailed
from backoffice.platform import apikeys
from backoffice.platform import models as platform_models
from backoffice.platform.crypto import Peppers
from backoffice.platform.db import Tx
from backoffice.platform.effects import Effect
from backoffice.platform.events import API_VERSION
from backoffice.platform.jobs import commands as job_commands
from backoffice.platform.jobs.view import JobView
from backoffice.platform.jobs.view import view as job_view
from backoffice.platform.tables import TENANT
from backoffice.platform.web.bodies import find_id


async def create_api_key(tx: Tx, data: CreateApiKey, peppers: Peppers) -> ApiKey:
    """A key for the person who asks, with at most their scopes. ScopeNotYours (403), ValidationFailed (422)."""
    person_id = tx.principal.person_id
    if person_id is None:
        raise NotFound
    scopes = frozenset(data.scopes) if data.scopes is not None else tx.principal.scopes
    if beyond := sorted(scope for scope in scopes if not tx.principal.allows(scope)):
        raise ScopeNotYours(f"The key that asks may not itself: {', '.join(beyond)}.")
    if data.expires_at is not None and data.expires_at <= await tx.now():
        raise ValidationFailed([Fault("in_the_past", "must be in the future", pointer="#/expires_at")])
    return await issue_key(
        tx,
        person_id,
        peppers,
        name=data.name,
        kind=data.kind,
        scopes=scopes,
        expires_at=data.expires_at,
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
    expires_at: datetime | None = None,
    metadata: dict[str, str] | None = None,
) -> ApiKey:
    """A key for a person of this tenant, by default with all scopes of their roles; the only place that sees its text.

    NotFound when the person is not of this tenant or no longer active.
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
    row = await tx.insert(
        models.api_key,
        id=await tx.new_id(),
        person_id=person_id,
        name=name,
        kind=kind,
        hint=parsed.hint,
        scopes=granted,
        not_after=expires_at,
        metadata=metadata or {},
    )
    await tx.function(
        "ctl.add_key", peppers.for_storage(secret), row["id"], person_id, kind, granted, API_VERSION, expires_at
    )
    view = queries.key_view(tx, row)
    message = f"The key {parsed.hint} was made."
    effect = Effect(kind="api_key_created", subject=view.id, after={"scopes": granted}, message=message)
    tx.emit(events.API_KEY_CREATED, view, effects=[effect])
    tx.audit("api_key.created", object_type="api_key", object_id=row["id"], changed={"scopes": granted, "kind": kind})
    shown = queries.key_view(tx, row)
    shown.secret = secret
    return shown


async def revoke_api_key(tx: Tx, id_: str, data: RevokeApiKey, if_version: int) -> ApiKey:
    """End a key now or in at most seven days. KeyRevoked (409) when it has ended."""
    key_id = await find_id(tx, models.api_key, "api_key", id_)
    database_now = await tx.value(select(func.clock_timestamp()))
    until = database_now + timedelta(days=data.keep_days)
    if await _revoked(tx, key_id):
        raise KeyRevoked
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


async def _revoked(tx: Tx, key_id: UUID) -> bool:
    keys = models.api_key.c
    return await tx.value(select(keys.revoked_at).where(keys.tenant_id == TENANT, keys.id == key_id)) is not None


async def freeze_clock(tx: Tx, data: CreateTestClock) -> TestClock:
    """Freeze the tenant's clock at an instant. ClockNotMovable for a tenant whose clock is the real one."""
    await _must_be_movable(tx)
    row = await tx.insert_or_none(
        platform_models.test_clock, id=ids.new(data.frozen_time), frozen_time=data.frozen_time, metadata=data.metadata
    )
    if row is None:
        raise ClockExists
    view = queries.clock_view(tx, row)
    message = f"The tenant's clock stands at {rfc3339(row['frozen_time'])} until it is advanced."
    effect = Effect(kind="clock_frozen", subject=view.id, after=rfc3339(row["frozen_time"]), message=message)
    tx.emit(events.TEST_CLOCK_CREATED, view, effects=[effect])
    tx.audit("test_clock.created", object_type="test_clock", object_id=row["id"])
    return view


async def advance_clock(tx: Tx, id_: str, data: AdvanceTestClock) -> TestClock:
    """Move the clock forward and make due what falls due up to then. ClockGoesForward when `to` is earlier."""
    clock_id = await find_id(tx, platform_models.test_clock, "test_clock", id_)
    clock = platform_models.test_clock
    before = await tx.row(
        select(clock.c.frozen_time).where(clock.c.tenant_id == TENANT, clock.c.id == clock_id).with_for_update()
    )
    if before is None:
        raise NotFound
    await _must_be_movable(tx)
    if data.to < before["frozen_time"]:
        raise ClockGoesForward(f"The clock stands at {rfc3339(before['frozen_time'])}.")
    row = await tx.change(clock, clock_id, {"frozen_time": data.to})
    assert row is not None
    job = platform_models.job
    due = await tx.execute(
        job.update()
        .where(job.c.tenant_id == TENANT, job.c.state == "scheduled", job.c.due_at <= data.to)
        .values(state="ready", run_at=func.clock_timestamp(), updated_at=data.to)
    )
    tx.rang = tx.rang or due > 0
    view = queries.clock_view(tx, row)
    effect = Effect(
        kind="clock_advanced",
        subject=view.id,
        before=rfc3339(before["frozen_time"]),
        after=rfc3339(data.to),
        message=f"The tenant's clock moved to {rfc3339(data.to)}; {due} jobs fell due.",
    )
    previous = {"frozen_time": rfc3339(before["frozen_time"])}
    tx.emit(events.TEST_CLOCK_ADVANCED, view, changed=["frozen_time"], previous=previous, effects=[effect])
    tx.audit("test_clock.advanced", object_type="test_clock", object_id=clock_id, object_version=row["version"])
    return view


async def cancel_job(tx: Tx, id_: str) -> JobView:
    """NotFound, NotCancelable (409). The event is told when the job has ended."""
    return job_view(tx.principal, await job_commands.cancel(tx, _job_id(id_)))


async def retry_job(tx: Tx, id_: str, data: RetryJob) -> JobView:
    """NotFound, NotRetryable (409)."""
    return job_view(tx.principal, await job_commands.retry(tx, _job_id(id_), data.note))


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


async def _must_be_movable(tx: Tx) -> None:
    if (await queries.tenant_settings(tx)).clock != "movable":
        raise ClockNotMovable("Use a test tenant's key.")
