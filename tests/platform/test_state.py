"""Secrets and key files of the state directory."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from backoffice.platform.state import StateDirectory, StateRefused


def ask(path: Path) -> str:
    return StateDirectory(path).secret("shared")


def test_a_secret_is_made_once_and_private(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    first = state.secret("pepper")
    assert len(first) == 43
    assert state.secret("pepper") == first
    assert StateDirectory(tmp_path).secret("pepper") == first
    assert state.secret("other") != first
    file = tmp_path / "secrets.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(json.loads(file.read_text())) == {"pepper", "other"}


def test_processes_that_ask_at_once_get_the_same(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert len(set(pool.map(ask, [tmp_path] * 8))) == 1


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    file = state.private_file("keys", lambda: b"first")
    assert state.private_file("keys", lambda: b"second") == file
    assert file.read_bytes() == b"first"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    state.replace_file("keys", lambda content: content + b" and more")
    assert file.read_bytes() == b"first and more"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_failed_change_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    file = state.private_file("keys", lambda: b"first")

    def fails(_: bytes) -> bytes:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        state.replace_file("keys", fails)
    assert file.read_bytes() == b"first"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "keys"]


@pytest.mark.parametrize("name", ["secrets.json", "keys"])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, name: str) -> None:
    state = StateDirectory(tmp_path)
    state.secret("pepper")
    state.private_file("keys", lambda: b"first")
    (tmp_path / name).chmod(0o644)

    def read() -> object:
        return state.secret("pepper") if name == "secrets.json" else state.private_file("keys", lambda: b"")

    with pytest.raises(StateRefused, match=f"chmod 600 .*{name}"):
        read()


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}'])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secrets.json"
    file.touch(0o600)
    file.write_text(text)
    with pytest.raises(StateRefused, match="restore it from a copy, or delete it"):
        StateDirectory(tmp_path).secret("pepper")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateRefused, match="cannot be written to"):
        StateDirectory(tmp_path / "absent").secret("pepper")
