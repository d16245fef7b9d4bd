"""Mistakes in keys: primary, unique and foreign ones, and indexes."""

from __future__ import annotations

from tests.rules import catalogue as check
from tests.rules.mutants.mutant import ID, KEY, Mutant, made

MUTANTS = (
    # 4 primary keys
    Mutant("no primary key", check.primary_keys, made("tenant_id uuid NOT NULL, id uuid"), "app.planted"),
    Mutant("a key without tenant", check.primary_keys, made(ID + "PRIMARY KEY (id)"), "app.planted"),
    Mutant("a key with tenant last", check.primary_keys, made(ID + "PRIMARY KEY (id, tenant_id)"), "app.planted"),
    Mutant("a key of tenant alone", check.primary_keys, made(ID + "PRIMARY KEY (tenant_id)"), "app.planted"),
    # 5 uniques
    Mutant("unique over tenants", check.uniques, made(ID + f"code text UNIQUE, {KEY}"), "planted_code_key"),
    Mutant(
        "a unique index over tenants",
        check.uniques,
        "CREATE UNIQUE INDEX planted ON app.person (email)",
        "planted is unique",
    ),
    Mutant(
        "unique with tenant last",
        check.uniques,
        "CREATE UNIQUE INDEX planted ON app.person (email, tenant_id)",
        "planted is unique",
    ),
    Mutant(
        "a partial unique over tenants",
        check.uniques,
        "CREATE UNIQUE INDEX planted ON app.person (email) WHERE active",
        "planted is unique",
    ),
    Mutant(
        "unique over an expression",
        check.uniques,
        "CREATE UNIQUE INDEX planted ON app.person (lower(email))",
        "planted is unique",
    ),
    Mutant(
        "an exclusion",
        check.uniques,
        made(ID + f"during daterange, EXCLUDE USING gist (during WITH &&), {KEY}"),
        "is an exclusion",
    ),
    # 6 foreign keys
    Mutant(
        "a key to another tenant's row",
        check.foreign_keys,
        "CREATE UNIQUE INDEX planted ON app.person (id); ALTER TABLE app.api_key"
        " ADD CONSTRAINT planted_fkey FOREIGN KEY (person_id) REFERENCES app.person (id) NOT VALID",
        "planted_fkey",
    ),
    Mutant(
        "tenant against another column",
        check.foreign_keys,
        "CREATE UNIQUE INDEX planted ON app.person (id, tenant_id); ALTER TABLE app.api_key ADD CONSTRAINT"
        " planted_fkey FOREIGN KEY (tenant_id, person_id) REFERENCES app.person (id, tenant_id) NOT VALID",
        "planted_fkey",
    ),
    Mutant(
        "a key out of app",
        check.foreign_keys,
        "ALTER TABLE app.api_key ADD CONSTRAINT planted_fkey FOREIGN KEY (tenant_id)"
        " REFERENCES ctl.tenant (id) NOT VALID",
        "planted_fkey",
    ),
    Mutant(
        "a key into app",
        check.foreign_keys,
        "CREATE TABLE ref.planted (t uuid, p uuid,"
        " CONSTRAINT planted_fkey FOREIGN KEY (t, p) REFERENCES app.person (tenant_id, id))",
        "planted_fkey",
    ),
    # 7 indexes of foreign keys
    Mutant(
        "a key without an index", check.foreign_key_indexes, "DROP INDEX app.api_key_tenant_id_person_id_idx", "fkey"
    ),
    Mutant(
        "a key whose index covers some rows",
        check.foreign_key_indexes,
        "DROP INDEX app.api_key_tenant_id_person_id_idx;"
        " CREATE INDEX planted ON app.api_key (tenant_id, person_id) WHERE revoked_at IS NULL",
        "fkey",
    ),
    Mutant(
        "a new key without an index",
        check.foreign_key_indexes,
        made(ID + f"owner uuid, {KEY}, FOREIGN KEY (tenant_id, owner) REFERENCES app.person (tenant_id, id)"),
        "app.planted",
    ),
    # 8 actions of foreign keys
    Mutant(
        "tenant set to null",
        check.foreign_key_actions,
        "ALTER TABLE app.api_key ADD CONSTRAINT planted_fkey FOREIGN KEY (tenant_id, person_id)"
        " REFERENCES app.person (tenant_id, id) ON DELETE SET NULL NOT VALID",
        "planted_fkey",
    ),
    Mutant(
        "tenant set to a default",
        check.foreign_key_actions,
        "ALTER TABLE app.api_key ADD CONSTRAINT planted_fkey FOREIGN KEY (tenant_id, person_id)"
        " REFERENCES app.person (tenant_id, id) ON DELETE SET DEFAULT (tenant_id) NOT VALID",
        "planted_fkey",
    ),
    Mutant(
        "keys that follow",
        check.foreign_key_actions,
        "ALTER TABLE app.api_key ADD CONSTRAINT planted_fkey FOREIGN KEY (tenant_id, person_id)"
        " REFERENCES app.person (tenant_id, id) ON UPDATE CASCADE NOT VALID",
        "planted_fkey",
    ),
    # 16 indexes
    Mutant(
        "numeric",
        check.indexes,
        made(ID + f"rate numeric, {KEY}") + "CREATE INDEX ON app.planted (tenant_id, rate)",
        "numeric",
    ),
    Mutant("jsonb", check.indexes, "CREATE INDEX planted ON app.person (tenant_id, metadata)", "jsonb"),
    Mutant(
        "an enum",
        check.indexes,
        "CREATE TYPE app.mood AS ENUM ('x'); "
        + made(ID + f"m app.mood, {KEY}")
        + "CREATE INDEX ON app.planted (tenant_id, m)",
        "mood",
    ),
    Mutant(
        "an array",
        check.indexes,
        made(ID + f"tags text[], {KEY}") + "CREATE INDEX ON app.planted (tenant_id, tags)",
        "text",
    ),
    Mutant(
        "an expression of an unsafe type",
        check.indexes,
        "CREATE INDEX planted ON app.person (tenant_id, to_tsvector('simple', name))",
        "tsvector",
    ),
    Mutant(
        "for LIKE", check.indexes, "CREATE INDEX planted ON app.person (tenant_id, name text_pattern_ops)", "planted"
    ),
    Mutant("gin", check.indexes, "CREATE INDEX planted ON app.person USING gin (metadata)", "gin"),
    Mutant("hash", check.indexes, "CREATE INDEX planted ON app.person USING hash (email)", "hash"),
    Mutant("tenant not first in an index", check.indexes, "CREATE INDEX planted ON app.person (email)", "begin with"),
)
