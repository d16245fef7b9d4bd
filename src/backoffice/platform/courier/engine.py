"""The courier. One loop alone talks to the delivery table: it writes outcomes and claims in one transaction, so a claim
always sees every outcome that was reported before it. Reading payloads and sending happen beside it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic, perf_counter
from typing import Any
from uuid import UUID, uuid4

from backoffice.kernel import clock
from backoffice.kernel.chunks import in_chunks
from backoffice.platform import logs, metrics, traces
from backoffice.platform.courier import loopback, measures
from backoffice.platform.courier.fairness import Fairness
from backoffice.platform.courier.fanning import FanOut
from backoffice.platform.courier.hands import Hands
from backoffice.platform.courier.lane import FIRST_PROBE, SHORT_HOLD, Item, Lane
from backoffice.platform.courier.loops import bell_or, forever
from backoffice.platform.courier.notes import Notes
from backoffice.platform.courier.ports import Claimed, Exchange, LaneKey, Post, Result, Want
from backoffice.platform.courier.sender import CONNECT_SECONDS, KEEP_BYTES, TOTAL_SECONDS, Sender
from backoffice.platform.courier.starts import Starts
from backoffice.platform.courier.tenants import Tenants
from backoffice.platform.courier.verdict import WAITS, Answer, Verdict, judge
from backoffice.platform.courier.watch import Watch
from backoffice.platform.db import Database
from backoffice.platform.doorbell import Listener
from backoffice.platform.runtime import Runtime

READ_AT_ONCE = 200  # payloads of one transaction: at most 4 MB
OURS_AGAIN_SECONDS = 5.0  # after a fault on our side
log = logs.get("courier")


@dataclass(frozen=True, slots=True)
class Options:
    """Seconds, and how much at once. `slots` are requests under way; `window` deliveries in memory, `round` of them
    claimed in one transaction (outcomes wait for its end); `readers` transactions that read payloads, and half as many
    more that read those of replays; `proxy` see `Sender`."""

    lease: float = 10.0
    drain: float = 30.0
    flush: float = 0.010
    scan: float = 1.0
    look: float = 5.0  # for endpoints that somebody enabled or changed
    total: float = TOTAL_SECONDS
    connect: float = CONNECT_SECONDS
    waits: Sequence[float] = WAITS
    first_probe: float = FIRST_PROBE
    slots: int = 1024
    window: int = 2048
    round: int = 400
    readers: int = 4
    proxy: str | None = None


@dataclass(slots=True)
class _Slots:
    """`suspects` are those in use by lanes that have just failed; `waiting` the lanes that found none free."""

    in_use: int = 0
    suspects: int = 0
    waiting: dict[LaneKey, None] = field(default_factory=dict)


class Engine:
    """`runtime` signs in as bo_app and holds the keys; `dispatch` signs in as bo_dispatch; `listener` hears of new
    events. `run(stop)` returns when `stop` is set and what was under way is written."""

    def __init__(
        self, runtime: Runtime, dispatch: Database, post: Post, listener: Listener, options: Options | None = None
    ) -> None:
        self._options = options = options or Options()
        self._dispatch = dispatch
        self._post = post
        self._tenants = Tenants(runtime)
        self._worker = f"courier-{uuid4().hex[:12]}"
        self._hands = Hands(options.first_probe)
        self._slots = _Slots()
        self._starts = Starts(lambda item, suspect: self._spawn(self._deliver(item, suspect=suspect)))
        self._fairness = Fairness(options.window, options.round)
        self._fan_out = FanOut(dispatch, self._tenants, post, listener, self._on_new)
        self._notes = Notes(self._tenants, post, listener.wake)
        self._wake = asyncio.Event()
        self._watch = Watch(
            *(dispatch, self._tenants, post, self._hands),
            on_new=self._on_new,
            wake=self._wake.set,
            pump=self._pump,
            scan=options.scan,
            look=options.look,
            lease=options.lease,
        )
        self._readers = asyncio.Semaphore(options.readers)
        self._replay_readers = asyncio.Semaphore(max(1, options.readers // 2))
        self._tasks: set[asyncio.Task[None]] = set()
        self._sender: Sender | None = None
        self._draining = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`, then finish: no new claims, what has not started goes back, what is under way gets the
        drain time; what is not done by then is repeated when its lease has run out."""
        self._sender = Sender(total=self._options.total, connect=self._options.connect, proxy=self._options.proxy)
        rounds: dict[str, Callable[[], Awaitable[None]]] = {
            "fan_out": self._fan_out.round,
            "ledger": self._ledger_round,
            "scan": self._watch.scan_round,
            "look": self._watch.look_round,
            "lease": self._watch.lease_round,
            "notes": self._notes.round,
        }
        loops = {name: asyncio.create_task(forever(name, each), name=name) for name, each in rounds.items()}
        try:
            await stop.wait()
            self._draining = True
            await _ended(loops.pop("fan_out"))
            await self._fan_out.stop()
            await self._drain()
        finally:
            self._starts.clear()
            for running in [*loops.values(), *self._tasks]:
                await _ended(running)
            with suppress(Exception):
                await self._exchange([])
                await self._notes.write()
            await self._sender.close()

    async def _drain(self) -> None:
        until = monotonic() + self._options.drain
        while self._hands.held and monotonic() < until:
            for lane in self._hands.lanes.values():
                self._hands.give_back(lane.unstarted())
            self._wake.set()
            await asyncio.sleep(0.01)

    def _on_new(self, tenant: UUID, endpoints: Sequence[UUID]) -> None:
        now = monotonic()
        for endpoint in endpoints:
            self._hands.is_due(LaneKey(tenant, endpoint), now, now)
        if endpoints:
            self._wake.set()

    # ------------------------------------------------------------------------------------------- the delivery table

    async def _ledger_round(self) -> None:
        await bell_or(self._wake, self._until_next(monotonic()))
        started = monotonic()
        wants = [] if self._draining else self._choose(started)
        if wants or self._hands.results:
            await self._exchange(wants)
            await asyncio.sleep(max(0.0, self._options.flush - (monotonic() - started)))

    def _until_next(self, now: float) -> float:
        """Seconds until a lane wakes by time alone."""
        times = (lane.wakes_at(now) for lane in self._hands.due.values())
        return min((at for at in times if at is not None), default=now + 1) - now

    def _choose(self, now: float) -> list[Want]:
        hands = self._hands
        wants = self._fairness.choose(
            *(hands.due.values(), now),
            held=len(hands.held),
            by_tenant=hands.by_tenant,
            replays=hands.replays,
            suspects=hands.suspects(),
        )
        for want in wants:
            hands.asked(want)
        return wants

    async def _exchange(self, wants: Sequence[Want]) -> None:
        """Write the outcomes and claim, in one transaction across tenants; one alone is a transaction by itself."""
        hands, lease = self._hands, self._options.lease
        results, hands.results = hands.results, []
        now, began = monotonic(), perf_counter()
        recorded: Mapping[int, int] = {}
        claimed: Sequence[Claimed] = ()
        try:
            opened = self._dispatch.untenanted if results and wants else self._dispatch.autocommit
            async with hands.writing, opened() as connection:
                if results:
                    recorded = await self._post.record(connection, results)
                if wants:
                    claimed = await self._post.claim(connection, wants, self._worker, lease)
        except BaseException:
            hands.results = results + hands.results
            self._due_again(wants, now)
            self._wake.set()
            raise
        measures.FLUSH_SECONDS.observe(perf_counter() - began)
        measures.IN_FLIGHT.set(self._slots.in_use)
        self._settle(results, recorded)
        fresh: defaultdict[UUID, list[Item]] = defaultdict(list)
        replayed: defaultdict[UUID, list[Item]] = defaultdict(list)
        for each in claimed:
            each.lease_ends = now + lease
            item = hands.take(each, now)
            if item is not None:
                (replayed if each.replay else fresh)[each.lane.tenant].append(item)
        self._due_again(_filled(wants, claimed), monotonic())
        if hands.results:
            self._wake.set()
        for by_tenant, readers in ((fresh, self._readers), (replayed, self._replay_readers)):
            for tenant, items in by_tenant.items():
                for chunk in in_chunks(items, READ_AT_ONCE):
                    self._spawn(self._read(tenant, chunk, readers))

    def _settle(self, results: Sequence[Result], recorded: Mapping[int, int]) -> None:
        now = monotonic()
        for place, result in enumerate(results):
            claimed = result.claimed
            self._hands.forget(claimed)
            if result.ends_chain:
                self._hands.lane(claimed.lane, now).written(claimed)
            if result.state in ("ready", "retry_wait"):
                self._hands.is_due(claimed.lane, now + result.delay, now, replay=claimed.replay)
            if place not in recorded:
                measures.STALE.inc()
            elif result.exchange is not None:
                result.exchange.attempt = recorded[place]
                self._notes.add(claimed.lane.tenant, result.exchange)

    def _due_again(self, wants: Sequence[Want], now: float) -> None:
        for want in wants:
            if want.most:
                self._hands.is_due(want.lane, now, now)
            if want.replays:
                self._hands.is_due(want.lane, now, now, replay=True)

    async def _read(self, tenant: UUID, items: Sequence[Item], readers: asyncio.Semaphore) -> None:
        """Payloads and addresses of one tenant's fresh claims, in one transaction; then send."""
        hands = self._hands
        try:
            async with readers, self._tenants.tx(tenant) as tx:
                envelopes = await self._post.envelopes(tx, [item.claimed for item in items])
        except Exception as error:
            log.warning("payloads_unread", count=len(items), **logs.error_fields(error))
            for item in items:
                hands.give_back(item.lane.drop(item.claimed), OURS_AGAIN_SECONDS)
            self._wake.set()
            return
        now = monotonic()
        for item, envelope in zip(items, envelopes, strict=True):
            if envelope is not None:
                item.lane.address(item, envelope, now)
                continue
            for each in item.lane.drop(item.claimed):  # the domain has put it where it belongs; those behind it go back
                if each is item:
                    hands.forget(item.claimed)
                else:
                    hands.give_back([each])
        for lane in {id(item.lane): item.lane for item in items}.values():
            self._pump(lane)
        if hands.results:
            self._wake.set()

    # --------------------------------------------------------------------------------------------------- sending

    def _pump(self, lane: Lane) -> None:
        """Start what may start now."""
        slots, now = self._slots, monotonic()
        while lane.queued and not self._draining:
            suspect = bool(lane.breaker.row)
            if slots.in_use >= self._options.slots or (suspect and slots.suspects >= self._options.slots // 2):
                slots.waiting[lane.key] = None
                break
            item = lane.next_item(now)
            if item is None:
                break
            slots.in_use += 1
            slots.suspects += suspect
            self._starts.add(item, suspect)
        for lost in lane.take_expired():
            self._hands.forget(lost.claimed)

    def _pump_after(self, lane: Lane) -> None:
        """A slot is free: those that wait for one come first."""
        waiting = self._slots.waiting
        if not waiting:
            self._pump(lane)
            return
        waiting[lane.key] = None
        for key in list(islice(waiting, 16)):
            del waiting[key]
            other = self._hands.lanes.get(key)
            if other is not None:
                self._pump(other)  # which queues it again, at the end, when there is still none

    async def _deliver(self, item: Item, *, suspect: bool) -> None:
        assert self._sender is not None
        assert item.envelope is not None
        lane, claimed, began = item.lane, item.claimed, monotonic()
        answer: Answer | None = None
        try:
            facts = await self._tenants.facts(lane.key.tenant)
            with traces.span("webhook", traceparent=item.envelope.traceparent) as span:
                answer = await self._sender.send(item.envelope, span.traceparent, loopback=loopback.may_use(facts))
                span.set_attribute("http.response.status_code", answer.status or 0)
        except Exception as error:  # ours, not the receiver's
            log.error("send_failed", delivery_id=str(claimed.id), **logs.error_fields(error))
        self._slots.in_use -= 1
        self._slots.suspects -= suspect
        self._fairness.charge(lane, monotonic() - began)
        if answer is None:
            again = OURS_AGAIN_SECONDS
            back, _ = lane.refused(item, monotonic(), delay=again, hold=again, slower=False, ours=True)
            self._hands.give_back(back, OURS_AGAIN_SECONDS)
            self._hands.results.append(Result(claimed, "ready", delay=OURS_AGAIN_SECONDS, ends_chain=True))
        else:
            verdict = judge(answer, claimed.attempt, now=clock.wall, random=random.random, waits=self._options.waits)
            metrics.count_delivery(verdict.error_code or "delivered", answer.milliseconds / 1000)
            if verdict.state == "delivered":
                self._delivered(item, answer)
            else:
                await self._refused(item, answer, verdict)
        self._wake.set()
        self._pump_after(lane)

    def _delivered(self, item: Item, answer: Answer) -> None:
        lane = item.lane
        lane.delivered(item, monotonic())
        self._hands.results.append(
            Result(item.claimed, "delivered", tried=True, status=answer.status, milliseconds=answer.milliseconds)
        )
        if lane.failing:
            lane.failing = False
            self._spawn(self._notes.recovered(lane))

    async def _refused(self, item: Item, answer: Answer, verdict: Verdict) -> None:
        lane = item.lane
        back, opened = lane.refused(item, monotonic(), delay=verdict.delay, hold=verdict.hold, slower=verdict.slower)
        self._hands.troubled[lane.key] = lane
        self._hands.give_back(back, verdict.delay)
        stops = verdict.give_up or verdict.gone
        if opened or stops or verdict.hold > SHORT_HOLD:
            self._hands.give_back(lane.unstarted())
        elif verdict.hold > 0:
            asyncio.get_running_loop().call_later(verdict.hold + 0.005, self._pump, lane)
        if opened and not lane.failing:
            lane.failing = True
            self._spawn(self._notes.failing(lane))
        if stops:
            # First the endpoint, then the delivery: a crash between the two repeats a try and loses nothing.
            await self._notes.stop(lane, gone=verdict.gone)
        assert item.envelope is not None
        exchange = Exchange(
            delivery=item.claimed.id,
            attempt=0,
            url=item.envelope.url,
            request=_text(item.envelope.body[:KEEP_BYTES]),
            response=None if answer.status is None else _text(answer.body),
        )
        result = Result(item.claimed, verdict.state, tried=True, delay=verdict.delay, ends_chain=True)
        result.status, result.milliseconds, result.error_code = answer.status, answer.milliseconds, verdict.error_code
        result.exchange = exchange
        self._hands.results.append(result)

    # ------------------------------------------------------------------------------------------------------- tasks

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", **logs.error_fields(error))


def _filled(wants: Sequence[Want], claimed: Sequence[Claimed]) -> list[Want]:
    """What was claimed to the full: there may be more."""
    fresh = Counter(each.lane for each in claimed if not each.replay)
    replayed = Counter(each.lane for each in claimed if each.replay)
    return [
        Want(lane, most if fresh[lane] >= most else 0, replays if replayed[lane] >= replays else 0)
        for lane, most, replays in wants
    ]


async def _ended(task: asyncio.Future[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task


def _text(raw: bytes) -> str:
    """As text that a column can hold."""
    return raw.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
