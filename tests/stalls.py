"""When this process stood still, and whether the machine gave it no time or Python did not let go (a long collection, a
call that blocks with the lock held). A failed test is told so; one that is marked `moment` is measured once more, if it
was the machine. Its bounds stay what they are, and a second failure stands."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from _pytest.runner import runtestprotocol

_BEAT = 0.05
LONG = 0.25


class Stall(NamedTuple):
    """Of the process, in seconds: when it ended, how long it was, and what of it the process had a CPU."""

    ended: float
    stood: float
    on_cpu: float

    @property
    def is_the_machines(self) -> bool:
        return self.on_cpu < self.stood / 2


seen: deque[Stall] = deque(maxlen=1000)


def watch() -> None:
    """From now until the process ends."""
    threading.Thread(target=_beat, name="stalls", daemon=True).start()


def _beat() -> None:
    while True:
        began, used = time.monotonic(), time.process_time()
        time.sleep(_BEAT)
        stood = time.monotonic() - began - _BEAT
        if stood > LONG:
            seen.append(Stall(time.monotonic(), stood, time.process_time() - used))


def _since(began: float) -> list[Stall]:
    return [stall for stall in list(seen) if stall.ended > began]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Iterator[None]:
    until = time.monotonic()
    report = yield
    stalls = _since(until - call.duration) if call.excinfo is not None else []
    if stalls:
        lines = [
            f"{until - each.ended:7.2f} s before the end: for {each.stood:.2f} s, {each.on_cpu:.2f} s of it on a CPU"
            for each in stalls
        ]
        report.sections.append(("the process stood still", "\n".join(lines)))
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if item.get_closest_marker("moment") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    began = time.monotonic()
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    if any(report.failed for report in reports) and any(stall.is_the_machines for stall in _since(began)):
        item._initrequest()  # type: ignore[attr-defined]
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
