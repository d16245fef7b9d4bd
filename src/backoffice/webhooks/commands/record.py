"""Write what became of claimed deliveries, keep their leases, and free those whose holder is gone, as `bo_dispatch`.

Each statement is guarded by tenant, id and fence, and each move out of `leased` raises the fence: who held the lease
before, or writes the same outcome twice, changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from backoffice.platform.courier.ports import Claimed, Dispatch, Result

_RECORD: Final = """
WITH result AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::bool[], $6::float8[], $7::smallint[],
                       $8::int[], $9::text[]) WITH ORDINALITY
    AS r (tenant_id, id, fence, state, tried, delay, status, milliseconds, error_code, place)
), done AS (
  UPDATE app.webhook_delivery d
     SET state = r.state, fence = d.fence + 1, lease_until = NULL, worker = NULL, attempt = d.attempt + r.tried::int,
         run_at = clock_timestamp() + make_interval(secs => r.delay),
         finished_at = CASE WHEN r.state IN ('delivered', 'failed') THEN clock_timestamp() END
    FROM result r
   WHERE d.tenant_id = r.tenant_id AND d.id = r.id AND d.fence = r.fence
  RETURNING r.place, d.tenant_id, d.id, d.attempt, r.tried, r.status, r.milliseconds, r.error_code
), logged AS (
  INSERT INTO app.webhook_attempt (tenant_id, delivery_id, attempt, status, milliseconds, error_code)
  SELECT tenant_id, id, attempt, status, milliseconds, error_code FROM done WHERE tried
)
SELECT place::int - 1, attempt FROM done
"""

_EXTEND: Final = """
UPDATE app.webhook_delivery d
   SET lease_until = clock_timestamp() + make_interval(secs => $4)
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS h (tenant_id, id, fence)
 WHERE d.tenant_id = h.tenant_id AND d.id = h.id AND d.fence = h.fence
RETURNING d.id
"""

_SWEEP: Final = """
UPDATE app.webhook_delivery
   SET state = 'ready', fence = fence + 1, lease_until = NULL, worker = NULL
 WHERE state = 'leased' AND lease_until < clock_timestamp()
"""


async def record(connection: Dispatch, results: Sequence[Result]) -> Mapping[int, int]:
    """Place among the results → tries recorded, for those that were still held by the one who reports."""
    rows: Any = await connection.fetch(
        _RECORD,
        [result.claimed.lane.tenant for result in results],
        [result.claimed.id for result in results],
        [result.claimed.fence for result in results],
        [result.state for result in results],
        [result.tried for result in results],
        [result.delay for result in results],
        [result.status for result in results],
        [result.milliseconds for result in results],
        [result.error_code for result in results],
    )
    return dict(rows)


async def extend(connection: Dispatch, claimed: Sequence[Claimed], lease_seconds: float) -> set[UUID]:
    """The deliveries whose lease is still held."""
    rows = await connection.fetch(
        _EXTEND,
        [each.lane.tenant for each in claimed],
        [each.id for each in claimed],
        [each.fence for each in claimed],
        lease_seconds,
    )
    return {row["id"] for row in rows}


async def sweep(connection: Dispatch) -> int:
    """Put back in line what was held by a process that is gone; how many. No try is used up."""
    return int((await connection.execute(_SWEEP)).rsplit(" ", 1)[-1])
