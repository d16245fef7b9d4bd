"""Mistakes in who may do what: roles, grants, owners, presets, and what is taken from everybody."""

from __future__ import annotations

from tests.rules import catalogue as check
from tests.rules.mutants.mutant import Mutant

MUTANTS = (
    # 14 roles
    Mutant("bypass", check.roles, "ALTER ROLE bo_app BYPASSRLS", "bo_app", superuser=True),
    Mutant("superuser", check.roles, "ALTER ROLE bo_export SUPERUSER", "bo_export", superuser=True),
    Mutant("makes roles", check.roles, "ALTER ROLE bo_app CREATEROLE", "bo_app", superuser=True),
    Mutant("replicates", check.roles, "ALTER ROLE bo_app REPLICATION", "bo_app", superuser=True),
    Mutant("a member of the owner", check.roles, "GRANT bo_owner TO bo_app", "bo_app: is a member", superuser=True),
    Mutant("a member of a reset", check.roles, "GRANT bo_reset TO bo_app", "bo_app: is a member", superuser=True),
    Mutant(
        "the owner inherits",
        check.roles,
        "GRANT bo_search TO bo_owner WITH INHERIT TRUE",
        "bo_owner: is a member",
        superuser=True,
    ),
    Mutant("a login more", check.roles, "CREATE ROLE planted LOGIN", "planted", superuser=True),
    Mutant(
        "the application owns a table",
        check.roles,
        "ALTER TABLE app.person OWNER TO bo_app",
        "bo_app: owns",
        superuser=True,
    ),
    Mutant(
        "a definer's owner owns a table",
        check.roles,
        "ALTER TABLE ctl.credential OWNER TO bo_auth",
        "ctl.credential",
        superuser=True,
    ),
    Mutant("makes databases", check.roles, "ALTER ROLE bo_dispatch CREATEDB", "bo_dispatch", superuser=True),
    Mutant(
        "passes its membership on",
        check.roles,
        "GRANT bo_owner TO bo_migrate WITH ADMIN TRUE",
        "bo_migrate: is a member",
        superuser=True,
    ),
    # 15 grants
    Mutant("truncate", check.grants, "GRANT TRUNCATE ON app.person TO bo_app", "TRUNCATE"),
    Mutant("triggers", check.grants, "GRANT TRIGGER ON app.person TO bo_app", "TRIGGER"),
    Mutant("references", check.grants, "GRANT REFERENCES ON app.person TO bo_app", "REFERENCES"),
    Mutant("to everybody", check.grants, "GRANT SELECT ON app.person TO PUBLIC", "PUBLIC"),
    Mutant("the audit wiped", check.grants, "GRANT DELETE ON app.audit_event TO bo_reset", "bo_reset holds DELETE"),
    Mutant("a reset reads", check.grants, "GRANT SELECT ON app.ledger_entry TO bo_reset", "bo_reset holds SELECT"),
    Mutant("a reset of people", check.grants, "GRANT DELETE ON app.person TO bo_reset", "bo_reset holds DELETE"),
    Mutant("a journal removed", check.grants, "GRANT DELETE ON app.ledger_entry TO bo_app", "bo_app holds DELETE"),
    Mutant("with grant option", check.grants, "GRANT SELECT ON app.person TO bo_app WITH GRANT OPTION", "app.person"),
    Mutant("the audit rewritten", check.grants, "GRANT UPDATE ON app.audit_event TO bo_app", "app.audit_event"),
    Mutant("a column rewritten", check.grants, "GRANT UPDATE (changed) ON app.audit_event TO bo_app", "changed"),
    Mutant("a forgotten grant", check.grants, "REVOKE DELETE ON app.person FROM bo_app", "should hold"),
    Mutant("the export writes", check.grants, "GRANT INSERT ON app.person TO bo_export", "bo_export holds INSERT"),
    Mutant(
        "the dispatcher reads a payload",
        check.grants,
        "GRANT SELECT (payload) ON app.job TO bo_dispatch",
        "app.job.payload",
    ),
    Mutant("the dispatcher reads it all", check.grants, "GRANT SELECT ON app.event TO bo_dispatch", "app.event"),
    Mutant("keys to the application", check.grants, "GRANT SELECT ON ctl.credential TO bo_app", "ctl.credential"),
    Mutant("the application makes things", check.grants, "GRANT CREATE ON SCHEMA app TO bo_app", "schema app"),
    Mutant("seals for the application", check.grants, "GRANT USAGE ON SCHEMA seal TO bo_app", "schema seal"),
    Mutant("everybody makes things", check.grants, "GRANT CREATE ON SCHEMA app TO PUBLIC", "schema app"),
    Mutant(
        "law that can be changed",
        check.grants,
        "CREATE TABLE ref.planted (id int PRIMARY KEY); GRANT SELECT, UPDATE ON ref.planted TO bo_app",
        "ref.planted: bo_app holds UPDATE",
    ),
    Mutant(
        "a function for everybody",
        check.grants,
        "CREATE FUNCTION app.planted() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;"
        " GRANT EXECUTE ON FUNCTION app.planted() TO PUBLIC",
        "app.planted: PUBLIC",
    ),
    Mutant(
        "an unlisted function for the application",
        check.grants,
        "CREATE FUNCTION app.planted() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;"
        " GRANT EXECUTE ON FUNCTION app.planted() TO bo_app",
        "app.planted: bo_app",
    ),
    Mutant(
        "a default for everybody",
        check.grants,
        "ALTER DEFAULT PRIVILEGES FOR ROLE bo_owner IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC",
        "default r",
    ),
    Mutant(
        "everybody may connect",
        check.grants,
        "DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()); END $$",
        "database",
    ),
    Mutant(
        "a listed grant gone",
        check.grants,
        "REVOKE SELECT (state) ON app.job FROM bo_dispatch",
        "bo_dispatch: the list grants SELECT on app.job.state",
    ),
    Mutant(
        "a type for the application",
        check.grants,
        "CREATE TYPE app.planted AS ENUM ('x'); GRANT USAGE ON TYPE app.planted TO bo_app",
        "type app.planted",
    ),
    # 18 owners
    Mutant(
        "a table of somebody's", check.owners, "ALTER TABLE app.person OWNER TO bo_search", "app.person", superuser=True
    ),
    Mutant(
        "a schema of somebody's", check.owners, "ALTER SCHEMA app OWNER TO bo_migrate", "schema app", superuser=True
    ),
    Mutant(
        "a function of the superuser's",
        check.owners,
        "CREATE FUNCTION app.planted() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
        "app.planted",
        superuser=True,
    ),
    Mutant("a schema more", check.owners, "CREATE SCHEMA planted AUTHORIZATION bo_search", "planted", superuser=True),
    Mutant(
        "a type of somebody's",
        check.owners,
        "CREATE TYPE app.planted AS ENUM ('x'); ALTER TYPE app.planted OWNER TO bo_search",
        "app.planted",
        superuser=True,
    ),
    Mutant(
        "an extension", check.owners, "CREATE EXTENSION citext SCHEMA pg_catalog", "extension citext", superuser=True
    ),
    # 19 presets
    Mutant(
        "a preset tenant",
        check.presets,
        "ALTER ROLE bo_app SET app.tenant_id = '00000000-0000-7000-8000-000000000000'",
        "app.tenant_id",
        superuser=True,
    ),
    Mutant("a preset path", check.presets, "ALTER ROLE bo_app SET search_path = app", "search_path", superuser=True),
    Mutant(
        "row security off", check.presets, "ALTER ROLE bo_export SET row_security = off", "bo_export", superuser=True
    ),
    Mutant("no timeout", check.presets, "ALTER ROLE bo_app SET statement_timeout = 0", "to none", superuser=True),
    Mutant(
        "a preset of the database",
        check.presets,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET row_security = off', current_database()); END $$",
        "everybody",
        superuser=True,
    ),
    # 20 dangerous functions
    Mutant(
        "ends sessions",
        check.dangerous_functions,
        "GRANT EXECUTE ON FUNCTION pg_terminate_backend(integer, bigint) TO bo_app",
        "pg_terminate_backend",
        superuser=True,
    ),
    Mutant(
        "everybody ends sessions",
        check.dangerous_functions,
        "GRANT EXECUTE ON FUNCTION pg_cancel_backend(integer) TO PUBLIC",
        "pg_cancel_backend",
        superuser=True,
    ),
    Mutant(
        "reads sessions",
        check.dangerous_functions,
        "GRANT SELECT ON pg_catalog.pg_stat_activity TO PUBLIC",
        "pg_stat_activity",
        superuser=True,
    ),
    Mutant(
        "keeps large objects",
        check.dangerous_functions,
        "GRANT EXECUTE ON FUNCTION lo_from_bytea(oid, bytea) TO bo_app",
        "lo_from_bytea",
        superuser=True,
    ),
    Mutant(
        "reads files",
        check.dangerous_functions,
        "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO bo_app",
        "pg_read_file",
        superuser=True,
    ),
    Mutant(
        "reads passwords",
        check.dangerous_functions,
        "GRANT SELECT ON pg_catalog.pg_authid TO bo_export",
        "pg_authid",
        superuser=True,
    ),
)
