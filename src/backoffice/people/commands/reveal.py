"""The audited look at a worker's numbers, and its limit."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from sqlalchemy import Integer, Interval, bindparam, cast, extract, func, literal, select, text

from backoffice.people import models, queries, ssn
from backoffice.people.errors import RevealLimitReached
from backoffice.people.schemas import Reveal, Revealed
from backoffice.platform import models as platform_models
from backoffice.platform.crypto import Cell, Sealed
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Row, Tx

MOST: Final = 20  # fields a person may see within WITHIN (tenancy and security §6)
WITHIN: Final = timedelta(hours=1)
_audit = platform_models.audit_event.c
_within = literal(WITHIN, Interval(native=True))
_LEFT = (  # seconds until each of a person's reveals counts no more, the oldest first; database time
    select(cast(func.ceil(extract("epoch", _audit.at + _within - func.clock_timestamp())), Integer).label("seconds"))
    .where(
        _audit.tenant_id == TENANT,
        _audit.actor == bindparam("in_actor"),
        _audit.at > func.clock_timestamp() - _within,
        text("audit_event.action = 'worker.revealed'"),  # as the partial index says it
    )
    .order_by(_audit.at)
)


async def reveal(tx: Tx, id_: str, data: Reveal) -> Revealed:
    """Show numbers of a worker for a named purpose, with one audit event per field. In a dry run nothing is shown,
    since nothing would be recorded. RevealLimitReached (429) for whoever has seen too many within an hour."""
    row = await queries.record(tx, models.worker, "worker", id_)
    fields = list(dict.fromkeys(data.fields))
    await must_be_within_limit(tx, len(fields))
    shown = Revealed(worker_id=queries.worker_view(tx, row).id)
    for name in fields:
        tx.audit(
            "worker.revealed",
            object_type="worker",
            object_id=row["id"],
            object_version=row["version"],
            changed={"field": name},
            reason=data.purpose,
        )
        setattr(shown, name, None if tx.dry_run else await opened(tx, row, name, data.purpose))
    return shown


async def must_be_within_limit(tx: Tx, asked: int) -> None:
    """Of two requests of one person the later waits, and counts what the earlier saw."""
    actor = tx.principal.actor
    lock = hashlib.sha256(f"reveal|{tx.tenant}|{actor}".encode()).digest()[:8]
    await tx.execute(select(func.pg_advisory_xact_lock(literal(int.from_bytes(lock, "big", signed=True)))))
    left = [each["seconds"] for each in await tx.fetch(_LEFT, in_actor=actor)]
    beyond = len(left) + asked - MOST
    if beyond > 0:
        raise RevealLimitReached(MOST, left[beyond - 1])


async def opened(tx: Tx, row: Row, name: str, purpose: str) -> str | None:
    """A number of a worker in clear; None where nothing is on file."""
    cipher = await tx.cipher()
    if name == "bank_account_number":
        accounts = models.bank_account.c
        account = await tx.row(
            select(accounts.id, accounts.account_sealed).where(
                accounts.tenant_id == TENANT, accounts.worker_id == row["id"], accounts.status == "active"
            )
        )
        if account is None:
            return None
        cell = Cell("bank_account", "account", account["id"])
        return cipher.open(cell, Sealed(bytes(account["account_sealed"])), purpose=purpose)
    sealed = row[f"{name}_sealed"]
    if sealed is None:
        return None
    clear = cipher.open(Cell("worker", name, row["id"]), Sealed(bytes(sealed)), purpose=purpose)
    return ssn.with_hyphens(clear) if name == "ssn" else clear
