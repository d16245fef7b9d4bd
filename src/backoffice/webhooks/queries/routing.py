"""What the courier asks across tenants, as `bo_dispatch`: which tenants and endpoints have something to do.

Each query hops from one tenant or endpoint to the next along a partial index, so its cost hangs on how many have work
and not on how much work they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from backoffice.platform.courier.ports import Dispatch, Due, LaneKey

_TENANTS: Final = """
WITH RECURSIVE waiting AS (
  (SELECT tenant_id FROM app.event WHERE NOT fanned_out ORDER BY tenant_id LIMIT 1)
  UNION ALL
  SELECT (SELECT e.tenant_id FROM app.event e
           WHERE NOT e.fanned_out AND e.tenant_id > w.tenant_id ORDER BY e.tenant_id LIMIT 1)
    FROM waiting w WHERE w.tenant_id IS NOT NULL)
SELECT tenant_id FROM waiting WHERE tenant_id IS NOT NULL
"""

_DUE: Final = """
WITH RECURSIVE lane AS (
  (SELECT tenant_id, endpoint_id, run_at FROM app.webhook_delivery
    WHERE state IN ('ready', 'retry_wait') AND turn = 'fresh' ORDER BY tenant_id, endpoint_id, run_at LIMIT 1)
  UNION ALL
  SELECT next.tenant_id, next.endpoint_id, next.run_at
    FROM lane l CROSS JOIN LATERAL (
      SELECT d.tenant_id, d.endpoint_id, d.run_at FROM app.webhook_delivery d
       WHERE d.state IN ('ready', 'retry_wait') AND d.turn = 'fresh'
         AND (d.tenant_id, d.endpoint_id) > (l.tenant_id, l.endpoint_id)
       ORDER BY d.tenant_id, d.endpoint_id, d.run_at LIMIT 1) next)
SELECT tenant_id, endpoint_id, extract(epoch FROM run_at - clock_timestamp())::float8 AS in_seconds FROM lane
"""

_REPLAYS_DUE: Final = _DUE.replace("turn = 'fresh'", "turn <> 'fresh'")

_STOPPED: Final = """
WITH RECURSIVE lane AS (
  (SELECT tenant_id, endpoint_id FROM app.webhook_delivery
    WHERE state IN ('held', 'failed') ORDER BY tenant_id, endpoint_id LIMIT 1)
  UNION ALL
  SELECT next.tenant_id, next.endpoint_id
    FROM lane l CROSS JOIN LATERAL (
      SELECT d.tenant_id, d.endpoint_id FROM app.webhook_delivery d
       WHERE d.state IN ('held', 'failed') AND (d.tenant_id, d.endpoint_id) > (l.tenant_id, l.endpoint_id)
       ORDER BY d.tenant_id, d.endpoint_id LIMIT 1) next)
SELECT tenant_id, endpoint_id FROM lane
"""


async def tenants_with_events(connection: Dispatch) -> Sequence[UUID]:
    """Tenants that have events which were not fanned out."""
    return [row["tenant_id"] for row in await connection.fetch(_TENANTS)]


async def due(connection: Dispatch) -> Sequence[Due]:
    """Every endpoint with waiting deliveries, and in how many seconds the first may be sent: once for what is
    fresh and once for what is replayed."""
    return [
        Due(LaneKey(row["tenant_id"], row["endpoint_id"]), row["in_seconds"], replay)
        for statement, replay in ((_DUE, False), (_REPLAYS_DUE, True))
        for row in await connection.fetch(statement)
    ]


async def stopped(connection: Dispatch) -> Sequence[LaneKey]:
    """Every endpoint with deliveries that a pause holds or that were given up."""
    return [LaneKey(row["tenant_id"], row["endpoint_id"]) for row in await connection.fetch(_STOPPED)]
