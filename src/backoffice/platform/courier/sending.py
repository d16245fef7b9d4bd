"""From a lane to a receiver and back: what may start is started, and what became of it is handed on to be written."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic

from backoffice.kernel import clock
from backoffice.platform import logs, metrics, traces
from backoffice.platform.courier import loopback
from backoffice.platform.courier.hands import Hands
from backoffice.platform.courier.lane import SHORT_HOLD, Item, Lane
from backoffice.platform.courier.notes import Notes
from backoffice.platform.courier.options import Options
from backoffice.platform.courier.ports import Exchange, LaneKey, Result
from backoffice.platform.courier.sender import KEEP_BYTES, Sender
from backoffice.platform.courier.starts import Starts
from backoffice.platform.courier.tasks import Tasks
from backoffice.platform.courier.tenants import Tenants
from backoffice.platform.courier.verdict import Answer, Verdict, judge

log = logs.get("courier")


@dataclass(slots=True)
class _Slots:
    """`suspects` are those in use by lanes that have just failed; `waiting` the lanes that found none free."""

    in_use: int = 0
    suspects: int = 0
    waiting: dict[LaneKey, None] = field(default_factory=dict)


class Sending:
    """Requests under way. `wake` is called when something is to be written. Once `draining`, nothing starts."""

    def __init__(
        self, options: Options, hands: Hands, tenants: Tenants, notes: Notes, tasks: Tasks, wake: Callable[[], None]
    ) -> None:
        self._options = options
        self._hands = hands
        self._tenants = tenants
        self._notes = notes
        self._tasks = tasks
        self._wake = wake
        self._slots = _Slots()
        self._starts = Starts(lambda item, suspect: tasks.begin(self._deliver(item, suspect=suspect)))
        self._sender = Sender(total=options.total, connect=options.connect, proxy=options.proxy)
        self.draining = False

    @property
    def under_way(self) -> int:
        return self._slots.in_use

    def stop(self) -> None:
        """Start nothing more, not even what was about to."""
        self._starts.clear()

    async def close(self) -> None:
        await self._sender.close()

    def pump(self, lane: Lane) -> None:
        """Start what may start now."""
        slots, now = self._slots, monotonic()
        while lane.queued and not self.draining:
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
            self.pump(lane)
            return
        waiting[lane.key] = None
        for key in list(islice(waiting, 16)):
            del waiting[key]
            other = self._hands.lanes.get(key)
            if other is not None:
                self.pump(other)  # which queues it again, at the end, when there is still none

    async def _deliver(self, item: Item, *, suspect: bool) -> None:
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
        lane.used += monotonic() - began
        if answer is None:
            again = self._options.ours_again
            back, _ = lane.refused(item, monotonic(), delay=again, hold=again, slower=False, ours=True)
            self._hands.give_back(back, again)
            self._hands.results.append(Result(claimed, "ready", delay=again, ends_chain=True))
        else:
            verdict = judge(answer, claimed.attempt, now=clock.wall, random=random.random, waits=self._options.waits)
            metrics.count_delivery(verdict.error_code or "delivered", answer.milliseconds / 1000)
            if verdict.state == "delivered":
                self._delivered(item, answer)
            else:
                await self._refused(item, answer, verdict)
        self._wake()
        self._pump_after(lane)

    def _delivered(self, item: Item, answer: Answer) -> None:
        lane = item.lane
        lane.delivered(item, monotonic())
        self._hands.results.append(
            Result(item.claimed, "delivered", tried=True, status=answer.status, milliseconds=answer.milliseconds)
        )
        if lane.failing:
            lane.failing = False
            self._tasks.begin(self._notes.recovered(lane))

    async def _refused(self, item: Item, answer: Answer, verdict: Verdict) -> None:
        lane = item.lane
        back, opened = lane.refused(item, monotonic(), delay=verdict.delay, hold=verdict.hold, slower=verdict.slower)
        self._hands.troubled[lane.key] = lane
        self._hands.give_back(back, verdict.delay)
        stops = verdict.give_up or verdict.gone
        if opened or stops or verdict.hold > SHORT_HOLD:
            self._hands.give_back(lane.unstarted())
        elif verdict.hold > 0:
            asyncio.get_running_loop().call_later(verdict.hold + 0.005, self.pump, lane)
        if opened and not lane.failing:
            lane.failing = True
            self._tasks.begin(self._notes.failing(lane))
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


def _text(raw: bytes) -> str:
    """As text that a column can hold."""
    return raw.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
