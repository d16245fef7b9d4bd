"""Runs the product's processes as children: starts them, starts them again when they die, stops them together.

One operating system process per unit and number (dramatiq's own command line would stop them all when one dies). The
children write their log lines to our standard output and error themselves; nothing is read or prefixed here."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Self

TETHER = Path(__file__).with_name("tether.py")

GRACE_SECONDS = 8.0
KILL_SECONDS = 1.5  # after the grace; together less than the 10 s in which Ctrl-C has to be done
BACKOFF_SECONDS = (0.05, 0.2, 1.0, 2.0, 5.0, 10.0)
STEADY_SECONDS = 30.0  # a child that has lived this long starts its backoff anew
POLL_SECONDS = 0.05
LOOK_SECONDS = 5.0
LOOKS = 3  # in a row: a machine that wakes from sleep finds everything late once
REFUSED = 2  # a child's exit status: "I cannot run as I am set up" (a taken port, a bad setting); again would not help

OnDeath = Callable[[str, int], None]
Resting = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Unit:
    """A kind of process: its command, what it adds to our environment, and how many of it run. The children of a unit
    find their number (0, 1, …) in BACKOFFICE_UNIT_NUMBER. `hung(pid)` says whether one of them stands still."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    count: int = 1
    hung: Callable[[int], bool] | None = None


@dataclass(slots=True)
class _Child:
    unit: Unit
    number: int
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    start_at: float = 0.0
    look_at: float = 0.0
    found_hung: int = 0  # looks in a row


class Supervisor:
    """Keeps `units` running. `run()` blocks until a signal; `start()` and `stop()` are for the demo and tests.

    A child that dies is started again, after a wait that grows; one that exits with status 2 within its first 30 s has
    told what is wrong, and everything is stopped; one that hangs is killed. `on_death(unit, pid)` is called, from the
    supervising thread, when a child has ended that was not told to; its exceptions are reported to standard error and
    stop nothing. While `resting(unit)` its children are not started again. Children die with this process, also by
    SIGKILL (Linux; elsewhere they are only stopped in order)."""

    def __init__(
        self,
        units: Sequence[Unit],
        on_death: OnDeath | None = None,
        *,
        grace: float = GRACE_SECONDS,
        resting: Resting | None = None,
    ) -> None:
        names = [unit.name for unit in units]
        if len(set(names)) != len(names):
            raise ValueError("two units have the same name")
        self._children = [_Child(unit, number) for unit in units for number in range(unit.count)]
        self._on_death = on_death
        self._resting = resting
        self._grace = grace
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._hurry = False
        self._refused = False
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    def run(self) -> int:
        """Run until SIGTERM, SIGINT or a hang-up, then stop everything; 0 when all children went in time, 1 when one
        had to be killed, 2 when one refused to run. A second signal kills the children and exits at once with 128 +
        its number. From the main thread."""
        signals = 0

        def on_signal(number: int, _: FrameType | None) -> None:
            nonlocal signals
            signals += 1
            if signals > 1:
                self._kill_all()
                os._exit(128 + number)
            self._stopping = True
            self._wake.set()

        listen = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup it stays ignored
            listen.append(signal.SIGHUP)
        kept = {number: signal.signal(number, on_signal) for number in listen}
        try:
            self.start()
            while self._thread is not None and self._thread.is_alive():
                self._thread.join(0.2)  # in short waits, so that the handler above runs
            return self._outcome()
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

    def start(self) -> None:
        """Start all units and return when every process has been started once. Raises what starting raised."""
        if self._thread is not None:
            raise RuntimeError("a supervisor is started once")
        # The children's death is tied to the thread that starts them, so one thread starts them all and lives as long.
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> int:
        """SIGTERM to all, a grace of 8 s, then SIGKILL; returns like `run`. Can be repeated."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        return self._outcome()

    def pids(self, name: str) -> list[int]:
        """The living processes of a unit, by number. KeyError for a unit that is not there."""
        if name not in {child.unit.name for child in self._children}:
            raise KeyError(name)
        with self._lock:
            return [process.pid for child, process in self._alive() if child.unit.name == name]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _outcome(self) -> int:
        if self._failure is not None:
            raise self._failure
        return REFUSED if self._refused else int(self._hurry)

    def _supervise(self) -> None:
        try:
            for child in self._children:
                if not self._stopping:
                    self._spawn(child)
            self._ready.set()
            while not self._stopping:
                self._reap()
                self._wake.wait(POLL_SECONDS)
        except BaseException as error:
            self._failure = error
        finally:
            self._stop_all()
            self._ready.set()

    def _spawn(self, child: _Child) -> None:
        unit = child.unit
        process = subprocess.Popen(  # noqa: S603 - argv is a list made by the composition roots, no shell
            [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), *unit.argv],
            env={**os.environ, **unit.env, "BACKOFFICE_UNIT_NUMBER": str(child.number)},
            stdin=subprocess.DEVNULL,
            # A group of its own: Ctrl-C reaches us alone, and we tell the children in order.
            process_group=0,
        )
        with self._lock:
            child.process = process
            child.started_at = time.monotonic()

    def _reap(self) -> None:
        """Notice the dead, tell the hook, and start again what is due."""
        now = time.monotonic()
        for child in self._children:
            process = child.process
            if process is not None and process.poll() is not None:
                with self._lock:
                    child.process = None
                steady = now - child.started_at > STEADY_SECONDS
                if process.returncode == REFUSED and not steady:
                    self._refused = self._stopping = True
                child.deaths = 1 if steady else child.deaths + 1
                child.start_at = now + BACKOFF_SECONDS[min(child.deaths, len(BACKOFF_SECONDS)) - 1]
                self._report(child, process)
            rests = self._resting is not None and self._resting(child.unit.name)
            if child.process is None and now >= child.start_at and not self._stopping and not rests:
                self._spawn(child)
            elif child.process is not None and child.unit.hung is not None and now >= child.look_at:
                child.look_at = now + LOOK_SECONDS
                self._look(child, child.process, child.unit.hung)

    def _look(self, child: _Child, process: subprocess.Popen[bytes], hung: Callable[[int], bool]) -> None:
        child.found_hung = child.found_hung + 1 if hung(process.pid) else 0
        if child.found_hung >= LOOKS:
            child.found_hung = 0
            sys.stderr.write(f"{child.unit.name} ({process.pid}) stands still; it is ended and started again\n")
            _kill(process)

    def _report(self, child: _Child, process: subprocess.Popen[bytes]) -> None:
        if self._on_death is None:
            return
        try:
            self._on_death(child.unit.name, process.pid)
        except Exception as error:  # the hook is a courtesy: leases run out by themselves
            sys.stderr.write(f"after the death of {child.unit.name} ({process.pid}): {type(error).__name__}: {error}\n")

    def _stop_all(self) -> None:
        with self._lock:
            going = [process for _, process in self._alive()]
        for process in going:
            process.send_signal(signal.SIGTERM)
        if not _wait_for(going, self._grace):
            self._hurry = True
            self._kill_all()
            _wait_for(going, KILL_SECONDS)

    def _kill_all(self) -> None:
        """SIGKILL to every child and whatever it has started in its group. Called from a signal handler too, so it
        takes no lock."""
        for _, process in self._alive():
            _kill(process)

    def _alive(self) -> Iterator[tuple[_Child, subprocess.Popen[bytes]]]:
        for child in self._children:
            process = child.process
            if process is not None and process.poll() is None:
                yield child, process


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With whatever it has started in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _wait_for(processes: Sequence[subprocess.Popen[bytes]], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while any(process.poll() is None for process in processes):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
