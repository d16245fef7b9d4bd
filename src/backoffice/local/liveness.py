"""How a process tells that it is alive: it touches a file every few seconds, and `backoffice health` looks how old that
is. For containers, where nobody else can see the process; the api is asked over HTTP instead."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BEAT_SECONDS = 2.0
LATE_SECONDS = 15.0


def beat_file(state: Path, process: str, pid: int | None = None) -> Path:
    """The file of one process of this machine."""
    return state / "run" / f"{process}.{socket.gethostname()}.{os.getpid() if pid is None else pid}"


@contextmanager
def beating(state: Path, process: str) -> Iterator[None]:
    """Beat, from a thread, for the life of the block. A state directory that cannot be written to means no beat."""
    file = beat_file(state, process)
    ended = threading.Event()

    def beat() -> None:
        with contextlib.suppress(OSError):
            file.parent.mkdir(mode=0o700, exist_ok=True)
            _sweep(file)
            while True:
                file.touch()
                if ended.wait(BEAT_SECONDS):
                    return

    thread = threading.Thread(target=beat, name="liveness", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def alive(state: Path, process: str) -> list[int]:
    """The pids of the processes of this kind that beat on this machine."""
    found = []
    for file in sorted((state / "run").glob(f"{process}.{socket.gethostname()}.*")):
        with contextlib.suppress(FileNotFoundError, ValueError):
            if time.time() - file.stat().st_mtime < LATE_SECONDS:
                found.append(int(file.suffix.removeprefix(".")))
    return found


def last_beat(state: Path, process: str) -> float | None:
    """Seconds since the newest beat of a process of this kind on this machine; None when there is none."""
    ages = []
    for file in (state / "run").glob(f"{process}.{socket.gethostname()}.*"):
        with contextlib.suppress(FileNotFoundError):
            ages.append(time.time() - file.stat().st_mtime)
    return min(ages) if ages else None


def _sweep(mine: Path) -> None:
    """Files of processes that were killed."""
    for file in mine.parent.glob(f"{mine.name.rpartition('.')[0]}.*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > LATE_SECONDS:
                file.unlink()
