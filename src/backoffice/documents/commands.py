"""Writes of documents. Storing is claim (here) → put (`files.put`, no transaction) → record (here)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    Interval,
    Text,
    any_,
    bindparam,
    column,
    exists,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import BYTEA

from backoffice.documents import models, queries
from backoffice.documents.errors import DocumentKeyReused
from backoffice.documents.events import DOCUMENT_AVAILABLE
from backoffice.documents.files import storage_key
from backoffice.documents.links import LIFE, DownloadLinks
from backoffice.documents.schemas import DocumentLink, NewDocument, Stored
from backoffice.kernel import ids
from backoffice.kernel.errors import FaultList, NotFound
from backoffice.platform.effects import Effect
from backoffice.platform.models import job
from backoffice.platform.tables import TENANT, Id, Instant
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import find_id

LINKS_KEPT = timedelta(days=30)
_documents, _links = models.document, models.document_link
_FORMS = {
    "key": re.compile(r"^[^\x00-\x1f]{1,200}\Z"),
    "kind": re.compile(r"^[a-z][a-z0-9_]{0,59}\Z"),
    "title": re.compile(r"^[^\x00-\x1f]{1,200}\Z"),
    "file_name": re.compile(r"^[^\x00-\x1f/\\]{1,120}\Z"),
    "media_type": re.compile(r"^[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}\Z"),
    "subject": ids.PATTERN,
}
_SAME = ("kind", "title", "file_name", "media_type", "subject")

_told = func.unnest(
    bindparam("in_id", type_=ARRAY(Id)),
    bindparam("in_size", type_=ARRAY(BigInteger)),
    bindparam("in_sha256", type_=ARRAY(BYTEA)),
).table_valued(column("id", Id), column("size_bytes", BigInteger), column("sha256", BYTEA), name="told")
_stored = _told.render_derived()
_RECORD = (
    _documents.update()
    .where(_documents.c.tenant_id == TENANT, _documents.c.id == _stored.c.id, _documents.c.status == "storing")
    .values(
        status="available",
        size_bytes=_stored.c.size_bytes,
        sha256=_stored.c.sha256,
        version=_documents.c.version + 1,
        updated_at=bindparam("at", type_=Instant),
    )
    .returning(*_documents.c)
)
_DB_NOW = func.clock_timestamp()
_TAKE_OVER = (
    _documents.update()
    .where(
        _documents.c.tenant_id == TENANT,
        _documents.c.key == any_(bindparam("keys", type_=ARRAY(Text))),
        _documents.c.status == "storing",
    )
    .values(job_id=bindparam("job", type_=Id))
)
_ABANDONED = (
    select(_documents.c.id)
    .where(
        _documents.c.tenant_id == TENANT,
        text("document.status = 'storing'"),  # as the partial index says it
        ~exists().where(job.c.tenant_id == TENANT, job.c.id == _documents.c.job_id),
    )
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_DROP = (
    _documents.delete()
    .where(
        _documents.c.tenant_id == TENANT,
        _documents.c.id == any_(bindparam("these", type_=ARRAY(Id))),
        _documents.c.status == "storing",
    )
    .returning(_documents.c.id, _documents.c.storage_key)
)
_OVER = select(_links.c.id).where(
    _links.c.tenant_id == TENANT, _links.c.expires_at <= _DB_NOW - literal(LINKS_KEPT, Interval(native=True))
)


async def claim(tx: Tx, documents: Sequence[NewDocument], job_id: UUID) -> list[UUID]:
    """Take the keys of these documents for a job: their ids, in order, in status `storing` where they are new.

    Safe to repeat and to race. ValidationFailed with all faults; DocumentKeyReused when a key stands for another
    document (of another kind, title, file name, media type or subject)."""
    _check(documents)
    by_key = {document.key: document for document in documents}
    rows = []
    for key in sorted(by_key):
        id_, document = await tx.new_id(), by_key[key]
        told = {name: getattr(document, name) for name in (*_SAME, "key", "retention_until", "metadata")}
        rows.append({**told, "id": id_, "status": "storing", "job_id": job_id, "storage_key": storage_key(id_)})
    new = {row["key"]: row for row in await tx.insert_new(_documents, rows)}
    there: Mapping[str, Row] = new
    if len(new) < len(by_key):
        there = await queries.rows_by_key(tx, list(by_key))
        await tx.execute(_TAKE_OVER, keys=list(by_key), job=job_id)
    for document in documents:
        if any(there[document.key][name] != getattr(document, name) for name in _SAME):
            raise DocumentKeyReused(f"Under the key {document.key} stands another document.")
    for row in new.values():
        tx.audit("document.claimed", object_type="document", object_id=row["id"], object_version=row["version"])
    return [there[document.key]["id"] for document in documents]


async def record(tx: Tx, stored: Sequence[Stored]) -> int:
    """Say that these documents' contents lie in the storage; how many became available by this. Those that are
    available already stay as they are."""
    rows = await tx.fetch(
        _RECORD,
        in_id=[each.document_id for each in stored],
        in_size=[each.size_bytes for each in stored],
        in_sha256=[each.sha256 for each in stored],
        at=await tx.now(),
    )
    for row in sorted(rows, key=lambda each: each["id"].int):
        outward = queries.view(tx, row)
        effect = Effect(
            kind="document_available",
            subject=outward.subject or outward.id,
            after={"document": outward.id, "kind": outward.kind},
            message=f"{outward.title} is available for download.",
        )
        tx.emit(DOCUMENT_AVAILABLE, outward, changed=["status"], previous={"status": "storing"}, effects=[effect])
        tx.audit(
            "document.available",
            object_type="document",
            object_id=row["id"],
            object_version=row["version"],
            changed={"status": "available"},
        )
    return len(rows)


async def create_link(tx: Tx, document_id: str, links: DownloadLinks) -> DocumentLink:
    """A link that opens the document once within five minutes. NotFound, DocumentNotAvailable."""
    uuid = await find_id(tx, _documents, "document", document_id)
    await queries.available_row(tx, uuid)
    # Whole seconds, as in the token: link and row end together. Database time, which no test clock moves.
    ends = func.date_trunc("second", _DB_NOW) + LIFE
    row = await tx.insert(_links, document_id=uuid, created_by=tx.principal.actor, expires_at=ends)
    tx.audit("document_link.created", object_type="document", object_id=uuid, changed={"link": str(row["id"])})
    return DocumentLink(
        id=ids.encode("document_link", row["id"]),
        livemode=tx.principal.tenant.livemode,
        document_id=ids.encode("document", uuid),
        url=links.url(tx.tenant, row["id"], row["expires_at"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


async def use_link(tx: Tx, token: str, links: DownloadLinks) -> Row:
    """Use a link up and return its document's row. NotFound for whatever does not open: made up, expired, used before,
    another tenant's. If the transaction is rolled back the link is unused."""
    named = links.verify(token, await tx.value(select(_DB_NOW)))
    if named is None or named[0] != tx.tenant:
        raise NotFound
    used = (
        _links.update()
        .where(_links.c.tenant_id == TENANT, _links.c.id == named[1])
        .where(_links.c.used_at.is_(None), _links.c.expires_at > _DB_NOW)
        .values(used_at=_DB_NOW)
        .returning(*_links.c)
    )
    link = await tx.row(used)
    if link is None:
        raise NotFound
    row = await queries.available_row(tx, link["document_id"])
    tx.audit(
        "document.downloaded",
        object_type="document",
        object_id=row["id"],
        object_version=row["version"],
        reason=f"by link {ids.encode('document_link', link['id'])} of {link['created_by']}",
    )
    return row


async def drop_abandoned(tx: Tx, most: int) -> list[str]:
    """Delete the rows of documents whose content was never recorded, and that no job can store any more: theirs is
    forgotten, 90 days after its end. At most `most`; the names under which something may lie in the storage."""
    found = [row["id"] for row in await tx.fetch(_ABANDONED, most=most)]
    rows = await tx.fetch(_DROP, these=found) if found else []
    for row in rows:
        tx.audit("document.dropped", object_type="document", object_id=row["id"], reason="it was never stored")
    return [row["storage_key"] for row in rows]


async def forget_links(tx: Tx, most: int) -> int:
    """Delete at most `most` download links that ended more than 30 days ago, used or not; how many. Who opened what
    stays in the audit."""
    some = _OVER.limit(most).subquery()
    return await tx.execute(_links.delete().where(_links.c.tenant_id == TENANT, _links.c.id == some.c.id))


def _check(documents: Sequence[NewDocument]) -> None:
    faults = FaultList()
    for place, document in enumerate(documents):
        for name, form in _FORMS.items():
            value = getattr(document, name)
            if value is not None and not form.match(value):
                faults.add(f"#/{place}/{name}", "malformed", f"does not have the form {form.pattern}")
    faults.raise_if_any()
