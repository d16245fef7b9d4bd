"""What goes in and comes out of documents."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec

from backoffice.platform.web.bodies import Noun


class NewDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document to store, without its content.

    `key` is the caller's, unique per tenant: what is stored under it is stored once. `kind` is a word such as
    `pay_stub`; `subject` the outward id of what it is about (`pchk_…`). `title` and `file_name` are told in events and
    links: no personal data in them."""

    key: str
    kind: str
    title: str
    file_name: str
    media_type: str
    subject: str | None = None
    retention_until: date | None = None
    metadata: dict[str, str] = {}


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in the storage for a document: size and SHA-256 of its clear content."""

    document_id: UUID
    size_bytes: int
    sha256: bytes


class Document(Noun, kw_only=True):
    """A stored file. Its content is read through a link (`POST …/download_link`); `sha256` is that of the content, in
    hex; size and hash are null while it is being stored."""

    kind: str
    title: str
    file_name: str
    media_type: str
    subject: str | None
    retention_until: date | None
    status: str
    size_bytes: int | None
    sha256: str | None


class DocumentLink(msgspec.Struct, kw_only=True):
    """A link to a document's content: whoever has the URL may open it, once, until `expires_at`."""

    id: str
    object: str = "document_link"
    livemode: bool
    document_id: str
    url: str
    created_at: datetime
    expires_at: datetime
