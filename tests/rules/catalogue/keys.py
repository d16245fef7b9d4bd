"""Keys: primary, unique and foreign ones carry the tenant, and indexes begin with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.rules.catalogue.asking import Connection, rows

SAFE_TYPES = frozenset({"uuid", "int2", "int4", "int8", "text", "date", "timestamptz", "bool", "bytea"})


def primary_keys(db: Connection) -> list[str]:
    """4. Every primary key of `app` begins with tenant_id and holds more than it."""
    found_rows = rows(
        db,
        """SELECT c.relname,
                  (SELECT array_agg(a.attname::text ORDER BY k.place) FROM pg_constraint p,
                          unnest(p.conkey) WITH ORDINALITY k (number, place)
                          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
                    WHERE p.conrelid = c.oid AND p.contype = 'p')
             FROM pg_class c WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1""",
    )
    return [
        f"app.{table}: the primary key must begin with tenant_id and go on"
        for table, key in found_rows
        if not key or key[0] != "tenant_id" or len(key) < 2
    ]


def uniques(db: Connection) -> list[str]:
    """5. No unique index and no exclusion without tenant_id in front: it would tell one tenant of another's values."""
    found_rows = rows(
        db,
        """SELECT i.indrelid::regclass::text, c.relname,
                  (SELECT attname FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = i.indkey[0]),
                  i.indnkeyatts, i.indisexclusion
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
            WHERE t.relnamespace = 'app'::regnamespace AND (i.indisunique OR i.indisexclusion) ORDER BY 1, 2""",
    )
    return [
        f"{table}: {index} is {'an exclusion' if exclusion else 'unique without tenant_id in front'}"
        for table, index, first, _, exclusion in found_rows
        if exclusion or first != "tenant_id"
    ]


def _foreign_keys(db: Connection) -> Iterator[tuple[str, str, str, list[str], list[str], str, str, list[str]]]:
    """(table, key, referenced table, columns, referenced columns, on delete, on update, columns set on delete)"""
    names = "ARRAY(SELECT a.attname::text FROM unnest({}) WITH ORDINALITY k (n, place) JOIN pg_attribute a"
    names += " ON a.attrelid = {} AND a.attnum = k.n ORDER BY k.place)"
    yield from rows(
        db,
        f"""SELECT f.conrelid::regclass::text, f.conname::text, f.confrelid::regclass::text,
                   {names.format("f.conkey", "f.conrelid")}, {names.format("f.confkey", "f.confrelid")},
                   f.confdeltype::text, f.confupdtype::text, {names.format("f.confdelsetcols", "f.conrelid")}
              FROM pg_constraint f
              JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class r ON r.oid = f.confrelid
             WHERE f.contype = 'f' AND 'app'::regnamespace IN (c.relnamespace, r.relnamespace) ORDER BY 1, 2""",
    )


def foreign_keys(db: Connection) -> list[str]:
    """6. A foreign key carries tenant_id on both sides, in the same place; into `app` none comes from elsewhere, and
    out of it one goes to `ref` only."""
    found = []
    for table, key, other, columns, referenced, *_ in _foreign_keys(db):
        if not table.startswith("app."):
            found.append(f"{table}: {key} refers to a tenant's rows from outside app")
        elif other.startswith("ref."):
            continue
        elif not other.startswith("app."):
            found.append(f"{table}: {key} leaves app for {other}")
        elif "tenant_id" not in columns or [name == "tenant_id" for name in columns] != [
            name == "tenant_id" for name in referenced
        ]:
            found.append(f"{table}: {key} must carry tenant_id on both sides in the same place")
    return found


def foreign_key_indexes(db: Connection) -> list[str]:
    """7. Every foreign key has an index that begins with its columns, over all rows that have one."""
    indexes: dict[str, list[tuple[list[str], str | None]]] = defaultdict(list)
    for table, columns, where in rows(
        db,
        """SELECT i.indrelid::regclass::text,
                  ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (n, place)
                          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n
                         WHERE k.place <= i.indnkeyatts ORDER BY k.place),
                  pg_get_expr(i.indpred, i.indrelid)
             FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
            WHERE c.relnamespace = 'app'::regnamespace AND i.indisvalid""",
    ):
        indexes[table].append((columns, where))
    return [
        f"{table}: {key} has no index that begins with {', '.join(columns)}"
        for table, key, _, columns, *_ in _foreign_keys(db)
        if table.startswith("app.")
        and not any(
            set(index[: len(columns)]) == set(columns)
            and where in (None, *(f"({column} IS NOT NULL)" for column in columns))
            for index, where in indexes[table]
        )
    ]


def foreign_key_actions(db: Connection) -> list[str]:
    """8. No foreign key ever writes tenant_id: ON DELETE SET … names other columns, ON UPDATE does nothing."""
    found = []
    for table, key, _, columns, _, on_delete, on_update, set_columns in _foreign_keys(db):
        if on_delete in "nd" and "tenant_id" in (set_columns or columns):
            found.append(f"{table}: {key} sets tenant_id when the other row is deleted")
        if on_update not in "ar":
            found.append(f"{table}: {key} changes keys when the other row's change")
    return found


def indexes(db: Connection) -> list[str]:
    """16. Every index is a btree that begins with tenant_id, over types whose operators are leakproof; with any other
    the index is not used under row-level security (5 to 1,600 times slower)."""
    found = []
    for table, index, method, first, types, plain, leaks in rows(
        db,
        """SELECT i.indrelid::regclass::text, c.relname::text, am.amname::text,
                  (SELECT attname::text FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = i.indkey[0]),
                  ARRAY(SELECT t.typname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                         WHERE a.attrelid = i.indexrelid ORDER BY a.attnum),
                  (SELECT bool_and(o.opcdefault) FROM unnest(i.indclass::oid[]) k JOIN pg_opclass o ON o.oid = k),
                  ARRAY(SELECT DISTINCT p.proname::text FROM unnest(i.indclass::oid[]) k JOIN pg_opclass o ON o.oid = k
                          JOIN pg_amop m ON m.amopfamily = o.opcfamily AND m.amoplefttype = o.opcintype
                               AND m.amoprighttype = o.opcintype
                          JOIN pg_operator r ON r.oid = m.amopopr JOIN pg_proc p ON p.oid = r.oprcode
                         WHERE NOT p.proleakproof)
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
             JOIN pg_class t ON t.oid = i.indrelid
            WHERE t.relnamespace = 'app'::regnamespace AND t.relkind IN ('r', 'p') ORDER BY 1, 2""",
    ):
        unsafe = sorted(set(types) - SAFE_TYPES)
        if method != "btree":
            found.append(f"{table}: {index} is a {method} index")
        elif unsafe or leaks:
            found.append(f"{table}: {index} is over {', '.join(unsafe or leaks)}, which is not leakproof")
        elif not plain:
            found.append(f"{table}: {index} serves LIKE and the like, which is not leakproof")
        if first != "tenant_id":
            found.append(f"{table}: {index} does not begin with tenant_id")
    return found
