"""Take deliveries under a lease, as `bo_dispatch`: for each endpoint as many as the engine asks for, the longest due
first, and of one object never a later one past an earlier one. Fresh and replayed ones are asked for apart, so that
neither stands in the other's way; a repeat of what had been taken holds up nothing but other repeats.

Of an object whose earlier delivery is still open, a delivery may be claimed only when the earlier one is claimed in
the same statement or held by the same worker, which sends them one after the other. Otherwise it is put off to when
the earlier one is tried again, so that it is not looked at again and again."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from backoffice.platform.courier.ports import Claimed, Dispatch, LaneKey, Want

_CLAIM: Final = """
WITH want AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[]) AS w (tenant_id, endpoint_id, most, replays)
), candidate AS MATERIALIZED (
  SELECT c.* FROM want w CROSS JOIN LATERAL (
    SELECT d.tenant_id, d.id, d.endpoint_id, d.object_key, d.sequence, d.run_at, d.turn
      FROM app.webhook_delivery d
     WHERE d.tenant_id = w.tenant_id AND d.endpoint_id = w.endpoint_id
       AND d.state IN ('ready', 'retry_wait') AND d.turn = 'fresh' AND d.run_at <= now()
     ORDER BY d.run_at, d.sequence LIMIT w.most
       FOR NO KEY UPDATE SKIP LOCKED) c
  UNION ALL
  SELECT c.* FROM want w CROSS JOIN LATERAL (
    SELECT d.tenant_id, d.id, d.endpoint_id, d.object_key, d.sequence, d.run_at, d.turn
      FROM app.webhook_delivery d
     WHERE d.tenant_id = w.tenant_id AND d.endpoint_id = w.endpoint_id
       AND d.state IN ('ready', 'retry_wait') AND d.turn <> 'fresh' AND d.run_at <= now()
     ORDER BY d.run_at, d.sequence LIMIT w.replays
       FOR NO KEY UPDATE SKIP LOCKED) c
), taken AS (
  SELECT c.*, array_agg(c.id) OVER (PARTITION BY c.tenant_id, c.endpoint_id) AS with_it FROM candidate c
), decided AS MATERIALIZED (
  SELECT t.tenant_id, t.id, b.state AS blocked_by, b.run_at AS blocked_until
    FROM taken t LEFT JOIN LATERAL (
      SELECT e.state, e.run_at FROM app.webhook_delivery e
       WHERE e.tenant_id = t.tenant_id AND e.endpoint_id = t.endpoint_id AND e.object_key = t.object_key
         AND e.sequence < t.sequence AND e.state IN ('ready', 'leased', 'retry_wait')
         AND (e.turn <> 'again' OR t.turn = 'again')
         AND NOT (e.state = 'leased' AND e.worker = $5) AND e.id <> ALL (t.with_it)
       ORDER BY e.sequence LIMIT 1) b ON true
), put_off AS (
  UPDATE app.webhook_delivery d
     SET run_at = CASE WHEN c.blocked_by <> 'leased' AND c.blocked_until > d.run_at THEN c.blocked_until
                       ELSE now() + interval '200 milliseconds' END
    FROM decided c WHERE d.tenant_id = c.tenant_id AND d.id = c.id AND c.blocked_by IS NOT NULL
)
UPDATE app.webhook_delivery d
   SET state = 'leased', fence = d.fence + 1, worker = $5,
       lease_until = clock_timestamp() + make_interval(secs => $6)
  FROM decided c
 WHERE d.tenant_id = c.tenant_id AND d.id = c.id AND c.blocked_by IS NULL
RETURNING d.tenant_id, d.endpoint_id, d.id, d.event_id, d.object_key, d.sequence, d.attempt, d.fence, d.turn
"""


async def claim(connection: Dispatch, wants: Sequence[Want], worker: str, lease_seconds: float) -> Sequence[Claimed]:
    """The claimed deliveries, by sequence."""
    rows: Sequence[Any] = await connection.fetch(
        _CLAIM,
        [want.lane.tenant for want in wants],
        [want.lane.endpoint for want in wants],
        [want.most for want in wants],
        [want.replays for want in wants],
        worker,
        lease_seconds,
    )
    # What is returned stands in the order of the fields of Claimed, the lane in two.
    claimed = [Claimed(LaneKey(tenant, endpoint), *told) for tenant, endpoint, *told in rows]
    return sorted(claimed, key=attrgetter("sequence"))
