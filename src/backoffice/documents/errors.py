"""Refusals of documents."""

from __future__ import annotations

from backoffice.kernel.errors import Problem, StateConflict


class DocumentKeyReused(Problem):
    """Another document was stored under the key."""

    status = 409
    code = "document_key_reused"
    title = "Another document was stored under this key"


class DocumentNotAvailable(StateConflict):
    """The document is still being stored."""

    code = "document_not_available"
    title = "The document is not available yet"


class DocumentUnreadable(Problem):
    """What lies in the storage is not what was stored: missing, changed, or another document's."""

    status = 500
    code = "document_unreadable"
    title = "The stored document cannot be read"
