"""Reads of documents, for their own pages and for other domains."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Text, any_, literal, select

from backoffice.documents import models
from backoffice.documents.errors import DocumentNotAvailable
from backoffice.documents.schemas import Document
from backoffice.kernel.errors import NotFound
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import find_id, noun_fields
from backoffice.platform.web.lists import Filter, Listing, Page, Query, page

_documents = models.document

DOCUMENTS = Listing(
    _documents,
    filters={
        "kind": Filter(_documents.c.kind),
        "subject": Filter(_documents.c.subject, operators=("in",)),
        "status": Filter(_documents.c.status, values=models.STATUSES),
        "created_at": Filter(_documents.c.created_at, operators=("gt", "gte", "lt", "lte")),
        "retention_until": Filter(_documents.c.retention_until, operators=("gt", "gte", "lt", "lte", "exists")),
    },
    sorts=("created_at",),
)


def view(tx: Tx, row: Row) -> Document:
    told = ("kind", "title", "file_name", "media_type", "subject", "retention_until", "status", "size_bytes")
    return Document(
        **noun_fields(tx, "document", row),
        **{name: row[name] for name in told},
        sha256=None if row["sha256"] is None else bytes(row["sha256"]).hex(),
    )


async def document_page(tx: Tx, query: Query) -> Page[Document]:
    return await page(tx, DOCUMENTS, query, lambda row: view(tx, row))


async def document(tx: Tx, id_: str) -> Document:
    """One document by id or `ext:` id; NotFound."""
    return view(tx, await row_of(tx, await find_id(tx, _documents, "document", id_)))


async def row_of(tx: Tx, document_id: UUID) -> Row:
    """The row of a document; NotFound."""
    row = await tx.row(select(*_documents.c).where(_documents.c.tenant_id == TENANT, _documents.c.id == document_id))
    if row is None:
        raise NotFound
    return row


async def without_document(tx: Tx, names: Sequence[str]) -> list[str]:
    """Of names in the storage, those under which no document lies."""
    kept = await tx.fetch(select(_documents.c.storage_key).where(_documents.c.tenant_id == TENANT))
    return sorted(set(names) - {row["storage_key"] for row in kept})


async def available_row(tx: Tx, document_id: UUID) -> Row:
    """The row of a document whose content can be read; NotFound, DocumentNotAvailable."""
    row = await row_of(tx, document_id)
    if row["status"] != "available":
        raise DocumentNotAvailable("Try again when document.available was told.")
    return row


async def rows_by_key(tx: Tx, keys: Sequence[str]) -> dict[str, Row]:
    """Documents by their caller's keys; those that do not exist are not there."""
    chosen = _documents.c.key == any_(literal(list(keys), ARRAY(Text)))
    rows = await tx.fetch(select(*_documents.c).where(_documents.c.tenant_id == TENANT, chosen))
    return {row["key"]: row for row in rows}


async def of_subjects(tx: Tx, subjects: Sequence[str], *, kind: str | None = None) -> dict[str, list[Document]]:
    """Documents by the outward id of what they are about, oldest first; subjects without any are not there."""
    chosen = _documents.c.subject == any_(literal(list(subjects), ARRAY(Text)))
    statement = select(*_documents.c).where(_documents.c.tenant_id == TENANT, chosen)
    if kind is not None:
        statement = statement.where(_documents.c.kind == kind)
    found: dict[str, list[Document]] = {}
    for row in await tx.fetch(statement.order_by(_documents.c.id)):
        found.setdefault(row["subject"], []).append(view(tx, row))
    return found


async def still_storing(tx: Tx, document_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these documents whose content is not recorded yet."""
    chosen = _documents.c.id == any_(literal(list(document_ids), ARRAY(Id)))
    statement = select(_documents.c.id).where(
        _documents.c.tenant_id == TENANT, chosen, _documents.c.status == "storing"
    )
    return {row["id"] for row in await tx.fetch(statement)}
