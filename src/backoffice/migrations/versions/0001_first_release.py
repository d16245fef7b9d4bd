"""The first release: control schema, then every tenant table as `platform.tables.ddl` wrote it."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

_HERE = Path(__file__).parent


def upgrade() -> None:
    # The driver's own cursor, without parameters: a function's body may hold colons and percent signs.
    driver = op.get_bind().connection.cursor()
    for name in ("0001_control.sql", "0001_tables.sql", "0001_ledger.sql"):
        driver.execute((_HERE / name).read_text(encoding="utf-8"))
