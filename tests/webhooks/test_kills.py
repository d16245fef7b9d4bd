"""Fault 19: the courier is killed between the receiver's 200 and the flush. And: it drains when it is asked to."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from tests.webhooks.bench import Bench, Request, until

from backoffice.platform.settings import to_environment

pytestmark = pytest.mark.kills


@contextmanager
def process(settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A courier process of its own; killed at the end if it still runs."""
    environment = {**os.environ, **to_environment(replace(settings, lease_seconds=1.0, drain_seconds=4.0))}
    child = subprocess.Popen([sys.executable, "-m", "backoffice.courier"], env=environment)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()


async def test_killed_between_200_and_flush_it_repeats_what_was_in_flight_with_the_same_ids(
    world: Any, bench: Bench, settings: Any
) -> None:
    """Three kills, each in the moment an answer is on its way: nothing lost, each repeat under its own id, and at most
    one repeat per kill and request in flight."""
    firm = await world.firm(keys=False)
    total, kills = 60, 0
    child: subprocess.Popen[bytes] | None = None

    async def answer(request: Request) -> web.Response:
        nonlocal kills
        await asyncio.sleep(0.002)
        if kills < 3 and len(receiver.requests) >= 15 * (kills + 1) and child is not None:
            kills += 1
            asyncio.get_running_loop().call_later(0.001, child.kill)  # the 200 leaves, the flush does not
        return web.Response()

    async with bench.receiver(answer) as receiver:
        await bench.endpoint(firm.test, receiver.url, max_concurrency=4)
        await bench.tell(firm.test, 1, times=total)
        for _ in range(3):
            with process(settings) as child:
                await asyncio.wait_for(asyncio.to_thread(child.wait), 20)
                assert child.returncode == -signal.SIGKILL
        with process(settings) as child:
            await bench.settled(firm.test, "delivered", seconds=20)
    came = Counter(request.id for request in receiver.requests)
    assert kills == 3
    assert len(came) == total
    assert {request.sequence for request in receiver.requests} == set(range(1, total + 1))
    repeats = sum(came.values()) - total
    # In flight with the courier: at most its concurrency of 4, and what it had been answered since its last flush.
    assert repeats <= 3 * (4 + 8)
    assert max(came.values()) <= 1 + 3
    rows = await bench.deliveries(firm.test)
    assert all(row["attempt"] == 1 for row in rows)  # a crash uses up no try
    assert len(await bench.attempts(firm.test)) == total


async def test_sigterm_finishes_what_is_under_way_and_gives_the_rest_back(
    world: Any, bench: Bench, settings: Any
) -> None:
    firm = await world.firm(keys=False)

    async def answer(_: Request) -> web.Response:
        await asyncio.sleep(0.5)
        return web.Response()

    async with bench.receiver(answer) as receiver:
        await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test, 1, times=8)
        with process(settings) as child:
            await receiver.until(2, 20)
            child.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(asyncio.to_thread(child.wait), 10) == 0
        rows = await bench.deliveries(firm.test)
        states = Counter(row["state"] for row in rows)
        assert states == {"delivered": len(receiver.requests), "ready": 8 - len(receiver.requests)}
        with process(settings):
            await bench.settled(firm.test, "delivered", seconds=20)
    assert max(Counter(request.id for request in receiver.requests).values()) == 1


async def test_a_courier_that_stood_still_past_its_lease_sends_nothing_twice_later(
    world: Any, bench: Bench, settings: Any
) -> None:
    """SIGSTOP: another one takes over; woken, the first finds its leases gone and its outcomes change nothing."""
    firm = await world.firm(keys=False)
    hold = asyncio.Event()

    async def answer(request: Request) -> web.Response:
        if request.number == 1 and not hold.is_set():
            await hold.wait()
        return web.Response()

    async with bench.receiver(answer) as receiver:
        await bench.endpoint(firm.test, receiver.url)
        await bench.tell(firm.test, 1)
        with process(settings) as first:
            await receiver.until(1, 20)
            first.send_signal(signal.SIGSTOP)
            try:
                await bench.tell(firm.test, 2, times=5)
                hold.set()
                with process(settings):
                    await bench.settled(firm.test, "delivered", seconds=20)
                    count = len(receiver.requests)
                    assert count == 7  # the first again, under its id, and five more
                    first.send_signal(signal.SIGCONT)
                    await asyncio.sleep(0.8)
                    assert len(receiver.requests) == count
                    await until(lambda: first.poll() is None)
            finally:
                first.send_signal(signal.SIGCONT)
    rows = await bench.deliveries(firm.test)
    assert [row["attempt"] for row in rows] == [1] * 6
