"""A schedule as clients see it (`/v1/schedules`, schedule.* events)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import Noun, noun_fields


class ScheduleView(Noun, kw_only=True):
    """Work that recurs. `next_fire_at` and `last_fire_at` are tenant time; the first is null while paused. `source`
    says who wrote it: the firm's tenant file, or the platform, which gives it to every tenant."""

    name: str
    source: Literal["tenant_file", "platform"]
    status: Literal["active", "paused"]
    rule: str
    time_zone: str
    catch_up: Literal["none", "one", "all"]
    catch_up_limit: int
    kind: str
    payload: dict[str, Any]
    next_fire_at: datetime | None = None
    last_fire_at: datetime | None = None


_SAME = ("name", "source", "status", "rule", "time_zone", "catch_up", "catch_up_limit", "kind", "payload")


def schedule_view(tx: Tx, row: Row) -> ScheduleView:
    """The outward form of a row of `app.schedule` (all its columns)."""
    return ScheduleView(
        **noun_fields(tx, "schedule", row),
        **{name: row[name] for name in _SAME},
        next_fire_at=row["due_at"],
        last_fire_at=row["fired_at"],
    )
