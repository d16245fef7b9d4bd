"""What cannot be tried ends with status 2 and one sentence; what is refused with status 1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.world import ROOT

from backoffice.cli import main
from backoffice.local.place import open_place
from backoffice.local.processes import free_port, must_be_free
from backoffice.platform.settings import SettingsRefused


def invoke(*arguments: str, **env: str) -> Result:
    kept: dict[str, str | None] = {name: None for name in os.environ if name.startswith("BACKOFFICE_")}
    return CliRunner().invoke(main, list(arguments), env={**kept, **env})


def one_sentence(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("backoffice: "), result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.mark.parametrize("process", ["api", "worker", "dispatcher", "courier"])
def test_a_process_without_settings(process: str) -> None:
    told = one_sentence(invoke(process))
    assert "BACKOFFICE_DATABASE_URL is not set" in told
    assert "BACKOFFICE_PEPPER is not set" in told


@pytest.mark.parametrize("process", ["api", "worker", "dispatcher", "courier"])
def test_a_process_without_a_database(process: str, tmp_path: Path) -> None:
    told = one_sentence(
        invoke(
            process,
            BACKOFFICE_DATABASE_URL="postgresql://127.0.0.1:1/backoffice",
            BACKOFFICE_STATE=str(tmp_path),
            BACKOFFICE_PEPPER="x",
            BACKOFFICE_STORAGE_URL=str(tmp_path / "objects"),
            BACKOFFICE_PASSWORD_BO_APP="x",
            BACKOFFICE_PASSWORD_BO_DISPATCH="x",
            BACKOFFICE_PASSWORD_BO_QUEUE="x",
            BACKOFFICE_PORT=str(free_port()),
        )
    )
    assert "cannot be reached" in told


def test_a_child_without_a_database_is_to_be_started_again(tmp_path: Path) -> None:
    """Status 2 would make its supervisor give up, and stop everything else."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("BACKOFFICE_")},
        "BACKOFFICE_DATABASE_URL": "postgresql://127.0.0.1:1/backoffice",
        "BACKOFFICE_STATE": str(tmp_path),
        "BACKOFFICE_PEPPER": "x",
        "BACKOFFICE_STORAGE_URL": str(tmp_path / "objects"),
        "BACKOFFICE_PASSWORD_BO_DISPATCH": "x",
        "BACKOFFICE_PASSWORD_BO_QUEUE": "x",
        "BACKOFFICE_UNIT_NUMBER": "0",
    }
    command = [sys.executable, "-m", "backoffice.cli", "dispatcher", "--log", str(tmp_path / "logs")]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert "cannot be reached" in (tmp_path / "logs" / "dispatcher-0.log").read_text()


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsRefused, match=f"port {port} of 127.0.0.1"):
            must_be_free("127.0.0.1", port, "BACKOFFICE_PORT")
        assert f"port {port}" in one_sentence(invoke("up", BACKOFFICE_PORT=str(port)))
        told = one_sentence(invoke("up", BACKOFFICE_PORT=str(free_port()), BACKOFFICE_METRICS_PORT=str(port - 2)))
        assert f"port {port}" in told  # the first worker's
        assert "BACKOFFICE_METRICS_PORT" in told
    must_be_free("127.0.0.1", port, "BACKOFFICE_PORT")


@pytest.mark.parametrize("port", ["many", "0", "65536", "80.5", "-1"])
def test_a_port_that_is_none(port: str) -> None:
    for name in ("BACKOFFICE_PORT", "BACKOFFICE_POSTGRES_PORT"):
        free = {} if name == "BACKOFFICE_PORT" else {"BACKOFFICE_PORT": str(free_port())}
        assert f"{name} must be a whole number from 1 to 65535, not '{port}'" in one_sentence(
            invoke("up", **{**free, name: port})
        )
    assert "BACKOFFICE_PORT" in one_sentence(invoke("health", "api", BACKOFFICE_PORT=port))


def test_the_door_without_a_key_and_without_an_api() -> None:
    assert "backoffice keys create" in one_sentence(invoke("workers", "list"))
    url = f"http://127.0.0.1:{free_port()}"
    told = one_sentence(invoke("workers", "list", BACKOFFICE_API_KEY="x", BACKOFFICE_PUBLIC_URL=url))
    assert "does not answer" in told
    told = one_sentence(
        invoke("payroll", "runs", "calculate", "prun_x", BACKOFFICE_API_KEY="x", BACKOFFICE_PUBLIC_URL=url)
    )
    assert "--idempotency-key cli-" in told  # so that trying again does it once
    told = one_sentence(invoke("workers", "list", BACKOFFICE_API_KEY="x", BACKOFFICE_PUBLIC_URL="ftp://x"))
    assert "no address" in told


def test_a_tenant_file_is_refused_with_file_and_line_for_every_fault(tmp_path: Path) -> None:
    text = (ROOT / "tenants" / "harbor-talent" / "tenant.toml").read_text(encoding="utf-8")
    (tmp_path / "harbor-talent").mkdir()
    file = tmp_path / "harbor-talent" / "tenant.toml"
    file.write_text(text.replace("[branding]", '[branding]\ncolour = "red"').replace("weekly", "daily", 1) + "x = 1\n")
    for verb in ("plan", "apply"):
        result = invoke("tenants", verb, "--folder", str(tmp_path))
        assert result.exit_code == 1
        lines = result.stderr.splitlines()
        assert len(lines) >= 2
        assert all(line.startswith(f"{file}:") for line in lines), lines
        assert "unknown_key" in result.stderr


def test_firms_that_are_not_there(tmp_path: Path) -> None:
    assert "is no folder" in one_sentence(invoke("tenants", "plan", "--folder", str(tmp_path / "none")))
    assert "no firm's folder" in one_sentence(invoke("tenants", "plan", "--folder", str(tmp_path)))
    told = one_sentence(invoke("tenants", "plan", "nobody", "--folder", str(ROOT / "tenants")))
    assert "nobody/tenant.toml" in told
    assert "harbor-talent" in told


@pytest.mark.parametrize("scopes", ["workers:fly", "workers:read,", ""])
def test_a_scope_that_is_not_known(scopes: str) -> None:
    told = one_sentence(invoke("keys", "create", "--tenant", "a/b", "--person", "c", "--scopes", scopes))
    assert f"There is no scope {scopes.rpartition(',')[2]!r}; known are: " in told
    assert "workers:read" in told


def test_a_key_that_could_not_be_used() -> None:
    asked = ["keys", "create", "--tenant", "a/b", "--person", "c"]
    assert "has passed" in one_sentence(invoke(*asked, "--expires-at", "2020-01-31T00:00:00-0500"))
    for name in ("", "x" * 201):
        assert "1 to 200 characters" in one_sentence(invoke(*asked, "--name", name))


def test_settings_of_a_place(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="no folder"), open_place({"BACKOFFICE_STATE": str(tmp_path / "none")}):
        pass
    url = "postgresql://127.0.0.1:1/backoffice"
    with open_place({"BACKOFFICE_DATABASE_URL": url}, state=tmp_path, prepare=False) as place:
        assert place.embedded is None
        assert place.settings.queue_url.endswith("/backoffice_queue")
        assert place.settings.dsn("bo_app").startswith("postgresql://bo_app:")
        pepper = place.settings.pepper
    given = {"BACKOFFICE_DATABASE_URL": url, "BACKOFFICE_PASSWORD_BO_APP": "given", "BACKOFFICE_PEPPER": "own"}
    with open_place(given, state=tmp_path, prepare=False) as place:
        assert place.settings.passwords == {"bo_app": "given"}  # nothing is added to what an operator set
        assert place.settings.pepper == "own" != pepper
