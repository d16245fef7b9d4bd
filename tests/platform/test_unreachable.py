"""A process that cannot get to its database says what to do, in a sentence."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import psycopg
import pytest
from tests.world import Server

from backoffice.platform.db import Database
from backoffice.platform.migrate import migrate
from backoffice.platform.settings import Settings
from backoffice.platform.unreachable import must_answer, sentence


def told(settings: Settings, role: str = "bo_app") -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the point
        must_answer(settings.dsn(role))
    found = sentence(caught.value)
    assert found is not None
    return found


def test_a_wrong_password(server: Server) -> None:
    wrong = replace(server.settings, passwords={"bo_app": "wrong", "bo_migrate": "wrong"})
    assert "refuses the login" in told(wrong)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        migrate(wrong.dsn("bo_migrate"))
    assert "refuses the login" in (sentence(caught.value) or "")


def test_no_such_database(server: Server) -> None:
    url = server.settings.database_url.replace("/backoffice", "/nowhere")
    assert "no such database" in told(replace(server.settings, database_url=url))


async def test_nobody_listens(server: Server) -> None:
    nowhere = replace(server.settings, database_url="postgresql://127.0.0.1:1/backoffice")
    assert "cannot be reached" in told(nowhere)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        await Database(nowhere.dsn("bo_app")).open()
    assert "cannot be reached" in (sentence(caught.value) or "")


async def test_a_schema_that_is_too_old(server: Server) -> None:
    database = Database(server.settings.dsn("bo_app"), size=1)
    await database.open()
    with pytest.raises(Exception) as caught:  # noqa: PT011
        async with database.untenanted() as connection:
            await connection.fetch("SELECT * FROM of_the_next_release")
    await database.close()
    assert "backoffice db migrate" in (sentence(caught.value) or "")


def test_other_errors_are_ours_to_explain_in_full() -> None:
    assert sentence(BrokenPipeError(32, "Broken pipe")) is None
    assert sentence(FileNotFoundError(2, "none")) is None
    assert sentence(KeyError("x")) is None


def test_a_full_disk_is_no_lost_connection() -> None:
    for full in (asyncpg.DiskFullError("no space"), psycopg.errors.DiskFull("no space")):
        assert "free some space" in (sentence(full) or "")
