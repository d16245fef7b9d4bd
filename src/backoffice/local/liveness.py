"""How a process tells others whether it works: every few seconds it writes down when each of its loops came round
(`platform/pulse`), in a file of its own. `backoffice health` reads it, for containers, and so does the supervisor of
`backoffice up`, which ends a process whose loops stand still. The api is asked over HTTP besides."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from backoffice.platform import pulse
from backoffice.platform.postgres.process import is_gone
from backoffice.platform.pulse import Beat

WRITE_SECONDS = 2.0


class Told(msgspec.Struct):
    """What a process wrote, and when."""

    at: float  # time.monotonic, which all processes of a machine share
    beats: dict[str, Beat]


def beat_file(state: Path, process: str, pid: int | None = None) -> Path:
    """The file of one process of this machine."""
    return state / "run" / f"{process}.{socket.gethostname()}.{os.getpid() if pid is None else pid}"


@contextmanager
def telling(state: Path, process: str) -> Iterator[None]:
    """Write it down, from a thread, for the life of the block; what cannot be written now (a full disk) is written
    later."""
    file = beat_file(state, process)
    ended = threading.Event()

    def tell() -> None:
        with contextlib.suppress(OSError):
            file.parent.mkdir(mode=0o700, exist_ok=True)
            _sweep(state, process)
        while True:
            with contextlib.suppress(OSError):
                _write(file, Told(time.monotonic(), pulse.beats()))
            if ended.wait(WRITE_SECONDS):
                return

    thread = threading.Thread(target=tell, name="liveness", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def alive(state: Path, process: str) -> list[int]:
    """The pids of the processes of this kind that run on this machine."""
    return sorted(_living(state, process))


def health(state: Path, process: str) -> tuple[bool, str]:
    """Whether all living processes of this kind on this machine are well, and a sentence about it."""
    now = time.monotonic()
    found = [each for each in _living(state, process).values() if each is not None]
    if not found:
        return False, f"no {process} runs here"
    for each in found:
        if not each.beats:
            return False, "it is starting"
        if now - each.at > pulse.LATE_SECONDS:
            return False, f"its last sign of life is {now - each.at:.0f} s old"
        if late := pulse.late(each.beats, now):
            return False, f"not working: {', '.join(late)}; {pulse.sentence(each.beats, now)}"
    return True, f"ok; {pulse.sentence(found[0].beats, now)}"


def hung(state: Path, process: str, pid: int) -> bool:
    """Whether this process stands still. False for one that has told nothing yet, and where nothing can be written down
    at present: it may turn and be unable to say so."""
    now = time.monotonic()
    found = _read(beat_file(state, process, pid))
    if found is None or not (now - found.at > pulse.HUNG_SECONDS or pulse.hung(found.beats, now)):
        return False
    probe = beat_file(state, "probe")
    try:
        _write(probe, found)
        probe.unlink()
    except OSError:
        return False
    return True


def _living(state: Path, process: str) -> dict[int, Told | None]:
    found = {}
    for file in (state / "run").glob(f"{process}.{socket.gethostname()}.*"):
        pid = file.suffix.removeprefix(".")
        if pid.isdigit() and not is_gone(int(pid)):
            found[int(pid)] = _read(file)
    return found


def _read(file: Path) -> Told | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Told)
    except (OSError, msgspec.DecodeError):
        return None


def _write(file: Path, told: Told) -> None:
    half = file.with_name(f".{file.name}")
    try:
        half.write_bytes(msgspec.json.encode(told))
        half.replace(file)
    except OSError:
        half.unlink(missing_ok=True)
        raise


def _sweep(state: Path, process: str) -> None:
    """Files of processes that were killed."""
    living = _living(state, process)
    for file in (state / "run").glob(f"*{process}.{socket.gethostname()}.*"):
        pid = file.suffix.removeprefix(".")
        if pid.isdigit() and int(pid) not in living and int(pid) != os.getpid():
            file.unlink(missing_ok=True)
