"""The courier, put together: its loops, what they share, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic

from backoffice.platform.courier.fanning import FanOut
from backoffice.platform.courier.hands import Hands
from backoffice.platform.courier.ledger import Ledger
from backoffice.platform.courier.loops import forever
from backoffice.platform.courier.notes import Notes
from backoffice.platform.courier.options import Options
from backoffice.platform.courier.ports import Post
from backoffice.platform.courier.sending import Sending
from backoffice.platform.courier.tasks import Tasks
from backoffice.platform.courier.tenants import Tenants
from backoffice.platform.courier.watch import Watch
from backoffice.platform.db import Database
from backoffice.platform.doorbell import Listener
from backoffice.platform.runtime import Runtime


class Engine:
    """`runtime` signs in as bo_app and holds the keys; `dispatch` signs in as bo_dispatch; `listener` hears of new
    events. Of one event loop. `run(stop)` returns when `stop` is set and what was under way is written."""

    def __init__(
        self, runtime: Runtime, dispatch: Database, post: Post, listener: Listener, options: Options | None = None
    ) -> None:
        self._options = options = options or Options()
        self._hands = Hands(options.first_probe)
        self._tasks = Tasks()
        self._wake = wake = asyncio.Event()
        tenants = Tenants(runtime)
        self._notes = Notes(tenants, post, listener.wake)
        self._sending = Sending(options, self._hands, tenants, self._notes, self._tasks, wake.set)
        self._ledger = Ledger(
            *(options, dispatch, post),
            hands=self._hands,
            tenants=tenants,
            notes=self._notes,
            sending=self._sending,
            tasks=self._tasks,
            wake=wake,
        )
        self._fan_out = FanOut(dispatch, tenants, post, listener, self._ledger.on_new)
        self._watch = Watch(
            *(dispatch, tenants, post, self._hands),
            on_new=self._ledger.on_new,
            wake=wake.set,
            pump=self._sending.pump,
            scan=options.scan,
            look=options.look,
            lease=options.lease,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`, then finish: no new claims, what has not started goes back, what is under way gets the
        drain time; what is not done by then is repeated when its lease has run out."""
        rounds: dict[str, Callable[[], Awaitable[None]]] = {
            "fan_out": self._fan_out.round,
            "ledger": self._ledger.round,
            "scan": self._watch.scan_round,
            "look": self._watch.look_round,
            "lease": self._watch.lease_round,
            "notes": self._notes.round,
        }
        loops = {name: asyncio.create_task(forever(name, each), name=name) for name, each in rounds.items()}
        try:
            await stop.wait()
            self._sending.draining = True
            await _ended(loops.pop("fan_out"))
            await self._fan_out.stop()
            await self._drain()
        finally:
            self._sending.stop()
            for running in loops.values():
                await _ended(running)
            await self._tasks.cancel()
            with suppress(Exception):
                await self._ledger.exchange([])
                await self._notes.write()
            await self._sending.close()

    async def _drain(self) -> None:
        until = monotonic() + self._options.drain
        while self._hands.held and monotonic() < until:
            for lane in self._hands.lanes.values():
                self._hands.give_back(lane.unstarted())
            self._wake.set()
            await asyncio.sleep(0.01)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
