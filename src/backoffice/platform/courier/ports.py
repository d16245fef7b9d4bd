"""What the engine and the domain that owns the rows say to each other.

Functions that take a `Dispatch` connection run as `bo_dispatch`, across tenants, and see routing columns only; those
that take a `Tx` run as `bo_app` for one tenant, in a transaction that the engine opens and commits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol
from uuid import UUID

from backoffice.platform.tx import Tx

COURIER_LOCK: Final = 0x626F5F636F757269
"""Shared by every courier that is connected, for the doctor to see."""


class Dispatch(Protocol):
    """A connection of `bo_dispatch`, inside a transaction."""

    async def fetch(self, query: str, *args: Any) -> Sequence[Mapping[str, Any]]: ...

    async def execute(self, query: str, *args: Any) -> str: ...


class LaneKey(NamedTuple):
    """One endpoint of one tenant."""

    tenant: UUID
    endpoint: UUID


class FannedOut(NamedTuple):
    """What one fan-out transaction did: the endpoints that have something new; whether more events wait."""

    endpoints: Sequence[UUID]
    events: int
    more: bool


class Due(NamedTuple):
    """An endpoint whose next waiting delivery may be sent in so many seconds (0 or less: now); `replay` when it is the
    next of those that are sent on demand."""

    lane: LaneKey
    in_seconds: float
    replay: bool


class Want(NamedTuple):
    """How many deliveries the engine would take for a lane now: fresh ones, and replayed ones."""

    lane: LaneKey
    most: int
    replays: int = 0


Turn = Literal["fresh", "late", "again"]


@dataclass(slots=True, eq=False)
class Claimed:
    """A delivery this process holds under a lease. `message` is the domain's name for what is sent. `attempt` counts
    the tries recorded before; `lease_ends` is ours to watch (monotonic seconds): past it nothing is sent any more.
    `turn` is fresh, late (replayed, never taken before) or again (replayed, taken before)."""

    lane: LaneKey
    id: UUID
    message: UUID
    object_key: UUID
    sequence: int
    attempt: int
    fence: int
    turn: Turn = "fresh"
    lease_ends: float = 0.0

    @property
    def replay(self) -> bool:
        """Sent on demand: it goes after what is fresh."""
        return self.turn != "fresh"

    @property
    def chain(self) -> tuple[UUID, bool]:
        """Deliveries of one endpoint with the same chain go out in order; repeats hold up repeats alone."""
        return self.object_key, self.turn == "again"


@dataclass(slots=True)
class Envelope:
    """What is sent, and where. `secrets` are those in force, the newest first. `most` is the endpoint's cap on
    requests at once; `failing` what the domain knows of its health; `version` changes when somebody edits it;
    `traceparent` is of the request or job that caused the event."""

    url: str
    message_id: str
    body: bytes
    secrets: tuple[str, ...]
    most: int
    failing: bool
    version: int
    traceparent: str | None = None


State = Literal["delivered", "retry_wait", "failed", "ready"]


@dataclass(slots=True, eq=False)
class Result:
    """How a claimed delivery leaves the engine. `tried` is false when it is given back unsent; `delay` is the wait
    in seconds before it may be sent (again); status, milliseconds and error code are of the try. `ends_chain` marks the
    failed one for which later ones of its object wait."""

    claimed: Claimed
    state: State
    tried: bool = False
    delay: float = 0.0
    ends_chain: bool = False
    status: int | None = None
    milliseconds: int = 0
    error_code: str | None = None
    exchange: Exchange | None = None


@dataclass(slots=True)
class Exchange:
    """What was said in a failed try, each part cut to 4,000 bytes; `response` is None where there was none."""

    delivery: UUID
    attempt: int
    url: str
    request: str
    response: str | None


@dataclass(frozen=True, slots=True)
class Post:
    """The domain's side of the counter."""

    tenants_with_events: Callable[[Dispatch], Awaitable[Sequence[UUID]]]
    """Tenants that have events which were not fanned out."""
    fan_out: Callable[[Tx], Awaitable[FannedOut]]
    due: Callable[[Dispatch], Awaitable[Sequence[Due]]]
    """Every endpoint with waiting deliveries."""
    stopped: Callable[[Dispatch], Awaitable[Sequence[LaneKey]]]
    """Every endpoint with deliveries that a pause holds."""
    claim: Callable[[Dispatch, Sequence[Want], str, float], Awaitable[Sequence[Claimed]]]
    """(wants, worker, lease seconds): lease what may be sent now, an object's deliveries only in their order."""
    record: Callable[[Dispatch, Sequence[Result]], Awaitable[Mapping[int, int]]]
    """Write results and attempts; place among them → number of the try, for those whose fence still held."""
    extend: Callable[[Dispatch, Sequence[Claimed], float], Awaitable[set[UUID]]]
    """(claimed, lease seconds): the deliveries whose lease is still ours."""
    sweep: Callable[[Dispatch], Awaitable[int]]
    """Give back what is under a lease that ran out."""
    envelopes: Callable[[Tx, Sequence[Claimed]], Awaitable[Sequence[Envelope | None]]]
    """One for each. None: it may not be sent, and the function has dealt with it."""
    release_stopped: Callable[[Tx, Sequence[UUID]], Awaitable[Sequence[UUID]]]
    """(endpoints): put back in line what waits for endpoints that were enabled again; those that got something."""
    versions: Callable[[Tx, Sequence[UUID]], Awaitable[Mapping[UUID, int]]]
    """(endpoints) → version of each."""
    note_exchanges: Callable[[Tx, Sequence[Exchange]], Awaitable[None]]
    give_up: Callable[[Tx, UUID], Awaitable[None]]
    """The last try of a delivery to this endpoint failed."""
    gone: Callable[[Tx, UUID], Awaitable[None]]
    """The endpoint says that it is no more."""
    failing: Callable[[Tx, UUID], Awaitable[int | None]]
    """The endpoint is left in peace for a while; its new version, or None when that was known."""
    recovered: Callable[[Tx, UUID], Awaitable[int | None]]
