"""From facts to findings. Pure: the same facts, the same words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

LATE_SECONDS: Final = 60.0  # a job that could have started so long ago waits for something
LEASE_LATE_SECONDS: Final = 15.0  # sweepers look every second
DELIVERY_LATE_SECONDS: Final = 60.0
TRANSACTION_SECONDS: Final = 60.0  # longer than any of ours may last
CONNECTION_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Band:
    """Jobs of one band that could run now, and for how many seconds the oldest could have."""

    ready: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Facts:
    """Counts over all tenants. Seconds are the database's.

    - `slots`: jobs the living workers can run at once; None when the broker does not answer, then `broker_error`
      says why.
    - `at_cap`: tenants that have work and as many jobs in flight as they may. `at_limit`: pairs of a tenant and a kind
      of which something is due, and as many run, or started within a minute, as the tenant's plan lets.
    - `schedules_late`: schedules that were due a minute ago and have not fired.
    - `dead`: jobs that gave up within a day, by kind. `unknown_kinds`: open jobs nobody here can handle.
    - `disk_full`: the server has no room for a few megabytes.
    - `transaction_seconds`: age of the oldest open transaction; None where statistics may not be seen.
    """

    leader: bool
    courier: bool
    slots: int | None
    broker_error: str | None = None
    bands: Mapping[str, Band] = field(default_factory=dict)
    released: int = 0
    running: int = 0
    leases_late: int = 0
    at_cap: int = 0
    at_limit: int = 0
    schedules_late: int = 0
    dead: Mapping[str, int] = field(default_factory=dict)
    unknown_kinds: Mapping[str, int] = field(default_factory=dict)
    events_waiting: int = 0
    deliveries_due: int = 0
    deliveries_oldest_seconds: float = 0.0
    deliveries_leased: int = 0
    delivery_leases_late: int = 0
    deliveries_stopped: int = 0
    disk_full: bool = False
    transaction_seconds: float | None = None
    connections: int = 0
    max_connections: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong (`problem`), or that explains why somebody waits (`notice`)."""

    code: str
    severity: Literal["problem", "notice"]
    what: str
    why: str
    remedy: str


def examine(facts: Facts) -> list[Finding]:
    """Everything that is stuck, the causes before what follows from them. Empty when all is well."""
    return [*_jobs(facts), *_deliveries(facts), *_database(facts)]


def _jobs(facts: Facts) -> Iterator[Finding]:
    ready = sum(band.ready for band in facts.bands.values())
    if not facts.leader:
        yield _problem(
            "no_dispatcher",
            f"No dispatcher leads; {ready} jobs could start.",
            "Nobody holds the leader's lock, so nothing is released and no lost lease is taken back.",
            "Start one: `backoffice dispatcher` (or `backoffice up`), and read its log if it ends.",
        )
    if facts.slots is None:
        yield _problem(
            "broker_unreachable",
            f"The broker does not answer ({facts.broker_error}); {ready} jobs could start.",
            "Jobs are recorded all the same and start when it is back.",
            "Start the broker, or mend BACKOFFICE_BROKER_URL.",
        )
    elif facts.slots == 0:
        yield _problem(
            "no_worker",
            f"No worker takes jobs; {ready} could start.",
            "The broker knows no consumer of the queue.",
            "Start workers: `backoffice worker` (or `backoffice up --workers 2`); after a drain `jobs drain --resume`.",
        )
    if facts.leases_late:
        yield _problem(
            "leases_not_swept",
            f"{facts.leases_late} jobs hold a lease that ran out more than {LEASE_LATE_SECONDS:.0f} s ago.",
            "Their worker is gone, and no dispatcher has taken them back.",
            "Restart the dispatcher; the jobs then start again where their last finished step left them.",
        )
    healthy = facts.leader and facts.slots
    for name, band in facts.bands.items():
        if healthy and band.oldest_seconds > LATE_SECONDS:
            full = facts.running >= (facts.slots or 0)
            why = (
                f"All {facts.slots} slots are busy."
                if full
                else f"{facts.at_cap} tenants have as many jobs in flight as they may."
                if facts.at_cap
                else f"Of {facts.at_limit} kinds as many run, or start in a minute, as their tenants' plans let."
                if facts.at_limit
                else f"{facts.running} of {facts.slots} slots are busy, and no tenant is at its cap."
            )
            remedy = (
                "Start more workers."
                if full
                else "Raise the tenant's max_in_flight in its tenant.toml, if that is meant."
                if facts.at_cap
                else "They start as the plan lets them (`backoffice jobs why`); a larger plan lets more."
                if facts.at_limit
                else "Read the dispatcher's log: it should release these."
            )
            what = f"{band.ready} {name} jobs wait, the oldest for {_span(band.oldest_seconds)}."
            yield Finding(
                "jobs_wait", "notice" if full or facts.at_cap or facts.at_limit else "problem", what, why, remedy
            )
    if facts.leader and facts.schedules_late:
        yield _problem(
            "schedules_late",
            f"{facts.schedules_late} schedules were due more than {LATE_SECONDS:.0f} s ago and have not fired.",
            "Firing them fails; each is tried again every minute and holds up no other.",
            "Read `schedule_not_fired` in the dispatcher's log: it says which, of which tenant, and why.",
        )
    for kind, count in sorted(facts.unknown_kinds.items()):
        yield _problem(
            "unknown_kind",
            f"{count} open jobs are of the kind {kind}, which this release does not know.",
            "A newer release recorded them; workers of this one put them back untouched.",
            "Deploy the newer release to the workers.",
        )
    if facts.dead:
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(facts.dead.items(), key=lambda each: -each[1]))
        yield _notice(
            "dead_jobs",
            f"Jobs that gave up within a day: {told}.",
            "They failed for good, failed too often, or took their worker down three times.",
            "Read the problem of each (`backoffice jobs list --status failed`), put it right, and retry it.",
        )


def _deliveries(facts: Facts) -> Iterator[Finding]:
    late = facts.deliveries_oldest_seconds > DELIVERY_LATE_SECONDS
    due = f"{facts.deliveries_due} webhooks are due"
    if not facts.courier:
        yield _problem(
            "no_courier",
            f"No courier is there; {due}.",
            "None is connected to the database, so nothing is delivered.",
            "Start one: `backoffice courier` (or `backoffice up`). Nothing is lost meanwhile.",
        )
    if facts.delivery_leases_late:
        yield _problem(
            "deliveries_not_swept",
            f"{facts.delivery_leases_late} webhooks hold a lease that ran out {LEASE_LATE_SECONDS:.0f} s ago or more.",
            "Their courier is gone or stands still, and no other has taken them back.",
            "Restart the courier; they are then sent again under the same ids.",
        )
    elif late and facts.courier:
        yield _notice(
            "deliveries_late",
            f"{due}, the oldest for {_span(facts.deliveries_oldest_seconds)}.",
            "Their endpoints fail and are left in peace for up to 15 minutes, or answer slowly, or more come than the "
            "courier sends.",
            "Look at bo_courier_breakers_open and bo_courier_in_flight in its metrics. A firm sees which endpoint of "
            "its own it is (`backoffice webhooks`: health, deliveries).",
        )
    if facts.courier and facts.events_waiting and not facts.deliveries_leased and (late or not facts.deliveries_due):
        yield _notice(
            "events_waiting",
            f"{facts.events_waiting} events have not been handed to their endpoints yet.",
            "The courier does so within a second when it runs.",
            "Look again in a moment; if they are still there, restart the courier.",
        )
    if facts.deliveries_stopped:
        yield _notice(
            "deliveries_stopped",
            f"{facts.deliveries_stopped} webhooks are kept for endpoints that are paused or were given up.",
            "Their firms have been told (webhook_endpoint.disabled).",
            "The firm mends its receiver and enables the endpoint; everything kept is then sent.",
        )


def _database(facts: Facts) -> Iterator[Finding]:
    if facts.disk_full:
        yield _problem(
            "disk_full",
            "The database has no room left on its disk.",
            "It could not put a few megabytes aside; whoever writes is refused with 503, and nothing is lost.",
            "Make room on the disk of its data directory; no restart is needed.",
        )
    if facts.transaction_seconds is not None and facts.transaction_seconds > TRANSACTION_SECONDS:
        yield _problem(
            "long_transaction",
            f"A transaction has been open for {_span(facts.transaction_seconds)}.",
            "Until it ends nothing that changed since can be cleaned up, and the queue's tables grow slow.",
            "Find it in pg_stat_activity (xact_start) and end it.",
        )
    if facts.max_connections and facts.connections > CONNECTION_SHARE * facts.max_connections:
        yield _problem(
            "connections_short",
            f"{facts.connections} of {facts.max_connections} connections are in use.",
            "Whoever comes next is refused with 503.",
            "Lower BACKOFFICE_POOL_SIZE, put PgBouncer before the API, or raise max_connections.",
        )


def _problem(code: str, what: str, why: str, remedy: str) -> Finding:
    return Finding(code, "problem", what, why, remedy)


def _notice(code: str, what: str, why: str, remedy: str) -> Finding:
    return Finding(code, "notice", what, why, remedy)


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def healthy(findings: Sequence[Finding]) -> bool:
    """Whether nothing is wrong; notices may be there."""
    return all(finding.severity == "notice" for finding in findings)
