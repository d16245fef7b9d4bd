"""The supervisor with real child processes."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backoffice.platform.supervisor import Supervisor, Unit

pytestmark = pytest.mark.kills

SLEEPS = "import time; time.sleep(60)"
DRAINS = """
import pathlib, signal, sys, time
def drain(*_):
    time.sleep(0.2)
    pathlib.Path(sys.argv[1]).write_text("drained")
    sys.exit(0)
signal.signal(signal.SIGTERM, drain)
pathlib.Path(sys.argv[1]).write_text("running")
time.sleep(60)
"""
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text("running")
time.sleep(60)
"""
SUPERVISES = """
import pathlib, sys
from backoffice.platform.supervisor import Supervisor, Unit
units = [Unit("child", [sys.executable, "-c", sys.argv[2], sys.argv[3]], count=2)]
supervisor = Supervisor(units, grace=float(sys.argv[4]))
pathlib.Path(sys.argv[1]).write_text("starting")
sys.exit(supervisor.run())
"""


def python(code: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def holds(file: Path, text: str) -> bool:
    return file.exists() and file.read_text() == text


def children_of(pid: int) -> list[int]:
    """Read from /proc, so that grandchildren of the test can be watched too."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


def test_units_run_in_their_numbers_and_environment(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys, time\n"
        "number = os.environ['BACKOFFICE_UNIT_NUMBER']\n"
        "pathlib.Path(sys.argv[1], number).write_text(os.environ['COLOUR'])\n"
        "time.sleep(60)"
    )
    with Supervisor([Unit("worker", python(code, tmp_path), {"COLOUR": "green"}, count=3)]) as supervisor:
        until(lambda: len(list(tmp_path.iterdir())) == 3)
        pids = supervisor.pids("worker")
        assert len(set(pids)) == 3
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0", "1", "2"]
    assert all(gone(pid) for pid in pids)


def test_a_killed_child_is_reported_once_and_replaced() -> None:
    deaths: list[tuple[str, int]] = []
    units = [Unit("worker", python(SLEEPS), count=2), Unit("api", python(SLEEPS))]
    with Supervisor(units, on_death=lambda unit, pid: deaths.append((unit, pid))) as supervisor:
        first, second = supervisor.pids("worker")
        api = supervisor.pids("api")
        os.kill(first, signal.SIGKILL)
        until(lambda: len(supervisor.pids("worker")) == 2 and first not in supervisor.pids("worker"))
        assert second in supervisor.pids("worker")
        assert supervisor.pids("api") == api
    assert deaths == [("worker", first)]  # those that were stopped in order are not reported


def test_a_child_that_keeps_dying_is_started_ever_more_slowly(tmp_path: Path) -> None:
    code = "import pathlib, sys, time; open(sys.argv[1], 'a').write(f'{time.monotonic()}\\n'); sys.exit(1)"
    file = tmp_path / "starts"
    with Supervisor([Unit("broken", python(code, file))]):
        until(lambda: file.exists() and len(file.read_text().splitlines()) >= 4)
    starts = [float(line) for line in file.read_text().splitlines()]
    waits = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert waits[1] >= 0.2
    assert waits[2] >= 1.0


def test_a_hook_that_fails_stops_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    def fails(unit: str, pid: int) -> None:
        raise OSError("the database is away")

    with Supervisor([Unit("worker", python(SLEEPS))], on_death=fails) as supervisor:
        (first,) = supervisor.pids("worker")
        os.kill(first, signal.SIGKILL)
        until(lambda: supervisor.pids("worker") not in ([], [first]))
    assert f"after the death of worker ({first}): OSError: the database is away" in capfd.readouterr().err


def test_stop_lets_children_drain(tmp_path: Path) -> None:
    file = tmp_path / "said"
    supervisor = Supervisor([Unit("worker", python(DRAINS, file))])
    supervisor.start()
    until(lambda: holds(file, "running"))
    assert supervisor.stop() == 0
    assert file.read_text() == "drained"
    assert supervisor.pids("worker") == []
    assert supervisor.stop() == 0


@pytest.mark.moment
def test_stop_kills_who_does_not_go_in_time_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "said"
    supervisor = Supervisor([Unit("worker", python(STUBBORN, file))], grace=0.3)
    supervisor.start()
    until(lambda: holds(file, "running"))
    (pid,) = supervisor.pids("worker")
    begin = time.monotonic()
    assert supervisor.stop() == 1
    assert time.monotonic() - begin < 2.0
    assert gone(pid)


def test_a_child_that_stands_still_is_killed_and_replaced(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """After three looks in a row: once late is nothing."""
    monkeypatch.setattr("backoffice.platform.supervisor.LOOK_SECONDS", 0.05)
    looks: list[int] = []
    answers = itertools.chain([True, True, False, True, True, True], itertools.repeat(False))

    def hung(pid: int) -> bool:
        looks.append(pid)
        return next(answers)

    deaths: list[int] = []
    unit = Unit("child", python(SLEEPS), hung=hung)
    with Supervisor([unit], lambda _, pid: deaths.append(pid)) as supervisor:
        [first] = supervisor.pids("child")
        until(lambda: len(looks) >= 8)
        [second] = supervisor.pids("child")
    assert looks[:6] == [first] * 6
    assert deaths[0] == first != second
    assert capfd.readouterr().err == f"child ({first}) stands still; it is ended and started again\n"


def test_a_child_that_refuses_to_run_stops_everything() -> None:
    units = [Unit("api", python("import sys; sys.exit(2)")), Unit("worker", python(SLEEPS))]
    supervisor = Supervisor(units)
    supervisor.start()
    until(lambda: supervisor.pids("worker") == [])
    assert supervisor.stop() == 2


def test_a_program_that_is_not_there_is_a_sentence_and_a_refusal(capfd: pytest.CaptureFixture[str]) -> None:
    supervisor = Supervisor([Unit("api", ["/nowhere/backoffice", "api"])])
    supervisor.start()
    until(lambda: supervisor.pids("api") == [])
    until(lambda: supervisor._thread is not None and not supervisor._thread.is_alive())
    assert supervisor.stop() == 2
    assert "/nowhere/backoffice cannot be run: No such file or directory" in capfd.readouterr().err


def test_unknown_and_doubled_units_are_errors() -> None:
    with pytest.raises(ValueError, match="same name"):
        Supervisor([Unit("api", ["a"]), Unit("api", ["b"])])
    with pytest.raises(KeyError):
        Supervisor([]).pids("api")


class Outer:
    """A supervisor in a process of its own, as `backoffice up` is, with two children that run `code`."""

    def __init__(self, folder: Path, code: str, grace: float = 8.0) -> None:
        self.said = folder / "said"
        argv = python(SUPERVISES, folder / "outer", code, self.said, str(grace))
        self.process = subprocess.Popen(argv, start_new_session=True)
        until(lambda: holds(self.said, "running"))
        until(lambda: len(children_of(self.process.pid)) == 2)
        self.children = children_of(self.process.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_drains_and_ends_with_0(tmp_path: Path, number: signal.Signals) -> None:
    outer = Outer(tmp_path, DRAINS)
    outer.process.send_signal(number)
    assert outer.process.wait(10) == 0
    assert outer.said.read_text() == "drained"
    assert all(gone(pid) for pid in outer.children)


def test_ctrl_c_at_the_terminal_reaches_the_supervisor_alone(tmp_path: Path) -> None:
    """The terminal signals the whole foreground group; children that got it too would die undrained (SIGINT's default
    raises KeyboardInterrupt in them)."""
    outer = Outer(tmp_path, DRAINS)
    os.killpg(outer.process.pid, signal.SIGINT)
    assert outer.process.wait(10) == 0
    assert outer.said.read_text() == "drained"


@pytest.mark.moment
def test_a_second_signal_exits_now(tmp_path: Path) -> None:
    outer = Outer(tmp_path, STUBBORN)
    outer.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    begin = time.monotonic()
    outer.process.send_signal(signal.SIGINT)
    assert outer.process.wait(5) == 128 + signal.SIGINT
    assert time.monotonic() - begin < 2.0
    until(lambda: all(gone(pid) for pid in outer.children))


@pytest.mark.skipif(sys.platform != "linux", reason="children outlive a killed parent on this system")
def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    outer = Outer(tmp_path, STUBBORN)
    outer.process.kill()
    outer.process.wait()
    until(lambda: all(gone(pid) for pid in outer.children), seconds=3)


def test_a_unit_that_rests_is_not_started_again(tmp_path: Path) -> None:
    resting = tmp_path / "resting"
    units = [Unit("worker", python(SLEEPS)), Unit("other", python(SLEEPS))]
    with Supervisor(units, grace=2, resting=lambda unit: unit == "worker" and resting.exists()) as supervisor:
        [worker], [other] = supervisor.pids("worker"), supervisor.pids("other")
        resting.touch()
        for pid in (worker, other):
            os.kill(pid, signal.SIGTERM)
        until(lambda: supervisor.pids("other") not in ([], [other]))
        time.sleep(0.5)
        assert supervisor.pids("worker") == []
        resting.unlink()
        until(lambda: supervisor.pids("worker") != [])
