"""What else may stand in a schema: views, relations, triggers, functions, sequences."""

from __future__ import annotations

from tests.rules.catalogue.asking import Connection, allowed, rows, who

DEFINER_OWNERS = frozenset({"bo_auth", "bo_search", "bo_seal", "bo_reset"})


def views(db: Connection) -> list[str]:
    """9. A view reads as whoever asks (security_invoker), never as its owner."""
    found_rows = rows(
        db,
        """SELECT c.oid::regclass::text, coalesce(c.reloptions, '{}')
             FROM pg_class c WHERE c.relkind = 'v' AND c.relnamespace::regnamespace::text = ANY (%(schemas)s)
            ORDER BY 1""",
    )
    return [
        f"{view}: a view needs security_invoker = true"
        for view, options in found_rows
        if not {"security_invoker=true", "security_invoker=on", "security_invoker=1"} & set(options)
    ]


def relations(db: Connection) -> list[str]:
    """10. No materialized view, foreign table, rule, unlogged or temporary table: their rows have no walls, or no
    past."""
    found = [
        f"{name}: is {'a materialized view' if kind == 'm' else 'a foreign table' if kind == 'f' else 'not logged'}"
        for name, kind, persistence in rows(
            db,
            """SELECT oid::regclass::text, relkind::text, relpersistence::text FROM pg_class
                WHERE relnamespace::regnamespace::text = ANY (%(schemas)s) AND relkind IN ('r', 'p', 'm', 'f')
                ORDER BY 1""",
        )
        if kind in "mf" or persistence != "p"
    ]
    return found + [
        f"{name}: has the rule {rule}"
        for name, rule in rows(
            db,
            """SELECT ev_class::regclass::text, rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
                WHERE c.relnamespace::regnamespace::text = ANY (%(schemas)s)
                  AND NOT (rulename = '_RETURN' AND relkind IN ('v', 'm')) ORDER BY 1, 2""",
        )
    ]


def triggers(db: Connection) -> list[str]:
    """11. No trigger outside the list, none that is listed is missing or switched off, no event trigger."""
    listed = {(table, trigger): function for table, trigger, function, _ in allowed("triggers", 3)}
    found, seen = [], set()
    for table, trigger, function, enabled in rows(
        db,
        """SELECT tgrelid::regclass::text, tgname::text, tgfoid::regproc::text, tgenabled::text
             FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            WHERE NOT tgisinternal AND c.relnamespace::regnamespace::text = ANY (%(schemas)s) ORDER BY 1, 2""",
    ):
        seen.add((table, trigger))
        if listed.get((table, trigger)) != function:
            found.append(f"{table}: the trigger {trigger} ({function}) is not on the list")
        elif enabled != "O":
            found.append(f"{table}: the trigger {trigger} is switched off")
    found += [f"{table}: the listed trigger {trigger} is not there" for table, trigger in set(listed) - seen]
    return sorted(found) + [f"event trigger {name}" for (name,) in rows(db, "SELECT evtname FROM pg_event_trigger")]


def definer_functions(db: Connection) -> list[str]:
    """12. A SECURITY DEFINER function is on the list, belongs to one of the four roles made for it, and has a fixed
    search_path that ends in pg_temp; and only those whom the list names may call it."""
    listed = {name: (owner, callers) for name, owner, callers, _ in allowed("definer", 3)}
    found, seen = [], set()
    for name, owner, config, callers in rows(
        db,
        f"""SELECT n.nspname || '.' || p.proname, pg_get_userbyid(p.proowner)::text, coalesce(p.proconfig, '{{}}'),
                   ARRAY(SELECT {who("a.grantee")}::text
                           FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                          WHERE a.grantee <> p.proowner ORDER BY 1)
              FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1""",
    ):
        seen.add(name)
        if name not in listed:
            found.append(f"{name}: a SECURITY DEFINER function that is not on the list")
            continue
        expected_owner, expected_callers = listed[name]
        if owner not in DEFINER_OWNERS or owner != expected_owner:
            found.append(f"{name}: belongs to {owner}, not to {expected_owner}")
        path = [setting.partition("=")[2] for setting in config if setting.startswith("search_path=")]
        if not path or not path[0].startswith("pg_catalog") or not path[0].endswith("pg_temp"):
            found.append(f"{name}: needs SET search_path = pg_catalog, …, pg_temp")
        if set(callers) != set(expected_callers.split(",")):
            found.append(f"{name}: may be called by {', '.join(callers) or 'nobody'}, the list says {expected_callers}")
    return found + [f"{name}: is on the list and not there" for name in sorted(set(listed) - seen)]


def leakproof(db: Connection) -> list[str]:
    """13. Nothing of ours is LEAKPROOF: the planner would run it before the policy."""
    return [
        f"{name}: is marked LEAKPROOF"
        for (name,) in rows(
            db,
            """SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                WHERE p.proleakproof AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1""",
        )
    ]


def sequences(db: Connection) -> list[str]:
    """17. No sequence and no identity column: a number that counts over tenants tells how many there are."""
    found = [
        f"{name}: a sequence"
        for (name,) in rows(
            db,
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S'"
            " AND relnamespace::regnamespace::text = ANY (%(schemas)s) ORDER BY 1",
        )
    ]
    return found + [
        f"{table}.{column}: counts over all tenants"
        for table, column in rows(
            db,
            """SELECT c.oid::regclass::text, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                 LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
                WHERE c.relnamespace::regnamespace::text = ANY (%(own)s)
                  AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE '%%nextval(%%') ORDER BY 1, 2""",
        )
    ]
