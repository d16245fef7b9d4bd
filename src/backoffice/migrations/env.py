"""Alembic: one connection as bo_migrate, which becomes bo_owner; forward only, one transaction a revision.

`row_security = off` makes a filtered read an error instead of silently nothing: a migration changes the schema, never
tenants' rows (that is a job per tenant as bo_app).
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, text

engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "")
with engine.connect() as connection:
    connection.execute(text("SET ROLE bo_owner"))
    connection.execute(text("SET row_security = off"))
    connection.execute(text("SET lock_timeout = '3s'"))
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS migrations"))
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=True, version_table_schema="migrations")
    with context.begin_transaction():
        # Two that start at once take turns.
        connection.execute(text("SELECT pg_advisory_xact_lock(7205759403792795)"))
        context.run_migrations()
engine.dispose()
