"""Who may do what: roles, grants, owners, presets, and what is taken from everybody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tests.rules.catalogue.asking import Connection, allowed, rows, tenant_tables, who

CRUD = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
APPEND = frozenset({"SELECT", "INSERT"})
TIMEOUTS = frozenset(
    {"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"}
)
MIGRATION_PRESETS = frozenset({"role", "row_security", "lock_timeout"})
# What the roles of infra/postgres/roles.sql may inherit or become, and nothing else.
MEMBERSHIPS = frozenset(
    {
        ("bo_owner", "bo_auth"),
        ("bo_owner", "bo_search"),
        ("bo_owner", "bo_seal"),
        ("bo_owner", "bo_reset"),
        ("bo_migrate", "bo_owner"),
        ("bo_metrics", "pg_monitor"),
    }
)
# An injected query could end, or read the text of, the sessions of other tenants; or keep bytes that have no tenant.
DANGEROUS = (
    *("pg_terminate_backend", "pg_cancel_backend", "pg_stat_get_activity", "pg_stat_get_backend_activity"),
    *("lo_creat", "lo_create", "lo_from_bytea", "lo_import", "lo_export"),
    *("pg_read_file", "pg_read_binary_file", "pg_ls_dir", "pg_stat_file", "pg_reload_conf"),
)


class Grant(NamedTuple):
    """One line of an access list; `grantee` is PUBLIC for everybody."""

    where: str
    owner: str
    grantee: str
    privilege: str
    grantable: bool


def roles(db: Connection) -> list[str]:
    """14. `bo_app` and its like are unprivileged, members of nothing and owners of nothing; no role bypasses row-level
    security."""
    found = []
    for name, login, risky, replication in rows(
        db,
        """SELECT rolname::text, rolcanlogin, rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole, rolreplication
             FROM pg_roles WHERE rolname <> 'bo_super' ORDER BY 1""",
    ):
        if risky:
            found.append(f"{name}: is privileged")
        if replication and name != "bo_backup":
            found.append(f"{name}: may replicate")
        if login and not name.startswith("bo_"):
            found.append(f"{name}: a login that roles.sql does not make")
    memberships = {
        (member, of): (inherits, admin)
        for member, of, inherits, admin in rows(
            db,
            """SELECT member::regrole::text, roleid::regrole::text, inherit_option, admin_option
                 FROM pg_auth_members WHERE member::regrole::text NOT LIKE 'pg\\_%%'""",
        )
    }
    for (member, of), (inherits, admin) in sorted(memberships.items()):
        if (member, of) not in MEMBERSHIPS or admin or (inherits and member != "bo_metrics"):
            found.append(f"{member}: is a member of {of}, or with more than SET")
    owned = rows(
        db,
        """SELECT DISTINCT r.rolname::text, d.classid::regclass::text
             FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
            WHERE d.deptype = 'o' AND d.refclassid = 'pg_authid'::regclass
              AND (d.dbid = 0 OR d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
              AND r.rolname NOT IN ('bo_owner', 'bo_auth', 'bo_search', 'bo_seal', 'bo_reset', 'bo_queue', 'bo_super')
            ORDER BY 1, 2""",
    )
    found += [f"{role}: owns something in {catalogue}" for role, catalogue in owned if catalogue != "pg_default_acl"]
    for name in ("bo_auth", "bo_search", "bo_seal", "bo_reset"):  # they own functions and nothing else
        for (where,) in rows(
            db, "SELECT oid::regclass::text FROM pg_class WHERE relowner = %(role)s::regrole ORDER BY 1", role=name
        ):
            found.append(f"{name}: owns {where}")
    return found


def _grants(db: Connection) -> Iterator[Grant]:
    """Every grant on schemas, relations, columns, functions and types of ours, other than an owner's own."""
    name = who("a.grantee")
    for row in rows(
        db,
        f"""
        SELECT 'schema ' || nspname, pg_get_userbyid(nspowner), {name}, a.privilege_type, a.is_grantable
          FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
         WHERE nspname = ANY (%(schemas)s) AND a.grantee <> nspowner
        UNION ALL
        SELECT 'table ' || n.nspname || '.' || c.relname, pg_get_userbyid(c.relowner), {name}, a.privilege_type,
               a.is_grantable
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
               aclexplode(coalesce(c.relacl, acldefault(CASE WHEN c.relkind = 'S' THEN 's' ELSE 'r' END::"char",
                                                        c.relowner))) a
         WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
           AND a.grantee <> c.relowner
        UNION ALL
        SELECT 'column ' || n.nspname || '.' || c.relname || '.' || t.attname, pg_get_userbyid(c.relowner), {name},
               a.privilege_type, a.is_grantable
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute t ON t.attrelid = c.oid,
               aclexplode(t.attacl) a
         WHERE n.nspname = ANY (%(schemas)s) AND a.grantee <> c.relowner
        UNION ALL
        SELECT 'function ' || n.nspname || '.' || p.proname, pg_get_userbyid(p.proowner), {name}, a.privilege_type,
               a.is_grantable
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
               aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         WHERE n.nspname = ANY (%(schemas)s) AND a.grantee <> p.proowner
        UNION ALL
        SELECT 'type ' || n.nspname || '.' || t.typname, pg_get_userbyid(t.typowner), {name}, a.privilege_type,
               a.is_grantable
          FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace,
               aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) a
         WHERE n.nspname = ANY (%(schemas)s) AND a.grantee <> t.typowner AND t.typtype IN ('d', 'e', 'r', 'm')
        UNION ALL
        SELECT 'database ' || d.datname, pg_get_userbyid(d.datdba), {name}, a.privilege_type, a.is_grantable
          FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
         WHERE d.datname = current_database() AND a.grantee <> d.datdba
        UNION ALL
        SELECT 'default ' || defaclobjtype::text, pg_get_userbyid(defaclrole), {name}, a.privilege_type, a.is_grantable
          FROM pg_default_acl, aclexplode(defaclacl) a WHERE a.grantee <> defaclrole
        ORDER BY 1, 3, 4""",
    ):
        yield Grant(*row)


def grants(db: Connection) -> list[str]:
    """15. `bo_app` holds SELECT, INSERT, UPDATE, DELETE on tenant tables (SELECT and INSERT where rows are only added),
    SELECT on `ref` and the listed functions; others hold what the list says; PUBLIC nothing; nobody may pass it on."""
    append_only = {table for table, _ in allowed("append_only", 1)}
    listed = {
        (role, f"{table}.{column}" if columns != "*" else table, privilege)
        for role, table, privilege, columns, _ in allowed("grants", 4)
        for column in columns.split(",")
    }
    callable_ = {name: set(callers.split(",")) for name, _, callers, _ in allowed("definer", 3)}
    callable_ |= {"app.current_tenant": {"bo_app", "bo_export", "bo_auth"}}
    usage = {
        "app": {"bo_app", "bo_export", "bo_dispatch", "bo_sealer", "bo_auth", "bo_reset"},
        "ref": {"bo_app", "bo_export"},
    }
    usage["ctl"] = {"bo_app", "bo_dispatch", "bo_auth", "bo_reset"}
    connecting = {"bo_migrate", "bo_app", "bo_dispatch", "bo_export", "bo_sealer", "bo_metrics"}
    found, seen = [], set()
    held: dict[str, set[str]] = defaultdict(set)
    for grant in _grants(db):
        kind, _, name = grant.where.partition(" ")
        schema = name.split(".")[0]
        fine = False
        if kind == "schema":
            fine = grant.privilege == "USAGE" and grant.grantee in usage.get(schema, set())
        elif kind == "database":
            fine = (grant.privilege == "CONNECT" and grant.grantee in connecting) or (
                grant.privilege == "TEMPORARY" and grant.grantee == "bo_app"
            )
        elif kind == "function":
            fine = grant.grantee in callable_.get(name, set())
        elif kind in ("table", "column"):
            if kind == "table" and schema == "app" and grant.grantee == "bo_app":
                fine = grant.privilege in (APPEND if name in append_only else CRUD)
                held[name].add(grant.privilege)
            elif kind == "table" and grant.grantee in ("bo_app", "bo_export") and schema in ("app", "ref"):
                fine = grant.privilege == "SELECT"
            fine = fine or (grant.grantee, name, grant.privilege) in listed
            seen.add((grant.grantee, name, grant.privilege))
        if grant.grantee == "PUBLIC" or grant.grantable or not fine:
            found.append(f"{grant.where}: {grant.grantee} holds {grant.privilege}")
    for table in tenant_tables(db):
        wanted = APPEND if f"app.{table}" in append_only else CRUD
        if held[f"app.{table}"] != wanted:
            found.append(f"table app.{table}: bo_app should hold {', '.join(sorted(wanted))}")
    found += [f"{role}: the list grants {privilege} on {where}, the database does not" for role, where, privilege in
              sorted(listed - seen)]  # fmt: skip
    return found


def owners(db: Connection) -> list[str]:
    """18. Everything of ours belongs to bo_owner, except the listed definer functions; extensions are none."""
    definers = {name: owner for name, owner, *_ in allowed("definer", 3)}
    found = []
    for kind, name, owner in rows(
        db,
        """SELECT 'schema', nspname::text, pg_get_userbyid(nspowner)::text FROM pg_namespace
            WHERE nspname = ANY (%(own)s)
           UNION ALL SELECT 'relation', oid::regclass::text, pg_get_userbyid(relowner) FROM pg_class
            WHERE relnamespace::regnamespace::text = ANY (%(schemas)s)
           UNION ALL SELECT 'function', pronamespace::regnamespace::text || '.' || proname, pg_get_userbyid(proowner)
             FROM pg_proc WHERE pronamespace::regnamespace::text = ANY (%(schemas)s)
           UNION ALL SELECT 'type', oid::regtype::text, pg_get_userbyid(typowner) FROM pg_type
            WHERE typnamespace::regnamespace::text = ANY (%(schemas)s)
           UNION ALL SELECT 'database', datname, pg_get_userbyid(datdba) FROM pg_database
            WHERE datname = current_database()
           UNION ALL SELECT 'schema', nspname, pg_get_userbyid(nspowner) FROM pg_namespace
            WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
           ORDER BY 1, 2""",
    ):
        expected = definers.get(name, "bo_owner") if kind == "function" else "bo_owner"
        if owner != expected:
            found.append(f"{kind} {name}: belongs to {owner}, not to {expected}")
    extensions = rows(db, "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'")
    return sorted(set(found)) + [f"extension {name}: nothing here needs one" for (name,) in extensions]


def presets(db: Connection) -> list[str]:
    """19. A role or database presets timeouts and nothing else: a preset tenant, path or role would be a context that
    nobody set."""
    found = []
    for role, database, settings in rows(
        db,
        """SELECT CASE WHEN setrole = 0 THEN 'everybody' ELSE setrole::regrole::text END,
                  CASE WHEN setdatabase = 0 THEN 'everywhere'
                       ELSE (SELECT datname FROM pg_database WHERE oid = setdatabase) END::text, setconfig
             FROM pg_db_role_setting ORDER BY 1, 2""",
    ):
        fine = MIGRATION_PRESETS if role == "bo_migrate" else TIMEOUTS
        for setting in settings:
            name, _, value = setting.partition("=")
            if role == "everybody" or database != "everywhere" or name not in fine:
                found.append(f"{role} ({database}): presets {name}")
            elif name in TIMEOUTS and value in ("0", "0s", "-1"):
                found.append(f"{role}: presets {name} to none")
    return found


def dangerous_functions(db: Connection) -> list[str]:
    """20. What reads or ends other sessions, reads files or keeps large objects is revoked from everybody."""
    roles_ = "('bo_app'), ('bo_dispatch'), ('bo_export'), ('bo_sealer'), ('bo_queue'), ('bo_auth')"
    found = [
        f"{function}: {role} may call it"
        for function, role in rows(
            db,
            f"""SELECT p.oid::regprocedure::text, r.name FROM pg_proc p, (VALUES {roles_}) r (name)
                 WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY (%(dangerous)s)
                   AND has_function_privilege(r.name, p.oid, 'EXECUTE') ORDER BY 1, 2""",
            dangerous=list(DANGEROUS),
        )
    ]
    return found + [
        f"pg_catalog.{view}: {role} may read it"
        for view, role in rows(
            db,
            f"""SELECT v.name, r.name FROM (VALUES ('pg_stat_activity'), ('pg_authid'), ('pg_shadow'),
                       ('pg_hba_file_rules'), ('pg_statistic')) v (name), (VALUES {roles_}) r (name)
                 WHERE has_table_privilege(r.name, 'pg_catalog.' || v.name, 'SELECT') ORDER BY 1, 2""",
        )
    ]
