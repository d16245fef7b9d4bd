"""Three times, never mixed: the tenant's clock (business), the database's (leases), the wall's (signatures).

Domains ask `await tx.now()` for the tenant's; only the platform may look at the wall, and does it here.
"""

from __future__ import annotations

from datetime import UTC, datetime


def wall() -> datetime:
    """The wall clock, aware, UTC: signatures, rate limits, cursors, logs. Never for business facts."""
    return datetime.now(UTC)


def rfc3339(at: datetime) -> str:
    """`2026-11-21T12:00:00.000Z`: UTC, milliseconds, `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
