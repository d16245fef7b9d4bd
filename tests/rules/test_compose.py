"""docker-compose.yml and the image: health, users, secrets. Read as text here; tried only where docker compose is
at hand, and skipped by name elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from backoffice.cli import main
from backoffice.platform.settings import Settings, from_environment, to_environment

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("api", "worker", "dispatcher", "courier")
DOCKERFILE = (ROOT / "infra" / "docker" / "Dockerfile").read_text(encoding="utf-8")

REQUIRED = re.compile(r"\$\{([A-Z0-9_]+):\?[^}]+\}")
SECRET_NAME = re.compile(r"PASS|SECRET|PEPPER|TOKEN|_KEY")
DEFAULT = re.compile(r"\$\{[A-Z0-9_]+:-([^}]*)\}")
CREDENTIALS = re.compile(r"//[^/@\s:]*:([^/@\s]*)@")  # the password in a URL


def literal_secrets(environment: dict[str, Any]) -> list[str]:
    """Names of settings whose secret part is written down or has a default."""
    found = []
    for name, value in environment.items():
        text = REQUIRED.sub("REQUIRED", str(value))
        secrets = [text] if SECRET_NAME.search(name) else CREDENTIALS.findall(text)
        if any(secret != "REQUIRED" for secret in secrets):
            found.append(name)
    return found


def test_every_process_is_a_service() -> None:
    assert set(SERVICES) == {"postgres", "rabbitmq", "setup", *OURS}
    for name in OURS:
        assert SERVICES[name]["command"] == [name]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"setup"}))
def test_every_service_tells_its_health(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)


@pytest.mark.parametrize("name", [*OURS, "setup"])
def test_commands_are_ours_and_take_what_they_are_given(name: str) -> None:
    for words in (SERVICES[name]["command"], SERVICES[name].get("healthcheck", {}).get("test", [])[2:]):
        if words[:1] != ["-c"]:
            assert CliRunner().invoke(main, [*words, "--help"]).exit_code == 0, words


def test_the_database_is_asked_where_only_the_finished_one_listens() -> None:
    """While the image makes a cluster, a server for that alone listens at the socket, and then ends."""
    assert "--host=127.0.0.1" in SERVICES["postgres"]["healthcheck"]["test"]


def given(name: str) -> Settings:
    """A service's settings, with something in place of each secret."""
    told = {key: str(value) for key, value in SERVICES[name]["environment"].items()}
    return from_environment({key: DEFAULT.sub(r"\1", REQUIRED.sub("x" * 16, text)) for key, text in told.items()})


@pytest.mark.parametrize("name", [*OURS, "setup"])
def test_settings_are_settings(name: str) -> None:
    known = {*to_environment(given(name)), "BACKOFFICE_DATABASE_ADMIN_URL"}
    assert set(SERVICES[name]["environment"]) <= known


def test_every_process_shows_its_metrics() -> None:
    for name in OURS:
        assert (given(name).metrics_port, given(name).host) == (9100, "0.0.0.0")  # noqa: S104 - in its container


def test_health_is_asked_of_the_process_itself() -> None:
    assert "/healthz" in SERVICES["api"]["healthcheck"]["test"][-1]
    for name in ("worker", "dispatcher", "courier"):
        assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "backoffice", "health", name]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_nobody_is_root_or_may_become_it(name: str) -> None:
    service = SERVICES[name]
    assert str(service["user"]).split(":")[0] not in ("", "0", "root")
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert "/var/run/docker.sock" not in str(service.get("volumes"))


@pytest.mark.parametrize("name", [*OURS, "setup"])
def test_our_own_run_with_the_least(name: str) -> None:
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_secret_is_written_down(name: str) -> None:
    assert literal_secrets(SERVICES[name].get("environment", {})) == []


@pytest.mark.parametrize(
    "planted",
    [
        {"POSTGRES_PASSWORD": "postgres"},
        {"POSTGRES_PASSWORD": "${POSTGRES_PASSWORD:-postgres}"},
        {"POSTGRES_PASSWORD": "${POSTGRES_PASSWORD}"},
        {"BACKOFFICE_BROKER_URL": "amqp://guest:guest@rabbitmq:5672/"},
        {"BACKOFFICE_BROKER_URL": "amqp://guest:${PASSWORD:-guest}@rabbitmq:5672/"},
        {"BACKOFFICE_PEPPER": "1:pepper"},
    ],
)
def test_a_planted_secret_is_seen(planted: dict[str, str]) -> None:
    assert literal_secrets(planted) != []


def test_every_secret_is_asked_for_with_a_sentence() -> None:
    for sentence in re.findall(r"\$\{[A-Z0-9_]+:\?([^}]*)\}", TEXT):
        assert "openssl rand" in sentence
    named = set(re.findall(r"\$\{(BACKOFFICE_(?:PASSWORD|PEPPER)[A-Z_]*)", TEXT))
    assert len(named) > 4
    head = TEXT.split("services:")[0].split("x-service")[0]
    for name in named:
        assert name in head or "…_" + name.removeprefix("BACKOFFICE_PASSWORD_") in head, f"{name} is not in the list"


def test_services_get_the_secrets_they_use_and_no_others() -> None:
    def passwords(name: str) -> set[str]:
        return set(re.findall(r"BACKOFFICE_PASSWORD_([A-Z_]+):\?", str(SERVICES[name].get("environment", {}))))

    assert passwords("api") == {"BO_APP"}
    assert passwords("worker") == {"BO_APP", "BO_DISPATCH", "RABBITMQ"}
    assert passwords("dispatcher") == {"BO_APP", "BO_DISPATCH", "RABBITMQ"}
    assert passwords("courier") == {"BO_APP", "BO_DISPATCH"}


def test_only_the_api_is_published_and_only_here() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"]}


def test_the_superuser_comes_in_through_the_socket_alone() -> None:
    rules = [
        line.split()
        for line in (ROOT / "infra" / "postgres" / "pg_hba.compose.conf").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    assert all(rule[-1] in ("scram-sha-256", "reject") for rule in rules)
    network = [rule for rule in rules if rule[0] == "host" and rule[1] == "all"]
    assert network[0][2:] == ["bo_super", "all", "reject"]
    sharing = [name for name, service in SERVICES.items() if "postgres_socket" in str(service.get("volumes"))]
    assert sharing == ["postgres", "setup"]


def test_images_name_their_major_version() -> None:
    assert SERVICES["postgres"]["image"] == "postgres:18"
    for name in ("postgres", "rabbitmq"):
        assert re.fullmatch(r"[a-z]+:\d+(\.\d+)*", SERVICES[name]["image"])
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["python:3.11-slim"] * 2


def test_the_image_is_built_from_the_lock_and_not_run_by_root() -> None:
    assert "RUN python infra/environment.py requirements.lock" in DOCKERFILE
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]
    assert DOCKERFILE.index("USER 10001") < DOCKERFILE.index("ENTRYPOINT")
    assert "--require-hashes" in (ROOT / "infra" / "environment.py").read_text(encoding="utf-8")


def test_what_the_image_copies_is_let_through() -> None:
    let_through = {line[1:].strip() for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        source
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    assert copied == let_through
    assert all((ROOT / path).exists() for path in copied)


@pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False, timeout=30).returncode != 0,
    reason="untried: no docker compose at hand",
)
def test_docker_accepts_it() -> None:
    names = set(re.findall(r"\$\{([A-Z0-9_]+)", TEXT))
    done = subprocess.run(
        ["docker", "compose", "--file", str(ROOT / "docker-compose.yml"), "config", "--quiet"],
        env={**os.environ, **dict.fromkeys(names, "x" * 16)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
