"""Loops that outlive faults: a round that fails is told, waited out and repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from backoffice.platform import logs, pulse
from backoffice.platform.courier import measures

_FIRST_WAIT = 0.2
_LONGEST_WAIT = 2.0
log = logs.get("courier")


async def insist(name: str, once: Callable[[], Awaitable[None]]) -> None:
    """Repeat until it succeeds: after a failure wait 0.2 s, then twice as long each time, up to 2 s. Its pulse tells
    of it, where somebody expects one."""
    wait = _FIRST_WAIT
    while True:
        try:
            await once()
        except Exception as error:
            pulse.turned(name)
            measures.FAULTS.labels(name).inc()
            log.warning("round_failed", loop=name, **logs.error_fields(error))
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
        else:
            pulse.worked(name)
            return


async def forever(name: str, one_round: Callable[[], Awaitable[None]]) -> None:
    """Run rounds until canceled."""
    pulse.expect(name)
    while True:
        await insist(name, one_round)


async def bell_or(bell: asyncio.Event, seconds: float) -> None:
    """Return when the bell rang or after so many seconds; the bell is silent then. What rings from here on rings for
    the next round, so nothing that lands during a round is lost."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await bell.wait()
    except TimeoutError:
        pass
    bell.clear()
