"""`backoffice health`: a process that lives beats, one that ended or hangs does not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from backoffice.cli import main
from backoffice.local.liveness import LATE_SECONDS, beat_file, beating, last_beat
from backoffice.local.processes import free_port


def health(process: str, state: Path, **env: str) -> tuple[int, str]:
    told = CliRunner().invoke(main, ["health", process], env={"BACKOFFICE_STATE": str(state), **env})
    return told.exit_code, told.output


def test_a_process_beats_while_it_runs(tmp_path: Path) -> None:
    assert last_beat(tmp_path, "worker") is None
    with beating(tmp_path, "worker"):
        until = time.monotonic() + 5
        while last_beat(tmp_path, "worker") is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert health("worker", tmp_path)[0] == 0
        assert health("courier", tmp_path)[0] == 1
    assert last_beat(tmp_path, "worker") is None
    assert health("worker", tmp_path) == (1, "no worker runs here\n")


def test_a_late_beat_is_no_health_and_is_swept(tmp_path: Path) -> None:
    with beating(tmp_path, "worker"):
        pass
    killed = beat_file(tmp_path, "worker", pid=1)
    killed.touch()
    long_ago = time.time() - 3 * LATE_SECONDS
    os.utime(killed, (long_ago, long_ago))
    status, told = health("worker", tmp_path)
    assert status == 1
    assert "sign of life" in told
    with beating(tmp_path, "worker"):
        until = time.monotonic() + 5
        while killed.exists():
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_directory_that_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with beating(tmp_path, "worker"):
        assert last_beat(tmp_path, "worker") is None


def test_the_api_is_asked_over_http(tmp_path: Path) -> None:
    status, told = health("api", tmp_path, BACKOFFICE_PORT=str(free_port()))
    assert status == 1
    assert "does not answer" in told
