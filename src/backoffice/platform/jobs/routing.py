"""What `bo_dispatch` says to `app.job`: routing columns of all tenants, never a payload. One statement is one
transaction; a release commits before its message is published.

`FOR UPDATE SKIP LOCKED` everywhere: a row that its worker is just writing is looked at next time, and nobody waits."""

from __future__ import annotations

from typing import Final

LIMITS: Final = "SELECT tenant_id, plan, weight, max_in_flight FROM ctl.dispatch_limits()"

LIVE: Final = """
SELECT tenant_id, id, fence, kind, band, state,
       CASE WHEN state = 'running' THEN extract(epoch FROM clock_timestamp() - started_at)::float8 END AS seconds
  FROM app.job WHERE state IN ('released', 'running')"""
"""The jobs in flight: the truth that caps and shares are counted from."""

READY: Final = """
SELECT t.tenant_id, b.band
  FROM unnest($1::uuid[]) AS t (tenant_id)
 CROSS JOIN (VALUES ('interactive'), ('normal'), ('bulk')) AS b (band)
 CROSS JOIN LATERAL (
   SELECT 1 FROM app.job j
    WHERE j.tenant_id = t.tenant_id AND j.band = b.band
      AND j.state IN ('scheduled', 'ready', 'retry_wait') AND j.run_at <= statement_timestamp()
    ORDER BY j.run_at LIMIT 1) AS one"""
"""$1 tenants → those with something to release, by band: one look into the index for each."""

RELEASE: Final = """
WITH picked AS MATERIALIZED (
  SELECT id FROM app.job
   WHERE tenant_id = $1 AND band = $2
     AND state IN ('scheduled', 'ready', 'retry_wait') AND run_at <= statement_timestamp()
   ORDER BY run_at, id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
UPDATE app.job AS j
   SET state = 'released', fence = j.fence + 1, lease_until = clock_timestamp() + make_interval(secs => $4)
  FROM picked WHERE j.tenant_id = $1 AND j.id = picked.id
RETURNING j.id, j.fence, j.kind, extract(epoch FROM clock_timestamp() - j.run_at)::float8 AS waited"""
"""$1 tenant, $2 band, $3 how many, $4 seconds of the lease → id, fence, kind, seconds since it could have started."""

RELEASE_WITHIN: Final = """
WITH ahead AS MATERIALIZED (
  SELECT id, kind, run_at FROM app.job
   WHERE tenant_id = $1 AND band = $2
     AND state IN ('scheduled', 'ready', 'retry_wait') AND run_at <= statement_timestamp()
   ORDER BY run_at, id LIMIT $5),
placed AS (SELECT id, kind, run_at, row_number() OVER (PARTITION BY kind ORDER BY run_at, id) AS place FROM ahead),
allowed AS MATERIALIZED (
  SELECT p.id FROM placed AS p LEFT JOIN unnest($6::text[], $7::int[]) AS r (kind, room) ON r.kind = p.kind
   WHERE r.kind IS NULL OR p.place <= r.room ORDER BY p.run_at, p.id LIMIT $3),
picked AS MATERIALIZED (
  SELECT j.id FROM allowed JOIN app.job AS j ON j.tenant_id = $1 AND j.id = allowed.id
   WHERE j.state IN ('scheduled', 'ready', 'retry_wait') FOR NO KEY UPDATE OF j SKIP LOCKED)
UPDATE app.job AS j
   SET state = 'released', fence = j.fence + 1, lease_until = clock_timestamp() + make_interval(secs => $4)
  FROM picked WHERE j.tenant_id = $1 AND j.id = picked.id
RETURNING j.id, j.fence, j.kind, extract(epoch FROM clock_timestamp() - j.run_at)::float8 AS waited"""
"""As RELEASE, for a tenant some of whose kinds are near their limit: among the first $5 that are due, at most $7 of
each kind in $6. What stands behind so many of a kind at its limit waits with it, in this tenant and band alone."""

STARTED_LATELY: Final = """
SELECT l.tenant_id, l.kind, one.ago
  FROM unnest($1::uuid[], $2::text[]) AS l (tenant_id, kind)
 CROSS JOIN LATERAL (SELECT statement_timestamp() - interval '1 minute' AS began) AS minute
 CROSS JOIN LATERAL (
   SELECT 0::float8 AS ago FROM app.job WHERE tenant_id = l.tenant_id AND kind = l.kind AND state = 'released'
   UNION ALL
   SELECT extract(epoch FROM statement_timestamp() - found.started_at)::float8 FROM (
     SELECT kind, started_at FROM app.job WHERE tenant_id = l.tenant_id AND state = 'running'
     UNION ALL
     SELECT kind, started_at FROM app.job WHERE tenant_id = l.tenant_id AND state = 'waiting'
     UNION ALL
     SELECT kind, started_at FROM app.job WHERE tenant_id = l.tenant_id AND finished_at > minute.began
     UNION ALL
     SELECT kind, started_at FROM app.job
      WHERE tenant_id = l.tenant_id AND state IN ('scheduled', 'ready', 'retry_wait') AND run_at > minute.began
   ) AS found WHERE found.kind = l.kind AND found.started_at > minute.began) AS one"""
"""$1 tenants and $2 kinds → for each job of them that started in the last minute, how many seconds ago: for a leader
that has just been elected. A job that started several times in that minute is there once."""

TAKE_BACK: Final = """
UPDATE app.job AS j SET state = 'ready', fence = j.fence + 1, lease_until = NULL
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS r (tenant_id, id, fence)
 WHERE j.tenant_id = r.tenant_id AND j.id = r.id AND j.fence = r.fence AND j.state = 'released'"""
"""Releases whose message could not be published. Nothing is counted."""

SETTLED: Final = """
SELECT j.tenant_id, j.id, r.fence, extract(epoch FROM j.finished_at - j.started_at)::float8 AS seconds
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS r (tenant_id, id, fence)
  JOIN app.job AS j ON j.tenant_id = r.tenant_id AND j.id = r.id AND j.fence = r.fence + 1
 WHERE j.finished_at IS NOT NULL AND j.started_at IS NOT NULL"""
"""Jobs in flight a moment ago → the slot-seconds they took, for those that have ended."""

SWEEP: Final = """
WITH late AS MATERIALIZED (
  SELECT tenant_id, id FROM app.job
   WHERE state IN ('released', 'running') AND lease_until < clock_timestamp()
   LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED),
freed AS (
  UPDATE app.job AS j
     SET state = 'ready', fence = j.fence + 1, lease_until = NULL,
         crashes = j.crashes + (j.state = 'running')::int, attempt = j.attempt - (j.state = 'running')::int
    FROM late WHERE j.tenant_id = late.tenant_id AND j.id = late.id
  RETURNING j.tenant_id, j.id, old.state AS state, old.fence AS fence, j.started_at, j.worker),
logged AS (
  INSERT INTO app.job_log (tenant_id, job_id, fence, outcome, started_at, worker)
  SELECT tenant_id, id, fence, 'crashed', started_at, worker FROM freed WHERE state = 'running')
SELECT tenant_id, id, state FROM freed"""
"""Leases that ran out. Only one that ran out in `running` is a crash, which gives the attempt back: failures of the
handler and crashes are counted apart."""

QUEUED: Final = """
SELECT b.band, count(j.id) FILTER (WHERE j.run_at <= clock_timestamp()) AS jobs,
       count(j.id) FILTER (WHERE j.run_at > clock_timestamp()) AS later,
       coalesce(extract(epoch FROM clock_timestamp() - min(j.run_at)
         FILTER (WHERE j.run_at <= clock_timestamp())), 0)::float8 AS oldest
  FROM (VALUES ('interactive'), ('normal'), ('bulk')) AS b (band)
  LEFT JOIN app.job j ON j.band = b.band AND j.state IN ('scheduled', 'ready', 'retry_wait')
 GROUP BY b.band"""
"""→ by band: jobs that could start, those for later, and for how long the oldest could have started."""

# The two below are said by psycopg, from a thread of the worker and from the supervisor.

BEAT: Final = """
WITH held AS MATERIALIZED (
  SELECT j.tenant_id, j.id
    FROM unnest(%(tenants)s::uuid[], %(ids)s::uuid[], %(fences)s::bigint[]) AS r (tenant_id, id, fence)
    JOIN app.job AS j ON j.tenant_id = r.tenant_id AND j.id = r.id AND j.fence = r.fence
     FOR NO KEY UPDATE OF j SKIP LOCKED)
UPDATE app.job AS j SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM held WHERE j.tenant_id = held.tenant_id AND j.id = held.id
RETURNING j.tenant_id, j.id, j.cancel_requested"""

STILL_HELD: Final = """
SELECT j.tenant_id, j.id
  FROM unnest(%(tenants)s::uuid[], %(ids)s::uuid[], %(fences)s::bigint[]) AS r (tenant_id, id, fence)
  JOIN app.job AS j ON j.tenant_id = r.tenant_id AND j.id = r.id AND j.fence = r.fence"""

FREE: Final = """
WITH freed AS (
  UPDATE app.job AS j
     SET state = 'ready', fence = j.fence + 1, lease_until = NULL, crashes = j.crashes + 1, attempt = j.attempt - 1
   WHERE j.state = 'running' AND j.worker = %(worker)s
  RETURNING j.tenant_id, j.id, old.fence AS fence, j.started_at, j.worker),
logged AS (
  INSERT INTO app.job_log (tenant_id, job_id, fence, outcome, started_at, worker)
  SELECT tenant_id, id, fence, 'crashed', started_at, worker FROM freed)
SELECT id FROM freed"""
"""A worker process that is known to be dead."""
