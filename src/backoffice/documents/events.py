"""What documents tells."""

from __future__ import annotations

from backoffice.documents.schemas import Document
from backoffice.platform.events import event_type

DOCUMENT_AVAILABLE = event_type(
    "document.available", Document, "/v1/documents/{id}", "A file was stored and can be downloaded.", status="available"
)
