"""Whether this process does its work, and not only whether it lives: each of its loops says when it came round.

A loop is announced with `expect`. `worked`: it came round and did what it is there for (it reached the database, the
broker). `turned`: it came round, whatever became of it: nothing is gained by starting such a process again. Seconds of
`time.monotonic`, which all processes of a machine share. May be called from any thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backoffice.platform.db import Database

LATE_SECONDS: Final = 20.0  # a loop that has not worked for so long is not well
HUNG_SECONDS: Final = 60.0  # one that has not even turned for so long never will
ASK_SECONDS: Final = 2.0


@dataclass(slots=True)
class Beat:
    """When a loop last came round, and when it last did its work."""

    turned: float
    worked: float


_beats: dict[str, Beat] = {}


def expect(loop: str) -> None:
    """From now on this loop is looked at; it has its first round before it."""
    now = time.monotonic()
    _beats[loop] = Beat(now, now)


def forget(loop: str) -> None:
    """It has ended, as it should."""
    _beats.pop(loop, None)


def turned(loop: str) -> None:
    beat = _beats.get(loop)
    if beat is not None:
        beat.turned = time.monotonic()


def worked(loop: str) -> None:
    beat = _beats.get(loop)
    if beat is not None:
        beat.turned = beat.worked = time.monotonic()


def beats() -> dict[str, Beat]:
    """What is known of every loop of this process."""
    return dict(_beats)


def late(beats: Mapping[str, Beat], now: float) -> list[str]:
    """The loops that are not well; a process without any is starting."""
    return sorted(loop for loop, beat in beats.items() if now - beat.worked > LATE_SECONDS)


def hung(beats: Mapping[str, Beat], now: float) -> bool:
    """Whether a loop stands still."""
    return any(now - beat.turned > HUNG_SECONDS for beat in beats.values())


def sentence(beats: Mapping[str, Beat], now: float) -> str:
    """How old each loop's last work is, the late ones first."""
    if not beats:
        return "starting"
    told = ", ".join(
        f"{loop} {now - beat.worked:.1f} s ago" for loop, beat in sorted(beats.items(), key=lambda each: each[1].worked)
    )
    return f"last worked: {told}"


async def ask(db: Database, loop: str = "database") -> None:
    """For a process that has no round of its own: ask the database every two seconds, on its event loop."""
    expect(loop)
    try:
        while True:
            (worked if await db.answers() else turned)(loop)
            await asyncio.sleep(ASK_SECONDS)
    finally:
        forget(loop)
