"""The locks: versions and hashes, no addresses, and what pyproject.toml asks for."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-uv.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def entries(lock: str) -> dict[str, set[str]]:
    """Name → versions (one per marker)."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def names(requirements: list[str]) -> set[str]:
    return {
        re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower().replace("_", "-") for requirement in requirements
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_lines_are_versions_and_hashes(lock: str) -> None:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    line_kinds = re.compile(r"#.*|[a-z0-9._-]+==\S+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not line_kinds.fullmatch(line)] == []
    for before, after in itertools.pairwise(lines):
        if "==" in before:
            assert after.startswith("    --hash="), f"{before} has no hash"


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address_and_no_path(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert not any("/" in comment for comment in comments)


def test_locks_hold_what_the_project_asks_for() -> None:
    runtime, dev = entries("requirements.lock"), entries("requirements-dev.lock")
    assert names(PROJECT["dependencies"]) - set(runtime) == set()
    assert names(PROJECT["optional-dependencies"]["dev"]) - set(dev) == set()


def test_tests_run_on_the_versions_that_are_shipped() -> None:
    runtime, dev = entries("requirements.lock"), entries("requirements-dev.lock")
    assert {name: dev.get(name) for name in runtime} == runtime
