"""The running server process: found again through `postmaster.pid`, told apart from zombies and strangers."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Running:
    """A live postmaster of our data directory, as its pid file tells."""

    pid: int
    port: int
    socket_dir: Path


def find_running(data: Path) -> Running | None:
    """The live server of this data directory, or None. Whether the number in the pid file is alive is no answer: it
    may be a zombie that nobody has reaped yet, or another program's by now."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        found = Running(pid=int(lines[0]), port=int(lines[3]), socket_dir=Path(lines[4]))
    except (FileNotFoundError, IndexError, ValueError):
        return None
    return found if is_server_of(found.pid, data) else None


def forget_stale(data: Path, socket_dir: Path) -> None:
    """Delete the pid file and socket lock of a server that is gone, where its number lives on as a zombie or as
    another program: PostgreSQL would take it for itself and refuse. With a number that is free it clears up itself
    (and looks at shared memory meanwhile), so that case is left to it."""
    for lock in (data / "postmaster.pid", *socket_dir.glob(".s.PGSQL.*.lock")):
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except FileNotFoundError:
            continue
        except ValueError:
            lock.unlink(missing_ok=True)
            continue
        if number_in_use(pid) and not is_server_of(pid, data):
            lock.unlink(missing_ok=True)
    # An empty pid file (a full disk, a crash in the moment of writing) is refused by PostgreSQL as well.
    empty = data / "postmaster.pid"
    if empty.exists() and empty.stat().st_size == 0:
        empty.unlink()


def number_in_use(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_server_of(pid: int, data: Path) -> bool:
    """Whether this process is alive, no zombie, and a postgres whose command line names our data directory."""
    state, command = _state_and_command(pid)
    if state in ("", "Z", "X", "x"):
        return False
    for before, argument in itertools.pairwise(command):
        if before == "-D":
            return os.path.realpath(argument) == os.path.realpath(data)
    return False


def is_gone(pid: int) -> bool:
    return _state_and_command(pid)[0] in ("", "Z", "X", "x")


def end(pid: int, *signals: tuple[signal.Signals, float], child: subprocess.Popen[bytes] | None = None) -> bool:
    """Send each signal and wait up to its seconds for the process to go; False if it outlives them all."""
    for number, seconds in signals:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if child is not None and child.poll() is not None:
                return True
            if is_gone(pid):
                return True
            time.sleep(0.01)
    return False


def _state_and_command(pid: int) -> tuple[str, list[str]]:
    """One letter of state ("" when there is no such process) and the arguments."""
    if not PROC.joinpath("self", "stat").exists():
        return _asked_of_ps(pid)
    try:
        stat = PROC.joinpath(str(pid), "stat").read_text(errors="replace")
        command = PROC.joinpath(str(pid), "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return "", []
    # The second field is the program's name in parentheses and may hold anything, also spaces and parentheses.
    state = stat.rpartition(")")[2].split()[0]
    return state, [os.fsdecode(part) for part in command.split(b"\0")[:-1]]


def _asked_of_ps(pid: int) -> tuple[str, list[str]]:
    """The same on systems without /proc."""
    done = subprocess.run(  # noqa: S603 - a number is the only argument
        ["/bin/ps", "-o", "state=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, command = done.stdout.strip().partition(" ")
    return state[:1], command.split()
