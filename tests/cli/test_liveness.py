"""`backoffice health`: whether a process works, not only whether it lives."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from backoffice.cli import main
from backoffice.local.liveness import Told, beat_file, hung, telling
from backoffice.local.processes import free_port
from backoffice.platform import pulse
from backoffice.platform.pulse import HUNG_SECONDS, LATE_SECONDS, Beat


@pytest.fixture(autouse=True)
def loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "_beats", {})


def health(process: str, state: Path, **env: str) -> tuple[int, str]:
    told = CliRunner().invoke(main, ["health", process], env={"BACKOFFICE_STATE": str(state), **env})
    return told.exit_code, told.output


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def tell(state: Path, process: str, *, pid: int | None = None, at: float = 0.0, **beats: tuple[float, float]) -> None:
    """As a process wrote it `at` seconds ago; its loops turned and worked so many seconds before that."""
    now = time.monotonic() - at
    told = Told(now, {loop: Beat(now - turned, now - worked) for loop, (turned, worked) in beats.items()})
    file = beat_file(state, process, pid)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(msgspec.json.encode(told))


def test_a_process_tells_of_its_loops_while_it_runs(tmp_path: Path) -> None:
    assert health("worker", tmp_path) == (1, "no worker runs here\n")
    pulse.expect("broker")
    with telling(tmp_path, "worker"):
        until(beat_file(tmp_path, "worker").exists)
        status, told = health("worker", tmp_path)
        assert (status, told.startswith("ok; last worked: broker 0.")) == (0, True)
        assert health("courier", tmp_path)[0] == 1
    assert health("worker", tmp_path) == (1, "no worker runs here\n")


def test_a_loop_that_does_not_work_is_named(tmp_path: Path) -> None:
    tell(tmp_path, "worker", broker=(0, LATE_SECONDS + 11), database=(0, 1))
    assert health("worker", tmp_path) == (
        1, "not working: broker; last worked: broker 31.0 s ago, database 1.0 s ago\n",
    )  # fmt: skip
    assert not hung(tmp_path, "worker", os.getpid())  # it turns, so a start would not help


def test_a_process_that_has_stopped_telling_is_not_well(tmp_path: Path) -> None:
    tell(tmp_path, "worker", at=LATE_SECONDS + 1, broker=(0, 0))
    assert health("worker", tmp_path) == (1, "its last sign of life is 21 s old\n")


def test_a_process_that_stands_still_is_hung(tmp_path: Path) -> None:
    tell(tmp_path, "worker", broker=(0, 0), database=(HUNG_SECONDS - 1, HUNG_SECONDS - 1))
    assert not hung(tmp_path, "worker", os.getpid())
    tell(tmp_path, "worker", broker=(0, 0), database=(HUNG_SECONDS + 1, HUNG_SECONDS + 1))
    assert hung(tmp_path, "worker", os.getpid())  # one of two threads is enough
    tell(tmp_path, "worker", at=HUNG_SECONDS + 1, broker=(0, 0))
    assert hung(tmp_path, "worker", os.getpid())
    assert not hung(tmp_path, "worker", 1)  # has told nothing


def test_what_cannot_be_written_down_is_held_against_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: processes that turn must not be ended for their silence, and speak again when there is room."""
    tell(tmp_path, "worker", at=HUNG_SECONDS + 1, broker=(0, 0))
    full = True
    write = Path.write_bytes

    def write_bytes(path: Path, data: bytes) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    monkeypatch.setattr("backoffice.local.liveness.WRITE_SECONDS", 0.02)
    assert not hung(tmp_path, "worker", os.getpid())
    pulse.expect("broker")
    with telling(tmp_path, "worker"):
        time.sleep(0.1)
        assert health("worker", tmp_path)[0] == 1
        full = False
        until(lambda: health("worker", tmp_path)[0] == 0)
    assert list((tmp_path / "run").iterdir()) == []


def test_a_process_is_not_well_before_its_loops_turn(tmp_path: Path) -> None:
    with telling(tmp_path, "worker"):
        until(beat_file(tmp_path, "worker").exists)
        assert health("worker", tmp_path) == (1, "it is starting\n")


def test_one_of_two_that_does_not_work_is_enough(tmp_path: Path) -> None:
    tell(tmp_path, "worker", broker=(0, 0))
    tell(tmp_path, "worker", pid=os.getppid(), broker=(0, LATE_SECONDS + 1))
    assert health("worker", tmp_path)[0] == 1


def test_what_a_killed_process_told_counts_for_nothing_and_is_swept(tmp_path: Path) -> None:
    gone = 4_194_305  # above the largest that Linux gives
    tell(tmp_path, "worker", pid=gone, broker=(0, LATE_SECONDS + 1))
    assert health("worker", tmp_path) == (1, "no worker runs here\n")
    tell(tmp_path, "worker", broker=(0, 0))
    assert health("worker", tmp_path)[0] == 0
    with telling(tmp_path, "worker"):
        until(lambda: not beat_file(tmp_path, "worker", gone).exists())


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    tell(tmp_path, "worker")
    beat_file(tmp_path, "worker").write_bytes(b"{")
    assert health("worker", tmp_path) == (1, "no worker runs here\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_directory_that_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with telling(tmp_path, "worker"):
        assert health("worker", tmp_path)[0] == 1


def test_the_api_is_asked_over_http(tmp_path: Path) -> None:
    status, told = health("api", tmp_path, BACKOFFICE_PORT=str(free_port()))
    assert status == 1
    assert "does not answer" in told
