"""What a tenant's clock will pass on its way: the jobs and schedules that are due until then, by kind."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from backoffice.kernel.clock import rfc3339
from backoffice.kernel.recurrence import due_from, parse
from backoffice.platform import models
from backoffice.platform.effects import Effect
from backoffice.platform.jobs import plans
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx

_job, _schedule = models.job.c, models.schedule.c
_NAMED = 3  # kinds, in the sentence


async def falls_due(tx: Tx, subject: str, to: datetime) -> Effect:
    """An effect that tells how many jobs of which kind are due until `to`, first those whose first is due first. What
    these start in their turn is not known before."""
    rows = await tx.fetch(
        select(_job.kind, func.count().label("count"), func.min(_job.due_at).label("first"))
        .where(_job.tenant_id == TENANT, _job.state == "scheduled", _job.due_at <= to)
        .group_by(_job.kind)
    )
    found = [(row["kind"], row["count"], row["first"]) for row in rows]
    for row in await tx.fetch(
        select(_schedule.kind, _schedule.rule, _schedule.time_zone, _schedule.due_at).where(
            _schedule.tenant_id == TENANT, _schedule.due_at <= to
        )
    ):
        if plans.has(tx.principal.tenant.plan, row["kind"]):
            fires = due_from(parse(row["rule"]), row["time_zone"], row["due_at"], to)
            found.append((row["kind"], len(fires), fires[0]))
    due = by_kind(found)
    total = sum(each["count"] for each in due)
    named = ", ".join(f"{each['count']} {each['kind']}" for each in due[:_NAMED])
    more = ", …" if len(due) > _NAMED else ""
    message = f"On its way {total} jobs fall due: {named}{more}." if due else "On its way nothing falls due."
    return Effect(kind="work_due", subject=subject, after=due, message=message)


def by_kind(found: Iterable[tuple[str, int, datetime]]) -> list[dict[str, Any]]:
    """(kind, count, first) of each source → one row for each kind, in the order of their first. Pure."""
    sums: dict[str, tuple[int, datetime]] = {}
    for kind, count, first in found:
        there, earliest = sums.get(kind, (0, first))
        sums[kind] = (there + count, min(earliest, first))
    ordered = sorted(sums.items(), key=lambda each: (each[1][1], each[0]))
    return [{"kind": kind, "count": count, "first_at": rfc3339(first)} for kind, (count, first) in ordered]
