"""Reads the facts. As `bo_dispatch`, which sees routing columns of all tenants and never a payload, and as
`bo_metrics`, which sees the server's numbers."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import asyncpg

from backoffice.platform.courier.ports import COURIER_LOCK
from backoffice.platform.db import Database, Unavailable
from backoffice.platform.doctor.examine import LATE_SECONDS, LEASE_LATE_SECONDS, Band, Facts
from backoffice.platform.jobs import plans, registry
from backoffice.platform.jobs.brokers import open_broker
from backoffice.platform.jobs.dispatch import LEADER_LOCK
from backoffice.platform.jobs.plans import KindLimit
from backoffice.platform.settings import Settings, SettingsRefused

BROKER_SECONDS: Final = 5.0
_HELD: Final = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND ((classid::bigint << 32) | objid::bigint) = $1)"""
_BANDS: Final = """
SELECT band, count(*) AS ready, max(extract(epoch FROM clock_timestamp() - run_at))::float8 AS oldest
  FROM app.job WHERE state IN ('scheduled', 'ready', 'retry_wait') AND run_at <= clock_timestamp()
 GROUP BY band"""
_LIVE: Final = """
SELECT count(*) FILTER (WHERE state = 'released') AS released, count(*) FILTER (WHERE state = 'running') AS running,
       count(*) FILTER (WHERE lease_until < clock_timestamp() - make_interval(secs => $1)) AS late
  FROM app.job WHERE state IN ('released', 'running')"""
_AT_CAP: Final = """
SELECT count(*) FROM ctl.dispatch_limits() AS l
 WHERE (SELECT count(*) FROM app.job j WHERE j.tenant_id = l.tenant_id AND j.state IN ('released', 'running'))
       >= l.max_in_flight
   AND EXISTS (SELECT FROM app.job j WHERE j.tenant_id = l.tenant_id
                  AND j.state IN ('scheduled', 'ready', 'retry_wait') AND j.run_at <= clock_timestamp())"""
# Here and below each state by its own index, and what has ended by when: millions of ended jobs are not read through.
_LIMITED: Final = """
WITH job AS (
  SELECT tenant_id, kind, state, run_at, started_at FROM app.job WHERE state IN ('scheduled', 'ready', 'retry_wait')
  UNION ALL
  SELECT tenant_id, kind, state, run_at, started_at FROM app.job WHERE state IN ('released', 'running')
  UNION ALL
  SELECT tenant_id, kind, state, run_at, started_at FROM app.job
   WHERE finished_at > statement_timestamp() - interval '1 minute')
SELECT l.plan, j.kind, count(*) FILTER (WHERE j.state IN ('released', 'running')) AS live,
       count(*) FILTER (WHERE j.started_at > statement_timestamp() - interval '1 minute') AS started
  FROM ctl.dispatch_limits() AS l JOIN job AS j ON j.tenant_id = l.tenant_id AND j.kind = any($1)
 GROUP BY l.tenant_id, l.plan, j.kind
HAVING bool_or(j.state IN ('scheduled', 'ready', 'retry_wait') AND j.run_at <= statement_timestamp())"""
_SCHEDULES: Final = """
SELECT count(*) FROM app.schedule WHERE next_at < clock_timestamp() - make_interval(secs => $1)"""
_DEAD: Final = """
SELECT kind, count(*) AS count FROM app.job
 WHERE state = 'dead' AND finished_at > statement_timestamp() - interval '1 day' GROUP BY kind"""
_OPEN_KINDS: Final = """
SELECT kind, count(*) AS count
  FROM (SELECT kind FROM app.job WHERE state IN ('scheduled', 'ready', 'retry_wait')
        UNION ALL SELECT kind FROM app.job WHERE state IN ('released', 'running')
        UNION ALL SELECT kind FROM app.job WHERE state = 'waiting') AS open
 GROUP BY kind"""
_DELIVERIES: Final = """
SELECT count(*) FILTER (WHERE due) AS due,
       coalesce(max(extract(epoch FROM clock_timestamp() - run_at)) FILTER (WHERE due), 0)::float8 AS oldest,
       count(*) FILTER (WHERE state = 'leased') AS leased,
       count(*) FILTER (WHERE state = 'leased' AND lease_until < clock_timestamp() - make_interval(secs => $1)) AS late,
       count(*) FILTER (WHERE state IN ('held', 'failed')) AS stopped
  FROM (SELECT state, run_at, lease_until, state IN ('ready', 'retry_wait') AND run_at <= clock_timestamp() AS due
          FROM app.webhook_delivery WHERE state IN ('ready', 'retry_wait', 'leased', 'held', 'failed')) AS open"""
_EVENTS: Final = "SELECT count(*) FROM app.event WHERE NOT fanned_out"
_SPILL: Final = "SELECT count(*) FROM generate_series(1, 500000)"  # 7 MB into a temporary file, for want of work_mem
_SERVER: Final = """
SELECT (SELECT max(extract(epoch FROM clock_timestamp() - xact_start))::float8 FROM pg_stat_activity
         WHERE backend_type = 'client backend') AS transaction,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       current_setting('max_connections')::int AS most"""


async def look(settings: Settings) -> Facts:
    """The facts at this moment. Unavailable when the database cannot be reached."""
    slots, broker_error = await _slots(settings)
    dispatch = Database(settings.dsn("bo_dispatch", work_mem="64kB"), size=1)  # see _SPILL
    await dispatch.open()
    try:
        async with dispatch.autocommit() as connection:
            read = {**await _routing(connection), "disk_full": await _disk_full(connection)}
    finally:
        await dispatch.close()
    return Facts(slots=slots, broker_error=broker_error, **read, **await _server(settings))


async def _routing(connection: asyncpg.Connection) -> dict[str, Any]:
    live = await connection.fetchrow(_LIVE, LEASE_LATE_SECONDS)
    deliveries = await connection.fetchrow(_DELIVERIES, LEASE_LATE_SECONDS)
    known = set(registry.load())
    return {
        "leader": await connection.fetchval(_HELD, LEADER_LOCK),
        "courier": await connection.fetchval(_HELD, COURIER_LOCK),
        "bands": {row["band"]: Band(row["ready"], row["oldest"]) for row in await connection.fetch(_BANDS)},
        "released": live["released"],
        "running": live["running"],
        "leases_late": live["late"],
        "at_cap": await connection.fetchval(_AT_CAP),
        "at_limit": await _at_limit(connection),
        "schedules_late": await connection.fetchval(_SCHEDULES, LATE_SECONDS),
        "dead": {row["kind"]: row["count"] for row in await connection.fetch(_DEAD)},
        "unknown_kinds": {
            row["kind"]: row["count"] for row in await connection.fetch(_OPEN_KINDS) if row["kind"] not in known
        },
        "events_waiting": await connection.fetchval(_EVENTS),
        "deliveries_due": deliveries["due"],
        "deliveries_oldest_seconds": deliveries["oldest"],
        "deliveries_leased": deliveries["leased"],
        "delivery_leases_late": deliveries["late"],
        "deliveries_stopped": deliveries["stopped"],
    }


async def _disk_full(connection: asyncpg.Connection) -> bool:
    """Asked by reading: `bo_dispatch` may make nothing."""
    try:
        await connection.fetchval(_SPILL)
    except asyncpg.DiskFullError:
        return True
    return False


async def _at_limit(connection: asyncpg.Connection) -> int:
    limited = sorted({kind for plan in plans.plans().values() for kind in plan.kinds})
    count = 0
    for row in await connection.fetch(_LIMITED, limited):
        plan = plans.find(row["plan"])
        limit = plan.kinds.get(row["kind"], KindLimit()) if plan else KindLimit()
        full = limit.at_once is not None and row["live"] >= limit.at_once
        count += full or (limit.per_minute is not None and row["started"] >= limit.per_minute)
    return count


async def _server(settings: Settings) -> dict[str, Any]:
    try:
        metrics = Database(settings.dsn("bo_metrics"), size=1)
        await metrics.open()
    except (SettingsRefused, Unavailable, OSError, asyncpg.PostgresError):
        return {}  # an installation need not let us see the server's numbers
    try:
        async with metrics.autocommit() as connection:
            row = await connection.fetchrow(_SERVER)
    finally:
        await metrics.close()
    return {
        "transaction_seconds": row["transaction"],
        "connections": row["connections"],
        "max_connections": row["most"],
    }


async def _slots(settings: Settings) -> tuple[int | None, str | None]:
    broker = open_broker(settings, name="doctor")
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            return await asyncio.to_thread(broker.slots), None
    except Exception as error:  # whatever a broker's client raises
        return None, type(error).__name__
    finally:
        broker.close()
