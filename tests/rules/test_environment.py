"""The two commands on a fresh machine: the Makefile's targets and how the environment is made (without a network)."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """infra/environment.py, working in an empty project whose command says what it was given."""
    spec = importlib.util.spec_from_file_location("environment", ROOT / "infra" / "environment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    project = tmp_path / "a project, with a space"
    package = project / "src" / "backoffice"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "cli.py").write_text("import sys\ndef main():\n    print(*sys.argv[1:])\n    return 3\n")
    monkeypatch.setattr(module, "ROOT", project)
    monkeypatch.setattr(module, "VENV", project / ".venv")
    monkeypatch.setattr(module, "PYTHON", project / ".venv" / "bin" / "python")
    return module


def test_help_lists_every_target() -> None:
    targets = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split()
    assert {"install", "demo", "test", "check", "up", "bench", "chaos", "lock", "openapi", "clean"} <= set(targets)
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.findall(r"^  make (\S+) +\S", listed.stdout, re.MULTILINE) == targets


def test_the_command_runs_from_the_source_and_survives_a_move(environment: ModuleType) -> None:
    environment.make_environment()
    environment.link_project()
    moved = environment.ROOT.with_name("moved")
    environment.ROOT.rename(moved)
    elsewhere = moved.parent / "link"
    elsewhere.symlink_to(moved / ".venv" / "bin" / "backoffice")
    done = subprocess.run([elsewhere, "payroll", "two words"], capture_output=True, text=True, check=False)
    assert done.stdout == "payroll two words\n"
    assert done.returncode == 3


def test_an_environment_that_runs_is_kept_and_a_broken_one_is_made_again(environment: ModuleType) -> None:
    environment.make_environment()
    mark = environment.VENV / "mark"
    mark.touch()
    environment.make_environment()
    assert mark.exists()
    environment.PYTHON.unlink()
    environment.PYTHON.symlink_to("/nowhere/python3")
    environment.make_environment()
    assert not mark.exists()
    assert environment.run([environment.PYTHON, "-c", ""])


def test_packages_are_fetched_by_the_systems_certificates_too(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a company's proxy, where pip works and a program with certificates of its own would not."""
    monkeypatch.setattr(environment.os, "environ", {"PATH": "/usr/bin:/bin"})
    environment.make_environment()
    uv, said = environment.VENV / "bin" / "uv", environment.ROOT / "said"
    uv.write_text(f'#!/bin/sh\necho "$UV_SYSTEM_CERTS $*" >> "{said}"\n')
    uv.chmod(0o755)
    monkeypatch.setattr(
        environment.subprocess, "run", partial(subprocess.run, env=environment.os.environ)
    )  # as a child of a process with just that environment
    environment.install(Path("requirements.lock"))
    [_, asked] = said.read_text().splitlines()
    assert asked.startswith("true pip install")
    assert "--require-hashes --requirement requirements.lock" in asked


def test_an_old_python_is_told(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit, match=r"This is Python 3\.9\.2, and backoffice needs 3\.11 or newer"):
        environment.main(Path("requirements.lock"))


def test_ci_checks_then_tests_demands_what_some_tests_need_and_plays_ten_thousand_schedules() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert lines[-2:] == ["make check", "make test"]
    assert "export BACKOFFICE_TEST_REQUIRE=rabbitmq,node" in lines[:-2]
    assert [line for line in lines[:-2] if line.startswith("npm --prefix examples/front_office_ts ci ")]
    assert any(line.startswith("export BACKOFFICE_SCHEDULES=10000 ") for line in lines[:-2])
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
