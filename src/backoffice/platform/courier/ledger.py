"""One loop alone talks to the delivery table: it writes outcomes and claims in one transaction, so a claim always sees
every outcome that was reported before it. Payloads are read beside it."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from time import monotonic, perf_counter
from uuid import UUID, uuid4

from backoffice.kernel.chunks import in_chunks
from backoffice.platform import logs
from backoffice.platform.courier import measures
from backoffice.platform.courier.fairness import Fairness
from backoffice.platform.courier.hands import Hands
from backoffice.platform.courier.lane import Item
from backoffice.platform.courier.loops import bell_or
from backoffice.platform.courier.notes import Notes
from backoffice.platform.courier.options import Options
from backoffice.platform.courier.ports import Claimed, LaneKey, Post, Result, Want
from backoffice.platform.courier.sending import Sending
from backoffice.platform.courier.tasks import Tasks
from backoffice.platform.courier.tenants import Tenants
from backoffice.platform.db import Database

READ_AT_ONCE = 200  # payloads of one transaction: at most 4 MB
log = logs.get("courier")


class Ledger:
    """`wake` is set, by others too, when there is something to write or a lane may claim."""

    def __init__(
        self,
        options: Options,
        dispatch: Database,
        post: Post,
        *,
        hands: Hands,
        tenants: Tenants,
        notes: Notes,
        sending: Sending,
        tasks: Tasks,
        wake: asyncio.Event,
    ) -> None:
        self._options = options
        self._dispatch = dispatch
        self._post = post
        self._hands = hands
        self._tenants = tenants
        self._notes = notes
        self._sending = sending
        self._tasks = tasks
        self._wake = wake
        self._worker = f"courier-{uuid4().hex[:12]}"
        self._fairness = Fairness(options.window, options.round)
        self._readers = asyncio.Semaphore(options.readers)
        self._replay_readers = asyncio.Semaphore(max(1, options.readers // 2))

    def on_new(self, tenant: UUID, endpoints: Sequence[UUID]) -> None:
        now = monotonic()
        for endpoint in endpoints:
            self._hands.is_due(LaneKey(tenant, endpoint), now, now)
        if endpoints:
            self._wake.set()

    async def round(self) -> None:
        await bell_or(self._wake, self._until_next(monotonic()))
        started = monotonic()
        wants = [] if self._sending.draining else self._choose(started)
        if wants or self._hands.results:
            await self.exchange(wants)
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

    async def exchange(self, wants: Sequence[Want]) -> None:
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
        measures.IN_FLIGHT.set(self._sending.under_way)
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
                    self._tasks.begin(self._read(tenant, chunk, readers))

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
                hands.give_back(item.lane.drop(item.claimed), self._options.ours_again)
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
            self._sending.pump(lane)
        if hands.results:
            self._wake.set()


def _filled(wants: Sequence[Want], claimed: Sequence[Claimed]) -> list[Want]:
    """What was claimed to the full: there may be more."""
    fresh = Counter(each.lane for each in claimed if not each.replay)
    replayed = Counter(each.lane for each in claimed if each.replay)
    return [
        Want(lane, most if fresh[lane] >= most else 0, replays if replayed[lane] >= replays else 0)
        for lane, most, replays in wants
    ]
