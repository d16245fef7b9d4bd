"""Empties a test tenant: every table that was declared, but for the rows that stay.

The tables come from their declarations, children before parents, so a new one is among them. What `bo_app` may not
delete goes by `ctl.wipe`, as a role that sees rows of test tenants alone. The database is asked first what kind of
tenant this is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, false, func, literal, or_, select

from backoffice.kernel.errors import NotFound
from backoffice.platform import models
from backoffice.platform.tables import METADATA, TENANT, Id
from backoffice.platform.tx import Tx

_job = models.job.c


def tables() -> list[Table]:
    """What a reset empties, in an order in which nothing refers to what is gone."""
    return [table for table in reversed(METADATA.sorted_tables) if not table.info["outlives_reset"]]


async def count(tx: Tx, kind: str, scope: str) -> dict[str, int]:
    """As `wipe`, without doing it."""
    stay = _stay(tx, kind, scope)
    found = {table.name: await tx.value(_of(select(func.count()), table, stay)) for table in tables()}
    return {name: rows for name, rows in found.items() if rows}


async def wipe(tx: Tx, kind: str, scope: str) -> dict[str, int]:
    """Delete, in a transaction of its own that is alone in the tenant; how many rows of which table went, where there
    were any. The unfinished job of `kind`, which does it, stays with its log, and so do the answers to `scope`, by
    which a repeated request finds it. NotFound in a live tenant."""
    if (await tx.function("ctl.test_tenant"))[0]["test_tenant"] != tx.tenant:
        raise NotFound
    stay, gone = _stay(tx, kind, scope), {}
    for table in tables():
        if table.info["append_only"]:
            gone[table.name] = (await tx.function("ctl.wipe", table.name))[0]["wipe"]
        else:
            gone[table.name] = await tx.execute(_of(table.delete(), table, stay))
    tx.forget_time()
    return {name: rows for name, rows in gone.items() if rows}


def _of(statement: Any, table: Table, stay: Mapping[str, ColumnElement[bool]]) -> Any:
    return statement.where(table.c.tenant_id == TENANT, ~stay.get(table.name, false()))


def _stay(tx: Tx, kind: str, scope: str) -> dict[str, ColumnElement[bool]]:
    """Of the tables that are emptied, the rows that are not. Numbers of an object's events go on where it stays."""
    this = (_job.tenant_id == TENANT, _job.kind == kind, _job.finished_at.is_(None))
    jobs = select(_job.id).where(*this)
    objects: Sequence[Any] = [
        jobs,
        *(
            select(table.c.id).where(table.c.tenant_id == TENANT)
            for table in METADATA.sorted_tables
            if table.info["outlives_reset"] and "id" in table.c
        ),
    ]
    numbered = models.object_sequence.c.object_id
    return {
        "job": (_job.kind == kind) & _job.finished_at.is_(None),
        "job_step": models.job_step.c.job_id.in_(jobs),
        "job_log": models.job_log.c.job_id.in_(jobs),
        "idempotency": models.idempotency.c.scope == scope,
        "object_sequence": or_(numbered == literal(tx.tenant, Id), *(numbered.in_(each) for each in objects)),
    }
