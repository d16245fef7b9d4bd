"""Mistakes in what else may stand in a schema: views, relations, triggers, functions, sequences."""

from __future__ import annotations

from tests.rules import catalogue as check
from tests.rules.mutants.mutant import ID, KEY, Mutant

DEFINER = "LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, ctl, pg_temp AS $$ SELECT 1 $$; "

MUTANTS = (
    # 9 views
    Mutant("a view as its owner", check.views, "CREATE VIEW app.planted AS SELECT * FROM app.person", "app.planted"),
    Mutant(
        "a view in ref",
        check.views,
        "CREATE VIEW ref.planted WITH (security_barrier) AS SELECT * FROM app.person",
        "ref.planted",
    ),
    Mutant(
        "a view that says it is its owner",
        check.views,
        "CREATE VIEW app.planted WITH (security_invoker = false) AS SELECT * FROM app.person",
        "app.planted",
    ),
    # 10 relations
    Mutant(
        "a materialized view",
        check.relations,
        "CREATE MATERIALIZED VIEW app.planted AS SELECT 1 AS one",
        "materialized view",
    ),
    Mutant(
        "a rule", check.relations, "CREATE RULE planted AS ON DELETE TO app.person DO INSTEAD NOTHING", "rule planted"
    ),
    Mutant("not logged", check.relations, f"CREATE UNLOGGED TABLE app.planted ({ID}{KEY})", "not logged"),
    Mutant(
        "a foreign table",
        check.relations,
        "CREATE FOREIGN DATA WRAPPER planted; CREATE SERVER planted FOREIGN DATA WRAPPER planted;"
        " CREATE FOREIGN TABLE app.planted (tenant_id uuid) SERVER planted",
        "foreign table",
        superuser=True,
    ),
    # 11 triggers
    Mutant(
        "a trigger",
        check.triggers,
        "CREATE TRIGGER planted BEFORE UPDATE ON app.person FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "trigger planted",
    ),
    Mutant(
        "a listed trigger switched off",
        check.triggers,
        "ALTER TABLE app.ledger_entry DISABLE TRIGGER ledger_entry_check",
        "switched off",
    ),
    Mutant("a listed trigger gone", check.triggers, "DROP TRIGGER ledger_entry_check ON app.ledger_entry", "not there"),
    Mutant(
        "a listed trigger that does something else",
        check.triggers,
        "DROP TRIGGER ledger_entry_check ON app.ledger_entry; CREATE TRIGGER ledger_entry_check"
        " BEFORE UPDATE ON app.ledger_entry FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "ledger_entry_check (suppress",
    ),
    Mutant(
        "an event trigger",
        check.triggers,
        "CREATE FUNCTION app.planted() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;"
        " CREATE EVENT TRIGGER planted ON ddl_command_end EXECUTE FUNCTION app.planted()",
        "event trigger planted",
        superuser=True,
    ),
    # 12 definer functions
    Mutant(
        "an unlisted definer",
        check.definer_functions,
        "CREATE FUNCTION app.planted() RETURNS int " + DEFINER,
        "app.planted",
    ),
    Mutant(
        "a definer outside our schemas",
        check.definer_functions,
        "CREATE SCHEMA planted; CREATE FUNCTION planted.planted() RETURNS int " + DEFINER,
        "planted.planted",
    ),
    Mutant(
        "a definer without a path",
        check.definer_functions,
        "SET LOCAL ROLE bo_auth; ALTER FUNCTION ctl.open_key(bytea) RESET search_path; SET LOCAL ROLE bo_owner",
        "ctl.open_key: needs",
    ),
    Mutant(
        "a path with a stranger's schema first",
        check.definer_functions,
        "SET LOCAL ROLE bo_auth; ALTER FUNCTION ctl.open_key(bytea) SET search_path = public, pg_catalog, pg_temp;"
        " SET LOCAL ROLE bo_owner",
        "ctl.open_key: needs",
    ),
    Mutant(
        "a reset for the dispatcher",
        check.definer_functions,
        "GRANT EXECUTE ON FUNCTION ctl.wipe TO bo_dispatch",
        "ctl.wipe: may be called by",
        superuser=True,
    ),
    Mutant(
        "a reset as the owner",
        check.definer_functions,
        "ALTER FUNCTION ctl.wipe OWNER TO bo_owner",
        "ctl.wipe: belongs to bo_owner",
        superuser=True,
    ),
    Mutant(
        "a definer for everybody",
        check.definer_functions,
        "SET LOCAL ROLE bo_auth; GRANT EXECUTE ON FUNCTION ctl.dispatch_limits TO PUBLIC; SET LOCAL ROLE bo_owner",
        "ctl.dispatch_limits: may be called by",
    ),
    Mutant(
        "all tenants' limits for the application",
        check.definer_functions,
        "SET LOCAL ROLE bo_auth; GRANT EXECUTE ON FUNCTION ctl.dispatch_limits TO bo_app; SET LOCAL ROLE bo_owner",
        "ctl.dispatch_limits: may be called by",
    ),
    Mutant(
        "a definer that is the owner of everything",
        check.definer_functions,
        "ALTER FUNCTION ctl.open_key(bytea) OWNER TO bo_owner",
        "ctl.open_key: belongs to",
        superuser=True,
    ),
    Mutant(
        "a listed definer gone",
        check.definer_functions,
        "DROP FUNCTION ctl.key_usage()",
        "ctl.key_usage: is on the list",
        superuser=True,
    ),
    Mutant(
        "a listed definer that no longer is one",
        check.definer_functions,
        "ALTER FUNCTION ctl.key_usage() SECURITY INVOKER",
        "ctl.key_usage: is on the list",
        superuser=True,
    ),
    # 13 leakproof
    Mutant(
        "leakproof",
        check.leakproof,
        "CREATE FUNCTION app.planted(text) RETURNS bool LANGUAGE sql IMMUTABLE LEAKPROOF AS $$ SELECT true $$",
        "app.planted",
        superuser=True,
    ),
    # 17 sequences
    Mutant("a sequence", check.sequences, "CREATE SEQUENCE app.planted", "app.planted"),
    Mutant(
        "an identity column",
        check.sequences,
        "ALTER TABLE app.person ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY",
        "app.person.n",
    ),
    Mutant("a serial", check.sequences, "ALTER TABLE app.person ADD COLUMN n serial", "app.person.n"),
)
