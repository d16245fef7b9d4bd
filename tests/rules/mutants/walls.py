"""Mistakes in rows and the walls around them: tenant_id, row-level security, the one policy."""

from __future__ import annotations

from tests.rules import catalogue as check
from tests.rules.mutants.mutant import ID, KEY, Mutant, made

POLICY = "DROP POLICY tenant_isolation ON app.person; CREATE POLICY tenant_isolation ON app.person "
WORDS = "(tenant_id = app.current_tenant())"

MUTANTS = (
    # 1 tenant_id
    Mutant("no tenant", check.tenant_column, "CREATE TABLE app.planted (id uuid PRIMARY KEY)", "app.planted"),
    Mutant("nullable tenant", check.tenant_column, "CREATE TABLE app.planted (tenant_id uuid, id uuid)", "app.planted"),
    Mutant("tenant as text", check.tenant_column, "CREATE TABLE app.planted (tenant_id text NOT NULL)", "app.planted"),
    Mutant(
        "tenant by default",
        check.tenant_column,
        "ALTER TABLE app.person ALTER tenant_id SET DEFAULT gen_random_uuid()",
        "app.person",
    ),
    Mutant(
        "tenant not first",
        check.tenant_column,
        made("id uuid NOT NULL, tenant_id uuid NOT NULL, " + KEY),
        "app.planted",
    ),
    Mutant(
        "a partitioned table without tenant",
        check.tenant_column,
        "CREATE TABLE app.planted (id uuid) PARTITION BY HASH (id)",
        "app.planted",
    ),
    # 2 row-level security
    Mutant("not enabled", check.row_security, "ALTER TABLE app.person DISABLE ROW LEVEL SECURITY", "app.person"),
    Mutant("not forced", check.row_security, "ALTER TABLE app.person NO FORCE ROW LEVEL SECURITY", "app.person"),
    Mutant("a new table without", check.row_security, f"CREATE TABLE app.planted ({ID}{KEY})", "app.planted"),
    Mutant(
        "tenants' rows elsewhere",
        check.row_security,
        f"CREATE TABLE ref.planted ({ID}{KEY}); GRANT SELECT ON ref.planted TO bo_app",
        "ref.planted",
    ),
    Mutant(
        "a column of tenants' rows elsewhere",
        check.row_security,
        f"CREATE TABLE ctl.planted ({ID}{KEY}); GRANT SELECT (id) ON ctl.planted TO bo_export",
        "ctl.planted",
    ),
    Mutant("a child", check.row_security, "CREATE TABLE app.planted () INHERITS (app.person)", "app.planted"),
    # 3 policies
    Mutant("no policy", check.policies, "DROP POLICY tenant_isolation ON app.person", "app.person"),
    Mutant("open to all rows", check.policies, POLICY + "FOR ALL TO bo_app, bo_export USING (true)", "app.person"),
    Mutant(
        "or something else",
        check.policies,
        POLICY + f"FOR ALL TO bo_app, bo_export USING ({WORDS} OR active) WITH CHECK {WORDS}",
        "app.person",
    ),
    Mutant("reads only", check.policies, POLICY + f"FOR SELECT TO bo_app, bo_export USING {WORDS}", "app.person"),
    Mutant(
        "writes unchecked",
        check.policies,
        POLICY + f"FOR ALL TO bo_app, bo_export USING {WORDS} WITH CHECK (true)",
        "app.person",
    ),
    Mutant("for everybody", check.policies, POLICY + f"FOR ALL USING {WORDS} WITH CHECK {WORDS}", "app.person"),
    Mutant(
        "one role forgotten",
        check.policies,
        POLICY + f"FOR ALL TO bo_app USING {WORDS} WITH CHECK {WORDS}",
        "app.person",
    ),
    Mutant(
        "restrictive, which alone lets nothing through",
        check.policies,
        POLICY + f"AS RESTRICTIVE FOR ALL TO bo_app, bo_export USING {WORDS} WITH CHECK {WORDS}",
        "app.person",
    ),
    Mutant(
        "wrapped in a SELECT",
        check.policies,
        POLICY + f"FOR ALL TO bo_app, bo_export USING (tenant_id = (SELECT app.current_tenant())) WITH CHECK {WORDS}",
        "app.person",
    ),
    Mutant(
        "the tenant from a setting of its own",
        check.policies,
        POLICY + "FOR ALL TO bo_app, bo_export USING (tenant_id = current_setting('app.t', true)::uuid)",
        "app.person",
    ),
    Mutant(
        "a second policy",
        check.policies,
        "CREATE POLICY planted ON app.person TO bo_app USING (true)",
        "policy planted",
    ),
    Mutant(
        "the dispatcher on a table that is not on the list",
        check.policies,
        "CREATE POLICY dispatch ON app.person FOR ALL TO bo_dispatch USING (true) WITH CHECK (true)",
        "policy dispatch",
    ),
    Mutant(
        "a reset of every tenant",
        check.policies,
        "ALTER POLICY reset ON app.ledger_entry USING (true)",
        "app.ledger_entry: the policy reset",
    ),
    Mutant(
        "a reset of a live tenant",
        check.policies,
        "ALTER POLICY reset ON app.ledger_entry USING (tenant_id = app.current_tenant())",
        "app.ledger_entry: the policy reset",
    ),
    Mutant(
        "a reset that writes",
        check.policies,
        "ALTER POLICY reset ON app.ledger_entry WITH CHECK (tenant_id = ctl.test_tenant())",
        "app.ledger_entry: the policy reset",
    ),
    Mutant(
        "a reset of what stays",
        check.policies,
        "CREATE POLICY reset ON app.audit_event TO bo_reset USING (tenant_id = ctl.test_tenant()) WITH CHECK (false)",
        "app.audit_event: the policy reset is not on the list",
    ),
    Mutant("a reset forgotten", check.policies, "DROP POLICY reset ON app.ledger_entry", "which is not there"),
    Mutant(
        "every tenant a test tenant",
        check.policies,
        "CREATE OR REPLACE FUNCTION ctl.test_tenant() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER"
        " SET search_path = pg_catalog, ctl, pg_temp AS $$ SELECT app.current_tenant() $$",
        "ctl.test_tenant",
        superuser=True,
    ),
    Mutant(
        "a listed policy for another role",
        check.policies,
        "ALTER POLICY dispatch ON app.job TO bo_app",
        "app.job: the policy dispatch",
    ),
    Mutant(
        "a context that is silent without a tenant",
        check.policies,
        "CREATE OR REPLACE FUNCTION app.current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE"
        " AS $$ SELECT current_setting('app.tenant_id', true)::uuid $$",
        "app.current_tenant",
    ),
    Mutant(
        "a second context",
        check.policies,
        "CREATE FUNCTION app.current_tenant(uuid) RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT $1 $$",
        "app.current_tenant",
    ),
    Mutant(
        "a listed policy gone", check.policies, "DROP POLICY dispatch ON app.job", "app.job: the list names the policy"
    ),
)
