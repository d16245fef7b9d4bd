"""/v1/documents, and /v1/downloads, where a link opens once."""

from __future__ import annotations

from urllib.parse import quote

from litestar import Response
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from backoffice.documents import commands, files, queries
from backoffice.documents.links import DownloadLinks
from backoffice.documents.schemas import Document, DocumentLink
from backoffice.platform.storage import Storage
from backoffice.platform.web.lists import Page
from backoffice.platform.web.routes import InTx, Listed, get, post

WithStorage = NamedDependency[SkipValidation[Storage]]
WithLinks = NamedDependency[SkipValidation[DownloadLinks]]


@get("/v1/documents", scope="documents:read", listing=queries.DOCUMENTS)
async def list_documents(tx: InTx, listed: Listed) -> Page[Document]:
    """Stored files: pay stubs, bank files, registers."""
    return await queries.document_page(tx, listed)


@get("/v1/documents/{document_id:str}", scope="documents:read")
async def get_document(tx: InTx, document_id: FromPath[str]) -> Document:
    """One document, without its content."""
    return await queries.document(tx, document_id)


# No idempotent answer is kept of this one: it would hold the link. A retry makes another link.
@post("/v1/documents/{document_id:str}/download_link", scope="documents:read", keyed="none")
async def create_download_link(tx: InTx, document_id: FromPath[str], links: WithLinks) -> DocumentLink:
    """A URL that opens the document's content once, within five minutes, without a key."""
    return await commands.create_link(tx, document_id, links)


@get("/v1/downloads/{token:str}", scope="downloads:open", produces="application/octet-stream")
async def open_download(tx: InTx, token: FromPath[str], storage: WithStorage, links: WithLinks) -> Response[bytes]:
    """The content of a document, for whoever has its link. A used, expired or unknown link is not there."""
    row = await commands.use_link(tx, token, links)
    content = await files.read(storage, await tx.cipher(), row, purpose="document_download")
    return Response(content, media_type=row["media_type"], headers=download_headers(row["file_name"]))


def download_headers(file_name: str) -> dict[str, str]:
    """Saved under its name (RFC 6266, with the name in UTF-8 as RFC 8187 says), and never run as a page of ours."""
    plain = "".join(character if character.isascii() and character not in '"\\%' else "_" for character in file_name)
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Referrer-Policy": "no-referrer",
    }


handlers: list[object] = [list_documents, get_document, create_download_link, open_download]
