"""A document's bytes, in and out of the storage. No transaction is open here but the caller's, and none is used."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from uuid import UUID

from backoffice.documents.errors import DocumentUnreadable
from backoffice.documents.schemas import Stored
from backoffice.platform.crypto import CannotOpen, TenantCipher
from backoffice.platform.db import Unavailable
from backoffice.platform.storage import NotStored, Storage, StorageFault
from backoffice.platform.tx import Row

Content = bytes | Callable[[], bytes]
"""The clear bytes, or what makes them (called in a thread, and only when they are needed)."""


def storage_key(document_id: UUID) -> str:
    return f"documents/{document_id}"


async def put(storage: Storage, cipher: TenantCipher, document_id: UUID, content: Content) -> Stored:
    """Seal and store a document's content, all or nothing, and say what lies there.

    What was put first stays: done again, the content that is there counts, so that a record always describes the
    bytes it stands for. ValueError above 64 MiB; StorageFault when the storage refuses."""
    clear, sealed = await asyncio.to_thread(_made, cipher, document_id, content)
    key = storage_key(document_id)
    if not await storage.put(cipher.tenant_id, key, sealed):
        sealed = await storage.get(cipher.tenant_id, key)
        clear = await asyncio.to_thread(cipher.open_file, document_id, sealed, purpose="document_store")
    return Stored(document_id=document_id, size_bytes=len(clear), sha256=hashlib.sha256(clear).digest())


async def read(storage: Storage, cipher: TenantCipher, document: Row, *, purpose: str) -> bytes:
    """The clear content of an available document (a row of it). `purpose` says what for, in snake_case.

    DocumentUnreadable when it is missing, was changed or is another's; Unavailable when the storage does not answer."""
    try:
        sealed = await storage.get(cipher.tenant_id, document["storage_key"])
        clear = await asyncio.to_thread(cipher.open_file, document["id"], sealed, purpose=purpose)
    except StorageFault as error:
        raise Unavailable("The document storage does not answer. Try again in a moment.") from error
    except (NotStored, CannotOpen) as error:
        raise DocumentUnreadable("Restore the document from a backup of the storage.") from error
    if hashlib.sha256(clear).digest() != bytes(document["sha256"]):
        raise DocumentUnreadable("The content is not what was stored; restore it from a backup of the storage.")
    return clear


def _made(cipher: TenantCipher, document_id: UUID, content: Content) -> tuple[bytes, bytes]:
    clear = content if isinstance(content, bytes) else content()
    return clear, cipher.seal_file(document_id, clear)
