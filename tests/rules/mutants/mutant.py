"""What a deliberate schema mistake is, and the words that several share."""

from __future__ import annotations

from dataclasses import dataclass

from tests.rules.catalogue import Check

WALLS = (
    "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY; ALTER TABLE {0} FORCE ROW LEVEL SECURITY; "
    "CREATE POLICY tenant_isolation ON {0} FOR ALL TO bo_app, bo_export "
    "USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant()); "
    "GRANT SELECT, INSERT, UPDATE, DELETE ON {0} TO bo_app; GRANT SELECT ON {0} TO bo_export; "
)
ID = "tenant_id uuid NOT NULL, id uuid NOT NULL, "
KEY = "PRIMARY KEY (tenant_id, id)"


@dataclass(frozen=True)
class Mutant:
    """`what` names the mistake, `sql` makes it, `check` must see it, and `says` must stand in a finding."""

    what: str
    check: Check
    sql: str
    says: str
    superuser: bool = False  # a mistake in infra/postgres/roles.sql, which a superuser runs


def made(body: str, name: str = "app.planted") -> str:
    """A table that is right in everything but what `body` gets wrong."""
    return f"CREATE TABLE {name} ({body}); " + WALLS.format(name)
