"""Why a job does not run, in a sentence: the same facts the dispatcher goes by, as far as its tenant may see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import ARRAY, Text, and_, any_, func, literal, or_, select

from backoffice.kernel import ids
from backoffice.kernel.clock import rfc3339
from backoffice.platform import models
from backoffice.platform.jobs import plans
from backoffice.platform.jobs.lease import TENANT_NOW
from backoffice.platform.jobs.plans import KindLimit
from backoffice.platform.jobs.states import LEASED, RELEASABLE
from backoffice.platform.jobs.view import Status, view
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx

PATIENCE: Final = timedelta(seconds=5)  # a free worker takes less
_job, _clock = models.job, models.test_clock


class JobWhy(msgspec.Struct, frozen=True, kw_only=True):
    """What a job waits for. `code` is one of ended, running, stopping, starting, children, clock_stands, not_due,
    retry_pause, put_off, in_turn, tenant_limit, kind_limit, kind_rate, behind, no_worker, next; `reason` says it in
    words."""

    id: str
    object: str = "job_why"
    livemode: bool
    status: Status
    code: str
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What else the answer depends on. `now` is the database's time, `tenant_now` the tenant's; `ahead` counts the due
    jobs of the same tenant that are released first."""

    now: datetime
    tenant_now: datetime
    stands: bool
    open_children: int
    children: int
    in_flight: int
    of_kind: int
    lately: int
    ahead: int
    cap: int
    limit: KindLimit


def explain(row: Row, facts: Facts) -> tuple[str, str, datetime | None]:
    """(code, reason, until) of a row of `app.job`. Pure."""
    state, kind = row["state"], row["kind"]
    if row["finished_at"] is not None:
        return "ended", _ended(row), None
    if state == "running":
        if row["cancel_requested"]:
            return "stopping", "It was asked to stop, and does so at its next step.", None
        return "running", f"A worker has run it since {rfc3339(row['started_at'])} (real time).", None
    if state == "released":
        return "starting", "It was released, and starts as soon as a worker takes it.", row["lease_until"]
    if state == "waiting":
        if not facts.open_children and facts.stands:
            return "in_turn", "It moves the clock on when all that is due by now has ended.", None
        return "children", f"It waits for {facts.open_children} of the {facts.children} jobs it has started.", None
    if row["due_at"] is not None and row["due_at"] > facts.tenant_now:
        due = rfc3339(row["due_at"])
        if facts.stands:
            now = rfc3339(facts.tenant_now)
            return "clock_stands", f"It is due at {due}; the tenant's clock stands at {now}: advance it.", row["due_at"]
        return "not_due", f"It is due at {due}.", row["due_at"]
    if state == "scheduled" and facts.stands and row["run_at"] > facts.now:
        return "in_turn", "The tenant's jobs run one after another while its clock stands; its turn will come.", None
    if row["run_at"] > facts.now:
        at = rfc3339(row["run_at"])
        if state == "retry_wait":
            code = (row["problem"] or {}).get("code", "a lost database")
            tries = f"try {row['attempt']} of {row['max_attempts']}"
            return "retry_pause", f"Its last try ({tries}) ended with {code}; the next is at {at}.", row["run_at"]
        return "put_off", f"It was put off until {at}, as no worker here knew {kind} in this version.", row["run_at"]
    return _due(row, facts)


def _due(row: Row, facts: Facts) -> tuple[str, str, datetime | None]:
    kind, limit = row["kind"], facts.limit
    if facts.in_flight >= facts.cap:
        return "tenant_limit", f"The tenant's {facts.cap} jobs at one time are all taken.", None
    if limit.at_once is not None and facts.of_kind >= limit.at_once:
        return "kind_limit", f"The plan runs {limit.at_once} {kind} at one time, and so many are running.", None
    if limit.per_minute is not None and facts.lately >= limit.per_minute:
        return "kind_rate", f"The plan starts {limit.per_minute} {kind} a minute, and so many have started.", None
    waited = facts.now - row["run_at"]
    if facts.in_flight == 0 and waited > PATIENCE:
        seconds = int(waited.total_seconds())
        reason = (
            f"It has been due for {seconds} s and nothing of this tenant runs: no worker is free or there, or nobody "
            "leads. `backoffice health worker` and `backoffice health dispatcher` say which."
        )
        return "no_worker", reason, None
    if facts.ahead:
        return "behind", f"{facts.ahead} jobs of this tenant are released before it.", None
    return "next", "It is the tenant's next; it starts when a worker is free.", None


def _ended(row: Row) -> str:
    if row["state"] == "succeeded":
        return "It has succeeded."
    if row["state"] == "canceled":
        return "It was canceled."
    code = (row["problem"] or {}).get("code", "a problem")
    if code == "job_crashed":
        return f"It has failed: its worker was lost {row['crashes']} times. Retry it when the cause is gone."
    return f"It has failed with {code}, at try {row['attempt']} of {row['max_attempts']}. Retry it when that is mended."


async def why(tx: Tx, row: Row) -> JobWhy:
    """The answer for a row of `app.job`."""
    code, reason, until = explain(row, await _facts(tx, row))
    told = view(tx.principal, row)
    return JobWhy(
        id=ids.encode("job", row["id"]),
        livemode=told.livemode,
        status=told.status,
        code=code,
        reason=reason,
        until=until,
    )


async def _facts(tx: Tx, row: Row) -> Facts:
    settings = (await tx.function("ctl.tenant_settings"))[0]
    plan = plans.find(settings["plan"])
    limit = KindLimit() if plan is None else plan.kinds.get(row["kind"], KindLimit())
    told = await tx.row(_counts(row))
    assert told is not None
    return Facts(cap=settings["max_in_flight"], limit=limit, **dict(told))


def _counts(row: Row) -> Any:
    now = func.clock_timestamp()
    leased = _job.c.state == any_(literal(list(LEASED), ARRAY(Text)))
    mine = _job.c.tenant_id == TENANT
    of_kind = _job.c.kind == row["kind"]
    children = _job.c.parent_id == row["id"]
    bands = models.BANDS[: models.BANDS.index(row["band"])]
    earlier = or_(_job.c.run_at < row["run_at"], and_(_job.c.run_at == row["run_at"], _job.c.id < row["id"]))
    before = or_(_job.c.band == any_(literal(list(bands), ARRAY(Text))), and_(_job.c.band == row["band"], earlier))
    waiting = _job.c.state == any_(literal(list(RELEASABLE), ARRAY(Text)))

    def count(*conditions: Any) -> Any:
        return select(func.count()).select_from(_job).where(mine, *conditions).scalar_subquery()

    return select(
        now.label("now"),
        TENANT_NOW.label("tenant_now"),
        select(func.count() > 0)
        .select_from(_clock)
        .where(_clock.c.tenant_id == TENANT)
        .scalar_subquery()
        .label("stands"),
        count(children, _job.c.finished_at.is_(None)).label("open_children"),
        count(children).label("children"),
        count(leased).label("in_flight"),
        count(leased, of_kind).label("of_kind"),
        count(of_kind, _job.c.started_at > now - literal(timedelta(minutes=1))).label("lately"),
        count(waiting, _job.c.run_at <= now, before).label("ahead"),
    )
