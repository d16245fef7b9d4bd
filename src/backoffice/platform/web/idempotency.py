"""Safe retries (API conventions §4): the stored answer and its effect commit in one transaction."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from backoffice.kernel.errors import BadRequest
from backoffice.platform import models
from backoffice.platform.crypto import Cell, Sealed
from backoffice.platform.tables import TENANT
from backoffice.platform.tx import Tx
from backoffice.platform.web.problems import IdempotencyInProgress, IdempotencyKeyReused

KEPT = timedelta(days=30)
KEY_PATTERN = r'^(?:"(?:[ !#-\[\]-~]|\\["\\]){1,255}"|[!#-~]{1,255})$'
"""A string of RFC 8941 §3.3.3, or the same without quotation marks. The document of the API publishes it."""
_KEY = re.compile(KEY_PATTERN.removesuffix("$") + r"\Z")
_kept = models.idempotency
# Headers that belong to the answer itself; the rest (request id, limits, date) is made anew for each response.
STORED_HEADERS = frozenset({"content-type", "etag", "location", "retry-after", "cache-control"})

_FIND = select(_kept.c.fingerprint, _kept.c.status, _kept.c.headers, _kept.c.body).where(
    _kept.c.tenant_id == TENANT,
    _kept.c.scope == bindparam("in_scope"),
    _kept.c.key == bindparam("with_key"),
    _kept.c.expires_at > func.clock_timestamp(),
)
_STALE = (_kept.c.tenant_id == TENANT, _kept.c.expires_at <= func.clock_timestamp())
_DROP = delete(_kept).where(*_STALE, _kept.c.scope == bindparam("in_scope"), _kept.c.key == bindparam("with_key"))


class Replay(Exception):
    """Raised by the edge's guard to answer with what was stored."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__("replay")
        self.status, self.headers, self.body = status, headers, body


def parse_key(header: str) -> str:
    """The key of an `Idempotency-Key` header: a structured-field string, or a bare token. BadRequest otherwise."""
    if not _KEY.match(header):
        raise BadRequest(
            'Idempotency-Key must be a string such as "6f1c…" (RFC 8941) or a bare token, of 1 to 255 ASCII characters.'
        )
    return re.sub(r"\\(.)", r"\1", header[1:-1]) if header.startswith('"') else header


def _number(text: str) -> float:
    """`1.0` and `1e0` are 1 (RFC 8785 §3.2.2.3)."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 1 << 53 else value


_read = msgspec.json.Decoder(float_hook=_number).decode


def fingerprint(body: bytes, query: str, api_version: str) -> bytes:
    """SHA-256 over the canonical JSON of the body (names sorted, each value written in one way), the query and the
    version."""
    try:
        canonical = msgspec.json.encode(_read(body), order="deterministic") if body else b""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the handler refuses it
        canonical = body
    return hashlib.sha256(b"\n".join((canonical, query.encode(), api_version.encode()))).digest()


async def begin(tx: Tx, scope: str, key: str, print_: bytes) -> None:
    """Take the key for this transaction. Replay when it was answered, IdempotencyKeyReused when for another request,
    IdempotencyInProgress when a twin holds it now."""
    lock = int.from_bytes(hashlib.sha256(f"{tx.tenant}|{scope}|{key}".encode()).digest()[:8], "big", signed=True)
    if not await tx.value(select(func.pg_try_advisory_xact_lock(literal(lock)))):
        raise IdempotencyInProgress
    stored = await tx.row(_FIND, in_scope=scope, with_key=key)
    if stored is None:
        return
    if bytes(stored["fingerprint"]) != print_:
        raise IdempotencyKeyReused
    body = (await tx.cipher()).open(_cell(scope, key), Sealed(bytes(stored["body"])), purpose="idempotent_replay")
    raise Replay(stored["status"], stored["headers"], body.encode())


def _cell(scope: str, key: str) -> Cell:
    """Answers are sealed: one of them may hold a new key's secret."""
    return Cell("idempotency", "body", UUID(bytes=hashlib.sha256(f"{scope}|{key}".encode()).digest()[:16]))


async def forget_expired(tx: Tx, most: int) -> int:
    """Delete at most `most` answers whose time is over; how many."""
    old = (
        select(_kept.c.scope, _kept.c.key)
        .where(_kept.c.tenant_id == TENANT, _kept.c.expires_at <= func.clock_timestamp())
        .limit(most)
        .subquery()
    )
    return await tx.execute(
        delete(_kept).where(_kept.c.tenant_id == TENANT, _kept.c.scope == old.c.scope, _kept.c.key == old.c.key)
    )


async def keep(
    tx: Tx, scope: str, key: str, print_: bytes, *, status: int, headers: dict[str, str], body: bytes
) -> None:
    """Store the answer beside its effect."""
    await tx.execute(_DROP, in_scope=scope, with_key=key)
    values: dict[str, Any] = {
        "tenant_id": tx.tenant,
        "scope": scope,
        "key": key,
        "fingerprint": print_,
        "status": status,
        "headers": {name: value for name, value in headers.items() if name in STORED_HEADERS},
        "body": (await tx.cipher()).seal(_cell(scope, key), body.decode()),
        "expires_at": func.clock_timestamp() + KEPT,
    }
    await tx.execute(pg_insert(_kept).values(values))
