-- Roles, who may connect to what, and what everybody loses. Idempotent; to be run by a superuser.
--
-- The embedded server has it run at every start (`backoffice.platform.postgres.roles`). On a PostgreSQL (18 or
-- newer) of your own, which should serve backoffice alone, either set BACKOFFICE_DATABASE_ADMIN_URL to a superuser's
-- URL for one run of `backoffice db setup`, or do the same by hand, with the client programs of PostgreSQL 17 or newer:
--
--   psql -1 -d postgres          -f infra/postgres/roles.sql
--   createdb -O bo_owner -T template0 -E UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 backoffice
--   createdb -O bo_queue -T template0 -E UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 backoffice_queue
--   psql -1 -d backoffice        -f infra/postgres/roles.sql
--   psql -1 -d backoffice_queue  -f infra/postgres/roles.sql
--
-- and give every login role a password (\password bo_app, …); none stands in this file. The first part is about the
-- whole server, the second about the database it is run in, so every run may do both. Schemas, tables and the grants
-- on them are not here: Alembic makes them, as bo_migrate.

-- ── 1. Roles ─────────────────────────────────────────────────────────────────────────────────────────────────────
DO $$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY[
    'bo_owner', 'bo_auth', 'bo_search', 'bo_seal', 'bo_reset',
    'bo_migrate', 'bo_app', 'bo_dispatch', 'bo_queue', 'bo_export', 'bo_sealer', 'bo_backup', 'bo_metrics'
  ] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I', role_name);
    END IF;
  END LOOP;
END $$;

-- No role bypasses row-level security, and none but the superuser makes roles or databases.
ALTER ROLE bo_owner    NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
ALTER ROLE bo_auth     NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
ALTER ROLE bo_search   NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
ALTER ROLE bo_seal     NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
ALTER ROLE bo_reset    NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
ALTER ROLE bo_migrate  LOGIN   NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
ALTER ROLE bo_app      LOGIN   NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
ALTER ROLE bo_dispatch LOGIN   NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
ALTER ROLE bo_queue    LOGIN   NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
ALTER ROLE bo_export   LOGIN   NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
ALTER ROLE bo_sealer   LOGIN   NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
ALTER ROLE bo_backup   LOGIN   NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE REPLICATION   NOINHERIT;
ALTER ROLE bo_metrics  LOGIN   NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION INHERIT;

-- bo_owner may hand functions to these four (ALTER … OWNER TO) and become them (SET ROLE), and inherits nothing from
-- them: a policy for bo_search would otherwise open the searched tables to the owner too.
GRANT bo_auth, bo_search, bo_seal, bo_reset TO bo_owner WITH INHERIT FALSE, SET TRUE, ADMIN FALSE;
GRANT bo_owner TO bo_migrate WITH INHERIT FALSE, SET TRUE, ADMIN FALSE;
GRANT pg_monitor TO bo_metrics WITH INHERIT TRUE, SET FALSE, ADMIN FALSE;

-- A migration session is the owner from its first statement on, fails on a filtered read instead of finding nothing,
-- and gives way when it would have to wait for a lock.
ALTER ROLE bo_migrate SET role = 'bo_owner';
ALTER ROLE bo_migrate SET row_security = off;
ALTER ROLE bo_migrate SET lock_timeout = '3s';

-- Nets under the limits that each transaction sets for itself.
ALTER ROLE bo_app SET statement_timeout = '5s';
ALTER ROLE bo_app SET lock_timeout = '2s';
ALTER ROLE bo_app SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE bo_dispatch SET statement_timeout = '5s';
ALTER ROLE bo_dispatch SET lock_timeout = '2s';
ALTER ROLE bo_dispatch SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE bo_dispatch SET transaction_timeout = '30s';
ALTER ROLE bo_queue SET statement_timeout = '5s';
ALTER ROLE bo_queue SET lock_timeout = '2s';
ALTER ROLE bo_queue SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE bo_queue SET transaction_timeout = '30s';
ALTER ROLE bo_export SET statement_timeout = '300s';
ALTER ROLE bo_export SET lock_timeout = '2s';
ALTER ROLE bo_export SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE bo_sealer SET statement_timeout = '60s';
ALTER ROLE bo_sealer SET lock_timeout = '2s';
ALTER ROLE bo_sealer SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE bo_metrics SET statement_timeout = '5s';
ALTER ROLE bo_metrics SET lock_timeout = '2s';

-- The server's own databases are for the superuser.
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;

-- ── 2. This database ─────────────────────────────────────────────────────────────────────────────────────────────
-- Its owner says what it is: bo_owner owns the application's databases, bo_queue the queue's. The queue has a database
-- of its own so that a long transaction here holds back no clean-up there, and its login sees nothing else.
DO $$
DECLARE
  here text := pg_catalog.current_database();
  owner text := (
    SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
  );
BEGIN
  IF owner IN ('bo_owner', 'bo_queue') THEN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', here);
  END IF;
  IF owner = 'bo_owner' THEN
    EXECUTE format(
      'GRANT CONNECT ON DATABASE %I TO bo_migrate, bo_app, bo_dispatch, bo_export, bo_sealer, bo_metrics', here);
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO bo_app', here);  -- bulk loads go through a temporary table
  ELSIF owner = 'bo_queue' THEN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO bo_queue', here);
  END IF;
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- What is made from now on belongs to its owner and to whom a migration names, never to everybody.
ALTER DEFAULT PRIVILEGES FOR ROLE bo_owner, bo_auth, bo_search, bo_seal, bo_reset, bo_migrate, bo_queue
  REVOKE ALL ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE bo_owner, bo_auth, bo_search, bo_seal, bo_reset, bo_migrate, bo_queue
  REVOKE ALL ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE bo_owner, bo_auth, bo_search, bo_seal, bo_reset, bo_migrate, bo_queue
  REVOKE ALL ON TABLES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE bo_owner, bo_auth, bo_search, bo_seal, bo_reset, bo_migrate, bo_queue
  REVOKE ALL ON SEQUENCES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE bo_owner, bo_auth, bo_search, bo_seal, bo_reset, bo_migrate, bo_queue
  REVOKE ALL ON SCHEMAS FROM PUBLIC;

-- All sessions of bo_app look alike to PostgreSQL: an injected query could read another session's statement with its
-- tenant in it, or end it. Nobody but the monitor needs to see sessions, and nobody at all to end them.
REVOKE ALL ON pg_catalog.pg_stat_activity FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_stat_get_activity(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_stat_get_backend_activity(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_terminate_backend(integer, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_cancel_backend(integer) FROM PUBLIC;
GRANT SELECT ON pg_catalog.pg_stat_activity TO bo_metrics;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_get_activity(integer) TO bo_metrics;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_get_backend_activity(integer) TO bo_metrics;

-- Large objects have an owner but no tenant.
REVOKE ALL ON FUNCTION pg_catalog.lo_creat(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.lo_create(oid) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.lo_import(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.lo_import(text, oid) FROM PUBLIC;
