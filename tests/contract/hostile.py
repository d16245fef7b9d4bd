"""What somebody who can run any SQL as bo_app, inside one tenant's transaction, would try. `{…}` are filled in by the
test; statements of one attempt are separated by `;;` and run in order, each on its own."""

from __future__ import annotations

PEOPLE = "SELECT * FROM app.worker"

READS = {
    "all rows": PEOPLE,
    "of another tenant": PEOPLE + " WHERE tenant_id = '{victim}'",
    "of any other": PEOPLE + " WHERE tenant_id <> '{mine}'",
    "or true": PEOPLE + " WHERE tenant_id = '{mine}' OR true",
    "not": PEOPLE + " WHERE NOT (tenant_id = '{mine}')",
    "by id": PEOPLE + " WHERE id = '{worker}'",
    "table": "TABLE app.worker",
    "union": "SELECT last_name FROM app.client c, app.worker UNION ALL SELECT last_name FROM app.worker",
    "cte": "WITH all_ AS MATERIALIZED (SELECT * FROM app.worker) SELECT * FROM all_",
    "recursive cte": "WITH RECURSIVE r AS (SELECT * FROM app.worker UNION ALL SELECT w.* FROM app.worker w"
    " JOIN r ON false) SELECT * FROM r",
    "lateral": "SELECT w.* FROM (VALUES ('{victim}'::uuid)) v (t), LATERAL"
    " (SELECT * FROM app.worker x WHERE x.tenant_id = v.t) w",
    "join by id": "SELECT w.* FROM app.bank_account b JOIN app.worker w ON w.id = b.worker_id",
    "aggregate": "SELECT string_agg(last_name, ','), array_agg(DISTINCT tenant_id)::text FROM app.worker",
    "window": "SELECT array_agg(last_name) OVER () FROM app.worker",
    "whole row": "SELECT w::text FROM app.worker w",
    "as json": "SELECT to_jsonb(w) FROM app.worker w",
    "as xml": "SELECT query_to_xml('SELECT * FROM app.worker', true, true, '')",
    "schema as xml": "SELECT schema_to_xml('app', true, true, '')",
    "exists": "SELECT 'VICTIM' WHERE EXISTS (SELECT FROM app.worker WHERE id = '{worker}')",
    "count of others": "SELECT 'VICTIM' FROM app.worker WHERE tenant_id <> '{mine}' HAVING count(*) > 0",
    "system columns": "SELECT xmin, ctid, tableoid::regclass, * FROM app.worker WHERE ctid IS NOT NULL",
    "by ctid": PEOPLE + " WHERE ctid >= '(0,1)'",
    "sampled": PEOPLE + " TABLESAMPLE SYSTEM (100)",
    "for update": PEOPLE + " FOR UPDATE",
    "only": "SELECT * FROM ONLY app.worker",
    "cursor": "DECLARE c SCROLL CURSOR FOR SELECT * FROM app.worker;;FETCH ALL FROM c",
    "held cursor": "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM app.worker;;FETCH ALL FROM c",
    "prepared": "PREPARE p AS SELECT * FROM app.worker;;EXECUTE p",
    "row security off": "SET LOCAL row_security = off;;" + PEOPLE,
    "row security off by set_config": "SELECT set_config('row_security', 'off', true);;" + PEOPLE,
    "events of others": "SELECT body FROM app.event",
    "keys of others": "SELECT * FROM app.data_key",
    "answers of others": "SELECT * FROM app.idempotency",
    "no context": "SET LOCAL app.tenant_id = '';;" + PEOPLE,
    "reset context": "RESET app.tenant_id;;" + PEOPLE,
    "all contexts reset": "RESET ALL;;" + PEOPLE,
    "discarded context": "COMMIT;;DISCARD ALL;;BEGIN;;" + PEOPLE,
    "context of text": "SET LOCAL app.tenant_id = 'x'' OR true --';;" + PEOPLE,
    "context of null bytes": "SET LOCAL app.tenant_id = '00000000-0000-0000-0000-000000000000';;" + PEOPLE,
    "xmin horizon": "SELECT last_name FROM app.worker WHERE pg_snapshot_xmin(pg_current_snapshot())::text <> ''",
}

LEAKY = {
    "a cheap function": "CREATE FUNCTION pg_temp.leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS"
    " $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$;;SELECT 1 FROM app.worker WHERE pg_temp.leak(last_name)",
    "a cheap function and a forged condition": "CREATE FUNCTION pg_temp.leak(text) RETURNS bool LANGUAGE plpgsql"
    " COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN false; END $$;;"
    "SELECT 1 FROM app.worker WHERE pg_temp.leak(last_name) AND tenant_id = '{victim}'",
    "leakproof": "CREATE FUNCTION pg_temp.leak(text) RETURNS bool LANGUAGE plpgsql LEAKPROOF AS"
    " $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$;;SELECT 1 FROM app.worker WHERE pg_temp.leak(last_name)",
    "explained": "CREATE FUNCTION pg_temp.leak(text) RETURNS bool LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$;;"
    "EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) SELECT * FROM app.worker WHERE pg_temp.leak(last_name)",
    "an operator": "CREATE FUNCTION pg_temp.leak(text, text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS"
    " $$ BEGIN RAISE NOTICE 'seen % %', $1, $2; RETURN true; END $$;;"
    "CREATE OPERATOR pg_temp.<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.leak);;"
    "SELECT 1 FROM app.worker WHERE last_name OPERATOR(pg_temp.<<<) 'a'",
    "an aggregate": "CREATE FUNCTION pg_temp.leak(text, text) RETURNS text LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE NOTICE 'seen %', $2; RETURN $2; END $$;;"
    "CREATE AGGREGATE pg_temp.leaked (text) (SFUNC = pg_temp.leak, STYPE = text);;"
    "SELECT pg_temp.leaked(last_name) FROM app.worker",
    "division by zero": "SELECT 1 FROM app.worker WHERE 1 / (CASE WHEN last_name LIKE 'VICTIM%' THEN 0 ELSE 1 END) = 1",
    "a cast that quotes": "SELECT 1 FROM app.worker WHERE last_name LIKE 'VICTIM%' AND last_name::int = 1",
    "a cast before the policy": "SELECT 1 FROM app.worker WHERE CAST(last_name AS uuid) IS NOT NULL"
    " AND last_name LIKE 'VICTIM%'",
    "a regular expression that fails": "SELECT 1 FROM app.worker WHERE 'x' ~ (last_name || '(') AND"
    " last_name LIKE 'VICTIM%'",
    "a default of a temporary table": "CREATE TEMP TABLE t (x text CHECK (length(x) < 1));;"
    "INSERT INTO t SELECT last_name FROM app.worker WHERE last_name LIKE 'VICTIM%'",
    "a sort by a leak": "CREATE FUNCTION pg_temp.leak(text) RETURNS text LANGUAGE plpgsql COST 0.0000001 AS"
    " $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN $1; END $$;;SELECT 1 FROM app.worker ORDER BY pg_temp.leak(last_name)",
    "a join by a leak": "CREATE FUNCTION pg_temp.leak(text, text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS"
    " $$ BEGIN RAISE NOTICE 'seen % %', $1, $2; RETURN true; END $$;;"
    "SELECT 1 FROM app.worker a JOIN app.client b ON pg_temp.leak(a.last_name, b.name)",
    "a cheap leak in a view": "CREATE FUNCTION pg_temp.leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS"
    " $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$;;"
    "CREATE TEMP VIEW v AS SELECT last_name FROM app.worker WHERE pg_temp.leak(last_name);;SELECT * FROM v",
}

SHADOWS = {
    "a temporary view": "CREATE TEMP VIEW v AS SELECT * FROM app.worker;;SELECT * FROM v",
    "a temporary view as its owner": "CREATE TEMP VIEW v WITH (security_invoker = false) AS SELECT * FROM app.worker;;"
    "SELECT * FROM v",
    "a copy": "CREATE TEMP TABLE t AS SELECT * FROM app.worker;;SELECT * FROM t",
    "a context of my own": "CREATE FUNCTION pg_temp.current_tenant() RETURNS uuid LANGUAGE sql AS"
    " $$ SELECT '{victim}'::uuid $$;;SET LOCAL search_path = pg_temp, app, pg_catalog;;" + PEOPLE,
    "a setting of my own": "CREATE FUNCTION pg_temp.current_setting(text) RETURNS text LANGUAGE sql AS"
    " $$ SELECT '{victim}' $$;;SET LOCAL search_path = pg_temp, pg_catalog;;" + PEOPLE,
    "an equality of my own": "CREATE FUNCTION pg_temp.same(uuid, uuid) RETURNS bool LANGUAGE sql AS $$ SELECT true $$;;"
    "CREATE OPERATOR pg_temp.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = pg_temp.same);;"
    "SET LOCAL search_path = pg_temp, pg_catalog;;" + PEOPLE,
    "a cast of my own": "CREATE FUNCTION pg_temp.uuid(text) RETURNS uuid LANGUAGE sql AS"
    " $$ SELECT '{victim}'::uuid $$;;SET LOCAL search_path = pg_temp, pg_catalog;;" + PEOPLE,
    "a worker of my own": "CREATE TEMP TABLE worker (tenant_id uuid, id uuid, last_name text);;"
    "SET LOCAL search_path = pg_temp, app;;" + PEOPLE,
    "credentials of my own": "CREATE TEMP TABLE credential (hmac bytea, tenant_id uuid, key_id uuid, person_id uuid,"
    " kind text, scopes text[], api_version text, not_after timestamptz, revoked_at timestamptz);;"
    "INSERT INTO credential VALUES ('x', '{victim}', '{victim}', '{victim}', 'sk', '{{*}}', '2026-11-21', NULL, NULL);;"
    "SET LOCAL search_path = pg_temp, ctl;;SELECT * FROM ctl.open_key('x')",
    "clock of my own for a definer": "CREATE FUNCTION pg_temp.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS"
    " $$ SELECT '-infinity'::timestamptz $$;;SET LOCAL search_path = pg_temp;;SELECT * FROM ctl.open_key('\\x00')",
    "context of my own for a definer": "CREATE FUNCTION pg_temp.current_tenant() RETURNS uuid LANGUAGE sql AS"
    " $$ SELECT '{victim}'::uuid $$;;SET LOCAL search_path = pg_temp, app;;SELECT * FROM ctl.tenant_settings()",
    "a function made in app": "CREATE FUNCTION app.mine() RETURNS SETOF app.worker LANGUAGE sql SECURITY DEFINER AS"
    " $$ SELECT * FROM app.worker $$;;SELECT * FROM app.mine()",
    "a definer in pg_temp": "CREATE FUNCTION pg_temp.mine() RETURNS SETOF app.worker LANGUAGE sql SECURITY DEFINER AS"
    " $$ SELECT * FROM app.worker $$;;SELECT * FROM pg_temp.mine()",
    "a definer without row security": "CREATE FUNCTION pg_temp.mine() RETURNS SETOF app.worker LANGUAGE sql"
    " SECURITY DEFINER SET row_security = off AS $$ SELECT * FROM app.worker $$;;SELECT * FROM pg_temp.mine()",
    "a block": "DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM app.worker LOOP RAISE NOTICE '%', r; END LOOP;"
    " END $$",
    "a table in public": "CREATE TABLE public.t AS SELECT * FROM app.worker",
}

WRITES = {
    "update all": "UPDATE app.worker SET last_name = 'GONE'",
    "update another's": "UPDATE app.worker SET last_name = 'GONE' WHERE tenant_id = '{victim}'",
    "update by id": "UPDATE app.worker SET last_name = 'GONE' WHERE id = '{worker}'",
    "update from": "UPDATE app.worker w SET last_name = 'GONE' FROM app.client c WHERE w.tenant_id <> '{mine}'",
    "give away": "UPDATE app.worker SET tenant_id = '{victim}'",
    "take": "UPDATE app.worker SET tenant_id = '{mine}' WHERE id = '{worker}'",
    "delete all": "DELETE FROM app.job_step;;DELETE FROM app.idempotency",
    "delete another's": "DELETE FROM app.idempotency WHERE tenant_id = '{victim}'",
    "delete by using": "DELETE FROM app.idempotency i USING app.worker w WHERE i.tenant_id <> '{mine}'",
    "insert for another": "INSERT INTO app.counter (tenant_id, name, next) VALUES ('{victim}', 'planted', 1)",
    "insert for another from a select": "INSERT INTO app.counter (tenant_id, name, next)"
    " SELECT '{victim}', name, 7 FROM app.counter",
    "upsert into another's": "INSERT INTO app.counter (tenant_id, name, next) VALUES ('{victim}', 'worker', 1)"
    " ON CONFLICT (tenant_id, name) DO UPDATE SET next = 1000000",
    "upsert that moves": "INSERT INTO app.counter (tenant_id, name, next) VALUES ('{mine}', 'moved', 1)"
    " ON CONFLICT (tenant_id, name) DO UPDATE SET tenant_id = '{victim}';;"
    "INSERT INTO app.counter (tenant_id, name, next) VALUES ('{mine}', 'moved', 1)"
    " ON CONFLICT (tenant_id, name) DO UPDATE SET tenant_id = '{victim}'",
    "do nothing": "INSERT INTO app.counter (tenant_id, name, next) VALUES ('{victim}', 'worker', 1)"
    " ON CONFLICT DO NOTHING RETURNING *",
    "merge": "MERGE INTO app.counter c USING (SELECT '{victim}'::uuid AS t) s ON c.tenant_id = s.t"
    " WHEN MATCHED THEN UPDATE SET next = 1000000 WHEN NOT MATCHED THEN INSERT (tenant_id, name, next)"
    " VALUES (s.t, 'planted', 1)",
    "merge deletes": "MERGE INTO app.idempotency i USING (VALUES (1)) v ON i.tenant_id = '{victim}'"
    " WHEN MATCHED THEN DELETE",
    "cte writes": "WITH gone AS (DELETE FROM app.idempotency RETURNING *)"
    " SELECT * FROM gone WHERE tenant_id <> '{mine}'",
    "refer to another's": "UPDATE app.bank_account SET worker_id = '{worker}'",
    "an event for another": "INSERT INTO app.event (tenant_id, type, object_type, object_id, object_sequence, body,"
    " actor, request_id, occurred_at) VALUES"
    " ('{victim}', 'x.y', 'worker', '{worker}', 99, '{{}}', 'system:x', 'x', now())",
    "a job for another": "INSERT INTO app.job (tenant_id, kind, kind_version, band, state, payload, actor, request_id,"
    " max_attempts, created_at, updated_at) VALUES ('{victim}', 'x', 1, 'bulk', 'ready', '{{}}', 'system:x', 'x', 1,"
    " now(), now())",
    "audit rewritten": "UPDATE app.audit_event SET actor = 'system:nobody'",
    "audit removed": "DELETE FROM app.audit_event",
    "audit for another": "INSERT INTO app.audit_event (tenant_id, actor, actor_kind, request_id, action)"
    " VALUES ('{victim}', 'system:x', 'system', 'x', 'x.y')",
    "journal rewritten": "UPDATE app.ledger_entry SET amount_minor = 0",
    "journal removed": "DELETE FROM app.ledger_entry",
    "truncate": "TRUNCATE app.worker CASCADE",
    "truncate one": "TRUNCATE app.counter",
    "constraints deferred": "SET CONSTRAINTS ALL DEFERRED;;UPDATE app.bank_account SET worker_id = '{worker}'",
    "as a replica": "SET LOCAL session_replication_role = replica;;UPDATE app.bank_account SET worker_id = '{worker}'",
    "a rule": "CREATE RULE r AS ON INSERT TO app.worker DO ALSO NOTHING",
    "a trigger": "CREATE TRIGGER t BEFORE INSERT ON app.worker FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "copy in": "COPY app.counter (tenant_id, name, next) FROM STDIN",
}

RIGHTS = {
    f"becomes {role}": f"SET LOCAL ROLE {role};;" + PEOPLE
    for role in (
        *("bo_owner", "bo_migrate", "bo_dispatch", "bo_export", "bo_sealer", "bo_auth", "bo_search", "bo_seal"),
        *("bo_reset", "bo_super", "bo_backup", "pg_read_all_data", "pg_write_all_data", "pg_monitor"),
    )
} | {
    "a context in a function": "CREATE FUNCTION pg_temp.f() RETURNS SETOF app.worker LANGUAGE sql"
    " SET app.tenant_id = '{victim}' AS $$ SELECT * FROM app.worker $$;;SELECT * FROM pg_temp.f()",
    "authorised as another": "SET SESSION AUTHORIZATION bo_owner;;" + PEOPLE,
    "authorised as the superuser": "SET SESSION AUTHORIZATION bo_super;;" + PEOPLE,
    "role none": "SET LOCAL ROLE NONE;;" + PEOPLE,
    "bypasses": "ALTER ROLE bo_app BYPASSRLS;;" + PEOPLE,
    "is granted the owner": "GRANT bo_owner TO bo_app;;" + PEOPLE,
    "makes a role": "CREATE ROLE mine SUPERUSER",
    "switches the walls off": "ALTER TABLE app.worker DISABLE ROW LEVEL SECURITY;;" + PEOPLE,
    "does not force": "ALTER TABLE app.worker NO FORCE ROW LEVEL SECURITY;;" + PEOPLE,
    "a policy": "CREATE POLICY mine ON app.worker USING (true);;" + PEOPLE,
    "another policy": "ALTER POLICY tenant_isolation ON app.worker USING (true);;" + PEOPLE,
    "no policy": "DROP POLICY tenant_isolation ON app.worker;;" + PEOPLE,
    "another context": "CREATE OR REPLACE FUNCTION app.current_tenant() RETURNS uuid LANGUAGE sql AS"
    " $$ SELECT '{victim}'::uuid $$;;" + PEOPLE,
    "owns": "ALTER TABLE app.worker OWNER TO bo_app;;" + PEOPLE,
    "grants": "GRANT SELECT ON ctl.credential TO bo_app;;SELECT * FROM ctl.credential",
    "credentials": "SELECT * FROM ctl.credential",
    "firms": "SELECT * FROM ctl.firm",
    "tenants": "SELECT * FROM ctl.tenant",
    "numbers": "SELECT * FROM ctl.employer_ein",
    "seals": "SELECT * FROM seal.key",
    "migrations": "SELECT * FROM migrations.alembic_version",
    "an extension": "CREATE EXTENSION dblink SCHEMA app",
    "another extension": "CREATE EXTENSION postgres_fdw SCHEMA app",
    "a wrapper": "CREATE FOREIGN DATA WRAPPER mine",
    "a publication": "CREATE PUBLICATION p FOR TABLE app.worker",
    "a subscription": "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)",
    "statistics": "CREATE STATISTICS app.s ON last_name, id FROM app.worker",
    "an event trigger": "CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION app.current_tenant()",
    "system settings": "COMMIT;;ALTER SYSTEM SET row_security = off",
    "database settings": "ALTER DATABASE backoffice SET app.tenant_id = '{victim}'",
    "a preset tenant": "ALTER ROLE bo_app SET app.tenant_id = '{victim}'",
    # A role may change its own presets and password, which no grant prevents: sessions to come fail, none sees more.
    "own settings": "ALTER ROLE bo_app SET row_security = off",
    "a program": "COPY (SELECT 1) TO PROGRAM 'id'",
    "a file": "COPY app.worker TO '/tmp/worker'",
    "reads a file": "SELECT pg_read_file('PG_VERSION')",
    "lists files": "SELECT pg_ls_dir('.')",
    "reads a binary": "SELECT pg_read_binary_file('base/1/1259')",
    "loads": "LOAD 'auto_explain'",
    "a procedural language": "CREATE LANGUAGE mine HANDLER plpgsql_call_handler",
    "an internal function": "CREATE FUNCTION pg_temp.x() RETURNS int LANGUAGE internal AS 'pg_backend_pid'",
    "a C function": "CREATE FUNCTION pg_temp.x() RETURNS int LANGUAGE c AS 'libc.so.6', 'system'",
    "a table": "CREATE TABLE app.mine (tenant_id uuid)",
    "a schema": "CREATE SCHEMA mine",
    "a type": "CREATE TYPE app.mine AS ENUM ('x')",
    "a lock": "LOCK TABLE app.audit_event IN ACCESS EXCLUSIVE MODE",
    "a lock on keys": "LOCK TABLE ctl.credential IN ACCESS SHARE MODE",
    "maintenance": "REINDEX TABLE app.worker",
    "a cluster": "CLUSTER app.worker USING worker_pkey",
    "a comment": "COMMENT ON TABLE app.worker IS 'mine'",
}

CATALOGUE = {
    "statistics of columns": "SELECT s::text FROM pg_stats s WHERE schemaname = 'app'",
    "extended statistics": "SELECT s::text FROM pg_stats_ext s",
    "raw statistics": "SELECT s::text FROM pg_statistic s",
    "sessions": "SELECT * FROM pg_stat_activity",
    "sessions by function": "SELECT * FROM pg_stat_get_activity(NULL)",
    "a session's statement": "SELECT pg_stat_get_backend_activity(i) FROM pg_stat_get_backend_idset() i",
    "prepared statements": "SELECT * FROM pg_prepared_statements",
    "cursors": "SELECT * FROM pg_cursors",
    "prepared transactions": "SELECT * FROM pg_prepared_xacts",
    "settings": "SELECT name, setting FROM pg_settings WHERE name LIKE 'app.%'",
    "presets": "SELECT * FROM pg_db_role_setting",
    "passwords": "SELECT * FROM pg_authid",
    "shadows": "SELECT * FROM pg_shadow",
    "mappings": "SELECT * FROM pg_user_mappings",
    "hba": "SELECT * FROM pg_hba_file_rules",
    "replication": "SELECT * FROM pg_stat_replication",
    "slots": "SELECT * FROM pg_logical_slot_get_changes('x', NULL, NULL)",
    "a slot": "SELECT pg_create_logical_replication_slot('mine', 'pgoutput')",
    "large objects": "SELECT * FROM pg_largeobject",
    "log": "SELECT pg_current_logfile()",
    "wal": "SELECT pg_switch_wal()",
    "views of the schema": "SELECT view_definition FROM information_schema.views WHERE table_schema = 'app'",
    "dead rows": "SELECT last_name FROM app.worker WHERE xmax <> 0",
    "function bodies": "SELECT prosrc FROM pg_proc WHERE prosrc LIKE '%{victim}%'",
}

OBJECTS = {
    "a large object": "SELECT lo_create(0)",
    "another": "SELECT lo_creat(-1)",
    "from bytes": "SELECT lo_from_bytea(0, 'VICTIM')",
    "imported": "SELECT lo_import('/etc/passwd')",
    "exported": "SELECT lo_export(1, '/tmp/x')",
    "ends another": "SELECT pg_terminate_backend({pid})",
    "cancels another": "SELECT pg_cancel_backend({pid})",
    "ends all": "SELECT pg_terminate_backend(pid) FROM pg_locks",
    "reloads": "SELECT pg_reload_conf()",
    "promotes": "SELECT pg_promote()",
    "backs up": "SELECT pg_backup_start('x')",
    "logs contexts": "SELECT pg_log_backend_memory_contexts({pid})",
}

DEFINERS = {
    "opens nothing": "SELECT * FROM ctl.open_key(NULL)",
    "opens by guess": "SELECT * FROM ctl.open_key('\\x00')",
    "opens a pattern": "SELECT * FROM ctl.open_key('%')",
    "usage of others": "SELECT * FROM ctl.key_usage()",
    "settings of others": "SELECT * FROM ctl.tenant_settings()",
    "revokes another's": "SELECT 'VICTIM' WHERE ctl.revoke_key('{key}', now())",
    "revokes at random": "SELECT 'VICTIM' WHERE ctl.revoke_key(gen_random_uuid(), now())",
    "a key for another": "SELECT ctl.add_key('planted', '{key}', '{worker}', 'sk', '{{*}}', '2026-11-21', NULL)",
    "uses another's key by its id": "SELECT ctl.key_used(ARRAY['{key}'::bytea])",
    "uses another's key by its bytes": "SELECT ctl.key_used(ARRAY[uuid_send('{key}')])",
    "uses another's key by a digest": "SELECT ctl.key_used(ARRAY[sha256('{key}'), sha256(uuid_send('{key}'))])",
    "uses every key": "SELECT ctl.key_used((SELECT array_agg(hmac) FROM ctl.credential))",
    "uses what is no key": "SELECT ctl.key_used(NULL), ctl.key_used(ARRAY[NULL, '%', '\\x']::bytea[])",
    "revokes all it sees": "SELECT ctl.revoke_key(key_id, now()) FROM ctl.key_usage()",
    "limits of all": "SELECT * FROM ctl.dispatch_limits()",
    "makes a tenant": "SELECT ctl.apply_tenant('{{}}', '{{}}')",
    "a body in the argument": "SELECT * FROM ctl.open_key(E'\\\\x'' OR true --')",
    "wipes the audit": "SELECT ctl.wipe('audit_event')",
    "wipes people": "SELECT ctl.wipe('person')",
    "wipes what is no name": "SELECT ctl.wipe('ledger_entry WHERE true --')",
    "wipes another schema": "SELECT ctl.wipe('ledger_entry USING ctl.tenant')",
    "wipes credentials": "SELECT ctl.wipe('../ctl.credential')",
    "wipes a shadow": "CREATE FUNCTION pg_temp.test_tenant() RETURNS uuid LANGUAGE sql AS"
    " $$ SELECT '{victim}'::uuid $$;;SET LOCAL search_path = pg_temp, app, ctl;;SELECT ctl.wipe('webhook_digest')",
    "wipes by a join": "SELECT ctl.wipe(relname) FROM pg_class WHERE relname = 'webhook_digest'",
    "asks who is a test tenant": "SELECT ctl.test_tenant() FROM app.worker",
    "another's EIN": "SELECT 'VICTIM' FROM ctl.claim_ein('{ein}') c WHERE c AND false",
}

# The one way that is open until the context is sealed (tenancy and security §4, W2): say that one is somebody else.
CONTEXT = {
    "set local": "SET LOCAL app.tenant_id = '{victim}';;" + PEOPLE,
    "set": "SET app.tenant_id = '{victim}';;" + PEOPLE,
    "set_config": "SELECT set_config('app.tenant_id', '{victim}', true);;" + PEOPLE,
    "set_config for the session": "SELECT set_config('app.tenant_id', '{victim}', false);;" + PEOPLE,
    "in a savepoint": "SAVEPOINT s;;SET LOCAL app.tenant_id = '{victim}';;" + PEOPLE,
    "in one statement": "WITH c AS MATERIALIZED (SELECT set_config('app.tenant_id', '{victim}', true))"
    " SELECT w.* FROM c, app.worker w",
    "in a block": "DO $$ BEGIN PERFORM set_config('app.tenant_id', '{victim}', true); END $$;;" + PEOPLE,
    "in a transaction of its own": "COMMIT;;BEGIN;;SET LOCAL app.tenant_id = '{victim}';;" + PEOPLE,
    "to write": "SET LOCAL app.tenant_id = '{victim}';;UPDATE app.worker SET last_name = 'GONE';;" + PEOPLE,
}

GROUPS = {
    "reads": READS,
    "leaky functions": LEAKY,
    "shadows": SHADOWS,
    "writes": WRITES,
    "rights": RIGHTS,
    "catalogue": CATALOGUE,
    "objects and sessions": OBJECTS,
    "definer functions": DEFINERS,
}

# How an attempt is refused that is not refused for want of a right (42501). Any other refusal would mean that it was
# never tried: a column that is not there any more, a typing mistake.
REFUSED_OTHERWISE = {
    "as xml": "0A000",  # the embedded server is built without it
    "schema as xml": "0A000",
    "no context": "22P02",
    "reset context": "22P02",
    "all contexts reset": "22P02",
    "discarded context": "22P02",
    "context of text": "22P02",
    "refer to another's": "23503",
    "constraints deferred": "23503",
    "copy in": "0A000",
    "a body in the argument": "22023",
    "wipes what is no name": "42P01",
    "wipes another schema": "42P01",
    "wipes credentials": "42P01",
}


def as_it_should(name: str, refused: str) -> bool:
    """Whether an attempt ran to its end or was refused for the right reason."""
    return refused in ("", REFUSED_OTHERWISE.get(name, "42501"))


# Of the attempts that row-level security answers, those of which nothing is seen when it is off: another wall stands.
SILENT_WITHOUT_ROW_SECURITY = {
    # bo_app lacks the right
    *("leakproof", "a function made in app", "a table in public", "truncate", "truncate one", "as a replica"),
    *("audit rewritten", "audit removed", "journal rewritten", "journal removed", "a rule", "a trigger"),
    # a definer's search_path is its own
    *("credentials of my own", "clock of my own for a definer", "context of my own for a definer"),
    # says nothing either way; whether it tells a foreign key from a free one is a test of its own
    "do nothing",
    # the embedded server is built without it
    *("as xml", "schema as xml"),
}
