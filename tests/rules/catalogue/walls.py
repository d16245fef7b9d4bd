"""Rows and the walls around them: tenant_id, row-level security, the one policy."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.rules.catalogue.asking import Connection, allowed, rows, tenant_tables

ISOLATION = "(tenant_id = app.current_tenant())"
TEST_TENANT = "SELECT t.id FROM ctl.tenant t WHERE t.id = app.current_tenant() AND t.mode = 'test'"
OF_RESET = ("(tenant_id = ctl.test_tenant())", "false")  # no row of a live tenant, and none is written
CONTEXT = "SELECT current_setting('app.tenant_id')::uuid"


def tenant_column(db: Connection) -> list[str]:
    """1. Every table of `app` has `tenant_id uuid NOT NULL`, as its first column and without a default."""
    found_rows = rows(
        db,
        """SELECT c.relname, a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef
             FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnum > 0
            WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1""",
    )
    return [
        f"app.{table}: tenant_id must be uuid NOT NULL, first and without a default"
        for table, *facts in found_rows
        if facts != [1, "uuid", True, False]
    ]


def row_security(db: Connection) -> list[str]:
    """2. Row-level security is enabled and forced on every table of `app`; none has rows elsewhere (children, foreign
    tables), and nothing outside `app` has a tenant_id that the application may read."""
    found = [
        f"app.{table}: row-level security must be enabled and forced"
        for table, enabled, forced in rows(
            db,
            "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class"
            " WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1",
        )
        if not (enabled and forced)
    ]
    found += [
        f"{where}: a table with tenant_id that bo_app may read belongs into app"
        for (where,) in rows(
            db,
            """SELECT c.oid::regclass::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p', 'm', 'f')
                  AND c.relnamespace::regnamespace::text NOT IN ('app', 'pg_catalog')
                  AND (has_any_column_privilege('bo_app', c.oid, 'SELECT')
                       OR has_any_column_privilege('bo_export', c.oid, 'SELECT'))
                ORDER BY 1""",
        )
    ]
    return found + [
        f"{child}: inherits from {parent}; a child has walls of its own or none"
        for child, parent in rows(
            db,
            """SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits
                WHERE (SELECT relnamespace FROM pg_class WHERE oid = inhparent) = 'app'::regnamespace
                  AND (SELECT relkind FROM pg_class WHERE oid = inhrelid) NOT IN ('i', 'I') ORDER BY 1""",
        )
    ]


def policies(db: Connection) -> list[str]:
    """3. One policy a table, in exactly the standard words and for the standard roles; others only from the list. The
    functions they ask are exactly those that were reviewed, alone of their names."""
    listed = {(table, policy): role for table, policy, role, _ in allowed("policies", 3)}
    found: list[str] = []
    by_table: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    found_rows = rows(
        db,
        """SELECT n.nspname, c.relname, p.polname, p.polpermissive, p.polcmd::text,
                  ARRAY(SELECT CASE WHEN r = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r) END::text
                          FROM unnest(p.polroles) r ORDER BY 1),
                  pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
             FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            ORDER BY 1, 2, 3""",
    )
    seen = set()
    for schema, table, policy, permissive, command, roles, using, check in found_rows:
        by_table[f"{schema}.{table}"].append((policy, permissive, command, roles, using, check))
        if policy == "tenant_isolation" and schema == "app":
            if (permissive, command, roles, using, check) != (
                True, "*", ["bo_app", "bo_export"], ISOLATION, ISOLATION,
            ):  # fmt: skip
                found.append(f"app.{table}: the policy tenant_isolation is not the standard one")
            continue
        role = listed.get((f"{schema}.{table}", policy))
        seen.add((f"{schema}.{table}", policy))
        if role is None:
            found.append(f"{schema}.{table}: the policy {policy} is not on the list")
        elif (permissive, command, roles, using, check) != (
            True, "*", [role], *(OF_RESET if role == "bo_reset" else ("true", "true")),
        ):  # fmt: skip
            found.append(f"{schema}.{table}: the policy {policy} must be for {role} alone, in its listed form")
    found += [
        f"app.{table}: has no policy tenant_isolation"
        for table in tenant_tables(db)
        if not any(policy[0] == "tenant_isolation" for policy in by_table[f"app.{table}"])
    ]
    found += [f"{table}: the list names the policy {policy}, which is not there" for table, policy in listed if
              (table, policy) not in seen]  # fmt: skip
    functions = rows(
        db,
        """SELECT btrim(prosrc), lanname, provolatile::text, proparallel::text, prosecdef, proconfig IS NULL,
                  pg_get_userbyid(proowner), pg_get_function_identity_arguments(p.oid), prorettype::regtype::text
             FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
            WHERE proname = 'current_tenant'""",
    )
    if functions != [(CONTEXT, "sql", "s", "s", False, True, "bo_owner", "", "uuid")]:
        found.append("app.current_tenant: is not the reviewed function, or not the only one of its name")
    functions = rows(
        db,
        """SELECT pronamespace::regnamespace::text, btrim(prosrc, E' \\n'), prosecdef, pg_get_userbyid(proowner)
             FROM pg_proc WHERE proname = 'test_tenant'""",
    )
    if functions != [("ctl", TEST_TENANT, True, "bo_auth")]:
        found.append("ctl.test_tenant: is not the reviewed function, or not the only one of its name")
    return found
