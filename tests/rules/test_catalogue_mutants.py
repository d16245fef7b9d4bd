"""Deliberate schema mistakes, each made as bo_owner in a transaction that is rolled back: the check that is meant to
catch it does. So the checks are known to see, and a finding names what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from tests.rules import catalogue
from tests.rules.catalogue import Check
from tests.world import Server

WALLS = (
    "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY; ALTER TABLE {0} FORCE ROW LEVEL SECURITY; "
    "CREATE POLICY tenant_isolation ON {0} FOR ALL TO bo_app, bo_export "
    "USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant()); "
    "GRANT SELECT, INSERT, UPDATE, DELETE ON {0} TO bo_app; GRANT SELECT ON {0} TO bo_export; "
)
ID = "tenant_id uuid NOT NULL, id uuid NOT NULL, "
KEY = "PRIMARY KEY (tenant_id, id)"
POLICY = "DROP POLICY tenant_isolation ON app.person; CREATE POLICY tenant_isolation ON app.person "
WORDS = "(tenant_id = app.current_tenant())"
DEFINER = "LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ctl, pg_temp AS $$ SELECT 1 $$; "


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


C = catalogue
MUTANTS = [
    # 1 tenant_id
    Mutant("no tenant", C.tenant_column, "CREATE TABLE app.planted (id uuid PRIMARY KEY)", "app.planted"),
    Mutant("nullable tenant", C.tenant_column, "CREATE TABLE app.planted (tenant_id uuid, id uuid)", "app.planted"),
    Mutant("tenant as text", C.tenant_column, "CREATE TABLE app.planted (tenant_id text NOT NULL)", "app.planted"),
    Mutant(
        "tenant by default",
        C.tenant_column,
        "ALTER TABLE app.person ALTER tenant_id SET DEFAULT gen_random_uuid()",
        "app.person",
    ),
    Mutant(
        "tenant not first", C.tenant_column, made("id uuid NOT NULL, tenant_id uuid NOT NULL, " + KEY), "app.planted"
    ),
    Mutant(
        "a partitioned table without tenant",
        C.tenant_column,
        "CREATE TABLE app.planted (id uuid) PARTITION BY HASH (id)",
        "app.planted",
    ),
    # 2 row security
    Mutant("not enabled", C.row_security, "ALTER TABLE app.person DISABLE ROW LEVEL SECURITY", "app.person"),
    Mutant("not forced", C.row_security, "ALTER TABLE app.person NO FORCE ROW LEVEL SECURITY", "app.person"),
    Mutant("a new table without", C.row_security, f"CREATE TABLE app.planted ({ID}{KEY})", "app.planted"),
    Mutant(
        "tenants' rows elsewhere",
        C.row_security,
        f"CREATE TABLE ref.planted ({ID}{KEY}); GRANT SELECT ON ref.planted TO bo_app",
        "ref.planted",
    ),
    Mutant(
        "a column of tenants' rows elsewhere",
        C.row_security,
        f"CREATE TABLE ctl.planted ({ID}{KEY}); GRANT SELECT (id) ON ctl.planted TO bo_export",
        "ctl.planted",
    ),
    Mutant("a child", C.row_security, "CREATE TABLE app.planted () INHERITS (app.person)", "app.planted"),
    # 3 policies
    Mutant("no policy", C.policies, "DROP POLICY tenant_isolation ON app.person", "app.person"),
    Mutant("open to all rows", C.policies, POLICY + "FOR ALL TO bo_app, bo_export USING (true)", "app.person"),
    Mutant(
        "or something else",
        C.policies,
        POLICY + f"FOR ALL TO bo_app, bo_export USING ({WORDS} OR active) WITH CHECK {WORDS}",
        "app.person",
    ),
    Mutant(
        "reads only", C.policies, POLICY + f"FOR SELECT TO bo_app, bo_export USING {WORDS}", "app.person"
    ),
    Mutant(
        "writes unchecked",
        C.policies,
        POLICY + f"FOR ALL TO bo_app, bo_export USING {WORDS} WITH CHECK (true)",
        "app.person",
    ),
    Mutant("for everybody", C.policies, POLICY + f"FOR ALL USING {WORDS} WITH CHECK {WORDS}", "app.person"),
    Mutant(
        "one role forgotten", C.policies, POLICY + f"FOR ALL TO bo_app USING {WORDS} WITH CHECK {WORDS}", "app.person"
    ),
    Mutant(
        "restrictive, which alone lets nothing through",
        C.policies,
        POLICY + f"AS RESTRICTIVE FOR ALL TO bo_app, bo_export USING {WORDS} WITH CHECK {WORDS}",
        "app.person",
    ),
    Mutant(
        "wrapped in a SELECT",
        C.policies,
        POLICY + "FOR ALL TO bo_app, bo_export USING (tenant_id = (SELECT app.current_tenant()))"
        f" WITH CHECK {WORDS}",
        "app.person",
    ),
    Mutant(
        "the tenant from a setting of its own",
        C.policies,
        POLICY + "FOR ALL TO bo_app, bo_export USING (tenant_id = current_setting('app.t', true)::uuid)",
        "app.person",
    ),
    Mutant(
        "a second policy", C.policies, "CREATE POLICY planted ON app.person TO bo_app USING (true)", "policy planted"
    ),
    Mutant(
        "the dispatcher on a table that is not on the list",
        C.policies,
        "CREATE POLICY dispatch ON app.person FOR ALL TO bo_dispatch USING (true) WITH CHECK (true)",
        "policy dispatch",
    ),
    Mutant(
        "a listed policy for another role",
        C.policies,
        "ALTER POLICY dispatch ON app.job TO bo_app",
        "app.job: the policy dispatch",
    ),
    Mutant(
        "a context that is silent without a tenant",
        C.policies,
        "CREATE OR REPLACE FUNCTION app.current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE"
        " AS $$ SELECT current_setting('app.tenant_id', true)::uuid $$",
        "app.current_tenant",
    ),
    Mutant(
        "a second context",
        C.policies,
        "CREATE FUNCTION app.current_tenant(uuid) RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT $1 $$",
        "app.current_tenant",
    ),
    # 4 primary keys
    Mutant("no primary key", C.primary_keys, made("tenant_id uuid NOT NULL, id uuid"), "app.planted"),
    Mutant("a key without tenant", C.primary_keys, made(ID + "PRIMARY KEY (id)"), "app.planted"),
    Mutant("a key with tenant last", C.primary_keys, made(ID + "PRIMARY KEY (id, tenant_id)"), "app.planted"),
    Mutant("a key of tenant alone", C.primary_keys, made(ID + "PRIMARY KEY (tenant_id)"), "app.planted"),
    # 5 uniques
    Mutant("unique over tenants", C.uniques, made(ID + f"code text UNIQUE, {KEY}"), "planted_code_key"),
    Mutant(
        "a unique index over tenants",
        C.uniques,
        "CREATE UNIQUE INDEX planted ON app.person (email)",
        "planted is unique",
    ),
    Mutant(
        "unique with tenant last",
        C.uniques,
        "CREATE UNIQUE INDEX planted ON app.person (email, tenant_id)",
        "planted is unique",
    ),
    Mutant(
        "a partial unique over tenants",
        C.uniques,
        "CREATE UNIQUE INDEX planted ON app.person (email) WHERE active",
        "planted is unique",
    ),
    Mutant(
        "unique over an expression",
        C.uniques,
        "CREATE UNIQUE INDEX planted ON app.person (lower(email))",
        "planted is unique",
    ),
    Mutant(
        "an exclusion",
        C.uniques,
        made(ID + f"during daterange, EXCLUDE USING gist (during WITH &&), {KEY}"),
        "is an exclusion",
    ),
    # 6 foreign keys
    Mutant(
        "a key to another tenant's row",
        C.foreign_keys,
        "CREATE UNIQUE INDEX planted ON app.person (id); ALTER TABLE app.api_key"
        " ADD CONSTRAINT planted_fkey FOREIGN KEY (person_id) REFERENCES app.person (id) NOT VALID",
        "planted_fkey",
    ),
    Mutant(
        "tenant against another column",
        C.foreign_keys,
        "CREATE UNIQUE INDEX planted ON app.person (id, tenant_id); ALTER TABLE app.api_key ADD CONSTRAINT"
        " planted_fkey FOREIGN KEY (tenant_id, person_id) REFERENCES app.person (id, tenant_id) NOT VALID",
        "planted_fkey",
    ),
    Mutant(
        "a key out of app",
        C.foreign_keys,
        "ALTER TABLE app.api_key ADD CONSTRAINT planted_fkey FOREIGN KEY (tenant_id)"
        " REFERENCES ctl.tenant (id) NOT VALID",
        "planted_fkey",
    ),
    Mutant(
        "a key into app",
        C.foreign_keys,
        "CREATE TABLE ref.planted (t uuid, p uuid,"
        " CONSTRAINT planted_fkey FOREIGN KEY (t, p) REFERENCES app.person (tenant_id, id))",
        "planted_fkey",
    ),
    # 7 indexes of foreign keys
    Mutant("a key without an index", C.foreign_key_indexes, "DROP INDEX app.api_key_tenant_id_person_id_idx", "fkey"),
    Mutant(
        "a key whose index covers some rows",
        C.foreign_key_indexes,
        "DROP INDEX app.api_key_tenant_id_person_id_idx;"
        " CREATE INDEX planted ON app.api_key (tenant_id, person_id) WHERE revoked_at IS NULL",
        "fkey",
    ),
    Mutant(
        "a new key without an index",
        C.foreign_key_indexes,
        made(ID + f"owner uuid, {KEY}, FOREIGN KEY (tenant_id, owner) REFERENCES app.person (tenant_id, id)"),
        "app.planted",
    ),
    # 8 actions
    Mutant(
        "tenant set to null",
        C.foreign_key_actions,
        "ALTER TABLE app.api_key ADD CONSTRAINT planted_fkey FOREIGN KEY (tenant_id, person_id)"
        " REFERENCES app.person (tenant_id, id) ON DELETE SET NULL NOT VALID",
        "planted_fkey",
    ),
    Mutant(
        "tenant set to a default",
        C.foreign_key_actions,
        "ALTER TABLE app.api_key ADD CONSTRAINT planted_fkey FOREIGN KEY (tenant_id, person_id)"
        " REFERENCES app.person (tenant_id, id) ON DELETE SET DEFAULT (tenant_id) NOT VALID",
        "planted_fkey",
    ),
    Mutant(
        "keys that follow",
        C.foreign_key_actions,
        "ALTER TABLE app.api_key ADD CONSTRAINT planted_fkey FOREIGN KEY (tenant_id, person_id)"
        " REFERENCES app.person (tenant_id, id) ON UPDATE CASCADE NOT VALID",
        "planted_fkey",
    ),
    # 9 views
    Mutant("a view as its owner", C.views, "CREATE VIEW app.planted AS SELECT * FROM app.person", "app.planted"),
    Mutant(
        "a view in ref",
        C.views,
        "CREATE VIEW ref.planted WITH (security_barrier) AS SELECT * FROM app.person",
        "ref.planted",
    ),
    # 10 relations
    Mutant(
        "a materialized view",
        C.relations,
        "CREATE MATERIALIZED VIEW app.planted AS SELECT 1 AS one",
        "materialized view",
    ),
    Mutant("a rule", C.relations, "CREATE RULE planted AS ON DELETE TO app.person DO INSTEAD NOTHING", "rule planted"),
    Mutant("not logged", C.relations, f"CREATE UNLOGGED TABLE app.planted ({ID}{KEY})", "not logged"),
    # 11 triggers
    Mutant(
        "a trigger",
        C.triggers,
        "CREATE TRIGGER planted BEFORE UPDATE ON app.person FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "trigger planted",
    ),
    Mutant(
        "a listed trigger switched off",
        C.triggers,
        "ALTER TABLE app.ledger_entry DISABLE TRIGGER ledger_entry_check",
        "switched off",
    ),
    Mutant("a listed trigger gone", C.triggers, "DROP TRIGGER ledger_entry_check ON app.ledger_entry", "not there"),
    # 12 definer functions
    Mutant(
        "an unlisted definer",
        C.definer_functions,
        "CREATE FUNCTION app.planted() RETURNS int " + DEFINER,
        "app.planted",
    ),
    Mutant(
        "a definer outside our schemas",
        C.definer_functions,
        "CREATE SCHEMA planted; CREATE FUNCTION planted.planted() RETURNS int " + DEFINER,
        "planted.planted",
    ),
    Mutant(
        "a definer without a path",
        C.definer_functions,
        "SET LOCAL ROLE bo_auth; ALTER FUNCTION ctl.open_key(bytea) RESET search_path; SET LOCAL ROLE bo_owner",
        "ctl.open_key: needs",
    ),
    Mutant(
        "a path with a stranger's schema first",
        C.definer_functions,
        "SET LOCAL ROLE bo_auth; ALTER FUNCTION ctl.open_key(bytea) SET search_path = public, pg_catalog, pg_temp;"
        " SET LOCAL ROLE bo_owner",
        "ctl.open_key: needs",
    ),
    Mutant(
        "a definer for everybody",
        C.definer_functions,
        "SET LOCAL ROLE bo_auth; GRANT EXECUTE ON FUNCTION ctl.dispatch_limits TO PUBLIC; SET LOCAL ROLE bo_owner",
        "ctl.dispatch_limits: may be called by",
    ),
    Mutant(
        "all tenants' limits for the application",
        C.definer_functions,
        "SET LOCAL ROLE bo_auth; GRANT EXECUTE ON FUNCTION ctl.dispatch_limits TO bo_app; SET LOCAL ROLE bo_owner",
        "ctl.dispatch_limits: may be called by",
    ),
    Mutant(
        "a definer that is the owner of everything",
        C.definer_functions,
        "ALTER FUNCTION ctl.open_key(bytea) OWNER TO bo_owner",
        "ctl.open_key: belongs to",
        superuser=True,
    ),
    # 13 leakproof
    Mutant(
        "leakproof",
        C.leakproof,
        "CREATE FUNCTION app.planted(text) RETURNS bool LANGUAGE sql IMMUTABLE LEAKPROOF AS $$ SELECT true $$",
        "app.planted",
        superuser=True,
    ),
    # 14 roles
    Mutant("bypass", C.roles, "ALTER ROLE bo_app BYPASSRLS", "bo_app", superuser=True),
    Mutant("superuser", C.roles, "ALTER ROLE bo_export SUPERUSER", "bo_export", superuser=True),
    Mutant("makes roles", C.roles, "ALTER ROLE bo_app CREATEROLE", "bo_app", superuser=True),
    Mutant("replicates", C.roles, "ALTER ROLE bo_app REPLICATION", "bo_app", superuser=True),
    Mutant("a member of the owner", C.roles, "GRANT bo_owner TO bo_app", "bo_app: is a member", superuser=True),
    Mutant(
        "the owner inherits",
        C.roles,
        "GRANT bo_search TO bo_owner WITH INHERIT TRUE",
        "bo_owner: is a member",
        superuser=True,
    ),
    Mutant("a login more", C.roles, "CREATE ROLE planted LOGIN", "planted", superuser=True),
    Mutant(
        "the application owns a table",
        C.roles,
        "ALTER TABLE app.person OWNER TO bo_app",
        "bo_app: owns",
        superuser=True,
    ),
    Mutant(
        "a definer's owner owns a table",
        C.roles,
        "ALTER TABLE ctl.credential OWNER TO bo_auth",
        "ctl.credential",
        superuser=True,
    ),
    # 15 grants
    Mutant("truncate", C.grants, "GRANT TRUNCATE ON app.person TO bo_app", "TRUNCATE"),
    Mutant("triggers", C.grants, "GRANT TRIGGER ON app.person TO bo_app", "TRIGGER"),
    Mutant("references", C.grants, "GRANT REFERENCES ON app.person TO bo_app", "REFERENCES"),
    Mutant("to everybody", C.grants, "GRANT SELECT ON app.person TO PUBLIC", "PUBLIC"),
    Mutant("with grant option", C.grants, "GRANT SELECT ON app.person TO bo_app WITH GRANT OPTION", "app.person"),
    Mutant("the audit rewritten", C.grants, "GRANT UPDATE ON app.audit_event TO bo_app", "app.audit_event"),
    Mutant("a column rewritten", C.grants, "GRANT UPDATE (changed) ON app.audit_event TO bo_app", "changed"),
    Mutant("a forgotten grant", C.grants, "REVOKE DELETE ON app.person FROM bo_app", "should hold"),
    Mutant("the export writes", C.grants, "GRANT INSERT ON app.person TO bo_export", "bo_export holds INSERT"),
    Mutant(
        "the dispatcher reads a payload",
        C.grants,
        "GRANT SELECT (payload) ON app.job TO bo_dispatch",
        "app.job.payload",
    ),
    Mutant("the dispatcher reads it all", C.grants, "GRANT SELECT ON app.event TO bo_dispatch", "app.event"),
    Mutant("keys to the application", C.grants, "GRANT SELECT ON ctl.credential TO bo_app", "ctl.credential"),
    Mutant("the application makes things", C.grants, "GRANT CREATE ON SCHEMA app TO bo_app", "schema app"),
    Mutant("seals for the application", C.grants, "GRANT USAGE ON SCHEMA seal TO bo_app", "schema seal"),
    Mutant("everybody makes things", C.grants, "GRANT CREATE ON SCHEMA app TO PUBLIC", "schema app"),
    Mutant(
        "law that can be changed",
        C.grants,
        "CREATE TABLE ref.planted (id int PRIMARY KEY); GRANT SELECT, UPDATE ON ref.planted TO bo_app",
        "ref.planted: bo_app holds UPDATE",
    ),
    Mutant(
        "a function for everybody",
        C.grants,
        "CREATE FUNCTION app.planted() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;"
        " GRANT EXECUTE ON FUNCTION app.planted() TO PUBLIC",
        "app.planted: PUBLIC",
    ),
    Mutant(
        "an unlisted function for the application",
        C.grants,
        "CREATE FUNCTION app.planted() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;"
        " GRANT EXECUTE ON FUNCTION app.planted() TO bo_app",
        "app.planted: bo_app",
    ),
    Mutant(
        "a default for everybody",
        C.grants,
        "ALTER DEFAULT PRIVILEGES FOR ROLE bo_owner IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC",
        "default r",
    ),
    Mutant(
        "everybody may connect",
        C.grants,
        "DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()); END $$",
        "database",
    ),
    # 16 indexes
    Mutant("numeric", C.indexes, made(ID + f"rate numeric, {KEY}") + "CREATE INDEX ON app.planted (tenant_id, rate)",
           "numeric"),
    Mutant("jsonb", C.indexes, "CREATE INDEX planted ON app.person (tenant_id, metadata)", "jsonb"),
    Mutant("an enum", C.indexes, "CREATE TYPE app.mood AS ENUM ('x'); " + made(ID + f"m app.mood, {KEY}")
           + "CREATE INDEX ON app.planted (tenant_id, m)", "mood"),
    Mutant("an array", C.indexes, made(ID + f"tags text[], {KEY}") + "CREATE INDEX ON app.planted (tenant_id, tags)",
           "text"),
    Mutant("an expression of an unsafe type", C.indexes,
           "CREATE INDEX planted ON app.person (tenant_id, to_tsvector('simple', name))", "tsvector"),
    Mutant("for LIKE", C.indexes, "CREATE INDEX planted ON app.person (tenant_id, name text_pattern_ops)", "planted"),
    Mutant("gin", C.indexes, "CREATE INDEX planted ON app.person USING gin (metadata)", "gin"),
    Mutant("hash", C.indexes, "CREATE INDEX planted ON app.person USING hash (email)", "hash"),
    Mutant("tenant not first in an index", C.indexes, "CREATE INDEX planted ON app.person (email)", "begin with"),
    # 17 sequences
    Mutant("a sequence", C.sequences, "CREATE SEQUENCE app.planted", "app.planted"),
    Mutant(
        "an identity column",
        C.sequences,
        "ALTER TABLE app.person ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY",
        "app.person.n",
    ),
    Mutant("a serial", C.sequences, "ALTER TABLE app.person ADD COLUMN n serial", "app.person.n"),
    # 18 owners
    Mutant(
        "a table of somebody's", C.owners, "ALTER TABLE app.person OWNER TO bo_search", "app.person", superuser=True
    ),
    Mutant(
        "a schema of somebody's", C.owners, "ALTER SCHEMA app OWNER TO bo_migrate", "schema app", superuser=True
    ),
    Mutant(
        "a function of the superuser's",
        C.owners,
        "CREATE FUNCTION app.planted() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
        "app.planted",
        superuser=True,
    ),
    # 19 presets
    Mutant(
        "a preset tenant",
        C.presets,
        "ALTER ROLE bo_app SET app.tenant_id = '00000000-0000-7000-8000-000000000000'",
        "app.tenant_id",
        superuser=True,
    ),
    Mutant("a preset path", C.presets, "ALTER ROLE bo_app SET search_path = app", "search_path", superuser=True),
    Mutant("row security off", C.presets, "ALTER ROLE bo_export SET row_security = off", "bo_export", superuser=True),
    Mutant("no timeout", C.presets, "ALTER ROLE bo_app SET statement_timeout = 0", "to none", superuser=True),
    Mutant(
        "a preset of the database",
        C.presets,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET row_security = off', current_database()); END $$",
        "everybody",
        superuser=True,
    ),
    # 20 dangerous functions
    Mutant(
        "ends sessions",
        C.dangerous_functions,
        "GRANT EXECUTE ON FUNCTION pg_terminate_backend(integer, bigint) TO bo_app",
        "pg_terminate_backend",
        superuser=True,
    ),
    Mutant(
        "everybody ends sessions",
        C.dangerous_functions,
        "GRANT EXECUTE ON FUNCTION pg_cancel_backend(integer) TO PUBLIC",
        "pg_cancel_backend",
        superuser=True,
    ),
    Mutant(
        "reads sessions",
        C.dangerous_functions,
        "GRANT SELECT ON pg_catalog.pg_stat_activity TO PUBLIC",
        "pg_stat_activity",
        superuser=True,
    ),
    Mutant(
        "keeps large objects",
        C.dangerous_functions,
        "GRANT EXECUTE ON FUNCTION lo_from_bytea(oid, bytea) TO bo_app",
        "lo_from_bytea",
        superuser=True,
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[catalogue.Connection]:
    with psycopg.connect(server.settings.dsn("bo_migrate"), dbname=server.empty) as connection:
        yield connection
        connection.rollback()


@pytest.fixture(scope="module")
def superuser(server: Server) -> Iterator[catalogue.Connection]:
    with psycopg.connect(server.postgres.admin_dsn(server.empty)) as connection:
        yield connection
        connection.rollback()


def test_each_check_has_mutants_and_each_mutant_a_name() -> None:
    assert {mutant.check for mutant in MUTANTS} == set(catalogue.CHECKS)
    assert len({mutant.what for mutant in MUTANTS}) == len(MUTANTS) >= 60


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what.replace(" ", "-"))
def test_mutant(owner: catalogue.Connection, superuser: catalogue.Connection, mutant: Mutant) -> None:
    db = superuser if mutant.superuser else owner
    try:
        assert mutant.check(db) == []
        db.execute(mutant.sql.encode())
        assert any(mutant.says in finding for finding in mutant.check(db)), mutant.check(db)
    finally:
        db.rollback()
