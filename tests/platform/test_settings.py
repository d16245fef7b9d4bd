"""Settings are read once, and everything that is wrong with them is told at once, without telling a secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from backoffice.platform.runtime import peppers
from backoffice.platform.settings import SettingsRefused, from_environment, to_environment

GOOD = {
    "BACKOFFICE_DATABASE_URL": "postgresql://db.example:5432/backoffice",
    "BACKOFFICE_STATE": "/var/lib/backoffice",
    "BACKOFFICE_PEPPER": "1:pepper",
    "BACKOFFICE_STORAGE_URL": "/var/lib/backoffice/documents",
}


def refusal(**wrong: str) -> str:
    with pytest.raises(SettingsRefused) as caught:
        from_environment({**GOOD, **wrong})
    return str(caught.value)


def test_what_is_not_set_has_a_default_and_what_is_empty_is_not_set() -> None:
    settings = from_environment(
        {**GOOD, "BACKOFFICE_PORT": "", "BACKOFFICE_BROKER_URL": "", "BACKOFFICE_LOG_LEVEL": ""}
    )
    assert (settings.port, settings.broker_url, settings.log_level) == (8000, None, "info")
    assert settings.queue_url == "postgresql://db.example:5432/backoffice_queue"


def test_a_child_gets_the_same_settings() -> None:
    given = {
        **GOOD,
        "BACKOFFICE_PASSWORD_BO_APP": "a",
        "BACKOFFICE_BROKER_URL": "amqps://guest:guest@rabbit.example/",
        "BACKOFFICE_LEASE_SECONDS": "2.5",
        "BACKOFFICE_LOOPBACK_WEBHOOKS": "1",
        "BACKOFFICE_METRICS_PORT": "9100",
        "BACKOFFICE_DATABASE_SOCKET_DIR": "/run/postgres",
    }
    settings = from_environment(given)
    assert from_environment(to_environment(settings)) == settings


def test_a_socket_takes_the_place_of_the_host() -> None:
    given = {**GOOD, "BACKOFFICE_PASSWORD_BO_APP": "p@ss", "BACKOFFICE_DATABASE_SOCKET_DIR": "/run/a b"}
    dsn = from_environment(given).dsn("bo_app", statement_timeout="5s")
    assert conninfo_to_dict(dsn) == {
        "user": "bo_app",
        "password": "p@ss",
        "host": "/run/a b",
        "port": "5432",
        "dbname": "backoffice",
        "options": "-c statement_timeout=5s",
        "application_name": f"backoffice:{os.getpid()}",
    }


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = {
        "BACKOFFICE_DATABASE_URL": "",
        "BACKOFFICE_STORAGE_URL": "ftp://files.example/",
        "BACKOFFICE_PORT": "70000",
        "BACKOFFICE_POOL_SIZE": "0",
        "BACKOFFICE_LEASE_SECONDS": "nan",
        "BACKOFFICE_TRACE_SHARE": "2",
        "BACKOFFICE_WORKER_THREADS": "1.5",
        "BACKOFFICE_LOG_LEVEL": "loud",
        "BACKOFFICE_LOOPBACK_WEBHOOKS": "yes",
    }
    told = refusal(**wrong)
    for name in wrong:
        assert told.count(name) == 1, (name, told)
    assert "BACKOFFICE_TRACE_SHARE must be a number from 0 to 1, not '2'" in told
    assert "BACKOFFICE_WORKER_THREADS must be a whole number from 1 to 1000, not '1.5'" in told


@pytest.mark.parametrize(
    "url",
    ["nonsense", "mysql://db.example/backoffice", "postgresql://db.example", "postgresql://db.example:x/backoffice",
     "postgresql://[db/backoffice", "postgresql://db.example:99999/backoffice"],
)  # fmt: skip
def test_a_database_url_that_is_none(url: str) -> None:
    assert refusal(BACKOFFICE_DATABASE_URL=url) == ("BACKOFFICE_DATABASE_URL must read postgresql://host:port/database")


def test_a_database_url_with_a_user_says_where_that_belongs() -> None:
    told = refusal(BACKOFFICE_DATABASE_URL="postgresql://postgres:hunter2@db.example/backoffice")
    assert "BACKOFFICE_DATABASE_ADMIN_URL" in told
    assert "hunter2" not in told


def test_the_queue_has_a_database_of_its_own() -> None:
    told = refusal(BACKOFFICE_QUEUE_DATABASE_URL="postgresql://db.example:5432/backoffice")
    assert "another database" in told


@pytest.mark.parametrize("url", ["rubbish", "http://user:hunter2@rabbit.example/", "amqp://", "amqp://:hunter2@/"])
def test_a_broker_url_that_is_none_is_refused_without_its_secret(url: str) -> None:
    told = refusal(BACKOFFICE_BROKER_URL=url)
    assert "BACKOFFICE_BROKER_URL must read amqp://" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("pepper", "told"),
    [("hunter2:" + "x" * 32, "must read 1:secret"), (f"2:{'x' * 32},hunter2", "must read 1:secret"),
     ("1:hunter2", "at least 32 bytes"), ("hunter2", "at least 32 bytes")],
)  # fmt: skip
def test_a_pepper_that_is_none_is_refused_without_telling_it(pepper: str, told: str) -> None:
    settings = from_environment({**GOOD, "BACKOFFICE_PEPPER": pepper})
    with pytest.raises(SettingsRefused, match=told) as refusal:
        peppers(settings)
    assert "hunter2" not in str(refusal.value)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "pepper").write_text("1:from a file\n")
    given = {name: value for name, value in GOOD.items() if name != "BACKOFFICE_PEPPER"}
    assert from_environment({**given, "BACKOFFICE_PEPPER_FILE": str(tmp_path / "pepper")}).pepper == "1:from a file"
    with pytest.raises(SettingsRefused) as caught:
        from_environment({**given, "BACKOFFICE_PEPPER_FILE": str(tmp_path / "none")})
    assert (
        str(caught.value)
        == f"BACKOFFICE_PEPPER_FILE names {tmp_path}/none, which cannot be read: No such file or directory"
    )
