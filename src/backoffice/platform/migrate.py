"""Bring a database to the newest schema (Alembic, as bo_migrate), and write the DDL of tables it does not have."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect

from backoffice.platform.postgres.roles import must_be_new_enough
from backoffice.platform.tables import METADATA, ddl

_FOLDER = Path(__file__).parent.parent / "migrations"


def _alchemy(dsn: str) -> str:
    return dsn.replace("postgresql://", "postgresql+psycopg://", 1)


def migrate(dsn: str) -> None:
    """Run every missing revision. `dsn` signs in as bo_migrate. PostgresRefused where the server is too old."""
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        must_be_new_enough(connection.info.server_version)
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("sqlalchemy.url", _alchemy(dsn).replace("%", "%%"))
    command.upgrade(config, "head")


def draft(dsn: str | None) -> str:
    """The SQL of every declared table that the database lacks (all, without a database): the next revision's file."""
    there: set[str] = set()
    if dsn is not None:
        engine = create_engine(_alchemy(dsn))
        there = set(inspect(engine).get_table_names(schema="app"))
        engine.dispose()
    parts = []
    for table in METADATA.sorted_tables:
        if table.name not in there:
            parts += [statement + ";" for statement in ddl(table)]
            parts.append("")
    return "\n".join(parts)
