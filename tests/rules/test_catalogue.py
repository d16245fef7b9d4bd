"""The migrated database holds every rule of the catalogue (`catalogue.py`)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from tests.rules import catalogue
from tests.world import Server

from backoffice import models
from backoffice.platform.tables import METADATA


@pytest.fixture(scope="module")
def db(server: Server) -> Iterator[catalogue.Connection]:
    with psycopg.connect(server.settings.dsn("bo_migrate")) as connection:
        yield connection


def test_there_are_twenty_checks() -> None:
    assert len(catalogue.CHECKS) == len(set(catalogue.CHECKS)) == 20


@pytest.mark.parametrize("check", catalogue.CHECKS, ids=lambda check: check.__name__)
def test_catalogue(db: catalogue.Connection, check: catalogue.Check) -> None:
    assert check(db) == []


def test_what_is_declared_append_only_is_what_the_list_says() -> None:
    models.load()
    declared = {f"app.{table.name}" for table in METADATA.sorted_tables if table.info["append_only"]}
    assert declared == {table for table, _ in catalogue.allowed("append_only", 1)}


def test_what_outlives_a_reset_is_what_the_list_says() -> None:
    models.load()
    declared = {f"app.{table.name}" for table in METADATA.sorted_tables if table.info["outlives_reset"]}
    assert declared == {table for table, _ in catalogue.allowed("outlives_reset", 1)}


def test_what_a_reset_empties_is_what_bo_app_may_delete_from_or_bo_reset(db: catalogue.Connection) -> None:
    """Asked of the database: together they reach every table that does not outlive it, and bo_reset no other."""
    held = {
        (role, table)
        for role, table in db.execute(
            "SELECT r, c.oid::regclass::text FROM pg_class c, unnest(ARRAY['bo_app', 'bo_reset']) r"
            " WHERE c.relnamespace = 'app'::regnamespace AND c.relkind = 'r'"
            " AND has_table_privilege(r, c.oid, 'DELETE')"
        )
    }
    stays = {table for table, _ in catalogue.allowed("outlives_reset", 1)}
    append_only = {table for table, _ in catalogue.allowed("append_only", 1)}
    assert {table for role, table in held if role == "bo_reset"} == append_only - stays
    assert {table for _, table in held} | stays == {f"app.{name}" for name in catalogue.tenant_tables(db)}


def test_no_payload_column_is_ever_granted_to_the_dispatcher(db: catalogue.Connection) -> None:
    """The list itself is held to the rule: no jsonb, no bytea, and no column that may hold a body or an address."""
    types = {
        (table, column): kind
        for table, column, kind in db.execute(
            "SELECT attrelid::regclass::text, attname::text, atttypid::regtype::text FROM pg_attribute a"
            " JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'app'::regnamespace AND attnum > 0"
        )
    }
    granted = [row for row in catalogue.allowed("grants", 4) if row[0] == "bo_dispatch"]
    assert {row[1] for row in granted} >= {"app.job", "app.event", "app.webhook_delivery"}
    for _, table, privilege, columns, _ in granted:
        assert columns != "*"
        for column in columns.split(","):
            assert types[table, column] not in ("jsonb", "bytea"), (table, column, privilege)
            assert column not in {"payload", "body", "result", "problem", "url", "headers", "actor"}, column
