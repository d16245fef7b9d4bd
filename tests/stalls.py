"""When this process stood still, told beside a test that failed meanwhile: whether the machine gave it no time, or
Python did not let go (a long collection, a call that blocks with the lock held)."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator

import pytest

_BEAT = 0.05
_LONG = 0.25
_seen: deque[tuple[float, float, float]] = deque(maxlen=1000)  # (when it ended, how long it was, of it on the CPU)


def watch() -> None:
    """From now until the process ends."""
    threading.Thread(target=_beat, name="stalls", daemon=True).start()


def _beat() -> None:
    while True:
        began, used = time.monotonic(), time.process_time()
        time.sleep(_BEAT)
        stood = time.monotonic() - began - _BEAT
        if stood > _LONG:
            _seen.append((time.monotonic(), stood, time.process_time() - used))


@pytest.hookimpl(wrapper=True)
def beside_failures(call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if call.excinfo is not None:
        until = time.monotonic()
        lines = [
            f"{until - ended:7.2f} s before the end: for {stood:.2f} s, {used:.2f} s of them on the CPU"
            for ended, stood, used in list(_seen)
            if ended > until - call.duration
        ]
        if lines:
            report.sections.append(("the process stood still", "\n".join(lines)))
    return report
