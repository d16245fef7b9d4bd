"""What is kept for a while only. A domain says in its `jobs.py` what it forgets; one job a day and tenant does it
(`accounts/jobs.py`), in short transactions of that tenant.

@forgets("events")
async def forget_events(run: JobRun) -> int:
    return await in_parts(run, "events", commands.forget_events)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Final

from backoffice.platform.jobs.run import JobRun
from backoffice.platform.tx import Tx

Forget = Callable[[JobRun], Awaitable[int]]
AT_ONCE: Final = 500  # rows of one transaction, and what hangs on them

_forgets: dict[str, Forget] = {}


def forgets(what: str) -> Callable[[Forget], Forget]:
    """Register what forgets this kind of thing; it returns how many it forgot. Its steps are named after it."""
    assert what not in _forgets, f"{what} are forgotten already"

    def register(forget: Forget) -> Forget:
        _forgets[what] = forget
        return forget

    return register


def forgetful() -> Mapping[str, Forget]:
    """What is forgotten, and by whom."""
    return dict(sorted(_forgets.items()))


async def in_parts(run: JobRun, what: str, command: Callable[[Tx, int], Awaitable[int]]) -> int:
    """`command(tx, most)` deletes at most so many and says how many; again and again, until little is left."""
    gone = 0
    for part in count():
        found: int = await run.step(f"{what}_{part}", command, AT_ONCE)
        gone += found
        if found < AT_ONCE:
            break
    return gone
